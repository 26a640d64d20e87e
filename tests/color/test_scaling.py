"""Planes made small, and products of matrices: as exact as the plain forms that they replace."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from colorize_media.color.scaling import averaged_down, product

SIZES = [(96, 96), (160, 64), (33, 127), (511, 511), (512, 512), (1, 1), (64, 512)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", SIZES)
def test_planes_are_averaged_as_by_opencv(size: tuple[int, int], dtype: type) -> None:
    picture = data.camera().astype(dtype)
    if dtype == np.uint16:
        picture = picture * np.uint16(257) + np.arange(512, dtype=np.uint16) % 7
    expected = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.int64)
    for at_once in (1 << 18, 1):  # several rows of the result at once, and one
        small = averaged_down(picture, size, at_once=at_once)
        assert small.dtype == dtype
        assert small.shape == size[::-1]
        difference = np.abs(small.astype(np.int64) - expected)
        assert difference.max() <= 1  # means half way between two codes
        assert (difference > 0).sum() <= max(1, 0.02 * difference.size)


def test_colours_are_averaged_channel_by_channel() -> None:
    picture = data.astronaut()
    small = averaged_down(picture, (100, 70))
    for channel in range(3):
        assert np.array_equal(
            small[..., channel], averaged_down(np.ascontiguousarray(picture[..., channel]), (100, 70))
        )


@pytest.mark.parametrize("shape", [(1, 1, 1), (10, 5, 6000), (300, 48, 200), (3, 2, 100_003)])
def test_products_in_blocks_are_products(shape: tuple[int, int, int]) -> None:
    rows, inner, columns = shape
    random = np.random.default_rng(3)
    left, right = random.normal(size=(rows, inner)), random.normal(size=(inner, columns))
    found = product(left.astype(np.float32), right.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, left @ right, atol=1e-4)
