"""The ways to refuse a photograph, in words: what several decoders share, and why Pillow cannot open or read one."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from PIL import ImageCms, features
from PIL.ExifTags import Base

from colorize_media.errors import DamagedMedia, FileProblem, NoPicture, UnsupportedMedia
from colorize_media.files.boxes import AVIF_BRANDS, brands, picture_sizes
from colorize_media.files.first_bytes import begins_like
from colorize_media.files.formats import UNREADABLE_SUFFIXES
from colorize_media.metadata.directories import tag_numbers
from colorize_media.metadata.exif import exif_orientation
from colorize_media.metadata.jpeg import jpeg_segments

# What Pillow's decoders raise on damaged bytes; the AVIF one knows only RuntimeError.
DECODER_ERRORS = (
    RuntimeError,
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, IndexError, TypeError, KeyError),
    ImageCms.PyCMSError,
)
_AVIF_MOST_PIXELS, _AVIF_MOST_SIDE = 16384 * 16384, 32768  # libavif's own limits


def damaged(path: Path, why: str) -> DamagedMedia:
    """Bytes that no strict decoder reads to the end."""
    return DamagedMedia(
        "the picture is damaged", path=path, why=why, hint="copy it again from its source, or repair it"
    )


def unsupported(path: Path, why: str, hint: str) -> UnsupportedMedia:
    """A whole picture of a kind that would lose something, or that no decoder knows."""
    return UnsupportedMedia("this kind of picture is not supported", path=path, why=why, hint=hint)


def high_dynamic_range(path: Path) -> UnsupportedMedia:
    return unsupported(path, "it is a high dynamic range picture (PQ or HLG)", "export it as a standard picture first")


def out_of_memory(path: Path) -> UnsupportedMedia:
    return unsupported(path, "there is not enough memory for it", "lower --max-pixels, or free memory")


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse by the header's size, before memory is taken. Raises UnsupportedMedia, DamagedMedia."""
    if width * height > max_pixels:
        raise UnsupportedMedia(
            "the picture is too large",
            path=path,
            why=f"{width} × {height} is more than {max_pixels} pixels",
            hint="raise --max-pixels if the machine has the memory",
        )
    if width < 1 or height < 1:
        raise damaged(path, f"its size is {width} × {height}")


def unidentified(path: Path, data: bytes) -> FileProblem:
    """The error for a file that Pillow cannot open at all."""
    if brands(data)[0] in AVIF_BRANDS and features.check("avif"):
        return _no_avif(path, data)
    known = begins_like(data[:32])
    if known is not None and known.format == "WEBP":
        return damaged(path, "the WebP header cannot be read")
    kind = known.format if known is not None and known.format in UNREADABLE_SUFFIXES else ""
    if kind := kind or next((name for name, all_ in UNREADABLE_SUFFIXES.items() if path.suffix.lower() in all_), ""):
        return unsupported(path, f"it is {kind}, which cannot be read", "convert it to PNG or 16-bit TIFF first")
    if _has_directory(data):
        why = f"TIFF pixels of this layout cannot be read: {tiff_layout(data)}"
        return unsupported(path, why, "save it as a plain 8-bit or 16-bit TIFF, grey or RGB")
    if why := strange_jpeg(data):
        return unsupported(path, why, "convert it to an ordinary JPEG or to PNG first")
    if known is not None and known.title:
        return damaged(path, f"it begins like {known.title}, but its header cannot be read")
    if b"<svg" in data[:1024]:
        return unsupported(path, "it is a vector drawing (SVG)", "export it as PNG first")
    return NoPicture(
        "there is no picture in the file",
        path=path,
        why="its content is none of the known picture formats, whatever its name says",
        hint="open it in a viewer to see what it is",
    )


def _no_avif(path: Path, data: bytes) -> DamagedMedia | UnsupportedMedia:
    """libavif does not even begin with a picture that it calls too large."""
    width, height = max(picture_sizes(data), key=lambda size: size[0] * size[1], default=(0, 0))
    if width * height > _AVIF_MOST_PIXELS or max(width, height) > _AVIF_MOST_SIDE:
        return UnsupportedMedia(
            "the picture is too large",
            path=path,
            why=f"{width} × {height} pixels are more than the AVIF decoder takes",
            hint="convert it to PNG, or make it smaller, in another program",
        )
    return damaged(path, "it begins like AVIF, but cannot be decoded")


def strange_jpeg(data: bytes) -> str:
    """Why a whole JPEG cannot be read: its frame header (T.81 B.2.2) asks for more than 8 bits or for lossless coding."""
    if not data.startswith(b"\xff\xd8"):
        return ""
    for marker, payload in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and payload:
            if marker in (0xC3, 0xC7, 0xCB, 0xCF):
                return "it is a lossless JPEG, which cannot be read"
            return f"its {payload[0]} bits per channel cannot be read" if payload[0] != 8 else ""
    return "it is a JPEG-LS, which cannot be read" if b"\xff\xf7" in data[:1000] else ""


def _has_directory(data: bytes) -> bool:
    try:
        exif_orientation(data)
    except ValueError:
        return False
    return True


def tiff_layout(data: bytes) -> str:
    """What the first directory says of the samples, in words."""
    bits, formats, packing = (
        tag_numbers(data, tag) for tag in (Base.BitsPerSample, Base.SampleFormat, Base.Compression)
    )
    kinds = {2: "signed integers", 3: "floating point", 5: "complex integers", 6: "complex floating point"}
    kind = kinds.get(formats[0] if formats else 1, "unsigned integers")
    said = f"{len(bits) or 1} × {max(bits, default=1)} bits, {kind}"
    return said if packing in ((), (1,)) else f"{said}, compression {packing[0]}"


def in_plain_words(problem: BaseException) -> str:
    """Pillow's reasons are for programmers: "decoder error -2", "image file is truncated (0 bytes not processed)"."""
    said = str(problem)
    if "truncated" in said.lower():
        return "it is truncated: the file ends before its picture does"
    if said.startswith("decoder error"):
        return "its pixels cannot be decoded"
    if "data stream" in said:
        return "its compressed pixels make no sense from some point on"
    return said or type(problem).__name__
