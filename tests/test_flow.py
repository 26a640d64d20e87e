from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorize_media import flow as room
from colorize_media.flow import (
    Motion,
    consistent,
    in_frame,
    match_exposure,
    motion_back,
    noise_level,
    optical_flow,
    resize_motion,
    visibility,
    warp,
)


def texture(height: int, width: int, seed: int = 0, sigma: float = 2.5) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.clip(128 + 40 * smooth / smooth.std(), 0, 255)


def codes(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def shifted(across: int, down: int, height: int = 96, width: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Two windows on one picture: what is at x in the first is at x + (across, down) in the second."""
    wide = texture(height + 40, width + 40)
    first = wide[20 : 20 + height, 20 : 20 + width]
    second = wide[20 - down : 20 - down + height, 20 - across : 20 - across + width]
    return codes(first), codes(second)


def inner(field: np.ndarray, margin: int = 14) -> np.ndarray:
    return field[margin:-margin, margin:-margin]


@pytest.mark.parametrize("preset", ["fast", "medium", "fine"])
@pytest.mark.parametrize(("across", "down"), [(3, 0), (0, -2), (-5, 4), (9, -6)])
def test_flow_of_a_known_translation(across: int, down: int, preset: room.Preset) -> None:
    first, second = shifted(across, down)
    error = inner(optical_flow(first, second, preset)) - np.float32([across, down])
    assert np.abs(np.median(error, axis=(0, 1))).max() < {"fast": 0.25, "medium": 0.05, "fine": 0.02}[preset]
    assert np.percentile(np.hypot(error[..., 0], error[..., 1]), 95) < {"fast": 1.0, "medium": 0.5, "fine": 0.2}[preset]


def test_the_second_picture_warped_by_the_flow_is_the_first() -> None:
    first, second = shifted(4, -3)
    back = warp(second.astype(np.float32), optical_flow(first, second))
    assert np.abs(inner(back - first)).mean() < 1.0
    assert np.abs(inner(second.astype(np.float32) - first)).mean() > 20


@pytest.mark.parametrize("preset", ["fast", "medium", "fine"])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (5, 7), (16, 128), (300, 15), (33, 47)])
def test_equal_pictures_of_any_size_have_exactly_no_flow(size: tuple[int, int], preset: room.Preset) -> None:
    luma = np.random.default_rng(0).integers(0, 256, size, np.uint8)  # 16×128 crashes OpenCV when handed over as it is
    found = optical_flow(luma, luma, preset)
    assert found.shape == (*size, 2)
    assert found.dtype == np.float32
    assert not found.any()


def test_flow_ignores_exposure() -> None:
    first, second = shifted(4, -3)
    darker = codes(second.astype(np.float32) * 0.6 + 12)
    error = inner(optical_flow(first, darker)) - np.float32([4, -3])
    assert np.percentile(np.hypot(error[..., 0], error[..., 1]), 95) < 0.5


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_zero_flow_is_the_identity(channels: tuple[int, ...]) -> None:
    field = np.random.default_rng(1).standard_normal((31, 45, *channels)).astype(np.float32)
    np.testing.assert_array_equal(warp(field, np.zeros((31, 45, 2), np.float32)), field)


def test_warp_repeats_the_border_and_in_frame_says_where() -> None:
    field = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    flow = np.zeros((4, 8, 2), np.float32)
    flow[..., 0] = 3.0
    np.testing.assert_allclose(warp(field, flow)[0], [3, 4, 5, 6, 7, 7, 7, 7])
    np.testing.assert_array_equal(in_frame(flow)[0], [True] * 5 + [False] * 3)
    np.testing.assert_array_equal(in_frame(-flow)[0], [False] * 3 + [True] * 5)
    assert not in_frame(np.full((4, 8, 2), 1e6, np.float32)).any()


def test_warp_between_pixels_is_bilinear() -> None:
    field = np.random.default_rng(2).standard_normal((6, 9)).astype(np.float32)
    flow = np.full((6, 9, 2), 0.5, np.float32)
    mean = (field[:-1, :-1] + field[1:, :-1] + field[:-1, 1:] + field[1:, 1:]) / 4
    np.testing.assert_allclose(warp(field, flow)[:-1, :-1], mean, atol=1e-5)


def test_consistency_of_a_flow_with_its_reverse_and_with_another() -> None:
    flow = np.full((20, 30, 2), 2.0, np.float32)
    assert consistent(flow, -flow, 0.5)[:-2, :-2].all()
    assert not consistent(flow, -flow, 0.5)[-2:].any()  # points out of the frame
    assert not consistent(flow, flow, 0.5).any()
    # A miss of 0.8 px: 0.64 px² lies between the two tolerances plus 1 % of the squared flows, 0.01 · (8 + 5.4) = 0.13.
    reverse = -flow + np.float32([0.8, 0.0])
    assert not consistent(flow, reverse, 0.5)[:-2, :-2].any()
    assert consistent(flow, reverse, 1.0)[:-2, :-2].all()


def pair_visibility(now: np.ndarray, previous: np.ndarray, noise: float | None = None) -> np.ndarray:
    return visibility(now, previous, optical_flow(now, previous), optical_flow(previous, now), noise)


@pytest.mark.parametrize("noise", [None, 0.04, 1e-3])
def test_a_static_frame_is_fully_visible(noise: float | None) -> None:
    luma = codes(texture(64, 114))
    seen = pair_visibility(luma, luma, noise)
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen, np.ones((64, 114), np.float32))


def test_a_translated_frame_is_visible_but_for_what_came_in() -> None:
    now, previous = shifted(9, 0)  # what is at x now was at x + 9: the last nine columns are new
    seen = pair_visibility(now, previous)
    assert inner(seen).mean() > 0.95
    assert seen[:, -8:].mean() < 0.1


def test_visibility_is_the_documented_formula() -> None:
    now = np.full((40, 60), 100, np.uint8)
    previous = now.copy()
    now[10:30, 10:25] = 120  # far from its edges the light blur changes nothing: ΔL = 20 / 255
    still = np.zeros((40, 60, 2), np.float32)
    seen = visibility(now, previous, still, still, noise=0.05)
    # The exposure fit gives a robust minority a little of its way: it takes about 1 % off the residual here.
    assert seen[20, 17] == pytest.approx(np.exp(-((20 / 255) ** 2) / (2 * 0.05**2)), rel=0.03)
    assert seen[20, 45] == pytest.approx(1.0, abs=1e-4)
    assert not visibility(now, previous, still + 3, still + 3, noise=0.05).any()


def test_visibility_is_low_where_something_appears() -> None:
    previous = codes(texture(96, 160))
    now = previous.copy()
    now[30:60, 60:100] = 255 - now[30:60, 60:100] // 3
    seen = pair_visibility(now, previous)
    assert seen[34:56, 66:94].mean() < 0.2
    assert seen[:, :40].mean() > 0.95
    assert seen[:, 120:].mean() > 0.95


def test_another_scene_is_not_visible() -> None:
    assert pair_visibility(codes(texture(96, 160, 1)), codes(texture(96, 160, 2))).mean() < 0.35


def test_flicker_of_exposure_hides_nothing() -> None:
    picture = texture(96, 160, sigma=4)
    assert pair_visibility(codes(picture), codes(picture * 0.7 + 30)).mean() > 0.95


def test_a_bright_passer_by_does_not_hide_the_wall() -> None:
    wall = texture(96, 160) * 0.4
    now = codes(wall)
    now[20:80, 10:60] = 250
    assert pair_visibility(now, codes(wall))[:, 80:].mean() > 0.95


def test_noise_is_taken_from_the_frames() -> None:
    random, picture = np.random.default_rng(3), texture(96, 160, sigma=5)
    now, previous = (codes(picture + random.normal(0, 20, picture.shape)) for _ in range(2))
    still = np.zeros((96, 160, 2), np.float32)
    assert visibility(now, previous, still, still, noise=0.02).mean() < 0.7
    assert visibility(now, previous, still, still).mean() > 0.85


def test_noise_level_is_three_absolute_deviations_within_its_limits() -> None:
    random = np.random.default_rng(4)
    residual = random.normal(0.01, 0.03, (200, 200)).astype(np.float32)
    assert noise_level(residual) == pytest.approx(3 * 0.6745 * 0.03, rel=0.05)
    assert noise_level(residual * 0) == pytest.approx(0.04)
    assert noise_level(residual * 100) == pytest.approx(room.MOST_NOISE)


def test_motion_back_brings_the_previous_frame_here() -> None:
    now, previous = shifted(3, 0)
    motion = motion_back(now, previous)
    np.testing.assert_array_equal(motion.flow, optical_flow(now, previous))
    np.testing.assert_array_equal(motion.visibility, pair_visibility(now, previous))
    back = warp(previous.astype(np.float32), motion.flow)
    assert np.abs(inner(back - now)).mean() < 1.0


def test_resized_motion_scales_its_vectors() -> None:
    motion = Motion(np.full((64, 96, 2), 4.0, np.float32), np.full((64, 96), 0.25, np.float32))
    small = resize_motion(motion, 32, 24)
    assert small.flow.shape == (32, 24, 2)
    np.testing.assert_allclose(small.flow[..., 0], 1.0, rtol=1e-6)
    np.testing.assert_allclose(small.flow[..., 1], 2.0, rtol=1e-6)
    np.testing.assert_allclose(small.visibility, 0.25, rtol=1e-6)
    assert resize_motion(motion, 64, 96) is motion


def test_match_exposure() -> None:
    picture = texture(64, 96)
    luma, darker = codes(picture), codes(picture * 0.7 + 20)
    assert match_exposure(luma, luma) is luma
    matched = match_exposure(darker, luma)
    assert np.abs(matched.astype(int) - luma).mean() < 2.0
    assert match_exposure(np.full((64, 96), 7, np.uint8), luma).dtype == np.uint8  # a flat frame: no division by 0


def test_flat_frames_have_no_flow_and_are_visible() -> None:
    grey, black = np.full((40, 60), 90, np.uint8), np.zeros((40, 60), np.uint8)
    seen = pair_visibility(grey, grey)
    assert not optical_flow(grey, black).any()
    np.testing.assert_array_equal(seen, 1.0)


def test_refuses_what_does_not_fit() -> None:
    luma = np.zeros((20, 30), np.uint8)
    still = np.zeros((20, 30, 2), np.float32)
    with pytest.raises(ValueError, match="different sizes"):
        optical_flow(luma, luma[:-1])
    with pytest.raises(ValueError, match="luma must be"):
        optical_flow(luma.astype(np.float32), luma)
    with pytest.raises(ValueError, match="do not fit"):
        visibility(luma, luma, still, still[1:])
    with pytest.raises(ValueError, match="noise must be positive"):
        visibility(luma, luma, still, still, 0.0)
