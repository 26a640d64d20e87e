"""The coloured frames of a sequence: written in threads, told in their order; and what a killed run goes on from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.outcomes import Outcome, failed, settled
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.sequence_reader import PhotoFrame
from colorize_media.events import Done, Planned, Skipped
from colorize_media.files.first_look import open_regular
from colorize_media.files.whole import keep_mode_and_times, whole_or_absent
from colorize_media.judge.decision import Decision
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import write_colored
from colorize_media.provenance.record import Record

MOST_STATE = 64 << 20  # bytes of what a run remembers; the largest takes a hundredth of it


class InOrder:
    """Outcomes, told in the order of the sequence whoever has them first; a warning that many frames have is told once."""

    def __init__(self, items: Sequence[Planned], settle: Callable[[Outcome], None]) -> None:
        self._settle = settle
        self._items = items
        self._next = 0
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._waiting = {
            place: settled(item) for place, item in enumerate(items) if item.action != "colorize"
        }  # by place

    def put(self, place: int, outcome: Outcome) -> None:
        """Safe from every thread."""
        with self._lock:
            self._waiting[place] = outcome

    def tell(self) -> None:
        """Tell what there is, up to the first that is still on its way. From one thread at a time."""
        while (outcome := self._take()) is not None:
            new = tuple(message for message in outcome.warnings if message not in self._told)
            self._told.update(new)
            self._settle(Outcome(**{**vars(outcome), "warnings": new}))

    def give_up(self, outcome: Callable[[Planned], Outcome]) -> None:
        """Give this outcome to all that have none, and tell them."""
        for place in range(self._next, len(self._items)):
            if place not in self._waiting:
                self.put(place, outcome(self._items[place]))
        self.tell()

    def _take(self) -> Outcome | None:
        with self._lock:
            outcome = self._waiting.pop(self._next, None)
            self._next += outcome is not None
            return outcome


@dataclass(frozen=True)
class GoneTo:
    """How far a run got: a part began at place ``begin``, ``given`` of its frames are done, ``place`` comes next.

    ``size`` is the width and height of the part's frames.

    ``state`` is what the film's loop goes on from.
    """

    begin: int = 0
    place: int = 0
    given: int = 0
    size: tuple[int, int] = (0, 0)
    state: Mapping[str, NDArray[Any]] | None = None


class Remembered:
    """The file beside the frames that says how far a run got; ``job`` is all that the frames' colours depend on."""

    def __init__(self, items: Sequence[Planned], job: Mapping[str, Any]) -> None:
        first = items[0]
        assert first.target is not None
        name = hashlib.sha256(os.fsencode(f"{first.source.parent}\0{first.sequence}")).hexdigest()[:16]
        self.path = first.target.with_name(f".colorize-media-{name}.frames")
        stamps = [(item.source.name, *_stamp(item.source)) for item in items]
        text = json.dumps([dict(job), stamps], sort_keys=True, default=str)
        self._job = np.frombuffer(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), np.uint8)

    def read(self) -> GoneTo:
        """Where an earlier run of the same job was; the beginning where there is none or it cannot be told."""
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError, safetensors.SafetensorError):
            with open_regular(self.path) as file:
                content = file.read(MOST_STATE)
            arrays = safetensors.numpy.load(content)
            if np.array_equal(arrays.pop("job"), self._job):
                begin, place, given, *size = (int(count) for count in arrays.pop("gone to"))
                return GoneTo(begin, place, given, (size[0], size[1]), arrays)
        return GoneTo()

    def write(self, gone: GoneTo) -> None:
        """Replace it, whole. A disk that is full forgets: then the next run begins anew."""
        assert gone.state is not None
        arrays = {name: np.ascontiguousarray(array) for name, array in gone.state.items()}
        arrays["gone to"] = np.array([gone.begin, gone.place, gone.given, *gone.size], np.int64)
        arrays["job"] = self._job
        with contextlib.suppress(OSError), whole_or_absent(self.path) as file:
            file.write(safetensors.numpy.save(arrays))

    def remove(self) -> None:
        """The sequence is done."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return found.st_size, found.st_mtime_ns


class SequenceWriter:
    """What `video.pipeline` writes a part of a sequence to. `close` waits for what is being written, and tells it.

    A frame that an earlier run wrote is not written again: it only passes the network where that must be, so that the
    others come out as they would have. A frame that cannot be written fails alone.
    """

    def __init__(
        self,
        items: Sequence[Planned],
        gone: GoneTo,
        remembered: Remembered,
        told: InOrder,
        *,
        options: ColorizeOptions,
        decision: Decision,
        record_of: Callable[[Path], Record],
        folders: OutputFolders,
        in_flight: InFlight,
        threads: int,
    ) -> None:
        self.frames = gone.given
        self.position = Fraction(0)
        self._items, self._gone, self._remembered, self._told = items, gone, remembered, told
        self._options, self._decision, self._record_of = options, decision, record_of
        self._folders, self._in_flight = folders, in_flight
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="frames")
        self._threads = threads
        self._writing: deque[tuple[int, Future[Outcome]]] = deque()
        self._place, self._size = gone.place, gone.size

    def state(self) -> dict[str, NDArray[Any]]:
        """What the loop goes on from; empty at a part's beginning."""
        return dict(self._gone.state or {})

    def write(self, frame: PhotoFrame, chroma: NDArray[Any]) -> None:
        """Hand a frame on to the threads; waits where they have enough."""
        self._place, self._size = frame.place + 1, frame.photo.size
        self.frames += 1
        if self._items[frame.place].action == "colorize":
            codes = chroma.astype(frame.luma.dtype)  # whole ones: half the memory
            self._writing.append((frame.place, self._pool.submit(self._outcome, frame, codes)))
        self._take(self._threads)

    def end_segment(self, state: Mapping[str, NDArray[Any]]) -> None:
        """All frames so far are on the disk, and the next run need not do them again."""
        self._take(0)
        self._remembered.write(GoneTo(self._gone.begin, self._place, self.frames, self._size, state))

    def close(self) -> None:
        """Wait for what is being written, and tell it."""
        self._take(0)
        self._pool.shutdown()

    def _take(self, most: int) -> None:
        """Wait until at most so many are being written; tell what is done."""
        while len(self._writing) > most or (self._writing and self._writing[0][1].done()):
            place, writing = self._writing.popleft()
            self._told.put(place, writing.result())
        self._told.tell()

    def _outcome(self, frame: PhotoFrame, chroma: NDArray[Any]) -> Outcome:
        item = self._items[frame.place]
        try:
            with self._in_flight.working_on(item):
                return self._written(item, frame, chroma)
        except Exception as error:
            return failed(item, error, frame.source, frame.photo.warnings)

    def _written(self, item: Planned, frame: PhotoFrame, chroma: NDArray[Any]) -> Outcome:
        assert item.target is not None
        begun = time.monotonic()
        if not item.replaces and os.path.lexists(item.target):
            return Outcome(item, Skipped(item.source, "the output has come to be there meanwhile"))
        reason = self._decision.told
        told: dict[str, Any] | None = None
        warnings: tuple[str, ...] = ()
        if chroma.size:
            self._folders.make(item)
            record = self._record_of(item.source)
            told = record.as_json()
            warnings = write_colored(frame.photo, chroma, item.target, self._options, record)
        else:
            if item.source.suffix.lower() != item.target.suffix.lower():
                return Outcome(item, Skipped(item.source, "its shot is in colour already", "color"), frame.source)
            self._folders.make(item)
            with whole_or_absent(item.target) as file, item.source.open("rb") as source:
                shutil.copyfileobj(source, file)
            reason = "its shot is in colour already: copied as it is"
        warnings = (*frame.photo.warnings, *warnings)
        if why := keep_mode_and_times(frame.source, item.target):
            warnings += (f"permissions and times could not be kept: {why}",)
        seconds = time.monotonic() - begun
        done = Done(item.source, item.target, 1, seconds, reason=reason, what=self._decision.what, record=told)
        return Outcome(item, done, frame.source, warnings)
