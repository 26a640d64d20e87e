"""How much memory a photograph takes on its way, told from its header, and how much all together may take."""

from __future__ import annotations

import stat
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from colorize_media.files.first_look import begins_like_media, heif_pixels
from colorize_media.files.formats import RAW_SUFFIXES
from colorize_media.machine import memory_bytes
from colorize_media.photo.quiet import quiet_decoders

# Bytes per pixel at the worst moment of a picture's way: on 12 megapixels 10 were measured for JPEG, 32 for PNG with 16-bit
# colours and alpha, their files included.
BYTES_PER_PIXEL = 16
BYTES_PER_DEEP_PIXEL = 40
RAW_PIXELS_PER_BYTE = 2  # at most: lossy raw has about 5 bits per pixel
UNPACKED_PIXELS_PER_BYTE = 2  # of what Pillow does not open; scans that are packed well have fewer bytes than pixels
FILE_COPIES = 3  # of the source's own bytes
BUDGET_SHARE = 1 / 4  # of the machine's memory
LEAST_BUDGET, MOST_BUDGET = 512 << 20, 4 << 30  # bytes
_PAGES_LOOKED_AT = 100  # of a TIFF file, for the largest


def memory_needed(path: Path, max_pixels: int) -> int:
    """Bytes that one picture takes at most on its way, from its header; what cannot be read takes its file's size."""
    size = 0
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            return 0
        size = found.st_size
        pixels, bytes_each = _pixels_at_most(path, size)
    except UnidentifiedImageError:  # DPX and TIFF of uncommon layouts are other libraries'
        if not begins_like_media(path):
            return FILE_COPIES * size
        pixels, bytes_each = UNPACKED_PIXELS_PER_BYTE * size, BYTES_PER_DEEP_PIXEL
    except Exception:  # whatever is wrong, reading it will tell
        return FILE_COPIES * size
    return min(pixels, max_pixels) * bytes_each + FILE_COPIES * size


def _pixels_at_most(path: Path, size: int) -> tuple[int, int]:
    """How many pixels are in memory at once, and the bytes that one of them takes."""
    if path.suffix.lower() in RAW_SUFFIXES:
        return RAW_PIXELS_PER_BYTE * size, BYTES_PER_DEEP_PIXEL
    if pixels := heif_pixels(path):
        return pixels, BYTES_PER_DEEP_PIXEL
    with quiet_decoders(), Image.open(path) as image:
        pixels = image.width * image.height
        if image.format == "TIFF":
            for page in range(1, min(getattr(image, "n_frames", 1), _PAGES_LOOKED_AT)):
                image.seek(page)
                pixels = max(pixels, image.width * image.height)
        deep = image.mode.startswith(("I", "F")) or _says_16_bits(image)
    return pixels, BYTES_PER_DEEP_PIXEL if deep else BYTES_PER_PIXEL


def _says_16_bits(image: Image.Image) -> bool:
    """Pillow's mode hides 16-bit R′G′B′."""
    if image.format in ("PNG", "JPEG2000"):
        return image.format == "JPEG2000" or any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    bits = getattr(image, "tag_v2", {}).get(258, 8)
    return bool(max(bits) > 8 if isinstance(bits, tuple) else bits > 8)


def default_budget() -> int:
    """Bytes for all pictures on their way: a quarter of the machine's memory, within limits."""
    return int(min(max((memory_bytes() or 0) * BUDGET_SHARE, LEAST_BUDGET), MOST_BUDGET))
