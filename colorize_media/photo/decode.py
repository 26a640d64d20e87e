"""Decode a photograph that Pillow opens with the decoder that loses nothing, chosen by its header from an ordered table.

Decoders: FFmpeg (through PyAV, from memory, never by file name) where it keeps what Pillow would lose, which is a
colour JPEG's own Y plane and 16 bits per channel of PNG and JPEG 2000; Pillow for everything else and wherever they disagree.

What counts as damaged: a picture is whole only if the strict decoder of its format reads it to its end. For JPEG that
is libjpeg (FFmpeg fills what is missing with grey and says nothing), which is asked for the whole stream at 1/8 size; a
file that stops before its end marker is refused even if only the last rows are missing. A colour version of half a
picture must not look like success.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from colorize_media.color.planes import plane_rows
from colorize_media.color.scaling import averaged_down
from colorize_media.metadata.icc import gamma_codes_as_srgb, profile_space
from colorize_media.photo.deep import avif_samples, deep_ffmpeg, deep_ppm, ffmpeg_frame
from colorize_media.photo.header import Header, profile_to_srgb
from colorize_media.photo.pixels import (
    Decoded,
    Pixels,
    grey_preview,
    luma_of,
    planes_of_samples,
    preview_size,
    strips,
)
from colorize_media.photo.refusals import (
    DECODER_ERRORS,
    damaged,
    in_plain_words,
    out_of_memory,
    strange_jpeg,
    unsupported,
)

_DECODERS_DIFFER = 6.0  # mean codes of 255 between FFmpeg's and libjpeg's luma at 1/8; two good decoders stay under 1
_FFMPEG_DECODERS = {"PNG": "png", "JPEG2000": "jpeg2000"}


def decode(header: Header, image: Image.Image) -> Decoded:
    """Planes by the first decoder of the table that can. Raises DamagedMedia and UnsupportedMedia."""
    attempts = (decoder.decode(header, image) for decoder in DECODERS if decoder.applies(header))
    try:
        return next(found for found in attempts if found is not None)
    except DECODER_ERRORS as problem:
        if header.format == "JPEG" and (why := strange_jpeg(header.data)):
            raise unsupported(header.path, why, "convert it to an ordinary JPEG or to PNG first") from problem
        raise damaged(header.path, in_plain_words(problem)) from problem
    except MemoryError as problem:
        raise out_of_memory(header.path) from problem


def _avif(header: Header, image: Image.Image) -> Decoded:
    """Pillow hands out 8 bits; a deeper picture in one piece and without alpha is FFmpeg's."""
    image.load()
    if header.bits <= 8:
        return Decoded(_pillow_planes(image))
    samples = avif_samples(header.data, image.size) if image.mode == "RGB" else None
    if samples is not None:
        return Decoded(planes_of_samples(samples))
    what = f"the {header.bits}-bit picture is read with 8 bits per channel"
    return Decoded(_pillow_planes(image), (f"{what} (converted to a 16-bit PNG or TIFF first, it keeps them)",))


def _jpeg(header: Header, image: Image.Image) -> Decoded | None:
    """A colour JPEG's own Y plane; None where FFmpeg has no Y′CbCr or disagrees with libjpeg; OSError if it is cut."""
    data, size = header.data, header.size
    with Image.open(io.BytesIO(data)) as check:
        check.draft("L", (1, 1))  # 1/8 size: the whole stream is read, only the averages are decoded
        check.load()
        small = np.asarray(check.convert("L"))
    frame = ffmpeg_frame("mjpeg", data, size)
    if frame is None or (frame.width, frame.height) != size:
        return None
    if frame.format.name not in ("yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p", "yuvj411p"):
        return None
    planes = [plane_rows(plane, "u1")[:, : plane.width] for plane in frame.planes]
    if _differ(planes[0], small):
        return None
    w, h = preview_size(*size)
    y, cb, cr = (_sized(plane, (w, h)) for plane in planes)
    preview = np.ascontiguousarray(cv2.cvtColor(cv2.merge((y, cr, cb)), cv2.COLOR_YCrCb2RGB))
    return Decoded(Pixels(planes[0].copy(), preview.astype(np.uint8, copy=False)))


def _differ(luma: NDArray[np.uint8], small: NDArray[np.uint8]) -> bool:
    """Whether two decoders differ; ``small`` is the other's luma at 1/8: the means of blocks of 8 × 8, cut ones too."""
    height, width = luma.shape[0] // 8, luma.shape[1] // 8
    if not height or not width:
        return False
    means = cv2.resize(luma[: 8 * height, : 8 * width], (width, height), interpolation=cv2.INTER_AREA)
    return float(cv2.absdiff(means, small[:height, :width]).mean()) > _DECODERS_DIFFER


def _sized(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A plane at the preview's size: chroma planes of a small picture are smaller."""
    if plane.shape[1] >= size[0] and plane.shape[0] >= size[1]:
        return averaged_down(plane, size)
    enlarged: NDArray[Any] = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return enlarged


def _deep_ppm(header: Header, image: Image.Image) -> Decoded:
    image.load()
    return _deep(header, image, deep_ppm(header.data))


def _deep_by_ffmpeg(header: Header, image: Image.Image) -> Decoded:
    image.load()
    return _deep(header, image, deep_ffmpeg(_FFMPEG_DECODERS[header.format], header.data, image.size))


def _deep(header: Header, image: Image.Image, samples: NDArray[np.uint16] | None) -> Decoded:
    """Planes of 16-bit samples; of Pillow's loaded image where they are one grey channel that no other decoder knows."""
    if samples is not None:
        return Decoded(planes_of_samples(samples))
    if image.mode.startswith("I;16"):
        return Decoded(_pillow_planes(image), upright=header.is_turned_when_loaded)
    why = f"this layout of {header.format} with 16 bits cannot be read"
    raise unsupported(header.path, why, "convert it to a plain 16-bit PNG")


def _through_gamma(header: Header, image: Image.Image) -> Decoded:
    """A PNG's tones as a viewer shows them, at its own depth."""
    assert header.gamma is not None
    told = f"its tones are those of a gamma of {header.gamma:g} (PNG's gAMA): converted to sRGB, as viewers show them"
    image.load()
    if header.bits > 8:
        samples = deep_ffmpeg("png", header.data, image.size)
        if samples is None:
            raise unsupported(header.path, "this layout of PNG with 16 bits cannot be read", "convert it to sRGB first")
        colors = samples.shape[2] - (samples.shape[2] in (2, 4))
        samples[..., :colors] = gamma_codes_as_srgb(header.gamma, 16)[samples[..., :colors]]
        return Decoded(planes_of_samples(samples), (told,), converted=True)
    grey = image.mode in ("1", "L", "LA")
    has_alpha = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    image = image.convert(
        {(True, False): "L", (True, True): "LA", (False, False): "RGB"}.get((grey, has_alpha), "RGBA")
    )
    table, same = gamma_codes_as_srgb(header.gamma, 8).tolist(), list(range(256))
    bands = len(image.getbands())
    shown = image.point(table * (bands - has_alpha) + same * has_alpha)
    return Decoded(_pillow_planes(shown), (told,), converted=True)


def _through_profile(header: Header, image: Image.Image) -> Decoded:
    image.load()
    told = "its colour profile is not one of a display: converted to sRGB, and not carried over"
    return _converted(header, profile_to_srgb(image, header.profile), told)


def _cmyk(header: Header, image: Image.Image) -> Decoded:
    image.load()
    if profile_space(header.profile) == "CMYK":
        try:
            shown = profile_to_srgb(image, header.profile)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
        else:
            told = "the CMYK picture was converted to sRGB with its own profile, which is not carried over"
            return _converted(header, shown, told)
    told = "the CMYK picture was converted to sRGB without a usable profile: its lightness is approximate"
    return _converted(header, image.convert("RGB"), told)


def _converted(header: Header, image: Image.Image, told: str) -> Decoded:
    return Decoded(_pillow_planes(image), (told,), upright=header.is_turned_when_loaded, converted=True)


def _plain(header: Header, image: Image.Image) -> Decoded:
    image.load()
    return Decoded(_pillow_planes(image), upright=header.is_turned_when_loaded)


def _pillow_planes(image: Image.Image) -> Pixels:
    """Planes of a loaded image of any mode with 8 bits, or one channel of 16."""
    if image.mode.startswith("I"):
        deep = np.ascontiguousarray(np.asarray(image)).astype(np.uint16)
        return Pixels(deep, grey_preview(deep), grey=True)
    if image.mode == "La":  # Pillow converts it to nothing else
        image = image.convert("LA")
    if image.mode in ("1", "L") and "transparency" not in image.info:
        codes = np.asarray(image if image.mode == "L" else image.convert("L"))
        return Pixels(codes, grey_preview(codes), grey=True)
    grey = image.mode in ("1", "L", "LA", "La")
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    mode = "RGBA" if has_alpha else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    width, height = image.size
    luma = np.empty((height, width), np.uint8)
    alpha = np.asarray(image.getchannel("A")).copy() if has_alpha else None
    for top, bottom in strips(height, width):
        luma[top:bottom] = luma_of(np.asarray(image.crop((0, top, width, bottom)))[..., :3])
    plain = image.convert("RGB") if has_alpha else image
    small = plain.resize(preview_size(width, height), Image.Resampling.BOX, reducing_gap=2.0)
    return Pixels(luma, np.asarray(small).copy(), alpha, grey=grey)


def _is_deep(header: Header) -> bool:
    return header.bits > 8 and not header.is_deep_grey_ppm


class Decoder(NamedTuple):
    """A way to decode what ``applies`` by its header; one that gives None leaves the picture to those behind it."""

    applies: Callable[[Header], bool]
    decode: Callable[[Header, Image.Image], Decoded | None]


# The first one that applies and can. Where Pillow opens a new format and loses nothing of it, the last one does.
DECODERS = (
    Decoder(lambda header: header.format == "AVIF", _avif),
    # libjpeg decodes a grey JPEG's plane strictly and as it is; for Y of a colour one it must be asked twice.
    Decoder(lambda header: header.format == "JPEG" and header.mode != "L" and not header.crooked, _jpeg),
    Decoder(lambda header: header.format == "PPM" and _is_deep(header), _deep_ppm),
    Decoder(lambda header: header.gamma is not None, _through_gamma),
    Decoder(lambda header: header.format in _FFMPEG_DECODERS and _is_deep(header), _deep_by_ffmpeg),
    Decoder(lambda header: header.crooked, _through_profile),
    Decoder(lambda header: header.mode == "CMYK", _cmyk),
    Decoder(lambda header: True, _plain),
)
