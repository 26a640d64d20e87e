"""The pages of a TIFF file: found, looked at one by one as files of their own, and copied whole into another file.

Source: TIFF 6.0. BigTIFF and what points into the file in other ways than TIFF 6.0 says are refused.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_BYTES = 0xF0000000  # offsets have 32 bits
_MOST_PAGES = 10_000  # a chain of directories that is longer is damaged
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SUBFILE_TYPE, _REDUCED_OR_MASK = 254, 1 | 4
_CHUNKS = {273: 279, 324: 325}  # offsets of strips and tiles, and where their lengths stand
_NESTED = (34665, 34853, 40965)  # EXIF, GPS, interoperability
_SUB_IFDS = 330  # reduced copies of the page
_OLD_JPEG = 6  # of tag 259


@dataclass(frozen=True)
class Page:
    """Where one page's directory stands, and where its link to the next one."""

    start: int
    link: int


@dataclass(frozen=True)
class TiffPages:
    """All whole pages of a classic TIFF file, without its reduced copies and masks; ``order`` is struct's sign."""

    data: bytes
    order: str
    pages: tuple[Page, ...]
    left_out: int

    def alone(self, number: int) -> bytes:
        """The file with only this page (from 0), for a decoder that knows the first one only."""
        page = self.pages[number]
        out = bytearray(self.data)
        struct.pack_into(f"{self.order}L", out, 4, page.start)
        struct.pack_into(f"{self.order}L", out, page.link, 0)
        return bytes(out)

    def copy(self, number: int, file: BinaryIO, keep: Callable[[int], bool] | None = None) -> tuple[int, int]:
        """Append a page as it is, pixels and tags; returns where its directory and its link stand.

        ``keep`` says which tags; None is all. Raises ValueError for a page that cannot be copied.
        """
        start = self.pages[number].start
        tags = [tag for tag, *_ in entries_of(self.data, self.order, start)]
        dropped = frozenset(tag for tag in tags if keep is not None and not keep(tag)) | {_SUB_IFDS}
        return _Copy(self.data, self.order).directory(start, file, dropped)


def exif_of(data: bytes, drop: Callable[[int], bool]) -> bytes:
    """The tags of the first directory of anything built like a TIFF file, as an EXIF block; without those to ``drop``.

    Raises ValueError where there is none.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    (start,) = struct.unpack_from(f"{order}L", data, 4)
    tags = {tag for tag, *_ in entries_of(data, order, start)}
    dropped = frozenset({tag for tag in tags if drop(tag)} | {_SUB_IFDS, *_CHUNKS, *_CHUNKS.values(), 259, 513, 514})
    out = io.BytesIO()
    out.write((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    place, _ = _Copy(data, order).directory(start, out, dropped)
    return out.getvalue()[:4] + struct.pack(f"{order}L", place) + out.getvalue()[8:]


def tag_bytes(data: bytes, wanted: int) -> bytes:
    """The value of a tag of the first directory as it is stored, whatever type it says; nothing where there is none."""
    try:
        order = {b"II*\0": "<", b"MM\0*": ">"}[data[:4]]
        (start,) = struct.unpack_from(f"{order}L", data, 4)
        for tag, kind, count, at in entries_of(data, order, start):
            if tag == wanted:
                return _Copy(data, order).value(kind, count, at)
    except (KeyError, ValueError, struct.error):
        pass
    return b""


@dataclass(frozen=True)
class _Copy:
    """Copies directories with all that they point to."""

    data: bytes
    order: str

    def directory(self, start: int, file: BinaryIO, dropped: frozenset[int]) -> tuple[int, int]:
        """Append one; returns where it stands and where its link does. Raises ValueError."""
        found = [entry for entry in entries_of(self.data, self.order, start) if entry[0] not in dropped]
        values = {tag: (kind, count, self.value(kind, count, at)) for tag, kind, count, at in found}
        if 513 in values or self._numbers(values.get(259)) == (_OLD_JPEG,):
            raise ValueError("its old kind of JPEG cannot be copied")
        for offsets, lengths in _CHUNKS.items():
            if offsets not in values:
                continue
            moved = []
            places, sizes = self._numbers(values[offsets]), self._numbers(values.get(lengths))
            if len(places) != len(sizes):
                raise ValueError("it does not say how long its pieces are")
            for place, size in zip(places, sizes, strict=True):
                if place + size > len(self.data):
                    raise ValueError("its pixels end beyond the file")
                if file.tell() + size > MOST_BYTES:
                    raise ValueError("TIFF files cannot exceed 4 GB")
                moved.append(_aligned(file))
                file.write(self.data[place : place + size])
            values[offsets] = (4, len(moved), struct.pack(f"{self.order}{len(moved)}L", *moved))
        for tag in _NESTED:
            if tag in values:
                (nested,) = self._numbers(values[tag]) or (0,)
                values[tag] = (
                    4,
                    1,
                    struct.pack(f"{self.order}L", self.directory(nested, file, dropped - set(_CHUNKS))[0]),
                )
        entries = b""
        for tag, (kind, count, value) in sorted(values.items()):
            if len(value) > 4:
                place = _aligned(file)
                file.write(value)
                value = struct.pack(f"{self.order}L", place)
            entries += struct.pack(f"{self.order}HHL", tag, kind, count) + value.ljust(4, b"\0")
        directory = _aligned(file)
        file.write(struct.pack(f"{self.order}H", len(values)) + entries + bytes(4))
        return directory, directory + 2 + len(entries)

    def value(self, kind: int, count: int, at: int) -> bytes:
        """A tag's value as bytes, from its field at ``at``. Raises ValueError."""
        size = _ITEM_BYTES.get(kind, 0) * count
        if size > 4:
            (at,) = struct.unpack_from(f"{self.order}L", self.data, at)
        if kind not in _ITEM_BYTES or at + size > len(self.data):
            raise ValueError("a tag's value is damaged")
        return self.data[at : at + size]

    def _numbers(self, value: tuple[int, int, bytes] | None) -> tuple[int, ...]:
        if value is None or value[0] not in (3, 4, 13):
            return ()
        return struct.unpack(f"{self.order}{value[1]}{'H' if value[0] == 3 else 'L'}", value[2])


def entries_of(data: bytes, order: str, start: int) -> Iterator[tuple[int, int, int, int]]:
    """(tag, type, count, place of the value field) of a directory. Raises ValueError where it is cut."""
    try:
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(f"{order}HHL", data, at)
            struct.unpack_from(f"{order}L", data, at + 8)
            yield tag, kind, number, at + 8
    except struct.error:
        raise ValueError("it ends inside a directory") from None


def pages_of(data: bytes) -> TiffPages | None:
    """The pages of a classic TIFF file; None for anything else. Raises ValueError for a damaged chain."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return None
    pages, left_out = [], 0
    seen: set[int] = set()
    (start,) = struct.unpack_from(f"{order}L", data, 4)
    while start:
        if start in seen or len(seen) >= _MOST_PAGES:
            raise ValueError("its chain of pages never ends")
        seen.add(start)
        subfile, count = 0, 0
        for tag, kind, _, at in entries_of(data, order, start):
            count += 1
            if tag == _SUBFILE_TYPE:
                (subfile,) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'L'}", data, at)
        link = start + 2 + 12 * count
        if link + 4 > len(data):
            raise ValueError("it ends inside a directory")
        if subfile & _REDUCED_OR_MASK and seen != {start}:
            left_out += 1
        else:
            pages.append(Page(start, link))
        (start,) = struct.unpack_from(f"{order}L", data, link)
    return TiffPages(data, order, tuple(pages), left_out)


def _aligned(file: BinaryIO) -> int:
    """The place where the file goes on, even as TIFF wants it."""
    if file.tell() % 2:
        file.write(b"\0")
    return file.tell()
