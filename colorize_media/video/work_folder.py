"""The work folder of a film: what is finished of it, so that a killed job goes on where it was.

It lies hidden beside the output, ``.NAME.colorize-media``, and holds ``job.json`` (what the work depends on), segment
after segment of the pictures, and with each the state that the film's loop goes on from. Everything appears under its
name only when it is whole and on the disk. A lock keeps two processes from working on one output: the system's own,
which a killed process cannot leave behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from colorize_media.errors import OutputUnwritable
from colorize_media.files.whole import close_durably, sync_folder
from colorize_media.motion.state import State
from colorize_media.video.segments import Segment, SegmentWriter, read_segment

FORMAT = 1  # of the folder; another one is never gone on with

_MAX_NAME_BYTES = 255  # of one file name, on every common file system


class WorkFolder:
    """The folder, locked until `close`.

    ``job`` says what the pictures depend on, as JSON types by a name for people; None never goes on with anything.
    ``segments`` are the finished ones, in order; ``warnings`` say why earlier work could not be used. Raises OSError,
    OutputUnwritable when another process works in it.
    """

    def __init__(self, target: Path, job: Mapping[str, Any] | None) -> None:
        self.path = work_path(target)
        self.warnings: list[str] = []
        self.segments: list[Segment] = []
        self._lock = _Lock(self.path, target)
        try:
            self._take_over(json.loads(json.dumps(job)))
        except BaseException:
            self._lock.release()
            raise

    def begin(self) -> SegmentWriter:
        """The next segment."""
        return SegmentWriter(self.path / f"segment-{len(self.segments):06}")

    def finish(self, segment: SegmentWriter, extradata: bytes, state: State) -> None:
        """Make a begun segment the last of `segments`. The loop goes on from ``state`` after it."""
        content = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in state.items()})
        with self._state_path(len(self.segments)).open("wb") as file:
            file.write(content)
            close_durably(file)
        self.segments.append(segment.finish(extradata, hashlib.sha256(content).hexdigest()))

    def state(self) -> dict[str, NDArray[Any]]:
        """The state after the last segment; empty before the first one."""
        return (self._read_state(len(self.segments) - 1) or {}) if self.segments else {}

    def close(self, *, keep: bool) -> None:
        """Release the lock; remove everything unless ``keep``."""
        if not keep:
            with contextlib.suppress(OSError):  # what cannot be removed does no harm
                self._remove(0)
                for path in (self.path / "job.json", *self.path.glob("film.*")):
                    path.unlink(missing_ok=True)
        self._lock.release(remove=not keep)

    def _take_over(self, job: Any) -> None:
        """Go on with what is there if it is the same job and whole; write down the job."""
        note = self.path / "job.json"
        for leftover in (*self.path.glob("*.part"), *self.path.glob("film.*")):
            leftover.unlink()
        before: Any = None
        with contextlib.suppress(OSError, ValueError):
            before = json.loads(note.read_text(encoding="utf-8"))
        now = {"format": FORMAT, "job": job}
        if job is not None and before == now:
            self._find_segments()
        elif before is not None and job is not None and (self.path / "segment-000000").exists():
            self.warnings.append(f"an unfinished run is not gone on with, because of {_differing(before, now)}")
        self._remove(len(self.segments))
        with (self.path / "job.json.part").open("w", encoding="utf-8") as file:
            json.dump(now, file, indent=1)
            close_durably(file)
        os.replace(self.path / "job.json.part", note)
        sync_folder(self.path)

    def _find_segments(self) -> None:
        """All segments up to the first that is damaged or has a damaged state."""
        while True:
            number = len(self.segments)
            segment = read_segment(self.path / f"segment-{number:06}")
            if segment is None or self._read_state(number, segment.state) is None:
                break
            self.segments.append(segment)
        if (self.path / f"segment-{number:06}").exists():
            self.warnings.append(f"segment {number + 1} of an unfinished run is damaged: done again from there")

    def _read_state(self, number: int, digest: str = "") -> dict[str, NDArray[Any]] | None:
        """A segment's state; None when it is missing or not as it was written."""
        try:
            content = self._state_path(number).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() != (digest or self.segments[number].state):
            return None
        state: dict[str, NDArray[Any]] = safetensors.numpy.load(content)
        return state

    def _state_path(self, number: int) -> Path:
        return self.path / f"state-{number:06}"

    def _remove(self, first: int) -> None:
        """Remove segments and states from this number on."""
        for path in (*self.path.glob("segment-*"), *self.path.glob("state-*")):
            if int(path.name[-6:]) >= first:
                path.unlink()


def work_path(target: Path) -> Path:
    """The work folder's path for an output."""
    name = f".{target.name}.colorize-media"
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        name = f".{hashlib.sha1(os.fsencode(target.name), usedforsecurity=False).hexdigest()[:16]}.colorize-media"
    return target.with_name(name)


def remove_finished(target: Path) -> None:
    """Remove the work folder of an output that is younger than the work: a run was killed just after finishing it."""
    folder = work_path(target)
    try:
        dates = [path.stat().st_mtime for path in folder.iterdir() if path.name != "lock"]
        if not folder.is_dir() or target.stat().st_mtime < max(dates, default=0.0):
            return
        WorkFolder(target, None).close(keep=False)
    except (OSError, OutputUnwritable):
        return  # there is none, or somebody works in it


def _differing(before: Any, now: Any) -> str:
    """The names of what differs between two jobs."""
    one, other = (note.get("job") if isinstance(note, dict) else None for note in (before, now))
    if not isinstance(one, dict) or not isinstance(other, dict):
        return "another version"
    return ", ".join(sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)))


class _Lock:
    """A folder made, and locked by the operating system through a file in it. Raises OSError, OutputUnwritable."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder = folder
        self._path = folder / "lock"
        while True:
            folder.mkdir(exist_ok=True)
            try:
                self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            except FileNotFoundError:
                continue  # the other process has just finished and removed the folder
            if not _try_lock(self._handle):
                os.close(self._handle)
                raise OutputUnwritable(
                    "another run works on this film",
                    path=target,
                    why=f"it holds {self._path}",
                    hint="wait until it has finished, or give another name with -o",
                )
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(self._handle), self._path.stat()):
                    return
            os.close(self._handle)  # removed between our opening and locking it

    def release(self, *, remove: bool = False) -> None:
        """Unlock; ``remove`` the lock and the folder, if nothing else is in it."""
        if remove and os.name == "posix":  # while it is locked: nobody else can have begun to use it
            self._remove()
        os.close(self._handle)
        if remove and os.name != "posix":  # open files cannot be removed there
            self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._folder.rmdir()


def _try_lock(handle: int) -> bool:
    """Whether the file could be locked; where the file system cannot lock at all, it counts as locked."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    else:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True
