"""What an array must be to be a picture, said in words where it is none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.errors import BadPicture

KINDS = "uint8, uint16, float16, float32 and float64"
_SHAPES = "(H, W) or (H, W, 3), a batch of them (N, H, W) or (N, H, W, 3)"
_TYPES = frozenset(["u1", "u2", "f2", "f4", "f8"])


def checked(array: NDArray[Any], max_pixels: int) -> tuple[NDArray[Any], bool]:
    """The array as a batch ``(N, H, W)`` or ``(N, H, W, 3)`` in the machine's byte order, and whether it was one already.

    Three axes of which the last is 3 long are one picture in colour. Raises BadPicture.
    """
    if array.dtype.str[1:] not in _TYPES:
        raise BadPicture(
            "an array of this type is no picture", why=f"it is of {array.dtype}, not one of {KINDS}", hint=_cast(array)
        )
    if array.size == 0:
        raise BadPicture("the array is empty", why=f"its shape is {array.shape}", hint="give a picture with pixels")
    in_color = array.ndim in (3, 4) and array.shape[-1] == 3
    if array.ndim not in (2, 3, 4) or (array.ndim == 4 and not in_color) or (array.ndim == 3 and _has_channels(array)):
        raise BadPicture(
            "an array of this shape is no picture",
            why=f"its shape is {array.shape}, not {_SHAPES}",
            hint=_reshape(array),
        )
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise BadPicture(
            "a masked array is no picture", why="some pixels have no value", hint="fill them: array.filled(0)"
        )
    is_batch = array.ndim == (4 if in_color else 3)
    height, width = array.shape[-3:-1] if in_color else array.shape[-2:]
    if height * width > max_pixels:
        raise BadPicture(
            "the picture is too large",
            why=f"{width}×{height} are {height * width:,} pixels, and the limit is {max_pixels:,}",
            hint="raise ColorizeOptions.max_pixels, if that is wanted",
        )
    pictures = np.asarray(array, array.dtype.newbyteorder("="))
    if array.dtype.kind == "f":
        _check_values(pictures)
    return (pictures if is_batch else pictures[None]), is_batch


def _check_values(pictures: NDArray[Any]) -> None:
    low, high = pictures.min(), pictures.max()
    if np.isnan(low) or np.isnan(high):
        raise BadPicture(
            "not every pixel is a number", why="some are NaN", hint="np.nan_to_num(picture) makes them black"
        )
    if low < 0 or high > 1:
        raise BadPicture(
            "floating point pictures go from 0 to 1",
            why=f"the values go from {low:g} to {high:g}",
            hint="scale them (picture / 255), or np.clip(picture, 0, 1)",
        )


def _has_channels(array: NDArray[Any]) -> bool:
    """Whether three axes end in so few columns that they are channels: grey, or with transparency."""
    return array.shape[-1] in (1, 2, 4)


def _cast(array: NDArray[Any]) -> str:
    if array.dtype == bool:
        return "no colour can stand on black and white alone; give greys"
    return "picture.astype(np.uint8) if its values go from 0 to 255"


def _reshape(array: NDArray[Any]) -> str:
    if array.ndim in (3, 4) and array.shape[-1] in (2, 4):
        return "leave the transparency out: picture[..., :3] or picture[..., 0]"
    if array.ndim in (3, 4) and array.shape[-1] == 1:
        return "leave the last axis out: picture[..., 0]"
    return "channels come last: np.moveaxis(picture, 1, -1) of (N, 3, H, W)"
