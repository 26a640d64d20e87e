"""Progress as people see it: lines off a terminal, a bar on one; and a long count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_media.cli import console
from colorize_media.cli.main import run
from colorize_media.events import Done, as_json
from tests.made.films import make_video

PROGRAM = [sys.executable, "-m", "colorize_media"]


def test_plain_progress_lines_off_a_terminal(
    photo: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "PLAIN_EVERY", 0.0)
    film = make_video(photo.with_name("film.mkv"), frames=12)
    assert run([str(film), "--force", "--model", str(fresh_weights)]) == 0
    told = capsys.readouterr().err
    assert "fps" in told
    assert "left" in told
    assert "\x1b" not in told


def test_a_bar_with_fps_and_time_left_on_a_terminal(photo: Path, fresh_weights: Path) -> None:
    """In a pseudo-terminal, as a person runs it."""
    import pty

    film = make_video(photo.with_name("film.mkv"), frames=60)
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [*PROGRAM, str(film), "--force", "--working-size", "64", "--model", str(fresh_weights)],
        stderr=slave,
        env=environment,
    ) as job:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        assert job.wait(60) == 0
    assert b"fps" in shown
    assert b"film.mkv" in shown


@pytest.mark.parametrize(
    ("terminal", "shown"),
    [(False, "60 of 100 pictures, 40 s left\n"), (True, "\r\x1b[K60 of 100 pictures, 40 s left\r\x1b[K")],
)
def test_a_long_count_is_told_in_place_or_now_and_then(
    terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter((0.0, 0.1, 60.0, 60.2, 70.0))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    tell = console.Count("pictures")
    for done in (1, 60, 61, 100):
        tell(done, 100)
    assert capsys.readouterr().err == shown


def test_what_became_of_a_films_sound_is_told_in_one_line_and_in_the_json() -> None:
    told = ("audio stream 1 (wmav2): written as flac", "audio stream 2 (wmav2): written as flac")
    event = Done(Path("in.wmv"), Path("out.mp4"), 25, 1.0, converted=told)
    line = "in.wmv: audio stream 1 (wmav2): written as flac; audio stream 2 (wmav2): written as flac"
    assert console.lines_of(event, quiet=False, verbose=0)[1:] == [line]
    assert console.lines_of(event, quiet=True, verbose=0) == []
    assert as_json(event)["converted"] == list(told)
