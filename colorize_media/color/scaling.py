"""Sizes, planes averaged down, and products of matrices that stay on one thread."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Multiplications. Products of larger matrices OpenBLAS shares out among threads, and waits for them: on cores that decode,
# encode and run the network meanwhile that takes several times as long.
_ON_ONE_THREAD = 1 << 18


def small_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) at this short side, in pixels; its own where that is no longer."""
    scale = min(1.0, short_side / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def averaged_down(plane: NDArray[Any], size: tuple[int, int], *, at_once: int = _ON_ONE_THREAD) -> NDArray[Any]:
    """``plane (H, W)`` or ``(H, W, C)`` at a smaller ``size`` (width, height): each code the mean of its area, rounded.

    As OpenCV's INTER_AREA, which averages whole planes as slowly as a JPEG is decoded. Here rows are averaged first, by
    matrices: what is left for OpenCV has few rows. ``at_once`` multiplications are done in one product.
    """
    width, height = size
    step = plane.shape[0] / height  # rows of the plane for one of the result
    together = max(1, int((at_once / (step * plane[0].size)) ** 0.5))
    rows = np.empty((height, *plane.shape[1:]), np.float32)
    for first in range(0, height, together):
        upper = np.arange(first, min(first + together, height)) * step
        top, bottom = int(upper[0]), min(int(np.ceil(upper[-1] + step)), plane.shape[0])
        source = np.arange(top, bottom)
        shared = np.minimum(upper[:, None] + step, source + 1) - np.maximum(upper[:, None], source)
        weights = (shared.clip(0.0) / step).astype(np.float32)
        strip = plane[top:bottom].reshape(bottom - top, -1).astype(np.float32)
        np.matmul(weights, strip, out=rows[first : first + together].reshape(len(upper), -1))
    small: NDArray[Any] = cv2.resize(rows, (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(small, out=small).astype(plane.dtype)


def product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """``left @ right``, in blocks of columns that stay on one thread."""
    result = np.empty((len(left), right.shape[1]), np.float32)
    together = max(1, _ON_ONE_THREAD // left.size)
    for first in range(0, right.shape[1], together):
        some = slice(first, first + together)
        np.matmul(left, right[:, some], out=result[:, some])
    return result
