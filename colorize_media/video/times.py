"""Times as a film's file has them, made fit to go on with: none missing, none twice, none stepping back."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av


def own_time(source: av.VideoFrame | av.Packet[Any]) -> int | None:
    """In ticks, as the file says; of decoding where it says no other."""
    return source.dts if source.pts is None else source.pts


class Clock:
    """Gives each frame its time, in ticks of the stream.

    A frame's own pts, else when it came out of the decoder (FFmpeg's "best effort" for AVI and others that store decoding
    times only). A frame without either starts where its predecessor ends (duration, else the average rate), the first at
    the stream's start. A frame that is not later than its predecessor is moved to one tick after it: containers hold no two
    frames of one time.

    ``last``      the last frame's time; None before the first
    ``count``     frames so far
    ``timed``     whether any of them said its time: bare streams say none
    ``end``       where it ends
    ``repaired``  frames that had no usable time of their own
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None, start: int | None) -> None:
        self._default = max(1, round(1 / (rate * time_base))) if rate else 1
        self.end = start or 0
        self.last: int | None = None
        self.count = 0
        self.timed = False
        self.repaired = 0

    def tick(self, source: av.VideoFrame, *, at_the_end: bool = False) -> int:
        """The next frame's time. ``at_the_end``: no packet has led to it, so that it may well be without one."""
        pts = own_time(source)
        self.count += 1
        self.timed |= pts is not None
        if pts is None:
            self.repaired += not at_the_end
            pts = self.end
        if self.last is not None and pts <= self.last:
            self.repaired += 1
            pts = self.last + 1
        self.last = pts
        self.end = pts + (source.duration or self._default)
        return pts


class Joiner:
    """Makes time go on where a broadcast or DVD file, which may be several put together, starts again.

    The first stream whose decoding time steps back says by how much the new part is to be moved; the others, which step
    back a little earlier or later in the file, follow it into that part.
    """

    STEP_BACK = Fraction(1, 10)
    """Seconds; decoding times never go back within one part, but sloppy muxers repeat one."""

    def __init__(self, active: bool) -> None:
        self._active = active
        self._offsets = [Fraction(0)]  # seconds, of each part
        self._part: dict[int, int] = {}
        self._last: dict[int, tuple[Fraction, Fraction]] = {}  # seconds of each stream in the file: time, end

    @property
    def joints(self) -> int:
        """How often times have started again."""
        return len(self._offsets) - 1

    def shift(self, packet: av.Packet) -> None:
        """Move the next packet's times; nothing where the format's times cannot start again (not ``active``)."""
        if not self._active or packet.dts is None:
            return
        index, base = packet.stream_index, packet.time_base
        time = packet.dts * base
        part = self._part.get(index, 0)
        last, end = self._last.get(index, (time, time))
        if time < last - self.STEP_BACK:
            if part == self.joints:
                self._offsets.append(self._offsets[part] + end - time)
            part += 1
        self._part[index] = part
        self._last[index] = (time, time + (packet.duration or 0) * base)
        ticks = round(self._offsets[part] / base)
        packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks
