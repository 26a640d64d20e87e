from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from colorize_media.cli.main import run
from colorize_media.errors import InputMissing, NoPicture
from colorize_media.motion.smoothing import LOOK_AHEAD
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import SMOOTHING, ColorizeOptions
from colorize_media.training.video_evaluation import TRUTH, format_films, score_film
from colorize_media.video.colorize import colorize_video
from colorize_media.video.comparison import VideoInAllWays, find_videos
from tests.made.films import decode, grey_frames, make_video


def color_picture(index: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """R'G'B' of frame ``index`` of a pan over a colourful world."""
    width, height = size
    small = np.random.default_rng(3).integers(40, 216, (5, 9, 3)).astype(np.float32)
    world = cv2.resize(small, (width + 80, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(world[:, 2 * index : 2 * index + width]).astype(np.uint8)


def color_frames(count: int) -> list[av.VideoFrame]:
    return [
        av.VideoFrame.from_ndarray(color_picture(index), format="rgb24").reformat(
            format="yuv444p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
        )
        for index in range(count)
    ]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a colour film longer than the look-ahead, a grey one and a text file."""
    folder = tmp_path_factory.mktemp("films")
    options = {"codec": "ffv1", "pix_fmt": "yuv444p", "color": {"colorspace": 1, "color_range": 1}}
    make_video(folder / "color.mkv", frames=color_frames(26), size=(96, 64), **options)
    make_video(folder / "grey.mkv", codec="ffv1", frames=grey_frames(5))
    (folder / "notes.txt").write_text("no film")
    return folder


def in_all_ways(path: Path, colorizer: Colorizer, limit: int = 0) -> VideoInAllWays:
    return VideoInAllWays(path, colorizer, working_size=64, limit=limit)


def test_every_frame_comes_once_in_all_ways_and_aligned(films: Path, colorizer: Colorizer) -> None:
    film = in_all_ways(films / "color.mkv", colorizer)
    frames = list(film)
    assert len(frames) == 26 > LOOK_AHEAD
    for frame in frames:
        assert tuple(frame.shown) == SMOOTHING
        assert frame.luma.shape == (64, 96)
        assert all(ab.shape == (16, 24, 2) for ab in frame.shown.values())
    for one, other in pairwise(frames):  # frames of a pan: each has its own
        assert not np.array_equal(one.luma, other.luma)
        assert not np.array_equal(one.shown["off"], other.shown["off"])
    begun = list(in_all_ways(films / "color.mkv", colorizer, limit=5))
    for short, whole in zip(begun, frames, strict=False):
        np.testing.assert_array_equal(short.luma, whole.luma)
        np.testing.assert_allclose(short.shown["off"], whole.shown["off"], atol=0.2)
        np.testing.assert_allclose(short.shown["fast"], whole.shown["fast"], atol=0.2)
    assert set(film.seconds) == {"network", *SMOOTHING}
    assert film.seconds["network"] > 0.0


def test_the_truth_is_the_films_own_colour(films: Path, colorizer: Colorizer) -> None:
    frames = list(in_all_ways(films / "color.mkv", colorizer, limit=3))
    wanted = color_picture(1).astype(np.float32) / 255.0
    small = cv2.resize(wanted, (24, 16), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    assert frames[1].truth is not None
    assert np.abs(frames[1].truth - lab[..., 1:]).mean() < 3.0
    assert np.abs(frames[1].truth).mean() > 15.0


def test_black_and_white_film_has_no_truth(films: Path, colorizer: Colorizer) -> None:
    assert all(frame.truth is None for frame in in_all_ways(films / "grey.mkv", colorizer))


@pytest.mark.parametrize("limit", [1, 3, 4, 26, 99])
def test_limit_is_a_number_of_frames(films: Path, colorizer: Colorizer, limit: int) -> None:
    assert len(list(in_all_ways(films / "color.mkv", colorizer, limit))) == min(limit, 26)


def test_films_of_a_folder(films: Path, tmp_path: Path) -> None:
    assert [file.name for file in find_videos(films)] == ["color.mkv", "grey.mkv"]
    assert find_videos(films / "grey.mkv") == [films / "grey.mkv"]
    with pytest.raises(NoPicture, match="no film in this folder"):
        find_videos(tmp_path)
    with pytest.raises(InputMissing, match="no such folder"):
        find_videos(tmp_path / "nowhere")


@pytest.mark.parametrize("frames", [2, 31])
def test_the_film_loop_holds_what_best_looks_ahead(tmp_path: Path, colorizer: Colorizer, frames: int) -> None:
    """Every frame leaves with its own luma, in order, also the first and the last ones of the window."""
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(frames))
    options = ColorizeOptions(smoothing="best", encoder="ffv1", working_size=64)
    colorize_video(source, tmp_path / "out.mkv", colorizer, options)
    before, after = decode(source), decode(tmp_path / "out.mkv")
    assert len(after) == frames
    for a, b in zip(before, after, strict=True):
        assert a.time == b.time
        np.testing.assert_array_equal(a.planes[0], b.planes[0])


# --- scores


def test_the_table_has_a_line_for_each_row_and_dashes_for_what_is_not_there(films: Path, colorizer: Colorizer) -> None:
    films_in_all_ways = (in_all_ways(films / name, colorizer, limit=4) for name in ("color.mkv", "grey.mkv"))
    rows = [row for film in films_in_all_ways for row in score_film(film)]
    assert all(row["milliseconds"] is None or row["milliseconds"] > 0 for row in rows)
    table = format_films(rows).splitlines()
    assert len(table) == 2 + 4 + 3 + 2 * 3
    assert all(line.count("|") == table[0].count("|") for line in table)
    grey = next(line for line in table if line.startswith("| grey.mkv | best"))
    assert " – | – |" in grey
    assert not any("nan" in line for line in table)


# --- the command


def test_the_command_prints_the_table_or_json(
    films: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--video", str(films), "--model", str(fresh_weights), "--working-size", "64", "--limit", "4"]
    assert run(command) == 0
    assert "| color.mkv | best |" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["film"], row["smoothing"]) for row in rows} == {
        *(("color.mkv", way) for way in (*SMOOTHING, TRUTH)),
        *(("grey.mkv", way) for way in SMOOTHING),
    }
    assert all(row["frames"] == 4 for row in rows)
    assert all(
        value is None or isinstance(value, str) or math.isfinite(value) for row in rows for value in row.values()
    )


def test_a_damaged_film_is_told_and_the_others_are_measured(
    tmp_path: Path, films: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(64))
    (tmp_path / "whole.mkv").write_bytes((films / "grey.mkv").read_bytes())
    command = ["evaluate", "--video", str(tmp_path), "--model", str(fresh_weights), "--working-size", "64"]
    assert run(command) == 1
    told = capsys.readouterr()
    assert "| whole.mkv | fast |" in told.out
    assert "broken.mp4" in told.err


def test_wrong_uses_of_the_command(films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--video", str(films), "--model", "scenes", "--model", "regression"]) == 2
    assert "too many models" in capsys.readouterr().err
    assert run(["evaluate", "--video", str(tmp_path)]) == 1
    assert "no film in this folder" in capsys.readouterr().err
