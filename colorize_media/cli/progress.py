"""How far a run is, and when it will be over, from its events alone.

A film within an archive takes as long as a thousand photographs, so the files' number says little about time: photographs
and films have a pace each, and the film at work counts by its frames.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from colorize_media.events import Advanced, Done, Event, Failed, Planned, Resumed, Skipped, Started

LEAST_SHARE = 0.02  # of the first film, before its pace says how long the others will take


class FilmPace:
    """Frames per second and time left of the film at work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = 0.0
        self._before = 0
        self.frames = 0
        self.total: int | None = None

    def start(self, event: Started) -> None:
        """A new film."""
        self._begun, self._before, self.frames, self.total = self._clock(), 0, 0, event.frames

    def resume(self, event: Resumed) -> None:
        """The film's first frames took no time."""
        self._before = self.frames = event.frames

    def fps(self) -> float:
        """Mean since the start."""
        return (self.frames - self._before) / max(self._clock() - self._begun, 1e-6)

    def share(self) -> float:
        """Of the film that is done, 0 to 1; 0 while its length is unknown."""
        return min(self.frames / self.total, 1.0) if self.total else 0.0

    def left(self) -> float | None:
        """Seconds; None while nothing says."""
        if not self.total or self.total < self.frames or self.frames <= self._before:
            return None
        return (self.total - self.frames) / max(self.fps(), 1e-6)


class RunProgress:
    """n of N files of a plan. Hand it every event; then ask."""

    def __init__(self, plan: Sequence[Planned], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._working = {item.source: item.kind for item in plan if item.action == "colorize"}
        self._left = Counter(self._working.values())
        self._counts: Counter[str] = Counter()
        self._seconds: dict[str, float] = defaultdict(float)
        self._settled_at = clock()
        self.film = FilmPace(clock)
        self._in_film = False
        self.files = len(plan)
        self.settled = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._in_film = event.kind == "video"
            if self._in_film:
                self.film.start(event)
        elif isinstance(event, Resumed):
            self.film.resume(event)
        elif isinstance(event, Advanced):
            self.film.frames = event.frames
        elif isinstance(event, (Done, Skipped, Failed)):
            self._settle(event)

    def done(self) -> float:
        """Files, the film at work by its share."""
        return min(self.settled + (self.film.share() if self._in_film else 0.0), self.files)

    def left(self) -> float | None:
        """Seconds; None while nothing says how long one of the kinds takes."""
        seconds = 0.0
        for kind, count in self._left.items():
            if not count:
                continue
            if kind == "video" and self._in_film:
                if (rest := self.film.left()) is None:
                    return None
                seconds, count = seconds + rest, count - 1
            if not count:
                continue
            if (one := self._seconds_for_one(kind)) is None:
                return None
            seconds += count * one
        return seconds

    def _settle(self, event: Done | Skipped | Failed) -> None:
        self.settled += 1
        kind = self._working.pop(event.source, None)
        if kind is None:  # settled by the plan, in no time
            return
        now = self._clock()
        self._left[kind] -= 1
        self._counts[kind] += 1
        self._seconds[kind] += now - self._settled_at
        self._settled_at = now
        if kind == "video":
            self._in_film = False

    def _seconds_for_one(self, kind: str) -> float | None:
        if self._counts[kind]:
            return self._seconds[kind] / self._counts[kind]
        if kind == "video" and self._in_film and self.film.share() > LEAST_SHARE:
            return (self._clock() - self._settled_at) / self.film.share()
        return None
