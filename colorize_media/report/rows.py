"""``--report``: what came of every file, of this run and of those before it, as a page to look at and JSON for programs.

The report listens to the run's events; what earlier runs did it knows from the manifests. Thumbnails are made of the
files themselves when the run is over, or taken from the report that stands there if the files have not changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import quote

from colorize_media.archive.budget import default_budget, memory_needed
from colorize_media.archive.manifest import Entry, Stamp, read_manifest
from colorize_media.archive.workers import default_workers
from colorize_media.errors import BadOption, OutputExists, OutputUnwritable
from colorize_media.events import Done, Event, Failed, Planned, Skipped, Started, Summary, Warned, What
from colorize_media.files.whole import whole_or_absent
from colorize_media.options import ColorizeOptions
from colorize_media.report.page import GENERATOR, MARK, STATUSES, Pair, encoded, page, read_pair
from colorize_media.report.thumbnails import thumbnail
from colorize_media.version import __version__
from colorize_media.wording import duration_text, shown_name, shown_path, shown_text

NAME = "colorize-media-report.html"
# A page of 10,000 pairs at 160 px has 80 to 115 MB; Chromium opens it from a disk in two seconds and keeps 10 MB of it in its
# script, since blocks that are not in sight stay text.
SIDES = {320: 11_000, 240: 8_000, 192: 6_800, 160: 5_700, 128: 4_000}  # px → bytes in the page
PAGE_BYTES = 120_000_000

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
        self._rows = {item.source: Row(item.source, item.target, item.kind, item.tree) for item in plan}
        self._planned = {item.source: item for item in plan}
        roots = dict.fromkeys(item.root for item in plan if item.root is not None)
        self._remembered = {root: read_manifest(root) for root in roots}
        self._add_unplanned()
        self._notes: list[str] = []
        self._seconds = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Summary):
            self._seconds = event.seconds
            return
        row = self._rows.get(event.source)
        if row is None:
            if isinstance(event, Warned):  # about a folder as a whole
                self._notes.append(f"{shown_path(event.source)}: {event.message}")
            return
        if isinstance(event, Started):
            row.settle(row.status, event.note, event.what)
        elif isinstance(event, Warned):
            row.warnings.append(event.message)
        elif isinstance(event, Done):
            row.status, row.frames, row.seconds = "done", event.frames, event.seconds
        elif isinstance(event, Failed):
            row.hint = event.hint
            before = self._entry(self._planned[event.source])
            if self._planned[event.source].earlier and before is not None:
                row.settle("failed", before.reason, earlier=True)
            else:
                row.settle("failed", ": ".join(part for part in (event.what, event.why) if part))
        elif isinstance(event, Skipped):
            self._skipped(row, event)

    def write(self, on_progress: Callable[[int, int], None] = lambda done, count: None) -> None:
        """The page and the JSON beside it, each whole or absent. Raises OutputUnwritable."""
        rows = list(self._rows.values())
        folders = list(dict.fromkeys(row.folder for row in rows))
        places = {folder: number for number, folder in enumerate(folders)}
        facts = self._facts(rows)
        listed = [self._listed(row, places[row.folder]) for row in rows]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            times = self.path.parent.stat()
            with whole_or_absent(self.path) as file, contextlib.closing(self._thumbnails(rows, on_progress)) as pairs:
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

    # --- rows

    def _entry(self, item: Planned) -> Entry | None:
        if item.root is None or item.target is None:
            return None
        return self._remembered[item.root].get(item.target.relative_to(item.root).as_posix())

    def _skipped(self, row: Row, event: Skipped) -> None:
        item = self._planned[row.source]
        entry = self._entry(item)
        if item.action == "skip" and entry is not None:
            made_then = entry.status == "done" and entry.made is not None and entry.made == _stamp(item.target)
            if item.earlier or made_then:
                row.settle(entry.status, entry.reason, entry.what, earlier=True)
                return
        stands = item.target is not None and os.path.lexists(item.target)
        row.settle("present" if stands and event.what is None else "left", event.reason, event.what)

    def _add_unplanned(self) -> None:
        """What earlier runs made of files that are not among the inputs now."""
        known = {row.target for row in self._rows.values()}
        for root, entries in self._remembered.items():
            for entry in entries.values():
                relative, source = PurePosixPath(entry.target), Path(entry.source)
                if relative.is_absolute() or ".." in relative.parts:
                    continue
                target = root / relative
                stands = entry.status == "done" and entry.made == _stamp(target)
                if target in known or source in self._rows or not (stands or source.exists()):
                    continue
                if entry.status == "done" and not stands:
                    continue
                row = Row(source, target, "photo")
                row.settle(entry.status, entry.reason, entry.what, earlier=True)
                self._rows[source] = row

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
        roots = [shown_path(root) for root in self._remembered]
        trees = [shown_path(tree) for tree in dict.fromkeys(row.tree for row in rows) if tree is not None]
        options = {
            item.name: getattr(self._options, item.name)
            for item in dataclasses.fields(self._options)
            if getattr(self._options, item.name) != item.default
        }
        told = [f"model {self._options.model}"]
        told += [f"{name.replace('_', ' ')} {value}" for name, value in options.items() if name != "model"]
        return {
            "generator": GENERATOR,
            "version": 1,
            "title": "What was coloured" + (f" of {Path(trees[0]).name}" if len(trees) == 1 else ""),
            "written": time.strftime("%Y-%m-%d %H:%M"),
            "options": f"colorize-media {__version__} · {' · '.join(told)}",
            "notes": ([" and ".join(trees) + " → " + " and ".join(roots)] if trees else [])
            + [shown_text(text) for text in self._notes],
            "took": duration_text(self._seconds),
            "seconds": round(self._seconds, 2),
            "totals": {
                "files": len(rows),
                **{status: counted[status] for status in STATUSES},
                "earlier": {status: before[status] for status in STATUSES},
                "warned": sum(bool(row.warnings) for row in rows),
            },
        }

    # --- thumbnails

    def _thumbnails(self, rows: Sequence[Row], on_progress: Callable[[int, int], None]) -> Generator[Pair, None, None]:
        """One pair per row, in order; a few at a time are in memory."""
        wanted = sum(len(_pictures_of(row)) for row in rows)
        side = next((side for side, size in SIDES.items() if wanted * size <= PAGE_BYTES), min(SIDES))
        workers = default_workers()
        with _EarlierPage(self.path) as known, ThreadPoolExecutor(workers, thread_name_prefix="thumbnail") as pool:
            for start in range(0, len(rows), 8 * workers):
                on_progress(max(start, 1), len(rows))
                some = rows[start : start + 8 * workers]
                keys = [_key(row, side) for row in some]
                found = [known.get(key) for key in keys]
                alone = [_needs(row, self._options) > default_budget() // workers for row in some]
                made = [
                    pool.submit(self._pair, row, key, side) if pair is None and not large else None
                    for row, key, pair, large in zip(some, keys, found, alone, strict=True)
                ]
                for row, key, pair, work in zip(some, keys, found, made, strict=True):
                    yield pair or (self._pair(row, key, side) if work is None else work.result())

    def _pair(self, row: Row, key: str, side: int) -> Pair:
        pictures = {"before": b"", "after": b""}
        for name, path in _pictures_of(row).items():
            try:
                pictures[name] = encoded(thumbnail(path, side, self._options))
            except Exception:  # gone meanwhile, or beyond what can be read; the row says what there is to say
                continue
        return Pair(key, pictures["before"], pictures["after"])


class _EarlierPage:
    """Thumbnails of the report that stands where this one will, by key; only their places are held in memory."""

    def __init__(self, path: Path) -> None:
        self._places: dict[bytes, tuple[int, int]] = {}
        try:
            self._file = path.open("rb")
        except OSError:
            self._file = open(os.devnull, "rb")  # noqa: SIM115 (closed by __exit__)
        offset = 0
        for line in self._file:
            if line[16:17] == b",":
                self._places[line[:16]] = offset, len(line)
            offset += len(line)

    def __enter__(self) -> _EarlierPage:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def get(self, key: str) -> Pair | None:
        """None where it has none, or only an empty one."""
        if (place := self._places.get(key.encode())) is None:
            return None
        self._file.seek(place[0])
        pair = read_pair(self._file.read(place[1]))
        return pair if pair is not None and (pair.before or pair.after) else None


def _pictures_of(row: Row) -> dict[str, Path]:
    """Files of which a thumbnail is shown. What failed is not opened again."""
    pictures: dict[str, Path] = {}
    if row.status == "failed" or row.kind == "other":
        return pictures
    pictures["before"] = row.source
    if row.status in ("done", "present") and row.target is not None:
        pictures["after"] = row.target
    return pictures


def _key(row: Row, side: int) -> str:
    stamps = [(str(path), _stamp(path)) for path in _pictures_of(row).values()]
    return hashlib.sha256(repr((side, stamps)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _needs(row: Row, options: ColorizeOptions) -> int:
    return max((memory_needed(path, options.max_pixels) for path in _pictures_of(row).values()), default=0)


def _stamp(path: Path | None) -> Stamp | None:
    try:
        return None if path is None else Stamp.of(path)
    except OSError:
        return None


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
        with path.open("rb") as file:
            return file.read(500)
    except OSError:
        return b""
