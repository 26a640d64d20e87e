"""The one frame loop: colorize_video(). A photograph's way is in stills.py.

A film runs through three threads joined by bounded queues: decoding (and shrinking the luma), network and smoothing (the
caller's thread), chroma planes and encoding. Each hands on frames in order; an exception in any of them stops the others
and is raised in the caller. Memory: at most `QUEUE_BYTES` of decoded frames per queue and `HELD_BYTES` (or three frames)
that wait for the smoother, whatever the film's length.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color import YCbCrSpec, chroma_table
from colorize_media.colorizer import Colorizer, lightness_batch, working_luma, working_shape
from colorize_media.errors import UnsupportedMedia
from colorize_media.events import Advanced, Done, OnEvent, Skipped, Started, Warned, ignore
from colorize_media.monochrome import decide
from colorize_media.options import ColorizeOptions
from colorize_media.shots import CutDetector, DissolveDetector
from colorize_media.smoothing import SmoothingInput, make_smoother
from colorize_media.stills import Result
from colorize_media.video import Frame, Passthrough, Reader, VideoGeometry
from colorize_media.video_writer import EncoderSettings, Writer

QUEUE_BYTES = 192 * 2**20  # decoded frames waiting in one queue; 4K 4:2:0 8 bit takes 12 MB a frame
HELD_BYTES = 384 * 2**20  # decoded frames that wait for the smoother's look-ahead; it shrinks for 4K and more
MOST_QUEUED = 64  # frames; more only delays an interrupt
SAMPLES = 8  # frames looked at to tell a black-and-white film from a coloured one
ADVANCE_EVERY = 0.2  # seconds between progress events


def colorize_video(
    source: Path, target: Path, colorizer: Colorizer, options: ColorizeOptions, on_event: OnEvent = ignore
) -> Result:
    """Colour one film; returns Done, or Skipped if its frames have colour already (unless ``options.force``).

    Every frame keeps its Y plane and its time; other streams are copied. Raises a FileProblem or EnvironmentProblem; then
    there is no output. ``on_event`` gets Started, Advanced and Warned; telling the result is the caller's.
    """
    begun = time.monotonic()
    with Reader(source) as reader:
        geometry = reader.geometry
        if geometry.width * geometry.height > options.max_pixels:
            raise UnsupportedMedia(
                "the picture is too large",
                path=source,
                why=f"{geometry.width}×{geometry.height} is more than {options.max_pixels:,} pixels",
                hint="raise --max-pixels if you trust the file",
            )
        samples = reader.sample(SAMPLES)  # none, if the film is damaged in all those places
        verdict = decide(samples, film=True) if samples else None
        if verdict and verdict.kind == "color" and not options.force:
            return Skipped(source, f"already in colour: {verdict.reason}")
        note = f"{verdict.kind}: {verdict.reason}" if verdict else "no frame to judge by"
        settings = EncoderSettings(options.encoder, options.crf, options.preset)
        with Writer(target, reader, settings) as writer:
            on_event(Started(source, target, "video", reader.frames_estimate, note))
            loop = _FilmLoop(reader, writer, colorizer, options, on_event)
            loop.run()
        for message in (*reader.warnings, *writer.warnings):
            on_event(Warned(source, message))
        if reader.damaged:
            on_event(Warned(source, f"{reader.damaged} damaged frames or packets"))
        return Done(source, target, loop.frames, time.monotonic() - begun, reader.damaged)


@dataclass(frozen=True)
class _Decoded:
    """A frame on its way to the network; ``small`` is its upright working luma in codes."""

    frame: Frame
    small: NDArray[np.float32]


@dataclass(frozen=True)
class _Colored:
    """A frame on its way to the encoder; ``ab (h, w, 2)`` is upright, on the coarse grid."""

    frame: Frame
    ab: NDArray[np.float32]


class _Stopped(Exception):
    """Another thread failed or the caller was interrupted: leave quietly."""


class _FilmLoop:
    """The threads of one film. `run` returns when all frames are encoded, or raises what stopped it."""

    def __init__(
        self, reader: Reader, writer: Writer, colorizer: Colorizer, options: ColorizeOptions, on_event: OnEvent
    ) -> None:
        geometry = reader.geometry
        self.frames = 0
        self._reader = reader
        self._writer = writer
        self._colorizer = colorizer
        self._options = options
        self._on_event = on_event
        self._geometry = geometry
        self._shape = upright_shape(geometry, options.working_size)
        waiting = max(2, min(MOST_QUEUED, QUEUE_BYTES // _frame_bytes(geometry)))
        self._decoded: queue.Queue[_Decoded | Passthrough | None] = queue.Queue(waiting)
        self._colored: queue.Queue[_Colored | Passthrough | None] = queue.Queue(waiting)
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
        quarter_turns = self._geometry.rotation // 90
        lying = self._shape[::-1] if quarter_turns % 2 else self._shape
        for item in self._reader:
            if isinstance(item, Frame):
                small = np.ascontiguousarray(np.rot90(working_luma(item.luma, lying), -quarter_turns))
                self._put(self._decoded, _Decoded(item, small))
            else:
                self._put(self._decoded, item)
        self._put(self._decoded, None)

    def _color(self) -> None:
        """Batches through the network, then frame by frame through the smoother. Other packets overtake at most those."""
        smoother = make_smoother(self._options.smoothing, HELD_BYTES // _frame_bytes(self._geometry))
        cuts, dissolves = CutDetector(), DissolveDetector()
        batch: list[_Decoded] = []
        held: deque[Frame] = deque()  # frames whose colours the smoother still keeps

        def hand_on(colors: list[NDArray[np.float32]]) -> None:
            for ab in colors:
                self._put(self._colored, _Colored(held.popleft(), ab))

        def color_batch() -> None:
            lightness = lightness_batch([item.small for item in batch], self._geometry.spec)
            colors = self._colorizer.colors(lightness, vividness=self._options.vividness, refine=self._options.refine)
            for item, ab in zip(batch, colors, strict=True):
                luma = luma_bytes(item.small, self._geometry.spec)
                held.append(item.frame)
                cut = cuts.is_cut(luma)
                hand_on(smoother.push(SmoothingInput(ab, luma, cut, dissolves.is_mixing(luma, cut=cut))))
            batch.clear()

        while (item := self._get(self._decoded)) is not None:
            if isinstance(item, Passthrough):
                self._put(self._colored, item)
                continue
            batch.append(item)
            if len(batch) >= self._colorizer.batch_size:
                color_batch()
        if batch:
            color_batch()
        hand_on(smoother.flush())
        self._put(self._colored, None)

    def _encode(self) -> None:
        geometry = self._geometry
        table = chroma_table(geometry.spec.matrix)
        size = (geometry.chroma_width, geometry.chroma_height)
        while (item := self._get(self._colored)) is not None:
            if isinstance(item, Passthrough):
                self._writer.pass_through(item)
                continue
            lying = np.ascontiguousarray(np.rot90(item.ab, geometry.rotation // 90))
            ab: NDArray[Any] = cv2.resize(lying, size, interpolation=cv2.INTER_CUBIC)
            luma = item.frame.luma
            if luma.shape[::-1] != size:
                luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
            self._writer.write(item.frame, table.planes(luma, ab, geometry.spec))
            self.frames += 1
            self._tell(item.frame.pts * item.frame.time_base)

    def _tell(self, position: Fraction) -> None:
        now = time.monotonic()
        if now - self._told >= ADVANCE_EVERY:
            self._told = now
            self._on_event(Advanced(self._reader.path, self.frames, position))


def upright_shape(geometry: VideoGeometry, short_side: int) -> tuple[int, int]:
    """Working size of the film as it is shown: turned upright, with square pixels."""
    width = geometry.width * (geometry.sample_aspect_ratio or 1)
    height, width = (geometry.height, round(width)) if geometry.rotation % 180 == 0 else (round(width), geometry.height)
    return working_shape(height, width, short_side)


def _frame_bytes(geometry: VideoGeometry) -> int:
    """What one waiting frame holds: the decoder's picture and our copy of its luma, at most 4:4:4."""
    return geometry.width * geometry.height * (4 if geometry.spec.bits == 8 else 8)


def luma_bytes(luma: NDArray[np.float32], spec: YCbCrSpec) -> NDArray[np.uint8]:
    """Working luma in codes to uint8 from black to white, as flow and cut detection want it."""
    scaled = (luma - spec.luma_offset) * (255.0 / spec.luma_scale)
    as_bytes: NDArray[np.uint8] = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
    return as_bytes
