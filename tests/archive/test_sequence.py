"""Numbered frames coloured as one film: as steady as the film, written back as the files that they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from colorize_media.archive.manifest import MANIFEST_NAME
from colorize_media.cli.main import run
from colorize_media.events import Done, Event, Failed, Skipped, Warned
from colorize_media.network.colorizer import Colorizer
from colorize_media.photo.pages import read_photo
from colorize_media.video.colorize import colorize_video
from tests.archive.runs import SMALL, do, results
from tests.made.clips import pan
from tests.made.films import decode, make_video

FILM = replace(SMALL, image_sequence=Fraction(24))
SIZE = (64, 48)


def scene(count: int, size: tuple[int, int] = SIZE) -> list[NDArray[np.uint8]]:
    width, height = size
    return list(pan(cv2.resize(skimage.data.camera(), (width + 2 * count, height)), count, width))


def save(folder: Path, name: str, picture: NDArray[Any]) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    assert cv2.imwrite(str(folder / name), picture)
    return folder / name


def frames(folder: Path, count: int = 6, suffix: str = "png", first: int = 1) -> list[Path]:
    return [save(folder, f"scan_{n:04}.{suffix}", grey) for n, grey in enumerate(scene(count), first)]


def outputs(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name != MANIFEST_NAME)


def warnings(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def chroma_of(path: Path) -> NDArray[np.float64]:
    """Cb and Cr in codes of 8 bits around 0, of R′G′B′ as it is written."""
    rgb = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(np.float64)
    rgb /= 257 if rgb.max() > 255 else 1
    y = rgb @ [0.299, 0.587, 0.114]
    return np.stack(((rgb[..., 2] - y) / 1.772, (rgb[..., 0] - y) / 1.402), axis=-1)


def test_colours_are_the_films_own(tmp_path: Path, fresh_weights: Path) -> None:
    count = 14
    frames(tmp_path / "in", count)
    pictures = [av.VideoFrame.from_ndarray(grey, format="gray") for grey in scene(count)]
    film = make_video(tmp_path / "film.mkv", codec="ffv1", pix_fmt="gray", frames=pictures, rate=24)
    code, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    assert code == 0
    assert results(events) == [("Done", f"scan_{n:04}.png") for n in range(1, count + 1)]
    colorize_video(film, tmp_path / "color.mkv", Colorizer(str(fresh_weights), "cpu"), replace(SMALL, encoder="ffv1"))
    for n, shown in enumerate(decode(tmp_path / "color.mkv"), 1):
        own = chroma_of(tmp_path / "out" / f"scan_{n:04}.png")
        halved = cv2.resize(own, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)
        spec_chroma = np.stack([plane.astype(float) - 128 for plane in shown.planes[1:]], axis=-1)
        assert np.abs(halved - spec_chroma).mean() < 1.0
        assert np.abs(own).mean() > 0.5
    assert outputs(tmp_path / "out") == [f"scan_{n:04}.png" for n in range(1, count + 1)]


@pytest.mark.parametrize(("suffix", "deep"), [("png", False), ("png", True), ("tif", True), ("tif", False)])
def test_luma_format_and_depth_are_each_frames_own(
    tmp_path: Path, fresh_weights: Path, suffix: str, deep: bool
) -> None:
    for n, grey in enumerate(scene(4)):
        noise = np.random.default_rng(n).integers(0, 257, grey.shape)
        save(
            tmp_path / "in",
            f"{n}.{suffix}",
            (grey * 257.0 + noise - 128).clip(0, 65535).astype(np.uint16) if deep else grey,
        )
    code, _ = do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    assert code == 0
    for n in range(4):
        before = read_photo(tmp_path / "in" / f"{n}.{suffix}", max_pixels=10**6)
        after = read_photo(tmp_path / "out" / f"{n}.{suffix}", max_pixels=10**6)
        assert after.spec.bits == before.spec.bits == (16 if deep else 8)
        assert np.abs(after.luma.astype(int) - before.luma.astype(int)).max() <= 1
        assert after.format == before.format


def test_a_second_run_does_nothing_and_one_lost_frame_comes_back_the_same(tmp_path: Path, fresh_weights: Path) -> None:
    frames(tmp_path / "in", 8)
    assert do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)[0] == 0
    first = {name: (tmp_path / "out" / name).read_bytes() for name in outputs(tmp_path / "out")}
    times = {name: (tmp_path / "out" / name).stat().st_ctime_ns for name in first}
    _, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights, replace(FILM, image_sequence=Fraction(25)))
    assert {kind for kind, _ in results(events)} == {"Skipped"}
    (tmp_path / "out" / "scan_0005.png").unlink()
    _, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    assert [kind for kind, _ in results(events)].count("Done") == 1
    for name, content in first.items():
        again = tmp_path / "out" / name
        if name == "scan_0005.png":
            assert np.array_equal(cv2.imread(str(again)), cv2.imdecode(np.frombuffer(content, np.uint8), 1))
        else:
            assert again.stat().st_ctime_ns == times[name]


def test_as_photographs_they_are_done_anew(tmp_path: Path, fresh_weights: Path) -> None:
    frames(tmp_path / "in", 3)
    do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    _, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights, SMALL)
    assert {kind for kind, _ in results(events)} == {"Done"}


def test_gaps_are_told_and_an_unreadable_frame_fails_alone(tmp_path: Path, fresh_weights: Path) -> None:
    paths = frames(tmp_path / "in", 9)
    paths[3].unlink()
    paths[6].write_bytes(paths[6].read_bytes()[:200])
    code, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    assert code == 1
    assert [name for kind, name in results(events) if kind == "Failed"] == ["scan_0007.png"]
    assert [name for _, name in results(events)] == [f"scan_{n:04}.png" for n in (1, 2, 3, 5, 6, 7, 8, 9)]
    assert "frame 4 is missing: a gap of one frame in the film's time" in warnings(events)
    assert outputs(tmp_path / "out") == [f"scan_{n:04}.png" for n in (1, 2, 3, 5, 6, 8, 9)]


def test_another_size_begins_another_film(tmp_path: Path, fresh_weights: Path) -> None:
    for n, grey in enumerate([*scene(3), *scene(3, (80, 40)), *scene(2)]):
        save(tmp_path / "in", f"{n}.png", grey)
    code, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    assert (code, len(outputs(tmp_path / "out"))) == (0, 8)
    assert [message for message in warnings(events) if "their own" in message] == [
        "from here on the frames are 80×40 of 8 bits: coloured as a film of their own",
        "from here on the frames are 64×48 of 8 bits: coloured as a film of their own",
    ]


def test_several_sequences_films_and_photographs_side_by_side(tmp_path: Path, fresh_weights: Path) -> None:
    for reel in "ab":
        for n, grey in enumerate(scene(3)):
            save(tmp_path / "in", f"{reel}{n + 9}.png", grey)
    save(tmp_path / "in", "poster.png", scene(1)[0])
    code, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    assert code == 0
    assert [name for _, name in results(events)] == [
        *("a9.png", "a10.png", "a11.png", "b9.png", "b10.png", "b11.png"),
        "poster.png",
    ]


def test_toned_frames_are_coloured_and_frames_in_colour_left(tmp_path: Path, fresh_weights: Path) -> None:
    cup = cv2.resize(skimage.data.coffee()[..., ::-1], SIZE)
    for n, grey in enumerate(scene(6)):
        save(tmp_path / "sepia", f"{n}.png", np.clip(grey[..., None] * [0.7, 0.9, 1.1], 0, 255).astype(np.uint8))
        save(tmp_path / "color", f"{n}.png", cup)
    code, events = do([tmp_path / "sepia"], tmp_path / "out", fresh_weights, FILM)
    assert code == 0
    assert {(type(e).__name__, e.what) for e in events if isinstance(e, (Done, Skipped, Failed))} == {("Done", "toned")}
    code, events = do([tmp_path / "color"], tmp_path / "none", fresh_weights, FILM)
    assert code == 0
    assert {(type(e).__name__, e.what) for e in events if isinstance(e, (Done, Skipped, Failed))} == {
        ("Skipped", "color")
    }


def test_a_shot_in_colour_is_copied_as_it_is(tmp_path: Path, fresh_weights: Path) -> None:
    cup = cv2.resize(skimage.data.coffee()[..., ::-1], SIZE)
    for n, grey in enumerate(scene(12)):
        save(tmp_path / "in", f"{n:02}.png", grey)
        save(tmp_path / "in", f"{n + 12:02}.png", cup)
    code, _ = do([tmp_path / "in"], tmp_path / "out", fresh_weights, FILM)
    assert (code, len(outputs(tmp_path / "out"))) == (0, 24)
    same = [
        (tmp_path / "in" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
        for name in outputs(tmp_path / "out")
    ]
    assert same == [False] * 12 + [True] * 12


def test_a_killed_run_is_gone_on_with_to_the_same_frames(
    tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one that is killed is a process of its own; the one before and the one that goes on are in this process."""
    count = 120
    frames(tmp_path / "in", count)
    words = ["--model", str(fresh_weights), "--device", "cpu", "--working-size", "64", "--image-sequence", "24"]
    words = [str(tmp_path / "in"), *words, "-o"]
    assert run([*words, str(tmp_path / "whole")]) == 0
    out = tmp_path / "out"
    program = [sys.executable, "-m", "colorize_media", *words, str(out)]
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as killed:
        while not list(out.glob("*.frames")) and killed.poll() is None:
            time.sleep(0.01)
        assert killed.poll() is None
        killed.send_signal(signal.SIGKILL)
    there = {name: (out / name).stat().st_ctime_ns for name in os.listdir(out) if name.startswith("scan")}
    assert there
    capsys.readouterr()
    assert run([*words, str(out)]) == 0
    assert "resuming at" in capsys.readouterr().err
    assert {name: (out / name).stat().st_ctime_ns for name in there} == there
    assert outputs(out) == [f"scan_{n:04}.png" for n in range(1, count + 1)]
    for name in outputs(out):
        assert np.array_equal(cv2.imread(str(out / name)), cv2.imread(str(tmp_path / "whole" / name))), name
