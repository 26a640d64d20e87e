"""Decoders that keep more than 8 bits per channel, where Pillow would cut them: FFmpeg's, and one of our own.

All give full-range 16-bit samples ``(H, W, channels)``, or None for a layout that they do not know.
"""

from __future__ import annotations

import io
import re
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.planes import COLORSPACE, ONE_SLICE, plane_rows
from colorize_media.color.spaces import Matrix, YCbCrSpec
from colorize_media.photo.pixels import scaled_to_16_bits


def deep_ffmpeg(decoder: str, data: bytes, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    frame = ffmpeg_frame(decoder, data, size)
    channels = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}
    if frame is None or (frame.width, frame.height) != size or frame.format.name[:-2] not in channels:
        return None
    count = channels[frame.format.name[:-2]]
    rows = plane_rows(frame.planes[0], ">u2" if frame.format.name.endswith("be") else "<u2")[:, : frame.width * count]
    return rows.astype(np.uint16).reshape(frame.height, frame.width, count)


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


def samples_of_frame(frame: av.VideoFrame) -> NDArray[Any] | None:
    """Full-range ``(H, W, 1…4)`` of 8 or 16 bits of a frame that is grey or R′G′B′; None for Y′CbCr and floating point."""
    form = frame.format
    if form.is_bit_stream or form.has_palette or not (form.is_rgb or form.name.startswith(("gray", "ya"))):
        return None
    bits = form.components[0].bits
    if not 8 <= bits <= 16 or "f" in form.name.removeprefix("gray")[-4:]:
        return None
    dtype = "u1" if bits == 8 else ">u2" if form.is_big_endian else "<u2"
    if form.is_planar:  # green, blue, red, alpha
        planes = [plane_rows(plane, dtype)[:, : frame.width] for plane in frame.planes]
        samples = np.stack([planes[at] for at in (2, 0, 1, 3)[: len(planes)]], axis=2)
    else:
        channels = len(form.components)
        samples = plane_rows(frame.planes[0], dtype)[:, : frame.width * channels].reshape(frame.height, -1, channels)
        if form.name.startswith(("abgr", "argb", "bgr")):
            names = form.name[: 4 if form.name.startswith("a") else channels]
            samples = samples[..., [names.index(name) for name in "rgba"[:channels]]]
    return samples.copy() if bits == 8 else scaled_to_16_bits(samples, (1 << bits) - 1)


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
