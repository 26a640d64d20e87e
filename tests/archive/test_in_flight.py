"""What brings a run down, and what the next one does about it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_media.archive import in_flight
from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.cli.main import run
from colorize_media.errors import DamagedMedia
from colorize_media.files.whole import host_mark
from tests.archive.runs import SMALL, save_planned
from tests.archive.traps import save_trap
from tests.made.films import grey_frames, make_video
from tests.made.pictures import save_grey
from tests.told import outcomes

DEAD = 2**22 - 3  # a process id that hardly ever lives


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
    assert run(words) == 4
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


def leave(out: Path, *lines: tuple[str, str]) -> Path:
    """What a run left that was killed."""
    out.mkdir(exist_ok=True)
    path = out / f".colorize-media-{host_mark()}-{DEAD}.begun"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '["begun", "torn')
    return path


def test_suspicion_falls_on_what_had_begun_and_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "try_apart", lambda item, options: "")
    plan = save_planned(tmp_path, 4)
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
    plan = save_planned(tmp_path, 1)
    (tmp_path / "out").mkdir()
    other = tmp_path / "out" / f".colorize-media-{host_mark()}-{os.getppid()}.begun"
    other.write_text('["begun", "0.png"]\n')
    watch = InFlight(plan, OutputFolders())
    assert not watch.is_suspect(plan[0])
    watch.close()
    assert other.exists()


def test_what_ended_three_runs_is_left_alone_though_it_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "try_apart", lambda item, options: "")
    plan = save_planned(tmp_path, 1)
    leave(tmp_path / "out", ("begun", "0.png"))
    for _ in range(2):  # the first kills may have had any reason
        watch = InFlight(plan, OutputFolders())
        watch.examine(plan[0], SMALL)
        (path,) = (tmp_path / "out").glob(".colorize-media-*")
        path.rename(path.with_name(f".colorize-media-{host_mark()}-{DEAD}.begun"))  # as if this process had died
    watch = InFlight(plan, OutputFolders())
    with pytest.raises(DamagedMedia) as caught:
        watch.examine(plan[0], SMALL)
    assert caught.value.why == "3 runs ended while they worked on it, though a process of its own gets through"
    assert "--retry-failed" in caught.value.hint
    watch.close()


def test_a_run_that_was_told_to_end_is_no_death_over_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "try_apart", lambda item, options: "")
    plan = save_planned(tmp_path, 1)
    leave(tmp_path / "out", ("begun", "0.png"))
    for _ in range(4):  # Ctrl-C and SIGTERM end it in order, while a thread is still in the decoder
        watch = InFlight(plan, OutputFolders())
        assert watch.is_suspect(plan[0])
        watch.examine(plan[0], SMALL)
        watch.close()
        assert len(list((tmp_path / "out").glob(".colorize-media-*"))) == 1


def test_no_file_is_to_blame_where_the_machine_was_started_anew(tmp_path: Path) -> None:
    plan = save_planned(tmp_path, 1)
    leave(tmp_path / "out", ("boot", "another"), ("begun", "0.png"), ("passed", "0.png"), ("passed", "0.png"))
    watch = InFlight(plan, OutputFolders())
    assert watch.is_suspect(plan[0]) == (in_flight._boot() == "")
    watch.close()


def test_the_file_stays_small(tmp_path: Path) -> None:
    plan = save_planned(tmp_path, 2)
    watch = InFlight(plan, OutputFolders(), longest=1000)
    (path,) = (tmp_path / "out").glob(".colorize-media-*")
    with watch.working_on(plan[0]):
        for _ in range(100):
            with watch.working_on(plan[1]):
                pass
        assert path.stat().st_size < 1200
        path.rename(path.with_name(f".colorize-media-{host_mark()}-{DEAD}.begun"))  # as if this process had died
        assert [InFlight(plan, OutputFolders()).is_suspect(item) for item in plan] == [True, False]
