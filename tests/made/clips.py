"""Frames in which something moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pan(world: NDArray[Any], frames: int, width: int, step: int = 2) -> list[NDArray[Any]]:
    """What a camera sees that passes along a wide picture: ``frames`` windows of it, ``step`` pixels apart; ``(H, width, …)``.

    ``world`` is at least ``width + step * (frames - 1)`` wide.
    """
    return [np.ascontiguousarray(world[:, step * t : step * t + width]) for t in range(frames)]
