"""Promise 2: lightness is the source's own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.made.films import decode, make_video
from tests.made.photos import grey_picture, luma_of, save, written_rgb
from tests.promises.conftest import Colorize


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p12le"])
def test_the_brightness_of_every_pixel_of_a_film_stays_bit_for_bit(
    tmp_path: Path, colorize: Colorize, pix_fmt: str
) -> None:
    """Seen through an encoder without loss, at 8, 10 and 12 bits."""
    source = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=5)
    assert colorize(source, "-o", tmp_path / "out.mkv", "--encoder", "ffv1", "--force", "--vividness", "2") == 0
    before, after = decode(source), decode(tmp_path / "out.mkv")
    assert len(before) == len(after) == 5
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.planes[0], new.planes[0])


@pytest.mark.parametrize("bits", [8, 16])
def test_the_brightness_of_a_photograph_stays_within_one_code(tmp_path: Path, colorize: Colorize, bits: int) -> None:
    """From black to white, where most colours do not fit and must lose chroma instead; 16 bits stay 16 bits."""
    grey = grey_picture(60, 80, bits)
    grey[:10], grey[-10:] = 0, np.iinfo(grey.dtype).max
    cv2.imwrite(str(tmp_path / "in.png"), grey)
    assert colorize(tmp_path / "in.png", "-o", tmp_path / "out.png", "--vividness", "2") == 0
    rgb = written_rgb(tmp_path / "out.png")
    assert rgb.dtype == grey.dtype
    assert np.abs(luma_of(rgb) - grey).max() <= 1
    assert np.ptp(rgb.astype(int), axis=2).max() > 8 << (bits - 8)  # it has colour


def test_black_stays_black_and_white_stays_white(tmp_path: Path, colorize: Colorize) -> None:
    halves = np.repeat(np.uint8([[0] * 32 + [255] * 32]), 64, axis=0)
    halves[-1] = np.linspace(0, 255, 64)  # two tones alone are a drawing, and left as it is
    source = save(tmp_path / "in.png", halves)
    assert colorize(source, "-o", tmp_path / "out.png", "--vividness", "2") == 0
    rgb = written_rgb(tmp_path / "out.png")
    assert np.abs(rgb.astype(int) - halves[..., None])[:48].max() <= 1
