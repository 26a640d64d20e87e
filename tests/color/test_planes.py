"""Luma and chroma planes taken from decoded frames."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from skimage import data

from colorize_media.color.planes import chroma_planes, has_chroma, luma_plane, small_rgb
from colorize_media.color.spaces import YCbCrSpec
from tests.made.films import picture


@pytest.mark.parametrize("pix_fmt", ["nv12", "p010le", "yuyv422", "uyvy422", "nv16"])
def test_luma_is_taken_directly_from_other_layouts(pix_fmt: str) -> None:
    deep = pix_fmt == "p010le"
    wanted = picture(33 * 2, 17 * 2, "yuv422p10le" if deep else "yuv422p", 1)
    whole = wanted.reformat(format=pix_fmt, threads=1)  # more write past rows at times: see planes.ONE_SLICE
    got = luma_plane(whole, YCbCrSpec(bits=10 if deep else 8))
    plane = wanted.planes[0]
    kind = np.uint16 if deep else np.uint8
    assert np.array_equal(got, np.frombuffer(plane, kind).reshape(plane.height, -1)[:, :66])


@pytest.mark.parametrize(
    ("pix_fmt", "bits"), [("rgb24", 8), ("bgra", 8), ("gbrp", 8), ("rgb48le", 16), ("gbrp10le", 10)]
)
def test_the_luma_of_grey_rgb_is_its_code(pix_fmt: str, bits: int) -> None:
    deep = bits > 8
    codes = np.arange(1024, dtype=np.uint32).reshape(32, 32) * ((1 << bits) - 1) // 1023
    if pix_fmt.startswith("gbrp"):
        frame = av.VideoFrame(32, 32, pix_fmt)
        for plane in frame.planes:
            np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(32, -1)[:, :32] = codes
    else:
        frame = av.VideoFrame.from_ndarray(
            np.repeat(codes[..., None], 3, axis=2).astype(np.uint16 if deep else np.uint8),
            "rgb48le" if deep else "rgb24",
        ).reformat(format=pix_fmt)
    assert np.array_equal(luma_plane(frame, YCbCrSpec("bt601", True, bits)), codes)


@pytest.mark.parametrize(
    ("pix_fmt", "output"),
    [("yuv420p", "yuv420p"), ("yuvj422p", "yuv422p"), ("nv12", "yuv420p"), ("nv21", "yuv420p"), ("yuyv422", "yuv422p"),
     ("p010le", "yuv420p10le"), ("yuv444p12le", "yuv444p12le"), ("yuv422p10be", "yuv422p10le"), ("yuva420p", "yuv420p")],
)  # fmt: skip
def test_own_chroma_is_taken_code_by_code(pix_fmt: str, output: str) -> None:
    form = av.VideoFormat(pix_fmt, 34, 18)
    bits = form.components[0].bits
    out = av.VideoFormat(output, 34, 18)
    codes = np.random.default_rng(3).integers(0, 1 << bits, (out.chroma_height(), out.chroma_width(), 2))
    kind = np.uint8 if bits == 8 else np.uint16
    plain = av.VideoFrame(34, 18, output)
    for number, plane in enumerate(plain.planes):
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
        rows[:] = 100 << (bits - 8)
        if number:
            rows[:, : plane.width] = codes[..., number - 1]
    full = pix_fmt.startswith("yuvj")
    frame = plain
    if pix_fmt != output:  # swscale only rearranges here
        ranges = {"src_color_range": "JPEG", "dst_color_range": "JPEG"} if full else {}
        frame = plain.reformat(format=pix_fmt, threads=1, **ranges)  # threads may spoil a row's end
    spec = YCbCrSpec("bt601", full, bits)
    assert np.array_equal(chroma_planes(frame, spec, output), codes)


def test_own_chroma_of_rgb_and_of_palettes_is_converted() -> None:
    rgb = av.VideoFrame.from_ndarray(data.astronaut()[:64, :96], format="rgb24")
    spec = YCbCrSpec("bt601", True, 8)
    wanted = rgb.reformat(format="yuvj420p")
    for name in ("rgb24", "gbrp", "bgra"):
        frame = rgb.reformat(format=name)
        found = chroma_planes(frame, spec, "yuv420p")
        for number in (1, 2):
            plane = np.frombuffer(wanted.planes[number], np.uint8).reshape(32, -1)[:, :48]
            assert np.abs(found[..., number - 1].astype(int) - plane).max() <= 2
    assert has_chroma("pal8")
    assert not has_chroma("gray10le")
    assert not has_chroma("ya8")
    with pytest.raises(ValueError, match="no chroma"):
        chroma_planes(rgb.reformat(format="gray"), spec, "yuv420p")


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le", "nv12", "rgb24", "yuyv422"])
def test_small_pictures_show_the_frames_colours(pix_fmt: str) -> None:
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(data.astronaut()[:256, :384]), format="rgb24")
    frame = rgb.reformat(format=pix_fmt)
    bits = 10 if "10" in pix_fmt else 8
    spec = YCbCrSpec("bt601", pix_fmt == "rgb24", bits)
    found = small_rgb(frame, luma_plane(frame, spec), spec, 64)
    wanted = cv2.resize(rgb.to_ndarray(), (96, 64), interpolation=cv2.INTER_AREA)
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).mean() < 3.5
    grey_frame = rgb.reformat(format="gray")
    assert np.ptp(small_rgb(grey_frame, luma_plane(grey_frame, spec), spec, 64).astype(int), axis=2).max() == 0
