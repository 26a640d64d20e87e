"""The network on every Nth frame: between two keyframes colours are carried along the motion, from both of them.

    F_t = W(F_{t−1}),  f_t = v_t · W(f_{t−1})   from the keyframe before, where f = 1
    B_t = W(B_{t+1}),  b_t = v_t · W(b_{t+1})   from the one after it, where b = 1

W warps by the flow between neighbours, v is its visibility. Shown is the mean of F and B, weighted with what is left of the
visibility and with the nearness in time. A frame of which too little is seen from either side becomes a keyframe itself; so
do a shot's first and last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from colorize_media.motion.averaging import AB
from colorize_media.motion.flow import Motion, SmallLuma, luma_on_grid, motion_both_ways, warp
from colorize_media.motion.shots import is_lost
from colorize_media.motion.state import State, Stateful

LEAST_COVERAGE = 0.9  # of a frame, seen from the keyframes around it
_UNSEEN = 1e-3  # what little weight a pixel has that nobody sees: the nearest guess is better than none

T = TypeVar("T")


@dataclass(frozen=True)
class Colored(Generic[T]):
    """A frame with its colours ``ab (h, w, 2)``.

    motions  to the frame before, and from that to this one, where they are known
    """

    item: T
    ab: AB
    motions: tuple[Motion, Motion] | None = None


class Coloring(Stateful, Protocol[T]):
    """A stage that asks the network, ``colors``: frames in, ab ``(n, h, w, 2)`` out. Frames come out in order.

    Its `state` can be taken only when it is ``idle``.
    """

    look_ahead: int

    def push(self, item: T, luma: SmallLuma, *, cut: bool) -> list[Colored[T]]:
        """The next frame; ``luma (h, w)`` uint8 of any size, ``cut`` if a shot begins with it. Gives what is ready."""
        ...

    def end_shot(self) -> list[Colored[T]]:
        """The rest; the next frame begins a shot."""
        ...

    @property
    def idle(self) -> bool:
        """True if no frame is held back."""
        ...


class EveryFrame(Generic[T]):
    """Each frame by itself, ``batch_size`` at a time. Look-ahead: a batch."""

    def __init__(self, colors: Callable[[Sequence[T]], Sequence[AB]], batch_size: int) -> None:
        self.look_ahead = batch_size - 1
        self._colors = colors
        self._batch: list[T] = []

    def push(self, item: T, luma: SmallLuma, *, cut: bool) -> list[Colored[T]]:
        """The next frame; the batch, if it is full."""
        self._batch.append(item)
        return self.end_shot() if len(self._batch) > self.look_ahead else []

    def end_shot(self) -> list[Colored[T]]:
        """The rest."""
        batch, self._batch = self._batch, []
        if not batch:
            return []
        return [Colored(item, ab) for item, ab in zip(batch, self._colors(batch), strict=True)]

    @property
    def idle(self) -> bool:
        """True between batches."""
        return not self._batch

    def state(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Nothing to go on from."""


@dataclass(frozen=True)
class _Held:
    item: Any
    luma: SmallLuma  # on the ab grid
    motions: tuple[Motion, Motion] | None


class Keyframes(Generic[T]):
    """Every ``every``-th frame, and those that cannot be followed. Raises ValueError for ``every`` under 2.

    Look-ahead: ``every`` frames. Memory: for each of them two motions on the ab grid, 25 bytes a cell. ``asked`` counts the
    frames that the network saw.
    """

    def __init__(self, colors: Callable[[Sequence[T]], Sequence[AB]], every: int) -> None:
        if every < 2:
            raise ValueError(f"every must be at least 2 frames, not {every}")
        self.look_ahead = every
        self.asked = 0
        self._colors = colors
        self._held: list[_Held] = []
        self._key: AB | None = None  # colours of the first one held: it has been given out already
        self._grid: tuple[int, ...] | None = None  # of ab; the network's first answer tells

    def push(self, item: T, luma: SmallLuma, *, cut: bool) -> list[Colored[T]]:
        """The next frame; all up to it, if it is a keyframe."""
        if self._grid is None:
            first = self._ask([item])[0]
            self._grid, self._key = first.shape[:2], first
            self._held = [_Held(item, luma_on_grid(luma, self._grid), None)]
            return [Colored(item, first)]
        small, motions = luma_on_grid(luma, self._grid), None
        if self._held and not cut:
            motions = motion_both_ways(small, self._held[-1].luma)
            if is_lost(motions[0].visibility, small, self._held[-1].luma):
                motions = None
        ready = self.end_shot() if motions is None else []
        self._held.append(_Held(item, small, motions))
        if len(self._held) == 1 or len(self._held) > self.look_ahead:
            ready += self._give()
        return ready

    def end_shot(self) -> list[Colored[T]]:
        """The rest, the last of them as a keyframe."""
        ready = self._give()
        self._held, self._key = [], None
        return ready

    @property
    def idle(self) -> bool:
        """True just behind a keyframe."""
        return len(self._held) == (0 if self._key is None else 1)

    def state(self) -> dict[str, NDArray[Any]]:
        """The keyframe's colours and luma."""
        grid = {"grid": np.array(self._grid, np.int64)} if self._grid else {}
        return grid if self._key is None else grid | {"ab": self._key, "luma": self._held[0].luma}

    def restore(self, state: State) -> None:
        """Go on behind that keyframe."""
        self._grid = tuple(int(side) for side in state["grid"]) if "grid" in state else None
        self._key = state.get("ab")
        self._held = [] if self._key is None else [_Held(None, state["luma"], None)]

    def _ask(self, items: Sequence[T]) -> Sequence[AB]:
        self.asked += len(items)
        return self._colors(items)

    def _give(self) -> list[Colored[T]]:
        """Colour what is held, both ends as keyframes; the last one stays as the next stretch's first."""
        given = 0 if self._key is None else 1
        last = len(self._held) - 1
        if last < given:
            return []
        keys = [0, *self._between(0, last), last] if last else [0]
        asked = keys[given:]
        items = [self._held[key].item for key in asked]
        shown = dict(zip(asked, self._ask(items), strict=True))
        if self._key is not None:
            shown[0] = self._key
        for start, end in pairwise(keys):
            shown |= self._carried(start, end, shown[start], shown[end])
        ready = [Colored(frame.item, shown[i], frame.motions) for i, frame in enumerate(self._held) if i >= given]
        self._held, self._key = self._held[last:], shown[last]
        return ready

    def _between(self, start: int, end: int) -> list[int]:
        """The keyframes needed between two others."""
        one = np.ones((*self._held[start].luma.shape, 1), np.float32)
        before, after = self._chain(start, end, one), self._chain(end, start, one)
        coverage = {t: float((1 - (1 - before[t]) * (1 - after[t])).mean()) for t in range(start + 1, end)}
        worst = min(coverage, key=lambda t: coverage[t], default=start)
        if worst == start or coverage[worst] >= LEAST_COVERAGE:
            return []
        return [*self._between(start, worst), worst, *self._between(worst, end)]

    def _carried(self, start: int, end: int, first: AB, last: AB) -> dict[int, AB]:
        """The colours of the frames between two keyframes."""
        one = np.ones((*first.shape[:2], 1), np.float32)
        before = self._chain(start, end, np.concatenate((first, one), axis=2))
        after = self._chain(end, start, np.concatenate((last, one), axis=2))
        carried: dict[int, AB] = {}
        for t in range(start + 1, end):
            share = np.float32((t - start) / (end - start))
            from_before = (before[t][..., 2:] + np.float32(_UNSEEN)) * (1 - share)
            from_after = (after[t][..., 2:] + np.float32(_UNSEEN)) * share
            mixed = from_before * before[t][..., :2] + from_after * after[t][..., :2]
            carried[t] = mixed / (from_before + from_after)
        return carried

    def _chain(self, start: int, end: int, field: NDArray[np.float32]) -> dict[int, NDArray[np.float32]]:
        """``field``, whose last channel is a visibility, carried from ``start`` over all frames before ``end``."""
        carried = {}
        step = 1 if end > start else -1
        for t in range(start + step, end, step):
            motions = self._held[t if step > 0 else t + 1].motions
            assert motions is not None  # only a shot's first frame has none
            motion = motions[0] if step > 0 else motions[1]
            field = warp(field, motion.flow, sharp=True)
            field[..., -1] = np.clip(field[..., -1], 0, 1) * motion.visibility  # the sharp warp overshoots
            carried[t] = field
        return carried
