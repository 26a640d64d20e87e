"""Anchors: what a shot's colours were, held over hundreds of frames and brought back when the shot returns.

An average over a second does not stop colours from creeping, and forgets them at every cut. So a second, slow average
runs along the motion; its error grows with every warp, but only in fine detail, so it decides the *coarse* colours
alone and the detail stays the frame's own. At a cut the shot's last frame is put aside with its slow average. When a
frame after a later cut looks like one put aside, the motion between the two carries those colours over, wherever luma
agrees: a return in a dialogue goes on where it was, and so does a shot interrupted by a flash.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.motion.averaging import AB, Sums, accumulate
from colorize_media.motion.flow import Motion, SmallLuma, motion_back
from colorize_media.motion.shots import tiny, unlikeness
from colorize_media.motion.state import State

MEMORY = 0.995  # of the slow average: two hundred frames
COARSE = 3.0  # cells of the ab grid, the Gaussian that parts coarse colour from detail

REMEMBERED = 16  # shots; a scene rarely has more set-ups
MOST_UNLIKENESS = 0.2  # of a returning shot's frame to the one put aside; cuts between different shots begin at 0.33
LEAST_COVERAGE = 0.5  # of the frame that the motion to the one put aside must explain

_TRUST = 0.05  # where less than this share of the surroundings has a past, the correction fades


@dataclass(frozen=True, eq=False)
class PastShot:
    """A shot's last frame: ``tiny (36, 64)``, ``luma (h, w)`` uint8 and the slow average ``sums (h, w, 3)``."""

    tiny: NDArray[np.float32]
    luma: SmallLuma
    sums: Sums


class Anchors:
    """The slow average of the running shot and the shots put aside, oldest forgotten first.

    Look-ahead: 0 frames. Memory: for each of at most ``remembered`` shots 13 bytes a cell of the ab grid and a
    tiny picture, 1.6 MB in all for 16 of them at 64×114, whatever the film's length.
    """

    def __init__(self, memory: float = MEMORY, remembered: int = REMEMBERED) -> None:
        self._memory = memory
        self._past: deque[PastShot] = deque(maxlen=remembered)
        self._sums: Sums | None = None
        self._luma: SmallLuma | None = None

    def forget(self) -> None:
        """Forget everything, as before the first frame."""
        self._past.clear()
        self._sums = self._luma = None

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next frame could need, as arrays by name, for `restore` in another process too.

        The past shots, and the running one without a number.
        """
        state: dict[str, NDArray[Any]] = {}
        for index, shot in enumerate(self._past):
            state |= {f"luma{index}": shot.luma, f"sums{index}": shot.sums}
        if self._luma is not None and self._sums is not None:
            state |= {"luma": self._luma, "sums": self._sums}
        return state

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self.forget()
        while (name := f"sums{len(self._past)}") in state:
            self._remember(state[f"luma{len(self._past)}"], state[name])
        self._luma, self._sums = state.get("luma"), state.get("sums")

    def apply(self, ab: AB, luma: SmallLuma, motion: Motion | None) -> AB:
        """The next frame's colours ``ab (h, w, 2)`` with the shot's coarse colours.

        ``luma (h, w)`` uint8 is on the same grid, ``motion`` leads to the frame before; None begins a shot.
        """
        if motion is None:
            self._put_aside()
            before, motion = self._recall(luma)
        else:
            before = self._sums
        sums = accumulate(ab, before, motion, self._memory, sharp=False)
        self._sums, self._luma = sums, luma
        return ab + _coarse_correction(ab, sums)

    def _put_aside(self) -> None:
        if self._luma is not None and self._sums is not None:
            self._remember(self._luma, self._sums)
        self._sums = self._luma = None

    def _remember(self, luma: SmallLuma, sums: Sums) -> None:
        self._past.append(PastShot(tiny(luma), luma, sums))

    def _recall(self, luma: SmallLuma) -> tuple[Sums | None, Motion | None]:
        """The slow average of a past shot that this frame continues, and the motion to it; it is taken out of the past."""
        now = tiny(luma)
        alike = [(unlikeness(now, shot.tiny), shot) for shot in self._past if shot.luma.shape == luma.shape]
        least, shot = min(alike, key=lambda pair: pair[0], default=(np.inf, None))
        if shot is None or least > MOST_UNLIKENESS:
            return None, None
        motion = motion_back(luma, shot.luma)
        if motion.visibility.mean() < LEAST_COVERAGE:
            return None, None
        self._past.remove(shot)
        return shot.sums, motion


def _coarse_correction(ab: AB, sums: Sums) -> AB:
    """What the slow average would change in ``ab``, coarsely, ``(h, w, 2)``.

    A pixel without a past (a speck of dust, a thing just uncovered) gets the correction of its surroundings: the
    Gaussian mean is weighted with the share of the past in each pixel's average.
    """
    past = 1.0 - 1.0 / sums[..., 2]
    most = float(past.max())
    if most < 1e-3:
        return np.zeros_like(ab)
    difference: NDArray[Any] = sums[..., :2] / sums[..., 2:] - ab
    coarse: NDArray[Any] = cv2.GaussianBlur(difference, (0, 0), COARSE)
    share: NDArray[Any] = cv2.GaussianBlur(past * np.float32(1.0 / most), (0, 0), COARSE)
    coarse *= (np.float32(1.0 + _TRUST) / (share + np.float32(_TRUST)))[..., None]
    return coarse
