from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from colorize_media.training.video_metrics import (
    WarpError,
    ab_distribution_consistency,
    color_distribution_consistency,
    js_divergence,
    motion_boundary,
    warp_error,
)
from tests.made.clips import pan
from tests.made.pictures import texture


def passing(frames: int, step: int = 4) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Luma (96, 160) and ab (48, 80) of a camera that pans over a coloured world."""
    luma = texture(96, 160 + step * frames).astype(np.uint8)
    ab = np.stack([texture(48, 80 + step * frames // 2, seed, 8.0) - 128 for seed in (1, 2)], axis=-1)
    return pan(luma, frames, 160, step), pan(ab, frames, 80, step // 2)


def test_warp_error_of_a_static_clip_is_the_mean_squared_change() -> None:
    luma = texture(64, 96).astype(np.uint8)
    random = np.random.default_rng(3)
    ab = [random.normal(0, 5, (64, 96, 2)).astype(np.float32) for _ in range(4)]
    wanted = np.mean([((a - b) ** 2).sum(-1).mean() for a, b in pairwise(ab)])
    assert warp_error(ab, [luma] * 4) == pytest.approx(wanted, rel=1e-5)
    assert warp_error(ab[:1] * 4, [luma] * 4) == 0.0


def test_colour_that_moves_with_the_picture_has_little_error() -> None:
    luma, ab = passing(4)
    assert warp_error(ab, luma) < 0.02 * warp_error(ab[:1] * 4, luma)  # the others stand still while the picture moves


def test_pairs_across_cuts_are_left_out() -> None:
    luma = [texture(64, 96).astype(np.uint8)] * 4
    red, green = np.full((64, 96, 2), 50, np.float32), np.full((64, 96, 2), -50, np.float32)
    assert warp_error([red, red, green, green], luma, cuts={2}) == 0.0
    assert warp_error([red, red, green, green], luma) == pytest.approx(2 * 100**2 / 3)


def test_several_videos_at_once_are_each_alone() -> None:
    luma, ab = passing(3)
    still = ab[:1] * 3
    both = WarpError()
    for index in range(3):
        both.add(luma[index], {"moving": ab[index], "still": still[index]})
    assert both.result() == {"moving": warp_error(ab, luma), "still": warp_error(still, luma)}


def test_nothing_to_follow_is_nan() -> None:
    luma, ab = passing(1)
    assert math.isnan(warp_error(ab, luma))
    assert math.isnan(warp_error([], []))
    with pytest.raises(ValueError, match="1 frames of ab but 2 of luma"):
        warp_error(ab, luma * 2)


def test_motion_boundary_is_where_the_flow_breaks() -> None:
    flow = np.zeros((20, 30, 2), np.float32)
    flow[:, 15:, 0] = 3.0
    edge = motion_boundary(flow)
    assert edge[:, 14:16].all()
    assert not edge[:, :13].any()
    assert not edge[:, 17:].any()
    assert not motion_boundary(np.zeros((1, 1, 2), np.float32)).any()


def test_js_divergence() -> None:
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert js_divergence(p, q) == pytest.approx(np.log(2))
    assert js_divergence(p, p) == 0.0
    half = np.array([0.5, 0.5])
    # by hand: middle = (3/4, 1/4); KL(p) = ln(4/3), KL(half) = ½ ln(2/3) + ½ ln 2
    assert js_divergence(p, half) == pytest.approx(0.5 * (np.log(4 / 3) + 0.5 * np.log(2 / 3) + 0.5 * np.log(2)))


def test_cdc_of_still_and_of_alternating_colours() -> None:
    red, blue = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    assert color_distribution_consistency([red] * 6) == 0.0
    # One frame apart two of three channels are disjoint; two and four frames apart the colours are the same again.
    assert color_distribution_consistency([red, blue] * 3) == pytest.approx(2 / 3 * np.log(2) / 3)
    assert math.isnan(color_distribution_consistency([red]))


def test_ab_cdc() -> None:
    one, other = np.zeros((8, 8, 2), np.float32), np.zeros((8, 8, 2), np.float32)
    other[..., 0] = 50
    assert ab_distribution_consistency([one] * 5) == 0.0
    assert ab_distribution_consistency([one, other] * 3) == pytest.approx(0.5 * np.log(2) / 3)
    # A step of less than a bin (3.4 units) within it is no change; what lies outside counts as the last bin.
    assert ab_distribution_consistency([one + 1, one + 2] * 3) == 0.0
    assert ab_distribution_consistency([one + 500, one + 110] * 3) == 0.0


def test_the_room_never_imports_av() -> None:
    code = "import sys, colorize_media.training.video_metrics; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
