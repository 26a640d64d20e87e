"""The stage between decoding and encoding, without threads, files or a real network: order, borders, segments, state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.motion.averaging import AB
from colorize_media.motion.keyframes import Coloring, EveryFrame, Keyframes
from colorize_media.motion.smoothing import make_smoother
from colorize_media.options import SMOOTHING, Smoothing
from colorize_media.video.color_stage import ColoredFrame, ColorStage, DecodedFrame
from colorize_media.video.own_color import ColorShots, ShotFrame

HEIGHT, WIDTH = 64, 96
SPEC = YCbCrSpec("bt601", full_range=True)
Picture = NDArray[np.uint8]
Item = DecodedFrame[int]
Out = ColoredFrame[int, AB]


def pan(picture: Picture, count: int) -> list[Picture]:
    """``count`` frames drifting over a picture."""
    wide = cv2.resize(picture, (WIDTH + 2 * count, HEIGHT), interpolation=cv2.INTER_AREA)
    return [np.ascontiguousarray(wide[:, 2 * n : 2 * n + WIDTH]) for n in range(count)]


def colored(count: int) -> list[Picture]:
    return pan(data.astronaut(), count)


def grey(count: int, picture: Callable[[], Picture] = data.camera) -> list[Picture]:
    flat = picture()
    return pan(np.repeat(flat[..., None], 3, axis=2) if flat.ndim == 2 else flat, count)


def coins(count: int) -> list[Picture]:
    return grey(count, data.coins)


def film(*shots: list[Picture]) -> list[Item]:
    frames = [frame for shot in shots for frame in shot]
    lumas = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    return [DecodedFrame(number, luma, frames[number]) for number, luma in enumerate(lumas)]


@dataclass
class Network:
    """Colours that follow from a frame's luma, and the numbers of the frames asked for, batch by batch."""

    batches: list[list[int]] = field(default_factory=list)

    def __call__(self, frames: Sequence[ShotFrame[Item]]) -> list[AB]:
        self.batches.append([frame.item.frame for frame in frames])
        return [self.colors(frame.item.small) for frame in frames]

    @staticmethod
    def colors(luma: NDArray[np.float32]) -> AB:
        small = cv2.resize(luma, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
        flicker = float(luma[:8, :8].sum()) % 7 - 3  # of a network that sees each frame for the first time
        return np.stack((small / 4 - 30 + flicker, 30 - small / 5 - flicker), axis=2).astype(np.float32)


def make_stage(
    network: Network,
    *,
    smoothing: Smoothing = "fast",
    batch: int = 4,
    every: int = 1,
    among_color: bool | None = True,
    least: int = 8,
    most: int = 16,
) -> ColorStage[int, AB]:
    coloring: Coloring[ShotFrame[Item]] = Keyframes(network, every) if every > 1 else EveryFrame(network, batch)
    shots: ColorShots[Item] = ColorShots(among_color)
    return ColorStage(shots, coloring, make_smoother(smoothing), SPEC, least_segment=least, most_segment=most)


def run(stage: ColorStage[int, AB], items: list[Item]) -> list[Out]:
    return [out for item in items for out in stage.push(item)] + stage.flush()


def equal(one: list[Out], other: list[Out]) -> bool:
    """The same frames with the same colours, bit for bit."""
    return len(one) == len(other) and all(
        a.frame == b.frame
        and (a.colors is None) == (b.colors is None)
        and (a.colors is None or b.colors is None or np.array_equal(a.colors, b.colors))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize(("batch", "every"), [(1, 1), (4, 1), (7, 1), (1, 3)])
@pytest.mark.parametrize("among_color", [None, True])
def test_frames_come_out_once_and_in_order(
    smoothing: Smoothing, batch: int, every: int, among_color: bool | None
) -> None:
    items = film(grey(9), colored(5), coins(13))
    stage = make_stage(Network(), smoothing=smoothing, batch=batch, every=every, among_color=among_color)
    out: list[Out] = []
    for item in items:
        out += stage.push(item)
        assert stage.given == len(out) <= stage.pushed <= item.frame + 1
    out += stage.flush()
    assert [frame.frame for frame in out] == list(range(27))
    assert stage.pushed == stage.given == 27


@pytest.mark.parametrize("frames", [0, 1, 3, 4, 5])
def test_any_number_of_frames_against_the_batch(frames: int) -> None:
    network = Network()
    assert [out.frame for out in run(make_stage(network, batch=4), film(grey(frames)))] == list(range(frames))
    assert [frame for batch in network.batches for frame in batch] == list(range(frames))
    assert all(len(batch) == 4 for batch in network.batches[:-1])


def test_the_network_is_asked_for_every_nth_frame_and_for_both_ends_of_a_shot() -> None:
    network = Network()
    out = run(make_stage(network, every=3, smoothing="off", among_color=None), film(grey(8), coins(5)))
    assert [frame for batch in network.batches for frame in batch] == [0, 3, 6, 7, 8, 11, 12]
    assert all(frame.colors is not None for frame in out)


def test_without_smoothing_the_colours_are_the_networks() -> None:
    items = film(grey(9), coins(4))
    for item, frame in zip(items, run(make_stage(Network(), smoothing="off"), items), strict=True):
        assert frame.colors is not None
        np.testing.assert_array_equal(frame.colors, Network.colors(item.small))


@pytest.mark.parametrize("every", [1, 3])
def test_nothing_is_averaged_over_a_cut(every: int) -> None:
    first, second = grey(11), coins(9)
    together = run(make_stage(Network(), every=every), film(first, second))
    alone = run(make_stage(Network(), every=every), film(second))
    for one, other in zip(together[11:], alone, strict=True):
        assert one.colors is not None
        assert other.colors is not None
        np.testing.assert_array_equal(one.colors, other.colors)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_shots_in_colour_go_around_the_network_and_the_smoother(smoothing: Smoothing, every: int) -> None:
    network = Network()
    stage = make_stage(network, smoothing=smoothing, every=every)
    out = run(stage, film(colored(6), grey(10), colored(8), coins(5)))
    assert [frame.frame for frame in out] == list(range(29))
    assert [frame.colors is None for frame in out] == [True] * 6 + [False] * 10 + [True] * 8 + [False] * 5
    assert (stage.own_frames, stage.own_shots) == (14, 2)
    asked = [frame for batch in network.batches for frame in batch]
    assert not {*range(6), *range(16, 24)} & set(asked)
    assert not any(batch[0] < 16 <= batch[-1] for batch in network.batches)


def test_a_border_of_colour_ends_the_smoothers_shot() -> None:
    """The same grey shot before and after a shot in colour: what was before it is forgotten."""
    out = run(make_stage(Network()), film(grey(9), colored(7), grey(9)))
    for before, after in zip(out[:9], out[16:], strict=True):
        assert before.colors is not None
        assert after.colors is not None
        np.testing.assert_array_equal(before.colors, after.colors)


def ends(stage: ColorStage[int, AB], items: list[Item]) -> list[int]:
    """Behind how many given frames the segments end."""
    found = []
    for item in items:
        stage.push(item)
        if stage.segment_due:
            stage.end_segment()
            assert not stage.segment_due
            found.append(stage.given)
    return found


def test_a_segment_ends_with_a_cut_if_there_is_one_in_time() -> None:
    """Cuts behind frames 5 (too early), 14 (the cut's own batch is the first that may end it) and none after."""
    found = ends(make_stage(Network(), batch=1, among_color=None), film(grey(5), coins(9), grey(40)))
    assert found[0] == 15
    assert [b - a for a, b in pairwise(found)] == [16, 16]


def test_a_segment_ends_only_where_no_frame_waits_for_the_network() -> None:
    stage = make_stage(Network(), batch=5, among_color=None)
    assert ends(stage, film(grey(40))) == [20, 40]


def test_frames_that_wait_in_the_smoother_do_not_count_as_given() -> None:
    stage = make_stage(Network(), smoothing="best", batch=1, among_color=None)
    found = ends(stage, film(grey(60)))
    assert found
    assert stage.pushed == 60 > stage.given


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_gone_on_with_from_any_segment_it_is_as_if_nothing_had_happened(smoothing: Smoothing, every: int) -> None:
    items = film(colored(7), grey(23), colored(9), coins(21))
    kept: list[tuple[int, dict[str, NDArray[Any]]]] = []
    stage = make_stage(Network(), smoothing=smoothing, every=every, least=5, most=9)
    whole: list[Out] = []
    for item in items:
        whole += stage.push(item)
        if stage.segment_due:
            kept.append((stage.given, stage.end_segment()))
    whole += stage.flush()
    assert len(kept) >= 3
    for given, state in kept:
        again = make_stage(Network(), smoothing=smoothing, every=every, least=5, most=9)
        again.restore(state, given)
        assert equal(run(again, items[given:]), whole[given:])
        assert (again.pushed, again.own_frames, again.own_shots) == (60, stage.own_frames, stage.own_shots)


def test_stopped_in_every_segment_the_film_is_the_same() -> None:
    items = film(grey(14), colored(9), coins(30))
    whole = run(make_stage(Network(), smoothing="best"), items)
    found: list[Out] = []
    kept: tuple[int, dict[str, NDArray[Any]]] | None = None
    for _ in range(10):
        stage = make_stage(Network(), smoothing="best")
        if kept is not None:
            stage.restore(kept[1], kept[0])
        begun = stage.given
        out: list[Out] = []
        for item in items[begun:]:
            out += stage.push(item)
            if stage.segment_due:
                break
        else:
            found += out + stage.flush()
            break
        found += out
        kept = stage.given, stage.end_segment()
    assert equal(found, whole)


def test_the_state_has_the_names_that_earlier_versions_wrote() -> None:
    """Unfinished work lies on disks: a film that an earlier version has begun goes on."""
    stage = make_stage(Network(), smoothing="best", every=3)
    for item in film(grey(30)):
        stage.push(item)
        if stage.segment_due:
            break
    state = stage.end_segment()
    assert state["frames"].tolist() == [stage.pushed, 0, 0]
    names = set(state)
    assert {
        "shots.counts",
        "shots.waiting",
        "shots.cuts.counts",
        "shots.cuts.differences",
        "shots.cuts.previous",
    } < names
    assert {"shots.dissolves.pictures", "coloring.grid", "coloring.ab", "coloring.luma"} < names
    assert {"smoother.vividness", "smoother.mixing", "smoother.past", "smoother.ab0", "smoother.luma0"} < names
