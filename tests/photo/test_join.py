"""Luma joined with colour: integer R′G′B′ whose rounded luma is the source's, whatever the chroma."""

from __future__ import annotations

import numpy as np
import pytest

from colorize_media.photo.join import rgb_of_luma
from tests.made.photos import (
    luma_of,
)


@pytest.mark.parametrize("bits", [8, 16])
def test_luma_of_written_rgb_is_exact_for_random_and_extreme_chroma(bits: int) -> None:
    top = (1 << bits) - 1
    rng = np.random.default_rng(bits)
    luma = rng.integers(0, top + 1, (200, 300)).astype(np.uint8 if bits == 8 else np.uint16)
    luma[0], luma[1], luma[2], luma[3] = 0, top, 1, top - 1
    ends = np.array([-0.5, 0.5, 0.0], np.float32)
    extreme = np.stack((rng.choice(ends, luma.shape), rng.choice(ends, luma.shape)), axis=2)
    for chroma in (rng.uniform(-0.5, 0.5, (*luma.shape, 2)).astype(np.float32), extreme, extreme * 0.01):
        rgb = rgb_of_luma(luma, chroma.astype(np.float32), bits)
        assert rgb.dtype == luma.dtype
        assert np.abs(luma_of(rgb) - luma).max() <= 0.5, "rounds to the source's luma"
    assert np.array_equal(rgb_of_luma(luma, np.zeros((*luma.shape, 2), np.float32), bits)[..., 1], luma)


def test_colours_inside_the_cube_come_out_as_asked() -> None:
    luma = np.full((4, 4), 120, np.uint8)
    chroma = np.broadcast_to(np.array([-0.05, 0.08], np.float32), (4, 4, 2))
    red, green, blue = rgb_of_luma(luma, np.ascontiguousarray(chroma), 8)[0, 0]
    assert red == round(120 + 1.402 * 0.08 * 255)
    assert blue == round(120 - 1.772 * 0.05 * 255)
    assert abs(green - (120 + (0.344136 * 0.05 - 0.714136 * 0.08) * 255)) < 1
