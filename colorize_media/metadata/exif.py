"""EXIF: a TIFF structure, read and edited byte by byte and never written anew, so offsets inside maker notes stay true.

Sources: EXIF 2.32 (JEITA CP-3451E), TIFF 6.0.
"""

from __future__ import annotations

import struct

from PIL.ExifTags import IFD, Base

from colorize_media.metadata.directories import Entry, Form, classic_form

EXIF_HEAD = b"Exif\0\0"  # in front of it in JPEG and in what Pillow hands out
ORIENTATION, EXIF_IFD, GPS_IFD = Base.Orientation, IFD.Exif, IFD.GPSInfo
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = Base.JpegIFOffset, Base.JpegIFByteCount


def exif_orientation(exif: bytes) -> int:
    """Orientation 1…8 of a TIFF structure, 1 where it says nothing. Raises ValueError for a damaged structure."""
    order, entries, _ = _first_directory(exif)
    value = _number(exif, order, entries.get(ORIENTATION))
    return value if value is not None and 1 <= value <= 8 else 1


def first_directory_has(tiff: bytes, tag: int) -> bool:
    """Whether the first directory of a TIFF structure has a tag; False for a damaged one."""
    try:
        return tag in _first_directory(tiff)[1]
    except ValueError:
        return False


def upright_exif(exif: bytes, size: tuple[int, int], thumbnail: bytes = b"") -> bytes:
    """The same block with Orientation 1, sizes set to ``size`` (width, height) where given, and the thumbnail replaced.

    Only these bytes change and none moves, so maker notes with absolute offsets stay readable. A thumbnail at the
    block's end (where cameras put it) is cut off, elsewhere it is blanked; the new one, a JPEG, goes to the end. Without
    one, or for an uncompressed thumbnail, its directory is unlinked. Raises ValueError for a damaged structure.
    """
    order, entries, link = _first_directory(exif)
    out = bytearray(exif)
    width, height = size
    _set_number(out, order, entries.get(ORIENTATION), 1)
    _set_number(out, order, entries.get(Base.ImageWidth), width)
    _set_number(out, order, entries.get(Base.ImageLength), height)
    try:
        nested, _ = _entries_at(exif, order, _number(exif, order, entries.get(EXIF_IFD)) or len(exif))
    except ValueError:
        nested = {}  # none, or a damaged one: its bytes are kept as they are
    _set_number(out, order, nested.get(Base.ExifImageWidth), width)
    _set_number(out, order, nested.get(Base.ExifImageHeight), height)
    if link + 4 <= len(out):
        (second,) = struct.unpack_from(order + "L", out, link)
        if second and not _replace_thumbnail(out, order, second, thumbnail):
            struct.pack_into(order + "L", out, link, 0)
    return bytes(out)


def links_to_thumbnail(exif: bytes) -> bool:
    """Whether there is a second directory, which is the thumbnail's; False for a damaged structure."""
    try:
        order, _, link = _first_directory(exif)
    except ValueError:
        return False
    return link + 4 <= len(exif) and bool(struct.unpack_from(order + "L", exif, link)[0])


def has_orientation(exif: bytes) -> bool:
    return bool(exif) and ORIENTATION in _first_directory(exif)[1]


def _first_directory(exif: bytes) -> tuple[str, dict[int, Entry], int]:
    """The order of bytes, the entries by tag, and where the link to the next directory stands."""
    form = classic_form(exif)
    if form is None:
        raise ValueError("no TIFF header")
    return (form.order, *_entries_at(exif, form.order, form.first(exif)))


def _entries_at(exif: bytes | bytearray, order: str, start: int) -> tuple[dict[int, Entry], int]:
    entries, link = Form(order).entries_at(exif, start)
    return {entry.tag: entry for entry in reversed(entries)}, link  # the first of equal ones counts


def _number(exif: bytes | bytearray, order: str, entry: Entry | None) -> int | None:
    if entry is None or entry.number != 1 or entry.type not in (3, 4):
        return None
    value: int = struct.unpack_from(order + ("H" if entry.type == 3 else "L"), exif, entry.place)[0]
    return value


def _set_number(exif: bytearray, order: str, entry: Entry | None, value: int) -> None:
    if entry is not None and entry.number == 1 and entry.type in (3, 4) and not (entry.type == 3 and value > 0xFFFF):
        struct.pack_into(order + ("H" if entry.type == 3 else "L"), exif, entry.place, value)


def _replace_thumbnail(exif: bytearray, order: str, directory: int, thumbnail: bytes) -> bool:
    """Whether the new thumbnail stands in the place of the old one; if not, there is none any more."""
    try:
        entries, _ = _entries_at(exif, order, directory)
    except ValueError:
        return False
    start = _number(exif, order, entries.get(_THUMBNAIL_OFFSET))
    length = _number(exif, order, entries.get(_THUMBNAIL_LENGTH))
    if not start or not length or start + length > len(exif):
        return False
    padding = 4  # bytes that writers leave after the last value
    if start + length + padding >= len(exif):
        del exif[start:]
    else:
        exif[start : start + length] = bytes(length)
    places = (entries[_THUMBNAIL_OFFSET], entries[_THUMBNAIL_LENGTH])
    if (
        not thumbnail
        or any(entry.type != 4 for entry in places)
        or max(entry.place for entry in places) + 4 > len(exif)
    ):
        return False
    exif += b"\0" * (len(exif) % 2)
    _set_number(exif, order, places[0], len(exif))
    _set_number(exif, order, places[1], len(thumbnail))
    _set_number(exif, order, entries.get(ORIENTATION), 1)
    exif += thumbnail
    return True
