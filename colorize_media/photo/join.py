"""A photograph's own luma joined with colour, strip by strip: integer R′G′B′ whose luma is the source's.

Chroma comes as a function of rows, so that a large photograph needs no plane of it in floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.photo.picture import Photo
from colorize_media.photo.pixels import strips

ChromaRows: TypeAlias = Callable[[int, int], NDArray[Any]]
"""``chroma(top, bottom)`` gives Cb and Cr of these upright rows, ``(bottom − top, W, 2)`` in codes of Photo.spec: whole
ones in the type of Photo.luma, or floating point, which is rounded."""


def rgb_rows(photo: Photo, chroma: ChromaRows, bits: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """(top, R′G′B′ or R′G′B′A ``(n, W, 3 or 4)``) strips in ``bits``; their rounded luma is the source's."""
    dtype = np.uint8 if bits == 8 else np.uint16
    height, width = photo.luma.shape
    for top, bottom in strips(height, width):
        rgb = rgb_of_luma(to_bits(photo.luma[top:bottom], bits), differences_of(photo, chroma, top, bottom), bits)
        if photo.alpha is None:
            yield top, rgb
        else:
            alpha = to_bits(photo.alpha[top:bottom], bits).astype(dtype)
            yield top, np.concatenate((rgb, alpha[..., None]), axis=2)


def to_bits(codes: NDArray[Any], bits: int) -> NDArray[Any]:
    """Full-range codes at another depth, rounded."""
    have = codes.dtype.itemsize * 8
    if have == bits:
        return codes
    if bits == 16:
        return codes.astype(np.uint16) * np.uint16(257)
    return ((codes.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def chroma_codes(photo: Photo, chroma: ChromaRows, top: int, bottom: int) -> NDArray[Any]:
    """Cb and Cr of a strip in codes of ``photo.spec``. Raises ValueError for another shape."""
    codes = np.asarray(chroma(top, bottom))
    expected = (bottom - top, photo.luma.shape[1], 2)
    if codes.shape != expected:
        raise ValueError(f"chroma rows {top} to {bottom} have shape {codes.shape}, not {expected}")
    return codes


def differences_of(photo: Photo, chroma: ChromaRows, top: int, bottom: int) -> NDArray[np.float32]:
    """Cb and Cr of a strip in [−0.5, 0.5]."""
    codes = chroma_codes(photo, chroma, top, bottom).astype(np.float32)
    codes -= photo.spec.chroma_mid
    codes *= np.float32(1 / photo.spec.chroma_scale)
    return codes


def rgb_of_luma(luma: NDArray[Any], differences: NDArray[np.float32], bits: int) -> NDArray[Any]:
    """Integer R′G′B′ ``(n, W, 3)`` whose BT.601 luma, rounded, equals ``luma`` ``(n, W)`` exactly.

    ``differences`` are Cb and Cr in [−0.5, 0.5]. Where the colour leaves the cube, the differences shrink together. Red
    and blue are rounded first and green is chosen last, from the luma that they leave: its rounding error of half a
    code is 0.29 codes of luma, and rounding three channels independently would allow 0.5 and fail.
    """
    largest = (1 << bits) - 1
    y = luma.astype(np.float32 if bits == 8 else np.float64)  # holds 1000 times a code exactly
    cb, cr = cv2.split(differences.astype(y.dtype, copy=False))
    red, blue = cr, cb
    red *= 2 * (1 - 0.299) * largest
    blue *= 2 * (1 - 0.114) * largest
    _shrink_into_cube(y, red, blue, largest)
    for channel in (red, blue):
        channel += y
        np.rint(channel, out=channel)
    # (1000 Y′ − 299 R′ − 114 B′) / 587, of whole numbers: never half way between two codes.
    green: NDArray[Any] = cv2.scaleAdd(y, 1000, cv2.addWeighted(red, -299, blue, -114, 0))
    green /= 587
    np.rint(green, out=green)
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = [np.clip(channel, 0, largest, out=channel).astype(dtype) for channel in (red, green, blue)]
    rgb: NDArray[Any] = cv2.merge(codes)
    return rgb


def float_rgb_of_luma(luma: NDArray[np.float64], differences: NDArray[np.float32]) -> NDArray[np.float64]:
    """R′G′B′ ``(n, W, 3)`` in [0, 1] of ``luma (n, W)`` in [0, 1], whose BT.601 luma it has but for rounding.

    ``differences`` as for `rgb_of_luma`; where the colour leaves the cube, they shrink together.
    """
    cb, cr = cv2.split(differences.astype(np.float64))
    red, blue = cr * (2 * (1 - 0.299)), cb * (2 * (1 - 0.114))
    _shrink_into_cube(luma, red, blue, 1)
    red += luma
    blue += luma
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    rgb: NDArray[np.float64] = np.clip(cv2.merge([red, green, blue]), 0.0, 1.0)
    return rgb


def _shrink_into_cube(y: NDArray[Any], red: NDArray[Any], blue: NDArray[Any], largest: int) -> None:
    """Shrink R′ − Y′ and B′ − Y′ together, in place, where a channel would leave 0 … ``largest``: few pixels do."""
    green = cv2.addWeighted(red, -0.299 / 0.587, blue, -0.114 / 0.587, 0)
    least, most = np.minimum(red, blue), np.maximum(red, blue)
    np.minimum(least, green, out=least)
    np.maximum(most, green, out=most)
    outside = np.flatnonzero((least < -y) | (most > largest - y))
    room, least, most = (np.take(plane, outside) for plane in (y, least, most))
    share = np.minimum(room / np.maximum(-least, 1e-9), (largest - room) / np.maximum(most, 1e-9))
    np.minimum(share, 1.0, out=share)
    for channel in (red, blue):
        channel.reshape(-1)[outside] *= share
