"""The pages of a TIFF file: found, looked at one by one as files of their own, and copied whole into another file.

Source: TIFF 6.0. What points into the file in other ways than TIFF 6.0 says is refused.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, TypeAlias

from PIL.ExifTags import IFD, Base

from colorize_media.metadata.directories import Entry, Form, form_of

MOST_BYTES = 0xF0000000  # offsets have 32 bits
_MOST_PAGES = 10_000  # a chain of directories that is longer is damaged
_REDUCED_OR_MASK = 1 | 4  # of NewSubfileType
_TILE_OFFSETS, _TILE_BYTE_COUNTS = 324, 325
_CHUNKS = {Base.StripOffsets: Base.StripByteCounts, _TILE_OFFSETS: _TILE_BYTE_COUNTS}  # and where their lengths stand
_NESTED = (IFD.Exif, IFD.GPSInfo, IFD.Interop)
_OLD_JPEG = 6  # of Compression
_CLASSIC_TYPES = {16: (4, "L"), 17: (9, "l"), 18: (13, "L")}  # of BigTIFF's 64-bit types: the one with 32 bits


class Page(NamedTuple):
    """Where one page's directory stands, and where its link to the next one."""

    start: int
    link: int


@dataclass(frozen=True)
class TiffPages:
    """All whole pages of a TIFF or BigTIFF file, without its reduced copies and masks."""

    data: bytes
    form: Form
    pages: tuple[Page, ...]
    left_out: int

    @property
    def order(self) -> str:
        """struct's sign of the order of bytes."""
        return self.form.order

    def alone(self, number: int) -> bytes:
        """The file with only this page (from 0), for a decoder that knows the first one only."""
        page = self.pages[number]
        out = bytearray(self.data)
        struct.pack_into(self.form.offset, out, self.form.first_link, page.start)
        struct.pack_into(self.form.offset, out, page.link, 0)
        return bytes(out)

    def copy(self, number: int, file: BinaryIO, keep: Callable[[int], bool] | None = None) -> tuple[int, int]:
        """Append a page as it is, pixels and tags, to a TIFF file with 32-bit offsets in the same order of bytes.

        Returns where its directory and its link stand.

        ``keep`` says which tags; None is all. Raises ValueError for a page that cannot be copied.
        """
        start = self.pages[number].start
        tags = [entry.tag for entry in self.form.entries_at(self.data, start)[0]]
        dropped = frozenset(tag for tag in tags if keep is not None and not keep(tag)) | {Base.SubIFDs}
        return _Copy(self.data, self.form).directory(start, file, dropped)


def exif_of(data: bytes, drop: Callable[[int], bool]) -> bytes:
    """The tags of the first directory of anything built like a TIFF file, as an EXIF block; without those to ``drop``.

    Raises ValueError where there is none.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    form = form_of(data) or Form(order)  # whatever number stands behind the order: camera raw has its own
    start = form.first(data)
    tags = {entry.tag for entry in form.entries_at(data, start)[0]}
    storage = {Base.SubIFDs, *_CHUNKS, *_CHUNKS.values(), Base.Compression, Base.JpegIFOffset, Base.JpegIFByteCount}
    dropped = frozenset({tag for tag in tags if drop(tag)} | storage)
    out = io.BytesIO()
    out.write((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    place, _ = _Copy(data, form).directory(start, out, dropped)
    return out.getvalue()[:4] + struct.pack(f"{order}L", place) + out.getvalue()[8:]


_Value: TypeAlias = "tuple[int, int, bytes]"  # type, how many, bytes


@dataclass(frozen=True)
class _Copy:
    """Copies directories with all that they point to."""

    data: bytes
    form: Form

    def directory(self, start: int, file: BinaryIO, dropped: frozenset[int]) -> tuple[int, int]:
        """Append one; returns where it stands and where its link does. Raises ValueError."""
        found = [entry for entry in self.form.entries_at(self.data, start)[0] if entry.tag not in dropped]
        values = {entry.tag: self._value(entry) for entry in found}
        if Base.JpegIFOffset in values or self._numbers(values.get(Base.Compression)) == (_OLD_JPEG,):
            raise ValueError("its old kind of JPEG cannot be copied")
        for offsets, lengths in _CHUNKS.items():
            if offsets in values:
                places, sizes = self._numbers(values[offsets]), self._numbers(values.get(lengths))
                values[offsets] = self._offsets(self._pieces(places, sizes, file))
        for nested in _NESTED:
            if nested in values:
                (place,) = self._numbers(values[nested]) or (0,)
                values[nested] = self._offsets([self.directory(place, file, dropped - set(_CHUNKS))[0]])
        order, entries = self.form.order, b""
        for tag, (type_, count, value) in sorted(values.items()):
            if len(value) > 4:
                place = _aligned(file)
                file.write(value)
                value = struct.pack(f"{order}L", place)
            entries += struct.pack(f"{order}HHL", tag, type_, count) + value.ljust(4, b"\0")
        directory = _aligned(file)
        file.write(struct.pack(f"{order}H", len(values)) + entries + bytes(4))
        return directory, directory + 2 + len(entries)

    def _pieces(self, places: tuple[int, ...], sizes: tuple[int, ...], file: BinaryIO) -> list[int]:
        """Append strips or tiles; returns where they stand. Raises ValueError."""
        if len(places) != len(sizes):
            raise ValueError("it does not say how long its pieces are")
        moved = []
        for place, size in zip(places, sizes, strict=True):
            if place + size > len(self.data):
                raise ValueError("its pixels end beyond the file")
            if file.tell() + size > MOST_BYTES:
                raise ValueError("TIFF files cannot exceed 4 GB")
            moved.append(_aligned(file))
            file.write(self.data[place : place + size])
        return moved

    def _value(self, entry: Entry) -> _Value:
        """As a TIFF file with 32-bit offsets holds it. Raises ValueError."""
        value = self.form.value(self.data, entry)
        if entry.type not in _CLASSIC_TYPES:
            return entry.type, entry.number, value
        type_, letter = _CLASSIC_TYPES[entry.type]
        signed = struct.unpack(f"{self.form.order}{entry.number}{'q' if letter == 'l' else 'Q'}", value)
        try:
            return type_, entry.number, struct.pack(f"{self.form.order}{entry.number}{letter}", *signed)
        except struct.error:
            raise ValueError("TIFF files cannot exceed 4 GB") from None

    def _numbers(self, value: _Value | None) -> tuple[int, ...]:
        return () if value is None else self.form.numbers(value[0], value[2])

    def _offsets(self, places: list[int]) -> _Value:
        return 4, len(places), struct.pack(f"{self.form.order}{len(places)}L", *places)


def pages_of(data: bytes) -> TiffPages | None:
    """The pages of a TIFF or BigTIFF file; None for anything else. Raises ValueError for a damaged chain."""
    form = form_of(data)
    if form is None:
        return None
    pages, left_out = [], 0
    seen: set[int] = set()
    start = form.first(data)
    while start:
        if start in seen or len(seen) >= _MOST_PAGES:
            raise ValueError("its chain of pages never ends")
        seen.add(start)
        entries, link = form.entries_at(data, start)
        if link + form.field_bytes > len(data):
            raise ValueError("it ends inside a directory")
        subfile = next((entry for entry in reversed(entries) if entry.tag == Base.NewSubfileType), None)
        if subfile is not None and _small_number(data, form, subfile) & _REDUCED_OR_MASK and seen != {start}:
            left_out += 1
        else:
            pages.append(Page(start, link))
        (start,) = struct.unpack_from(form.offset, data, link)
    return TiffPages(data, form, tuple(pages), left_out)


def _small_number(data: bytes, form: Form, entry: Entry) -> int:
    value: int = struct.unpack_from(f"{form.order}{'H' if entry.type == 3 else 'L'}", data, entry.place)[0]
    return value


def _aligned(file: BinaryIO) -> int:
    """The place where the file goes on, even as TIFF wants it."""
    if file.tell() % 2:
        file.write(b"\0")
    return file.tell()
