"""Colours that stay steady over time: stages that take ab frame by frame and give it back, averaged along the motion.

A stage is a push / flush object (`Smoother`). What goes in comes out in order, as many as went in, perhaps later: by at
most ``look_ahead`` frames. The caller keeps whatever belongs to a frame (luma, timestamp) in a queue of that length.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from colorize_media.motion.anchors import MEMORY as ANCHOR_MEMORY
from colorize_media.motion.anchors import Anchors
from colorize_media.motion.averaging import (
    AB,
    KEPT_VIVIDNESS,
    Sums,
    VividnessKeeper,
    accumulate,
    joined_mean,
    mean,
    vividness,
)
from colorize_media.motion.flow import Motion, SmallLuma, luma_on_grid, motion_back, motion_both_ways
from colorize_media.motion.shots import is_lost
from colorize_media.motion.state import State, Stateful, joined_state, restore_joined
from colorize_media.options import SMOOTHING, Smoothing

# How much of a neighbour counts where the motion can be followed: in the first average, in the second one, which runs
# on the first one's result. 0.9 reaches over ten frames.
FAST_MEMORY = (0.9, 0.8)
PAST_MEMORY = (0.9, 0.8)
FUTURE_MEMORY = (0.85, 0.8)  # shorter: what lies beyond the look-ahead must not be missed

# Of the visibility that is left in a dissolve: half a dozen frames later the old shot's colours are as good as gone. Where
# the future is known too, a little more spreads the change over more frames (share of warp error 0.36 to 0.26 on a slow fade).
MIXING = 0.5
MIXING_BOTH_WAYS = 0.6

LOOK_AHEAD = 19  # frames: 14 to 19 of the future count, which is within 0.1 ab units (RMS) of all of it
LEAST_LOOK_AHEAD = 3  # frames; with fewer the future is not worth the cost
_CHUNK_SHARE = 0.3  # of the window that is given out at once: larger chunks need fewer backward averages


@dataclass(frozen=True)
class SmoothingInput:
    """One frame's colours and what is needed to follow them.

    ab    ``(h, w, 2)`` float32, as the network decided it for this frame alone
    luma  ``(H, W)`` uint8 picture of the same frame and the same field of view, of any size; from ab's own size on
          nothing is lost (it is averaged down to the flow's grid, which also takes the grain)
    cut   True if a new shot begins with this frame
    mixing  True in a dissolve: what was before counts for less
    motions  `flow.motion_both_ways` of this frame's and the one before's `luma_on_grid`, where it is known already
    """

    ab: AB
    luma: SmallLuma
    cut: bool = False
    mixing: bool = False
    motions: tuple[Motion, Motion] | None = None


class Smoother(Stateful, Protocol):
    """A stage over time. ``push`` takes the next frame, ``flush`` ends the video; both give the frames that are ready.

    `state` and `restore` include the frames that are held back: they come out first, and all colours are the same bit for
    bit. After n pushes at least n − ``look_ahead`` frames have come out, in order; after ``flush`` all n have, and the stage
    is as new. What comes out is the caller's own: the stage neither keeps nor changes it.
    """

    @property
    def look_ahead(self) -> int:
        """The most frames that are held back."""
        ...

    def push(self, item: SmoothingInput) -> list[AB]:
        """Take one frame; give the ab ``(h, w, 2)`` float32 of all frames that are now ready."""
        ...

    def end_shot(self) -> list[AB]:
        """Give the rest; the next frame begins a shot. What is carried over a cut is kept."""
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

    def end_shot(self) -> list[AB]:
        """Nothing was held back."""
        return []

    def flush(self) -> list[AB]:
        """Nothing was held back."""
        return []

    def state(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Nothing to go on from."""


class Fast:
    """Causal motion-compensated averaging, twice: ``memory`` on the decided ab, then on the result; vividness kept.

    Both averages share one motion, computed once per pair of frames from luma on the ab grid. They start again at a
    cut, when the size changes, and where the frame before is lost (`shots.is_lost`).

    Look-ahead: 0 frames; ``push`` gives one frame for each. Memory: one luma picture and six float32 numbers for each
    cell of the ab grid, whatever the video's length. ``kept`` 0 leaves the averages as they are.
    """

    look_ahead = 0

    _luma: SmallLuma | None
    _sums: list[Any]

    def __init__(self, memory: tuple[float, float] = FAST_MEMORY, kept: float = KEPT_VIVIDNESS) -> None:
        self._memory = memory
        self._vividness = VividnessKeeper(kept)
        self.flush()

    def push(self, item: SmoothingInput) -> list[AB]:
        """One frame in, its average out. Raises ValueError for a malformed item."""
        _require(item)
        luma = luma_on_grid(item.luma, item.ab.shape[:2])
        motion = None
        if self._luma is not None and not item.cut and self._luma.shape == luma.shape:
            motion = item.motions[0] if item.motions else motion_back(luma, self._luma)
            if is_lost(motion.visibility, luma, self._luma):
                motion = None
            elif item.mixing:
                motion = motion.weakened(MIXING)
        if motion is None:
            self._vividness.restart()
        shown = item.ab
        for index, memory in enumerate(self._memory):
            self._sums[index] = accumulate(shown, self._sums[index], motion, memory)
            shown = mean(self._sums[index])
        self._luma = luma
        return [self._vividness.apply(shown, vividness(item.ab))]

    def end_shot(self) -> list[AB]:
        """Nothing was held back, and nothing crosses a cut."""
        return self.flush()

    def flush(self) -> list[AB]:
        """Nothing was held back; the next frame starts a new video."""
        self._luma = None
        self._sums = [None] * len(self._memory)
        return []

    def state(self) -> dict[str, NDArray[Any]]:
        """The last frame's luma and sums, and the vividness."""
        if self._luma is None:
            return {}
        sums = {f"sums{index}": field for index, field in enumerate(self._sums)}
        return {"luma": self._luma, "vividness": self._vividness.state(), **sums}

    def restore(self, state: State) -> None:
        """Go on after that frame."""
        if state:
            self._luma = state["luma"]
            self._sums = [state[f"sums{index}"] for index in range(len(self._memory))]
            self._vividness.restore(state["vividness"])


@dataclass
class _Held:
    """A frame of `Best`'s window. ``past`` are the first average's sums, ``future`` the motion to the next frame."""

    ab: AB
    vividness: float  # of ab
    luma: SmallLuma
    motion: Motion | None  # to the frame before; None begins a shot
    past: Sums
    mixing: bool
    future: Motion | None = None


class Best:
    """Averaging along the motion over the past and a bounded future, twice, with anchors; vividness kept.

    Each average joins a recursion from the past with one from the future (`averaging.joined_mean`); both and both
    rounds share the flows, computed once per pair of frames. The past is exact; the future is that of the window, which
    ends at a cut or after 14 to 19 frames. Then coarse colours are those of the shot's `Anchors`, also when it returns
    after a cut.

    Look-ahead: ``look_ahead`` frames. Memory: for each of them 45 bytes a cell of the ab grid (0.3 MB at 64×114), twice
    that while a chunk is averaged, and what `Anchors` takes, whatever the length of the shot and of the film.
    ``anchors`` 0 and ``kept`` 0 leave the averages as they are. Raises ValueError for a look-ahead under 3.
    """

    def __init__(
        self,
        look_ahead: int = LOOK_AHEAD,
        past: tuple[float, float] = PAST_MEMORY,
        future: tuple[float, float] = FUTURE_MEMORY,
        anchors: float = ANCHOR_MEMORY,
        kept: float = KEPT_VIVIDNESS,
    ) -> None:
        if look_ahead < LEAST_LOOK_AHEAD:
            raise ValueError(f"look_ahead must be at least {LEAST_LOOK_AHEAD} frames, not {look_ahead}")
        self._window = look_ahead + 1
        self._chunk = round(_CHUNK_SHARE * self._window)
        self._past_memory, self._future_memory = past, future
        self._anchors = Anchors(anchors) if anchors else None
        self._vividness = VividnessKeeper(kept)
        self._held: deque[_Held] = deque()
        self._past_again: Sums | None = None  # the second average's, of the last frame given out

    @property
    def look_ahead(self) -> int:
        """The most frames that are held back."""
        return self._window - 1

    def push(self, item: SmoothingInput) -> list[AB]:
        """One frame in; a chunk of averages out whenever the window is full. Raises ValueError for a malformed item."""
        _require(item)
        luma = luma_on_grid(item.luma, item.ab.shape[:2])
        last = self._held[-1] if self._held else None
        motion = None
        if last is not None and not item.cut and last.luma.shape == luma.shape:
            motion, future = item.motions or motion_both_ways(luma, last.luma)
            if is_lost(motion.visibility, luma, last.luma):
                motion = None
            else:
                share = MIXING_BOTH_WAYS if item.mixing else 1.0
                motion, last.future = motion.weakened(share), future.weakened(share)
        ready = [] if motion is not None else self._give(len(self._held))
        past = accumulate(item.ab, last.past if last else None, motion, self._past_memory[0])
        self._held.append(_Held(item.ab, vividness(item.ab), luma, motion, past, item.mixing))
        if len(self._held) == self._window:
            ready += self._give(self._chunk)
        return ready

    def end_shot(self) -> list[AB]:
        """The rest; the anchors are kept."""
        return self._give(len(self._held))

    def flush(self) -> list[AB]:
        """The rest; the next frame starts a new video."""
        rest = self.end_shot()
        if self._anchors is not None:
            self._anchors.forget()
        return rest

    def state(self) -> dict[str, NDArray[Any]]:
        """The first frame of the window with its past; of the others what was pushed; what was given out last; anchors."""
        state: dict[str, NDArray[Any]] = {"vividness": self._vividness.state()}
        if self._past_again is not None:
            state["past_again"] = self._past_again
        if self._anchors is not None:
            state |= joined_state({"anchors": self._anchors})
        if self._held:
            first = self._held[0]
            state["past"] = first.past
            if first.motion is not None:
                state |= {"flow": first.motion.flow, "visibility": first.motion.visibility}
            state["mixing"] = np.array([held.mixing for held in self._held])
            for index, held in enumerate(self._held):
                state |= {f"ab{index}": held.ab, f"luma{index}": held.luma}
        return state

    def restore(self, state: State) -> None:
        """Go on from there. The window's frames after the first are pushed again: that fills it with the same."""
        self.flush()
        self._past_again = state.get("past_again")
        if self._anchors is not None:
            restore_joined({"anchors": self._anchors}, state)
        for index, mixing in enumerate(state.get("mixing", ())):
            ab, luma = state[f"ab{index}"], state[f"luma{index}"]
            if index:
                self.push(SmoothingInput(ab, luma, mixing=bool(mixing)))
            else:
                motion = Motion(state["flow"], state["visibility"]) if "flow" in state else None
                self._held.append(_Held(ab, vividness(ab), luma, motion, state["past"], bool(mixing)))
        self._vividness.restore(state["vividness"])

    def _give(self, count: int) -> list[AB]:
        """Average the window, let its first ``count`` frames go."""
        if not count:
            return []
        fields, motions = [held.ab for held in self._held], [held.future for held in self._held]
        futures = _accumulate_backward(fields, motions, self._future_memory[0])
        once = [joined_mean(held.past, future, held.ab) for held, future in zip(self._held, futures, strict=True)]
        futures = _accumulate_backward(once, motions, self._future_memory[1])
        own = [held.vividness for held in self._held]
        ready = []
        for index, (ab, future) in enumerate(zip(once[:count], futures[:count], strict=True)):
            frame = self._held.popleft()
            self._past_again = accumulate(ab, self._past_again, frame.motion, self._past_memory[1])
            shown = joined_mean(self._past_again, future, ab)
            if self._anchors is not None:
                shown = self._anchors.apply(shown, frame.luma, frame.motion)
            if frame.motion is None:
                self._vividness.restart()
            ready.append(self._vividness.apply(shown, own[index], own[index + 1 :]))
        return ready


def make_smoother(mode: Smoothing, most_held: int = LOOK_AHEAD) -> Smoother:
    """The stage of a ``--smoothing`` mode. Raises ValueError for an unknown one.

    ``most_held`` bounds the look-ahead of ``best``: the caller must hold a decoded frame for each. Three are the least.
    """
    if mode == "off":
        return Off()
    if mode == "fast":
        return Fast()
    if mode == "best":
        return Best(min(max(most_held, LEAST_LOOK_AHEAD), LOOK_AHEAD))
    raise ValueError(f"unknown smoothing {mode!r}: one of {', '.join(SMOOTHING)}")


def _accumulate_backward(fields: list[AB], motions: list[Motion | None], memory: float) -> list[Sums]:
    """Each frame's sums with all later ones; ``motions`` lead to the next frame."""
    sums: Sums | None = None
    backward: list[Sums] = []
    for ab, motion in zip(reversed(fields), reversed(motions), strict=True):
        sums = accumulate(ab, sums, motion, memory)
        backward.append(sums)
    return backward[::-1]


def _require(item: SmoothingInput) -> None:
    ab, luma = item.ab, item.luma
    if ab.ndim != 3 or ab.shape[2] != 2 or ab.size == 0 or ab.dtype != np.float32:
        raise ValueError(f"ab must be a non-empty (h, w, 2) float32 field, not {ab.dtype} {ab.shape}")
    if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
        raise ValueError(f"luma must be a non-empty (h, w) uint8 picture, not {luma.dtype} {luma.shape}")
