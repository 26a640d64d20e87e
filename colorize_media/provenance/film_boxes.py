"""Where MP4 and MOV files keep an XMP packet: read, and added to a finished file without moving what others point at.

MP4 and its kin: a box ``uuid`` at the top. QuickTime: a box ``XMP_`` in ``moov/udta``. Both are read in either. Sizes are
read with seeks, so a film's length does not matter, and no more boxes are looked at than any real file has.

Sources: XMP specification part 3 (storage in files), ISO/IEC 14496-12 §4.2 (boxes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from colorize_media.provenance.packet import MAX_XMP

_XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_MOST_BOXES = 10_000  # looked at in one holder; a film in fragments of a second has some thousands
_MOST_MOVED = 64 << 20  # bytes behind a new box that are held in memory; the tracks' tables stand before it


class _Box(NamedTuple):
    """A box's four letters, where it starts, where its content starts, and where it ends."""

    kind: bytes
    start: int
    content: int
    end: int


def read_film_xmp(path: Path) -> bytes:
    """The XMP packet of an MP4 or MOV file; nothing for one without, and for other files. Raises OSError, ValueError.

    ValueError says that a packet is larger than any real one.
    """
    with path.open("rb") as file:
        if _size(file) < 8 or file.read(8)[4:] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"uuid"):
            return b""
        for box in _boxes(file, 0, _size(file)):
            if box.kind == b"uuid" and _at(file, box.content, 16) == _XMP_UUID:
                return _content(file, box.content + 16, box.end)
            for inner in _inside(file, box, b"moov", b"udta"):
                if inner.kind == b"XMP_":
                    return _content(file, inner.content, inner.end)
    return b""


def embed_film_xmp(path: Path, packet: bytes, *, quicktime: bool) -> bool:
    """Add a packet to a finished file that has none; whether it could be. Raises OSError.

    Nothing before the place moves: ``uuid`` is appended; of ``moov/udta``, which is chosen for ``quicktime``, only where
    ``moov`` stands last. The tracks' tables point into ``mdat`` by its place in the file.
    """
    with path.open("r+b") as file:
        size = _size(file)
        top = list(_boxes(file, 0, size))
        if not top or top[-1].end != size or len(top) >= _MOST_BOXES or _at(file, top[-1].start, 4) == bytes(4):
            return False  # it ends in the midst of a box, or in one that lasts to the end of the file, whatever that is
        if quicktime and top[-1].kind == b"moov" and _insert_in_moov(file, top[-1], _box(b"XMP_", packet)):
            return True
        file.seek(size)
        file.write(_box(b"uuid", _XMP_UUID + packet))
    return True


def _insert_in_moov(file: BinaryIO, moov: _Box, box: bytes) -> bool:
    """Put a box first into ``udta`` of a ``moov`` that ends the file; whether it could be."""
    inner = list(_boxes(file, moov.content, moov.end))
    if not inner or inner[-1].end != moov.end or moov.content != moov.start + 8:
        return False
    udta = next((found for found in inner if found.kind == b"udta"), None)
    if udta is None:
        at, holders, box = moov.end, [moov], _box(b"udta", box)
    elif udta.content == udta.start + 8:
        at, holders = udta.content, [moov, udta]
    else:
        return False
    if moov.end - at > _MOST_MOVED or any(found.end - found.start + len(box) >= 1 << 32 for found in holders):
        return False
    behind = _at(file, at, moov.end - at)
    file.seek(at)
    file.write(box + behind)
    for found in holders:
        file.seek(found.start)
        file.write((found.end - found.start + len(box)).to_bytes(4, "big"))
    return True


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def _inside(file: BinaryIO, box: _Box, *kinds: bytes) -> Iterator[_Box]:
    """The boxes in the innermost of nested boxes of these kinds, the outermost being ``box``."""
    if box.kind != kinds[0]:
        return
    for inner in _boxes(file, box.content, box.end):
        if len(kinds) == 1:
            yield inner
        else:
            yield from _inside(file, inner, *kinds[1:])


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    """The boxes one after the other; up to the first whose size makes no sense."""
    for _ in range(_MOST_BOXES):
        head = _at(file, start, 16) if start + 8 <= end else b""
        if len(head) < 8:
            return
        size, own = int.from_bytes(head[:4], "big"), 8
        if size == 1 and len(head) == 16:
            size, own = int.from_bytes(head[8:], "big"), 16
        elif size == 0:
            size = end - start
        if size < own or start + size > end:
            return
        yield _Box(head[4:8], start, start + own, start + size)
        start += size


def _content(file: BinaryIO, start: int, end: int) -> bytes:
    if end - start > MAX_XMP:
        raise ValueError(f"it is larger than {MAX_XMP >> 20} MB")
    return _at(file, start, max(0, end - start)).rstrip(b"\0")


def _at(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _size(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
