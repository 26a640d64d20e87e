from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from colorize_media.options import SMOOTHING
from colorize_media.smoothing import Fast, Off, RecursiveAverage, Smoother, SmoothingInput, make_smoother, small_luma

HEIGHT, WIDTH = 32, 56  # of ab; luma is four times that


def texture(height: int, width: int, seed: int = 0, sigma: float = 6.0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.clip(np.rint(128 + 40 * smooth / smooth.std()), 0, 255).astype(np.uint8)


def flickering(frames: int, seed: int = 5) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(0, 10, (HEIGHT, WIDTH, 2)).astype(np.float32) for _ in range(frames)]


def static_clip(frames: int, seed: int = 1, sigma: float = 6.0) -> list[SmoothingInput]:
    luma = texture(4 * HEIGHT, 4 * WIDTH, seed, sigma)
    return [SmoothingInput(ab, luma) for ab in flickering(frames, seed)]


def moving_clip(frames: int, step: int = 8, seed: int = 2) -> list[SmoothingInput]:
    """A pan over a fixed coloured world, seen with flicker; ``step`` luma pixels a frame, so step / 4 ab cells."""
    room = step * frames
    luma = texture(4 * HEIGHT, 4 * WIDTH + room, seed)
    world = np.stack([texture(HEIGHT, WIDTH + room // 4, seed + k, 3.0) for k in (1, 2)], axis=-1) * 0.3 - 38
    flicker = flickering(frames, seed)
    return [
        SmoothingInput(
            (world[:, t * step // 4 :][:, :WIDTH] + flicker[t]).astype(np.float32),
            np.ascontiguousarray(luma[:, t * step :][:, : 4 * WIDTH]),
        )
        for t in range(frames)
    ]


def smooth(stage: Smoother, clip: list[SmoothingInput]) -> list[np.ndarray]:
    out: list[np.ndarray] = []
    for pushed, item in enumerate(clip, 1):
        out += stage.push(item)
        assert pushed - stage.look_ahead <= len(out) <= pushed
    return out + stage.flush()


# --- the contract that every mode keeps; new modes join by joining SMOOTHING


@pytest.fixture(params=SMOOTHING)
def make(request: pytest.FixtureRequest) -> Callable[[], Smoother]:
    return lambda: make_smoother(request.param)


def test_one_frame_out_for_each_in(make: Callable[[], Smoother]) -> None:
    for length in (0, 1, 2, 9):
        out = smooth(make(), static_clip(length))
        assert len(out) == length
        assert all(ab.shape == (HEIGHT, WIDTH, 2) and ab.dtype == np.float32 for ab in out)


def test_flush_makes_the_stage_as_new(make: Callable[[], Smoother]) -> None:
    stage, clip = make(), moving_clip(5)
    first = smooth(stage, clip)
    assert stage.flush() == []
    np.testing.assert_array_equal(smooth(stage, clip), first)


def test_constant_colour_stays(make: Callable[[], Smoother]) -> None:
    ab = np.empty((HEIGHT, WIDTH, 2), np.float32)
    ab[:] = (23.4, -51.7)
    clip = [SmoothingInput(ab, item.luma) for item in moving_clip(40)]
    np.testing.assert_allclose(smooth(make(), clip), np.stack([ab] * 40), rtol=2e-6)


def test_nothing_crosses_a_cut(make: Callable[[], Smoother]) -> None:
    before, after = static_clip(6, seed=3), moving_clip(6, seed=9)
    # The same luma on both sides: only the flag says that a shot begins.
    before = [SmoothingInput(item.ab + 40, after[0].luma) for item in before]
    cut = SmoothingInput(after[0].ab, after[0].luma, cut=True)
    joined = smooth(make(), [*before, cut, *after[1:]])
    np.testing.assert_array_equal(joined[6:], smooth(make(), after))


def test_a_change_of_size_starts_again(make: Callable[[], Smoother]) -> None:
    small = [
        SmoothingInput(np.ones((20, 30, 2), np.float32) * k, texture(40, 60, sigma=2.0)) for k in range(3)
    ]  # a shape of its own
    joined = smooth(make(), static_clip(4) + small)
    for got, wanted in zip(joined[4:], smooth(make(), small), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_inputs_are_not_changed_and_outputs_not_touched_again(make: Callable[[], Smoother]) -> None:
    stage, clip = make(), moving_clip(6)
    copies = [(item.ab.copy(), item.luma.copy()) for item in clip]
    out: list[np.ndarray] = []
    seen: list[np.ndarray] = []
    for item in clip:
        out += stage.push(item)
        seen += [ab.copy() for ab in out[len(seen) :]]
    np.testing.assert_array_equal(out, seen)
    for item, (ab, luma) in zip(clip, copies, strict=True):
        np.testing.assert_array_equal(item.ab, ab)
        np.testing.assert_array_equal(item.luma, luma)


@pytest.mark.parametrize(
    "item",
    [
        SmoothingInput(np.zeros((4, 4), np.float32), np.zeros((8, 8), np.uint8)),
        SmoothingInput(np.zeros((4, 4, 3), np.float32), np.zeros((8, 8), np.uint8)),
        SmoothingInput(np.zeros((4, 4, 2), np.float64), np.zeros((8, 8), np.uint8)),
        SmoothingInput(np.zeros((4, 4, 2), np.float32), np.zeros((8, 8), np.float32)),
        SmoothingInput(np.zeros((0, 4, 2), np.float32), np.zeros((8, 8), np.uint8)),
    ],
)
def test_refuses_malformed_items(make: Callable[[], Smoother], item: SmoothingInput) -> None:
    with pytest.raises(ValueError, match="must be"):
        make().push(item)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 5), (16, 16)])
def test_tiny_pictures(make: Callable[[], Smoother], size: tuple[int, int]) -> None:
    clip = [SmoothingInput(np.full((*size, 2), k, np.float32), np.full(size, 90, np.uint8)) for k in range(3)]
    assert [ab.shape for ab in smooth(make(), clip)] == [(*size, 2)] * 3


# --- off


def test_off_gives_each_frame_as_it_is() -> None:
    clip = static_clip(4)
    np.testing.assert_array_equal(smooth(Off(), clip), [item.ab for item in clip])


# --- fast


def weighted_means(fields: list[np.ndarray], a: float) -> list[np.ndarray]:
    """Σ a^(t−k) x_k / Σ a^(t−k), written as the sum that the recursion stands for."""
    out = []
    for t in range(len(fields)):
        weights = np.array([a ** (t - k) for k in range(t + 1)])
        out.append(np.tensordot(weights / weights.sum(), np.stack(fields[: t + 1]).astype(np.float64), axes=1))
    return out


def test_a_static_clip_gives_the_running_mean() -> None:
    clip = static_clip(12)
    fields = [item.ab for item in clip]
    np.testing.assert_allclose(smooth(Fast(1.0, 0.0), clip), weighted_means(fields, 1.0), atol=1e-4)
    np.testing.assert_allclose(smooth(Fast(0.9, 0.0), clip), weighted_means(fields, 0.9), atol=1e-4)
    twice = weighted_means(weighted_means(fields, 0.9), 0.8)
    np.testing.assert_allclose(smooth(Fast(), clip), twice, atol=1e-4)


def test_no_memory_is_each_frame_alone() -> None:
    clip = moving_clip(5)
    np.testing.assert_array_equal(smooth(Fast(0.0, 0.0), clip), [item.ab for item in clip])


def test_flicker_of_a_moving_picture_goes_and_its_colour_stays() -> None:
    clip = moving_clip(16)
    clean = [ab - noise for ab, noise in zip((item.ab for item in clip), flickering(16, 2), strict=True)]
    shown = smooth(Fast(), clip)
    # Flicker of 10 units averaged over ten frames and again; eight columns were never seen long enough.
    error = (shown[-1] - clean[-1])[:, :-16]
    assert np.sqrt((error**2).mean()) < 0.5 * 10
    assert shown[-1][:, :-16].std() > 0.9 * clean[-1][:, :-16].std()


def test_a_moving_square_carries_its_colour_along() -> None:
    back, square = texture(4 * HEIGHT, 4 * WIDTH, 1, 3.0), texture(48, 48, 2, 3.0)
    shown: list[np.ndarray] = []
    stage = Fast()
    for t in range(12):
        luma, ab = back.copy(), np.zeros((HEIGHT, WIDTH, 2), np.float32)
        x = 16 + 8 * t
        luma[40:88, x : x + 48] = square
        if t == 0:  # the network sees the colour once, then never again
            ab[10:22, x // 4 : x // 4 + 12] = (60.0, 30.0)
        shown += stage.push(SmoothingInput(ab, luma))
    # With a = 0.9, then 0.8, what is carried is the weight of the first frame in the running mean.
    first = [np.ones((1, 1, 2))] + [np.zeros((1, 1, 2))] * 11
    for t in (3, 6, 11):
        wanted = 60.0 * weighted_means(weighted_means(first, 0.9), 0.8)[t][0, 0, 0]
        column = (16 + 8 * t) // 4
        assert shown[t][13:19, column + 3 : column + 9, 0].mean() == pytest.approx(wanted, rel=0.2)
    assert np.abs(shown[11][13:19, 4:14]).max() < 0.1 * 60.0  # nothing is left where it was


def test_a_flipped_clip_gives_the_flipped_colours() -> None:
    clip = moving_clip(8)
    flipped = [SmoothingInput(item.ab[:, ::-1].copy(), item.luma[:, ::-1].copy()) for item in clip]
    straight, mirrored = smooth(Fast(), clip), smooth(Fast(), flipped)
    difference = np.stack(straight)[:, :, ::-1] - np.stack(mirrored)
    flicker = np.stack([item.ab for item in clip]).std()
    # DIS is not symmetric: vectors differ by a few hundredths of a pixel, colours by what that interpolates.
    assert np.sqrt((difference**2).mean()) < 0.08 * flicker


def test_grain_does_not_end_the_averaging() -> None:
    random = np.random.default_rng(8)
    clip = [
        SmoothingInput(item.ab, np.clip(item.luma + random.normal(0, 25, item.luma.shape), 0, 255).astype(np.uint8))
        for item in static_clip(24)
    ]
    # Flicker of 10 units; without grain 2.2 are left of it.
    assert np.stack(smooth(Fast(), clip)[12:]).std() < 3.0


def test_flicker_of_exposure_does_not_end_the_averaging() -> None:
    random = np.random.default_rng(9)
    clip = static_clip(24)
    flicker = [
        SmoothingInput(item.ab, np.clip(item.luma * random.uniform(0.75, 1.1) - 10, 0, 255).astype(np.uint8))
        for item in clip
    ]
    steady, shaken = np.stack(smooth(Fast(), clip)), np.stack(smooth(Fast(), flicker))
    assert shaken[12:].std() < 1.1 * steady[12:].std()


def test_another_scene_starts_again_even_if_nobody_saw_the_cut() -> None:
    before = [SmoothingInput(item.ab + 40, item.luma) for item in static_clip(6, 3, sigma=4.0)]
    after = static_clip(6, 11, sigma=4.0)
    np.testing.assert_array_equal(smooth(Fast(), before + after)[6:], smooth(Fast(), after))


def test_larger_luma_gives_nearly_the_same() -> None:
    clip = moving_clip(6)
    halves = [
        SmoothingInput(item.ab, cv2.resize(item.luma, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_AREA))
        for item in clip
    ]
    difference = np.stack(smooth(Fast(), clip)) - np.stack(smooth(Fast(), halves))
    assert np.sqrt((difference**2).mean()) < 0.5  # ab units; averaged down twice, luma is rounded twice


def test_small_luma_has_the_size_of_the_grid() -> None:
    ab = np.zeros((10, 20, 2), np.float32)
    for size in ((80, 160), (10, 20), (7, 33), (1, 1)):
        assert small_luma(SmoothingInput(ab, np.zeros(size, np.uint8)), 1.0).shape == (10, 20)
        assert small_luma(SmoothingInput(ab, np.zeros(size, np.uint8)), 2.0).shape == (20, 40)


def test_memory_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="memory must be"):
        RecursiveAverage(1.1)
    with pytest.raises(ValueError, match="unknown smoothing"):
        make_smoother("strong")  # type: ignore[arg-type]
