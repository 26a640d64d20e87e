"""Files that really crash a decoder, or hang in it.

No decoder is known to crash over a file of today, so one is made to: a module that Python loads at its start replaces
Pillow's and PyAV's way to open a file by one that reads address 0 when the file says so.
"""

from __future__ import annotations

from pathlib import Path

from tests.made.pictures import save_grey

TRAPS = """
import ctypes, time
import av
from PIL import Image

def trap(text):
    if b"CRASH" in text:
        ctypes.string_at(0)
    if b"HANG" in text:
        time.sleep(3600)

def open_picture(file, *rest, **more):
    if hasattr(file, "getvalue"):
        trap(file.getvalue())
    return plain_picture(file, *rest, **more)

def open_video(file, *rest, **more):
    trap(str(file).encode())
    return plain_film(file, *rest, **more)

plain_picture, Image.open = Image.open, open_picture
plain_film, av.open = av.open, open_video
"""


def save_trap(path: Path, extra: bytes = b"") -> Path:
    """A grey photograph with ``extra`` in its file."""
    save_grey(path)
    with path.open("ab") as file:
        file.write(extra)  # behind a picture's end, where no decoder looks
    return path
