"""The first look at an input file, the same for photographs and films: is it there, readable, and which of the two."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import warnings
from pathlib import Path
from typing import BinaryIO, Literal

from colorize_media.errors import EmptyFile, InputMissing, InputUnreadable, NoFile, NoPicture
from colorize_media.files.boxes import av1_bits, brands, has_alpha, hevc_bits, picture_sizes
from colorize_media.files.first_bytes import MOST_BYTES, PHOTO_FORMATS, begins_like, is_text
from colorize_media.files.formats import FORMAT_SUFFIXES, PHOTO_SUFFIXES
from colorize_media.files.no_media import HEAD_BYTES, no_media

Kind = Literal["photo", "video"]

NO_FILE = "it is no regular file"
_HEADER_BYTES = 1 << 16  # of a HEIC or AVIF file: its description of the pictures inside


def size_of_readable(path: Path) -> int:
    """Bytes of an input file.

    Raises InputMissing, InputUnreadable (a folder, a pipe, no permission), EmptyFile, and NoPicture for archives, documents
    and playlists (`no_media`). What is no regular file is not opened: reading a pipe or a device could wait for ever.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or pipe"
            raise NoFile(
                "cannot read the input", path=path, why=f"it is {what}, not a file", hint="give the file itself"
            )
        if found.st_size == 0:
            raise EmptyFile("the file is empty", path=path, why="it has 0 bytes", hint="copy or download it again")
        with path.open("rb") as file:
            other = no_media(file.read(HEAD_BYTES))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise InputMissing(
            "no such file", path=path, why="the path leads nowhere", hint="check the name for typing errors"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    if other is not None:
        raise NoPicture("not a picture or film", path=path, why=f"it is {other.what}", hint=other.hint)
    return found.st_size


def state_of(path: Path) -> os.stat_result | None:
    """By what an input is known again; of a link that leads nowhere its own. None where there is nothing."""
    for follow in (True, False):
        with contextlib.suppress(OSError, ValueError):
            return path.stat(follow_symlinks=follow)
    return None


def unreadable(path: Path, error: OSError) -> InputUnreadable:
    """What the operating system says against reading the file."""
    why = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return InputUnreadable("cannot read the input", path=path, why=why, hint="check its permissions and the disk")


def kind_of(path: Path) -> Kind:
    """Photo or video, by the first bytes; by the extension where they say nothing. An unreadable file is a video's worry."""
    known = begins_like(_first_bytes(path))
    if known is not None and known.format == "GIF":
        return "video" if _has_several_frames(path) else "photo"
    if known is not None and known.format in PHOTO_FORMATS:
        return "photo"
    if known is not None and known.format == "MP4" and known.sure:  # any other file of boxes
        return "video"
    return "photo" if path.suffix.lower() in PHOTO_SUFFIXES else "video"


def heif_pixels(path: Path) -> int:
    """Pixels of the largest picture that a HEIC or AVIF file describes; 0 for other files."""
    sizes = picture_sizes(_first_bytes(path, _HEADER_BYTES))
    return max((width * height for width, height in sizes), default=0)


def nearest_suffix(path: Path) -> str:
    """The extension of the nearest format that holds all that a HEIC or AVIF picture has; nothing where that is its own.

    Read from the file's first bytes: more than 8 bits go to PNG, transparency of a HEIC too.
    """
    head = _first_bytes(path, _HEADER_BYTES)
    if not brands(head)[0]:
        return ""
    if path.suffix.lower() == ".avif":
        return ".png" if av1_bits(head) > 8 else ""
    return ".png" if hevc_bits(head) > 8 or has_alpha(head) else ".jpg"


def content_suffix(path: Path) -> str:
    """The usual extension of the picture that the file's first bytes tell; nothing where they tell none."""
    known = begins_like(_first_bytes(path))
    return "" if known is None else FORMAT_SUFFIXES.get(known.format, ("",))[0]


def begins_like_media(path: Path) -> bool:
    """Whether a file is a picture or film by its first bytes alone, beyond doubt."""
    head = _first_bytes(path, MOST_BYTES)
    known = begins_like(head)
    if known is None or not known.sure:
        return False
    return known.format in PHOTO_FORMATS or not is_text(head)  # letters may stand where packets' marks do


def begins_like_text(path: Path) -> bool:
    """Whether the file's first bytes are letters and lines."""
    return is_text(_first_bytes(path, MOST_BYTES))


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read. Raises OSError, also for what is no regular file: a pipe is not waited for."""
    return os.fdopen(regular_handle(path, os.O_RDONLY), "rb")


def regular_handle(path: Path | str, flags: int, mode: int = 0o666, *, folder: int | None = None) -> int:
    """The same for any ``flags``; ``folder`` is the descriptor that a relative ``path`` counts from."""
    at_once, binary = getattr(os, "O_NONBLOCK", 0), getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags | at_once | binary, mode, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, NO_FILE)
    return handle


def _first_bytes(path: Path, count: int = 32) -> bytes:
    """The first bytes of a regular file; nothing of what cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(count)
    except (OSError, ValueError):
        return b""


def _has_several_frames(path: Path) -> bool:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a huge declared size is refused when the picture is read
            with Image.open(path) as image:
                return bool(getattr(image, "is_animated", False))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False
