"""A folder of unfinished work: ours, private, and held by its descriptor: what is removed in it is removed nowhere else.

Its name can be guessed as those of notes can (`own`), and what lies in it is removed at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

from colorize_media.files.own import LINK, NO_LINKS, open_own, read_own
from colorize_media.files.whole import sync_folder

_BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.listdir in os.supports_fd  # not on Windows


class OwnFolder:
    """A folder of ours, made if it is not there, that nobody else can look into; names in it are plain file names.

    Raises OSError: ELOOP for a link, ENOTDIR for a file, EPERM for a folder of somebody else. Whose it is, is compared with
    whose a file is that we make in it: network shares give files owners of their own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None
        with contextlib.suppress(FileExistsError):
            path.mkdir(0o700)
        if os.path.islink(path):
            raise OSError(errno.ELOOP, LINK)
        if _BY_DESCRIPTOR:
            self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | NO_LINKS)
        elif not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        try:
            self._make_ours()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of it. Again: does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def names(self) -> list[str]:
        """Of all that is in it."""
        return os.listdir(self.path if self._handle is None else self._handle)

    def open(self, name: str, flags: int) -> int:
        """A handle on a file in it, private where it is made. Raises OSError as `open_own`."""
        return open_own(self._at(name), flags, 0o600, folder=self._handle)

    def begin(self, name: str) -> BinaryIO:
        """A file to write, in place of what has the name."""
        self.remove(name)
        return os.fdopen(self.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY), "wb")

    def read(self, name: str) -> BinaryIO:
        """A file to read. Raises OSError as `open_own`."""
        return os.fdopen(self.open(name, os.O_RDONLY), "rb")

    def content(self, name: str, most: int) -> bytes:
        """All of a file. Raises OSError as `read_own`."""
        return read_own(self._at(name), most, folder=self._handle)

    def rename(self, name: str, new: str) -> None:
        """In place of what has the new name, on the disk when it returns."""
        os.replace(self._at(name), self._at(new), src_dir_fd=self._handle, dst_dir_fd=self._handle)
        if self._handle is None:
            sync_folder(self.path)
        else:
            os.fsync(self._handle)

    def remove(self, name: str) -> None:
        """A file, or a link itself, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._at(name), dir_fd=self._handle)

    def is_here(self) -> bool:
        """Whether the path still leads to this folder."""
        try:
            there = os.lstat(self.path)
        except OSError:
            return False
        return self._handle is None or os.path.samestat(there, os.fstat(self._handle))

    def holds(self, name: str, handle: int) -> bool:
        """Whether the file of a handle is still there under the name."""
        try:
            there = os.stat(self._at(name), dir_fd=self._handle, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(handle))

    def _at(self, name: str) -> str:
        return name if self._handle is not None else str(self.path / name)

    def _make_ours(self) -> None:
        if self._handle is None:
            return
        probe = f".{secrets.token_hex(8)}"
        handle = self.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        try:
            ours, found = os.fstat(handle).st_uid, os.fstat(self._handle)
        finally:
            os.close(handle)
            self.remove(probe)
        if found.st_uid != ours:
            raise OSError(errno.EPERM, "the folder belongs to somebody else")
        if stat.S_IMODE(found.st_mode) & 0o077:  # of an earlier version
            with contextlib.suppress(OSError):  # a share that knows no modes
                os.fchmod(self._handle, 0o700)
