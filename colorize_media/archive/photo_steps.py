"""One photograph's way through a queue: `Waiting` until it is decoded, `Decoded` until it is written, then `Settled`.

The steps from one to the next may run in any thread: they keep nothing. A step's failure ends the picture, not the run, and
so does a bug's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.outcomes import Outcome, failed
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.events import Planned, Skipped
from colorize_media.files.first_look import state_of
from colorize_media.files.whole import keep_mode_and_times
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import (
    PreparedPages,
    PreparedPhoto,
    color_pages,
    done,
    finish_photo,
    photo_record,
    prepare_photo,
)
from colorize_media.provenance.record import Record
from colorize_media.provenance.signing import signer_for


@dataclass(frozen=True, eq=False)
class Waiting:
    """A picture that is on its way: ``place`` is its outcome's among all, ``needs`` in bytes, ``begun`` by the clock."""

    place: int
    item: Planned
    target: Path
    needs: int
    begun: float

    def failed(self, error: Exception, source: os.stat_result | None, warnings: tuple[str, ...] = ()) -> Settled:
        """It ends here, with the error's traceback."""
        return Settled(self, failed(self.item, error, source, warnings))


@dataclass(frozen=True, eq=False)
class Reading:
    """News of a picture that still waits: a decoder has it, ``since`` by the clock. ``source`` is the input's state before."""

    waiting: Waiting
    source: os.stat_result | None
    since: float


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture that is to be coloured and written. ``source`` is the input's state before it was read."""

    waiting: Waiting
    source: os.stat_result | None
    prepared: PreparedPhoto | PreparedPages

    def failed(self, error: Exception) -> Settled:
        """It ends here, with the error's traceback."""
        return self.waiting.failed(error, self.source, self.prepared.warnings)


@dataclass(frozen=True, eq=False)
class Settled:
    """A picture of which nothing is left but its outcome."""

    waiting: Waiting
    outcome: Outcome


class PhotoSteps:
    """From Waiting to Decoded to Settled. ``in_flight`` is told what is in a decoder or encoder, ``on_reading`` since when."""

    def __init__(
        self,
        options: ColorizeOptions,
        folders: OutputFolders,
        in_flight: InFlight,
        on_reading: Callable[[Reading], None],
    ) -> None:
        self._options = options
        self._folders = folders
        self._in_flight = in_flight
        self._on_reading = on_reading

    def decode(self, waiting: Waiting) -> Decoded | Settled:
        """Read it, and decide about it."""
        item = waiting.item
        source: os.stat_result | None = None
        try:
            with self._in_flight.working_on(item):
                source = state_of(item.source)
                if not item.replaces and os.path.lexists(waiting.target):
                    meanwhile = Skipped(item.source, "the output has come to be there meanwhile")
                    return Settled(waiting, Outcome(item, meanwhile))
                signer_for(waiting.target, self._options.sign_cert, self._options.sign_key)  # or it is refused unread
                self._in_flight.examine(item, self._options)
                self._on_reading(Reading(waiting, source, time.monotonic()))
                prepared = prepare_photo(item.source, self._options)
        except Exception as error:
            return waiting.failed(error, source)
        if isinstance(prepared, Skipped):
            return Settled(waiting, Outcome(item, prepared, source))
        return Decoded(waiting, source, prepared)

    def write(self, decoded: Decoded, photo: PreparedPhoto, ab: NDArray[np.float32], record: Record) -> Settled:
        """Write the photograph in colours ``ab (h, w, 2)``, which were made as ``record`` says."""
        waiting = decoded.waiting
        try:
            with self._in_flight.working_on(waiting.item):
                self._folders.make(waiting.item)
                warnings = finish_photo(photo, ab, waiting.target, self._options, record)
                return _written(decoded, warnings, record)
        except Exception as error:
            return decoded.failed(error)

    def write_pages(self, decoded: Decoded, pages: PreparedPages, colorizer: Colorizer) -> Settled:
        """Read, colour and write a file's pages one after the other, in the network's own thread."""
        waiting = decoded.waiting
        try:
            with self._in_flight.working_on(waiting.item):
                self._folders.make(waiting.item)
                record = photo_record(colorizer, self._options, waiting.item.source)
                warnings = color_pages(pages, colorizer, waiting.target, self._options, record)
                return _written(decoded, warnings, record)
        except Exception as error:
            return decoded.failed(error)


def _written(decoded: Decoded, warnings: tuple[str, ...], record: Record) -> Settled:
    """The output stands under its name; give it its source's mode and times."""
    waiting, source = decoded.waiting, decoded.source
    warnings = decoded.prepared.warnings + warnings
    if source is not None and (why := keep_mode_and_times(source, waiting.target)):
        warnings += (f"permissions and times could not be kept: {why}",)
    seconds = time.monotonic() - waiting.begun
    told = done(decoded.prepared, waiting.item.source, waiting.target, seconds, record)
    return Settled(waiting, Outcome(waiting.item, told, source, warnings))
