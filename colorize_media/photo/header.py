"""What a file that Pillow opens says of its picture before any pixel is decoded: read once, and refused where it must be."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms

from colorize_media.errors import UnsupportedMedia
from colorize_media.files.boxes import av1_bits, transfer
from colorize_media.files.formats import FORMAT_SUFFIXES
from colorize_media.metadata.gif import gif_blocks
from colorize_media.metadata.icc import profile_space
from colorize_media.metadata.png import png_transfer, unusual_gamma
from colorize_media.metadata.tiff import tiff_orientation
from colorize_media.photo.deep import deep_ppm_head
from colorize_media.photo.pixels import HDR_TRANSFERS
from colorize_media.photo.refusals import (
    DECODER_ERRORS,
    check_size,
    damaged,
    high_dynamic_range,
    in_plain_words,
    unidentified,
    unsupported,
)

_ALIASES = {"MPO": "JPEG", "DIB": "BMP"}
_UNREADABLE_MODES = {"F": "floating point", "I": "32-bit integer", "LAB": "Lab"}
_GREY_TOLERANCE = 12  # codes of 255 between R, G and B; scanner profiles reach 5, XYB has over 100


@dataclass(frozen=True, eq=False)
class Header:
    """Of the file at ``path`` with the content ``data``.

    format       one of FORMAT_SUFFIXES, by content
    mode         Pillow's, before the picture is loaded
    size         width and height as stored
    bits         per channel as the file says: Pillow's mode hides that 16-bit R′G′B′ is cut to 8
    profile      the ICC profile, or nothing
    crooked      whether equal R′G′B′ is not grey through that profile, so that luma would not mean what it should
    gamma        PNG's gAMA where viewers heed it and it is not about sRGB's; None elsewhere
    orientation  EXIF's 1…8 of a TIFF file, which Pillow turns when it loads it; 1 for all others
    tags         of a TIFF file's first directory
    warnings     what will be lost
    """

    path: Path
    data: bytes
    format: str
    mode: str
    size: tuple[int, int]
    bits: int
    profile: bytes
    crooked: bool
    gamma: float | None
    orientation: int
    tags: Mapping[int, Any]
    warnings: tuple[str, ...]

    @property
    def is_turned_when_loaded(self) -> bool:
        """Whether Pillow applies Orientation."""
        return self.format == "TIFF"

    @property
    def is_deep_grey_ppm(self) -> bool:
        """Which Pillow alone reads at its full depth."""
        return self.format == "PPM" and self.mode == "I"


def open_picture(path: Path, data: bytes) -> Image.Image:
    """Pillow's image, not loaded. Raises NoPicture, DamagedMedia, UnsupportedMedia."""
    try:
        image = Image.open(io.BytesIO(data))
        if image.format == "GIF":  # of which Pillow hands out neither
            blocks = zip(("xmp", "icc_profile"), gif_blocks(data), strict=True)
            image.info |= {name: block for name, block in blocks if block}
        return image
    except (*DECODER_ERRORS, OverflowError) as problem:
        raise unidentified(path, data) from problem


def read_header(path: Path, image: Image.Image, data: bytes, max_pixels: int) -> Header:
    """Read the header, and refuse what is too large or would lose something. Raises DamagedMedia, UnsupportedMedia."""
    check_size(path, *image.size, max_pixels)
    name = _ALIASES.get(image.format or "", image.format or "")
    try:
        profile = image.info.get("icc_profile", b"")
        header = Header(
            path=path,
            data=data,
            format=name,
            mode=image.mode,
            size=image.size,
            bits=_declared_bits(image, data),
            profile=profile,
            crooked=profile_space(profile) == "RGB" and not is_grey_balanced(profile),
            gamma=unusual_gamma(image),
            orientation=tiff_orientation(image),
            tags=getattr(image, "tag_v2", {}),
            warnings=tuple(_warnings_about(path, image, name)),
        )
    except DECODER_ERRORS as problem:
        raise damaged(path, in_plain_words(problem)) from problem
    _refuse(header, image)
    return header


def _declared_bits(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG":
        return data[24] if data[12:16] == b"IHDR" else 8
    if image.format == "TIFF":
        bits = image.tag_v2.get(ExifTags.Base.BitsPerSample, 1)  # type: ignore[attr-defined]
        return max(bits) if isinstance(bits, tuple) else int(bits)
    if image.format == "AVIF":
        return av1_bits(data)
    if image.format == "JPEG2000":
        at = data.find(b"\xff\x51")  # SIZ; its first component's depth − 1 is at offset 40 (T.800 A.5.1)
        return (data[at + 40] & 0x7F) + 1 if 0 <= at < len(data) - 40 else 8
    return 16 if image.mode.startswith("I") or (image.format == "PPM" and deep_ppm_head(data)) else 8


def is_grey_balanced(profile: bytes) -> bool:
    """Whether equal R′G′B′ is grey through a profile."""
    ramp = Image.frombytes("RGB", (3, 1), bytes((64, 64, 64, 128, 128, 128, 192, 192, 192)))
    try:
        shown = np.asarray(profile_to_srgb(ramp, profile)).astype(np.int32)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True  # no colour engine can use the profile, so viewers ignore it too
    return int(np.ptp(shown, axis=2).max()) <= _GREY_TOLERANCE


def profile_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The picture converted from its profile's colours. Raises PyCMSError, OSError, ValueError."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    out = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert out is not None  # None only with inPlace
    return out


def _warnings_about(path: Path, image: Image.Image, name: str) -> Iterator[str]:
    expected = next((known for known, suffixes in FORMAT_SUFFIXES.items() if path.suffix.lower() in suffixes), name)
    if expected != name:
        yield f"the file is named {path.suffix} but its content is {name}"
    if image.format == "MPO":
        yield "the camera's further pictures inside the file (MPO) are not carried over"
    if image.format == "PSD":
        yield "the layers of the Photoshop file are not carried over"
    if image.format == "ICO" and len(image.info.get("sizes", ())) > 1:
        yield "the icon's other sizes are not carried over"


def _refuse(header: Header, image: Image.Image) -> None:
    """What would lose something."""
    path, name = header.path, header.format
    if name not in FORMAT_SUFFIXES:
        raise unsupported(path, f"its format is {name}", "convert it to PNG or TIFF first")
    if image.format not in ("MPO", "TIFF", "PSD") and _has_other_frames(path, image):
        raise unsupported(
            path, "it holds several frames, and only one could be written", "convert the animation to a video first"
        )
    if header.mode in _UNREADABLE_MODES and not header.is_deep_grey_ppm:
        kind = _UNREADABLE_MODES[header.mode]
        raise unsupported(path, f"its pixels are {kind}", "convert it to 16-bit PNG or TIFF first")
    if name == "AVIF":
        if transfer(header.data) in HDR_TRANSFERS:
            raise high_dynamic_range(path)
        return  # its decoder knows what to do with any depth
    if name == "PNG" and png_transfer(header.data) in HDR_TRANSFERS:
        raise high_dynamic_range(path)
    if header.bits > 8 and header.bits != 16 and not header.is_deep_grey_ppm:
        why = f"its {header.bits} bits per channel cannot be read"
        raise unsupported(path, why, "convert it to 16-bit PNG or TIFF first")
    if header.crooked and (header.bits > 8 or header.mode != "RGB"):
        raise crooked_profile(path)


def crooked_profile(path: Path) -> UnsupportedMedia:
    """Of pictures whose samples cannot be converted at their own depth."""
    return unsupported(path, "equal R, G and B are not grey in its colour profile", "convert it to sRGB first")


def _has_other_frames(path: Path, image: Image.Image) -> bool:
    try:
        return int(getattr(image, "n_frames", 1)) > 1
    except DECODER_ERRORS as problem:
        raise damaged(path, f"its frames cannot be counted: {problem}") from problem
