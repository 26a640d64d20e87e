"""The directories of TIFF files and EXIF blocks: the one walk over their entries, strict, and bounded by the data.

A cut or senseless directory is an error and never a shorter one: half a picture must not look like a whole one. Sources:
TIFF 6.0 §2; BigTIFF (Aware Systems), which is the same with 64-bit offsets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}  # types of whole numbers without a sign: struct's letter


class Entry(NamedTuple):
    """One tag of a directory, with ``number`` items of a type.

    ``place`` is where its value field stands, which holds the value or points to it.
    """

    tag: int
    type: int
    number: int
    place: int


@dataclass(frozen=True)
class Form:
    """How a file writes its directories: ``order`` is struct's sign, ``big`` says BigTIFF."""

    order: str
    big: bool = False

    @property
    def offset(self) -> str:
        """struct's letters of an offset."""
        return f"{self.order}Q" if self.big else f"{self.order}L"

    @property
    def first_link(self) -> int:
        """Where the offset of the first directory stands."""
        return 8 if self.big else 4

    @property
    def field_bytes(self) -> int:
        """Of a value field; also of an offset."""
        return 8 if self.big else 4

    def first(self, data: bytes) -> int:
        """The offset of the first directory."""
        start: int = struct.unpack_from(self.offset, data, self.first_link)[0]
        return start

    def entries_at(self, data: bytes | bytearray, start: int) -> tuple[list[Entry], int]:
        """The entries of the directory at ``start``, and where its link to the next one stands.

        Raises ValueError for a directory that is cut; the link is not looked at.
        """
        count_form, entry_form = (
            (f"{self.order}Q", f"{self.order}HHQ") if self.big else (f"{self.order}H", f"{self.order}HHL")
        )
        head, size = struct.calcsize(count_form), struct.calcsize(entry_form)
        try:
            (count,) = struct.unpack_from(count_form, data, start)
            link = start + head + count * (size + self.field_bytes)
            if link > len(data):
                raise ValueError("it ends inside a directory")
            places = range(start + head, link, size + self.field_bytes)
            found = ((at, struct.unpack_from(entry_form, data, at)) for at in places)
            return [Entry(tag, type_, number, at + size) for at, (tag, type_, number) in found], link
        except (struct.error, OverflowError):  # the second of a start beyond all that a machine can count
            raise ValueError("it ends inside a directory") from None

    def value(self, data: bytes, entry: Entry) -> bytes:
        """A tag's value as it is stored. Raises ValueError where it is not in the data or of a type that nobody knows."""
        size, at = _ITEM_BYTES.get(entry.type, 0) * entry.number, entry.place
        if size > self.field_bytes:
            (at,) = struct.unpack_from(self.offset, data, at)
        if entry.type not in _ITEM_BYTES or at + size > len(data):
            raise ValueError("a tag's value is damaged")
        return data[at : at + size]

    def numbers(self, type_: int, value: bytes) -> tuple[int, ...]:
        """The whole numbers without a sign that a value is made of; none for other types."""
        letter = _NUMBERS.get(type_)
        if letter is None:
            return ()
        return struct.unpack(f"{self.order}{len(value) // _ITEM_BYTES[type_]}{letter}", value)


_FORMS = {
    b"II*\0": Form("<"),
    b"MM\0*": Form(">"),
    b"II+\0\x08\0\0\0": Form("<", big=True),
    b"MM\0+\0\x08\0\0": Form(">", big=True),
}


def classic_form(data: bytes) -> Form | None:
    """Of a TIFF file with 32-bit offsets, which an EXIF block is too; None for anything else."""
    return _FORMS.get(bytes(data[:4])) if len(data) >= 8 else None


def form_of(data: bytes) -> Form | None:
    """Of a TIFF or BigTIFF file; None for anything else."""
    return classic_form(data) or (_FORMS.get(data[:8]) if len(data) >= 16 else None)


def tag_bytes(data: bytes, wanted: int) -> bytes:
    """The value of a tag of the first directory as it is stored, whatever type it says; nothing where there is none."""
    try:
        form, entry = _find(data, wanted)
        return form.value(data, entry)
    except ValueError:
        return b""


def tag_numbers(data: bytes, wanted: int) -> tuple[int, ...]:
    """The value of a tag of the first directory as whole numbers without a sign; none where it is something else."""
    try:
        form, entry = _find(data, wanted)
        return form.numbers(entry.type, form.value(data, entry))
    except ValueError:
        return ()


def _find(data: bytes, wanted: int) -> tuple[Form, Entry]:
    form = form_of(data)
    if form is None:
        raise ValueError("no TIFF header")
    for entry in form.entries_at(data, form.first(data))[0]:
        if entry.tag == wanted:
            return form, entry
    raise ValueError("it has no such tag")
