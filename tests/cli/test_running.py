"""How a command ends: interrupted, without a reader, with a traceback for whoever wants one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_media.cli.main import run
from colorize_media.cli.running import EventFan, exit_code_of
from colorize_media.events import Event, Skipped, Summary

PROGRAM = [sys.executable, "-m", "colorize_media"]


def test_tracebacks_only_with_vv(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_text("this is no picture")
    assert run(["-vv", str(tmp_path / "a.jpg"), "--model", str(fresh_weights)]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupt_is_130_and_leaves_nothing(tmp_path: Path, long_film: Path, fresh_weights: Path) -> None:
    options = ["--force", "--working-size", "64", "--model", str(fresh_weights)]
    with subprocess.Popen([*PROGRAM, "--json", str(long_film), *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as job:  # fmt: skip
        assert job.stdout is not None
        for line in job.stdout:
            if json.loads(line)["event"] == "advanced":
                break
        job.send_signal(signal.SIGINT)
        _, told = job.communicate(timeout=60)
        assert job.returncode == 130
    assert "interrupted" in told
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


def test_a_reader_that_goes_away_is_no_traceback(photo: Path) -> None:
    command = f"{sys.executable} -m colorize_media --help | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in result.stderr


def test_every_listener_hears_every_event_in_turn() -> None:
    heard: list[tuple[str, Event]] = []
    tell = EventFan(lambda event: heard.append(("first", event)), lambda event: heard.append(("second", event)))
    for event in (Summary(1, 0, 0, 0.5), Skipped(Path("a.jpg"), "already in colour")):
        tell(event)
    assert [name for name, _ in heard] == ["first", "second"] * 2
    assert heard[0][1] is heard[1][1]


def test_a_command_without_a_number_has_gone_well() -> None:
    assert (exit_code_of(lambda: None), exit_code_of(lambda: 4)) == (0, 4)
