"""A film's colours without noise, which has no mean over time: worn tapes, rainbows of composite video, grain in three dyes.

How strong the noise is, neighbouring frames say: what changes from one to the next over half of the picture is noise, for
what moves is seldom that much and moves little. What of the mean's colours lies so near its tone that noise can have left
it is taken for that tone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.scaling import small_size

SIDE = 128  # pixels, short side of the mean at most: a subtitle is still a line of strokes
FEWEST = 4  # frames: fewer have a mean that is mostly noise
LEFT = 2.0  # times the noise that the mean has left; 2 % of white noise exceed it
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def mean_over_time(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The mean of neighbouring frames of one shot, all ``(h, w, 3)`` R′G′B′ of one size, without what noise leaves in it.

    The short side is at most `SIDE`. Fewer than `FEWEST` frames give their plain mean.
    """
    height, width = frames[0].shape[:2]
    size = small_size(width, height, SIDE)
    small: NDArray[Any] = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]).astype(
        np.float32
    )
    grey = (small @ _LUMA)[..., None]
    own = small - grey  # (n, h, w, 3)
    color = own.mean(axis=0)
    if len(frames) >= FEWEST:
        steps = np.diff(own, axis=0)
        noise = float(np.median((steps * steps).sum(axis=-1).mean(axis=0))) / 2  # variance of one frame's colour
        tone = _tone(grey.mean(axis=0), color)
        rest = color - tone
        strength = np.maximum((rest * rest).sum(axis=-1, keepdims=True), 1e-6)
        color = tone + rest * np.clip(1.0 - LEFT**2 * noise / len(frames) / strength, 0.0, 1.0)
    return np.clip(np.rint(grey.mean(axis=0) + color), 0, 255).astype(np.uint8)


def _tone(grey: NDArray[np.float32], color: NDArray[np.float32]) -> NDArray[np.float32]:
    """What of the colours ``(h, w, 3)`` goes with the grey ``(h, w, 1)``, as a parabola: a film's tone."""
    light = grey.ravel() / 128.0 - 1.0
    terms = np.stack([np.ones_like(light), light, light**2], axis=1)
    fit: NDArray[np.float32] = np.linalg.lstsq(terms, color.reshape(-1, 3), rcond=None)[0]
    return (terms @ fit).reshape(color.shape)
