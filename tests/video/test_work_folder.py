"""A job that is killed goes on where it was, and the film is the same as if nothing had happened."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import skimage.data

from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.errors import DamagedMedia, OutputUnwritable
from colorize_media.events import Advanced, Event, Planned, Resumed, Warned, ignore
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.colorize import colorize_video
from colorize_media.video.demuxing import MAX_CONSECUTIVE_FAILURES
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.pipeline import Limits
from colorize_media.video.reader import Reader
from colorize_media.video.segments import SegmentWriter
from colorize_media.video.work_folder import work_path
from colorize_media.video.writer import Writer
from tests.made.films import decode, grey_frames, make_video
from tests.video.killed_jobs import SHORT
from tests.video.rewriting import FFV1, contents, write_in_segments

posix = pytest.mark.skipif(os.name != "posix", reason="kills and forks")
# libx264 is not repeatable with AVX-512, but with preset ultrafast (docs/design-notes.md): its packets differ from run to
# run, interrupted or not. These two are.
LOSSLESS = {"working_size": 64, "encoder": "ffv1"}
ULTRAFAST = {"working_size": 64, "preset": "ultrafast"}


def two_shots(count: int) -> list[av.VideoFrame]:
    """A cut in the middle."""
    first = grey_frames(count // 2)
    picture = cv2.resize(skimage.data.coffee()[..., 1], (64 + count, 48))
    second = []
    for index in range(count - len(first)):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:, index : index + 64]), format="gray")
        second.append(frame.reformat(format="yuv420p", src_color_range="JPEG", dst_color_range="MPEG"))
    return [*first, *second]


def uneven(count: int, seed: int = 3) -> list[int]:
    """Times of a variable frame rate in 1/16000 s, with a late start."""
    steps = random.Random(seed).choices([640, 641, 320, 1900], k=count)
    return [5000 + sum(steps[:index]) for index in range(count)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(
        tmp_path_factory.mktemp("film") / "in.mp4", frames=two_shots(66), pts=uneven(66), time_base=Fraction(1, 16000),
        audio=1, chapters=[(0, 800, "one"), (800, 2000, "two")],
    )  # fmt: skip


@pytest.fixture(scope="module")
def colorizer(fresh_regression: Path) -> Colorizer:
    return Colorizer(str(fresh_regression), "cpu", batch_size=3)


def kill(film: Path, target: Path, weights: Path, options: dict[str, Any], **how: Any) -> dict[str, Any]:
    job = {"source": str(film), "target": str(target), "weights": str(weights), "options": options, **how}
    program = [sys.executable, str(Path(__file__).with_name("killed_jobs.py")), json.dumps(job)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def uninterrupted(film: Path, folder: Path, weights: Path, options: dict[str, Any], suffix: str = ".mp4") -> Path:
    (folder / "whole").mkdir()
    kill(film, folder / "whole" / f"out{suffix}", weights, options, frames=[10**6])
    return folder / "whole" / f"out{suffix}"


# --- kill -9


@posix
@pytest.mark.slow
@pytest.mark.long
def test_killed_at_ten_random_points_the_film_is_the_same(tmp_path: Path, film: Path, fresh_regression: Path) -> None:
    whole = uninterrupted(film, tmp_path, fresh_regression, LOSSLESS, ".mkv")
    chance = random.Random(11)
    points = [chance.randint(1, 24) for _ in range(10)]
    told = kill(film, tmp_path / "out.mkv", fresh_regression, LOSSLESS, frames=points)
    assert told["killed"] >= 3  # later ones may be quicker than their killer
    assert told["resumed"] == sorted(told["resumed"])
    assert len(set(told["resumed"])) >= 2
    assert contents(tmp_path / "out.mkv") == contents(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "whole"]


@posix
def test_killed_before_every_file_gets_its_name_the_film_is_the_same(
    tmp_path: Path, film: Path, fresh_regression: Path
) -> None:
    """Each process finishes one segment and dies before the next has its name; the last one dies before the film has."""
    options = {**ULTRAFAST, "smoothing": "fast"}
    whole = uninterrupted(film, tmp_path, fresh_regression, options)
    told = kill(film, tmp_path / "out.mp4", fresh_regression, options, renames=3)
    assert told["killed"] == len(told["resumed"]) >= 3
    assert told["resumed"] == sorted(set(told["resumed"]))
    assert told["resumed"][-1] == 66
    assert contents(tmp_path / "out.mp4") == contents(whole)
    assert [frame.time for frame in decode(tmp_path / "out.mp4")] == [frame.time for frame in decode(film)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "whole"]


# --- stopped otherwise


def run(
    film: Path,
    target: Path,
    colorizer: Colorizer,
    on_event: Any = None,
    limits: Limits = SHORT,
    **options: Any,
) -> list[Event]:
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        if on_event is not None:
            on_event(event)

    colorize_video(
        film, target, colorizer, ColorizeOptions(**{**LOSSLESS, "smoothing": "fast", **options}), listen, limits
    )
    return told


def interrupt_after(frames: int) -> Any:
    def on_event(event: Event) -> None:
        if isinstance(event, Advanced) and event.frames >= frames:
            raise KeyboardInterrupt

    return on_event


def planes(path: Path) -> list[list[bytes]]:
    return [[plane.tobytes() for plane in frame.planes] for frame in decode(path)]


def test_an_interrupted_run_names_its_folder_and_the_next_one_says_where_it_goes_on(
    tmp_path: Path, film: Path, colorizer: Colorizer
) -> None:
    told: list[Event] = []
    target, stop = tmp_path / "out.mkv", interrupt_after(40)

    def listen(event: Event) -> None:
        told.append(event)
        stop(event)

    with pytest.raises(KeyboardInterrupt):
        run(film, target, colorizer, listen)
    assert [path.name for path in tmp_path.iterdir()] == [".out.mkv.colorize-media"]
    assert isinstance(told[-1], Warned)
    assert str(work_path(target)) in told[-1].message
    assert make_plan([tmp_path], None, overwrite=False) == []
    again = run(film, target, colorizer)
    resumed = next(event for event in again if isinstance(event, Resumed))
    assert 16 <= resumed.frames <= 40
    assert resumed.time == decode(film)[resumed.frames - 1].time
    assert not [event for event in again if isinstance(event, Warned)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]
    whole = tmp_path / "whole.mkv"
    run(film, whole, colorizer)
    assert contents(target) == contents(whole)


@pytest.mark.parametrize("smoothing", ["off", "fast", "best"])
def test_segments_change_no_colour(tmp_path: Path, film: Path, colorizer: Colorizer, smoothing: str) -> None:
    run(film, tmp_path / "one.mkv", colorizer, limits=Limits(), smoothing=smoothing)
    run(film, tmp_path / "many.mkv", colorizer, smoothing=smoothing)
    assert planes(tmp_path / "one.mkv") == planes(tmp_path / "many.mkv")


def test_another_vividness_starts_anew_and_says_so(tmp_path: Path, film: Path, colorizer: Colorizer) -> None:
    target = tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        run(film, target, colorizer, interrupt_after(30))
    told = run(film, target, colorizer, vividness=0.0)
    assert not [event for event in told if isinstance(event, Resumed)]
    assert [event.message for event in told if isinstance(event, Warned)] == [
        "an unfinished run is not gone on with, because of vividness"
    ]
    assert {bytes(set(plane)) for frame in planes(target) for plane in frame[1:]} == {b"\x80"}
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


@pytest.mark.parametrize("options", [{"skip_documents": True}, {"quality": 50, "fast": True, "strip_metadata": True}])
def test_options_of_photographs_do_not_start_a_film_anew(
    tmp_path: Path, film: Path, colorizer: Colorizer, options: dict[str, Any]
) -> None:
    target = tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        run(film, target, colorizer, interrupt_after(30))
    told = run(film, target, colorizer, **options)
    assert [event for event in told if isinstance(event, Resumed)]
    assert not [event for event in told if isinstance(event, Warned)]


def test_a_full_disk_keeps_what_is_finished(
    tmp_path: Path, film: Path, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = SegmentWriter.add, 40

    def add(self: SegmentWriter, packets: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, packets)

    monkeypatch.setattr(SegmentWriter, "add", add)
    with pytest.raises(OutputUnwritable, match="make room"):
        run(film, tmp_path / "out.mkv", colorizer)
    assert work_path(tmp_path / "out.mkv").is_dir()
    assert any(isinstance(event, Resumed) for event in run(film, tmp_path / "out.mkv", colorizer))
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_a_film_that_is_to_blame_leaves_nothing(tmp_path: Path, colorizer: Colorizer) -> None:
    frames = grey_frames(60 + MAX_CONSECUTIVE_FAILURES, (32, 32))  # decoding threads tell the last errors not at all
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=frames, size=(32, 32))
    ruined, place = bytearray(source.read_bytes()), 0
    for number, (*_, content) in enumerate(contents(source)[0]):
        place = ruined.index(content, place)  # some frames are equal: from the last one on
        if number >= 40:
            ruined[place : place + len(content)] = b"\x55" * len(content)
        place += len(content)
    source.write_bytes(ruined)
    seen = []
    with pytest.raises(DamagedMedia):
        run(
            source, tmp_path / "out.mkv", colorizer, lambda event: seen.append(work_path(tmp_path / "out.mkv").is_dir())
        )
    assert any(seen)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


# --- the writer and its folder, without a network


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a film, ``whole.mkv`` as it becomes, and the work folder of a run that was stopped after 33 frames."""
    folder = tmp_path_factory.mktemp("stopped")
    source = make_video(folder / "in.mkv", codec="ffv1", frames=40, audio=1)
    write_in_segments(source, folder / "whole.mkv", (10, 20, 30), FFV1)
    assert write_in_segments(source, folder / "out.mkv", (10, 20, 30), FFV1, stop=33).kept == work_path(
        folder / "out.mkv"
    )
    return folder


@pytest.mark.parametrize("damage", ["segment", "state", "missing state", "cut"])
def test_a_damaged_segment_is_done_again_from_there(tmp_path: Path, stopped: Path, damage: str) -> None:
    source, target = stopped / "in.mkv", tmp_path / "out.mkv"
    shutil.copytree(work_path(stopped / "out.mkv"), work_path(target))
    victim = work_path(target) / ("segment-000001" if damage in ("segment", "cut") else "state-000001")
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "missing state":
        victim.unlink()
    else:
        victim.write_bytes(content[:-50] if damage == "cut" else content)
    with Reader(source) as reader:
        writer = Writer(target, reader, FFV1, {"test": 1})
        assert writer.frames == 10
        assert writer.position == Fraction(9, 25)
        assert writer.state()["at"].tolist() == [10]
        assert "segment 2 of an unfinished run is damaged" in writer.warnings[0]
        writer.abort(KeyboardInterrupt())
    write_in_segments(source, target, (10, 20, 30), FFV1)
    assert contents(target) == contents(stopped / "whole.mkv")


@pytest.mark.parametrize("change", ["source", "encoder", "job", "none"])
def test_what_the_work_depends_on(tmp_path: Path, short: Path, change: str) -> None:
    target = tmp_path / "out.mkv"
    write_in_segments(short, target, (10, 20), FFV1, stop=25)
    if change == "source":
        os.utime(short, (1, 1))
    settings = EncoderSettings(preset="ultrafast") if change == "encoder" else FFV1
    with Reader(short) as reader:
        writer = Writer(target, reader, settings, {"test": 2 if change == "job" else 1})
        assert writer.frames == (20 if change == "none" else 0)
        assert bool(writer.warnings) == (change != "none")
        writer.abort()
    assert not work_path(target).exists()


def test_two_runs_on_one_output(tmp_path: Path, short: Path) -> None:
    target = tmp_path / "out.mkv"
    with Reader(short) as one, Reader(short) as other:
        first = Writer(target, one, FFV1)
        with pytest.raises(OutputUnwritable, match="another run works on this film"):
            Writer(target, other, FFV1)
        first.abort()
        Writer(target, other, FFV1).abort()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv"]


def test_what_a_kill_left_behind_a_finished_film_goes_with_the_next_run(tmp_path: Path, short: Path) -> None:
    target = tmp_path / "out.mkv"
    write_in_segments(short, target, (10, 20), FFV1, stop=25)
    left = work_path(target)
    plan = [Planned(short, target, "video", "skip", "the output is already there")]
    target.write_bytes(b"older")
    os.utime(target, (1, 1))
    run_plan(plan, Running(lambda: pytest.fail("nothing to colour"), ColorizeOptions(), ignore))
    assert left.is_dir()  # of a run that shall replace the output
    os.utime(target)
    run_plan(plan, Running(lambda: pytest.fail("nothing to colour"), ColorizeOptions(), ignore))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mkv"]


# --- what is not ours


@posix
@pytest.mark.parametrize("what", ["link", "file", "lock", "folder"])
def test_what_only_has_the_name_of_a_work_folder_is_refused_and_stays(tmp_path: Path, short: Path, what: str) -> None:
    target, victim = tmp_path / "out.mkv", tmp_path / "victim"
    victim.mkdir()
    names = ("segment-000000", "state-000000", "job.json", "film.mkv", "lock", "a.part", "theirs")
    for name in names:
        (victim / name).write_bytes(b"not yours")
    place = work_path(target)
    if what == "link":
        place.symlink_to(victim)
    elif what == "file":
        place.write_bytes(b"not yours")
    else:
        place.mkdir()
        (place / "lock").symlink_to(victim / "lock") if what == "lock" else (place / "lock").mkdir()
    with Reader(short) as reader, pytest.raises(OutputUnwritable, match="something else stands") as caught:
        Writer(target, reader, FFV1)
    assert str(place) in caught.value.why
    assert caught.value.hint
    assert sorted(path.name for path in victim.iterdir()) == sorted(names)
    assert all((victim / name).read_bytes() == b"not yours" for name in names)
    assert os.path.lexists(place)


@posix
def test_only_files_with_names_of_ours_are_removed(tmp_path: Path, short: Path) -> None:
    target = tmp_path / "out.mkv"
    place = work_path(target)
    place.mkdir()
    theirs = ("segment-foo", "segment-0000001", "state-00001x", "notes.part", "film", "job.json.bak")
    for name in theirs:
        (place / name).write_bytes(b"theirs")
    for name in ("segment-000000", "state-000000", "segment-000004.part", "film.mkv", "trial.mkv"):
        (place / name).write_bytes(b"ours")
    os.mkfifo(place / "job.json")
    write_in_segments(short, target, (10, 20), FFV1)
    assert sorted(path.name for path in place.iterdir()) == sorted(theirs)


@posix
@pytest.mark.parametrize(
    "note", [b"[" * 200_000, b'{"format": 1, "job": ' + b"9" * 5000 + b"}", b"\xff" * 100, b" " * (3 << 20)]
)
def test_a_note_that_nobody_wrote_is_no_job(tmp_path: Path, short: Path, note: bytes) -> None:
    place = work_path(tmp_path / "out.mkv")
    place.mkdir()
    (place / "job.json").write_bytes(note)
    (place / "segment-000000").write_bytes(b"x" * 39 + b"\xff" * 8)
    write_in_segments(short, tmp_path / "out.mkv", (10, 20), FFV1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mkv"]
