"""The run over a plan: photographs many at once, films one by one, every outcome told, counted and remembered.

A file that cannot be coloured is told and counted; the others go on.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from colorize_media.archive.manifest import Entry, Manifest, Stamp, Status
from colorize_media.archive.outcomes import Outcome, settled, unexpected
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.plan import options_digest
from colorize_media.archive.running import Running
from colorize_media.errors import (
    ColorizeError,
    DamagedMedia,
    EmptyFile,
    Encrypted,
    NoPicture,
    UnsupportedMedia,
)
from colorize_media.events import Done, Event, Failed, Planned, Skipped, Started, Summary, Warned
from colorize_media.files.whole import keep_mode_and_times

if TYPE_CHECKING:
    from colorize_media.archive.in_flight import InFlight

# The file's own fault, so trying again is in vain; a full disk or a missing codec is not.
_LASTING = (DamagedMedia, EmptyFile, Encrypted, NoPicture, UnsupportedMedia)


def run_plan(plan: Sequence[Planned], running: Running) -> int:
    """Do the plan; returns the exit code: 0, 1 if a file failed, 3 if the machine lacked something for one.

    Results are told in the order of the plan. When interrupted, what is finished is told and remembered before
    KeyboardInterrupt goes on.
    """
    started = time.monotonic()
    with _Run(running) as run:
        run.do(plan)
    running.on_event(Summary(run.done, run.skipped, run.failed, time.monotonic() - started))
    return run.code


class _Run:
    """One run's state: the counts, the manifests."""

    def __init__(self, running: Running) -> None:
        self.done = self.skipped = self.failed = self.code = 0
        self._running = running
        self._options = running.options
        self._folders = OutputFolders()
        self._in_flight: InFlight | None = None
        self._manifests: dict[Path, Manifest] = {}
        self._notes: dict[Path, str] = {}  # why what is being worked on is coloured

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Started):
            self._notes[event.source] = event.note
        self._running.on_event(event)

    def __enter__(self) -> _Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for manifest in self._manifests.values():
            manifest.flush()
        if self._in_flight is not None:
            self._in_flight.close()
        self._folders.close()

    def do(self, plan: Sequence[Planned]) -> None:
        """Photographs in stretches between the films, which need all cores and memory for themselves."""
        if not any(item.action == "colorize" for item in plan):
            for item in plan:
                self._settle(settled(item))
            return
        from colorize_media.archive.in_flight import InFlight
        from colorize_media.archive.photo_queue import PhotoQueue

        self._in_flight = InFlight(plan, self._folders)
        photos = PhotoQueue(
            self._running.get_colorizer,
            self._options,
            self._folders,
            self._on_event,
            self._in_flight,
            workers=self._running.workers,
        )
        try:
            start = 0
            while start < len(plan):
                end = next((n for n in range(start, len(plan)) if _is_film(plan[n])), len(plan))
                photos.run(_without_settled(plan[start:end]), self._settle)
                if end < len(plan):
                    self._settle(self._color_film(plan[end]))
                start = end + 1
        finally:
            photos.close()

    def _color_film(self, item: Planned) -> Outcome:
        from colorize_media.video.colorize import colorize_video
        from colorize_media.video.preview import preview_video

        assert item.target is not None
        assert self._in_flight is not None
        colorizer = self._running.get_colorizer()
        source: os.stat_result | None = None
        warnings: tuple[str, ...] = ()
        try:
            if not item.replaces and os.path.lexists(item.target):
                return Outcome(item, Skipped(item.source, "the output has come to be there meanwhile"))
            self._folders.make(item)
            source = item.source.stat() if item.source.exists() else None
            work = preview_video if self._options.preview else colorize_video
            with self._in_flight.working_on(item):
                self._in_flight.examine(item, self._options)
                result = work(item.source, item.target, colorizer, self._options, self._on_event)
            if isinstance(result, Done) and source is not None and (why := keep_mode_and_times(source, item.target)):
                warnings = (f"permissions and times could not be kept: {why}",)
            return Outcome(item, result, source, warnings)
        except Exception as error:  # a bug of ours or of a decoder must not cost the other files
            return Outcome(item, unexpected(item, error), source, trace=traceback.format_exc())

    def _settle(self, outcome: Outcome) -> None:
        """Tell, count and remember."""
        item, result = outcome.item, outcome.result
        for message in outcome.warnings:
            self._on_event(Warned(item.source, message))
        self._remember(outcome)
        if isinstance(result, ColorizeError):
            self.failed += 1
            self.code = max(self.code, result.exit_code if result.exit_code == 3 else 1)
            self._on_event(Failed(item.source, result.what, _why(result, item.source), result.hint, outcome.trace))
            return
        if item.action == "skip" and item.kind == "video" and item.target is not None:
            from colorize_media.video.work_folder import remove_finished

            remove_finished(item.target)
        self.done += isinstance(result, Done)
        self.skipped += isinstance(result, Skipped)
        self._on_event(result)

    def _remember(self, outcome: Outcome) -> None:
        item, result, source = outcome.item, outcome.result, outcome.source
        note = self._notes.pop(item.source, "")
        if item.root is None or item.target is None or item.kind == "other" or source is None:
            return
        made: Stamp | None = None
        status: Status
        if isinstance(result, Done):
            status, reason = "done", note
            try:
                made = Stamp.of(item.target)
            except OSError:
                return  # taken away at once
        elif isinstance(result, Skipped):
            status, reason = "left", result.reason
        elif isinstance(result, _LASTING) and not isinstance(result.__cause__, MemoryError):
            status, reason = "failed", f"{result.what}: {result.why}"
        else:
            return
        if item.root not in self._manifests:
            path = item.root
            self._manifests[path] = Manifest(path, lambda why: self._on_event(Warned(path, why)))
        self._manifests[item.root].add(
            Entry(
                item.target.relative_to(item.root).as_posix(),
                str(item.source),
                Stamp(source.st_size, source.st_mtime_ns),
                made,
                status,
                options_digest(self._options, item.kind, status),
                reason,
            )
        )


def _is_film(item: Planned) -> bool:
    return item.action == "colorize" and item.kind == "video"


def _without_settled(items: Sequence[Planned]) -> Iterator[Planned | Outcome]:
    """What is to be coloured as it is, the rest as outcomes already."""
    for item in items:
        yield item if item.action == "colorize" else settled(item)


def _why(error: ColorizeError, source: Path) -> str:
    """The reason, with the file it is about when that is not the input itself."""
    other = error.path is not None and error.path != source
    return ": ".join(part for part in (str(error.path) if other else "", error.why) if part)
