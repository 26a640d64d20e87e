"""The planes of a decoded frame: where each pixel format keeps its luma, and how to get at it without changing a code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import av
import cv2
import numpy as np
import torch
from av.video.format import VideoFormat
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from colorize_media.color.scaling import small_size
from colorize_media.color.spaces import Matrix, YCbCrSpec, luma_of_rgb, ycbcr_to_rgb

Luma: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

# swscale's threads each convert a slice of rows and may write a few bytes past a row's end, into the next slice: 3 of 4,000
# conversions of 34 pixels wide pictures to yuyv422 came out wrong. Where codes must stay as they are, one does it all.
ONE_SLICE = 1
_CR_FIRST = frozenset({"nv21", "nv42"})
COLORSPACE: dict[Matrix, str] = {"bt601": "ITU601", "bt709": "ITU709", "bt2020": "BT2020"}  # swscale's names


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
        frame = frame.reformat(format=planar_format(layout.subsampling, layout.bits), threads=ONE_SLICE)
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


def chroma_planes(frame: av.VideoFrame, spec: YCbCrSpec, output_format: str) -> Luma:
    """The frame's own Cb and Cr ``(h, w, 2)`` on ``output_format``'s chroma grid, codes of ``spec``.

    The decoder's codes as they are where the grids agree; R'G'B' and other grids are converted by swscale. Raises
    ValueError for a frame without chroma.
    """
    if not has_chroma(frame.format.name):
        raise ValueError(f"{frame.format.name} has no chroma")
    wanted = VideoFormat(output_format, frame.width, frame.height)
    own = _chroma_views(frame)
    if own is None or own[0].shape != (wanted.chroma_height(), wanted.chroma_width()):
        own = _chroma_views(_in_format(frame, spec, output_format))
        assert own is not None, output_format  # planar Y'CbCr
    planes: NDArray[Any] = np.stack(own, axis=-1)
    return planes


def small_rgb(frame: av.VideoFrame, luma: Luma, spec: YCbCrSpec, short_side: int) -> NDArray[np.uint8]:
    """The frame's colours, lying as it is stored: ``(h, w, 3)`` uint8 R'G'B' of this short side, at most its own.

    ``luma`` is the frame's `luma_plane`. Each plane is averaged down by itself: a fraction of a millisecond at 1080p.
    """
    size = small_size(frame.width, frame.height, short_side)
    chroma = _chroma_views(frame)
    if chroma is None and has_chroma(frame.format.name):
        rgb: NDArray[Any] = frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
        return rgb
    planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (luma, *(chroma or ()))]
    small, *colors = (torch.from_numpy(plane.astype(np.float32)) for plane in planes)
    cb, cr = (spec.chroma_from_codes(plane) for plane in colors) if colors else (torch.zeros_like(small),) * 2
    ycbcr = torch.stack((spec.luma_from_codes(small), cb, cr))
    seen = ycbcr_to_rgb(ycbcr, spec.matrix).clamp(0.0, 1.0).mul(255.0).round()
    return seen.permute(1, 2, 0).to(torch.uint8).numpy()


def _chroma_views(frame: av.VideoFrame) -> tuple[Luma, Luma] | None:
    """Cb and Cr, read-only, where they are separate planes or interleaved in one; None elsewhere."""
    name = frame.format.name
    layout = layout_of(name)
    parts = [part for part in frame.format.components if not part.is_alpha]
    if layout.kind != "direct" or layout.step != 1 or len(parts) < 3:
        return None
    kind = "u1" if layout.bits <= 8 else ">u2" if layout.big_endian else "<u2"
    width = frame.format.chroma_width(frame.width)
    first = plane_rows(frame.planes[parts[1].plane], kind)
    if parts[1].plane == parts[2].plane:
        turn = -1 if name in _CR_FIRST else 1
        pair = (first[:, : 2 * width : 2], first[:, 1 : 2 * width : 2])[::turn]
    else:
        pair = (first[:, :width], plane_rows(frame.planes[parts[2].plane], kind)[:, :width])
    planes: list[NDArray[Any]] = [np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("=")) for plane in pair]
    if layout.shift:
        planes = [plane >> plane.dtype.type(layout.shift) for plane in planes]
    return planes[0], planes[1]


def _in_format(frame: av.VideoFrame, spec: YCbCrSpec, name: str) -> av.VideoFrame:
    """Converted with the codes' meaning unchanged: swscale would take "yuvj" for a wish to change the range."""
    spoken = "JPEG" if spec.full_range else "MPEG"
    colorspace = COLORSPACE[spec.matrix]
    return frame.reformat(
        format=name,
        src_colorspace=colorspace,
        dst_colorspace=colorspace,
        src_color_range=spoken,
        dst_color_range=spoken,
        threads=ONE_SLICE,
    )


def _luma_of_rgb(frame: av.VideoFrame, spec: YCbCrSpec) -> Luma:
    deep = spec.bits > 8
    whole = frame.reformat(format="rgb48le" if deep else "rgb24", threads=ONE_SLICE)
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


def has_chroma(name: str) -> bool:
    """Whether frames of a pixel format can be in colour."""
    form = VideoFormat(name, 64, 64)
    return form.has_palette or sum(not part.is_alpha for part in form.components) >= 3
