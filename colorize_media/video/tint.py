"""The light of a film's shots (``--keep-tint``): the tone of their frames, averaged so that it does not flicker."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.color.light import TONES
from colorize_media.color.spaces import Matrix
from colorize_media.judge.tone import as_light, tone_curve
from colorize_media.motion.state import State

MEMORY = 48  # frames, two seconds: dye and gate flicker faster, a lamp that is lit within a shot comes up slower
MIXING_MEMORY = 4  # frames, in a dissolve: there the tint does change

JUMP = (
    12.0  # ab units, the mean over all lumas: more is another dye, spliced into one scene; flicker of a quarter has 4
)


class ShotTint:
    """The mean of the shot's frames so far, then of the last `MEMORY`: push, one light for each frame.

    Look-ahead: 0 frames. Memory: one curve, whatever the film's length.
    """

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._mean = np.zeros((TONES, 2), np.float32)
        self._count = 0

    def push(self, picture: NDArray[np.uint8], *, cut: bool, mixing: bool) -> NDArray[np.float32]:
        """The light of the next frame, as `color.light` has it; ``picture (h, w, 3)`` its own R′G′B′."""
        tone = tone_curve(picture, self._matrix)
        another = float(np.hypot(*(tone - self._mean).T).mean()) > JUMP
        self._count = 1 if cut or another else min(self._count + 1, MIXING_MEMORY if mixing else MEMORY)
        self._mean += (tone - self._mean) / np.float32(self._count)
        return as_light(self._mean)

    def state(self) -> dict[str, NDArray[Any]]:
        """The mean, and of how many frames."""
        return {"mean": self._mean.copy(), "count": np.array(self._count)}

    def restore(self, state: State) -> None:
        """Go on from there."""
        self._mean, self._count = state["mean"].copy(), int(state["count"])
