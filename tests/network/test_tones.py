"""Tones widened for the network: by their properties, and by what a faded picture's colours become."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_media.network.colorizer import Colorizer
from colorize_media.network.tones import BLACK, MOST, WHITE, widened


def _picture(low: float, high: float, *, seed: int = 0, size: int = 64) -> Tensor:
    """Smooth shapes ``(1, 1, size, size)`` whose tones fill the range from ``low`` to ``high`` evenly, border or not."""
    border = size // 10 + 1
    noise = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    shapes = F.interpolate(noise, (size - 2 * border, size - 2 * border), mode="bicubic")
    ranks = shapes.flatten().argsort().argsort()
    even = low + (high - low) * ranks / (ranks.numel() - 1)
    return F.pad(even.view(shapes.shape), (border,) * 4, mode="replicate")


def _ends(lightness: Tensor) -> tuple[float, float]:
    inner = lightness[..., 7:-7, 7:-7].flatten()
    return float(inner.quantile(0.01)), float(inner.quantile(0.99))


@pytest.mark.parametrize("ends", [(0.0, 100.0), (3.0, 90.0), (BLACK - 1, 100.0), (0.0, WHITE + 3)])
def test_what_has_black_and_white_is_seen_as_it_is_to_the_bit(ends: tuple[float, float]) -> None:
    picture = _picture(*ends)
    assert torch.equal(widened(picture), picture)


@pytest.mark.parametrize("ends", [(25.0, 70.0), (40.0, 95.0), (0.0, 50.0), (30.0, 62.0)])
def test_what_lacks_black_or_white_gets_it_and_nothing_changes_places(ends: tuple[float, float]) -> None:
    picture = _picture(*ends)
    seen = widened(picture)
    low, high = _ends(seen)
    assert low <= BLACK + 0.7
    assert high >= WHITE - 0.7
    assert seen.min() >= 0.0
    assert seen.max() <= 100.0
    order = picture.flatten().argsort()
    assert (seen.flatten()[order].diff() >= -1e-4).all()


@pytest.mark.parametrize("level", [0.0, 4.0, 50.0, 97.0, 100.0])
def test_a_blank_stays_about_as_light_as_it_is(level: float) -> None:
    """A fade to black is not turned to white, and film leader not to black."""
    blank = torch.full((1, 1, 32, 32), level)
    assert (widened(blank) - blank).abs().max() <= 3.0


def test_a_flat_picture_is_widened_by_so_much_and_no_more() -> None:
    picture = _picture(48.0, 56.0)
    seen = widened(picture)
    assert float(seen.max() - seen.min()) == pytest.approx(MOST * float(picture.max() - picture.min()), rel=1e-3)


def test_each_picture_of_a_batch_for_itself() -> None:
    faded, sound = _picture(30.0, 70.0, seed=1), _picture(0.0, 100.0, seed=2)
    together = widened(torch.cat((faded, sound)))
    assert torch.equal(together[:1], widened(faded))
    assert torch.equal(together[1:], sound)


def test_paper_around_a_print_does_not_hide_that_it_is_faded() -> None:
    picture = _picture(35.0, 70.0)
    framed = picture.clone()
    framed[..., :5, :] = 100.0
    framed[..., :, -5:] = 0.0
    assert torch.allclose(widened(framed)[..., 6:-6, 6:-6], widened(picture)[..., 6:-6, 6:-6], atol=0.5)


def test_a_faded_picture_gets_the_colours_of_the_sound_one() -> None:
    """The network asked through `Colorizer`, as the command does: fading changes its colours by little."""
    colorizer = Colorizer("scenes", "cpu")
    sound = _picture(5.0, 85.0, size=96)
    faded = 30.0 + 0.5 * sound
    truth = colorizer.distribution(sound).mean(1.0)
    unaided = (colorizer.distribution(faded).mean(1.0) - truth).abs().mean()
    aided = (colorizer.distribution(widened(faded)).mean(1.0) - truth).abs().mean()
    assert aided < 0.5 * unaided
    asked = colorizer.colors(faded, refine=0.0) - colorizer.colors(widened(faded), refine=0.0)
    assert abs(asked).max() < 0.05  # the command goes that way
