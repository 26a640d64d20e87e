"""The one frame loop: a reader's frames, coloured, into a sink.

A film runs through three threads joined by bounded queues: decoding (and shrinking the luma), network and smoothing (the
caller's thread), chroma planes and encoding. Each hands on frames in order; an exception in any of them stops the others
and is raised in the caller. Memory: at most `QUEUE_BYTES` of decoded frames per queue and `HELD_BYTES` (or three frames)
that wait for the smoother, whatever the film's length.

The film is written in segments, each with the state that the loop goes on from behind it: a killed job decodes up to
there again, which is quick, and then goes on as if nothing had happened. (It does not seek there: where a file's index,
times or key frames lie, other frames would come.)
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.planes import chroma_planes, has_chroma, small_rgb
from colorize_media.color.table import chroma_table
from colorize_media.errors import DamagedMedia
from colorize_media.events import Advanced, OnEvent, Resumed, ignore
from colorize_media.judge.survey import Survey
from colorize_media.motion.keyframes import Colored, Coloring, EveryFrame, Keyframes
from colorize_media.motion.smoothing import SmoothingInput, make_smoother
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import lightness_batch, luma_bytes, working_luma, working_shape
from colorize_media.options import ColorizeOptions
from colorize_media.video.own_color import SIDE, ColorShots, ShotFrame
from colorize_media.video.reader import Frame, Reader, VideoGeometry

QUEUE_BYTES = 192 * 2**20  # decoded frames waiting in one queue; 4K 4:2:0 8 bit takes 12 MB a frame
HELD_BYTES = 384 * 2**20  # decoded frames that wait for the smoother's look-ahead; it shrinks for 4K and more
MOST_QUEUED = 64  # frames; more only delays an interrupt
# A segment costs a key frame (encoders set one in 250 frames anyway) and, killed, at most its own work. Counted in frames,
# because work is: a second of film can be one frame or sixty, and take a minute or none.
LEAST_SEGMENT = 250  # frames; then it ends with the next cut
MOST_SEGMENT = 500  # frames; then without one
ADVANCE_EVERY = 0.2  # seconds between progress events


class Sink(Protocol):
    """What coloured frames go to, as `Writer` has it."""

    frames: int
    position: Fraction

    def write(self, frame: Frame, chroma: NDArray[Any]) -> None: ...

    def state(self) -> dict[str, NDArray[Any]]: ...

    def end_segment(self, state: Mapping[str, NDArray[Any]]) -> None: ...


@dataclass
class FrameCount:
    """Frames that the film has up to here; those in colour already, which kept it, and their shots."""

    frames: int = 0
    own_frames: int = 0
    own_shots: int = 0


def color_frames(
    reader: Reader,
    sink: Sink,
    colorizer: Colorizer,
    options: ColorizeOptions,
    found: Survey | None,
    on_event: OnEvent = ignore,
) -> FrameCount:
    """Colour all frames of the reader into the sink; ``found`` is what `survey_of` says."""
    loop = _FilmLoop(reader, sink, colorizer, options, found, on_event)
    loop.run()
    return loop.count


@dataclass(frozen=True)
class _Decoded:
    """A frame on its way to the network; ``small`` is its upright working luma in codes, ``seen`` its own colours."""

    frame: Frame
    small: NDArray[np.float32]
    seen: NDArray[np.uint8] | None


@dataclass(frozen=True)
class _Colored:
    """A frame on its way to the encoder; ``ab (h, w, 2)`` is upright, on the coarse grid; None leaves its own chroma."""

    frame: Frame
    ab: NDArray[np.float32] | None


@dataclass(frozen=True)
class _SegmentEnd:
    """Behind the last frame of a segment: what the loop goes on from."""

    state: dict[str, NDArray[Any]]


class _Stage(Protocol):
    """What carries something from frame to frame."""

    def state(self) -> dict[str, NDArray[Any]]: ...

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None: ...


class _Stopped(Exception):
    """Another thread failed or the caller was interrupted: leave quietly."""


class _FilmLoop:
    """The threads of one film. `run` returns when all frames are encoded, or raises what stopped it."""

    def __init__(
        self,
        reader: Reader,
        writer: Sink,
        colorizer: Colorizer,
        options: ColorizeOptions,
        found: Survey | None,
        on_event: OnEvent,
    ) -> None:
        geometry = reader.geometry
        judged = not options.force and has_chroma(geometry.pixel_format)
        self._among_color = (found is not None and found.kind == "mixed") if judged else None
        self._state = writer.state()
        self._done = writer.frames  # by an earlier run
        # Behind them come frames that wait in the smoother.
        counts: list[int] = self._state["frames"].tolist() if self._state else [self._done, 0, 0]
        self._pushed = counts[0]
        self.count = FrameCount(self._done, counts[1], counts[2])
        if self._done:
            on_event(Resumed(reader.path, self._done, writer.position))
        self._reader = reader
        self._writer = writer
        self._colorizer = colorizer
        self._options = options
        self._on_event = on_event
        self._geometry = geometry
        self._shape = working_shape(*geometry.upright_size, options.working_size)
        waiting = max(2, min(MOST_QUEUED, QUEUE_BYTES // _frame_bytes(geometry)))
        self._decoded: queue.Queue[_Decoded | None] = queue.Queue(waiting)
        self._colored: queue.Queue[_Colored | _SegmentEnd | None] = queue.Queue(waiting)
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
            self._color()
        except _Stopped:
            pass
        except BaseException as error:
            self._fail(error)
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
        lying = self._geometry.lying_size(self._shape)
        count = 0
        for frame in self._reader:
            count += 1
            if self._stop.is_set():
                raise _Stopped
            if frame.index >= self._done:
                small = self._geometry.upright(working_luma(frame.luma, lying))
                judged = self._among_color is not None
                seen = small_rgb(frame.source, frame.luma, self._geometry.spec, SIDE) if judged else None
                self._put(self._decoded, _Decoded(frame, small, seen))
        if count < self._pushed:
            raise DamagedMedia(
                "the film ends earlier than when it was read before",
                path=self._reader.path,
                why=f"{count} frames could be decoded, {self._pushed} at that time",
                hint="run the same command again: it begins anew",
            )
        self._put(self._decoded, None)

    def _color(self) -> None:
        """Batches through the network, then frame by frame through the smoother.

        Frames of shots in colour go around both, in their order: a shot's border ends the batch and the smoother's shot.
        Segments end where no frame waits for the network; those that wait for their shot's decision are decoded again.
        """
        options = self._options
        shots: ColorShots[_Decoded] = ColorShots(self._among_color)

        def network(frames: Sequence[ShotFrame[_Decoded]]) -> list[NDArray[np.float32]]:
            lightness = lightness_batch([frame.item.small for frame in frames], self._geometry.spec)
            return list(self._colorizer.colors(lightness, vividness=options.vividness, refine=options.refine))

        coloring: Coloring[ShotFrame[_Decoded]] = EveryFrame(network, self._colorizer.batch_size)
        most_held = HELD_BYTES // _frame_bytes(self._geometry) - shots.look_ahead
        if options.every > 1:
            coloring = Keyframes(network, options.every)
            most_held -= coloring.look_ahead
        smoother = make_smoother(options.smoothing, most_held)
        held: deque[Frame] = deque()  # frames whose colours the smoother still keeps
        stages: dict[str, _Stage] = {"shots": shots, "coloring": coloring, "smoother": smoother}
        if self._state:
            for name, stage in stages.items():
                stage.restore(_named(self._state, name))
        pushed, begun, ended = self._pushed, self._done, self._done  # frames in all, before the segment, handed on
        cut_since = False  # when last no frame waited for the network

        def hand_on(colors: list[NDArray[np.float32]]) -> None:
            nonlocal ended
            for ab in colors:
                self._put(self._colored, _Colored(held.popleft(), ab))
            ended += len(colors)

        def smooth(ready: list[Colored[ShotFrame[_Decoded]]]) -> None:
            nonlocal pushed
            for colored in ready:
                shown = colored.item
                held.append(shown.item.frame)
                item = SmoothingInput(colored.ab, shown.luma, shown.cut, shown.mixing, colored.motions)
                hand_on(smoother.push(item))
            pushed += len(ready)

        def take(ready: list[ShotFrame[_Decoded]]) -> None:
            nonlocal pushed, ended, cut_since
            for shown in ready:
                cut_since |= shown.cut
                if not shown.own:
                    smooth(coloring.push(shown, shown.luma, cut=shown.cut))
                    continue
                smooth(coloring.end_shot())
                hand_on(smoother.end_shot())
                self._put(self._colored, _Colored(shown.item.frame, None))
                pushed += 1
                ended += 1
                self.count.own_shots += shown.cut or not self.count.own_frames
                self.count.own_frames += 1

        def end_segment() -> None:
            nonlocal begun, cut_since
            state = {f"{name}.{key}": array for name, stage in stages.items() for key, array in stage.state().items()}
            counts = np.array([pushed, self.count.own_frames, self.count.own_shots], np.int64)
            self._put(self._colored, _SegmentEnd({"frames": counts, **state}))
            begun, cut_since = ended, False

        while (item := self._get(self._decoded)) is not None:
            if item.frame.index < self._pushed:
                held.append(item.frame)
                continue
            take(shots.push(item, luma_bytes(item.small, self._geometry.spec), item.seen))
            if coloring.idle:
                if ended - begun >= (LEAST_SEGMENT if cut_since else MOST_SEGMENT):
                    end_segment()
                cut_since = False
        take(shots.flush())
        smooth(coloring.end_shot())
        hand_on(smoother.flush())
        self._put(self._colored, None)

    def _encode(self) -> None:
        geometry = self._geometry
        table = chroma_table(geometry.spec.matrix)
        size = (geometry.chroma_width, geometry.chroma_height)
        while (item := self._get(self._colored)) is not None:
            if isinstance(item, _SegmentEnd):
                self._writer.end_segment(item.state)
                continue
            if item.ab is None:
                chroma: NDArray[Any] = chroma_planes(item.frame.source, geometry.spec, geometry.output_format)
            else:
                lying = geometry.lying(item.ab)
                ab: NDArray[Any] = cv2.resize(lying, size, interpolation=cv2.INTER_CUBIC)
                luma = item.frame.luma
                if luma.shape[::-1] != size:
                    luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
                chroma = table.planes(luma, ab, geometry.spec)
            self._writer.write(item.frame, chroma)
            self.count.frames += 1
            self._tell(item.frame.pts * item.frame.time_base)

    def _tell(self, position: Fraction) -> None:
        now = time.monotonic()
        if now - self._told >= ADVANCE_EVERY:
            self._told = now
            self._on_event(Advanced(self._reader.path, self.count.frames, position))


def _named(state: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """One stage's part of the loop's state."""
    return {key.removeprefix(f"{name}."): array for key, array in state.items() if key.startswith(f"{name}.")}


def _frame_bytes(geometry: VideoGeometry) -> int:
    """What one waiting frame holds: the decoder's picture and our copy of its luma, at most 4:4:4."""
    return geometry.width * geometry.height * (4 if geometry.spec.bits == 8 else 8)
