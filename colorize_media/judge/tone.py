"""The tone of a picture: the colour that its tint (sepia, cyanotype, a film's dye) has at each lightness."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.light import curve_through
from colorize_media.color.scaling import small_size
from colorize_media.color.spaces import Matrix, luma_of_rgb, rgb_to_lab
from colorize_media.judge.monochrome import NEUTRAL_CHROMA, SIDE, layer_medians


def tone_curve(picture: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.float32]:
    """ab at each luma, as `color.light` has it, of a picture ``(h, w, 3)`` R′G′B′: medians, so spots decide nothing."""
    height, width = picture.shape[:2]
    size = small_size(width, height, SIDE)
    small = cv2.resize(picture.astype(np.float32) / 255.0, size, interpolation=cv2.INTER_AREA)
    rgb = torch.from_numpy(small).permute(2, 0, 1)
    luma = luma_of_rgb(rgb, matrix).flatten().numpy()
    lumas, *ab = layer_medians(luma, rgb_to_lab(rgb)[1:].flatten(1).T.contiguous().numpy())
    return curve_through(lumas, np.stack(ab, axis=-1))


def as_light(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """The curve as far as it is a tint: none of what grey pictures have by their scanner's cast, all from twice that on."""
    chroma = float(np.hypot(curve[:, 0], curve[:, 1]).max())
    return curve * np.float32(np.clip(chroma / NEUTRAL_CHROMA - 1.0, 0.0, 1.0))
