"""CIELAB of a small picture: `spaces.rgb_to_lab` in OpenCV's arithmetic, several times as fast on one core."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.spaces import EPSILON, KAPPA_SLOPE, OFFSET, WHITE, XYZ_FROM_RGB, srgb_to_linear

_SHARES = np.array(XYZ_FROM_RGB) / np.array(WHITE)[:, None]  # linear RGB to XYZ in shares of white
_JOIN = np.array([[0, 116, 0, -16], [500, -500, 0, 0], [0, 200, -200, 0]], np.float32)  # their roots to Lab


def lab_of_picture(picture: NDArray[Any]) -> NDArray[np.float32]:
    """Lab ``(h, w, 3)`` float32 of R′G′B′ ``(h, w, 3)``, uint8 codes or float32 in [0, 1]; within 0.01 of `rgb_to_lab`."""
    linear: NDArray[Any]
    if picture.dtype == np.uint8:
        linear = cv2.LUT(picture, _linear_of_codes())
    else:
        linear = cv2.pow((picture + np.float32(0.055)) * np.float32(1 / 1.055), 2.4)
        np.copyto(linear, picture * np.float32(1 / 12.92), where=picture <= 0.04045)
    ratio: NDArray[Any] = cv2.transform(linear, _SHARES.astype(np.float32))
    root: NDArray[Any] = cv2.pow(ratio, 1 / 3)
    if (dark := ratio <= EPSILON).any():
        np.copyto(root, ratio * np.float32(KAPPA_SLOPE) + np.float32(OFFSET), where=dark)
    lab: NDArray[Any] = cv2.transform(root, _JOIN)
    return lab.astype(np.float32, copy=False)


@cache
def _linear_of_codes() -> NDArray[np.float32]:
    table: NDArray[np.float32] = srgb_to_linear(torch.arange(256) / 255.0).numpy()
    return table
