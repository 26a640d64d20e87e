"""The run over a plan: photographs many at once, films one by one, every outcome told, counted and remembered.

A file that cannot be coloured is told and counted; the others go on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from colorize_media.archive.manifest import Entry, Manifest, SidecarEntry, Stamp
from colorize_media.archive.memory import options_digest
from colorize_media.archive.outcomes import Outcome, Tally, failed, settled
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.running import Running
from colorize_media.archive.sequences import sequence_end
from colorize_media.archive.sidecar_copies import SidecarCopies
from colorize_media.archive.single_files import SingleFiles
from colorize_media.events import Done, Planned, Skipped, Warned
from colorize_media.files.first_look import state_of
from colorize_media.files.whole import keep_mode_and_times
from colorize_media.options import ColorizeOptions, Status

if TYPE_CHECKING:
    from colorize_media.archive.in_flight import InFlight


def run_plan(plan: Sequence[Planned], running: Running, *, passed: int = 0, orphaned: Sequence[Path] = ()) -> int:
    """Do the plan; returns the exit code: 0, 1 if a file failed, 3 if the machine lacked something for one, 4 if nothing failed
    but what had failed before and has not changed.

    ``passed`` is what the summary says of files that are no inputs, ``orphaned`` of outputs without a source.

    Results are told in the order of the plan. When interrupted, what is finished is told and remembered before
    KeyboardInterrupt goes on.
    """
    tally = Tally(running.on_event)
    with _Run(running, tally) as run:
        run.do(plan)
    tally.close(passed, run.sidecars.copied, run.sidecars.left, orphaned)
    return tally.code


class _Run:
    """One run's state: the manifests, the output folders, what is in flight."""

    def __init__(self, running: Running, tally: Tally) -> None:
        self._running, self._tally = running, tally
        self._options, self._tell = running.options, running.on_event
        self._folders = OutputFolders()
        self.sidecars = SidecarCopies(running.options, self._add)
        self._in_flight: InFlight | None = None
        self._manifests: dict[Path, Manifest] = {}
        self._singles = SingleFiles(running.options, lambda path, why: self._tell(Warned(path, why)))

    def __enter__(self) -> _Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for manifest in self._manifests.values():
            manifest.close()
        self._singles.close()
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

        in_flight = self._in_flight = InFlight(plan, self._folders)
        photos = PhotoQueue(
            self._running.get_colorizer,
            self._options,
            self._folders,
            self._tell,
            in_flight,
            workers=self._running.workers,
        )
        try:
            start = 0
            while start < len(plan):
                end = next((n for n in range(start, len(plan)) if _is_film(plan[n]) or plan[n].sequence), len(plan))
                photos.run(_without_settled(plan[start:end]), self._settle)
                start = end + 1
                if end < len(plan) and plan[end].sequence:
                    start = sequence_end(plan, end)
                    self._color_sequence(plan[end:start], in_flight)
                elif end < len(plan):
                    self._settle(self._color_film(plan[end], in_flight))
        finally:
            photos.close()

    def _color_sequence(self, items: Sequence[Planned], in_flight: InFlight) -> None:
        if any(item.action == "colorize" for item in items):
            from colorize_media.archive.sequence import color_sequence

            color_sequence(items, self._running, self._folders, in_flight, self._settle)
        else:
            for item in items:
                self._settle(settled(item))

    def _color_film(self, item: Planned, in_flight: InFlight) -> Outcome:
        from colorize_media.video.colorize import colorize_video
        from colorize_media.video.preview import preview_video

        assert item.target is not None
        colorizer = self._running.get_colorizer()
        source: os.stat_result | None = None
        warnings: tuple[str, ...] = ()
        try:
            if not item.replaces and os.path.lexists(item.target):
                return Outcome(item, Skipped(item.source, "the output has come to be there meanwhile"))
            self._folders.make(item)
            source = state_of(item.source)
            work = preview_video if self._options.preview else colorize_video
            with in_flight.working_on(item):
                in_flight.examine(item, self._options)
                result = work(item.source, item.target, colorizer, self._options, self._tell)
            if isinstance(result, Done) and source is not None and (why := keep_mode_and_times(source, item.target)):
                warnings = (f"permissions and times could not be kept: {why}",)
            return Outcome(item, result, source, warnings)
        except Exception as error:  # a bug of ours or of a decoder must not cost the other files
            return failed(item, error, source)

    def _settle(self, outcome: Outcome) -> None:
        """Tell, count and remember."""
        item = outcome.item
        self._remember(outcome)
        outcome, warnings = self.sidecars.follow(outcome)
        for message in (*outcome.warnings, *warnings):
            self._tell(Warned(item.source, message))
        if item.action == "skip" and item.kind == "video" and item.target is not None:
            from colorize_media.video.work_folder import remove_finished

            remove_finished(item.target)
        self._tally.settle(outcome)

    def _remember(self, outcome: Outcome) -> None:
        item, target = outcome.item, outcome.item.target
        if target is None or item.kind == "other" or (item.root is None and not isinstance(outcome.result, Done)):
            return
        name = self._singles.name(target) if item.root is None else target.relative_to(item.root).as_posix()
        entry = _entry(outcome, self._options, name)
        if entry is not None and item.root is None:
            self._singles.remember(entry, target, item.kind)
        elif entry is not None and item.root is not None:
            self._add(item.root, entry)

    def _add(self, root: Path, entry: Entry | SidecarEntry) -> None:
        if root not in self._manifests:
            self._manifests[root] = Manifest(root, lambda why: self._tell(Warned(root, why)))
        self._manifests[root].add(entry)


def _entry(outcome: Outcome, options: ColorizeOptions, name: str) -> Entry | None:
    """What the next run is to know of it; None for what it would find out anew, or what nobody remembers."""
    item, result, source = outcome.item, outcome.result, outcome.source
    if item.target is None or item.kind == "other" or source is None:
        return None
    made: Stamp | None = None
    decided = ""
    status: Status
    if isinstance(result, Done):
        status, reason, what = "done", result.reason, result.what
        if result.pages > 1 or result.own_frames or result.what == "mixed":
            decided = options_digest(options, item.kind, "left")
        try:
            made = Stamp.of(item.target)
        except OSError:
            return None  # taken away at once
    elif isinstance(result, Skipped):
        status, reason, what = "left", result.reason, result.what
    elif outcome.lasting:
        status, reason, what = "failed", f"{result.what}: {result.why}", None
    else:
        return None
    return Entry(
        name,
        str(item.source),
        Stamp(source.st_size, source.st_mtime_ns),
        made,
        status,
        options_digest(options, item.kind, status),
        reason,
        what,
        decided,
        result.record if isinstance(result, Done) else None,
    )


def _is_film(item: Planned) -> bool:
    return item.action == "colorize" and item.kind == "video"


def _without_settled(items: Sequence[Planned]) -> Iterator[Planned | Outcome]:
    """What is to be coloured as it is, the rest as outcomes already."""
    for item in items:
        yield item if item.action == "colorize" else settled(item)
