"""The planes of a decoded frame: where each pixel format keeps its luma, and how to get at it without changing a code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import av
import numpy as np
import torch
from av.video.format import VideoFormat
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from colorize_media.color import YCbCrSpec, luma_of_rgb

Luma: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Layout:
    """Where a pixel format keeps its luma. ``kind`` direct: in plane 0, every ``step``-th item from ``first``."""

    kind: str  # direct, planar (convert to planar Y'CbCr first) or rgb
    bits: int
    step: int = 1
    first: int = 0
    shift: int = 0
    big_endian: bool = False
    alpha: bool = False
    subsampling: str = "420"


@cache
def layout_of(name: str) -> Layout:
    """The layout of FFmpeg's pixel format of this name. Raises ValueError for floating point samples."""
    form = VideoFormat(name, 64, 64)
    components = form.components
    alpha = any(part.is_alpha for part in components)
    first = components[0]
    if re.search(r"f(16|32)", name):
        raise ValueError("floating point samples")
    if form.is_rgb or form.has_palette or form.is_bit_stream or form.is_bayer or name.startswith("xyz"):
        return Layout(
            "rgb", max(8, max((part.bits for part in components if not part.is_alpha), default=8)), alpha=alpha
        )
    wide, high = (form.chroma_width(64), form.chroma_height(64)) if len(components) > 2 else (32, 32)
    subsampling = {(64, 64): "444", (32, 64): "422"}.get((wide, high), "420")
    common: dict[str, Any] = {"bits": first.bits, "alpha": alpha, "subsampling": subsampling}
    packed = {"yuyv422": 0, "yvyu422": 0, "uyvy422": 1, "ya8": 0, "ya16le": 0, "ya16be": 0}
    if name in packed:
        return Layout("direct", step=2, first=packed[name], big_endian=form.is_big_endian, **common)
    if any(part.plane == 0 for part in components[1:]):
        return Layout("planar", **common)
    # P010 and relatives keep their bits at the top of 16.
    shift = 16 - first.bits if re.match(r"p[024]1[0-6]", name) or "msb" in name else 0
    return Layout("direct", shift=shift, big_endian=form.is_big_endian, **common)


def luma_plane(frame: av.VideoFrame, spec: YCbCrSpec) -> Luma:
    """The luma of a decoded frame, ``(H, W)`` uint8, or uint16 above 8 bits; a copy without row padding.

    Y'CbCr and grey, planar, semi-planar or 4:2:2 packed: the decoder's codes as they are. Other packed Y'CbCr is
    unpacked by swscale. R'G'B' and palettes: luma by ``spec.matrix`` in full range, so R' = G' = B' keeps its code.
    """
    layout = layout_of(frame.format.name)
    if layout.kind == "rgb":
        return _luma_of_rgb(frame, spec)
    if layout.kind == "planar":
        frame = frame.reformat(format=planar_format(layout.subsampling, layout.bits))
        layout = layout_of(frame.format.name)
    rows = plane_rows(frame.planes[0], ("u1" if layout.bits <= 8 else ">u2" if layout.big_endian else "<u2"))
    codes = rows[:, layout.first : frame.width * layout.step : layout.step]
    luma: Luma = np.array(codes, dtype=codes.dtype.newbyteorder("="), order="C")
    if layout.shift:
        luma >>= luma.dtype.type(layout.shift)
    return luma


def plane_rows(plane: VideoPlane, kind: str) -> NDArray[Any]:
    """A view of a plane ``(height, items in a padded line)``, top row first; ``kind`` is NumPy's name of an item."""
    items: NDArray[Any] = np.frombuffer(plane, kind)  # type: ignore[call-overload]  # PyAV's stubs forget the buffer
    rows = items.reshape(plane.height, -1)
    return rows[::-1] if plane.line_size < 0 else rows


def _luma_of_rgb(frame: av.VideoFrame, spec: YCbCrSpec) -> Luma:
    deep = spec.bits > 8
    whole = frame.reformat(format="rgb48le" if deep else "rgb24")
    rgb = plane_rows(whole.planes[0], "<u2" if deep else "u1")[:, : frame.width * 3].reshape(
        frame.height, frame.width, 3
    )
    channels = torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)
    luma = luma_of_rgb(channels, spec.matrix)[0].numpy()
    if not deep:
        return np.rint(luma).astype(np.uint8)
    return np.rint(luma * np.float32(spec.max_code / 65535)).astype(np.uint16)


def planar_format(subsampling: str, bits: int) -> str:
    """FFmpeg's name of planar Y'CbCr: ``planar_format("420", 10)`` is ``yuv420p10le``."""
    return f"yuv{subsampling}p" + ("" if bits == 8 else f"{bits}le")


def has_alpha(name: str) -> bool:
    """Whether a pixel format has an alpha channel."""
    return any(part.is_alpha for part in VideoFormat(name, 64, 64).components)
