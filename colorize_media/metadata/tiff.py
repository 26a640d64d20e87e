"""Where a TIFF file keeps metadata: in tags of a page's directory, beside those that describe the storage of its pixels.

Source: TIFF 6.0, its supplements, XMP part 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any, Literal

from PIL import Image
from PIL.ExifTags import Base

from colorize_media.metadata.carried import PhotoMetadata, as_bytes
from colorize_media.metadata.directories import Form, form_of, tag_bytes, tag_numbers
from colorize_media.metadata.exif import EXIF_HEAD, EXIF_IFD, GPS_IFD, ORIENTATION
from colorize_media.metadata.iptc import IPTC, pack_resource, resource, without_iptc

_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_ICC = (
    Base.XMLPacket,
    Base.IPTCNAA,
    Base.ImageResources,
    Base.InterColorProfile,
)
_LAYERS = 37724  # Photoshop's
_RESOLUTION = (Base.XResolution, Base.YResolution, Base.ResolutionUnit)
# Tags that describe how the pixels are stored (TIFF 6.0, its supplements): they belong to the source's pixels, not to the
# photograph.
STORAGE_TAGS = frozenset(
    {*range(254, 260), *range(262, 267), 273, *range(277, 282), 284, *range(288, 294), 301, *range(317, 329), 330}
    | {*range(332, 344), 347, *range(512, 522), *range(529, 533), _LAYERS, 50341}
    | {_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_ICC}
)
# What a page needs to look as it does: its storage, orientation, resolution and profile, but no text and no history.
PLAIN_TAGS = (STORAGE_TAGS - {_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _LAYERS}) | {ORIENTATION, *_RESOLUTION}


def tiff_orientation(image: Image.Image) -> int:
    """Orientation of a TIFF that is open but not loaded: Pillow turns it when it loads, and forgets the tag."""
    found = getattr(image, "tag_v2", {}).get(ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def tiff_blocks(image: Image.Image, data: bytes) -> tuple[bytes, bytes, bytes]:
    """EXIF without the storage tags, XMP and Photoshop's resources of a TIFF file."""
    source, kept = image.getexif(), Image.Exif()
    for tag, value in source.items():
        if tag not in STORAGE_TAGS and tag not in (EXIF_IFD, GPS_IFD):
            kept[tag] = value
    for tag in (EXIF_IFD, GPS_IFD):
        nested = source.get_ifd(tag)
        if nested:
            kept.get_ifd(tag).update(nested)
    exif = kept.tobytes().removeprefix(EXIF_HEAD) if len(kept) or kept.get_ifd(EXIF_IFD) else b""
    photoshop = as_bytes(source.get(_TIFF_PHOTOSHOP))
    # Some writers call IPTC's bytes LONG, of which Pillow keeps the first one.
    iptc = tag_bytes(data, _TIFF_IPTC) or as_bytes(source.get(_TIFF_IPTC))
    if iptc and not resource(photoshop, IPTC):
        photoshop += pack_resource(IPTC, b"\0\0", iptc)
    return exif, as_bytes(source.get(_TIFF_XMP)), photoshop


def is_resolution(x: float, y: float) -> bool:
    """Whether these are dots per inch; 1 is a ratio."""
    return all(math.isfinite(value) and 2.0 <= value <= 100_000.0 for value in (x, y))


def tiff_resolution(data: bytes) -> tuple[float, float] | None:
    """Dots per inch, horizontal and vertical, of a TIFF file's first directory; None where it says none."""
    form = form_of(data)
    raw = [tag_bytes(data, tag) for tag in (Base.XResolution, Base.YResolution)]
    if form is None or any(len(value) != 8 for value in raw):
        return None
    (x, x_of), (y, y_of) = (struct.unpack(f"{form.order}LL", value) for value in raw)
    unit = (tag_numbers(data, Base.ResolutionUnit) or (2,))[0]
    if not x_of or not y_of or unit not in (2, 3):
        return None
    per_inch = 1.0 if unit == 2 else 2.54
    found = x / x_of * per_inch, y / y_of * per_inch
    return found if is_resolution(*found) else None


def tiff_directory(
    metadata: PhotoMetadata,
    storage: Mapping[int, Any],
    strip_offsets: tuple[int, ...],
    start: int,
    order: Literal["<", ">"] = "<",
) -> tuple[bytes, int]:
    """A page's directory with ``storage`` tags and metadata, to stand at ``start`` of a TIFF file in struct's ``order``.

    Also returns where in it the link to the next page is.
    """
    directory = Image.Exif()
    if metadata.exif:
        directory.load(EXIF_HEAD + metadata.exif)
        for tag in STORAGE_TAGS & set(directory):
            del directory[tag]
    directory.endian = order
    directory[ORIENTATION] = 1
    if metadata.dpi:
        for tag, value in zip(_RESOLUTION, (*metadata.dpi, 2), strict=True):  # 2: per inch
            directory[tag] = value
    for tag, value in (
        (_TIFF_XMP, metadata.xmp),
        (_TIFF_ICC, metadata.icc),
        (_TIFF_PHOTOSHOP, without_iptc(metadata.photoshop)),
        (_TIFF_IPTC, resource(metadata.photoshop, IPTC)),
        (Base.StripOffsets, strip_offsets),
        *storage.items(),
    ):
        if value:
            directory[tag] = value
    out = bytearray(directory.tobytes(start)[len(EXIF_HEAD) + 8 :])  # without EXIF's and TIFF's head
    # Pillow moves the strip offsets behind the directory, where its own writer puts the pixels; ours are in front.
    entries, link = Form(order).entries_at(out, 0)
    _, _, count, at = next(entry for entry in entries if entry.tag == Base.StripOffsets)
    if count > 1:
        at = struct.unpack_from(f"{order}L", out, at)[0] - start
    struct.pack_into(f"{order}{count}L", out, at, *strip_offsets)
    return bytes(out), link
