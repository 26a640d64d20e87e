"""Output files: whole under their name or absent; and what killed runs left, removed."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

FOREIGN_PART_AGE = 86_400.0  # seconds; another machine's run on a shared folder may still write a younger one
_PART = re.compile(r"\.colorize-media-([0-9a-f]{8})-(\d+)-[0-9a-f]+\.part")


@contextmanager
def whole_or_absent(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the target's name only if everything went well, and only when its bytes are on the disk.

    Honours the umask, as any new file does. Raises OSError.
    """
    part = target.parent / f".colorize-media-{host_mark()}-{os.getpid()}-{secrets.token_hex(4)}.part"
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def remove_stale_parts(folder: Path) -> None:
    """Remove the unfinished files that killed runs left in a folder; those of living runs stay."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry, match) for entry in entries if (match := _PART.fullmatch(entry.name))]
        for entry, match in found:
            if was_left_by_dead_run(Path(entry.path), *match.groups()):
                os.unlink(entry.path)
    except OSError:
        return  # a folder that cannot be read or written is told by the picture that should go there


def was_left_by_dead_run(path: Path, host: str, pid: str) -> bool:
    """Whether the run that the file's name tells of is over. Raises OSError."""
    if host == host_mark():
        return not is_alive(int(pid))
    return time.time() - path.stat().st_mtime > FOREIGN_PART_AGE


def keep_mode_and_times(source: os.stat_result, target: Path) -> str:
    """Give the target the source's permissions and modification time; returns why not, or nothing."""
    try:
        os.chmod(target, stat.S_IMODE(source.st_mode) & 0o777)
        os.utime(target, ns=(source.st_atime_ns, source.st_mtime_ns))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    if os.name != "posix":
        return True  # on Windows os.kill(pid, 0) would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@cache
def host_mark() -> str:
    """Eight hexadecimal digits that stand for this machine in file names."""
    return hashlib.sha1(platform.node().encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:8]


def close_durably(file: Any) -> None:
    """Close a file that shall outlast a power cut."""
    with file:
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a folder's names outlast a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
