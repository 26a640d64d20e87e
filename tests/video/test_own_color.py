"""Films partly in colour: colour shots keep their own chroma bit for bit, the others are coloured."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from colorize_media.cli.console import lines_of
from colorize_media.events import Advanced, Done, Event, Resumed, Skipped, Started, as_json
from colorize_media.judge.monochrome import evidence
from colorize_media.judge.survey import survey
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.colorize import colorize_video
from colorize_media.video.own_color import LOOK_AHEAD, PATROL, ColorShots, ShotFrame
from tests.made.clips import SIZE, Picture, chroma_noise, cup, grey, people, sepia
from tests.made.films import decode, make_video
from tests.video.killed_jobs import SHORT

OPTIONS = ColorizeOptions(encoder="ffv1", working_size=64, smoothing="fast")


def mixed(one: list[Picture], other: list[Picture]) -> list[Picture]:
    """Two shots of equal length, one dissolving into the other."""
    share = np.linspace(0, 1, len(one))
    return [((1 - s) * a + s * b).astype(np.uint8) for s, a, b in zip(share, one, other, strict=True)]


def faded(frames: list[Picture], first: float, last: float) -> list[Picture]:
    """The frames' brightness goes from ``first`` to ``last``."""
    return [
        (frame * s).astype(np.uint8) for s, frame in zip(np.linspace(first, last, len(frames)), frames, strict=True)
    ]


def film(path: Path, frames: list[Picture], pix_fmt: str = "yuv420p") -> Path:
    """Lossless."""
    stored = [av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pix_fmt) for frame in frames]
    return make_video(path, codec="ffv1", pix_fmt=pix_fmt, frames=stored, size=SIZE)


def kept(source: Path, target: Path) -> list[bool]:
    """For each frame whether its chroma is the source's own; its luma must be."""
    before, after = decode(source), decode(target)
    assert len(before) == len(after)
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a.planes[0], b.planes[0])
        assert a.time == b.time
    return [
        all(np.array_equal(x, y) for x, y in zip(a.planes[1:], b.planes[1:], strict=True))
        for a, b in zip(before, after, strict=True)
    ]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv422p10le"])
def test_colour_shots_keep_their_chroma_and_the_others_are_coloured(
    tmp_path: Path, colorizer: Colorizer, pix_fmt: str
) -> None:
    source = film(tmp_path / "in.mkv", people(11) + grey(12) + cup(10), pix_fmt)
    told: list[Event] = []
    done = colorize_video(source, tmp_path / "out.mkv", colorizer, OPTIONS, told.append)
    assert kept(source, tmp_path / "out.mkv") == [True] * 11 + [False] * 12 + [True] * 10
    assert isinstance(done, Done)
    assert (done.frames, done.own_frames, done.own_shots) == (33, 21, 2)
    assert isinstance(told[0], Started)
    assert told[0].note.startswith("mixed")


@pytest.mark.parametrize("every", [1, 3])
def test_stages_that_hold_frames_back_keep_their_order(tmp_path: Path, colorizer: Colorizer, every: int) -> None:
    source = film(tmp_path / "in.mkv", grey(5) + people(8) + sepia(8))
    options = ColorizeOptions(encoder="ffv1", working_size=64, smoothing="best", every=every)
    colorize_video(source, tmp_path / "best.mkv", colorizer, options)
    assert kept(source, tmp_path / "best.mkv") == [False] * 5 + [True] * 8 + [False] * 8


@pytest.mark.parametrize("every", [1, 3])
def test_an_interrupted_mixed_film_goes_on_as_it_would_have_been(
    tmp_path: Path, colorizer: Colorizer, every: int
) -> None:
    source = film(tmp_path / "in.mkv", people(9) + grey(23) + cup(14) + sepia(20))
    options = ColorizeOptions(encoder="ffv1", working_size=64, smoothing="best", every=every)
    wanted = colorize_video(source, tmp_path / "whole.mkv", colorizer, options, limits=SHORT)
    resumed = set[int]()
    for stop in (12, 25, 40, 55):  # in each shot but the first, and in no order with segments

        def listen(event: Event, stop: int = stop) -> None:
            if isinstance(event, Resumed):
                resumed.add(event.frames)
            if isinstance(event, Advanced) and event.frames >= stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            colorize_video(source, tmp_path / "out.mkv", colorizer, options, listen, SHORT)
    done = colorize_video(source, tmp_path / "out.mkv", colorizer, options, limits=SHORT)
    assert len(resumed) >= 2
    assert isinstance(done, Done)
    assert isinstance(wanted, Done)
    assert (done.frames, done.own_frames, done.own_shots) == (wanted.frames, wanted.own_frames, wanted.own_shots)
    before, after = decode(tmp_path / "whole.mkv"), decode(tmp_path / "out.mkv")
    for a, b in zip(before, after, strict=True):
        assert a.time == b.time
        assert all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))


def test_force_colours_everything(tmp_path: Path, colorizer: Colorizer) -> None:
    source = film(tmp_path / "in.mkv", people(8) + grey(8))
    options = ColorizeOptions(encoder="ffv1", working_size=64, smoothing="fast", force=True)
    done = colorize_video(source, tmp_path / "out.mkv", colorizer, options)
    assert isinstance(done, Done)
    assert done.own_frames == done.own_shots == 0
    assert kept(source, tmp_path / "out.mkv") == [False] * 16


def test_a_toned_shot_is_coloured(tmp_path: Path, colorizer: Colorizer) -> None:
    source = film(tmp_path / "in.mkv", people(10) + sepia(10))
    colorize_video(source, tmp_path / "out.mkv", colorizer, OPTIONS)
    assert kept(source, tmp_path / "out.mkv") == [True] * 10 + [False] * 10


@pytest.mark.parametrize("smoothing", ["fast", "best"])
def test_no_colour_crosses_the_border(tmp_path: Path, colorizer: Colorizer, smoothing: Any) -> None:
    """The grey shot is coloured as it is without its neighbours; numbers of a pass differ by what bfloat16 rounds."""
    options = ColorizeOptions(encoder="ffv1", working_size=64, smoothing=smoothing)
    together = film(tmp_path / "in.mkv", people(9) + grey(13) + cup(9))
    alone = film(tmp_path / "alone.mkv", grey(13))
    colorize_video(together, tmp_path / "a.mkv", colorizer, options)
    colorize_video(alone, tmp_path / "b.mkv", colorizer, options)
    for a, b in zip(decode(tmp_path / "a.mkv")[9:22], decode(tmp_path / "b.mkv"), strict=True):
        for one, other in zip(a.planes, b.planes, strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 2


def test_a_film_without_colour_is_coloured_as_if_nothing_was_judged(tmp_path: Path, colorizer: Colorizer) -> None:
    for name, frames in (("grey", grey(14)), ("sepia", sepia(14))):
        source, results = film(tmp_path / f"{name}.mkv", frames), []
        for force in (False, True):  # forced, nothing is judged
            options = ColorizeOptions(encoder="ffv1", working_size=64, force=force)
            colorize_video(source, tmp_path / f"{name}{force}.mkv", colorizer, options)
            results.append([frame.planes for frame in decode(tmp_path / f"{name}{force}.mkv")])
        for one, other in zip(*results, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_colour_film_with_titles_and_fades_is_left_alone(tmp_path: Path, colorizer: Colorizer) -> None:
    title = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cv2.putText(title, "THE END", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255))
    frames = people(12) + faded(cup(12), 1, 0) + [title] * 12
    result = colorize_video(film(tmp_path / "in.mkv", frames), tmp_path / "out.mkv", colorizer, OPTIONS)
    assert isinstance(result, Skipped)
    assert "in colour" in result.reason


# --- the stage


def owned(frames: list[Picture], among_color: bool | None = True, **settings: Any) -> list[bool]:
    """The decision on each frame; on the way that they come in order and never later than promised."""
    stage: ColorShots[int] = ColorShots(among_color, **settings)
    out: list[ShotFrame[int]] = []
    for index, frame in enumerate(frames):
        out += stage.push(index, cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), frame)
        assert index + 1 - stage.look_ahead <= len(out) <= index + 1
    out += stage.flush()
    assert [frame.item for frame in out] == list(range(len(frames)))
    for before, now in pairwise(out):
        assert now.cut or now.own == before.own, "a change without a cut"
    return [frame.own for frame in out]


def test_borders_are_exact_in_any_order_and_length() -> None:
    frames = grey(3) + people(2) + sepia(9) + cup(8) + grey(1) + people(20)
    assert owned(frames) == [False] * 3 + [True] * 2 + [False] * 9 + [True] * 8 + [False] + [True] * 20


def test_fades_keep_what_they_belong_to() -> None:
    there_and_back = people(8) + faded(people(20), 1, 0) + faded(people(20), 0, 1)
    assert owned(there_and_back) == [True] * 48
    assert owned(grey(8) + faded(grey(20), 1, 0) + faded(grey(20), 0, 1)) == [False] * 48
    into_colour = grey(10) + faded(grey(12), 1, 0) + faded(people(20), 0, 1) + people(10)
    found = owned(into_colour)
    assert found[:20] == [False] * 20
    assert found[30:] == [True] * 22
    out_of_colour = people(10) + faded(people(12), 1, 0) + faded(grey(20), 0, 1) + grey(10)
    found = owned(out_of_colour)
    assert found[:18] == [True] * 18
    assert found[34:] == [False] * 18


@pytest.mark.parametrize("length", [12, 24])
def test_a_dissolve_changes_the_decision_once_and_on_its_way(length: int) -> None:
    for first, second in ((grey, people), (people, grey), (sepia, cup), (cup, sepia)):
        still_first, still_second = [first(1)[0]] * 40, [second(1)[0]] * 40
        frames = still_first + mixed([first(1)[0]] * length, [second(1)[0]] * length) + still_second
        found = owned(frames)
        starts_own = first in (people, cup)
        changes = [index for index in range(1, len(found)) if found[index] != found[index - 1]]
        assert found[0] == starts_own
        assert len(changes) == 1
        assert 40 <= changes[0] <= 40 + length + 2


def test_a_colour_shot_that_looks_grey_for_a_while_stays_one() -> None:
    wall = cv2.GaussianBlur(grey(1)[0], (0, 0), 3)
    turning = mixed([people(1)[0]] * 2, [people(1)[0]] * 2) * 10
    frames = [*turning, *[cv2.addWeighted(people(1)[0], 0.1, wall, 0.9, 0)] * 30, *turning]
    changes = sum(a != b for a, b in zip(owned(frames), owned(frames)[1:], strict=False))
    assert changes <= 2  # at most as a shot of its own, never to and fro


def test_colour_that_comes_up_in_a_shot_is_kept_from_then_on() -> None:
    start = grey(1)[0]
    painted = start.copy()
    painted[40:100, 40:140] = (200, 40, 30)
    frames = [start] * (2 * PATROL) + [painted] * (4 * PATROL) + [start] * PATROL
    found = owned(frames)
    changes = [index for index in range(1, len(found)) if found[index] != found[index - 1]]
    assert len(changes) == 1
    assert 2 * PATROL - LOOK_AHEAD <= changes[0] <= 3 * PATROL + LOOK_AHEAD


def test_what_says_nothing_keeps_the_decision_before_it() -> None:
    title = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cv2.putText(title, "1951", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255))
    dark = [(frame * 0.12).astype(np.uint8) for frame in grey(5)]
    assert owned(people(8) + [title] * 10 + dark) == [True] * 23
    assert owned(grey(8) + [title] * 10 + dark) == [False] * 23
    assert owned([title] * 5, own=False) == [False] * 5
    assert owned([title] * 5) == [True] * 5


def test_a_film_that_seems_to_have_none_shows_strong_colour_only() -> None:
    pale = [
        cv2.addWeighted(a, 0.12, np.repeat(cv2.cvtColor(a, cv2.COLOR_RGB2GRAY)[..., None], 3, 2), 0.88, 0)
        for a in people(9)
    ]
    assert all(evidence(frame, among_color=True) == "color" for frame in pale)
    assert owned(grey(9) + pale, among_color=False) == [False] * 18
    assert owned(grey(9) + people(9), among_color=False) == [False] * 9 + [True] * 9


@pytest.mark.parametrize("noisy", [False, True])
def test_a_run_broken_off_anywhere_goes_on_with_the_same_decisions(noisy: bool) -> None:
    frames = grey(9) + people(8) + faded(people(8), 1, 0) + faded(sepia(10), 0, 1)
    if noisy:
        frames = chroma_noise(mixed(people(12), grey(12)) + grey(9), 4.0)
    lumas = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]

    def push(stage: ColorShots[int], numbers: range) -> list[ShotFrame[int]]:
        return [shown for n in numbers for shown in stage.push(n, lumas[n], frames[n])]

    def flags(shown: list[ShotFrame[int]]) -> list[tuple[int, bool, bool, bool]]:
        return [(frame.item, frame.cut, frame.mixing, frame.own) for frame in shown]

    stage: ColorShots[int] = ColorShots(True)
    whole = flags(push(stage, range(len(frames))) + stage.flush())
    for broken in range(0, len(frames), 3):
        first: ColorShots[int] = ColorShots(True)
        done = push(first, range(broken))
        second: ColorShots[int] = ColorShots(True)
        second.restore(first.state())
        third: ColorShots[int] = ColorShots(True)
        third.restore(second.state())  # killed again before anything new came out
        rest = push(third, range(len(done), len(frames))) + third.flush()
        assert flags(done + rest) == whole


def test_noise_of_colour_decides_no_shot() -> None:
    for frames, wanted in (
        (grey(20) + people(20), [False] * 20 + [True] * 20),
        (people(20) + grey(20), [True] * 20 + [False] * 20),
    ):
        assert owned(chroma_noise(frames)) == wanted


def test_judging_nothing_costs_no_look_ahead() -> None:
    stage: ColorShots[str] = ColorShots(None)
    assert stage.look_ahead == 0
    assert [frame.own for frame in stage.push("a", people(1)[0][..., 0], None)] == [False]
    with pytest.raises(ValueError, match="needs its picture"):
        ColorShots[str](True, look_ahead=0).push("a", people(1)[0][..., 0], None)


def test_people_and_programs_are_told(tmp_path: Path) -> None:
    done = Done(tmp_path / "a.mp4", tmp_path / "b.mp4", 120, 4.0, own_frames=50, own_shots=2)
    assert "50 of them in 2 shots left in their own colour" in lines_of(done, quiet=False, verbose=0)[0]
    assert "own colour" not in lines_of(Done(done.source, done.target, 120, 4.0), quiet=False, verbose=0)[0]
    assert as_json(done)["own_frames"] == 50
    assert as_json(done)["own_shots"] == 2


def test_a_film_whose_every_frame_keeps_its_colour_is_skipped_and_leaves_no_output(
    tmp_path: Path, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = film(tmp_path / "in.mkv", people(9))
    found = survey([*people(7), *grey(1)])  # a sample that deceived
    assert found.kind == "mixed"
    monkeypatch.setattr("colorize_media.video.colorize.survey_of", lambda reader: found)
    skipped = colorize_video(source, tmp_path / "out.mkv", colorizer, OPTIONS)
    assert isinstance(skipped, Skipped)
    assert skipped.reason.startswith("already in colour: each of its 9 frames")
    assert "--force" in skipped.reason
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
