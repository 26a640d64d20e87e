"""Pictures that FFmpeg alone reads at their own depth: DPX scans, and 16-bit files of Photoshop (PSD) and SGI.

Their headers are read here for the size, which is checked before FFmpeg is asked. Sources: SMPTE 268M (DPX), Adobe's
Photoshop File Formats, Paul Haeberli's SGI image file format 1.00.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from colorize_media.files.first_bytes import begins_like
from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.photo.deep import ffmpeg_frame, samples_of_frame
from colorize_media.photo.picture import Content
from colorize_media.photo.pixels import Decoded, planes_of_samples
from colorize_media.photo.refusals import check_size, damaged, unsupported

_DPX_LOGARITHMIC = {1: "printing density", 3: "logarithmic"}  # of the transfer characteristic
_PSD_GREY, _PSD_RGB = 1, 3


@dataclass(frozen=True)
class _Head:
    """What a file's header says: FFmpeg's name of its decoder, width, height, and how many channels are the picture's."""

    format: str
    width: int
    height: int
    colors: int = 0  # 0: all
    warnings: tuple[str, ...] = ()


def is_ffmpegs_still(path: Path, data: bytes) -> bool:
    """Whether Pillow does not know such a file, or would cut it to 8 bits."""
    known = begins_like(data[:32])
    name = "" if known is None else known.format
    return name == "DPX" or (name == "SGI" and data[3] == 2) or (name == "PSD" and data[22:24] == b"\0\x10")


def read_ffmpegs_still(path: Path, data: bytes, max_pixels: int) -> Content:
    """Planes of such a picture. Raises DamagedMedia, UnsupportedMedia."""
    try:
        head = next(read(data) for start, read in _HEADERS.items() if data.startswith(start))
    except (struct.error, IndexError) as problem:
        raise damaged(path, "its header is cut") from problem
    check_size(path, head.width, head.height, max_pixels)
    frame = ffmpeg_frame(head.format.lower(), data, (head.width, head.height))
    if frame is None or (frame.width, frame.height) != (head.width, head.height):
        raise damaged(
            path, f"its {head.format} pixels cannot be decoded to their end, or are of a kind that is not known"
        )
    samples = samples_of_frame(frame)
    if samples is None:
        why = f"{head.format} pixels of this kind ({frame.format.name}) cannot be read"
        raise unsupported(path, why, "convert it to 16-bit TIFF or PNG first")
    warnings = head.warnings
    if head.colors and samples.shape[2] > head.colors:
        samples = samples[..., : head.colors]
        warnings += ("a channel beside the picture's own (a mask, a spot colour) is not carried over",)
    return Content(head.format, Decoded(planes_of_samples(samples)), PhotoMetadata(), warnings)


def _dpx(data: bytes) -> _Head:
    order = ">" if data.startswith(b"SDPX") else "<"
    width, height = struct.unpack_from(f"{order}LL", data, 772)
    warnings = ["what the DPX header says of film and device is not carried over"]
    if kind := _DPX_LOGARITHMIC.get(data[801]):
        warnings.append(f"its tones are {kind} and stay as they are: colours are guessed from a flat picture")
    return _Head("DPX", width, height, warnings=tuple(warnings))


def _sgi(data: bytes) -> _Head:
    width, height = struct.unpack_from(">HH", data, 6)
    return _Head("SGI", width, height)


def _psd(data: bytes) -> _Head:
    height, width, _, mode = struct.unpack_from(">LLHH", data, 14)
    told = "the layers and the metadata of the Photoshop file are not carried over"
    return _Head("PSD", width, height, {_PSD_GREY: 1, _PSD_RGB: 3}.get(mode, 0), (told,))


_HEADERS = {b"SDPX": _dpx, b"XPDS": _dpx, b"\x01\xda": _sgi, b"8BPS": _psd}
