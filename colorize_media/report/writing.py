"""``--report``: a run's outcome as a page to look at, and as JSON beside it for programs.

The report listens to the run's events; when the run is over, it is written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from colorize_media.errors import BadOption, OutputExists, OutputUnwritable
from colorize_media.events import Event, Planned
from colorize_media.files.own import open_own
from colorize_media.files.whole import whole_or_absent
from colorize_media.options import ColorizeOptions
from colorize_media.report.page import GENERATOR, MARK, STATUSES, page
from colorize_media.report.pairs import pairs_of
from colorize_media.report.rows import Row, Rows
from colorize_media.version import __version__
from colorize_media.wording import (
    duration_text,
    left_lines,
    orphans_text,
    passed_text,
    shown_name,
    shown_path,
    shown_text,
)

NAME = "colorize-media-report.html"


class Report:
    """Gathers a run's events (it is an OnEvent); `write` after the run.

    ``path`` None puts it into the output folder. Raises, before any work: BadOption for a path that is a folder or no
    HTML file, OutputExists for a file that stands there and is no report, unless ``overwrite``.
    """

    def __init__(
        self, path: Path | None, plan: Sequence[Planned], options: ColorizeOptions, *, overwrite: bool = False
    ) -> None:
        self.path = path or _default_path(plan)
        _check(self.path, overwrite)
        self._options = options
        self._gathered = Rows(plan)

    def __call__(self, event: Event) -> None:
        self._gathered(event)

    def end_early(self) -> None:
        """The run was interrupted: what it has not come to is counted and not shown."""
        self._gathered.ended_early = True

    def write(self, on_progress: Callable[[int, int], None] = lambda done, count: None) -> None:
        """The page and the JSON beside it, each whole or absent. Raises OutputUnwritable."""
        rows = self._gathered.all()
        folders = list(dict.fromkeys(row.folder for row in rows))
        places = {folder: number for number, folder in enumerate(folders)}
        facts = self._facts(rows)
        listed = [self._listed(row, places[row.folder]) for row in rows]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            times = self.path.parent.stat()
            with (
                whole_or_absent(self.path) as file,
                contextlib.closing(pairs_of(rows, self.path, self._options, on_progress)) as pairs,
            ):
                for piece in page(facts, folders, listed, pairs):
                    file.write(piece)
            with whole_or_absent(self.path.with_suffix(".json")) as file:
                file.write(json.dumps({**facts, "rows": [_as_json(row) for row in rows]}, indent=1).encode("ascii"))
            with contextlib.suppress(OSError):  # an output folder has its model's times already
                os.utime(self.path.parent, ns=(times.st_atime_ns, times.st_mtime_ns))
            if rows:
                on_progress(len(rows), len(rows))
        except OSError as error:
            raise OutputUnwritable(
                "cannot write the report",
                path=self.path,
                why=error.strerror or str(error),
                hint="what was coloured is in its place; give --report=PATH.html elsewhere",
            ) from error

    def _listed(self, row: Row, folder: int) -> dict[str, Any]:
        """As report.js reads it; what is empty is left out."""
        has_output = row.target is not None and row.status in ("done", "present")
        out: dict[str, Any] = {
            "name": shown_name(row.source),
            "folder": folder,
            "kind": row.kind,
            "status": row.status,
            "decision": row.decision,
            "earlier": row.earlier,
            "reason": shown_text(row.reason),
            "source": shown_path(row.source),
            "before": self._address(row.source),
        }
        more = {
            "hint": row.hint,
            "warnings": [shown_text(text) for text in row.warnings],
            "frames": row.frames,
            "seconds": round(row.seconds, 2),
            "target": shown_path(row.target) if row.target is not None and has_output else "",
            "after": self._address(row.target) if row.target is not None and has_output else "",
        }
        return out | {name: value for name, value in more.items() if value}

    def _address(self, path: Path) -> str:
        """Relative to the page, so that both can move together; whatever bytes the name has."""
        here = os.path.abspath(self.path.parent)
        try:
            relative = os.path.relpath(os.path.abspath(path), here)
        except ValueError:  # another drive of Windows
            return Path(os.path.abspath(path)).as_uri()
        return quote(os.fsencode(relative.replace(os.sep, "/")))

    def _facts(self, rows: Sequence[Row]) -> dict[str, Any]:
        counted: Counter[str] = Counter(row.status for row in rows)
        before: Counter[str] = Counter(row.status for row in rows if row.earlier)
        trees = [shown_path(tree) for tree in dict.fromkeys(row.tree for row in rows) if tree is not None]
        options = {
            item.name: getattr(self._options, item.name)
            for item in dataclasses.fields(self._options)
            if item.repr and getattr(self._options, item.name) != item.default
        }
        passed, sidecars = self._gathered.passed, self._gathered.sidecars
        told = [f"model {self._options.model}"]
        told += [f"{name.replace('_', ' ')} {value}" for name, value in options.items() if name != "model"]
        return {
            "generator": GENERATOR,
            "version": 1,
            "title": "What was coloured" + (f" of {Path(trees[0]).name}" if len(trees) == 1 else ""),
            "written": time.strftime("%Y-%m-%d %H:%M"),
            "options": f"colorize-media {__version__} · {' · '.join(told)}",
            "notes": self._notes(trees),
            "sidecars": {"copied": sidecars.copied, "left": dict(sidecars.left)},
            "passed": [
                {"folder": str(event.source), "files": dict(event.files), "others": dict(event.others)}
                for event in passed
            ],
            "interrupted": self._gathered.ended_early,
            "orphaned": [str(path) for event in passed for path in event.orphaned],
            "took": duration_text(self._gathered.seconds),
            "seconds": round(self._gathered.seconds, 2),
            "totals": {
                "files": len(rows),
                **{status: counted[status] for status in STATUSES},
                "earlier": {status: before[status] for status in STATUSES},
                "warned": sum(bool(row.warnings) for row in rows),
            },
        }

    def _notes(self, trees: Sequence[str]) -> list[str]:
        """Lines about the run as a whole."""
        gathered, roots = self._gathered, [shown_path(root) for root in self._gathered.roots]
        notes = [" and ".join(trees) + " → " + " and ".join(roots)] if trees else []
        notes += [shown_text(text) for text in gathered.notes]
        counts = ((event, passed_text(event.files, event.others)) for event in gathered.passed)
        notes += [f"{shown_path(event.source)}: {text}" for event, text in counts if text]
        if gathered.sidecars.copied:
            notes.append(f"sidecars copied in this run: {gathered.sidecars.copied:,}")
        if gathered.ended_early:
            notes.append(
                f"interrupted: {gathered.not_reached:,} files were not reached; the same command goes on with them"
            )
        notes += [orphans_text(event.orphaned) for event in gathered.passed if event.orphaned]
        return notes + left_lines(gathered.sidecars.left)


def _as_json(row: Row) -> dict[str, Any]:
    values = {item.name: getattr(row, item.name) for item in dataclasses.fields(row) if item.name != "tree"}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def _default_path(plan: Sequence[Planned]) -> Path:
    """In the first output folder."""
    for item in plan:
        if item.target is not None:
            return (item.root or item.target.parent) / NAME
    return Path(NAME)


def _check(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise BadOption(
            "the report's name must end in .html",
            path=path,
            why="it is a folder" if path.is_dir() else "a JSON file of the same name stands beside it",
            hint="write --report alone behind the inputs, or --report=PATH.html",
        )
    for file, mark in ((path, MARK), (path.with_suffix(".json"), b'"generator": "colorize-media ')):
        if os.path.lexists(file) and not overwrite and mark not in _beginning(file):
            raise OutputExists(
                "another file stands where the report would be",
                path=file,
                why="only an earlier report is replaced",
                hint="give another name with --report=PATH.html, or -y",
            )


def _beginning(path: Path) -> bytes:
    try:
        with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
            return file.read(500)
    except OSError:
        return b""
