"""Where a JPEG file keeps metadata: in segments in front of the first scan, each at most 64 KB.

Written by splicing segments into an encoded picture, so that no encoder can drop them. Sources: ITU-T T.81, EXIF 2.32,
XMP part 3 (ISO 16684-2), ICC.1:2010 annex B.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.metadata.exif import EXIF_HEAD

_PAYLOAD = 65533  # a segment's length field counts itself: 65535 − 2
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
MOST_EXIF, MOST_XMP = _PAYLOAD - len(EXIF_HEAD), _PAYLOAD - len(_XMP_HEAD)  # bytes
_EXTENDED_XMP_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
_ICC_HEAD = b"ICC_PROFILE\0"


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, payload) of each segment before the first scan; stops where the file stops making sense."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if marker in (0xD9, 0xDA):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)


def jpeg_blocks(data: bytes) -> tuple[bytes, tuple[bytes, ...], tuple[str, ...]]:
    """Photoshop's resources joined over their segments, the segments that continue the XMP, and what is left out."""
    photoshop, extended = b"", []
    left_out: tuple[str, ...] = ()
    for marker, payload in jpeg_segments(data):
        if marker == 0xED and payload.startswith(_PHOTOSHOP_HEAD):
            photoshop += payload[len(_PHOTOSHOP_HEAD) :]
        elif marker == 0xE1 and payload.startswith(_EXTENDED_XMP_HEAD):
            extended.append(payload)
        elif marker == 0xEB and b"jumb" in payload[:64]:
            left_out = ("the content credentials (C2PA) describe the unchanged file and are not carried over",)
    return photoshop, tuple(extended), left_out


def embed_in_jpeg(encoded: bytes, metadata: PhotoMetadata) -> bytes:
    """``encoded`` (as Pillow writes it: SOI, JFIF, …) with the metadata spliced in behind the JFIF segment."""
    segments: list[tuple[int, bytes]] = []
    if metadata.exif:
        segments.append((0xE1, EXIF_HEAD + metadata.exif))
    if metadata.xmp:
        segments.append((0xE1, _XMP_HEAD + metadata.xmp))
    segments += [(0xE1, payload) for payload in metadata.extended_xmp]
    chunk = _PAYLOAD - len(_ICC_HEAD) - 2
    pieces = [metadata.icc[at : at + chunk] for at in range(0, len(metadata.icc), chunk)]
    segments += [(0xE2, _ICC_HEAD + bytes((i + 1, len(pieces))) + piece) for i, piece in enumerate(pieces)]
    chunk = _PAYLOAD - len(_PHOTOSHOP_HEAD)
    for at in range(0, len(metadata.photoshop), chunk):
        segments.append((0xED, _PHOTOSHOP_HEAD + metadata.photoshop[at : at + chunk]))
    if metadata.comment:
        segments.append((0xFE, metadata.comment[:_PAYLOAD]))
    at = 2
    if encoded[2:4] == b"\xff\xe0":
        at = 4 + struct.unpack_from(">H", encoded, 4)[0]
    spliced = b"".join(
        b"\xff" + bytes((marker,)) + struct.pack(">H", len(body) + 2) + body for marker, body in segments
    )
    return encoded[:at] + spliced + encoded[at:]
