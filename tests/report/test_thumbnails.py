"""Small pictures for pages that show thousands of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_media.options import ColorizeOptions
from colorize_media.report.thumbnails import thumbnail


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_thumbnails_are_small_and_upright(tmp_path: Path, suffix: str) -> None:
    pixels = np.zeros((300, 600), np.uint8)
    pixels[:, :300] = 255  # after a quarter turn clockwise the upper half is bright
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}", exif=exif)
    with Image.open(io.BytesIO(thumbnail(tmp_path / f"a{suffix}", 100, ColorizeOptions()))) as small:
        assert small.size == (50, 100)
        assert small.mode == "L"
        found = np.asarray(small)
    assert found[:40].mean() > 240
    assert found[60:].mean() < 15
