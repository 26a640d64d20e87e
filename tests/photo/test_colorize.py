"""A photograph from file to file: lightness and depth kept, colour ones left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from colorize_media.color.spaces import luma_of_rgb
from colorize_media.events import Done, Event, Skipped, Started
from colorize_media.models import ScenesConfig, save_weights
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import (
    PreparedPhoto,
    colorize_photo,
    cubic_weights,
    photo_colors,
    prepare_photo,
)
from colorize_media.photo.pages import read_photo
from tests.made.networks import lively
from tests.made.pictures import save_grey

SMALL = ColorizeOptions(working_size=64)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("toned", [False, True])
def test_a_photograph_keeps_its_lightness(tmp_path: Path, colorizer: Colorizer, suffix: str, toned: bool) -> None:
    grey = data.camera()[:200, :301].astype(np.float32)
    tone = np.array([1.0, 0.93, 0.8] if toned else [1.0, 1.0, 1.0])
    rgb = np.rint(grey[..., None] * tone).astype(np.uint8)
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    Image.fromarray(rgb).save(source)
    told: list[Event] = []
    assert isinstance(colorize_photo(source, target, colorizer, ColorizeOptions(), told.append), Done)
    assert isinstance(told[0], Started)
    assert told[0].note.startswith("toned" if toned else "neutral")
    before = read_photo(source, max_pixels=10**6).luma.astype(int)
    with Image.open(target) as image:
        result = np.asarray(image.convert("YCbCr" if suffix == ".jpg" else "RGB"))
    if suffix in (".jpg", ".webp"):  # lossy: only the mean can be asked for
        after = result[..., 0] if suffix == ".jpg" else read_photo(target, max_pixels=10**6).luma
        assert np.abs(after.astype(int) - before).mean() < 2
    else:
        luma = luma_of_rgb(torch.from_numpy(result.astype(np.float64)).permute(2, 0, 1), "bt601")[0].numpy()
        assert np.abs(luma - before).max() <= 1
        assert np.ptp(result.astype(int), axis=2).max() > 2


@pytest.mark.parametrize("deep", [False, True])
def test_a_sepia_photograph_keeps_its_tone_as_a_light_if_asked(
    tmp_path: Path, colorizer: Colorizer, deep: bool
) -> None:
    """Without colours of its own it is the source again; with them it is warmer than without the light. Luma is exact."""
    grey = data.camera()[:200, :301].astype(np.float32)
    rgb = np.rint(grey[..., None] * np.array([1.0, 0.88, 0.68]) * (257 if deep else 1))
    source = tmp_path / "in.png"
    assert cv2.imwrite(str(source), rgb[..., ::-1].astype(np.uint16 if deep else np.uint8))

    def coloured(**more: Any) -> NDArray[Any]:
        target = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        assert isinstance(colorize_photo(source, target, colorizer, ColorizeOptions(**more)), Done)
        found = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
        assert found is not None
        return found[..., ::-1].astype(np.float64) / (257 if deep else 1)

    before = rgb / (257 if deep else 1)
    again = coloured(vividness=0.0, keep_tint=True)
    assert np.percentile(np.abs(again - before), 95) < 4
    assert np.abs(luma_of(again) - luma_of(before)).max() <= 1.01
    plain, kept = coloured(), coloured(keep_tint=True)
    warmer = (kept[..., 0] - kept[..., 2]) - (plain[..., 0] - plain[..., 2])
    assert np.median(warmer) > 15
    assert np.abs(luma_of(kept) - luma_of(before)).max() <= 1.01


def luma_of(rgb: NDArray[Any]) -> NDArray[Any]:
    return luma_of_rgb(torch.from_numpy(rgb.copy()).permute(2, 0, 1), "bt601")[0].numpy()


def test_a_16_bit_photograph_stays_16_bit(tmp_path: Path, colorizer: Colorizer) -> None:
    ramp = np.add.outer(np.arange(200) * 150, np.arange(180) * 160).astype(np.uint16)
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    assert cv2.imwrite(str(source), ramp)
    colorize_photo(source, target, colorizer, ColorizeOptions())
    result = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert result is not None
    assert result.dtype == np.uint16
    luma = luma_of_rgb(torch.from_numpy(result[..., ::-1].astype(np.float64)).permute(2, 0, 1), "bt601")[0].numpy()
    assert np.abs(luma - ramp).max() <= 1
    assert len(np.unique(luma.round())) > 5000


def test_a_colour_photograph_is_left_alone_unless_forced(tmp_path: Path, colorizer: Colorizer) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(data.coffee()).save(source)
    assert isinstance(colorize_photo(source, target, colorizer, ColorizeOptions()), Skipped)
    assert not target.exists()
    assert isinstance(colorize_photo(source, target, colorizer, ColorizeOptions(force=True)), Done)


def test_rows_enlarged_by_weights_equal_opencvs_bicubic() -> None:
    grid = np.random.default_rng(0).normal(0, 30, (16, 40, 2)).astype(np.float32)
    whole = cv2.resize(grid, (40, 333), interpolation=cv2.INTER_CUBIC)
    enlarged = np.einsum("or,rwc->owc", cubic_weights(16, 333), grid)
    np.testing.assert_allclose(enlarged, whole, atol=2e-3)


def test_a_picture_has_the_same_colours_alone_and_among_others(tmp_path: Path) -> None:
    """Within what the network's arithmetic does when the number of pictures changes: the last bits of float32 or bfloat16."""
    weights = tmp_path / "lively.safetensors"
    save_weights(weights, lively(ScenesConfig()), {})
    colorizer = Colorizer(str(weights), "cpu", batch_size=4)
    prepared = [prepare_photo(save_grey(tmp_path / f"{n}.png", n), SMALL) for n in range(4)]
    pictures = [one for one in prepared if isinstance(one, PreparedPhoto)]
    together = photo_colors(pictures, colorizer, SMALL)
    alone = np.concatenate([photo_colors([one], colorizer, SMALL) for one in pictures])
    other = photo_colors(pictures[::-1], colorizer, SMALL)[::-1]
    spread = float(np.ptp(together, axis=0).max())
    assert spread > 5.0  # they differ from each other, so a mixed-up batch would show
    limit = 1e-3 if colorizer.dtype == torch.float32 else 0.5  # ab units
    assert float(np.abs(together - alone).max()) < limit
    assert float(np.abs(together - other).max()) < limit
