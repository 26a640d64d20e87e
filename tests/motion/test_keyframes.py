"""Colours carried from keyframe to keyframe: what is still, what moves, what cannot be followed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from colorize_media.events import Done
from colorize_media.motion.keyframes import Colored, EveryFrame, Keyframes
from colorize_media.motion.smoothing import Best, Fast, SmoothingInput
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.colorize import colorize_video
from tests.made.clips import pan
from tests.made.films import decode, grey_frames, make_video
from tests.made.pictures import codes, texture

HEIGHT, WIDTH = 32, 56
Clip = list[SmoothingInput]  # what the network would say, and the luma


def flicker(frames: int, seed: int = 5) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(0, 10, (HEIGHT, WIDTH, 2)).astype(np.float32) for _ in range(frames)]


def static(frames: int, seed: int = 0) -> Clip:
    luma = codes(texture(2 * HEIGHT, 2 * WIDTH, seed))
    return [SmoothingInput(ab, luma) for ab in flicker(frames, seed)]


def passing(frames: int, step: int = 2, seed: int = 1) -> Clip:
    """A coloured world that passes by, ``step`` cells a frame."""
    luma = codes(texture(2 * HEIGHT, 2 * (WIDTH + step * frames), seed))
    world = np.stack([texture(HEIGHT, WIDTH + step * frames, seed + k) for k in (1, 2)], axis=-1) * 0.3 - 38
    colors, lumas = pan(world, frames, WIDTH, step), pan(luma, frames, 2 * WIDTH, 2 * step)
    return [SmoothingInput(ab.astype(np.float32), seen) for ab, seen in zip(colors, lumas, strict=True)]


def answers(frames: Sequence[tuple[int, SmoothingInput]]) -> list[np.ndarray]:
    return [item.ab for _, item in frames]


def carry(clip: Clip, every: int, cuts: Sequence[int] = ()) -> tuple[list[Colored[tuple[int, SmoothingInput]]], int]:
    stage: Keyframes[tuple[int, SmoothingInput]] = Keyframes(answers, every)
    out: list[Colored[tuple[int, SmoothingInput]]] = []
    for index, item in enumerate(clip):
        out += stage.push((index, item), item.luma, cut=index in cuts)
        assert index + 1 - every <= len(out) <= index + 1
    out += stage.end_shot()
    assert stage.end_shot() == []
    assert [colored.item[0] for colored in out] == list(range(len(clip)))
    return out, stage.asked


def is_own(out: list[Colored[tuple[int, SmoothingInput]]]) -> list[int]:
    return [colored.item[0] for colored in out if colored.ab is colored.item[1].ab]


@pytest.mark.parametrize("every", [2, 3, 8])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 9, 10, 17])
def test_keyframes_are_the_first_the_last_and_every_nth(length: int, every: int) -> None:
    out, asked = carry(static(length), every)
    wanted = sorted({*range(0, length, every), length - 1} - {-1})
    assert is_own(out) == wanted
    assert asked == len(wanted)


@pytest.mark.parametrize("every", [2, 5])
def test_a_static_clip_has_the_keyframes_colours_everywhere(every: int) -> None:
    luma, ab = codes(texture(HEIGHT, WIDTH)), flicker(1)[0]
    clip = [SmoothingInput(ab if t % every == 0 else ab + 50, luma) for t in range(4 * every + 1)]
    for colored in carry(clip, every)[0]:
        np.testing.assert_allclose(colored.ab, ab, rtol=1e-5, atol=1e-5)


def test_between_keyframes_of_a_static_clip_colours_go_evenly_over() -> None:
    clip = static(5)
    out, _ = carry(clip, 4)
    for t in range(5):
        np.testing.assert_allclose(out[t].ab, clip[0].ab * (1 - t / 4) + clip[4].ab * (t / 4), atol=1e-4)


def test_a_moving_world_carries_its_colour_along() -> None:
    clip = passing(17)
    out, asked = carry(clip, 4)
    assert asked == 5
    for colored in out:
        error = np.abs(colored.ab - colored.item[1].ab)[3:-3, 6:-6]
        assert error.mean() < 0.8, "of colours whose deviation is 12"


def test_a_moving_square_keeps_its_colour_on_the_way() -> None:
    ground = codes(texture(2 * HEIGHT, 2 * WIDTH, 3))
    clip = []
    for t in range(9):
        luma, ab = ground.copy(), np.zeros((HEIGHT, WIDTH, 2), np.float32)
        luma[20:44, 10 + 4 * t : 34 + 4 * t] = codes(texture(24, 24, 4, 2.0)) // 2 + 127
        ab[10:22, 5 + 2 * t : 17 + 2 * t] = (40, 30)
        clip.append(SmoothingInput(ab, luma))
    for colored in carry(clip, 4)[0]:
        t = colored.item[0]
        assert colored.ab[13:19, 8 + 2 * t : 14 + 2 * t, 0].min() > 30
        assert np.abs(colored.ab[13:19, 40:54]).max() < 3


def test_nothing_crosses_a_cut() -> None:
    before, after = static(7, 1), passing(8, seed=9)
    before = [SmoothingInput(item.ab + 90, item.luma) for item in before]
    joined, _ = carry(before + after, 5, cuts=[7])
    for got, wanted in zip(joined, carry(before, 5)[0] + carry(after, 5)[0], strict=True):
        np.testing.assert_array_equal(got.ab, wanted.ab)
    assert joined[7].motions is None


def test_another_scene_is_a_shot_even_if_nobody_saw_the_cut() -> None:
    before, after = static(7, 1), static(8, 11)
    out, _ = carry(before + after, 5)
    assert {6, 7} <= set(is_own(out))


def test_what_cannot_be_followed_is_asked_for() -> None:
    """In the middle something large comes in and is gone again before the next keyframe."""
    clip = static(9)
    for t in (4, 5):
        luma = clip[t].luma.copy()
        luma[:, : WIDTH + 20] = codes(texture(2 * HEIGHT, WIDTH + 20, 70 + t, 2.0))
        clip[t] = SmoothingInput(clip[t].ab, luma)
    out, asked = carry(clip, 8)
    assert {4, 5} <= set(is_own(out))
    assert asked <= 6


@pytest.mark.parametrize("smoother", [Fast, Best])
def test_the_smoother_may_use_the_motions_that_are_known(smoother: type[Fast] | type[Best]) -> None:
    clip = passing(12)
    out, _ = carry(clip, 3)
    results = []
    for known in (True, False):
        stage, shown = smoother(), []
        for colored in out:
            motions = colored.motions if known else None
            shown += stage.push(SmoothingInput(colored.ab, colored.item[1].luma, motions=motions))
        results.append(shown + stage.flush())
    np.testing.assert_array_equal(results[0], results[1])


def test_a_run_broken_off_behind_a_keyframe_goes_on_with_the_same_colours() -> None:
    clip = passing(11) + static(6, 11)
    whole, _ = carry(clip, 4, cuts=[11])
    first: Keyframes[tuple[int, SmoothingInput]] = Keyframes(answers, 4)
    done: list[Colored[tuple[int, SmoothingInput]]] = []
    places = 0
    for broken, item in enumerate(clip):
        if first.idle:
            places += 1
            second: Keyframes[tuple[int, SmoothingInput]] = Keyframes(answers, 4)
            second.restore(first.state())
            rest = [c for n in range(broken, 17) for c in second.push((n, clip[n]), clip[n].luma, cut=n == 11)]
            for got, wanted in zip(done + rest + second.end_shot(), whole, strict=True):
                np.testing.assert_array_equal(got.ab, wanted.ab)
        done += first.push((broken, item), item.luma, cut=broken == 11)
    assert places == 6  # before the first frame, behind 0, 4, 8, the cut's 11, 15


def test_every_frame_is_asked_for_in_batches() -> None:
    asked: list[int] = []

    def network(frames: Sequence[int]) -> np.ndarray:
        asked.append(len(frames))
        return np.array(frames, np.float32)[:, None, None, None] * np.ones((HEIGHT, WIDTH, 2), np.float32)

    stage = EveryFrame(network, 3)
    luma = codes(texture(HEIGHT, WIDTH))
    out = [colored for frame in range(7) for colored in stage.push(frame, luma, cut=frame == 4)] + stage.end_shot()
    assert asked == [3, 3, 1]
    assert [(colored.item, float(colored.ab[0, 0, 0])) for colored in out] == [(n, float(n)) for n in range(7)]
    assert stage.end_shot() == []


def test_fewer_than_two_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Keyframes[int](lambda frames: [], 1)


@pytest.mark.parametrize("smoothing", ["off", "best"])
def test_a_film_with_keyframes_only(tmp_path: Path, fresh_weights: Path, smoothing: str) -> None:
    """Every frame comes out, luma and time untouched; the network sees a third of them, and their colours are its own."""
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(13, (96, 64)), size=(96, 64))
    seen: list[int] = []

    class Counting(Colorizer):
        def colors(self, lightness, **settings):  # type: ignore[no-untyped-def]
            seen.append(len(lightness))
            return super().colors(lightness, **settings)

    found = {}
    for every in (1, 3):
        seen.clear()
        options = ColorizeOptions(encoder="ffv1", working_size=64, smoothing=smoothing, every=every)  # type: ignore[arg-type]
        done = colorize_video(
            source, tmp_path / f"{every}.mkv", Counting(str(fresh_weights), "cpu", batch_size=4), options
        )
        assert isinstance(done, Done)
        found[every] = decode(tmp_path / f"{every}.mkv")
        assert [frame.time for frame in found[every]] == [frame.time for frame in decode(source)]
        assert sum(seen) == (13 if every == 1 else 5)
    for index, (one, other) in enumerate(zip(found[1], found[3], strict=True)):
        assert np.array_equal(one.planes[0], other.planes[0])
        if smoothing == "off" and index % 3 == 0:  # bfloat16 rounds a batch of another size differently
            assert all(
                np.abs(a.astype(int) - b).max() <= 2 for a, b in zip(one.planes[1:], other.planes[1:], strict=True)
            )
