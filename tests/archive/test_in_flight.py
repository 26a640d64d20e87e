"""What brings a run down, and what the next one does about it: files that really crash a decoder, or hang in it.

No decoder is known to crash over a file of today, so one is made to: a module that Python loads at its start replaces
Pillow's and PyAV's way to open a file by one that reads address 0 when the file says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.manifest import read_manifest
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.photo_queue import PhotoQueue
from colorize_media.archive.trial import try_apart
from colorize_media.cli.main import run
from colorize_media.events import Failed, Planned
from colorize_media.files.whole import host_mark
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from tests.made.films import grey_frames, make_video
from tests.made.pictures import save_grey
from tests.told import outcomes

SMALL = ColorizeOptions(working_size=64)
DEAD = 2**22 - 3  # a process id that hardly ever lives

TRAPS = """
import ctypes, time
import av
from PIL import Image

def trap(text):
    if b"CRASH" in text:
        ctypes.string_at(0)
    if b"HANG" in text:
        time.sleep(3600)

def open_picture(file, *rest, **more):
    if hasattr(file, "getvalue"):
        trap(file.getvalue())
    return plain_picture(file, *rest, **more)

def open_video(file, *rest, **more):
    trap(str(file).encode())
    return plain_film(file, *rest, **more)

plain_picture, Image.open = Image.open, open_picture
plain_film, av.open = av.open, open_video
"""


@pytest.fixture
def trapped(tmp_path: Path) -> dict[str, str]:
    """An environment in which files with CRASH in them crash, and those with HANG hang."""
    folder = tmp_path / "traps"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(TRAPS)
    return {**os.environ, "PYTHONPATH": str(folder)}


def save_trap(path: Path, extra: bytes = b"") -> Path:
    """A grey photograph with ``extra`` in its file."""
    save_grey(path)
    with path.open("ab") as file:
        file.write(extra)  # behind a picture's end, where no decoder looks
    return path


def command(source: Path, out: Path, weights: Path) -> list[str]:
    return [str(source), "-o", str(out), "--json", "--model", str(weights), "--device", "cpu", "--working-size", "64"]


def crash(words: list[str], environment: dict[str, str]) -> int:
    """The exit code of a run in a process of its own, which its decoder's crash takes with it."""
    return subprocess.run(
        [sys.executable, "-m", "colorize_media", *words], env=environment, capture_output=True
    ).returncode


@pytest.mark.slow
def test_a_picture_that_crashes_a_decoder_costs_one_run(
    tmp_path: Path, fresh_weights: Path, trapped: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The later runs are in this process, which knows no traps; what they try in a process of its own crashes there."""
    source, out = tmp_path / "in", tmp_path / "out"
    for number in range(4):
        save_trap(source / f"{number}.png", b"CRASH" if number == 2 else b"")
    words = command(source, out, fresh_weights)
    assert crash(words, trapped) == -signal.SIGSEGV
    assert [path.suffix for path in out.glob(".colorize-media-*")] == [".begun"]
    monkeypatch.setenv("PYTHONPATH", trapped["PYTHONPATH"])
    assert run(words) == 1
    second = capsys.readouterr().out
    assert outcomes(second).pop("2.png") == "failed"
    assert "SIGSEGV" in second
    assert sorted(path.name for path in out.glob("*.png")) == ["0.png", "1.png", "3.png"]
    assert not list(out.glob(".colorize-media-*"))
    # It is remembered, so the third run does not try at all; repaired, it is coloured.
    assert run(words) == 1
    third = capsys.readouterr().out
    assert outcomes(third)["2.png"] == "failed"
    assert "in an earlier run" in third
    save_grey(source / "2.png")
    os.utime(source / "2.png", ns=(1, 1))
    assert run(words) == 0
    assert len(list(out.glob("*.png"))) == 4


@pytest.mark.slow
def test_a_film_that_crashes_a_decoder_costs_one_run(
    tmp_path: Path, fresh_weights: Path, trapped: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    source, out = tmp_path / "in", tmp_path / "out"
    save_grey(source / "a.png")
    make_video(source / "b CRASH.mp4", frames=grey_frames(4))
    make_video(source / "c.mp4", frames=grey_frames(4))
    words = command(source, out, fresh_weights)
    assert crash(words, trapped) == -signal.SIGSEGV
    monkeypatch.setenv("PYTHONPATH", trapped["PYTHONPATH"])
    assert run(words) == 1
    second = outcomes(capsys.readouterr().out)
    assert second == {"a.png": "skipped", "b CRASH.mp4": "failed", "c.mp4": "done"}


@pytest.mark.slow
def test_a_trial_tells_crashes_from_what_is_only_wrong(
    tmp_path: Path, trapped: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", trapped["PYTHONPATH"])

    def tried(path: Path, silence: float = 100.0) -> str:
        return try_apart(Planned(path, tmp_path / "out.png", "photo", "colorize"), SMALL, silence)

    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff broken")
    with ThreadPoolExecutor() as pool:
        hang = pool.submit(tried, save_trap(tmp_path / "hang.png", b"HANG"), 3.0)
        good = pool.submit(tried, save_grey(tmp_path / "good.png"))
        assert "SIGSEGV" in tried(save_trap(tmp_path / "crash.png", b"CRASH"))
        assert tried(broken) == ""  # an error like any other, which the run itself tells
        assert good.result() == ""
        assert "gets no further" in hang.result()
    assert not (tmp_path / "out.png").exists()


def leave(out: Path, *lines: tuple[str, str]) -> Path:
    """What a run left that was killed."""
    out.mkdir(exist_ok=True)
    path = out / f".colorize-media-{host_mark()}-{DEAD}.begun"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '["begun", "torn')
    return path


def items(tmp_path: Path, count: int) -> list[Planned]:
    out = tmp_path / "out"
    return [
        Planned(
            save_grey(tmp_path / "in" / f"{n}.png"), out / f"{n}.png", "photo", "colorize", "", out, tmp_path / "in"
        )
        for n in range(count)
    ]


def test_suspicion_falls_on_what_had_begun_and_not_ended(tmp_path: Path) -> None:
    plan = items(tmp_path, 4)
    left = leave(tmp_path / "out", ("begun", "0.png"), ("begun", "1.png"), ("ended", "0.png"), ("begun", "gone.png"))
    watch = InFlight(plan, OutputFolders())
    assert [watch.is_suspect(item) for item in plan] == [False, True, False, False]
    assert not left.exists()
    watch.close()  # before the suspect was looked at
    watch = InFlight(plan, OutputFolders())
    assert [watch.is_suspect(item) for item in plan] == [False, True, False, False]
    with watch.working_on(plan[1]):
        watch.examine(plan[1], SMALL)  # it is innocent
    with watch.working_on(plan[2]):
        pass
    watch.close()
    assert not list((tmp_path / "out").glob(".colorize-media-*"))


def test_a_run_that_lives_is_not_suspected_of_anything(tmp_path: Path) -> None:
    plan = items(tmp_path, 1)
    (tmp_path / "out").mkdir()
    other = tmp_path / "out" / f".colorize-media-{host_mark()}-{os.getppid()}.begun"
    other.write_text('["begun", "0.png"]\n')
    watch = InFlight(plan, OutputFolders())
    assert not watch.is_suspect(plan[0])
    watch.close()
    assert other.exists()


def test_what_ended_two_runs_is_left_alone_though_it_passes(tmp_path: Path) -> None:
    from colorize_media.errors import DamagedMedia

    plan = items(tmp_path, 1)
    leave(tmp_path / "out", ("begun", "0.png"), ("passed", "0.png"))
    watch = InFlight(plan, OutputFolders())
    with pytest.raises(DamagedMedia, match="two runs ended"):
        watch.examine(plan[0], SMALL)
    watch.close()


def test_the_file_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from colorize_media.archive import in_flight

    monkeypatch.setattr(in_flight, "_LONGEST", 1000)
    plan = items(tmp_path, 2)
    watch = InFlight(plan, OutputFolders())
    (path,) = (tmp_path / "out").glob(".colorize-media-*")
    with watch.working_on(plan[0]):
        for _ in range(100):
            with watch.working_on(plan[1]):
                pass
        assert path.stat().st_size < 1200
        path.rename(path.with_name(f".colorize-media-{host_mark()}-{DEAD}.begun"))  # as if this process had died
        assert [InFlight(plan, OutputFolders()).is_suspect(item) for item in plan] == [True, False]


def test_a_picture_that_hangs_in_a_decoder_is_given_up(
    tmp_path: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are coloured and told; the hanging one is a failure, and tried apart by the next run."""
    import threading

    from colorize_media.archive import photo_steps
    from colorize_media.archive.outcomes import Outcome

    plan = items(tmp_path, 5)
    released = threading.Event()
    prepare = photo_steps.prepare_photo

    def hang(path: Path, options: ColorizeOptions) -> object:
        if path.name == "1.png":
            released.wait(60)
        return prepare(path, options)

    monkeypatch.setattr(photo_steps, "prepare_photo", hang)
    colorizer = Colorizer(str(fresh_weights), "cpu")
    colorizer.colors(torch.zeros(1, 1, 64, 64))  # warm, so that only the hanging one is late
    folders = OutputFolders()
    watch = InFlight(plan, folders)
    queue = PhotoQueue(lambda: colorizer, SMALL, folders, lambda event: None, watch, workers=1, reading_seconds=2.0)
    told: list[Outcome] = []
    queue.run(plan, told.append)
    assert [outcome.item for outcome in told] == plan
    assert isinstance(told[1].result, Failed)
    assert told[1].result.what == "reading the file does not end"
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["0.png", "2.png", "3.png", "4.png"]
    watch.close()
    assert InFlight(plan, OutputFolders()).is_suspect(plan[1])
    released.set()
    queue.close()
    assert not (tmp_path / "out" / "1.png").exists()
    assert read_manifest(tmp_path / "out") == {}
    assert np.array_equal(np.asarray(Image.open(plan[0].source)), np.asarray(Image.open(plan[1].source)))
