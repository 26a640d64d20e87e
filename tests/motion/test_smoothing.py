from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from colorize_media.motion import smoothing as room
from colorize_media.motion.averaging import LEAST_GAIN, MOST_GAIN, VividnessKeeper, accumulate, joined_mean, vividness
from colorize_media.motion.flow import Motion, luma_on_grid
from colorize_media.motion.smoothing import Best, Fast, Off, Smoother, SmoothingInput, make_smoother
from colorize_media.options import SMOOTHING
from tests.made.clips import pan
from tests.made.pictures import codes, texture

HEIGHT, WIDTH = 32, 56  # of ab; luma is four times that


def flickering(frames: int, seed: int = 5) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(0, 10, (HEIGHT, WIDTH, 2)).astype(np.float32) for _ in range(frames)]


def static_clip(frames: int, seed: int = 1, sigma: float = 6.0) -> list[SmoothingInput]:
    luma = codes(texture(4 * HEIGHT, 4 * WIDTH, seed, sigma))
    return [SmoothingInput(ab, luma) for ab in flickering(frames, seed)]


def moving_clip(frames: int, step: int = 8, seed: int = 2) -> list[SmoothingInput]:
    """A pan over a fixed coloured world, seen with flicker; ``step`` luma pixels a frame, so step / 4 ab cells."""
    room = step * frames
    luma = codes(texture(4 * HEIGHT, 4 * WIDTH + room, seed, sigma=6.0))
    world = np.stack([codes(texture(HEIGHT, WIDTH + room // 4, seed + k, 3.0)) for k in (1, 2)], axis=-1) * 0.3 - 38
    colors, lumas = pan(world, frames, WIDTH, step // 4), pan(luma, frames, 4 * WIDTH, step)
    return [
        SmoothingInput((ab + flicker).astype(np.float32), luma)
        for ab, flicker, luma in zip(colors, flickering(frames, seed), lumas, strict=True)
    ]


PLAIN = [
    lambda: Fast(kept=0.0),
    lambda: Best(anchors=0.0, kept=0.0),
]  # averages alone: no gain that brings vividness back, no anchors


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
    for length in (0, 1, 2, 9, 19, 20, 21, 45):
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
    before, after = static_clip(6, seed=3, sigma=9.0), moving_clip(6, seed=9)
    before = [SmoothingInput(item.ab + 40, item.luma) for item in before]
    cut = SmoothingInput(after[0].ab, after[0].luma, cut=True)
    joined = smooth(make(), [*before, cut, *after[1:]])
    np.testing.assert_array_equal(joined[6:], smooth(make(), after))
    np.testing.assert_array_equal(joined[:6], smooth(make(), before))


def test_a_shot_ended_is_a_shot_cut(make: Callable[[], Smoother]) -> None:
    before, after = static_clip(6, seed=3, sigma=9.0), moving_clip(6, seed=9)
    cut = SmoothingInput(after[0].ab, after[0].luma, cut=True)
    wanted = smooth(make(), [*before, cut, *after[1:]])
    stage = make()
    out = [ab for item in before for ab in stage.push(item)] + stage.end_shot()
    assert len(out) == 6
    assert stage.end_shot() == []
    np.testing.assert_array_equal(out + smooth(stage, [cut, *after[1:]]), wanted)


def test_a_run_broken_off_anywhere_goes_on_with_the_same_colours(make: Callable[[], Smoother]) -> None:
    """Three shots, the last one the first again, so that anchors come back; a dissolve begins within the first."""
    first, other = moving_clip(25, seed=2), static_clip(5, seed=3, sigma=9.0)
    first[9:12] = [SmoothingInput(item.ab, item.luma, mixing=True) for item in first[9:12]]
    back = [SmoothingInput(item.ab + 5, first[-1].luma) for item in static_clip(24)]
    second = [SmoothingInput(other[0].ab, other[0].luma, cut=True), *other[1:]]
    third = [SmoothingInput(back[0].ab, back[0].luma, cut=True), *back[1:]]
    film = first + second + third
    whole = smooth(make(), film)
    stage, shown = make(), list[np.ndarray]()
    for number, item in enumerate(film, 1):
        shown += stage.push(item)
        if number in (1, 2, 11, 19, 24, 25, 26, 29, 31, 40, 53):
            fresh = make()
            fresh.restore({name: array.copy() for name, array in stage.state().items()})
            rest = [ab for later in film[number:] for ab in fresh.push(later)] + fresh.flush()
            np.testing.assert_array_equal(np.stack(shown + rest), whole)


def test_a_state_before_the_first_frame_is_a_new_stage(make: Callable[[], Smoother]) -> None:
    clip, fresh = static_clip(4), make()
    fresh.restore(make().state())
    np.testing.assert_array_equal(smooth(fresh, clip), smooth(make(), clip))


def test_a_change_of_size_starts_again(make: Callable[[], Smoother]) -> None:
    small = [
        SmoothingInput(np.ones((20, 30, 2), np.float32) * k, codes(texture(40, 60, sigma=2.0))) for k in range(3)
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


# --- what fast and best share


@pytest.fixture(params=PLAIN)
def plain(request: pytest.FixtureRequest) -> Callable[[], Smoother]:
    make: Callable[[], Smoother] = request.param
    return make


def test_the_flag_alone_begins_a_shot(plain: Callable[[], Smoother]) -> None:
    before, after = static_clip(6, seed=3), moving_clip(6, seed=9)
    before = [SmoothingInput(item.ab + 40, after[0].luma) for item in before]
    cut = SmoothingInput(after[0].ab, after[0].luma, cut=True)
    np.testing.assert_array_equal(smooth(plain(), [*before, cut, *after[1:]])[6:], smooth(plain(), after))


def test_another_scene_starts_again_even_if_nobody_saw_the_cut(plain: Callable[[], Smoother]) -> None:
    before = [SmoothingInput(item.ab + 40, item.luma) for item in static_clip(6, 3, sigma=4.0)]
    after = static_clip(6, 11, sigma=4.0)
    np.testing.assert_array_equal(smooth(plain(), before + after)[6:], smooth(plain(), after))


def test_flicker_of_a_moving_picture_goes_and_its_colour_stays(make_steady: Callable[[], Smoother]) -> None:
    clip = moving_clip(16)
    clean = [ab - noise for ab, noise in zip((item.ab for item in clip), flickering(16, 2), strict=True)]
    shown = smooth(make_steady(), clip)
    # Flicker of 10 units averaged over ten frames and again; sixteen columns were never seen long enough.
    error = (shown[-1] - clean[-1])[:, :-16]
    assert np.sqrt((error**2).mean()) < 0.5 * 10
    assert shown[-1][:, :-16].std() > 0.9 * clean[-1][:, :-16].std()


def test_grain_does_not_end_the_averaging(plain: Callable[[], Smoother]) -> None:
    random = np.random.default_rng(8)
    clip = [
        SmoothingInput(item.ab, np.clip(item.luma + random.normal(0, 25, item.luma.shape), 0, 255).astype(np.uint8))
        for item in static_clip(24)
    ]
    # Flicker of 10 units; without grain 2.2 are left of it.
    assert np.stack(smooth(plain(), clip)[12:]).std() < 3.0


def test_flicker_of_exposure_does_not_end_the_averaging(plain: Callable[[], Smoother]) -> None:
    random = np.random.default_rng(9)
    clip = static_clip(24)
    flicker = [
        SmoothingInput(item.ab, np.clip(item.luma * random.uniform(0.75, 1.1) - 10, 0, 255).astype(np.uint8))
        for item in clip
    ]
    steady, shaken = np.stack(smooth(plain(), clip)), np.stack(smooth(plain(), flicker))
    assert shaken[12:].std() < 1.1 * steady[12:].std()


def test_a_dissolve_lets_go_of_the_old_colours(plain: Callable[[], Smoother]) -> None:
    """The luma hardly changes from frame to frame, so only the flag tells; ten frames after it little is left."""
    clip = static_clip(30)
    old, new = np.full((HEIGHT, WIDTH, 2), 40, np.float32), np.zeros((HEIGHT, WIDTH, 2), np.float32)
    left = {}
    for mixing in (False, True):
        told = [SmoothingInput(new if t >= 12 else old, clip[0].luma, False, mixing and 8 <= t < 16) for t in range(30)]
        left[mixing] = smooth(plain(), told)[18].mean()
    assert left[True] < 3.0
    assert left[True] < 0.5 * left[False]


def test_a_flipped_clip_gives_the_flipped_colours(plain: Callable[[], Smoother]) -> None:
    clip = moving_clip(8)
    flipped = [SmoothingInput(item.ab[:, ::-1].copy(), item.luma[:, ::-1].copy()) for item in clip]
    straight, mirrored = smooth(plain(), clip), smooth(plain(), flipped)
    difference = np.stack(straight)[:, :, ::-1] - np.stack(mirrored)
    flicker = np.stack([item.ab for item in clip]).std()
    # DIS is not symmetric: vectors differ by a few hundredths of a pixel, colours by what that interpolates.
    assert np.sqrt((difference**2).mean()) < 0.08 * flicker


def test_a_flipped_motion_gives_the_flipped_average() -> None:
    """Without DIS the symmetry is exact but for rounding."""
    random = np.random.default_rng(4)
    fields = [random.normal(0, 20, (HEIGHT, WIDTH, 2)).astype(np.float32) for _ in range(6)]
    motions = [
        Motion(
            random.normal(0, 2, (HEIGHT, WIDTH, 2)).astype(np.float32),
            random.random((HEIGHT, WIDTH)).astype(np.float32),
        )
        for _ in fields
    ]
    mirror = np.array([-1.0, 1.0], np.float32)
    straight, mirrored = None, None
    for ab, motion in zip(fields, motions, strict=True):
        turned = Motion(motion.flow[:, ::-1] * mirror, motion.visibility[:, ::-1])
        straight = accumulate(ab, straight, motion, 0.9)
        mirrored = accumulate(ab[:, ::-1], mirrored, turned, 0.9)
    assert straight is not None
    assert mirrored is not None
    # OpenCV rounds positions to 1/32 pixel, half-way cases always upwards: a few fall on the other side.
    assert np.median(np.abs(straight[:, ::-1] - mirrored)) < 1e-4
    assert np.percentile(np.abs(straight[:, ::-1] - mirrored), 99) < 3.0


def test_larger_luma_gives_nearly_the_same(plain: Callable[[], Smoother]) -> None:
    clip = moving_clip(6)
    halves = [
        SmoothingInput(item.ab, cv2.resize(item.luma, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_AREA))
        for item in clip
    ]
    difference = np.stack(smooth(plain(), clip)) - np.stack(smooth(plain(), halves))
    assert np.sqrt((difference**2).mean()) < 0.5  # ab units; averaged down twice, luma is rounded twice


@pytest.fixture(params=["fast", "best"])
def make_steady(request: pytest.FixtureRequest) -> Callable[[], Smoother]:
    return lambda: make_smoother(request.param)


def test_the_luma_has_the_size_of_the_grid() -> None:
    ab = np.zeros((10, 20, 2), np.float32)
    for size in ((80, 160), (10, 20), (7, 33), (1, 1)):
        assert luma_on_grid(np.zeros(size, np.uint8), ab.shape[:2]).shape == (10, 20)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown smoothing"):
        make_smoother("strong")  # type: ignore[arg-type]


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
    for memory in (1.0, 0.9):
        np.testing.assert_allclose(
            smooth(Fast((memory, 0.0), kept=0.0), clip), weighted_means(fields, memory), atol=1e-4
        )
    twice = weighted_means(weighted_means(fields, 0.9), 0.8)
    np.testing.assert_allclose(smooth(Fast(kept=0.0), clip), twice, atol=1e-4)


def test_no_memory_is_each_frame_alone() -> None:
    clip = moving_clip(25)
    np.testing.assert_array_equal(smooth(Fast((0.0, 0.0), kept=0.0), clip), [item.ab for item in clip])
    best = Best(past=(0.0, 0.0), future=(0.0, 0.0), anchors=0.0, kept=0.0)
    np.testing.assert_array_equal(smooth(best, clip), [item.ab for item in clip])


def test_a_moving_square_carries_its_colour_along() -> None:
    back, square = codes(texture(4 * HEIGHT, 4 * WIDTH, 1, 3.0)), codes(texture(48, 48, 2, 3.0))
    shown: list[np.ndarray] = []
    stage = Fast(kept=0.0)
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


# --- best


def means_both_ways(fields: list[np.ndarray], past: float, future: float, ends: list[int]) -> list[np.ndarray]:
    """Σ w x_k / Σ w with w = past^(t−k) before and future^(k−t) after, up to frame ``ends[t]``."""
    out = []
    for t, end in enumerate(ends):
        weights = np.array([past ** (t - k) if k <= t else future ** (k - t) for k in range(end + 1)])
        out.append(np.tensordot(weights / weights.sum(), np.stack(fields[: end + 1]).astype(np.float64), axes=1))
    return out


@pytest.mark.parametrize("length", [1, 7, 20])
def test_a_static_clip_within_the_window_gives_the_exact_mean(length: int) -> None:
    clip = static_clip(length)
    fields = [item.ab for item in clip]
    plain = Best(past=(1.0, 0.0), future=(1.0, 0.0), anchors=0.0, kept=0.0)
    np.testing.assert_allclose(smooth(plain, clip), [np.mean(fields, axis=0)] * length, atol=1e-4)
    once = means_both_ways(fields, 0.9, 0.85, [length - 1] * length)
    twice = means_both_ways(once, 0.8, 0.8, [length - 1] * length)
    np.testing.assert_allclose(smooth(Best(anchors=0.0, kept=0.0), clip), twice, atol=1e-4)


def test_a_static_clip_longer_than_the_window_gives_the_exact_mean_up_to_its_end() -> None:
    clip = static_clip(50)
    fields = [item.ab for item in clip]
    # Six frames go whenever twenty are held: frames 0 to 5 have seen frame 19, 6 to 11 frame 25, …
    ends = [min(19 + 6 * (t // 6), 49) for t in range(50)]
    once = smooth(Best(past=(0.9, 0.0), future=(0.85, 0.0), anchors=0.0, kept=0.0), clip)
    np.testing.assert_allclose(once, means_both_ways(fields, 0.9, 0.85, ends), atol=1e-4)


def test_the_window_is_as_good_as_all_of_the_future() -> None:
    """With network-like flicker of 2 ab units the truncated future changes less than 0.1."""
    clip = [SmoothingInput(item.ab * 0.2, item.luma) for item in moving_clip(60, step=4)]
    bounded = smooth(Best(anchors=0.0, kept=0.0), clip)
    whole = smooth(Best(look_ahead=80, anchors=0.0, kept=0.0), clip)
    difference = np.stack(bounded) - np.stack(whole)
    assert 0.0 < np.sqrt((difference**2).mean()) < 0.1


def test_time_reversed_gives_the_reversed_colours() -> None:
    """Past and future have the same say where they have the same memory."""
    clip = moving_clip(15)
    make = lambda: Best(past=(0.9, 0.8), future=(0.9, 0.8), anchors=0.0, kept=0.0)  # noqa: E731
    np.testing.assert_allclose(smooth(make(), clip[::-1])[::-1], smooth(make(), clip), atol=2e-3)


def test_the_two_sides_join_to_the_mean_of_all() -> None:
    random = np.random.default_rng(5)
    fields = [random.normal(0, 20, (4, 6, 2)).astype(np.float32) for _ in range(7)]
    still = Motion(np.zeros((4, 6, 2), np.float32), np.ones((4, 6), np.float32))
    past, future = None, None
    for ab in fields[:4]:
        past = accumulate(ab, past, still, 1.0)
    for ab in fields[:2:-1]:
        future = accumulate(ab, future, still, 1.0)
    assert past is not None
    assert future is not None
    np.testing.assert_allclose(joined_mean(past, future, fields[3]), np.mean(fields, axis=0), atol=1e-4)


def test_best_is_steadier_than_fast_and_fast_than_each_frame() -> None:
    clip = moving_clip(30, step=4)
    clean = np.stack([ab - noise for ab, noise in zip((item.ab for item in clip), flickering(30, 2), strict=True)])
    off, fast, best = (
        np.sqrt(((np.stack(smooth(stage, clip)) - clean)[4:-4, :, :-16] ** 2).mean())
        for stage in (Off(), Fast(kept=0.0), Best(kept=0.0))
    )
    assert best < 0.85 * fast
    assert fast < 0.5 * off


def test_memory_does_not_grow_with_the_shot() -> None:
    luma = codes(texture(2 * HEIGHT, 2 * WIDTH, sigma=6.0))
    stage, most, come_out = Best(), 0, 0
    for ab in flickering(200):
        come_out += len(stage.push(SmoothingInput(ab, luma)))
        most = max(most, len(stage._held))
    assert most == stage.look_ahead == room.LOOK_AHEAD
    assert come_out >= 200 - stage.look_ahead


@pytest.mark.parametrize("most_held", [0, 3, 7, 19, 1000])
def test_look_ahead_keeps_to_what_the_caller_can_hold(most_held: int) -> None:
    stage = make_smoother("best", most_held)
    assert stage.look_ahead == min(max(most_held, room.LEAST_LOOK_AHEAD), room.LOOK_AHEAD)
    assert len(smooth(stage, static_clip(30))) == 30


def test_a_look_ahead_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="look_ahead must be at least 3"):
        Best(look_ahead=2)


# --- vividness


def test_vividness_is_homogeneous_and_zero_for_grey() -> None:
    ab = flickering(1)[0]
    assert vividness(np.zeros_like(ab)) == 0.0
    assert vividness(ab * 1.7) == pytest.approx(1.7 * vividness(ab), rel=1e-5)


def test_lost_vividness_comes_back_but_for_the_little_that_was_not_asked() -> None:
    own = flickering(1)[0] + np.array((5.0, 10.0), np.float32)
    keeper = VividnessKeeper(0.98)
    for lost in np.linspace(0.03, 0.2, 40, dtype=np.float32):  # more and more, as contradictions gather in a shot
        shown = keeper.apply(own * (1 - lost), vividness(own))
        assert vividness(shown) == pytest.approx(0.98 * vividness(own), rel=1e-3)


def test_vividness_is_that_of_the_frames_around_and_not_of_one_of_them() -> None:
    own = flickering(1)[0]
    mine = vividness(own)
    shown = VividnessKeeper(1.0).apply(own, mine, [1.2 * mine] * 30)
    assert 1.1 * mine < vividness(shown) < 1.2 * mine
    keeper = VividnessKeeper(1.0)
    shown = [vividness(keeper.apply(own, (1.1 if index % 2 else 0.9) * mine)) for index in range(100)]
    assert np.ptp(shown[20:]) < 0.25 * 0.2 * mine  # a network whose saturation wavers from frame to frame


def test_the_gain_is_bounded() -> None:
    own = flickering(1)[0]
    np.testing.assert_allclose(VividnessKeeper().apply(own * 0.1, vividness(own)), own * 0.1 * MOST_GAIN, rtol=1e-6)
    np.testing.assert_allclose(VividnessKeeper().apply(own, 0.1 * vividness(own)), own * LEAST_GAIN, rtol=1e-6)
    np.testing.assert_array_equal(VividnessKeeper(0.98).apply(own, 1.01 * vividness(own)), own)  # too little to miss
    grey = np.zeros_like(own)
    np.testing.assert_array_equal(VividnessKeeper().apply(grey, vividness(own)), grey)


def test_a_new_shot_has_its_own_vividness() -> None:
    own, keeper = flickering(1)[0], VividnessKeeper(1.0)
    for _ in range(50):
        keeper.apply(own, 3 * vividness(own))
    keeper.restart()
    np.testing.assert_allclose(keeper.apply(own, vividness(own)), own, rtol=1e-5)


def test_smoothing_keeps_vividness_where_hues_contradict() -> None:
    """Half of the flicker of a static clip is lost to the mean; what a network paints differs less."""
    shown = {}
    for kept in (0.0, 0.98):
        clip = [SmoothingInput(item.ab * 0.3 + world(), item.luma) for item in static_clip(30)]
        shown[kept] = np.mean([vividness(ab) for ab in smooth(Best(kept=kept), clip)[10:]])
    per_frame = np.mean([vividness(item.ab) for item in clip])
    assert shown[0.0] < 0.97 * per_frame
    assert shown[0.98] > 0.975 * per_frame


def world() -> np.ndarray:
    """A coloured world of the ab grid's size."""
    return (
        np.stack([codes(texture(HEIGHT, WIDTH, seed, 3.0)) for seed in (20, 21)], axis=-1).astype(np.float32) * 0.2 - 25
    )
