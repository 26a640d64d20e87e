"""Camera raw files, developed by LibRaw through rawpy (the extra ``raw``): the camera's white balance, sRGB, 16 bits."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from types import ModuleType

from PIL import Image
from PIL.ExifTags import Base

from colorize_media.files.first_bytes import begins_like
from colorize_media.files.formats import RAW_SUFFIXES
from colorize_media.machine import require
from colorize_media.metadata.carried import metadata_of_blocks
from colorize_media.metadata.exif import first_directory_has
from colorize_media.metadata.tiff import STORAGE_TAGS
from colorize_media.metadata.tiff_pages import exif_of
from colorize_media.photo.picture import Content
from colorize_media.photo.pixels import Decoded, planes_of_samples
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.photo.refusals import check_size, damaged, out_of_memory, unsupported

_FINISHED = frozenset({"JPEG", "PNG", "GIF", "WEBP", "BMP", "AVI"})  # what is no camera raw, whatever its name says
_DNG_TAGS = 50700  # where the format's own begin
_SENSOR_TAGS = frozenset(range(33421, 33423))  # the colour filter array
_SRGB_GAMMA = (2.4, 12.92)
_CLIPPED = 0.001  # share of pixels that automatic exposure may clip; LibRaw's own 0.01 burns out skies


def is_camera_raw(path: Path, data: bytes) -> bool:
    """By content where it tells; a raw file that is built like any TIFF is known by its name only."""
    known = begins_like(data[:32])
    name = "" if known is None else known.format
    if name == "RAW":
        return True
    if name == "TIFF" and first_directory_has(data, Base.DNGVersion):
        return True
    return path.suffix.lower() in RAW_SUFFIXES and name not in _FINISHED


@quiet_decoders()
def read_camera_raw(path: Path, data: bytes, max_pixels: int) -> Content:
    """Developed planes and metadata. Raises LibraryMissing, DamagedMedia, UnsupportedMedia."""
    rawpy = require(
        "rawpy",
        "camera raw files need a library that is not installed",
        "run: pip install rawpy; or develop them to TIFF or JPEG first",
        path,
    )
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            check_size(path, max(sizes.width, sizes.raw_width), max(sizes.height, sizes.raw_height), max_pixels)
            developed = raw.postprocess(
                use_camera_wb=True,
                output_bps=16,
                output_color=rawpy.ColorSpace.sRGB,
                gamma=_SRGB_GAMMA,
                auto_bright_thr=_CLIPPED,
            )
            preview = _preview(raw, rawpy)
    except rawpy.LibRawFileUnsupportedError as problem:
        raise unsupported(
            path, "LibRaw does not know this camera raw file", "develop it to TIFF or JPEG first"
        ) from problem
    except rawpy.LibRawIOError as problem:  # the bytes are in memory: nothing else can go wrong with them
        raise damaged(path, "the camera raw file ends before its picture does") from problem
    except (rawpy.LibRawError, OSError, ValueError) as problem:
        why = (
            problem.args[0].decode("utf-8", "replace")
            if problem.args and isinstance(problem.args[0], bytes)
            else problem
        )
        raise damaged(path, f"LibRaw cannot develop this camera raw file: {why}") from problem
    except MemoryError as problem:
        raise out_of_memory(path) from problem
    exif, xmp = _blocks(data)
    if not exif and preview:
        exif, xmp = _blocks(preview)
    metadata, more = metadata_of_blocks(exif=exif, xmp=xmp)
    told = "the camera raw file was developed as LibRaw does it: the camera's white balance, sRGB"
    decoded = Decoded(planes_of_samples(developed), upright=True, converted=True)
    return Content("RAW", decoded, metadata, (told, *more))


def _preview(raw: object, rawpy: ModuleType) -> bytes:
    """The camera's own JPEG inside, whose EXIF stands in where the file is not built like a TIFF."""
    try:
        thumbnail = raw.extract_thumb()  # type: ignore[attr-defined]
    except rawpy.LibRawError:
        return b""
    return bytes(thumbnail.data) if thumbnail.format == rawpy.ThumbFormat.JPEG else b""


def _blocks(data: bytes) -> tuple[bytes, bytes]:
    """EXIF and XMP of a file that is built like a TIFF, or of a JPEG."""
    if data.startswith(b"\xff\xd8"):
        with contextlib.suppress(OSError, ValueError, SyntaxError), Image.open(io.BytesIO(data)) as image:
            return image.info.get("exif", b""), image.info.get("xmp", b"")
        return b"", b""
    try:
        return exif_of(data, lambda tag: tag in STORAGE_TAGS or tag >= _DNG_TAGS or tag in _SENSOR_TAGS), b""
    except ValueError:
        return b"", b""
