"""Luma made of samples: as exact as the plain form that it replaces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.photo.pixels import luma_of


def test_luma_is_the_rounded_sum_of_thousandths_for_every_colour() -> None:
    green, blue = np.meshgrid(np.arange(256), np.arange(256))
    for red in range(256):
        rgb = np.stack((np.full_like(green, red), green, blue), axis=2)
        assert np.array_equal(luma_of(rgb.astype(np.uint8)), _rounded_luma(rgb))


def test_luma_of_16_bits_is_as_exact() -> None:
    random = np.random.default_rng(0)
    rgb = random.integers(0, 65536, (500, 1000, 3))
    assert np.array_equal(luma_of(rgb.astype(np.uint16)), _rounded_luma(rgb))
    greys = np.repeat(np.arange(65536).reshape(1, -1, 1), 3, axis=2)
    assert np.array_equal(luma_of(greys.astype(np.uint16)), greys[..., 0])


def _rounded_luma(rgb: NDArray[Any]) -> NDArray[Any]:
    return (299 * rgb[..., 0] + 587 * rgb[..., 1] + 114 * rgb[..., 2] + 500) // 1000
