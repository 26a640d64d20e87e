"""One photograph read out of a file's bytes: the full-resolution luma, upright, with all that the file holds beside it.

The luma is the source's own: a JPEG's Y plane, or the BT.601 luma of R′G′B′ at the file's own depth. What cannot be
carried over is refused (animations, HDR, float) or named in a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.errors import UnsupportedMedia
from colorize_media.files.boxes import is_heic
from colorize_media.files.first_look import size_of_readable, unreadable
from colorize_media.metadata.icc import grey_codes_as_srgb, profile_space
from colorize_media.metadata.reading import read_metadata
from colorize_media.photo.camera_raw import is_camera_raw, read_camera_raw
from colorize_media.photo.decode import decode
from colorize_media.photo.ffmpeg_stills import is_ffmpegs_still, read_ffmpegs_still
from colorize_media.photo.header import open_picture, read_header
from colorize_media.photo.heif import read_heif
from colorize_media.photo.picture import Content, Photo
from colorize_media.photo.pixels import grey_preview
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.photo.refusals import damaged
from colorize_media.photo.tiff import is_uncommon_tiff, read_tiff

_BYTES_PER_PIXEL = 8  # 16-bit RGBA, uncompressed; no file of max_pixels needs to be larger, so no larger one is read
_SPARE_BYTES = 64 << 20  # metadata, and small max_pixels


def read_file(path: Path, max_pixels: int) -> bytes:
    """All bytes of a file that can be a picture of so many pixels. Raises as `pages.read_photo`."""
    max_bytes = max_pixels * _BYTES_PER_PIXEL + _SPARE_BYTES
    size = size_of_readable(path)
    if size > max_bytes:
        raise UnsupportedMedia(
            "the file is too large for a photograph",
            path=path,
            why=f"{size} bytes, and no picture within the pixel limit needs more than {max_bytes}",
            hint="raise --max-pixels if this really is one picture",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def photo_of(path: Path, data: bytes, max_pixels: int) -> Photo:
    """The photograph that ``data``, the content of ``path``, begins with. Raises as `pages.read_photo`."""
    read = next(reader.read for reader in READERS if reader.opens(path, data))
    content = _in_srgb_terms(read(path, data, max_pixels))
    pixels, metadata = content.decoded.pixels, content.metadata
    orientation = 1 if content.decoded.upright else metadata.orientation
    return Photo(
        path=path,
        luma=_upright(pixels.luma, orientation),
        spec=YCbCrSpec("bt601", full_range=True, bits=pixels.luma.dtype.itemsize * 8),
        alpha=None if pixels.alpha is None else _upright(pixels.alpha, orientation),
        preview=_upright(pixels.preview, orientation),
        metadata=metadata,
        format=content.format,
        warnings=content.warnings,
        extras=None if pixels.extras is None else _upright(pixels.extras, orientation),
    )


def _read_with_pillow(path: Path, data: bytes, max_pixels: int) -> Content:
    with quiet_decoders() as libtiff_errors, open_picture(path, data) as image:
        header = read_header(path, image, data, max_pixels)
        decoded = decode(header, image)
        if libtiff_errors:  # rows that it could not read are white or repeated, and Pillow does not ask
            raise damaged(path, f"libtiff could not read all of it: {libtiff_errors[0]}")
        metadata, more = read_metadata(image, data)
        if header.is_turned_when_loaded:  # and forgets by how much
            metadata = replace(metadata, orientation=header.orientation)
        return Content(header.format, decoded, metadata, (*header.warnings, *decoded.warnings, *more))


class Reader(NamedTuple):
    """A library that reads whole files, pixels and metadata, of the kinds that it ``opens``."""

    opens: Callable[[Path, bytes], bool]
    read: Callable[[Path, bytes, int], Content]


# The first one that opens a file reads it. What Pillow opens has a table of its own, in decode.py.
READERS = (
    Reader(lambda path, data: is_heic(data), read_heif),
    Reader(is_camera_raw, read_camera_raw),
    Reader(is_uncommon_tiff, read_tiff),
    Reader(is_ffmpegs_still, read_ffmpegs_still),
    Reader(lambda path, data: True, _read_with_pillow),
)


def is_for_pillow(path: Path, data: bytes) -> bool:
    """Whether no other library reads the file."""
    return next(reader for reader in READERS if reader.opens(path, data)) is READERS[-1]


def _in_srgb_terms(content: Content) -> Content:
    """Make the luma mean what it will mean in R′G′B′ outputs, and drop profiles that cannot stand on R′G′B′."""
    decoded, metadata, pixels = content.decoded, content.metadata, content.decoded.pixels
    space = profile_space(metadata.icc)
    if decoded.converted:
        return replace(content, metadata=metadata.without_profile())
    if space in ("", "RGB"):
        return content
    warnings = content.warnings
    if space == "GRAY" and pixels.grey:
        try:
            luma = grey_codes_as_srgb(metadata.icc, pixels.luma.dtype.itemsize * 8)[pixels.luma]
        except ValueError as problem:
            warnings += (f"the grey profile cannot be used ({problem}) and is not carried over",)
        else:
            decoded = replace(decoded, pixels=replace(pixels, luma=luma, preview=grey_preview(luma)))
    else:
        warnings += (f"the {space} profile does not fit the picture's pixels and is not carried over",)
    return Content(content.format, decoded, metadata.without_profile(), warnings)


def _upright(plane: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply EXIF orientation 1…8 to (H, W) or (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        plane = np.swapaxes(plane, 0, 1)
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)
