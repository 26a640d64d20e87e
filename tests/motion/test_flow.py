from __future__ import annotations

import numpy as np
import pytest

from colorize_media.motion import flow as room
from colorize_media.motion.flow import (
    camera_motion,
    consistent,
    follow,
    in_frame,
    local_exposure,
    match_exposure,
    motion_back,
    motion_both_ways,
    optical_flow,
    warp,
)
from tests.made.pictures import codes, texture


def shifted(across: int, down: int, height: int = 96, width: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Two windows on one picture: what is at x in the first is at x + (across, down) in the second."""
    wide = texture(height + 40, width + 40, sigma=2.5)
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


def pair_visibility(now: np.ndarray, previous: np.ndarray) -> np.ndarray:
    return motion_back(now, previous).visibility


def test_a_static_frame_is_fully_visible() -> None:
    luma = codes(texture(64, 114, sigma=2.5))
    seen = pair_visibility(luma, luma)
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
    now[10:34, 10:40] = 130  # far from its edges blur and median change nothing
    still = np.zeros((40, 60, 2), np.float32)
    seen = follow(now, previous, still, still).visibility
    # The local exposure explains at most 4 % of white.
    left = 30 / 255 - room.MOST_LOCAL_FLICKER
    assert seen[22, 25] == pytest.approx(np.exp(-(left**2) / (2 * room.NOISE**2)), rel=0.03)
    assert seen[20, 55] == pytest.approx(1.0, abs=1e-3)
    missed = follow(now, previous, still + 3, still + 3)  # there and back does not lead home
    assert missed.visibility[10:34, 10:40].mean() < 0.1


def test_visibility_is_low_where_something_appears() -> None:
    previous = codes(texture(96, 160, sigma=2.5))
    now = previous.copy()
    now[30:60, 60:100] = 255 - now[30:60, 60:100] // 3
    seen = pair_visibility(now, previous)
    assert seen[34:56, 66:94].mean() < 0.2
    assert seen[:, :40].mean() > 0.95
    assert seen[:, 120:].mean() > 0.95


def test_another_scene_is_not_visible() -> None:
    assert pair_visibility(codes(texture(96, 160, 1, sigma=2.5)), codes(texture(96, 160, 2, sigma=2.5))).mean() < 0.35


def test_flicker_of_exposure_hides_nothing() -> None:
    picture = texture(96, 160, sigma=4)
    assert pair_visibility(codes(picture), codes(picture * 0.7 + 30)).mean() > 0.95


def test_a_stain_that_comes_and_goes_hides_little() -> None:
    picture, across = texture(96, 160, sigma=4) * 0.8, np.arange(160)
    stained = picture + 14 * np.exp(-0.5 * ((across - 70) / 14.0) ** 2)  # 5 % of white, smooth over a dozen pixels
    assert pair_visibility(codes(stained), codes(picture)).mean() > 0.95


def test_dust_and_scratches_hide_little() -> None:
    random, clean = np.random.default_rng(4), texture(96, 160, sigma=4)
    dusty = clean.copy()
    dusty[random.integers(0, 96, 300), random.integers(0, 160, 300)] = 255.0
    dusty[:, 50] = 0.0
    assert pair_visibility(codes(dusty), codes(clean)).mean() > 0.95


def test_a_bright_passer_by_does_not_hide_the_wall() -> None:
    wall = texture(96, 160, sigma=2.5) * 0.4
    now = codes(wall)
    now[20:80, 10:60] = 250
    assert pair_visibility(now, codes(wall))[:, 80:].mean() > 0.95


def test_the_plain_wall_beside_a_moving_thing_stays_visible() -> None:
    """DIS drags the thing's vectors into the wall, where nothing holds them; the camera stands still."""
    thing = codes(texture(48, 32, sigma=2.5))
    frames = []
    for x in (40, 49):
        frame = np.full((96, 160), 90, np.uint8)
        frame[24:72, x : x + 32] = thing
        frames.append(frame)
    seen = pair_visibility(frames[1], frames[0])
    wall = np.ones((96, 160), bool)
    wall[14:82, 30:91] = False
    assert seen[wall].mean() > 0.97


def test_grain_hides_little() -> None:
    random, picture = np.random.default_rng(3), texture(96, 160, sigma=5)
    now, previous = (codes(picture + random.normal(0, 20, picture.shape)) for _ in range(2))
    assert pair_visibility(now, previous).mean() > 0.8


def test_local_exposure_is_smooth_bounded_and_blind_to_small_changes() -> None:
    trusted = np.ones((64, 114), bool)
    across = np.sin(np.arange(114) / 114 * 2 * np.pi).astype(np.float32)
    ramp = np.tile(0.03 * across, (64, 1))
    np.testing.assert_allclose(local_exposure(ramp, trusted), ramp, atol=0.006)
    assert np.abs(local_exposure(ramp * 10, trusted)).max() == np.float32(room.MOST_LOCAL_FLICKER)
    changed = np.zeros((64, 114), np.float32)
    changed[30:34, 50:54] = 0.5
    assert np.abs(local_exposure(changed, trusted)).max() < 0.005
    assert not local_exposure(np.zeros((64, 114), np.float32), trusted).any()


def test_camera_motion_is_the_affine_flow_of_the_majority() -> None:
    down, across = np.mgrid[0:64, 0:114].astype(np.float32)
    wanted = np.stack((1.5 + 0.02 * across - 0.01 * down, -2.0 + 0.01 * across + 0.02 * down), axis=-1)
    flow = wanted + np.random.default_rng(1).normal(0, 0.05, wanted.shape).astype(np.float32)
    flow[20:44, 30:70] += (6.0, -4.0)  # a thing of its own, an eighth of the frame
    found = camera_motion(flow, np.ones((64, 114), bool))
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 0.15
    assert not camera_motion(flow, np.zeros((64, 114), bool)).any()


def test_motion_back_brings_the_previous_frame_here() -> None:
    now, previous = shifted(3, 0)
    motion = motion_back(now, previous)
    back = warp(previous.astype(np.float32), motion.flow)
    assert np.abs(inner(back - now)).mean() < 1.0
    flow = optical_flow(now, previous)
    followed = consistent(flow, optical_flow(previous, now), room.TOLERANCE)
    assert followed.mean() > 0.8
    np.testing.assert_array_equal(motion.flow[followed], flow[followed])


def test_motion_both_ways_is_the_two_motions() -> None:
    now, previous = shifted(3, -2)
    for got, wanted in zip(
        motion_both_ways(now, previous), (motion_back(now, previous), motion_back(previous, now)), strict=True
    ):
        np.testing.assert_array_equal(got.flow, wanted.flow)
        np.testing.assert_array_equal(got.visibility, wanted.visibility)


def test_weakened_motion() -> None:
    motion = motion_back(*shifted(3, 0))
    assert motion.weakened(1.0) is motion
    np.testing.assert_array_equal(motion.weakened(0.5).visibility, motion.visibility * np.float32(0.5))


def test_warping_again_and_again_keeps_detail_if_sharp() -> None:
    """A dozen warps by half a pixel to and fro: bilinear interpolation blurs, the sharp one neither blurs nor rings."""
    field = texture(64, 96, sigma=1.2).astype(np.float32)
    half = np.zeros((64, 96, 2), np.float32)
    half[..., 0] = 0.5
    kept = {}
    for sharp in (False, True):
        moved = field
        for _ in range(6):
            moved = warp(warp(moved, half, sharp=sharp), -half, sharp=sharp)
        kept[sharp] = inner(moved).std() / inner(field).std()
    assert kept[False] < 0.8
    assert 0.9 < kept[True] < 1.02


@pytest.mark.parametrize("channels", [(), (2,), (3,)])
def test_sharp_warp_by_nothing_is_the_identity_and_keeps_constants(channels: tuple[int, ...]) -> None:
    field = np.random.default_rng(1).standard_normal((31, 45, *channels)).astype(np.float32)
    np.testing.assert_array_equal(warp(field, np.zeros((31, 45, 2), np.float32), sharp=True), field)
    flow = np.random.default_rng(2).normal(0, 3, (31, 45, 2)).astype(np.float32)
    constant = np.full((31, 45, *channels), 7.3, np.float32)
    np.testing.assert_allclose(warp(constant, flow, sharp=True), constant, rtol=1e-6)


def test_match_exposure() -> None:
    picture = texture(64, 96, sigma=2.5)
    luma, darker = codes(picture), codes(picture * 0.7 + 20)
    assert match_exposure(luma, luma) is luma
    matched = match_exposure(darker, luma)
    assert np.abs(matched.astype(int) - luma).mean() < 2.0
    assert match_exposure(np.full((64, 96), 7, np.uint8), luma).dtype == np.uint8  # a flat frame: no division by 0


def test_what_comes_in_is_no_exposure() -> None:
    """An iris opens: mean and deviation grow, and the dark around it is as dark as before."""
    picture, down_across = codes(texture(64, 96, sigma=2.5)), np.mgrid[0:64, 0:96]
    distance = np.hypot(down_across[0] - 32, down_across[1] - 48)
    closed, opened = (np.where(distance < radius, picture, 40).astype(np.uint8) for radius in (12, 20))
    assert match_exposure(opened, closed) is opened


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
        follow(luma, luma, still, still[1:])
