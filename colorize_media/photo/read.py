"""One photograph read out of a file's bytes: the full-resolution luma, upright, with all that the file holds beside it.

The luma is the source's own: a JPEG's Y plane, or the BT.601 luma of R′G′B′ at the file's own depth. What cannot be
carried over is refused (animations, HDR, float) or named in a warning.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.errors import UnsupportedMedia
from colorize_media.files.boxes import is_heic
from colorize_media.files.first_look import size_of_readable, unreadable
from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.metadata.icc import grey_codes_as_srgb, profile_space
from colorize_media.metadata.reading import read_metadata
from colorize_media.metadata.tiff import tiff_orientation
from colorize_media.photo.camera_raw import is_camera_raw, read_camera_raw
from colorize_media.photo.decode import (
    check,
    decode,
    format_name,
    open_picture,
    warnings_about,
)
from colorize_media.photo.heif import read_heif
from colorize_media.photo.picture import Photo
from colorize_media.photo.pixels import Pixels, grey_preview
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.photo.refusals import damaged

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


def decoded(path: Path, data: bytes, max_pixels: int) -> Photo:
    """The photograph that ``data``, the content of ``path``, begins with. Raises as `pages.read_photo`."""
    if is_heic(data):
        name = "HEIC"
        pixels, metadata, warnings = read_heif(path, data, max_pixels)
    elif is_camera_raw(path, data):
        name = "RAW"
        with quiet_decoders():
            pixels, metadata, warnings = read_camera_raw(path, data, max_pixels)
    else:
        name, pixels, metadata, warnings = _read_with_pillow(path, data, max_pixels)
    pixels, metadata = _to_srgb_meaning(path, pixels, metadata, warnings)
    orientation = 1 if pixels.upright else metadata.orientation
    bits = pixels.luma.dtype.itemsize * 8
    return Photo(
        path=path,
        luma=_upright(pixels.luma, orientation),
        spec=YCbCrSpec("bt601", full_range=True, bits=bits),
        alpha=None if pixels.alpha is None else _upright(pixels.alpha, orientation),
        preview=_upright(pixels.preview, orientation),
        metadata=metadata,
        format=name,
        warnings=tuple(warnings),
    )


def _read_with_pillow(path: Path, data: bytes, max_pixels: int) -> tuple[str, Pixels, PhotoMetadata, list[str]]:
    with quiet_decoders() as libtiff_errors, open_picture(path, data) as image:
        name = format_name(image)
        check(path, image, data, max_pixels)
        warnings = warnings_about(path, image, name, data)
        tiff_turn = tiff_orientation(image)
        pixels = decode(path, image, name, data, warnings)
        if libtiff_errors:  # rows that it could not read are white or repeated, and Pillow does not ask
            raise damaged(path, f"libtiff could not read all of it: {libtiff_errors[0]}")
        metadata, more = read_metadata(image, data)
        if name == "TIFF":
            metadata = replace(metadata, orientation=tiff_turn)
        return name, pixels, metadata, [*warnings, *more]


def _to_srgb_meaning(
    path: Path, pixels: Pixels, metadata: PhotoMetadata, warnings: list[str]
) -> tuple[Pixels, PhotoMetadata]:
    """Make the luma mean what it will mean in R′G′B′ outputs, and drop profiles that cannot stand on R′G′B′."""
    space = profile_space(metadata.icc)
    if pixels.converted or not space or space == "RGB":
        return pixels, metadata.without_profile() if pixels.converted else metadata
    if space == "GRAY" and pixels.grey:
        try:
            table = grey_codes_as_srgb(metadata.icc, pixels.luma.dtype.itemsize * 8)
        except ValueError as problem:
            warnings.append(f"the grey profile cannot be used ({problem}) and is not carried over")
        else:
            luma = table[pixels.luma]
            pixels = Pixels(luma, grey_preview(luma), pixels.alpha, grey=True, upright=pixels.upright)
    else:
        warnings.append(f"the {space} profile does not fit the picture's pixels and is not carried over")
    return pixels, metadata.without_profile()


def _upright(plane: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply EXIF orientation 1…8 to (H, W) or (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        plane = np.swapaxes(plane, 0, 1)
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)
