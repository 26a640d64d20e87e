"""Colour profiles: grey ones evaluated, R′G′B′ ones kept, others named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorize_media.metadata.icc import grey_codes_as_srgb, profile_space
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from tests.made.photos import (
    brown,
    color_picture,
    grey_picture,
    save,
)
from tests.made.profiles import DOT_GAIN, GAMMA_10, GAMMA_18, SRGB_LIKE, grey_profile
from tests.made.records import BY

LIMIT = 10_000_000  # pixels
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    "curve", [GAMMA_10, GAMMA_18, DOT_GAIN, SRGB_LIKE], ids=["linear", "gamma", "table", "formula"]
)
def test_grey_profile_is_evaluated_as_littlecms_does(curve: bytes) -> None:
    profile = grey_profile(curve)
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    exact = ImageCms.Flags.NOOPTIMIZE  # its 8-bit short cut is 10 codes off where the curve is steep
    shown = ImageCms.profileToProfile(ramp, source, ImageCms.createProfile("sRGB"), outputMode="RGB", flags=exact)
    assert shown is not None
    table = grey_codes_as_srgb(profile, 8)
    assert np.abs(table.astype(int) - np.asarray(shown)[0, :, 1]).max() <= 1
    deep = grey_codes_as_srgb(profile, 16)
    assert np.abs(deep[::257] / 257.0 - table).max() <= 0.51
    assert np.all(np.diff(deep.astype(int)) >= 0)


def test_grey_profile_never_stands_on_colour_and_lightness_is_kept(tmp_path: Path) -> None:
    grey = grey_picture()
    expected = grey_codes_as_srgb(grey_profile(GAMMA_18), 8)[grey]
    for name in ("in.png", "in.tif", "in.jpg"):
        options = {"quality": 100} if name == "in.jpg" else {}
        source = save(tmp_path / name, grey, icc_profile=grey_profile(GAMMA_18), **options)
        photo = read_photo(source, max_pixels=LIMIT)
        assert np.abs(photo.luma.astype(int) - expected).max() <= (3 if name == "in.jpg" else 0)
        assert not np.array_equal(expected, grey)
        write_photo(photo, brown(photo), tmp_path / f"out-{name}", quality=90, provenance=BY)
        with Image.open(tmp_path / f"out-{name}") as image:
            assert "icc_profile" not in image.info


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_rgb_profile_is_kept_as_it_is(tmp_path: Path, suffix: str) -> None:
    large = SRGB + bytes(70_000)  # two JPEG segments
    for profile in (SRGB, large):
        photo = read_photo(save(tmp_path / "in.png", color_picture(), icc_profile=profile), max_pixels=LIMIT)
        assert profile_space(photo.metadata.icc) == "RGB"
        assert write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=90, provenance=BY) == ()
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert image.info["icc_profile"] == profile


def test_profile_of_another_space_is_dropped_with_a_warning(tmp_path: Path) -> None:
    source = save(tmp_path / "in.png", color_picture(), icc_profile=grey_profile(GAMMA_18))
    photo = read_photo(source, max_pixels=LIMIT)
    assert photo.metadata.icc == b""
    assert any("GRAY profile" in warning for warning in photo.warnings)
    photo = read_photo(save(tmp_path / "junk.png", color_picture(), icc_profile=b"junk" * 50), max_pixels=LIMIT)
    assert photo.metadata.icc == b""
    assert any("profile" in warning for warning in photo.warnings)
