"""A photograph or film as one small picture, upright and in sRGB, for pages that show thousands of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from colorize_media.errors import NoPicture
from colorize_media.files.first_look import kind_of, size_of_readable
from colorize_media.options import ColorizeOptions
from colorize_media.photo.pages import read_photo
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.video.opening import open_video
from colorize_media.video.samples import sample

QUALITY = 55  # of JPEG, as small as WebP at such sizes and made four times as fast; 4 kB at 160 px


def thumbnail(path: Path, side: int, options: ColorizeOptions) -> bytes:
    """A JPEG whose long side is at most ``side`` px; of a film, the frame in the middle of the part that options choose.

    Raises FileProblems, as reading the file for colouring does.
    """
    size_of_readable(path)
    if kind_of(path) == "video":
        image = Image.fromarray(_middle_frame(path, options))
    else:
        image = _scaled_jpeg(path, side, options) or Image.fromarray(
            read_photo(path, max_pixels=options.max_pixels).preview
        )
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    # Grey saves a little, and not the tint of a scanner's cast: only what is exactly grey is stored so.
    grey = image.convert("L") if not np.ptp(np.asarray(image), axis=-1).any() else image
    grey.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def _scaled_jpeg(path: Path, side: int, options: ColorizeOptions) -> Image.Image | None:
    """A JPEG decoded at a fraction of its size, which is many times faster; None for what is not that simple."""
    with quiet_decoders():
        try:
            with Image.open(path) as image:
                width, height = image.size
                plain = image.format == "JPEG" and image.mode in ("L", "RGB") and "icc_profile" not in image.info
                if not plain or width * height > options.max_pixels:
                    return None
                image.draft("RGB", (2 * side, 2 * side))
                return ImageOps.exif_transpose(image).convert("RGB")
        except Exception:  # the other way says what is wrong, or copes
            return None


def _middle_frame(path: Path, options: ColorizeOptions) -> NDArray[np.uint8]:
    with open_video(path, options) as reader:
        frames = sample(reader, 1)
    if not frames:
        raise NoPicture("no picture", path=path, why="no frame can be decoded", hint="get another copy")
    return frames[0]
