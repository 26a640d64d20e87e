"""Decoders that keep more than 8 bits per channel, where Pillow would cut them: FFmpeg's, libtiff's, and one of our own.

All give full-range 16-bit samples ``(H, W, channels)``, or None for a layout that they do not know.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base

from colorize_media.color.planes import COLORSPACE, ONE_SLICE, plane_rows
from colorize_media.color.spaces import Matrix, YCbCrSpec
from colorize_media.metadata.exif import as_stored
from colorize_media.photo.pixels import scaled_to_16_bits
from colorize_media.photo.refusals import DECODER_ERRORS, unsupported


def deep_ffmpeg(decoder: str, data: bytes, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    frame = ffmpeg_frame(decoder, data, size)
    channels = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}
    if frame is None or (frame.width, frame.height) != size or frame.format.name[:-2] not in channels:
        return None
    count = channels[frame.format.name[:-2]]
    rows = plane_rows(frame.planes[0], ">u2" if frame.format.name.endswith("be") else "<u2")[:, : frame.width * count]
    return rows.astype(np.uint16).reshape(frame.height, frame.width, count)


def deep_tiff(path: Path, tags: Any, data: bytes) -> NDArray[np.uint16] | None:
    """libtiff's, through OpenCV: FFmpeg scrambles tiles. OpenCV in turn misreads planes stored one after the other."""
    photometric, formats = tags.get(Base.PhotometricInterpretation), tags.get(Base.SampleFormat, 1)
    if photometric not in (0, 1, 2):  # WhiteIsZero, BlackIsZero, RGB
        raise unsupported(path, "this kind of TIFF with 16 bits cannot be read", "save it as 16-bit RGB or grey")
    if set(formats if isinstance(formats, tuple) else (formats,)) != {1}:
        raise unsupported(path, "its 16-bit pixels have a sign", "save it as plain 16-bit RGB or grey")
    channels, stored = int(tags.get(Base.SamplesPerPixel, 1)), (int(tags[Base.ImageLength]), int(tags[Base.ImageWidth]))
    samples: NDArray[Any] | None
    if tags.get(Base.PlanarConfiguration, 1) == 2 and channels > 1:
        import tifffile

        try:
            samples = np.moveaxis(tifffile.imread(io.BytesIO(data), key=0), 0, 2).copy()
        except (*DECODER_ERRORS, tifffile.TiffFileError):  # a compression that needs more libraries, or damage
            return None
    else:
        samples = _samples_by_libtiff(data)
    if samples is None or samples.dtype != np.uint16 or samples.shape != (*stored, channels) or channels > 4:
        return None
    if photometric == 0:
        np.subtract(np.uint16(65535), samples[..., :1], out=samples[..., :1])
    return samples


def _samples_by_libtiff(data: bytes) -> NDArray[Any] | None:
    """``(H, W, channels)``, red first, not turned; None where it cannot read the file to its end."""
    found: NDArray[Any] | None = cv2.imdecode(np.frombuffer(as_stored(data), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        return None
    if found.ndim == 2:
        return found[..., None]
    if found.dtype == np.uint16 and found.shape[2] in (3, 4):
        cv2.cvtColor(found, cv2.COLOR_BGR2RGB if found.shape[2] == 3 else cv2.COLOR_BGRA2RGBA, dst=found)
    return found


def deep_ppm_head(data: bytes) -> re.Match[bytes] | None:
    """Width, height and largest code of a binary PPM of more than 8 bits."""
    head = re.match(rb"P6" + 3 * rb"\s+(?:#[^\n]*\n\s*)*(\d{1,9})" + rb"\s", data)
    return head if head is not None and 255 < int(head[3]) < 65536 else None


def deep_ppm(data: bytes) -> NDArray[np.uint16] | None:
    """16-bit R′G′B′ ``(H, W, 3)`` of a binary PPM, scaled to the full range; None for another kind (Netpbm's ppm(5))."""
    head = deep_ppm_head(data)
    if head is None:
        return None
    width, height, largest = (int(number) for number in head.groups())
    if len(data) - head.end() < width * height * 6:
        raise OSError("the picture ends before its last row")
    codes = np.frombuffer(data, ">u2", width * height * 3, head.end()).reshape(height, width, 3)
    return scaled_to_16_bits(codes, largest)


def ffmpeg_frame(decoder: str, data: bytes, size: tuple[int, int]) -> av.VideoFrame | None:
    """The first frame that one FFmpeg decoder makes of the bytes: no demuxer, so nothing is guessed."""
    width, height = size
    max_pixels = (width + 64) * (height + 64)  # the header's size, rounded up to the decoder's blocks
    try:
        context = av.CodecContext.create(decoder, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.options = {"max_pixels": str(max_pixels)}
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except (av.error.FFmpegError, ValueError, MemoryError):
        return None
    found = [frame for frame in frames if isinstance(frame, av.VideoFrame)]
    return found[0] if found else None


def avif_samples(data: bytes, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    """R′G′B′ or grey of an AVIF picture in one piece, as stored (not turned); None for a grid of tiles."""
    try:
        with av.open(io.BytesIO(data), format="mov") as container:
            if len(container.streams.video) != 1:
                return None
            frame = next(container.decode(video=0))
    except (av.error.FFmpegError, ValueError, MemoryError, StopIteration):
        return None
    if (frame.width, frame.height) != size:
        return None
    if frame.format.name.startswith("gray"):
        spec = YCbCrSpec("bt601", full_range=frame.color_range != _LIMITED, bits=frame.format.components[0].bits)
        codes = plane_rows(frame.planes[0], "<u2")[:, : frame.width].astype(np.float32)
        luma = np.clip((codes - spec.luma_offset) * np.float32(65535 / spec.luma_scale), 0, 65535)
        return np.rint(luma).astype(np.uint16)[..., None]
    if frame.format.name.endswith("be"):
        return None
    whole = frame.reformat(
        format="rgb48le",
        src_colorspace=COLORSPACE[_MATRICES.get(int(frame.colorspace), "bt601")],
        src_color_range="MPEG" if frame.color_range == _LIMITED else "JPEG",
        dst_color_range="JPEG",
        threads=ONE_SLICE,
    )
    return plane_rows(whole.planes[0], "<u2")[:, : whole.width * 3].reshape(whole.height, whole.width, 3).copy()


_LIMITED = 1  # AVCOL_RANGE_MPEG
_MATRICES: dict[int, Matrix] = {1: "bt709", 9: "bt2020"}  # by ISO/IEC 23091-2's numbers; 5 and 6 are BT.601
