"""The first look at an input file, the same for photographs and films: is it there, a file, not empty, readable."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from colorize_media.errors import EmptyFile, InputMissing, InputUnreadable


def size_of_readable(path: Path) -> int:
    """Bytes of an input file. Raises InputMissing, InputUnreadable (a folder, a pipe, no permission) or EmptyFile.

    What is no regular file is not opened: reading a pipe or a device could wait for ever.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or pipe"
            raise InputUnreadable(
                "cannot read the input", path=path, why=f"it is {what}, not a file", hint="give the file itself"
            )
        if found.st_size == 0:
            raise EmptyFile("the file is empty", path=path, why="it has 0 bytes", hint="copy or download it again")
        with path.open("rb") as file:
            file.read(1)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise InputMissing(
            "no such file", path=path, why="the path leads nowhere", hint="check the name for typing errors"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    return found.st_size


def unreadable(path: Path, error: OSError) -> InputUnreadable:
    """What the operating system says against reading the file."""
    why = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return InputUnreadable("cannot read the input", path=path, why=why, hint="check its permissions and the disk")
