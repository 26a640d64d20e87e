"""A quick look at a photograph: what decides about it, without decoding all of a large JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_media.photo.header import open_picture, read_header
from colorize_media.photo.pages import pages_of_file
from colorize_media.photo.pixels import grey_preview, preview_size
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.photo.read import is_for_pillow, read_file
from colorize_media.photo.refusals import DECODER_ERRORS, damaged, in_plain_words


class Glance(NamedTuple):
    """One page: ``preview (h, w, 3)`` as `Photo` has it, ``luma (H, W)`` of any size, its codes."""

    preview: NDArray[np.uint8]
    luma: NDArray[Any]


def glances(path: Path, max_pixels: int) -> Iterator[Glance]:
    """Of each page; of a JPEG from an eighth to a half of its size, as libjpeg averages it. Raises as `pages.read_photo`.

    The stream is read to its end, so a file that is cut is found here too.
    """
    data = read_file(path, max_pixels)
    if (small := _small_jpeg(path, data, max_pixels)) is not None:
        yield small
        return
    for photo in pages_of_file(path, data, max_pixels):
        yield Glance(photo.preview, photo.luma)


def _small_jpeg(path: Path, data: bytes, max_pixels: int) -> Glance | None:
    """None for what is no JPEG of grey or Y′CbCr, or is small already."""
    if not data.startswith(b"\xff\xd8") or not is_for_pillow(path, data):
        return None
    with quiet_decoders(), open_picture(path, data) as image:
        header = read_header(path, image, data, max_pixels)
        wanted = preview_size(*image.size)
        if image.format != "JPEG" or image.mode not in ("L", "RGB") or header.crooked:
            return None
        image.draft(image.mode, wanted)
        if image.size == header.size:
            return None
        try:
            image.load()
        except DECODER_ERRORS as problem:
            raise damaged(path, in_plain_words(problem)) from problem
        luma = np.asarray(image.convert("L")).copy()
        if image.mode == "L":
            return Glance(grey_preview(luma), luma)
        small = image.resize(wanted, Image.Resampling.BOX)
        return Glance(np.asarray(small).copy(), luma)
