"""A clip of a film, as --start and --duration name it: which frames, packets and chapters are in it, and their new times.

All times are seconds of the file, as Fractions, unless they are ticks of a time base.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from av.container.core import Chapter  # exists in PyAV's stubs only

LEAD_IN = 1  # second of sound that is decoded before a clip begins: some codecs need what is before
INTERLEAVED = 10  # seconds that a packet may stand later in the file than the pictures that it belongs to


class Clip:
    """Frames from ``start`` seconds after the file's ``beginning`` on, up to before ``duration`` after the first of them.

    Without either it is the whole film: it begins with whatever comes, never ends, and all times stay. Else ``first`` is
    the time of its first frame, once `begins` has seen it: the clip's own times count from there.
    """

    def __init__(
        self, beginning: Fraction = Fraction(0), start: Fraction = Fraction(0), duration: Fraction | None = None
    ) -> None:
        self.whole = not start and duration is None
        self.start = start
        self.beginning = beginning
        self.begin = beginning + start
        self.first: Fraction | None = None
        self.duration = duration

    def length(self, whole: Fraction | None) -> Fraction | None:
        """Seconds of the clip, as far as known; ``whole`` are the film's."""
        if whole is None:
            return self.duration
        return whole - self.start if self.duration is None else min(whole - self.start, self.duration)

    def begins(self, time: Fraction) -> bool:
        """Whether a frame of this time is not before the clip."""
        if self.first is None and (self.whole or time >= self.begin):
            self.first = time
        return self.first is not None

    def ends(self, time: Fraction) -> bool:
        """Whether a frame of this time is behind the clip."""
        return self.duration is not None and self.first is not None and time >= self.first + self.duration

    @property
    def missed(self) -> bool:
        """Whether all frames so far were before the clip."""
        return not self.whole and self.first is None

    def ticks(self, time_base: Fraction) -> int:
        """What is taken from all times, once the first frame is known."""
        if self.whole:
            return 0
        return round((self.first if self.first is not None else self.begin) / time_base)

    def is_behind(self, time: Fraction | None) -> bool:
        """Whether a packet of this time is certainly behind the clip, whose first frame need not be known yet."""
        return self.duration is not None and time is not None and time > self.begin + self.duration + INTERLEAVED

    def is_past(self, packet: av.Packet) -> bool:
        """Whether nothing of the clip can follow this packet in the file."""
        if self.duration is None or self.first is None or packet.dts is None or not packet.time_base:
            return False
        return bool(packet.dts * packet.time_base > self.first + self.duration + INTERLEAVED)

    def cut(self, packet: av.Packet, *, lead_in: bool = False) -> bool:
        """Move the packet to the clip's times; False if it is not in the clip, nor in the ``lead_in`` of what is decoded.

        A subtitle that begins before the clip and lasts into it is cut to begin with it; one that lasts beyond ends with it.
        """
        if self.whole:
            return True
        base = packet.time_base
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or not base:
            return False
        ticks = self.ticks(base)
        long = packet.stream.type == "subtitle" and bool(packet.duration)
        end = time + (packet.duration or 0) - ticks
        time -= ticks
        last = None if self.duration is None else self.duration / base
        begin = -LEAD_IN / base if lead_in else 0
        if (time < begin and not (long and end > 0)) or (last is not None and time >= last):
            return False
        if long:
            time = max(time, 0)
            packet.duration = (end if last is None else min(end, int(last))) - time
        packet.dts = None if packet.dts is None else time if long else packet.dts - ticks
        packet.pts = time
        return True

    def chapters(self, chapters: list[Chapter]) -> list[Chapter]:
        """The chapters that are in the clip, cut and moved."""
        if self.whole:
            return chapters
        kept: list[Chapter] = []
        for chapter in chapters:
            base = chapter["time_base"] or Fraction(1)
            ticks = round(self.begin / base)
            last = None if self.duration is None else round(self.duration / base)
            start, end = max(chapter["start"] - ticks, 0), chapter["end"] - ticks
            end = end if last is None else min(end, last)
            if end > start:
                kept.append({**chapter, "start": start, "end": end})
        return kept
