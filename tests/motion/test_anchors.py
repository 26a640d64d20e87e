from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorize_media.motion import anchors as room
from colorize_media.motion.anchors import Anchors
from colorize_media.motion.flow import Motion
from colorize_media.motion.smoothing import Best, SmoothingInput

HEIGHT, WIDTH = 36, 64


def picture(seed: int) -> np.ndarray:
    """A random picture with structure at all sizes, (h, w) uint8."""
    random = np.random.default_rng(seed)
    layers = np.zeros((HEIGHT, WIDTH), np.float32)
    for sigma in (1.5, 3, 6, 10):
        layer = cv2.GaussianBlur(random.standard_normal((HEIGHT, WIDTH)).astype(np.float32), (0, 0), sigma)
        layers += layer / layer.std()
    return np.clip(125 + 24 * layers, 30, 220).astype(np.uint8)


def colour(a: float, b: float) -> np.ndarray:
    return np.broadcast_to(np.array([a, b], np.float32), (HEIGHT, WIDTH, 2)).copy()


def still(visibility: float = 1.0) -> Motion:
    return Motion(np.zeros((HEIGHT, WIDTH, 2), np.float32), np.full((HEIGHT, WIDTH), visibility, np.float32))


def test_a_first_frame_is_left_as_it_is() -> None:
    ab = np.random.default_rng(1).normal(0, 20, (HEIGHT, WIDTH, 2)).astype(np.float32)
    np.testing.assert_array_equal(Anchors().apply(ab, picture(1), None), ab)


def test_the_coarse_colour_is_the_slow_mean_and_the_detail_the_frames_own() -> None:
    anchors, luma = Anchors(), picture(1)
    random = np.random.default_rng(2)
    detail = random.normal(0, 5, (HEIGHT, WIDTH, 2)).astype(np.float32)
    detail -= cv2.GaussianBlur(detail, (0, 0), 9.0)
    values = random.normal(0, 10, 20)
    for index, value in enumerate(values):
        shown = anchors.apply(colour(value, -value) + detail, luma, still() if index else None)
        weights = room.MEMORY ** np.arange(index, -1, -1)
        wanted = (weights * values[: index + 1]).sum() / weights.sum()
        assert shown[..., 0].mean() == pytest.approx(wanted, abs=0.01)
        assert shown[..., 1].mean() == pytest.approx(-wanted, abs=0.01)
        np.testing.assert_allclose(shown - shown.mean(axis=(0, 1)), detail - detail.mean(axis=(0, 1)), atol=0.05)


def test_a_slow_drift_is_held_over_hundreds_of_frames() -> None:
    """A hue that swings by ±8 units within 200 frames: averages of ten frames follow it, anchors hold.

    So do they when vividness is kept: what the network's saturation does within seconds is no reason to follow it.
    """
    luma = picture(1)
    drift = 8 * np.sin(np.arange(400) * 2 * np.pi / 200)

    def swing(stage: Best) -> float:
        shown = [ab for value in drift for ab in stage.push(SmoothingInput(colour(20 + value, 0), luma))]
        shown += stage.flush()
        return float(np.ptp([ab[..., 0].mean() for ab in shown[200:]]))

    averages_alone = swing(Best(anchors=0.0, kept=0.0))
    assert averages_alone > 14
    assert swing(Best(anchors=room.MEMORY, kept=0.0)) < 0.5 * averages_alone
    assert swing(Best()) < 0.5 * averages_alone


def test_a_returning_shot_has_the_colours_it_had() -> None:
    """A dialogue: the network sees the first shot blue at first, brown when it returns."""
    anchors, here, there = Anchors(), picture(1), picture(2)
    for index in range(30):
        anchors.apply(colour(0, -30), here, still() if index else None)
    for index in range(30):
        shown = anchors.apply(colour(40, 40), there, still() if index else None)
    np.testing.assert_allclose(shown, colour(40, 40), atol=0.01)  # nothing of the other shot
    moved = np.roll(here, 1, axis=1)
    shown = anchors.apply(colour(10, 20), moved, None)
    inner = shown[6:-6, 6:-6]
    # 26 frames' weight of blue against one of brown.
    assert inner[..., 1].mean() == pytest.approx(-28, abs=1.5)
    for _ in range(400):
        shown = anchors.apply(colour(10, 20), moved, still())
    np.testing.assert_allclose(shown, colour(10, 20), atol=2.0)  # what is there for good wins in the end


def test_another_shot_gets_nothing() -> None:
    anchors = Anchors()
    for seed in range(1, 6):
        ab = colour(10.0 * seed, -10)
        np.testing.assert_allclose(anchors.apply(ab, picture(seed), None), ab, atol=1e-4)


def test_a_flash_does_not_end_a_shot() -> None:
    anchors, here = Anchors(), picture(1)
    for index in range(20):
        anchors.apply(colour(0, -30), here, still() if index else None)
    anchors.apply(colour(0, 0), np.full((HEIGHT, WIDTH), 250, np.uint8), None)
    assert anchors.apply(colour(10, 20), here, None)[..., 1].mean() < -25


def test_a_speck_without_a_past_gets_the_correction_around_it() -> None:
    anchors, luma, motion = Anchors(), picture(1), still()
    for index in range(20):
        anchors.apply(colour(0, -30), luma, motion if index else None)
    speck = still()
    speck.visibility[15:18, 30:33] = 0.0
    shown = anchors.apply(colour(0, 10), luma, speck)
    assert np.abs(shown[15:18, 30:33] - shown[10, 20]).max() < 1.0
    assert shown[10, 20, 1] < -25


def test_only_so_many_shots_are_remembered() -> None:
    anchors = Anchors(remembered=3)
    for seed in range(1, 7):
        anchors.apply(colour(0, -30), picture(seed), None)
    assert len(anchors._past) == 3
    oldest = colour(10, 20)
    np.testing.assert_allclose(anchors.apply(oldest, picture(1), None), oldest, atol=1e-4)
    assert anchors.apply(oldest, picture(5), None)[..., 1].mean() < 10


def test_a_shot_that_returns_is_remembered_once() -> None:
    anchors = Anchors()
    for _ in range(4):
        for seed in (1, 2):
            anchors.apply(colour(0, -30), picture(seed), None)
    assert len(anchors._past) == 1  # the other one is running


def test_state_goes_on_elsewhere() -> None:
    anchors = Anchors(remembered=3)
    for seed in range(1, 6):
        anchors.apply(colour(seed, -30), picture(seed), None)
    state = anchors.state()
    assert {array.dtype for array in state.values()} == {np.dtype(np.uint8), np.dtype(np.float32)}
    fresh = Anchors(remembered=3)
    fresh.restore(state)
    for seed in (5, 3, 9):
        np.testing.assert_array_equal(
            fresh.apply(colour(0, 0), picture(seed), None), anchors.apply(colour(0, 0), picture(seed), None)
        )
    assert Anchors().state() == {}


def test_forgetting_is_a_new_film() -> None:
    anchors = Anchors()
    anchors.apply(colour(0, -30), picture(1), None)
    anchors.forget()
    np.testing.assert_array_equal(anchors.apply(colour(10, 20), picture(1), None), colour(10, 20))


def test_a_change_of_size_is_another_film() -> None:
    anchors = Anchors()
    anchors.apply(colour(0, -30), picture(1), None)
    ab, luma = colour(10, 20)[:30, :50], np.ascontiguousarray(picture(1)[:30, :50])
    np.testing.assert_array_equal(anchors.apply(ab, luma, None), ab)
