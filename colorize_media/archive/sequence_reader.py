"""The frames of a sequence as `video.pipeline` wants them: photographs, decoded ahead in threads, with a frame's time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.outcomes import Outcome, failed
from colorize_media.errors import UnsupportedMedia
from colorize_media.events import Planned
from colorize_media.files.first_look import state_of
from colorize_media.options import ColorizeOptions
from colorize_media.photo.pages import read_photo
from colorize_media.photo.picture import Photo
from colorize_media.video.geometry import VideoGeometry


@dataclass(frozen=True, eq=False)
class PhotoFrame:
    """One frame: ``place`` is its item's in the sequence, ``index`` counts those that could be read; ``source`` as it was.

    Its time is ``pts * time_base`` seconds: its number, counted from the sequence's first.
    """

    photo: Photo
    pts: int
    time_base: Fraction
    index: int
    place: int
    source: os.stat_result

    @property
    def luma(self) -> NDArray[Any]:
        """``(H, W)`` in codes of the photograph's spec, upright."""
        return self.photo.luma


_Read: TypeAlias = tuple[int, Photo, os.stat_result]


class SequenceReader:
    """Frames from ``start`` on, a place in ``items``, as long as they have one size and depth; ``end`` is where that ends.

    ``index`` is the first one's. Files planned as ``fail`` are left out; one that cannot be read is told to ``on_failed``,
    from whichever thread reads. ``ahead`` files are decoded at once. `close` it at the end.

    geometry  of the first frame that can be read; asking for it raises LookupError where there is none (see `is_empty`)
    """

    def __init__(
        self,
        items: Sequence[Planned],
        options: ColorizeOptions,
        in_flight: InFlight,
        on_failed: Callable[[int, Outcome], None],
        *,
        start: int,
        index: int,
        ahead: int,
    ) -> None:
        assert options.image_sequence is not None
        self.path = items[0].source.with_name(items[0].sequence)
        self.first_index = index
        self.end = len(items)
        self.can_be_colored = True  # even where the first frame is grey
        self._items, self._options, self._in_flight, self._on_failed = items, options, in_flight, on_failed
        self._time_base = 1 / options.image_sequence
        self._pool = ThreadPoolExecutor(ahead, thread_name_prefix="frames")
        self._ahead = ahead
        self._reading = self._read_on(start)
        self._first = next(self._reading, None)

    @property
    def is_empty(self) -> bool:
        """Whether no frame from the start on can be read."""
        return self._first is None

    @property
    def geometry(self) -> VideoGeometry:
        """Upright, with chroma at full resolution, as photographs have it."""
        if self._first is None:
            raise LookupError("no frame can be read")
        photo = self._first[1]
        (width, height), deep = photo.size, photo.spec.bits > 8
        return VideoGeometry(
            width=width,
            height=height,
            pixel_format="gray16le" if deep else "gray",
            spec=photo.spec,
            chroma_width=width,
            chroma_height=height,
            output_format="yuv444p16le" if deep else "yuv444p",
        )

    def __iter__(self) -> Iterator[PhotoFrame]:
        index, read = self.first_index, self._first
        kind = None if read is None else (read[1].size, read[1].spec)
        while read is not None:
            place, photo, source = read
            if (photo.size, photo.spec) != kind:
                self.end = place
                return
            yield PhotoFrame(photo, self._number(place), self._time_base, index, place, source)
            index, read = index + 1, next(self._reading, None)

    def small_picture(self, frame: PhotoFrame, short_side: int) -> NDArray[np.uint8]:
        """The frame's own colours: ``(h, w, 3)`` R′G′B′ of this short side, at most its own."""
        picture = frame.photo.preview
        scale = min(1.0, short_side / min(picture.shape[:2]))
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        small: NDArray[Any] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return small.astype(np.uint8, copy=False)

    def own_chroma(self, frame: PhotoFrame) -> NDArray[Any]:
        """Nothing ``(0, 0, 2)``: of a frame that is in colour already the whole file is kept."""
        return np.empty((0, 0, 2), np.uint8)

    def close(self) -> None:
        """End the threads; what they read is read to its end."""
        self._pool.shutdown(cancel_futures=True)

    def _number(self, place: int) -> int:
        number, first = self._items[place].frame, self._items[0].frame
        assert number is not None
        assert first is not None
        return number - first

    def _read_on(self, start: int) -> Iterator[_Read]:
        waiting: deque[tuple[int, Future[_Read]]] = deque()
        for place in range(start, len(self._items)):
            if self._items[place].action == "fail":
                continue
            waiting.append((place, self._pool.submit(self._read, place)))
            if len(waiting) > self._ahead:
                yield from self._taken(*waiting.popleft())
        while waiting:
            yield from self._taken(*waiting.popleft())

    def _taken(self, place: int, reading: Future[_Read]) -> Iterator[_Read]:
        try:
            yield reading.result()
        except Exception as error:  # one frame's fault, or a decoder's
            item = self._items[place]
            source = state_of(item.source)
            self._on_failed(place, failed(item, error, source))

    def _read(self, place: int) -> _Read:
        item = self._items[place]
        with self._in_flight.working_on(item):
            self._in_flight.examine(item, self._options)
            source = state_of(item.source)
            photo = read_photo(item.source, max_pixels=self._options.max_pixels)
        assert source is not None  # else reading it would have failed
        if photo.pages > 1:
            raise UnsupportedMedia(
                "a frame of a film holds several pictures",
                path=item.source,
                why=f"the file has {photo.pages} pages, and a frame is one",
                hint="colour it without --image-sequence",
            )
        return place, photo, source


def pictures_of(items: Sequence[Planned], options: ColorizeOptions, count: int) -> list[NDArray[np.uint8]]:
    """Up to ``count`` frames spread over the sequence, ``(h, w, 3)`` R′G′B′, small; those that can be read."""
    places = sorted({(2 * step + 1) * len(items) // (2 * count) for step in range(count)})
    pictures = []
    for path in (items[place].source for place in places if items[place].action != "fail"):
        picture = _picture_of(path, options)
        if picture is not None:
            pictures.append(picture)
    return pictures


def _picture_of(path: Path, options: ColorizeOptions) -> NDArray[np.uint8] | None:
    try:
        return read_photo(path, max_pixels=options.max_pixels).preview
    except Exception:  # reading it in its turn says what is wrong
        return None
