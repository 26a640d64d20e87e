from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from colorize_media.motion.shots import (
    FLASH,
    CutDetector,
    DissolveDetector,
    is_lost,
    luma_difference,
    tiny,
    unlikeness,
)
from tests.made.clips import pan
from tests.made.pictures import codes

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


def scene(seed: int, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    """A random picture with structure at all sizes, (h, w) float32 in 30…220."""
    random = np.random.default_rng(seed)
    picture = np.zeros(size, np.float32)
    for sigma in (2, 5, 12, 25):
        layer = cv2.GaussianBlur(random.standard_normal(size).astype(np.float32), (0, 0), sigma)
        picture += layer / layer.std()
    return np.clip(125 + 24 * picture, 30, 220)


def cuts_in(frames: list[np.ndarray]) -> list[int]:
    detector = CutDetector()
    return [index for index, frame in enumerate(frames) if detector.is_cut(frame)]


def passing(seed: int, frames: int, step: int = 2) -> list[np.ndarray]:
    """A camera that pans over a scene."""
    return pan(scene(seed, (90, 160 + step * frames)), frames, 160, step)


def test_finds_each_cut_at_its_first_frame_and_nothing_else() -> None:
    frames = [codes(frame) for seed in range(6) for frame in passing(seed, 12)]
    assert cuts_in(frames) == [12, 24, 36, 48, 60]


def test_a_cut_after_a_cut_is_found() -> None:
    frames = [codes(scene(seed)) for seed in (1, 2, 3, 4)]
    assert cuts_in(frames) == [1, 2, 3]


@pytest.mark.parametrize("size", [(36, 64), (24, 40), (1, 1), (270, 480), (480, 270)])
def test_takes_luma_of_any_size_and_a_static_clip_has_no_cut(size: tuple[int, int]) -> None:
    assert cuts_in([cv2.resize(codes(scene(1)), size[::-1])] * 20) == []


def test_flicker_of_exposure_is_no_cut_and_hides_none() -> None:
    random = np.random.default_rng(3)
    frames = [
        codes(frame * random.uniform(0.6, 1.1) + random.uniform(-20, 20)) for s in (1, 2) for frame in passing(s, 30)
    ]
    assert cuts_in(frames) == [30]


def test_grain_is_no_cut_and_hides_none() -> None:
    random = np.random.default_rng(4)
    frames = [codes(frame + random.normal(0, 25, frame.shape)) for s in (1, 2) for frame in passing(s, 30)]
    assert cuts_in(frames) == [30]


def test_grain_alone_is_no_cut() -> None:
    random = np.random.default_rng(5)
    assert cuts_in([codes(20 + random.normal(0, 6, (90, 160))) for _ in range(40)]) == []


def test_flat_frames_of_any_grey_are_no_cut() -> None:
    assert cuts_in([np.full((90, 160), level, np.uint8) for level in (0, 255, 0, 16, 128, 0, 0, 255)]) == []


def test_black_frames_inside_a_shot_are_no_cut_but_between_shots_there_is_one() -> None:
    first, second, black = codes(scene(1)), codes(scene(2)), np.zeros((90, 160), np.uint8)
    assert cuts_in([first, first, black, black, first, first]) == []
    assert cuts_in([first, first, black, black, second, second]) == [4]


def test_a_jumping_camera_is_no_cut() -> None:
    wide = scene(7, (110, 180))
    offsets = [(10, 10), (10, 10), (10, 10), (19, 2), (19, 2), (8, 12), (10, 10)]
    assert cuts_in([codes(wide[y : y + 90, x : x + 160]) for y, x in offsets]) == []


def test_a_burnt_frame_is_no_cut() -> None:
    frame = scene(8) * 0.4
    burnt = frame.copy()
    cv2.ellipse(burnt, (30, 50), (40, 18), 0, 0, 360, 255.0, -1)
    frames = [codes(frame)] * 6 + [codes(burnt)] + [codes(frame)] * 6
    assert cuts_in(frames) == []


def test_reset_is_a_new_video() -> None:
    detector = CutDetector()
    assert not detector.is_cut(codes(scene(1)))
    detector.reset()
    assert not detector.is_cut(codes(scene(2)))


def test_measures_are_zero_on_equal_pictures_and_blind_to_exposure() -> None:
    picture = cv2.resize(scene(1), (64, 36), interpolation=cv2.INTER_AREA) / 255.0
    other = cv2.resize(scene(2), (64, 36), interpolation=cv2.INTER_AREA) / 255.0
    assert luma_difference(picture, picture) == 0.0
    assert luma_difference(picture, 0.5 * picture + 0.2) == pytest.approx(0.0, abs=1e-5)
    assert unlikeness(picture, 0.5 * picture + 0.2) == pytest.approx(0.0, abs=1e-3)
    assert luma_difference(picture, other) > 0.45
    assert unlikeness(picture, other) > 0.28


def test_unlikeness_of_flat_pictures() -> None:
    flat = np.full((36, 64), 0.5, np.float32)
    picture = cv2.resize(scene(1), (64, 36), interpolation=cv2.INTER_AREA) / 255.0
    assert unlikeness(flat, flat) == 0.0
    assert unlikeness(picture, flat) == 1.0
    assert unlikeness(flat, picture) == 1.0


def test_a_frame_is_lost_if_little_is_followed_and_the_picture_is_another() -> None:
    here, moved, other = (codes(picture) for picture in (scene(1), np.roll(scene(1), 6, axis=1), scene(2)))
    visible = np.zeros((10, 10), np.float32)
    assert is_lost(visible, other, here)
    assert not is_lost(visible, moved, here)  # an iris, a jump: nothing is followed, but the tiles are there
    visible[:4] = 1.0
    assert not is_lost(visible, other, here)


def test_a_flash_is_no_cut_and_hides_none() -> None:
    frames = [codes(frame) for frame in passing(1, 20)]
    for length in range(1, FLASH + 1):
        burnt = [codes(np.clip(scene(9) * 0.6 + 200, 0, 255)) for _ in range(length)]
        assert cuts_in(frames[:10] + burnt + frames[10 + length :]) == []
        assert cuts_in(frames[:10] + burnt + [codes(frame) for frame in passing(2, 8)]) == [10 + length]


def test_a_flash_that_is_not_white_ends_without_a_second_cut() -> None:
    frames, other = [codes(frame) for frame in passing(1, 20)], codes(scene(5))
    assert cuts_in([*frames[:10], other, other, *frames[12:]]) == [10]
    assert cuts_in([*frames[:10], *[other] * (FLASH + 2), *frames[12:]]) == [10, 10 + FLASH + 2]


def test_a_shot_mostly_white_is_told_late() -> None:
    white = [codes(np.clip(frame * 0.6 + 200, 0, 255)) for frame in passing(9, 20)]
    assert cuts_in([codes(frame) for frame in passing(1, 10)] + white) == [10 + FLASH]


# --- dissolves


def mixing_in(frames: list[np.ndarray]) -> list[int]:
    detector = DissolveDetector()
    return [index for index, frame in enumerate(frames) if detector.is_mixing(frame)]


def dissolve(length: int, around: int = 36, seeds: tuple[int, int] = (1, 2)) -> list[np.ndarray]:
    """Two slow pans, 1 pixel of 160 in five frames; over ``length`` frames after ``around`` the second takes over."""
    total = 2 * around + length
    share = np.clip((np.arange(total) - around + 1) / (length + 1), 0, 1)
    old, new = passing(seeds[0], total // 5 + 1, 1), passing(seeds[1], total // 5 + 1, 1)
    return [codes((1 - s) * old[t // 5] + s * new[t // 5]) for t, s in enumerate(share)]


@pytest.mark.parametrize("length", [6, 12, 24, 48])
@pytest.mark.parametrize("seeds", [(1, 2), (3, 4), (5, 6)])
def test_a_dissolve_is_known_from_its_middle_on_and_is_no_cut(length: int, seeds: tuple[int, int]) -> None:
    frames = dissolve(length, seeds=seeds)
    found = mixing_in(frames)
    assert cuts_in(frames) == []
    assert found
    assert 36 <= found[0] <= 36 + 0.75 * length + 4
    # The longest span looks back on a dissolve that is over.
    assert found[-1] <= 36 + length + 16


def test_what_is_no_dissolve() -> None:
    random = np.random.default_rng(7)
    still = [codes(scene(1))] * 60
    fast_pan = [codes(frame) for frame in passing(1, 60, 6)]
    grain = [codes(frame + random.normal(0, 20, frame.shape)) for frame in passing(2, 60)]
    flicker = [codes(frame * random.uniform(0.6, 1.1)) for frame in passing(3, 60)]
    fade = [codes(frame * max(0.0, 1 - t / 40)) for t, frame in enumerate(passing(4, 60))]
    cut = [codes(frame) for seed in (5, 6) for frame in passing(seed, 30)]
    for frames in (still, fast_pan, grain, flicker, fade, cut):
        assert mixing_in(frames) == []


def test_a_cut_forgets_what_was_before() -> None:
    frames = dissolve(12)
    detector = DissolveDetector()
    assert not any(detector.is_mixing(frame, cut=index == 42) for index, frame in enumerate(frames[:46]))


def test_a_tiny_picture_is_36_by_64_in_unit_range() -> None:
    small = tiny(np.full((270, 480), 255, np.uint8))
    assert small.shape == (36, 64)
    np.testing.assert_array_equal(small, 1.0)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_refuses_what_is_no_luma_picture(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="luma must be"):
        CutDetector().is_cut(bad)


# Seen with the eye. In wmv_35s_vfr a waiter's back wipes from one shot to the next between 250 and 256.
REAL = {
    "video/bikes_scenecuts.mp4": {30, 76, 137, 187, 242},
    "bw_video/abomb_1951_film.mp4": {44, 134, 299},
    "video/wmv_35s_vfr.wmv": {79, 317, 388, 433, 461},
    "bw_video/silent_within_our_gates.mp4": set(),  # frame 28 is burnt
    "video/carphone_sar128-117.mp4": set(),
    "video/davis_blackswan_480p.mp4": set(),
    "video/cotracker_bear.mp4": set(),
}


@pytest.mark.parametrize("name", REAL)
def test_cuts_of_real_clips(name: str) -> None:
    path = MEDIA / name
    if not path.exists():
        pytest.skip(f"real media absent: {path}")
    detector, found = CutDetector(), set()
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            luma = np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, frame.planes[0].line_size)
            if detector.is_cut(luma[:, : frame.width]):
                found.add(index)
    wipe = {index for index in found if name.endswith("wmv") and 250 <= index <= 256}
    assert len(wipe) <= 1
    assert found - wipe == REAL[name]


def test_detectors_broken_off_anywhere_go_on_the_same() -> None:
    """Two shots with a flash, a black frame and a dissolve between them."""
    rng = np.random.default_rng(5)
    one, other = (np.kron(rng.integers(0, 255, (9, 16)), np.ones((8, 8))).astype(np.uint8) for _ in range(2))
    film = [np.roll(one, index, axis=1) for index in range(12)]
    film[5] = np.full_like(one, 255)
    film += [np.zeros_like(one), *[np.roll(other, index, axis=1) for index in range(10)]]
    film += [(other * (1 - t) + one * t).astype(np.uint8) for t in np.linspace(0, 1, 14)]

    def verdicts(cuts: CutDetector, dissolves: DissolveDetector, frames: list[np.ndarray]) -> list[tuple[bool, bool]]:
        told = []
        for luma in frames:
            cut = cuts.is_cut(luma)
            told.append((cut, dissolves.is_mixing(luma, cut=cut)))
        return told

    whole = verdicts(CutDetector(), DissolveDetector(), film)
    assert any(cut for cut, _ in whole)
    for place in range(len(film)):
        cuts, dissolves, later_cuts, later_dissolves = (
            CutDetector(),
            DissolveDetector(),
            CutDetector(),
            DissolveDetector(),
        )
        verdicts(cuts, dissolves, film[:place])
        later_cuts.restore(cuts.state())
        later_dissolves.restore(dissolves.state())
        assert verdicts(later_cuts, later_dissolves, film[place:]) == whole[place:]
