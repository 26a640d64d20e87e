"""The work folder of a film: what is finished of it, so that a killed job goes on where it was.

It lies hidden beside the output, ``.NAME.colorize-media``, and holds ``job.json`` (what the work depends on), segment
after segment of the pictures, and with each the state that the film's loop goes on from. Everything appears under its
name only when it is whole and on the disk. A lock keeps two processes from working on one output: the system's own,
which a killed process cannot leave behind.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from colorize_media.errors import OutputUnwritable
from colorize_media.files.own_folder import OwnFolder
from colorize_media.files.whole import close_durably
from colorize_media.motion.state import State
from colorize_media.video.segments import UNFINISHED, Segment, SegmentWriter, read_segment

FORMAT = 1  # of the folder; another one is never gone on with

_MAX_NAME_BYTES = 255  # of one file name, on every common file system
_LONGEST_NOTE, _LARGEST_STATE = 1 << 20, 1 << 30  # bytes; what is longer is none of ours

# Names of ours. The film itself is written as film.SUFFIX, and before anything else a short trial.SUFFIX.
_LOCK, _NOTE = "lock", "job.json"
_NUMBERED = re.compile(r"(?:segment|state)-(\d{6})")
_UNFINISHED = re.compile(r"(?:film|trial)\..{1,40}|(?:job\.json|segment-\d{6})\.part")


class WorkFolder:
    """The folder, locked until `close`.

    ``job`` says what the pictures depend on, as JSON types by a name for people; None never goes on with anything.
    ``segments`` are the finished ones, in order; ``warnings`` say why earlier work could not be used. Only files that have a
    name of ours are ever read or removed. Raises OSError, and OutputUnwritable when another process works in it, or when what
    has its name is not ours: a link, somebody else's folder.
    """

    def __init__(self, target: Path, job: Mapping[str, Any] | None) -> None:
        self.path = work_path(target)
        self.warnings: list[str] = []
        self.segments: list[Segment] = []
        self._lock = _Lock(self.path, target)
        self._folder = self._lock.folder
        try:
            self._take_over(json.loads(json.dumps(job)))
        except BaseException:
            self._lock.release()
            raise

    def begin(self) -> SegmentWriter:
        """The next segment."""
        return SegmentWriter(self._folder, _segment_name(len(self.segments)))

    def finish(self, segment: SegmentWriter, extradata: bytes, state: State) -> None:
        """Make a begun segment the last of `segments`. The loop goes on from ``state`` after it."""
        content = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in state.items()})
        with self._folder.begin(_state_name(len(self.segments))) as file:
            file.write(content)
            close_durably(file)
        self.segments.append(segment.finish(extradata, hashlib.sha256(content).hexdigest()))

    @property
    def finished_bytes(self) -> int:
        """Of all segments."""
        return sum((self.path / segment.name).stat().st_size for segment in self.segments)

    def state(self) -> dict[str, NDArray[Any]]:
        """The state after the last segment; empty before the first one."""
        if not self.segments:
            return {}
        return self._read_state(len(self.segments) - 1, self.segments[-1].state) or {}

    def close(self, *, keep: bool) -> None:
        """Release the lock; remove everything unless ``keep``."""
        if not keep:
            with contextlib.suppress(OSError):  # what cannot be removed does no harm
                self._remove_unfinished()
                self._remove_numbered(0)
                self._folder.remove(_NOTE)
        self._lock.release(remove=not keep)

    def _take_over(self, job: Any) -> None:
        """Go on with what is there if it is the same job and whole; write down the job."""
        self._remove_unfinished()
        before: Any = None
        with contextlib.suppress(OSError, ValueError, RecursionError):
            before = json.loads(self._folder.content(_NOTE, _LONGEST_NOTE))
        now = {"format": FORMAT, "job": job}
        if job is not None and before == now:
            self._find_segments()
        elif before is not None and job is not None and _segment_name(0) in self._folder.names():
            self.warnings.append(f"an unfinished run is not gone on with, because of {_differing(before, now)}")
        self._remove_numbered(len(self.segments))
        with self._folder.begin(_NOTE + UNFINISHED) as file:
            file.write(json.dumps(now, indent=1).encode("ascii"))
            close_durably(file)
        self._folder.rename(_NOTE + UNFINISHED, _NOTE)

    def _find_segments(self) -> None:
        """All segments up to the first that is damaged or has a damaged state."""
        while True:
            number = len(self.segments)
            segment = read_segment(self._folder, _segment_name(number))
            if segment is None or self._read_state(number, segment.state) is None:
                break
            self.segments.append(segment)
        if _segment_name(number) in self._folder.names():
            self.warnings.append(f"segment {number + 1} of an unfinished run is damaged: done again from there")

    def _read_state(self, number: int, digest: str) -> dict[str, NDArray[Any]] | None:
        """A segment's state; None when it is missing or not as it was written."""
        try:
            content = self._folder.content(_state_name(number), _LARGEST_STATE)
            if hashlib.sha256(content).hexdigest() != digest:
                return None
            state: dict[str, NDArray[Any]] = safetensors.numpy.load(content)
        except (OSError, ValueError, safetensors.SafetensorError):
            return None
        return state

    def _remove_unfinished(self) -> None:
        for name in self._folder.names():
            if _UNFINISHED.fullmatch(name):
                self._folder.remove(name)

    def _remove_numbered(self, first: int) -> None:
        """Remove segments and states from this number on."""
        for name in self._folder.names():
            if (match := _NUMBERED.fullmatch(name)) and int(match[1]) >= first:
                self._folder.remove(name)


def _segment_name(number: int) -> str:
    return f"segment-{number:06}"


def _state_name(number: int) -> str:
    return f"state-{number:06}"


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

    def __init__(self, path: Path, target: Path) -> None:
        while True:
            try:
                self.folder = OwnFolder(path)
            except FileNotFoundError:
                if path.parent.is_dir():
                    continue  # the other process has just finished and removed the folder
                raise
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EPERM):
                    raise _not_ours(path, target, error) from error
                raise
            try:
                self._handle = self.folder.open(_LOCK, os.O_RDWR | os.O_CREAT)
            except FileNotFoundError:
                self.folder.close()
                continue  # removed meanwhile
            except OSError as error:
                self.folder.close()
                raise _not_ours(path / _LOCK, target, error) from error
            if not _try_lock(self._handle):
                self._close()
                raise OutputUnwritable(
                    "another run works on this film",
                    path=target,
                    why=f"it holds {path / _LOCK}",
                    hint="wait until it has finished, or give another name with -o",
                )
            with contextlib.suppress(OSError):
                if self.folder.is_here() and self.folder.holds(_LOCK, self._handle):
                    return
            self._close()  # removed between our opening and locking it

    def release(self, *, remove: bool = False) -> None:
        """Unlock; ``remove`` the lock and the folder, if nothing else is in it."""
        if remove and os.name == "posix":  # while it is locked: nobody else can have begun to use it
            self._remove()
        self._close()
        if remove and os.name != "posix":  # open files cannot be removed there
            self._remove()

    def _close(self) -> None:
        os.close(self._handle)
        self.folder.close()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            if self.folder.is_here():
                self.folder.remove(_LOCK)
                self.folder.path.rmdir()


def _not_ours(path: Path, target: Path, error: OSError) -> OutputUnwritable:
    return OutputUnwritable(
        "something else stands where unfinished work would be kept",
        path=target,
        why=f"{path}: {error.strerror}",
        hint="look at it, and move it away if nobody needs it; or give another name with -o",
    )


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
