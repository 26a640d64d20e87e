"""What earlier runs did with every file of a destination: JSON lines in the output folder, one per finished file.

A line names the output, the source's size and time, the options that change pixels, and what came of it. Lines are only
appended, each batch with one write and one fsync, so several runs may share the file and a crash can tear the last line
at most; unreadable lines are left out when reading, and the newest line about an output counts. A destination that
cannot be written is no error: the run then remembers nothing.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from colorize_media.archive.old_lines import had_parts, what_it_was
from colorize_media.events import What
from colorize_media.files.first_look import state_of
from colorize_media.files.own import Note, own_lines
from colorize_media.options import Status

MANIFEST_NAME = ".colorize-media.jsonl"
VERSION = 1  # of the line format; lines of other versions are not understood and left out
LONGEST_LINE = 1 << 20  # bytes; what is longer is no line of ours
LONGEST = 1 << 31  # bytes of the file: some millions of lines
BATCH_LINES = 100  # synced together …
BATCH_SECONDS = 2.0  # … or after this time, whichever comes first: what a power cut can cost

STATUSES: tuple[Status, ...] = ("done", "left", "failed")
_SIDECAR = "sidecar"
_SIDECAR_MARK = b'"status": "sidecar"'  # as json.dumps writes it
UNKNOWN = "unknown"  # in Entry.decided; no digest


@dataclass(frozen=True)
class Stamp:
    """By what a file is recognised as unchanged: size in bytes and modification time in nanoseconds."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Of the file that the path leads to. Raises OSError."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)

    @classmethod
    def of_input(cls, path: Path) -> Stamp | None:
        """Of an input, or of a link that leads nowhere; None where there is nothing."""
        found = state_of(path)
        return None if found is None else cls(found.st_size, found.st_mtime_ns)

    @classmethod
    def if_there(cls, path: Path | None) -> Stamp | None:
        """The same, None for what is not there or cannot be looked at."""
        try:
            return None if path is None else cls.of(path)
        except OSError:
            return None


@dataclass(frozen=True)
class Entry:
    """What came of one file.

    target   the output's path below the destination, with slashes;  source  where the input was
    stamp    the source's when it was read;  made  the output's when it was written, None if there is none
    status   done, left (on purpose: in colour already, a document) or failed (the file's own fault)
    options  `options.digest` of those that matter to the status;  reason  for people
    what     what it was found to be, None where it failed or has several pages
    decided  of what is done by parts, shots or pages, each coloured or left: the `digest` as of something left, of those
             options that decide it; UNKNOWN if they are not known any more; empty for one whole
    record   of what is done: how it was made, for people (`provenance.record.Record`); None in lines of earlier versions
    """

    target: str
    source: str
    stamp: Stamp
    made: Stamp | None
    status: Status
    options: str
    reason: str = ""
    what: What | None = None
    decided: str = ""
    record: dict[str, Any] | None = None


@dataclass(frozen=True)
class SidecarEntry:
    """A file that went along with an input: ``target`` below the destination, both files' states as in `Entry`."""

    target: str
    source: str
    stamp: Stamp
    made: Stamp


def read_manifest(folder: Path) -> dict[str, Entry]:
    """The newest entry about each output of a destination; none where nothing is remembered or can be read."""
    entries: dict[str, Entry] = {}
    for line in _lines(folder):
        if (entry := _parse(line)) is not None:
            entries[entry.target] = entry
    return entries


def read_sidecars(folder: Path) -> dict[str, SidecarEntry]:
    """The newest entry about each sidecar of a destination."""
    entries: dict[str, SidecarEntry] = {}
    for line in _lines(folder):
        if _SIDECAR_MARK in line and (entry := _parse_sidecar(line)) is not None:
            entries[entry.target] = entry
    return entries


def _lines(folder: Path) -> Iterator[bytes]:
    try:
        yield from own_lines(folder / MANIFEST_NAME, LONGEST_LINE, LONGEST)
    except OSError:  # if it stays so, `Manifest` tells it when it cannot write
        return


def _parse_sidecar(line: bytes) -> SidecarEntry | None:
    try:
        row = json.loads(line)
        if row["version"] != VERSION or row["status"] != _SIDECAR:
            return None
        return SidecarEntry(_target(row), _source(row), _stamp(row["stamp"]), _stamp(row["made"]))
    except _NO_LINE_OF_OURS:
        return None


def _parse(line: bytes) -> Entry | None:
    try:
        row = json.loads(line)
        if row["version"] != VERSION or row["status"] not in STATUSES:
            return None
        options, reason = row["options"], row["reason"]
        if not isinstance(options, str) or not isinstance(reason, str):
            return None
        if "what" in row:
            what, decided = row["what"], str(row.get("decided", ""))
        else:
            what, decided = what_it_was(reason), UNKNOWN if row["status"] == "done" and had_parts(reason) else ""
        if what not in (None, *get_args(What)):
            what = None
        made, record = None if row["made"] is None else _stamp(row["made"]), row.get("record")
        if not isinstance(record, dict):
            record = None
        target, source, stamp = _target(row), _source(row), _stamp(row["stamp"])
        return Entry(target, source, stamp, made, row["status"], options, reason, what, decided, record)
    except _NO_LINE_OF_OURS:
        return None


# Torn, from another version, or written by somebody else: of whatever types and sizes JSON can hold.
_NO_LINE_OF_OURS = (ValueError, KeyError, TypeError, OverflowError, RecursionError)


def _target(row: Any) -> str:
    """A path that stays below the destination. Raises ValueError, TypeError."""
    target = PurePosixPath(row["target"])
    if target.is_absolute() or ".." in target.parts or not target.parts or not _can_be_a_name(row["target"]):
        raise ValueError("no output below the destination")
    return str(row["target"])


def _source(row: Any) -> str:
    """Any path. Raises ValueError, TypeError."""
    if not _can_be_a_name(row["source"]):
        raise ValueError("no path")
    return str(row["source"])


def _can_be_a_name(text: str) -> bool:
    """Raises ValueError for what no file system could hold."""
    os.fsencode(text)
    return "\0" not in text


def _stamp(value: Any) -> Stamp:
    size, mtime_ns = value
    return Stamp(int(size), int(mtime_ns))


class Manifest:
    """Appends entries to a destination's manifest. Safe from several threads; a context manager that flushes at the end.

    ``on_problem`` gets, once, why nothing can be remembered.
    """

    def __init__(self, folder: Path, on_problem: Callable[[str], None]) -> None:
        self.path = folder / MANIFEST_NAME
        self._on_problem = on_problem
        self._unsynced = 0  # lines that a power cut would take, though not the end of this process
        self._flushed = time.monotonic()
        self._broken = False
        self._lock = threading.Lock()
        self._note = Note(self.path, LONGEST)

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, entry: Entry | SidecarEntry) -> None:
        """Remember an entry: written at once, waited for until it is on the disk with the next batch."""
        row = {"version": VERSION, **dataclasses.asdict(entry)}
        if isinstance(entry, SidecarEntry):
            row["status"] = _SIDECAR  # which earlier versions read over
        for name in ("stamp", "made"):
            row[name] = None if row[name] is None else [row[name]["size"], row[name]["mtime_ns"]]
        with self._lock:
            self._unsynced += 1
            late = time.monotonic() - self._flushed > BATCH_SECONDS
            self._append(json.dumps(row).encode("ascii") + b"\n", durable=late or self._unsynced >= BATCH_LINES)

    def flush(self) -> None:
        """Wait until all is on the disk."""
        with self._lock:
            if self._unsynced:
                self._append(b"", durable=True)

    def close(self) -> None:
        """Wait as `flush` does, and let go of the file."""
        self.flush()
        with self._lock:
            self._note.close()

    def _append(self, line: bytes, *, durable: bool) -> None:
        if self._broken:
            return
        try:
            self._note.append(line, durable=durable)
        except OSError as error:
            self._broken = True
            why = error.strerror or str(error)
            self._on_problem(f"what is done cannot be remembered for the next run: {why}")
        if durable:
            self._unsynced, self._flushed = 0, time.monotonic()
