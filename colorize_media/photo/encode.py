"""Encoders of coloured photographs, one for each format, with the metadata in its place.

JPEG gets Y′ as it is, with Cb and Cr at full resolution; other formats get R′G′B′ whose rounded luma equals Y′ exactly.
"""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.metadata.jpeg import MOST_EXIF, MOST_XMP, embed_in_jpeg
from colorize_media.metadata.output import Container, Field
from colorize_media.metadata.png import embed_in_png
from colorize_media.metadata.tiff import tiff_directory
from colorize_media.metadata.tiff_pages import MOST_BYTES
from colorize_media.photo.join import ChromaRows, chroma_codes, differences_of, rgb_rows, to_bits
from colorize_media.photo.picture import Photo
from colorize_media.photo.pixels import strips

_DEFLATE = 3  # zlib level of PNG and TIFF: on photographs a third of the time of 6, and files of about the same size
# What TIFF 6.0 and its supplements call them by number.
_ADOBE_DEFLATE, _RGB, _INTERLEAVED, _DIFFERENCES_OF_COLUMNS = 8, 2, 1, 2
_UNSPECIFIED, _UNASSOCIATED_ALPHA = 0, 2  # of ExtraSamples


def _assembled(photo: Photo, chroma: ChromaRows) -> Image.Image:
    """The 8-bit picture as Pillow's, filled strip by strip."""
    image = Image.new("RGB" if photo.alpha is None else "RGBA", photo.size)
    for top, strip in rgb_rows(photo, chroma, 8):
        image.paste(Image.fromarray(strip), (0, top))
    return image


def _write_jpeg(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    with _memory_file() as encoded:
        _ycbcr(photo, chroma).save(encoded, "JPEG", quality=quality, subsampling=0, **_dpi(metadata))
        encoded.seek(0)
        file.write(embed_in_jpeg(encoded.read(), metadata))


def _memory_file() -> BinaryIO:
    """For a JPEG. On Linux the system has it: into a file with a number Pillow writes without Python's lock.

    So the other threads go on meanwhile, which for a large JPEG is a fifth of a second. Not for JPEG 2000: where such a file
    may not grow (``ulimit -f``) Pillow's encoder tries for ever.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("colorize-media"), "w+b")
    return io.BytesIO()


def _ycbcr(photo: Photo, chroma: ChromaRows) -> Image.Image:
    """The picture's planes as a JPEG has them: 8 bits, full range, Y′ as it is."""
    height, width = photo.luma.shape
    cb, cr = np.empty((2, height, width), np.uint8)
    luma = photo.luma if photo.spec.bits == 8 else np.empty((height, width), np.uint8)
    for top, bottom in strips(height, width):
        if photo.spec.bits == 8:  # full-range codes are JPEG's own
            codes = chroma_codes(photo, chroma, top, bottom)
        else:
            luma[top:bottom] = to_bits(photo.luma[top:bottom], 8)
            codes = differences_of(photo, chroma, top, bottom) * np.float32(255.0) + np.float32(128.0)
        if codes.dtype != np.uint8:
            codes = np.clip(np.rint(codes), 0, 255).astype(np.uint8)
        cv2.split(codes, [cb[top:bottom], cr[top:bottom]])
    return Image.merge("YCbCr", [Image.fromarray(plane) for plane in (luma, cb, cr)])


def _write_png(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    encoded = _encoded_by_opencv(photo, chroma, ".png", [cv2.IMWRITE_PNG_COMPRESSION, _DEFLATE])
    file.write(embed_in_png(encoded, metadata))


def _encoded_by_opencv(photo: Photo, chroma: ChromaRows, suffix: str, settings: list[int]) -> bytes:
    """The picture of 8 or 16 bits by OpenCV, which wants B, G, R; it has all 16 bits, and does not hold Python's lock."""
    bits = 8 if photo.spec.bits == 8 else 16
    order = [2, 1, 0] if photo.alpha is None else [2, 1, 0, 3]
    picture = np.empty((*photo.luma.shape, len(order)), np.uint8 if bits == 8 else np.uint16)
    for top, strip in rgb_rows(photo, chroma, bits):
        picture[top : top + len(strip)] = strip[..., order]
    done, encoded = cv2.imencode(suffix, picture, settings)
    if not done:
        raise OSError(f"the {suffix} encoder failed")
    return encoded.tobytes()


def _write_tiff(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    file.write(b"II*\0" + bytes(4))
    start, _ = append_page(photo, chroma, metadata, file, "<")
    set_link(file, 4, start, "<")


def set_link(file: BinaryIO, at: int, start: int, order: str) -> None:
    file.seek(at)
    file.write(struct.pack(f"{order}L", start))
    file.seek(0, os.SEEK_END)


def append_page(
    photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, file: BinaryIO, order: Literal["<", ">"]
) -> tuple[int, int]:
    """Deflated strips, then the directory: written here because Pillow has no 16-bit R′G′B′.

    Returns where the directory stands, and its link to a next page.
    """
    bits, extras = photo.spec.bits, photo.extras
    beside = [] if photo.alpha is None else [_UNASSOCIATED_ALPHA]
    beside += [_UNSPECIFIED] * (0 if extras is None else extras.shape[2])
    channels = 3 + len(beside)
    offsets, lengths, rows = [], [], 0
    for top, strip in rgb_rows(photo, chroma, bits):
        rows = rows or len(strip)
        if extras is not None:
            strip = np.concatenate((strip, extras[top : top + len(strip)]), axis=2)
        delta = strip.copy()
        delta[:, 1:] -= strip[:, :-1]
        packed = zlib.compress(delta.astype(f"{order}u2" if bits == 16 else "u1").tobytes(), _DEFLATE)
        offsets.append(file.tell())
        lengths.append(len(packed))
        file.write(packed + b"\0" * (len(packed) % 2))
        if file.tell() > MOST_BYTES:
            raise OSError(errno.EFBIG, "TIFF files cannot exceed 4 GB")
    width, height = photo.size
    storage: dict[int, Any] = {
        Base.ImageWidth: width,
        Base.ImageLength: height,
        Base.BitsPerSample: (bits,) * channels,
        Base.Compression: _ADOBE_DEFLATE,
        Base.PhotometricInterpretation: _RGB,
        Base.SamplesPerPixel: channels,
        Base.RowsPerStrip: rows,
        Base.StripByteCounts: tuple(lengths),
        Base.PlanarConfiguration: _INTERLEAVED,
        Base.Predictor: _DIFFERENCES_OF_COLUMNS,
    }
    if beside:
        storage[Base.ExtraSamples] = tuple(beside)
    start = file.tell()
    directory, link = tiff_directory(metadata, storage, tuple(offsets), start, order)
    file.write(directory + b"\0" * (len(directory) % 2))
    return start, start + link


def _write_jpeg2000(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    if photo.spec.bits == 8:
        _write_with_pillow("JPEG2000", photo, chroma, metadata, quality, file)
        return
    lossless = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    file.write(_encoded_by_opencv(photo, chroma, ".jp2", lossless))


def _write_ppm(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    if photo.spec.bits == 8:
        _write_with_pillow("PPM", photo, chroma, metadata, quality, file)
        return
    file.write(b"P6 %d %d 65535\n" % photo.size)
    for _, strip in rgb_rows(replace(photo, alpha=None), chroma, 16):
        file.write(strip.astype(">u2").tobytes())


def _write_with_pillow(
    name: str, photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO
) -> None:
    options: dict[str, Any] = {}
    if name in ("WEBP", "AVIF"):
        options = {"quality": quality, "icc_profile": metadata.icc or None}
        options |= {key: value for key, value in (("exif", metadata.exif), ("xmp", metadata.xmp)) if value}
    elif name == "BMP":
        options = _dpi(metadata)
    encoded = io.BytesIO()  # some encoders seek and read back, and their errors must not look like the disk's
    _assembled(photo, chroma).save(encoded, name, **options)
    file.write(encoded.getbuffer())


def _dpi(metadata: PhotoMetadata) -> dict[str, Any]:
    return {} if metadata.dpi is None else {"dpi": metadata.dpi}


class Encoder(NamedTuple):
    """How pictures of a format are written, and what it can hold.

    ``write`` gets the photograph, its chroma, the metadata as `for_output` leaves it, the quality 1…100 of lossy formats,
    and the file.
    """

    container: Container
    write: Callable[[Photo, ChromaRows, PhotoMetadata, int, BinaryIO], None]


_RICH = frozenset({Field.EXIF, Field.ICC, Field.XMP})
_IN_JPEG = _RICH | {Field.EXTENDED_XMP, Field.PHOTOSHOP, Field.COMMENT, Field.SEGMENTS, Field.TRAILER}
_IN_PNG = _RICH | {Field.TEXT, Field.GAMMA, Field.COMMENT, Field.PHOTOSHOP}
_ANY_SIDE = 0x7FFFFFFF
# A new format that can be written is one more line here. Names are those of FORMAT_SUFFIXES.
_ENCODERS = (
    Encoder(Container("JPEG", 8, False, 65500, _IN_JPEG, most_exif=MOST_EXIF, most_xmp=MOST_XMP), _write_jpeg),
    Encoder(Container("PNG", 16, True, 1_000_000, _IN_PNG), _write_png),  # libpng's default limit
    Encoder(Container("TIFF", 16, True, _ANY_SIDE, _RICH | {Field.PHOTOSHOP}, extras=True), _write_tiff),
    Encoder(Container("WEBP", 8, True, 16383, _RICH), partial(_write_with_pillow, "WEBP")),
    Encoder(Container("AVIF", 8, True, 65535, _RICH), partial(_write_with_pillow, "AVIF")),
    Encoder(Container("BMP", 8, False, 65535), partial(_write_with_pillow, "BMP")),
    Encoder(Container("JPEG2000", 16, True, _ANY_SIDE), _write_jpeg2000),
    Encoder(Container("PPM", 16, False, _ANY_SIDE), _write_ppm),
)
ENCODERS = {encoder.container.name: encoder for encoder in _ENCODERS}
