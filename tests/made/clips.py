"""Frames in which something moves."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data


def pan(world: NDArray[Any], frames: int, width: int, step: int = 2) -> list[NDArray[Any]]:
    """What a camera sees that passes along a wide picture: ``frames`` windows of it, ``step`` pixels apart; ``(H, width, …)``.

    ``world`` is at least ``width + step * (frames - 1)`` wide.
    """
    return [np.ascontiguousarray(world[:, step * t : step * t + width]) for t in range(frames)]


Picture = NDArray[np.uint8]
SIZE = (192, 128)


def drifting(picture: Picture, count: int) -> list[Picture]:
    """``count`` frames of 128 × 192 drifting over a picture."""
    width, height = SIZE
    wide = cv2.resize(picture, (width + 2 * count, height), interpolation=cv2.INTER_AREA)
    return pan(wide, count, width)


def people(count: int) -> list[Picture]:
    return drifting(data.astronaut(), count)


def cup(count: int) -> list[Picture]:
    return drifting(data.coffee(), count)


def grey(count: int) -> list[Picture]:
    return [np.repeat(frame[..., None], 3, axis=2) for frame in drifting(data.camera(), count)]


def sepia(count: int) -> list[Picture]:
    return [
        np.clip(frame * [1.0, 0.88, 0.7] + [8, 4, 0], 0, 255).astype(np.uint8)
        for frame in drifting(np.repeat(data.camera()[::-1, :, None], 3, axis=2), count)
    ]


def chroma_noise(frames: list[Picture], sigma: float = 9.0) -> list[Picture]:
    """The frames as a worn tape shows them: long, low specks of colour, other ones in each frame."""
    chance, out = np.random.default_rng(5), []
    for frame in frames:
        noise = cv2.GaussianBlur(
            chance.normal(0, 1, (*frame.shape[:2], 2)), (0, 0), sigmaX=frame.shape[1] / 60, sigmaY=1
        )
        codes = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb).astype(np.float32)
        codes[..., 1:] += sigma * noise / noise.std()
        out.append(cv2.cvtColor(np.clip(codes, 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2RGB))
    return out
