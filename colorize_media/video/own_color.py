"""Which shots of a film are in colour already, so that they are left alone: decided shot by shot, on the first frames.

`survey` looks at samples of the whole film: nearly all in colour, nothing to do; none, a black-and-white film; else mixed.
`ColorShots` then goes with the film. What a frame says (`monochrome.evidence`) is often nothing, for the dark and the dull
look alike in both kinds; so a shot is decided by the first of its frames that say something, and stays so. Until then the
decision of the shot before it holds, and with it fades and titles keep what they belong to.

Noise has no mean over time: where what a frame has of colour might be noise, the mean of those that wait is asked instead.

A blank frame makes the shot open again: between two fades the cut may be too dark to be seen. Else the decision changes
within a shot on two occasions only, and if all frames of the look-ahead agree: after a dissolve, and where the evidence is
strong (colour comes up in a shot that began in fog; exact grey behind a cut that nobody saw).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from colorize_media.judge.monochrome import Evidence, evidence, may_be_noise
from colorize_media.judge.noise import mean_over_time
from colorize_media.judge.survey import Picture
from colorize_media.motion.shots import CutDetector, DissolveDetector, is_blank
from colorize_media.motion.state import State, Stateful, joined_state, restore_joined

SIDE = 128  # pixels, short side of the pictures judged: a subtitle is still a line of strokes
LOOK_AHEAD = 6  # frames, a quarter of a second
STRIDE = 2  # of the look-ahead's frames, every second is judged
PATROL = 12  # frames: how often a decided shot is looked at again
DISSOLVE_MEMORY = 40  # frames after a dissolve was last seen in which its shot may still change: the longest lasts 50

T = TypeVar("T")


@dataclass(frozen=True)
class ShotFrame(Generic[T]):
    """A frame on its way out of `ColorShots`.

    item    what was pushed
    luma    ``(h, w)`` uint8, as pushed
    cut     a shot begins here (also where only the decision changes)
    mixing  a dissolve runs
    own     the frame is in colour: its own chroma is to be shown
    """

    item: T
    luma: Picture
    cut: bool
    mixing: bool
    own: bool


@dataclass(frozen=True)
class _Known:
    cut: bool
    mixing: bool
    age: int


@dataclass
class _Waiting(Generic[T]):
    item: T
    luma: Picture
    picture: Picture | None
    cut: bool
    mixing: bool
    blank: bool
    age: int  # frames since the shot began
    says: Evidence | None = None  # None: not asked yet
    doubtful: bool | None = None  # whether that may be noise; None: not asked yet


class ColorShots(Generic[T]):
    """Cuts, dissolves and the decision for each frame, in order: push / flush.

    Look-ahead: ``look_ahead`` frames; 0 if nothing is judged. Memory: as many frames, and what `CutDetector` and
    `DissolveDetector` keep.

    among_color  what `survey` found: True for a mixed film, False for one without colour, None to judge nothing
    own          the decision that holds until a shot is decided: in doubt a mixed film's frames are left alone (to take
                 a film up again, that of the shot before)
    """

    def __init__(self, among_color: bool | None, *, own: bool | None = None, look_ahead: int = LOOK_AHEAD) -> None:
        self.look_ahead = look_ahead if among_color is not None else 0
        self.own = bool(among_color) if own is None else own
        self._among_color = among_color
        self._cuts, self._dissolves = CutDetector(), DissolveDetector()
        self._detectors: dict[str, Stateful] = {"cuts": self._cuts, "dissolves": self._dissolves}
        self._waiting: deque[_Waiting[T]] = deque()
        self._again: deque[_Known] = deque()  # what is known of frames that will be pushed again
        self._age = 0  # of the last frame pushed
        self._decided = False
        self._since_dissolve = DISSOLVE_MEMORY
        self._shown: bool | None = None  # the last frame's decision

    def push(self, item: T, luma: Picture, picture: Picture | None) -> list[ShotFrame[T]]:
        """The next frame: ``luma (h, w)`` uint8, and its ``picture (h, w, 3)`` R′G′B′, None only if nothing is judged."""
        if self._again:  # the detectors have seen it, and all before it have come out
            known = self._again.popleft()
            blank = is_blank(luma)
            self._waiting.append(_Waiting(item, luma, picture, known.cut, known.mixing, blank, known.age))
            return []
        cut = self._cuts.is_cut(luma)
        mixing = self._dissolves.is_mixing(luma, cut=cut)
        ready = self._give(len(self._waiting)) if cut else []
        self._age = 0 if cut else self._age + 1
        self._waiting.append(_Waiting(item, luma, picture, cut, mixing, is_blank(luma), self._age))
        return ready + self._give(len(self._waiting) - self.look_ahead)

    def flush(self) -> list[ShotFrame[T]]:
        """The rest."""
        return self._give(len(self._waiting))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the frames so far have left behind, as arrays by name; ``waiting`` of them are still held back."""
        counts = [self.own, self._decided, self._age, self._since_dissolve, -1 if self._shown is None else self._shown]
        waiting = [*(_Known(frame.cut, frame.mixing, frame.age) for frame in self._waiting), *self._again]
        return {
            "counts": np.array(counts, np.int64),
            "waiting": np.array([(frame.cut, frame.mixing, frame.age) for frame in waiting], np.int64).reshape(-1, 3),
            **joined_state(self._detectors),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state` in a fresh stage. The frames that were held back must be pushed first, as before."""
        own, decided, self._age, self._since_dissolve, shown = (int(count) for count in state["counts"])
        self.own, self._decided, self._shown = bool(own), bool(decided), None if shown < 0 else bool(shown)
        self._again = deque(_Known(bool(cut), bool(mixing), int(age)) for cut, mixing, age in state["waiting"])
        restore_joined(self._detectors, state)

    def _give(self, count: int) -> list[ShotFrame[T]]:
        return [self._next() for _ in range(count)]

    def _next(self) -> ShotFrame[T]:
        head = self._waiting[0]
        if head.cut:
            self._since_dissolve = DISSOLVE_MEMORY
        self._decided &= not (head.cut or head.blank)
        self._since_dissolve = 0 if head.mixing else self._since_dissolve + 1
        if self._among_color is not None:
            self._settle(head)
        changed = self._shown is not None and self._shown != self.own
        self._shown = self.own
        self._waiting.popleft()
        return ShotFrame(head.item, head.luma, head.cut or changed, head.mixing, self.own)

    def _settle(self, head: _Waiting[T]) -> None:
        """Whether the frames from ``head`` on are in colour, where its shot is open or what is seen contradicts."""
        witnesses = [frame for frame in self._waiting if frame.age % STRIDE == 0] or [head]
        over_time = cache(self._over_time)
        if not self._decided:
            said = [self._ask(frame, over_time) for frame in witnesses]
            grey, colored = said.count("monochrome"), said.count("color")
            if grey or colored:
                self.own, self._decided = colored >= grey, True
            return
        if len(self._waiting) <= self.look_ahead:
            return  # the shot ends: too few are left to agree
        after_dissolve = self._since_dissolve < DISSOLVE_MEMORY
        if not after_dissolve and head.age % PATROL:
            return
        other = "monochrome" if self.own else "color"
        if all(self._ask(frame, over_time, strong=not after_dissolve) == other for frame in witnesses):
            self.own = not self.own

    def _ask(self, frame: _Waiting[T], over_time: Callable[[bool], Evidence], *, strong: bool = False) -> Evidence:
        """What a frame says; where it might say so for noise, what the mean of all that wait says."""
        if frame.picture is None:
            raise ValueError("a frame to be judged needs its picture")
        if strong:
            says = evidence(frame.picture, among_color=bool(self._among_color), strong=True)
        elif frame.says is None:
            says = frame.says = evidence(frame.picture, among_color=bool(self._among_color))
        else:
            says = frame.says
        if says != "color" or (strong and self.own):
            return says
        if frame.doubtful is None:
            frame.doubtful = may_be_noise(frame.picture)
        return over_time(strong) if frame.doubtful else says

    def _over_time(self, strong: bool) -> Evidence:
        """What the frames that wait, all of one shot, say together; not kept, so that a run taken up again asks the same."""
        pictures = [frame.picture for frame in self._waiting if frame.picture is not None and not frame.blank]
        if not pictures:
            return "none"
        return evidence(mean_over_time(pictures), among_color=bool(self._among_color), strong=strong)
