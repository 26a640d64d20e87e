"""Many photographs at once: codecs in worker threads, the network in the caller's, in batches of equal shapes.

Pictures are admitted in the order of the plan as long as what they will need at most, by their headers, fits a budget of
memory; one that exceeds it goes alone. Outcomes are handed out in the order of the plan too. Workers say what they have
done in messages and in no other way; all that the queue knows is the caller's thread's alone.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_media.archive.budget import default_budget, memory_needed
from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.outcomes import Outcome, failed
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.photo_steps import Decoded, PhotoSteps, Reading, Settled, Waiting
from colorize_media.archive.workers import PATIENCE, Workers, default_workers
from colorize_media.errors import InputUnreadable
from colorize_media.events import OnEvent, Planned
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import PreparedPages, PreparedPhoto, photo_colors, photo_record, started

FIRST_BATCH = 4  # pictures waited for until the network is loaded and says its own batch
READING_SECONDS = 900.0  # a decoder that has a picture longer hangs: the largest allowed takes a minute
_ENCODE, _DECODE = 0, 1  # what is to be written goes first: it frees memory

Message: TypeAlias = Reading | Decoded | Settled
Item: TypeAlias = Planned | Outcome


class PhotoQueue:
    """Colours planned photographs. `run` once or several times; then `close`.

    ``get_colorizer`` is asked when the first picture is ready; what it raises ends the run. ``workers`` and ``budget``
    (bytes) 0 are `default_workers` and `default_budget`. ``on_event`` gets Started, from the caller's thread. ``in_flight``
    is told what is in a decoder or encoder; a picture that is in its decoder for longer than ``reading_seconds`` is given up.
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
        reading_seconds: float = READING_SECONDS,
    ) -> None:
        self._get_colorizer = get_colorizer
        self._options = options
        self._on_event = on_event
        self._in_flight = in_flight
        self._budget = budget or default_budget()
        self._reading_seconds = reading_seconds
        self._batch = options.batch_size or FIRST_BATCH
        self._steps = PhotoSteps(options, folders, in_flight, self._post)
        self._workers = Workers[Decoded | Settled](workers or default_workers(), self._post)
        # What workers write: both are safe from several threads.
        self._messages: deque[Message] = deque()
        self._arrived = threading.Event()
        # What is on its way, holding so many bytes, and what has come of it: the caller's thread alone.
        self._decoding: dict[Waiting, Reading | None] = {}  # with when its decoder began, once that is known
        self._ready: dict[tuple[tuple[int, ...], ...], list[Decoded]] = {}  # by shapes, the oldest first
        self._encoding: set[Waiting] = set()
        self._held = 0
        self._outcomes: dict[int, Outcome] = {}  # by place in the order of the plan
        self._admitted = self._told = 0  # places
        Image.init()  # not in several threads at once

    def run(self, items: Iterable[Item], on_outcome: Callable[[Outcome], None]) -> None:
        """Colour all of them; outcomes among the items pass through in their place.

        After an interrupt, what is being decoded or written is waited for and handed out; a second one ends the waiting.
        """
        coming = _Peekable(self._reckoned(items))
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # the workers keep the cores busy
        try:
            while True:
                self._admit(coming)
                self._tell(on_outcome)
                if self._color_batch():
                    continue
                if self._decoding or self._encoding:
                    self._receive()
                elif coming.peek() is None:
                    return
        except BaseException:
            self._workers.cancel()
            self._take_messages()
            for place in sorted(self._outcomes):
                on_outcome(self._outcomes[place])
            raise
        finally:
            cv2.setNumThreads(threads)

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    def _post(self, message: Message) -> None:
        """Tell the caller's thread something, from any other."""
        self._messages.append(message)
        self._arrived.set()

    # --- the caller's thread: what comes in and goes out

    def _reckoned(self, items: Iterable[Item]) -> Iterator[tuple[Item, int]]:
        """Each with the bytes it needs."""
        for item in items:
            yield item, 0 if isinstance(item, Outcome) else self._needs(item)

    def _needs(self, item: Planned) -> int:
        """What may have brought down an earlier run goes alone, and its header is not read here."""
        if self._in_flight.is_suspect(item):
            return self._budget
        with self._in_flight.working_on(item):
            return memory_needed(item.source, self._options.max_pixels)

    def _admit(self, coming: _Peekable) -> None:
        while (found := coming.peek()) is not None:
            item, needs = found
            if isinstance(item, Outcome):
                self._outcomes[self._admitted] = item
            elif self._has_room(needs):
                self._begin(item, needs)
            else:
                return
            coming.take()
            self._admitted += 1

    def _has_room(self, needs: int) -> bool:
        on_its_way = len(self._decoding) + len(self._encoding) + sum(map(len, self._ready.values()))
        if not on_its_way:
            return True
        return self._held + needs <= self._budget and on_its_way < 2 * (self._workers.count + self._batch)

    def _begin(self, item: Planned, needs: int) -> None:
        assert item.target is not None  # as of all that is planned to be coloured
        waiting = Waiting(self._admitted, item, item.target, needs, time.monotonic())
        self._held += needs
        self._decoding[waiting] = None
        self._workers.submit(_DECODE, partial(self._steps.decode, waiting))

    def _settle(self, settled: Settled) -> None:
        self._outcomes[settled.waiting.place] = settled.outcome
        self._held -= settled.waiting.needs

    def _tell(self, on_outcome: Callable[[Outcome], None]) -> None:
        """Hand out what is next in order. An interrupt in the midst of it tells it again: better twice than never."""
        while (outcome := self._outcomes.get(self._told)) is not None:
            on_outcome(outcome)
            del self._outcomes[self._told]
            self._told += 1

    # --- the caller's thread: what workers say

    def _receive(self) -> None:
        """Wait until a worker has finished with some picture, or has to be given up."""
        finished = False
        while not finished:
            if self._arrived.wait(PATIENCE):
                self._arrived.clear()
                finished = self._take_messages()
            else:
                finished = self._give_up()

    def _take_messages(self) -> bool:
        """All that are there; whether a picture is further. A message goes only then, so an interrupt loses none."""
        finished = False
        while self._messages:
            finished |= self._take(self._messages[0])
            self._messages.popleft()
        return finished

    def _take(self, message: Message) -> bool:
        waiting = message.waiting
        if waiting not in self._decoding and waiting not in self._encoding:
            return False  # it has been given up
        if isinstance(message, Reading):
            self._decoding[waiting] = message
            return False
        if isinstance(message, Decoded):
            self._ready.setdefault(message.prepared.shapes, []).append(message)
        else:
            self._settle(message)
        self._decoding.pop(waiting, None)
        self._encoding.discard(waiting)
        return True

    def _give_up(self) -> bool:
        """Do without what a decoder does not come back from; whether there was any."""
        now = time.monotonic()
        late = [
            reading for reading in self._decoding.values() if reading and now - reading.since > self._reading_seconds
        ]
        for reading in late:
            waiting = reading.waiting
            error = InputUnreadable(
                "reading the file does not end",
                path=waiting.item.source,
                why=f"not in {self._reading_seconds / 60:.0f} minutes",
                hint="check the disk; convert the file with another program",
            )
            self._settle(Settled(waiting, failed(waiting.item, error, reading.source)))
            del self._decoding[waiting]
            self._workers.replace_one()
        return bool(late)

    # --- the caller's thread: the network

    def _color_batch(self) -> bool:
        """Take the next batch through the network and have it written; whether there was one."""
        batch = self._next_batch()
        if not batch:
            return False
        colorizer = self._get_colorizer()
        self._batch = colorizer.batch_size
        begun = [decoded for decoded in batch if self._tell_start(decoded)]
        for decoded in begun:
            if isinstance(decoded.prepared, PreparedPages):
                self._settle(self._steps.write_pages(decoded, decoded.prepared, colorizer))
        photos = [(decoded, photo) for decoded in begun if isinstance(photo := decoded.prepared, PreparedPhoto)]
        colors = self._colors([photo for _, photo in photos], colorizer)
        for (decoded, photo), ab in zip(photos, colors, strict=True):
            if isinstance(ab, Exception):
                self._settle(decoded.failed(ab))
            else:
                self._encoding.add(decoded.waiting)
                record = photo_record(colorizer, self._options, decoded.waiting.item.source)
                self._workers.submit(_ENCODE, partial(self._steps.write, decoded, photo, ab, record))
        return True

    def _next_batch(self) -> list[Decoded]:
        """A full batch; or the oldest shape's pictures, if they have waited long or nothing else would come."""
        if not self._ready:
            return []
        full = next((shape for shape, some in self._ready.items() if len(some) >= self._batch), None)
        many = sum(map(len, self._ready.values())) >= 2 * self._batch
        if full is None and not many and self._decoding:
            return []
        shape = full or next(iter(self._ready))
        some = self._ready.pop(shape)
        if some[self._batch :]:
            self._ready[shape] = some[self._batch :]
        return some[: self._batch]

    def _tell_start(self, decoded: Decoded) -> bool:
        """Whether it may go on: a listener that raises ends the picture."""
        try:
            waiting = decoded.waiting
            self._on_event(started(decoded.prepared, waiting.item.source, waiting.target))
        except Exception as error:
            self._settle(decoded.failed(error))
            return False
        return True

    def _colors(self, photos: Sequence[PreparedPhoto], colorizer: Colorizer) -> list[NDArray[np.float32] | Exception]:
        """Of pictures of equal shapes. What fails in a batch is tried alone, so one picture's trouble stays its own."""
        try:
            return list(photo_colors(photos, colorizer, self._options)) if photos else []
        except Exception as error:
            if len(photos) == 1:
                return [error]
            return [ab for photo in photos for ab in self._colors([photo], colorizer)]


class _Peekable:
    """An iterator whose next item can be looked at."""

    def __init__(self, items: Iterator[tuple[Item, int]]) -> None:
        self._items = items
        self._next: tuple[Item, int] | None = None

    def peek(self) -> tuple[Item, int] | None:
        """The next item, None at the end."""
        if self._next is None:
            self._next = next(self._items, None)
        return self._next

    def take(self) -> None:
        """Go on to the one after it."""
        self._next = None
