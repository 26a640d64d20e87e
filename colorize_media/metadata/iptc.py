"""Photoshop's image resources (8BIM blocks), of which IPTC is one and thumbnails are others.

Sources: Photoshop File Formats ("Image resource blocks"), IPTC-IIM 4.2, IPTC Photo Metadata.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator

from PIL import Image

IPTC = 0x0404  # the resource's number; the digest is IPTC's, the two below are thumbnails of the grey picture
_IPTC_DIGEST, _IPTC_KEYWORD = 0x0425, 25
_THUMBNAIL_RESOURCES = frozenset({0x0409, 0x040C})
# IPTC-IIM 4.2's datasets of record 2 and the XMP properties that mean the same (IPTC Photo Metadata, appendix).
_IPTC_TO_XMP = {
    5: ("dc", "title"),
    25: ("dc", "subject"),
    40: ("photoshop", "Instructions"),
    80: ("dc", "creator"),
    90: ("photoshop", "City"),
    95: ("photoshop", "State"),
    101: ("photoshop", "Country"),
    105: ("photoshop", "Headline"),
    110: ("photoshop", "Credit"),
    115: ("photoshop", "Source"),
    116: ("dc", "rights"),
    120: ("dc", "description"),
}


def resource(blocks: bytes, wanted: int) -> bytes:
    """One resource's data; nothing where there is none, or the blocks are damaged before it."""
    try:
        return next((body for number, _, body in _resources(blocks) if number == wanted), b"")
    except ValueError:
        return b""


def pack_resource(number: int, name: bytes, body: bytes) -> bytes:
    """One block; ``name`` is a Pascal string padded to even length."""
    return b"8BIM" + struct.pack(">H", number) + name + struct.pack(">L", len(body)) + body + b"\0" * (len(body) % 2)


def holds_thumbnail(blocks: bytes) -> bool:
    """Whether a small copy of the picture is among them."""
    return any(resource(blocks, number) for number in _THUMBNAIL_RESOURCES)


def with_thumbnail(blocks: bytes, thumbnail: bytes) -> bytes:
    """The resources with ``thumbnail`` (a JPEG) in the place of the grey picture's; damaged ones are left as they are."""
    try:
        found = list(_resources(blocks))
    except ValueError:
        return blocks
    if not any(number in _THUMBNAIL_RESOURCES for number, _, _ in found):
        return blocks
    kept = [block for block in found if block[0] not in _THUMBNAIL_RESOURCES]
    if thumbnail:
        with Image.open(io.BytesIO(thumbnail)) as image:
            width, height = image.size
        line = (width * 24 + 31) // 32 * 4
        head = struct.pack(">LLLLLLHH", 1, width, height, line, line * height, len(thumbnail), 24, 1)
        kept.append((0x040C, b"\0\0", head + thumbnail))
    return b"".join(pack_resource(*block) for block in kept)


def without_iptc(blocks: bytes) -> bytes:
    """The resources for a TIFF file, which has a tag for IPTC; damaged ones are left as they are."""
    try:
        return b"".join(pack_resource(*block) for block in _resources(blocks) if block[0] != IPTC)
    except ValueError:
        return blocks


def with_iptc_keyword(blocks: bytes, keyword: str) -> bytes:
    """The resources with one more IPTC keyword, if they hold IPTC; and IPTC's digest (0x0425) made true again."""
    iptc = resource(blocks, IPTC)
    if not iptc or keyword in _iptc_texts(iptc).get(_IPTC_KEYWORD, ()):
        return blocks
    added = (
        iptc.rstrip(b"\0") + b"\x1c" + bytes((2, _IPTC_KEYWORD)) + struct.pack(">H", len(keyword)) + keyword.encode()
    )
    new = {IPTC: added, _IPTC_DIGEST: hashlib.md5(added, usedforsecurity=False).digest()}
    return b"".join(pack_resource(number, name, new.get(number, body)) for number, name, body in _resources(blocks))


def iptc_as_xmp(blocks: bytes) -> dict[tuple[str, str], list[str]]:
    """What IPTC says, as XMP properties by (prefix, name), for formats that have no place for IPTC."""
    texts = _iptc_texts(resource(blocks, IPTC))
    return {name: texts[dataset] for dataset, name in _IPTC_TO_XMP.items() if dataset in texts}


def _iptc_texts(iptc: bytes) -> dict[int, list[str]]:
    """The texts of record 2 by dataset, up to where the block makes no sense."""
    found: dict[int, list[str]] = {}
    utf8, at = b"\x1c\x01\x5a" in iptc[:64], 0  # 1:90 names the character set; in practice UTF-8 or none
    while at + 5 <= len(iptc) and iptc[at] == 0x1C:
        record, dataset, length = struct.unpack_from(">BBH", iptc, at + 1)
        if length & 0x8000 or at + 5 + length > len(iptc):
            break
        if record == 2:
            body = iptc[at + 5 : at + 5 + length]
            try:
                text = body.decode("utf-8")
            except UnicodeDecodeError:
                text = body.decode("utf-8" if utf8 else "latin-1", "replace")
            found.setdefault(dataset, []).append(text)
        at += 5 + length
    return found


def _resources(blocks: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(id, padded name, data) of Photoshop's image resources. Raises ValueError where they are damaged."""
    at = 0
    while at + 12 <= len(blocks):
        if blocks[at : at + 4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
            raise ValueError("no resource signature")
        (number,) = struct.unpack_from(">H", blocks, at + 4)
        name_end = at + 6 + (blocks[at + 6] + 2) // 2 * 2
        if name_end + 4 > len(blocks):
            raise ValueError("cut resource")
        (length,) = struct.unpack_from(">L", blocks, name_end)
        start = name_end + 4
        if start + length > len(blocks):
            raise ValueError("cut resource")
        yield number, blocks[at + 6 : name_end], blocks[start : start + length]
        at = start + length + length % 2
