"""Where a JPEG file keeps metadata: in segments in front of the first scan, each at most 64 KB.

Written by splicing segments into an encoded picture, so that no encoder can drop them. Sources: ITU-T T.81, EXIF 2.32,
XMP part 3 (ISO 16684-2), ICC.1:2010 annex B.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.metadata.exif import EXIF_HEAD

_PAYLOAD = 65533  # a segment's length field counts itself: 65535 − 2
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
MOST_EXIF, MOST_XMP = _PAYLOAD - len(EXIF_HEAD), _PAYLOAD - len(_XMP_HEAD)  # bytes
_EXTENDED_XMP_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
_ICC_HEAD = b"ICC_PROFILE\0"
# Segments that say how this file is encoded, or that are read elsewhere: the output has its own.
_OWN = (
    *((0xE0, head) for head in (b"JFIF\0", b"JFXX\0")),
    *((0xE1, head) for head in (EXIF_HEAD, _XMP_HEAD)),
    *((0xE2, head) for head in (_ICC_HEAD, b"MPF\0")),
    (0xE8, b"SPIFF\0"),
    (0xEE, b"Adobe"),
)
_GAIN_MAP_TOLD = "the HDR gain map inside the file is not carried over"
# Segments that are not true any more once the picture has colour: marker, what is in them, and how that is told.
_UNTRUE = (
    (0xEB, b"jumb", "the content credentials (C2PA) describe the unchanged file and are not carried over"),
    (0xEB, b"HDR_RI", _GAIN_MAP_TOLD),
    (0xEB, b"JP", "the JPEG XT extension describes the unchanged picture and is not carried over"),
    (0xE2, b"urn:iso:std:iso:ts:21496:-1", _GAIN_MAP_TOLD),
)
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # but for stuffed bytes, restarts and filling


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


class JpegBlocks(NamedTuple):
    """What a JPEG keeps that Pillow does not hand out whole, each as PhotoMetadata has it; and what is left out, in words."""

    photoshop: bytes
    extended_xmp: tuple[bytes, ...]
    comments: tuple[bytes, ...]
    segments: tuple[tuple[int, bytes], ...]
    left_out: tuple[str, ...]


def jpeg_blocks(data: bytes) -> JpegBlocks:
    """Photoshop's resources are joined over their segments; what says how the file is encoded is in none of them."""
    photoshop, extended, comments, others = b"", [], [], []
    left_out: dict[str, None] = {}
    for marker, payload in jpeg_segments(data):
        if marker == 0xED and payload.startswith(_PHOTOSHOP_HEAD):
            photoshop += payload[len(_PHOTOSHOP_HEAD) :]
        elif marker == 0xE1 and payload.startswith(_EXTENDED_XMP_HEAD):
            extended.append(payload)
        elif marker == 0xFE:
            comments.append(payload)
        elif told := next((words for at, head, words in _UNTRUE if at == marker and head in payload[:64]), ""):
            left_out[told] = None
        elif 0xE0 <= marker <= 0xEF and not any(at == marker and payload.startswith(head) for at, head in _OWN):
            others.append((marker, payload))
    return JpegBlocks(photoshop, tuple(extended), tuple(comments), tuple(others), tuple(left_out))


def behind_jpeg(data: bytes) -> bytes:
    """What follows the end marker; nothing where there is none, or only filling."""
    at = 2
    while at + 4 <= len(data):
        found = _MARKER.search(data, at)
        if found is None:
            return b""
        marker, at = data[found.start() + 1], found.end()
        if marker == 0xD9:
            return data[at:] if data[at:].strip(b"\0\xff \r\n\x1a") else b""
        if marker not in (0x01, 0xD8):
            at += int.from_bytes(data[at : at + 2], "big")
    return b""


def trailer_kind(trailer: bytes) -> str:
    """Why what stands behind a JPEG's end cannot be carried over, as words that name it; nothing where it can.

    Pictures and films belong to the picture as it was; AFCP says at which byte of the file its captions stand.
    """
    if trailer.endswith(b"SEFT"):
        return "Samsung's data behind the picture (a film, sound, depth)"
    if trailer[-12:-8] in (b"AXS!", b"AXS*"):
        return "the AFCP captions behind the picture"
    if trailer.lstrip(b"\0\xff").startswith(b"\xd8\xff"):
        return "the further pictures behind the picture"
    if b"ftyp" in trailer[:4096]:
        return "the film behind the picture (motion photo)"
    return ""


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
    segments += [*metadata.segments, *((0xFE, comment[:_PAYLOAD]) for comment in metadata.comments)]
    at = 2
    if encoded[2:4] == b"\xff\xe0":
        at = 4 + struct.unpack_from(">H", encoded, 4)[0]
    spliced = b"".join(
        b"\xff" + bytes((marker,)) + struct.pack(">H", len(body) + 2) + body for marker, body in segments
    )
    return encoded[:at] + spliced + encoded[at:] + metadata.trailer
