"""HEIC and HEIF pictures, whole and upright, through pi-heif (the extra ``heif``): libheif joins the tiles that phones
store and applies irot and imir itself, where FFmpeg would hand out a tile.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from colorize_media.files.boxes import is_cut, names_are_text
from colorize_media.machine import require
from colorize_media.metadata.carried import metadata_of_blocks
from colorize_media.photo.picture import Content
from colorize_media.photo.pixels import HDR_TRANSFERS, Decoded, planes_of_samples, scaled_to_16_bits
from colorize_media.photo.refusals import check_size, damaged, high_dynamic_range, out_of_memory

# libheif's own limits hold too: it checks every size in the file against the file's length before it takes memory.
_ERRORS = (OSError, ValueError, EOFError, RuntimeError, SyntaxError, IndexError, TypeError)


def read_heif(path: Path, data: bytes, max_pixels: int) -> Content:
    """Planes and metadata of the primary picture. Raises LibraryMissing, DamagedMedia, UnsupportedMedia."""
    pi_heif = require("pi_heif", "HEIC pictures need a library that is not installed", "run: pip install pi-heif", path)
    if is_cut(data):
        raise damaged(path, "the file ends before its pictures do")
    if not names_are_text(data):  # pi-heif 1.4 would bring the process down
        raise damaged(path, "the list of its parts is no text")
    try:
        file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
        picture = file[file.primary_index]
        width, height = picture.size
        check_size(path, width, height, max_pixels)
        info = picture.info
        if info.get("nclx_profile", {}).get("transfer_characteristics") in HDR_TRANSFERS:
            raise high_dynamic_range(path)
        samples = np.asarray(picture)
    except _ERRORS as problem:
        raise damaged(path, str(problem) or type(problem).__name__) from problem
    except MemoryError as problem:
        raise out_of_memory(path) from problem
    if samples.shape[:2] != (height, width):
        raise damaged(path, f"it decodes to {samples.shape[1]} × {samples.shape[0]} pixels, not {width} × {height}")
    if samples.dtype == np.uint16:
        samples = scaled_to_16_bits(samples, (1 << int(info["bit_depth"])) - 1)
    pixels = planes_of_samples(samples if samples.ndim == 3 else samples[..., None])
    metadata, more = metadata_of_blocks(
        exif=info.get("exif") or b"", xmp=info.get("xmp") or b"", icc=info.get("icc_profile") or b""
    )
    return Content("HEIC", Decoded(pixels, upright=True), metadata, (*_left_out(file, info), *more))


def _left_out(file: Any, info: dict[str, Any]) -> list[str]:
    found = []
    if len(file) > 1:
        found.append(f"the file's {len(file) - 1} further pictures are not carried over")
    if any("gainmap" in str(kind) for kind in info.get("aux", {})):
        found.append("the HDR gain map inside the file is not carried over")
    if info.get("depth_images"):
        found.append("the depth map inside the file is not carried over")
    return found
