"""The one frame loop: a reader's frames, coloured, into a sink.

A film runs through three threads joined by bounded queues: decoding (and shrinking the luma), network and smoothing (the
caller's thread), chroma planes and encoding. Each hands on frames in order; an exception in any of them stops the others
and is raised in the caller. Memory: at most `QUEUE_BYTES` of decoded frames per queue and what `ColorStage` holds, whatever
the film's length.

The film is written in segments, each with the state that the loop goes on from behind it: a killed job decodes up to
there again, which is quick, and then goes on as if nothing had happened. (It does not seek there: where a file's index,
times or key frames lie, other frames would come.)
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.light import tint_at, under_light
from colorize_media.color.table import chroma_table
from colorize_media.errors import DamagedMedia
from colorize_media.events import Advanced, OnEvent, Resumed, ignore
from colorize_media.judge.survey import Survey
from colorize_media.motion.averaging import AB
from colorize_media.motion.state import State
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import working_luma, working_shape
from colorize_media.options import ColorizeOptions
from colorize_media.video.color_stage import (
    LEAST_SEGMENT,
    MOST_SEGMENT,
    ColoredFrame,
    ColorStage,
    DecodedFrame,
    make_color_stage,
)
from colorize_media.video.fields import shrink
from colorize_media.video.geometry import VideoGeometry
from colorize_media.video.own_color import SIDE

QUEUE_BYTES = 192 * 2**20  # decoded frames waiting in one queue; 4K 4:2:0 8 bit takes 12 MB a frame
MOST_QUEUED = 64  # frames; more only delays an interrupt


class TimedFrame(Protocol):
    """What the loop knows of a frame: its luma ``(H, W)`` in codes, its time ``pts * time_base``, its number from 0 on."""

    @property
    def luma(self) -> NDArray[Any]: ...
    @property
    def pts(self) -> int: ...
    @property
    def time_base(self) -> Fraction: ...
    @property
    def index(self) -> int: ...


F = TypeVar("F", bound=TimedFrame)
F_contra = TypeVar("F_contra", bound=TimedFrame, contravariant=True)


class Source(Protocol[F]):
    """What frames come from, as `Reader` has it: all of one geometry.

    ``first_index`` is that of the first frame given, at most the first that the sink lacks.
    """

    @property
    def path(self) -> Path: ...
    @property
    def geometry(self) -> VideoGeometry: ...
    @property
    def first_index(self) -> int: ...
    @property
    def can_be_colored(self) -> bool: ...

    def __iter__(self) -> Iterator[F]: ...

    def small_picture(self, frame: F, short_side: int) -> NDArray[np.uint8]: ...

    def own_chroma(self, frame: F) -> NDArray[Any]: ...


class Sink(Protocol[F_contra]):
    """What coloured frames go to, as `Writer` has it."""

    frames: int
    position: Fraction

    def write(self, frame: F_contra, chroma: NDArray[Any]) -> None: ...

    def state(self) -> dict[str, NDArray[Any]]: ...

    def end_segment(self, state: State) -> None: ...


@dataclass(frozen=True)
class Limits:
    """How long segments are, in frames as `ColorStage` has it, and the seconds between two progress events."""

    least_segment: int = LEAST_SEGMENT
    most_segment: int = MOST_SEGMENT
    advance_every: float = 0.2


LIMITS = Limits()


@dataclass
class FrameCount:
    """Frames that the film has up to here; those in colour already, which kept it, and their shots."""

    frames: int = 0
    own_frames: int = 0
    own_shots: int = 0


def color_frames(
    reader: Source[F],
    sink: Sink[F],
    colorizer: Colorizer,
    options: ColorizeOptions,
    found: Survey | None,
    on_event: OnEvent = ignore,
    limits: Limits = LIMITS,
) -> FrameCount:
    """Colour all frames of the reader into the sink; ``found`` is what `survey_of` says."""
    judged = not options.force and reader.can_be_colored
    among_color = (found is not None and found.kind == "mixed") if judged else None
    stage = make_color_stage(
        colorizer,
        reader.geometry,
        options,
        among_color,
        least_segment=limits.least_segment,
        most_segment=limits.most_segment,
    )
    if sink.frames:
        on_event(Resumed(reader.path, sink.frames, sink.position))
    loop = _Loop(
        reader, sink, stage, on_event, limits.advance_every, options.working_size, looked_at=judged or options.keep_tint
    )
    loop.run()
    return FrameCount(loop.frames, stage.own_frames, stage.own_shots)


@dataclass(frozen=True)
class _SegmentEnd:
    """Behind the last frame of a segment: what the loop goes on from."""

    state: State


class _Stopped(Exception):
    """Another thread failed or the caller was interrupted: leave quietly."""


class _Loop(Generic[F]):
    """The threads of one film. `run` returns when all frames are encoded, or raises what stopped it.

    ``frames`` the film has so far in the sink, those of earlier runs included.
    """

    def __init__(
        self,
        reader: Source[F],
        sink: Sink[F],
        stage: ColorStage[F, AB],
        on_event: OnEvent,
        advance_every: float,
        working_size: int,
        *,
        looked_at: bool,
    ) -> None:
        self.frames = self._done = sink.frames
        if state := sink.state():
            stage.restore(state, self._done)
        self._read_before = max(stage.pushed, self._done)  # some of them wait in the smoother
        self._reader, self._sink, self._stage = reader, sink, stage
        self._on_event, self._advance_every = on_event, advance_every
        self._looked_at = looked_at
        self._geometry = geometry = reader.geometry
        self._shape = working_shape(*geometry.upright_size, working_size)
        waiting = max(2, min(MOST_QUEUED, QUEUE_BYTES // geometry.frame_bytes))
        self._decoded: queue.Queue[DecodedFrame[F] | None] = queue.Queue(waiting)
        self._colored: queue.Queue[ColoredFrame[F, AB] | _SegmentEnd | None] = queue.Queue(waiting)
        self._stop = threading.Event()
        self._problem: BaseException | None = None
        self._told = 0.0

    def run(self) -> None:
        """Read, colour and write everything."""
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (("decode", self._decode), ("encode", self._encode))
        ]
        for thread in threads:
            thread.start()
        try:
            self._guarded(self._color)
        finally:
            for thread in threads:
                thread.join()
        if self._problem is not None:
            raise self._problem

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except _Stopped:
            pass
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._problem is None:
            self._problem = error
        self._stop.set()

    def _put(self, into: queue.Queue[Any], item: object) -> None:
        """Wait for room, but not for ever: a thread that failed takes nothing more."""
        while not self._stop.is_set():
            try:
                into.put(item, timeout=0.1)
                return
            except queue.Full:
                continue
        raise _Stopped

    def _get(self, out_of: queue.Queue[Any]) -> Any:
        while not self._stop.is_set():
            try:
                return out_of.get(timeout=0.1)
            except queue.Empty:
                continue
        raise _Stopped

    def _decode(self) -> None:
        """Frames from the first on that is not done yet."""
        geometry, lying = self._geometry, self._geometry.lying_size(self._shape)
        count = self._reader.first_index
        for frame in self._reader:
            count += 1
            if self._stop.is_set():
                raise _Stopped
            if frame.index >= self._done:
                small = geometry.upright(working_luma(frame.luma, lying))
                picture = self._reader.small_picture(frame, SIDE) if self._looked_at else None
                self._put(self._decoded, DecodedFrame(frame, small, picture))
        if count < self._read_before:
            raise DamagedMedia(
                "the film ends earlier than when it was read before",
                path=self._reader.path,
                why=f"{count} frames could be decoded, {self._read_before} at that time",
                hint="run the same command again: it begins anew",
            )
        self._put(self._decoded, None)

    def _color(self) -> None:
        stage = self._stage
        while (item := self._get(self._decoded)) is not None:
            self._hand_on(stage.push(item))
            if stage.segment_due:
                self._put(self._colored, _SegmentEnd(stage.end_segment()))
        self._hand_on(stage.flush())
        self._put(self._colored, None)

    def _hand_on(self, ready: list[ColoredFrame[F, AB]]) -> None:
        for item in ready:
            self._put(self._colored, item)

    def _encode(self) -> None:
        while (item := self._get(self._colored)) is not None:
            if isinstance(item, _SegmentEnd):
                self._sink.end_segment(item.state)
                continue
            self._sink.write(item.frame, self._chroma(item))
            self.frames += 1
            self._tell(item.frame.pts * item.frame.time_base)

    def _chroma(self, item: ColoredFrame[F, AB]) -> NDArray[Any]:
        """The frame's planes to write, ``(chroma_height, chroma_width, 2)``: its own, or those of its new colours."""
        geometry = self._geometry
        if item.colors is None:
            return self._reader.own_chroma(item.frame)
        size = (geometry.chroma_width, geometry.chroma_height)
        colors = geometry.lying(item.colors)
        if item.light is not None:
            colors = self._beside_the_light(colors, item.frame.luma, item.light)
        ab: NDArray[Any] = cv2.resize(colors, size, interpolation=cv2.INTER_CUBIC)
        luma: NDArray[Any] = item.frame.luma
        if luma.shape[::-1] != size:
            luma = shrink(luma, size, interlaced=geometry.interlaced)
        if item.light is not None:
            ab += tint_at(item.light, self._shares(luma))
        return chroma_table(geometry.spec.matrix).planes(luma, ab, geometry.spec)

    def _beside_the_light(self, ab: AB, luma: NDArray[Any], light: NDArray[np.float32]) -> AB:
        """What the light makes of the coarse colours, without the tint itself, which follows each pixel's own luma."""
        shares = self._shares(cv2.resize(luma, ab.shape[1::-1], interpolation=cv2.INTER_AREA))
        tint = tint_at(light, shares)
        return under_light(ab, shares, tint) - tint

    def _shares(self, luma: NDArray[Any]) -> NDArray[np.float32]:
        """Luma codes as shares of white."""
        spec = self._geometry.spec
        return np.clip((luma.astype(np.float32) - spec.luma_offset) / spec.luma_scale, 0.0, 1.0)

    def _tell(self, position: Fraction) -> None:
        now = time.monotonic()
        if now - self._told >= self._advance_every:
            self._told = now
            self._on_event(Advanced(self._reader.path, self.frames, position))
