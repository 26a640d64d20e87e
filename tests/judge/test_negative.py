"""Colour negatives that nobody has inverted are told of; prints and colour photographs are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.judge.negative import NEGATIVE, is_color_negative
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import PreparedPhoto, prepare_photo
from tests.made.clips import Picture

GREY = np.repeat(data.camera()[..., None], 3, axis=2)
DULL = (0.25 * data.astronaut() + 0.75 * data.astronaut().mean(axis=2, keepdims=True)).astype(np.uint8)


def negative(scene: Picture) -> Picture:
    """Light through a colour negative of the scene: densities rise with the light, over those of its orange mask."""
    light = (scene / 255.0) ** 2.2 + 0.003
    density = np.array([0.2, 0.55, 0.85]) + 0.55 * (2.5 + np.log10(light))
    through = 10**-density
    codes: Picture = (255 * (through / through[..., 0].max()) ** (1 / 2.2)).clip(0, 255).astype(np.uint8)
    return codes


def toned(scene: Picture, color: tuple[float, float, float]) -> Picture:
    """A print of one tone, its paper a little of it."""
    grey = scene.mean(axis=2, keepdims=True) / 255
    codes: Picture = (255 * grey ** (2 - np.array(color))).clip(0, 255).astype(np.uint8)
    return codes


@pytest.mark.parametrize("scene", [GREY, DULL])
def test_a_colour_negative_is_one_and_its_positive_is_none(scene: Picture) -> None:
    assert is_color_negative(negative(scene))
    assert not is_color_negative(scene)


@pytest.mark.parametrize(
    "picture", [data.coffee(), data.astronaut(), toned(GREY, (1.3, 1.0, 0.6)), toned(GREY, (0.7, 1.0, 1.4)), 0 * GREY]
)
def test_prints_and_photographs_are_none(picture: Picture) -> None:
    assert not is_color_negative(picture)


@pytest.mark.parametrize("scene", [GREY, DULL])
def test_it_is_told_whether_it_is_coloured_or_left_alone(tmp_path: Path, scene: Picture) -> None:
    Image.fromarray(negative(scene)).save(tmp_path / "in.png")
    forced = prepare_photo(tmp_path / "in.png", ColorizeOptions(force=True))
    assert isinstance(forced, PreparedPhoto)
    assert NEGATIVE in forced.warnings
    asked = prepare_photo(tmp_path / "in.png", ColorizeOptions())
    assert NEGATIVE in (asked.warnings if isinstance(asked, PreparedPhoto) else asked.reason)
