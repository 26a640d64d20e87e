"""Arrays coloured in memory, by the steps that a photograph's file takes but for reading and writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.events import Skipped
from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import PreparedPhoto, chroma_rows, photo_colors, prepare_decoded
from colorize_media.photo.join import ChromaRows, differences_of, float_rgb_of_luma, rgb_rows
from colorize_media.photo.picture import Photo
from colorize_media.photo.pixels import planes_of_samples, strips

Progress = Callable[[int, "int | None"], None]
"""``progress(done, total)``: pictures, or a film's frames; ``total`` is None where a film does not say."""

MOST_AT_ONCE = 16  # pictures: what is kept of each until the network has seen all is a copy of its luma
_WEIGHTS = (0.299, 0.587, 0.114)  # of BT.601's luma, which a file's pictures keep, too


def color_arrays(
    pictures: NDArray[Any],
    options: ColorizeOptions,
    get_colorizer: Callable[[], Colorizer],
    progress: Progress,
    tell: Callable[[str], None],
) -> NDArray[Any]:
    """Of ``(N, H, W)`` or ``(N, H, W, 3)``, checked, R′G′B′ ``(N, H, W, 3)`` of the same type.

    ``tell`` is told what is left as it is: what is in colour already, or black and white alone.
    """
    count = len(pictures)
    colored = np.empty((*pictures.shape[:3], 3), pictures.dtype)
    for start in range(0, count, MOST_AT_ONCE):
        some = range(start, min(start + MOST_AT_ONCE, count))
        prepared: dict[int, PreparedPhoto] = {}
        for place in some:
            found = prepare_decoded(_photo_of(pictures[place]), options)
            name = "the picture" if count == 1 else f"picture {place}"
            if isinstance(found, Skipped):
                tell(f"{name} is returned as it is: {found.reason}")
                colored[place] = pictures[place] if pictures.ndim == 4 else pictures[place][..., None]
            else:
                prepared[place] = found
                for message in found.warnings:
                    tell(f"{name}: {message}")
        if prepared:
            colors = photo_colors(list(prepared.values()), get_colorizer(), options)
            for place, ab in zip(prepared, colors, strict=True):
                chroma = chroma_rows(prepared[place].photo, ab, keep_tint=options.keep_tint)
                _join(prepared[place].photo, chroma, pictures[place], colored[place])
        progress(some.stop, count)
    return colored


def _photo_of(picture: NDArray[Any]) -> Photo:
    """A picture as if it had been read. In floating point its luma here is 16-bit codes, for judge, network and chroma."""
    samples = picture if picture.ndim == 3 else picture[..., None]
    if samples.dtype.kind == "f":
        samples = np.rint(np.multiply(samples, 65535, dtype=np.float64)).astype(np.uint16)
    pixels = planes_of_samples(samples)
    spec = YCbCrSpec("bt601", full_range=True, bits=8 * samples.dtype.itemsize)
    return Photo(Path(), pixels.luma, spec, None, pixels.preview, PhotoMetadata(), "array")


def _join(photo: Photo, chroma: ChromaRows, picture: NDArray[Any], colored: NDArray[Any]) -> None:
    """Into ``colored (H, W, 3)`` the picture's own luma with this chroma."""
    if picture.dtype.kind != "f":
        for top, rgb in rgb_rows(photo, chroma, photo.spec.bits):
            colored[top : top + len(rgb)] = rgb
        return
    for top, bottom in strips(*picture.shape[:2]):
        rows = picture[top:bottom].astype(np.float64)
        luma = rows if rows.ndim == 2 else rows @ np.array(_WEIGHTS)
        colored[top:bottom] = float_rgb_of_luma(luma, differences_of(photo, chroma, top, bottom))
