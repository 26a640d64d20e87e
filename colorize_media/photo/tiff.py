"""TIFF files whose layout Pillow does not know or would lose something of, through tifffile and imagecodecs.

Any whole number of bits up to 16, grey or RGB, in strips, tiles or planes, by any compression that imagecodecs has; and
channels of which the file does not say what they are: those are no transparency. Source: TIFF 6.0 §8 and §18.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base

from colorize_media.metadata.directories import form_of, tag_numbers
from colorize_media.metadata.icc import profile_space
from colorize_media.metadata.reading import tiff_metadata
from colorize_media.photo.header import crooked_profile, is_grey_balanced
from colorize_media.photo.picture import Content
from colorize_media.photo.pixels import (
    Decoded,
    planes_of_samples,
    scaled_to_8_bits,
    scaled_to_16_bits,
    strips,
)
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.photo.refusals import (
    DECODER_ERRORS,
    check_size,
    damaged,
    in_plain_words,
    out_of_memory,
    tiff_layout,
    unsupported,
)

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _SEPARATED = 0, 1, 2, 5
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2  # of ExtraSamples
_SIGNED = 2  # of SampleFormat
_MOST_CHANNELS = 32
_LARGEST_TILE = 1 << 20  # pixels; a small picture may be one tile that is larger than it
_PLAIN = "save it as a plain 8-bit or 16-bit TIFF, grey or RGB"


def is_uncommon_tiff(path: Path, data: bytes) -> bool:
    """Whether Pillow cannot read this TIFF, or not all of it: more than 8 bits, odd, signed, or a channel of unknown use."""
    if form_of(data) is None:
        return False
    if _SIGNED in tag_numbers(data, Base.SampleFormat):  # Pillow takes them for unsigned
        return True
    bits = tag_numbers(data, Base.BitsPerSample) or (1,)
    if tag_numbers(data, Base.PhotometricInterpretation) not in ((_WHITE_IS_ZERO,), (_BLACK_IS_ZERO,), (_RGB,)):
        return max(bits) > 8
    if _UNSPECIFIED in tag_numbers(data, Base.ExtraSamples):
        return True
    is_rgb = tag_numbers(data, Base.PhotometricInterpretation) == (_RGB,)
    return not (set(bits) == {8} or (set(bits) <= {1, 2, 4} and not is_rgb and len(bits) == 1))


def read_tiff(path: Path, data: bytes, max_pixels: int) -> Content:
    """Planes and metadata of the first page. Raises DamagedMedia, UnsupportedMedia."""
    import tifffile  # 0.4 s

    try:
        with quiet_decoders(), tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            check_size(path, page.imagewidth, page.imagelength, max_pixels)
            _refuse(path, page, data, max_pixels)
            samples = _samples(page)
            bits, inverted = page.bitspersample, page.photometric == _WHITE_IS_ZERO
            colors = 3 if page.photometric == _RGB else 1
            extras = tuple(int(kind) for kind in page.extrasamples)
    except (*DECODER_ERRORS, tifffile.TiffFileError, AttributeError, ArithmeticError) as problem:
        raise damaged(path, in_plain_words(problem)) from problem
    except MemoryError as problem:
        raise out_of_memory(path) from problem
    if samples.shape[2] < colors:
        raise damaged(path, f"it has {samples.shape[2]} channels, too few for its colours")
    extras = (extras + (_UNSPECIFIED,) * samples.shape[2])[: samples.shape[2] - colors]
    if not tag_numbers(data, Base.ExtraSamples) and len(extras) == 1:
        extras = (_UNASSOCIATED,)  # what other programs take a fourth channel for of which nothing is said
    picture, unspecified = _picture(samples, bits, colors, extras)
    if inverted:
        np.subtract(np.iinfo(picture.dtype).max, picture[..., :1], out=picture[..., :1])
    metadata, more = tiff_metadata(data)
    if profile_space(metadata.icc) == "RGB" and colors == 3 and not is_grey_balanced(metadata.icc):
        raise crooked_profile(path)
    pixels = replace(planes_of_samples(picture), extras=unspecified)
    return Content("TIFF", Decoded(pixels), metadata, more)


def _refuse(path: Path, page: Any, data: bytes, max_pixels: int) -> None:
    """What cannot be read, and what claims more than the file has: a cut strip would be filled with anything."""
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        kind = {5: "CMYK or other inks", 6: "Y′CbCr", 8: "Lab", 32803: "a camera's raw mosaic"}.get(
            int(page.photometric), "of a kind that is not known here"
        )
        raise unsupported(path, f"TIFF pixels of this layout cannot be read: {tiff_layout(data)}, {kind}", _PLAIN)
    formats = set(tag_numbers(data, Base.SampleFormat) or (1,))
    if formats != {1} or page.bitspersample > 16 or page.imagedepth != 1 or page.samplesperpixel > _MOST_CHANNELS:
        raise unsupported(path, f"TIFF pixels of this layout cannot be read: {tiff_layout(data)}", _PLAIN)
    chunk = page.tilewidth * page.tilelength
    if chunk > max(max_pixels, _LARGEST_TILE):
        raise damaged(path, f"its tiles have {chunk} pixels")
    if len(page.dataoffsets) < max(1, int(np.prod(page.chunked))):
        raise damaged(path, "it does not say where its pixels are")
    for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        if not size or start + size > len(data):
            raise damaged(path, "it is truncated: the file ends before its picture does")


def _samples(page: Any) -> NDArray[Any]:
    """``(H, W, channels)`` in the file's own codes."""
    planes, _depth, height, width, channels = page.shaped
    found = page.asarray(maxworkers=1).reshape(planes, height, width, channels)
    return found[0] if planes == 1 else np.moveaxis(found[..., 0], 0, 2)


def _picture(
    samples: NDArray[Any], bits: int, colors: int, extras: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Full-range colours with their transparency, if there is one, of 8 or 16 bits; and all other channels."""
    channels = list(range(colors))
    transparency = next((kind for kind in extras if kind in (_ASSOCIATED, _UNASSOCIATED)), None)
    if transparency is not None:
        channels.append(colors + extras.index(transparency))
    largest = (1 << bits) - 1
    scale = scaled_to_8_bits if bits <= 8 else scaled_to_16_bits
    scaled = scale(np.ascontiguousarray(samples[..., channels]), largest)
    if transparency == _ASSOCIATED:
        _divide_by_alpha(scaled)
    others = [channel for channel in range(samples.shape[2]) if channel not in channels]
    return scaled, scale(np.ascontiguousarray(samples[..., others]), largest) if others else None


def _divide_by_alpha(samples: NDArray[Any]) -> None:
    """Plain samples of those that were multiplied by the last channel, in place."""
    largest = float(np.iinfo(samples.dtype).max)
    for top, bottom in strips(*samples.shape[:2]):
        rows = samples[top:bottom].astype(np.float64)
        plain = np.divide(rows[..., :-1] * largest, rows[..., -1:], out=rows[..., :-1], where=rows[..., -1:] > 0)
        samples[top:bottom, :, :-1] = np.minimum(np.rint(plain), largest).astype(samples.dtype)
