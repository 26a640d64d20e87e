"""The boxes of HEIC, AVIF and other files of the ISO base media format, and what those around a picture say about it.

Sources: ISO/IEC 14496-12 §4.2 (boxes), 14496-15 (hvcC), 23008-12 (ispe, auxC), AV1-ISOBMFF (av1C).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
_MOST_BRAND_BYTES = 4096
# Boxes that hold boxes, and how many bytes of their own stand in front of these. The last three describe a film's frames.
_HOLDERS = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
    b"stsd": 8,
    b"av01": 78,
    b"hvc1": 78,
}


class Box(NamedTuple):
    """A box's four letters, where its content begins and where it ends, which may be behind the bytes that are there."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that stand one after the other from ``start``; a size that makes no sense counts as the smallest one."""
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end:
        size, head = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start  # up to the end
        yield Box(data[start + 4 : start + 8], start + head, start + max(size, 8))
        start += max(size, 8)


def contents(data: bytes, kind: bytes) -> Iterator[bytes]:
    """What is in each box of a kind, wherever it is nested, as far as the bytes go; nothing in files without boxes."""

    open_boxes = [boxes(data)] if data[4:8] == b"ftyp" else []
    while open_boxes:
        box = next(open_boxes[-1], None)
        if box is None:
            open_boxes.pop()
        elif box.kind == kind:
            yield data[box.start : box.end]
        elif box.kind in _HOLDERS:
            open_boxes.append(boxes(data, box.start + _HOLDERS[box.kind], box.end))


def brands(data: bytes) -> tuple[bytes, frozenset[bytes]]:
    """The major brand and the compatible ones; nothing for files without boxes."""
    if data[4:8] != b"ftyp":
        return b"", frozenset()
    size = min(int.from_bytes(data[:4], "big"), _MOST_BRAND_BYTES)
    return data[8:12], frozenset(data[at : at + 4] for at in range(16, size, 4))


def is_heic(data: bytes) -> bool:
    """By the brands of the file; a picture of the general brand ``mif1`` that also says AVIF is one."""
    major, compatible = brands(data)
    return major in HEIC_BRANDS and not compatible & AVIF_BRANDS


def is_cut(data: bytes) -> bool:
    """Whether the file ends inside a box: libheif paints tiles that are missing black."""
    return any(box.end > len(data) for box in boxes(data))


def names_are_text(data: bytes) -> bool:
    """Whether all items of a HEIC or AVIF file have types and names of UTF-8 (``infe``, ISO/IEC 14496-12 §8.11.6).

    They are looked for by their four letters: a reader may be more lenient than the sizes around them.
    """
    for body in contents(data, b"meta"):
        place = body.find(b"infe", 4)
        while place >= 0:
            end = place - 4 + int.from_bytes(body[place - 4 : place], "big")
            number = (
                4 if body[place + 4 : place + 5] > b"\2" else 2
            )  # bytes of the item's number, behind version and flags
            try:
                body[place + 8 + number + 2 : end].decode()
            except UnicodeDecodeError:
                return False
            place = body.find(b"infe", place + 4)
    return True


def av1_bits(data: bytes) -> int:
    """Bits per channel from the AV1 configuration box (AV1-ISOBMFF §2.3.3): high_bitdepth and twelve_bit."""
    flags = next((body[2] for body in contents(data, b"av1C") if len(body) > 2), 0)
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def hevc_bits(data: bytes) -> int:
    """The most bits per channel that the HEVC configuration boxes name (ISO/IEC 14496-15 §8.3.2.1)."""
    return max((8 + (body[17] & 7) for body in contents(data, b"hvcC") if len(body) > 18), default=8)


def picture_sizes(data: bytes) -> list[tuple[int, int]]:
    """Width and height of every picture that a HEIC or AVIF file describes (``ispe``, ISO/IEC 23008-12 §6.5.3)."""
    found = (body for body in contents(data, b"ispe") if len(body) >= 12)
    return [(int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")) for body in found]


def transfer(data: bytes) -> int | None:
    """The transfer characteristics (ISO/IEC 23091-2) that the first colour box with such numbers names."""
    found = (body for body in contents(data, b"colr") if body[:4] == b"nclx" and len(body) > 7)
    return next((int.from_bytes(body[6:8], "big") for body in found), None)


def has_alpha(data: bytes) -> bool:
    """Whether a picture of transparency belongs to another one (``auxC``)."""
    wanted = (b"hevc:2015:auxid:1", b"auxiliary:alpha")
    return any(name in body for body in contents(data, b"auxC") for name in wanted)
