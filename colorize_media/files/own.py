"""Notes that we keep for ourselves beside people's files, added to and read back.

They lie where others may write, under names that anyone can guess: in shared folders, on memory cards, in archives from
somewhere. So a note is a regular file, never reached through a link, and never read further than one of ours could be long.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from colorize_media.files.first_look import NO_FILE, regular_handle

NO_LINKS = getattr(os, "O_NOFOLLOW", 0)

LINK = "it is a link, and notes are never written or read through one"
TOO_LONG = "it is longer than anything this program writes"


def open_own(path: Path | str, flags: int, mode: int = 0o666, *, folder: int | None = None) -> int:
    """A handle on a file of ours; ``folder`` is the descriptor that a relative ``path`` counts from.

    Raises OSError: ELOOP for a link, EINVAL for what is no regular file (which is not waited for).
    """
    if not NO_LINKS and os.path.islink(path):
        raise OSError(errno.ELOOP, LINK)
    try:
        return regular_handle(path, flags | NO_LINKS, mode, folder=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, LINK) from error
        if error.errno == errno.ENXIO:  # a pipe without a reader
            raise OSError(errno.EINVAL, NO_FILE) from error
        raise


def read_own(path: Path | str, most: int, *, folder: int | None = None) -> bytes:
    """All of a file of ours. Raises OSError as `open_own`, and EFBIG for more than ``most`` bytes."""
    with os.fdopen(open_own(path, os.O_RDONLY, folder=folder), "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, TOO_LONG)
    return content


def own_lines(path: Path, longest: int, most: int) -> Iterator[bytes]:
    """The lines of a note; one longer than ``longest`` bytes comes in pieces. Raises OSError as `read_own`."""
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        _check_length(file.fileno(), most)
        while line := file.readline(longest):
            yield line


class Note:
    """A note that whole lines are added to, held open between them: on a network's disk each opening costs milliseconds.

    In a folder that is made if need be; never more than ``most`` bytes. Not safe from several threads.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        self._handle: int | None = None

    def append(self, text: bytes, *, durable: bool = True) -> None:
        """Write lines at once; ``durable``: wait until all of the note is on the disk.

        Where a killed run left a line without its end, they begin on a new one. Raises OSError as `read_own`, for what is
        longer already. What was taken away meanwhile is begun anew.
        """
        handle = self._opened()
        _check_length(handle, self._most)
        if text and _ends_torn(handle):
            text = b"\n" + text
        while text:  # one write, unless the disk is nearly full
            text = text[os.write(handle, text) :]
        if durable:
            os.fsync(handle)

    def close(self) -> None:
        """Let go of the file; `append` opens it again."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _opened(self) -> int:
        if self._handle is not None and os.fstat(self._handle).st_nlink == 0:
            self.close()
        if self._handle is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = open_own(self._path, os.O_CREAT | os.O_RDWR | os.O_APPEND)
        return self._handle


def append_lines(path: Path, text: bytes, most: int) -> None:
    """Add whole lines to a note, once. Raises OSError as `Note`."""
    note = Note(path, most)
    try:
        note.append(text)
    finally:
        note.close()


def _check_length(handle: int, most: int) -> None:
    if os.fstat(handle).st_size > most:
        raise OSError(errno.EFBIG, TOO_LONG)


def _ends_torn(handle: int) -> bool:
    """Whether the last line is without its end."""
    with contextlib.suppress(OSError):
        size = os.fstat(handle).st_size
        if size:
            os.lseek(handle, size - 1, os.SEEK_SET)
            return os.read(handle, 1) != b"\n"
    return False
