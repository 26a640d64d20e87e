"""What came of every file: of this run, by its events, and of those before it, by what their output folders remember."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from colorize_media.archive.manifest import Entry, Stamp, read_manifest
from colorize_media.events import (
    Done,
    Event,
    Expected,
    Failed,
    Passed,
    Planned,
    Skipped,
    Started,
    Summary,
    Warned,
    What,
)
from colorize_media.wording import shown_path

Status = Literal["done", "left", "present", "failed"]


@dataclass
class Row:
    """What came of one file. ``earlier``: an earlier run did it, or found it so."""

    source: Path
    target: Path | None
    kind: Literal["photo", "video", "other"]
    tree: Path | None = None
    status: Status = "failed"
    earlier: bool = False
    decision: str = ""
    reason: str = ""
    hint: str = ""
    warnings: list[str] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0

    @property
    def folder(self) -> str:
        """Where it lies: below the input folder, beginning with that one's own name; else the whole path."""
        if self.tree is None:
            return shown_path(self.source.parent)
        tree = self.tree if self.tree.name not in ("", "..") else self.tree.resolve()
        return shown_path(Path(tree.name) / self.source.parent.relative_to(self.tree))

    def settle(self, status: Status, reason: str, what: What | None = None, *, earlier: bool = False) -> None:
        """What it came to, and why; ``what`` it was found to be, where that is said."""
        self.status, self.reason, self.earlier = status, reason, earlier
        if what not in (None, "unknown"):
            self.decision = what


class Sidecars(NamedTuple):
    """How many were copied in a run, and how many were not, by why."""

    copied: int = 0
    left: Mapping[str, int] = MappingProxyType({})


class Rows:
    """Gathers a run's events (it is an OnEvent) into a row per file.

    ``roots`` are the output folders that remember; ``notes`` are warnings about a folder as a whole; ``passed`` what of
    the searched folders is no input; ``sidecars`` went along; ``seconds`` the run took. ``ended_early``: it was interrupted.
    """

    def __init__(self, plan: Sequence[Planned]) -> None:
        self.notes: list[str] = []
        self.passed: list[Passed] = []
        self.seconds = 0.0
        self.sidecars = Sidecars()
        self._rows = {item.source: Row(item.source, item.target, item.kind, item.tree) for item in plan}
        self.ended_early = False
        self._waiting = {item.source for item in plan}
        self._planned = {item.source: item for item in plan}
        self.roots = list(dict.fromkeys(item.root for item in plan if item.root is not None))
        self._remembered = {root: read_manifest(root) for root in self.roots}
        self._add_unplanned()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Summary):
            self.seconds, self.sidecars = event.seconds, Sidecars(event.sidecars, event.sidecars_left)
        elif isinstance(event, Passed):
            self.passed.append(event)
        elif isinstance(event, Expected):
            return  # of a dry run, which has no report
        elif event.source in self._rows:
            self._hear(self._rows[event.source], event)
        elif isinstance(event, Warned):  # about a folder as a whole
            self.notes.append(f"{shown_path(event.source)}: {event.message}")

    @property
    def not_reached(self) -> int:
        """Files that the run has not come to so far."""
        return len(self._waiting)

    def all(self) -> list[Row]:
        """In the order of the plan, then those of earlier runs alone; after an early end without what was not reached."""
        return [row for source, row in self._rows.items() if not self.ended_early or source not in self._waiting]

    def _hear(self, row: Row, event: Event) -> None:
        if isinstance(event, (Done, Failed, Skipped)):
            self._waiting.discard(row.source)
        if isinstance(event, Started):
            row.settle(row.status, event.note, event.what)
        elif isinstance(event, Warned):
            row.warnings.append(event.message)
        elif isinstance(event, Done):
            row.status, row.frames, row.seconds = "done", event.frames, event.seconds
        elif isinstance(event, Failed):
            self._failed(row, event)
        elif isinstance(event, Skipped):
            self._skipped(row, event)

    def _failed(self, row: Row, event: Failed) -> None:
        item = self._planned[row.source]
        row.hint = event.hint
        if item.earlier and (entry := self._entry(item)) is not None:
            row.settle("failed", entry.reason, earlier=True)
        else:
            row.settle("failed", ": ".join(part for part in (event.what, event.why) if part))

    def _skipped(self, row: Row, event: Skipped) -> None:
        item = self._planned[row.source]
        entry = self._entry(item)
        if item.action == "skip" and entry is not None:
            made_then = entry.status == "done" and entry.made is not None and entry.made == Stamp.if_there(item.target)
            if item.earlier or made_then:
                row.settle(entry.status, entry.reason, entry.what, earlier=True)
                return
        stands = item.target is not None and os.path.lexists(item.target)
        row.settle("present" if stands and event.what is None else "left", event.reason, event.what)

    def _entry(self, item: Planned) -> Entry | None:
        if item.root is None or item.target is None:
            return None
        return self._remembered[item.root].get(item.target.relative_to(item.root).as_posix())

    def _add_unplanned(self) -> None:
        """What earlier runs made of files that are not among the inputs now.

        A manifest may name any file: only those that lie below this run's own folders are looked at and shown.
        """
        known, elsewhere = {row.target for row in self._rows.values()}, 0
        trees = {os.path.realpath(item.tree or item.source.parent) for item in self._planned.values()}
        for root, entries in self._remembered.items():
            for entry in entries.values():
                source, target = Path(entry.source), root / entry.target
                stands = entry.status == "done" and entry.made == Stamp.if_there(target)
                if target in known or source in self._rows or not (stands or os.path.lexists(source)):
                    continue
                if entry.status == "done" and not stands:
                    continue
                if not _is_below(source, trees) or not _is_below(target, {os.path.realpath(root)}):
                    elsewhere += 1
                    continue
                row = Row(source, target, "photo")
                reason = entry.reason if os.path.lexists(source) else f"{entry.reason}; its source is gone"
                row.settle(entry.status, reason, entry.what, earlier=True)
                self._rows[source] = row
        if elsewhere:
            self.notes.append(f"not shown: {elsewhere:,} files of earlier runs that lie in other folders")


def _is_below(path: Path, folders: Iterable[str]) -> bool:
    """Whether the file that the path leads to lies in one of the folders, which lead nowhere else."""
    found = Path(os.path.realpath(path))
    return any(found.is_relative_to(folder) for folder in folders)
