"""The first look at an input file, the same for photographs and films: is it there, readable, and which of the two."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from typing import Literal

from colorize_media.errors import EmptyFile, InputMissing, InputUnreadable
from colorize_media.files.formats import PHOTO_SUFFIXES

Kind = Literal["photo", "video"]

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})
_STILL_BRANDS = HEIC_BRANDS | {b"avif", b"crx "}  # the last is Canon's raw
_HEADER_BYTES = 1 << 16  # of a HEIC or AVIF file: its description of the pictures inside
_LONG_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_SHORT_MAGIC = (b"BM", b"P5", b"P6")  # too short to be believed without an extension


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


def kind_of(path: Path) -> Kind:
    """Photo or video, by the first bytes; by the extension where they say nothing. An unreadable file is a video's worry."""
    head = _first_bytes(path)
    if head.startswith(b"GIF8"):
        return "video" if _has_several_frames(path) else "photo"
    if head[4:8] == b"ftyp":
        return "photo" if head[8:12] in _STILL_BRANDS else "video"
    if head.startswith((*_LONG_MAGIC, *_SHORT_MAGIC)) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "photo"
    return "photo" if path.suffix.lower() in PHOTO_SUFFIXES else "video"


def av1_bits(data: bytes) -> int:
    """Bits per channel from the AV1 configuration box (AV1-ISOBMFF §2.3.3): high_bitdepth and twelve_bit."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def hevc_bits(data: bytes) -> int:
    """The most bits per channel that the HEVC configuration boxes name (ISO/IEC 14496-15 §8.3.2.1)."""
    found, at = 8, data.find(b"hvcC")
    while 0 <= at < len(data) - 22:
        found = max(found, 8 + (data[at + 21] & 7))
        at = data.find(b"hvcC", at + 4)
    return found


def heif_pixels(path: Path) -> int:
    """Pixels of the largest picture that a HEIC file describes (``ispe``, ISO/IEC 23008-12 §6.5.3); 0 for other files."""
    return max((width * height for width, height in heif_sizes(_first_bytes(path, _HEADER_BYTES))), default=0)


def heif_sizes(head: bytes) -> list[tuple[int, int]]:
    """Width and height of every picture that a HEIC or AVIF file describes in these first bytes; none for other files."""
    found, at = [], head.find(b"ispe") if head[4:8] == b"ftyp" else -1
    while 0 <= at <= len(head) - 16:
        width, height = (int.from_bytes(head[at + place : at + place + 4], "big") for place in (8, 12))
        found.append((width, height))
        at = head.find(b"ispe", at + 4)
    return found


def nearest_suffix(path: Path) -> str:
    """The extension of the nearest format that holds all that a HEIC or AVIF picture has; nothing where that is its own.

    Read from the file's first bytes: more than 8 bits go to PNG, transparency of a HEIC too.
    """
    head = _first_bytes(path, _HEADER_BYTES)
    if head[4:8] != b"ftyp":
        return ""
    if path.suffix.lower() == ".avif":
        return ".png" if av1_bits(head) > 8 else ""
    transparent = b"hevc:2015:auxid:1" in head or b"auxiliary:alpha" in head
    return ".png" if hevc_bits(head) > 8 or transparent else ".jpg"


def begins_like_media(path: Path) -> bool:
    """Whether a file is a picture or film by its first bytes alone, beyond doubt."""
    head = _first_bytes(path)
    long_enough = (*_LONG_MAGIC, b"GIF8", b"\x1aE\xdf\xa3")  # the last is Matroska's
    riff = head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"AVI ")
    return head.startswith(long_enough) or head[4:8] == b"ftyp" or riff


def _first_bytes(path: Path, count: int = 32) -> bytes:
    """The first bytes of a regular file; nothing of what cannot be read. A pipe is not waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        return b""
    try:
        return os.read(handle, count) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(handle)


def _has_several_frames(path: Path) -> bool:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a huge declared size is refused when the picture is read
            with Image.open(path) as image:
                return bool(getattr(image, "is_animated", False))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False
