"""Many photographs at once: codecs in worker threads, the network in the caller's, in batches of equal shapes.

Decoders and encoders release Python's lock, so threads suffice, and pictures need not be copied between processes.
Pictures are admitted in the order of the plan as long as what they will need at most, by their headers, fits a budget of
memory; one that exceeds it goes alone. Outcomes are handed out in the order of the plan too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import stat
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.outcomes import Outcome, unexpected
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.errors import InputUnreadable
from colorize_media.events import Done, OnEvent, Planned, Skipped, Started
from colorize_media.files.first_look import heif_pixels
from colorize_media.files.formats import RAW_SUFFIXES
from colorize_media.files.whole import keep_mode_and_times
from colorize_media.machine import memory_bytes, usable_cores
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import (
    PreparedPages,
    PreparedPhoto,
    color_pages,
    finish_photo,
    photo_colors,
    prepare_photo,
)
from colorize_media.photo.quiet import quiet_decoders

# Bytes per pixel at the worst moment of a picture's way: on 12 megapixels 10 were measured for JPEG, 32 for PNG with 16-bit
# colours and alpha, their files included.
BYTES_PER_PIXEL = 16
BYTES_PER_DEEP_PIXEL = 40
RAW_PIXELS_PER_BYTE = 2  # at most: lossy raw has about 5 bits per pixel
FILE_COPIES = 3  # of the source's own bytes
BUDGET_SHARE = 1 / 4  # of the machine's memory
LEAST_BUDGET, MOST_BUDGET = 512 << 20, 4 << 30  # bytes
_PAGES_LOOKED_AT = 100  # of a TIFF file, for the largest
FIRST_BATCH = 4  # pictures waited for until the network is loaded and says its own batch
READING_SECONDS = 900.0  # a decoder that has a picture longer hangs: the largest allowed takes a minute
_ENCODE, _DECODE, _LAST = 0, 1, 2  # what is to be written goes first: it frees memory
_PATIENCE = 0.5  # seconds between looks at an interrupt, where waiting cannot be interrupted


@dataclass(eq=False)
class _Job:
    item: Planned
    needs: int = 0
    begun: float = field(default_factory=time.monotonic)
    reading: float = 0.0  # since when a decoder has it
    given_up: bool = False
    source: os.stat_result | None = None
    prepared: PreparedPhoto | PreparedPages | None = None
    warnings: tuple[str, ...] = ()
    outcome: Outcome | None = None


def memory_needed(path: Path, max_pixels: int) -> int:
    """Bytes that one picture takes at most on its way, from its header; what cannot be read takes its file's size."""
    size = 0
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            return 0
        size = found.st_size
        if path.suffix.lower() in RAW_SUFFIXES:
            return min(RAW_PIXELS_PER_BYTE * size, max_pixels) * BYTES_PER_DEEP_PIXEL + FILE_COPIES * size
        if pixels := heif_pixels(path):
            return min(pixels, max_pixels) * BYTES_PER_DEEP_PIXEL + FILE_COPIES * size
        with quiet_decoders(), Image.open(path) as image:
            pixels = image.width * image.height
            if image.format == "TIFF":
                for page in range(1, min(getattr(image, "n_frames", 1), _PAGES_LOOKED_AT)):
                    image.seek(page)
                    pixels = max(pixels, image.width * image.height)
            deep = image.mode.startswith(("I", "F")) or _says_16_bits(image)
    except Exception:  # whatever is wrong, reading it will tell
        return FILE_COPIES * size
    return min(pixels, max_pixels) * (BYTES_PER_DEEP_PIXEL if deep else BYTES_PER_PIXEL) + FILE_COPIES * size


def _says_16_bits(image: Image.Image) -> bool:
    """Pillow's mode hides 16-bit R′G′B′."""
    if image.format in ("PNG", "JPEG2000"):
        return image.format == "JPEG2000" or any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    bits = getattr(image, "tag_v2", {}).get(258, 8)
    return bool(max(bits) > 8 if isinstance(bits, tuple) else bits > 8)


def default_budget() -> int:
    """A quarter of the machine's memory, within limits."""
    return int(min(max((memory_bytes() or 0) * BUDGET_SHARE, LEAST_BUDGET), MOST_BUDGET))


def default_workers() -> int:
    """One per core that this process may use, and two at least: one waits for the disk."""
    return max(2, usable_cores())


class PhotoQueue:
    """Colours planned photographs. `run` once or several times; then `close`.

    ``get_colorizer`` is asked when the first picture is ready; what it raises ends the run. ``workers`` and ``budget``
    (bytes) 0 are the defaults above. ``on_event`` gets Started, from the caller's thread. ``in_flight`` is told what is in
    a decoder or encoder.
    """

    def __init__(
        self,
        get_colorizer: Callable[[], Colorizer],
        options: ColorizeOptions,
        folders: OutputFolders,
        on_event: OnEvent,
        in_flight: InFlight,
        *,
        workers: int = 0,
        budget: int = 0,
    ) -> None:
        self._get_colorizer = get_colorizer
        self._options = options
        self._folders = folders
        self._on_event = on_event
        self._in_flight = in_flight
        self._budget = budget or default_budget()
        self._workers = _Workers(workers or default_workers())
        self._batch = options.batch_size or FIRST_BATCH
        self._messages: queue.SimpleQueue[tuple[int, _Job]] = queue.SimpleQueue()
        self._order: deque[_Job] = deque()  # all that are not handed out yet
        self._ready: dict[tuple[tuple[int, ...], ...], list[_Job]] = {}  # decoded, by shapes, the oldest first
        self._working = {_DECODE: 0, _ENCODE: 0}
        self._held = 0  # bytes of what is on its way
        Image.init()  # not in several threads at once

    def run(self, items: Iterable[Planned | Outcome], on_outcome: Callable[[Outcome], None]) -> None:
        """Colour all of them; outcomes among the items pass through in their place.

        After an interrupt, what is being decoded or written is waited for and handed out; a second one ends the waiting.
        """
        waiting = _Peekable(items)
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # the workers keep the cores busy
        try:
            while True:
                self._admit(waiting)
                while self._order and (outcome := self._order[0].outcome) is not None:
                    on_outcome(outcome)  # an interrupt in the midst of it tells it again: better twice than never
                    self._order.popleft()
                if batch := self._next_batch():
                    self._color(batch)
                elif any(self._working.values()):
                    self._receive()
                elif waiting.peek() is None:
                    return
        except BaseException:
            self._workers.cancel()
            self._receive(wait=False)
            for job in self._order:
                if job.outcome is not None:
                    on_outcome(job.outcome)
            raise
        finally:
            cv2.setNumThreads(threads)

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    # --- the caller's thread

    def _admit(self, waiting: _Peekable) -> None:
        while (item := waiting.peek()) is not None:
            if isinstance(item, Outcome):
                waiting.take()
                self._order.append(_Job(item.item, outcome=item))
                continue
            on_the_way = sum(self._working.values()) + sum(map(len, self._ready.values()))
            needs = self._needs(item)
            full = self._held + needs > self._budget or on_the_way >= 2 * (self._workers.count + self._batch)
            if on_the_way and full:
                return
            waiting.take()
            job = _Job(item, needs)
            self._order.append(job)
            self._held += needs
            self._start(_DECODE, job, self._prepare)

    def _needs(self, item: Planned) -> int:
        """What may have brought down an earlier run goes alone, and its header is not read here."""
        if self._in_flight.is_suspect(item):
            return self._budget
        with self._in_flight.working_on(item):
            return memory_needed(item.source, self._options.max_pixels)

    def _start(self, stage: int, job: _Job, work: Callable[[_Job], Outcome | None]) -> None:
        """Have a worker do a part of a job; its bug ends the job, not the run."""

        def guarded() -> None:
            try:
                with self._in_flight.working_on(job.item):
                    outcome = work(job)
                if not job.given_up:
                    job.outcome = outcome
            except Exception as error:
                self._fail(job, error)
            self._messages.put((stage, job))

        self._working[stage] += 1
        self._workers.submit(stage, guarded)

    def _receive(self, *, wait: bool = True) -> None:
        """Take what workers have finished; with ``wait``, at least one."""
        while True:
            try:
                stage, job = self._messages.get(block=wait, timeout=_PATIENCE)
            except queue.Empty:
                if wait and not self._give_up():
                    continue
                return
            if job.given_up:
                continue
            wait = False
            self._working[stage] -= 1
            if job.outcome is not None:
                self._release(job)
            else:
                assert job.prepared is not None
                self._ready.setdefault(job.prepared.shapes, []).append(job)

    def _give_up(self) -> bool:
        """Do without what a decoder does not come back from; whether there was any."""
        now = time.monotonic()
        late = [
            job for job in self._order if (since := job.reading) and now - since > READING_SECONDS and not job.given_up
        ]
        for job in late:
            job.given_up = True
            error = InputUnreadable(
                "reading the file does not end",
                path=job.item.source,
                why=f"not in {READING_SECONDS / 60:.0f} minutes",
                hint="check the disk; convert the file with another program",
            )
            job.outcome = Outcome(job.item, error, job.source)
            self._working[_DECODE] -= 1
            self._release(job)
            self._workers.replace_one()
        return bool(late)

    def _next_batch(self) -> list[_Job]:
        """A full batch; or the oldest shape's pictures, if they have waited long or nothing else would come."""
        if not self._ready:
            return []
        full = next((shape for shape, jobs in self._ready.items() if len(jobs) >= self._batch), None)
        many = sum(map(len, self._ready.values())) >= 2 * self._batch
        if full is None and not many and self._working[_DECODE]:
            return []
        shape = full or next(iter(self._ready))
        jobs = self._ready.pop(shape)
        if jobs[self._batch :]:
            self._ready[shape] = jobs[self._batch :]
        return jobs[: self._batch]

    def _color(self, batch: list[_Job]) -> None:
        colorizer = self._get_colorizer()
        self._batch = colorizer.batch_size
        for job in batch:
            assert job.prepared is not None
            assert job.item.target is not None
            try:
                self._on_event(Started(job.item.source, job.item.target, "photo", 1, job.prepared.note))
            except Exception as error:
                self._fail(job, error)
                self._release(job)
        jobs = [job for job in batch if job.outcome is None and not self._color_pages(job, colorizer)]
        for job, ab in zip(jobs, self._colors(jobs, colorizer), strict=True):
            if isinstance(ab, Exception):
                self._fail(job, ab)
                self._release(job)
            else:
                self._start(_ENCODE, job, partial(self._finish, partial(self._write, ab)))

    def _color_pages(self, job: _Job, colorizer: Colorizer) -> bool:
        """Colour a file of several pages here and now, if it is one: the network is needed page by page."""
        prepared = job.prepared
        if not isinstance(prepared, PreparedPages):
            return False
        try:
            job.outcome = self._finish(lambda _, target: color_pages(prepared, colorizer, target, self._options), job)
        except Exception as error:
            self._fail(job, error)
        self._release(job)
        return True

    def _colors(self, jobs: list[_Job], colorizer: Colorizer) -> list[NDArray[np.float32] | Exception]:
        """What fails in a batch is tried alone, so that one picture's trouble stays its own."""
        prepared = [job.prepared for job in jobs if isinstance(job.prepared, PreparedPhoto)]
        try:
            return list(photo_colors(prepared, colorizer, self._options)) if prepared else []
        except Exception as error:
            if len(jobs) == 1:
                return [error]
            return [color for job in jobs for color in self._colors([job], colorizer)]

    def _release(self, job: _Job) -> None:
        self._held -= job.needs
        job.prepared = None

    # --- worker threads

    def _prepare(self, job: _Job) -> Outcome | None:
        item = job.item
        assert item.target is not None
        with contextlib.suppress(OSError, ValueError):  # reading it says what is wrong
            job.source = item.source.stat()
        if not item.replaces and os.path.lexists(item.target):
            return Outcome(item, Skipped(item.source, "the output has come to be there meanwhile"), None)
        self._in_flight.examine(item, self._options)
        job.reading = time.monotonic()
        try:
            prepared = prepare_photo(item.source, self._options)
        finally:
            job.reading = 0.0
        if isinstance(prepared, Skipped):
            return Outcome(item, prepared, job.source)
        job.prepared, job.warnings = prepared, prepared.warnings
        return None

    def _write(self, ab: NDArray[np.float32], job: _Job, target: Path) -> tuple[str, ...]:
        assert isinstance(job.prepared, PreparedPhoto)
        return finish_photo(job.prepared, ab, target, self._options)

    def _finish(self, write: Callable[[_Job, Path], tuple[str, ...]], job: _Job) -> Outcome:
        item = job.item
        assert item.target is not None
        self._folders.make(item)
        job.warnings += write(job, item.target)
        if job.source is not None and (why := keep_mode_and_times(job.source, item.target)):
            job.warnings += (f"permissions and times could not be kept: {why}",)
        done = Done(item.source, item.target, 1, time.monotonic() - job.begun)
        return Outcome(item, done, job.source, job.warnings)

    def _fail(self, job: _Job, error: Exception) -> None:
        if job.given_up:
            return
        trace = "".join(traceback.format_exception(error))
        job.outcome = Outcome(job.item, unexpected(job.item, error), job.source, job.warnings, trace)


class _Workers:
    """Threads that take the most urgent work first. One that hangs in a decoder dies with the program."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._tasks: queue.PriorityQueue[tuple[int, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._serial = itertools.count()
        self._threads = [
            threading.Thread(target=self._work, name=f"photo-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, priority: int, task: Callable[[], None]) -> None:
        """Have it done by some thread."""
        self._tasks.put((priority, next(self._serial), task))

    def replace_one(self) -> None:
        """One thread is lost in a decoder; another takes its place."""
        self._threads.append(threading.Thread(target=self._work, name=f"photo-{len(self._threads)}", daemon=True))
        self._threads[-1].start()

    def cancel(self) -> None:
        """Forget what is not begun, and wait for what is."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
                self._tasks.task_done()
        while self._tasks.unfinished_tasks:
            time.sleep(0.02)  # unlike join(), an interrupt ends it

    def close(self) -> None:
        """End the threads. They have nothing to do any more, but after a second interrupt: then they are not waited for.

        A thread that is still there when Python ends is torn out of the C++ it sleeps in, and that aborts the program.
        """
        for _ in self._threads:
            self._tasks.put((_LAST, next(self._serial), None))
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _work(self) -> None:
        while True:
            _, _, task = self._tasks.get()
            try:
                if task is None:
                    return
                task()
            finally:
                self._tasks.task_done()


class _Peekable:
    """An iterator whose next item can be looked at."""

    def __init__(self, items: Iterable[Planned | Outcome]) -> None:
        self._items = iter(items)
        self._next: Planned | Outcome | None = None

    def peek(self) -> Planned | Outcome | None:
        """The next item, None at the end."""
        if self._next is None:
            self._next = next(self._items, None)
        return self._next

    def take(self) -> None:
        """Go on to the one after it."""
        self._next = None
