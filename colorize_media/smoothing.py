"""Colours that stay steady over time: stages that take ab frame by frame and give it back, averaged along the motion.

A stage is a push / flush object (`Smoother`). What goes in comes out in order, as many as went in, perhaps later: by at
most ``look_ahead`` frames. The caller keeps whatever belongs to a frame (luma, timestamp) in a queue of that length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.flow import Luma, Motion, motion_back, resize_motion, warp
from colorize_media.options import SMOOTHING, Smoothing
from colorize_media.shots import is_followed

AB = NDArray[np.float32]

MEMORY = 0.9  # a of the first filter: how much of the past counts where the motion can be followed, about ten frames
MEMORY_AGAIN = 0.8  # a of the second filter, which runs on the first one's result

# Flow's grid over ab's, each way. Warp error as a share of per-frame output, mean of ten clips with simulated flicker:
# 1 with DIS fine 0.027 in 5 ms a frame, 2 with medium 0.029 in 11 ms, 2 with fast 0.043 in 6 ms. In grain the averaging
# down is the best denoiser there is: 0.10 at 1 against 0.18 at 2.
FLOW_SCALE = 1.0


@dataclass(frozen=True)
class SmoothingInput:
    """One frame's colours and what is needed to follow them.

    ab    ``(h, w, 2)`` float32, as the network decided it for this frame alone
    luma  ``(H, W)`` uint8 picture of the same frame and the same field of view, of any size; from ab's own size on
          nothing is lost (it is averaged down to the flow's grid, which also takes the grain)
    cut   True if a new shot begins with this frame
    """

    ab: AB
    luma: Luma
    cut: bool = False


class Smoother(Protocol):
    """A stage over time. ``push`` takes the next frame, ``flush`` ends the video; both give the frames that are ready.

    After n pushes at least n − ``look_ahead`` frames have come out, in order; after ``flush`` all n have, and the stage
    is as new. What comes out is the caller's own: the stage neither keeps nor changes it.
    """

    @property
    def look_ahead(self) -> int:
        """The most frames that are held back."""
        ...

    def push(self, item: SmoothingInput) -> list[AB]:
        """Take one frame; give the ab ``(h, w, 2)`` float32 of all frames that are now ready."""
        ...

    def flush(self) -> list[AB]:
        """Give the rest, and forget everything."""
        ...


class Off:
    """Each frame alone. Look-ahead: 0 frames. Memory: none."""

    look_ahead = 0

    def push(self, item: SmoothingInput) -> list[AB]:
        """The frame's own ab."""
        _require(item)
        return [item.ab]

    def flush(self) -> list[AB]:
        """Nothing was held back."""
        return []


class RecursiveAverage:
    """One filter with its state: N_t = ab_t + a·v_t·W(N_{t−1}), D_t = 1 + a·v_t·W(D_{t−1}), shown N_t / D_t.

    Memory: three float32 numbers for each cell of the ab grid.
    """

    def __init__(self, memory: float) -> None:
        if not 0.0 <= memory <= 1.0:
            raise ValueError(f"memory must be in [0, 1], not {memory}")
        self._memory = np.float32(memory)
        self._sums: NDArray[np.float32] | None = None  # (h, w, 3): N's a and b, D

    def step(self, ab: AB, motion: Motion | None) -> AB:
        """The next frame's average ``(h, w, 2)``; ``motion`` leads back to the frame before, None starts again."""
        sums = np.empty((*ab.shape[:2], 3), np.float32)
        sums[..., :2] = ab
        sums[..., 2] = 1.0
        if motion is not None and self._sums is not None:
            carried = warp(self._sums, motion.flow)
            carried *= (self._memory * motion.visibility)[..., None]
            sums += carried
        self._sums = sums
        shown: NDArray[Any] = sums[..., :2] / sums[..., 2:]
        return shown


class Fast:
    """Causal motion-compensated averaging, twice: ``memory`` on the decided ab, then ``memory_again`` on the result.

    Both filters share one flow and one visibility, computed once per pair of frames from luma at ``flow_scale`` times
    the ab grid, noise level estimated from the frames. The average starts again at a cut, when the size changes, and
    where less than 35 % of a frame can be followed (`shots.is_followed`).

    Look-ahead: 0 frames; ``push`` gives one frame for each. Memory: one luma picture of the flow's grid and six float32
    numbers for each cell of the ab grid, whatever the video's length.
    """

    look_ahead = 0

    def __init__(
        self, memory: float = MEMORY, memory_again: float = MEMORY_AGAIN, flow_scale: float = FLOW_SCALE
    ) -> None:
        self._filters = (RecursiveAverage(memory), RecursiveAverage(memory_again))
        self._flow_scale = flow_scale
        self._previous: Luma | None = None
        self._grid: tuple[int, int] | None = None

    def push(self, item: SmoothingInput) -> list[AB]:
        """One frame in, its average out. Raises ValueError for a malformed item."""
        _require(item)
        motion = self._motion(item)
        shown = item.ab
        for average in self._filters:
            shown = average.step(shown, motion)
        return [shown]

    def flush(self) -> list[AB]:
        """Nothing was held back; the next frame starts a new video."""
        self._previous = None
        return []

    def _motion(self, item: SmoothingInput) -> Motion | None:
        """From this frame to the one before, on the ab grid; None where the average starts again."""
        height, width = item.ab.shape[:2]
        luma = small_luma(item, self._flow_scale)
        previous, self._previous = self._previous, luma
        same_size = self._grid == (height, width)
        self._grid = (height, width)
        if item.cut or not same_size or previous is None or previous.shape != luma.shape:
            return None
        back = motion_back(luma, previous)
        return resize_motion(back, height, width) if is_followed(back.visibility) else None


def make_smoother(mode: Smoothing) -> Smoother:
    """The stage of a ``--smoothing`` mode. Raises ValueError for an unknown one."""
    if mode == "off":
        return Off()
    if mode == "fast":
        return Fast()
    raise ValueError(f"unknown smoothing {mode!r}: one of {', '.join(SMOOTHING)}")


def small_luma(item: SmoothingInput, scale: float) -> Luma:
    """The item's luma at ``scale`` times the size of its ab grid: averaged down, or interpolated if it is smaller."""
    height, width = (max(1, round(side * scale)) for side in item.ab.shape[:2])
    shrinks = item.luma.shape[0] >= height and item.luma.shape[1] >= width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small: NDArray[Any] = cv2.resize(item.luma, (width, height), interpolation=interpolation)
    return small


def _require(item: SmoothingInput) -> None:
    ab, luma = item.ab, item.luma
    if ab.ndim != 3 or ab.shape[2] != 2 or ab.size == 0 or ab.dtype != np.float32:
        raise ValueError(f"ab must be a non-empty (h, w, 2) float32 field, not {ab.dtype} {ab.shape}")
    if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
        raise ValueError(f"luma must be a non-empty (h, w) uint8 picture, not {luma.dtype} {luma.shape}")
