"""Promise 9: what lies in a folder is not trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from colorize_media.cli.console import lines_of
from colorize_media.cli.terminal import harmless
from colorize_media.events import Warned
from tests.made.films import grey_frames, make_video
from tests.made.photos import grey_picture, save
from tests.promises.conftest import Colorize


def test_no_link_is_followed_to_write(tmp_path: Path, colorize: Colorize) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    save(tmp_path / "in" / "anna.png", grey_picture())
    victim = tmp_path / "victim.txt"
    victim.write_text("not yours")
    (tmp_path / "out" / "anna.png").symlink_to(victim)
    colorize(tmp_path / "in", "-o", tmp_path / "out", "--overwrite")
    assert victim.read_text() == "not yours"


def test_what_is_no_regular_file_is_told_and_not_waited_for(tmp_path: Path, colorize: Colorize) -> None:
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / "anna.png", grey_picture())
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    assert colorize(tmp_path / "in", "-o", tmp_path / "out") == 1
    assert (tmp_path / "out" / "anna.png").exists()


def test_a_name_cannot_drive_the_terminal(
    tmp_path: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "\x1b]0;mine\x07\x1b[31m.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert colorize(tmp_path / "in", "-o", tmp_path / "out") == 1
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\x07" not in told.out + told.err


def test_a_name_cannot_drive_the_report(tmp_path: Path, colorize: Colorize) -> None:
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / "<img src=x onerror=alert(1)>.png", grey_picture())
    assert colorize(tmp_path / "in", "-o", tmp_path / "out", f"--report={tmp_path / 'report.html'}") == 0
    assert "<img src=x" not in (tmp_path / "report.html").read_text()


def test_nothing_is_written_or_removed_through_a_link(tmp_path: Path, colorize: Colorize) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    save(tmp_path / "in" / "$(touch ran).png", grey_picture())
    make_video(tmp_path / "in" / "film.mkv", frames=grey_frames(3))
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("segment-000000", "state-000000", "job.json", "film.mkv", "lock", "startup"):
        (victim / name).write_text("not yours")
    (tmp_path / "out" / ".colorize-media.jsonl").symlink_to(victim / "startup")
    (tmp_path / "out" / ".film.mkv.colorize-media").symlink_to(victim)
    assert colorize(tmp_path / "in", "-o", tmp_path / "out") == 1
    assert (tmp_path / "out" / "$(touch ran).png").exists()
    assert {path.read_text() for path in victim.iterdir()} == {"not yours"}
    assert len(list(victim.iterdir())) == 6


def test_what_a_film_says_of_itself_cannot_drive_the_terminal(
    tmp_path: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    say_of_themselves = "\x1b]0;mine\x07\x1b[31m"
    (tmp_path / "out").mkdir()
    save(tmp_path / "in.png", grey_picture())
    line = {
        "version": 1, "target": "in.png", "source": str(tmp_path / "in.png"), "stamp": [1, 1], "made": None,
        "status": "failed", "options": "", "reason": say_of_themselves,
    }  # fmt: skip
    (tmp_path / "out" / ".colorize-media.jsonl").write_text(json.dumps(line) + "\n")
    event = Warned(tmp_path / "in.png", say_of_themselves)
    assert "\x1b" not in harmless("\n".join(lines_of(event, quiet=False, verbose=0)))
    colorize(tmp_path / "in.png", "-o", f"{tmp_path / 'out'}/", "--model", say_of_themselves)
    told = capsys.readouterr()
    assert told.err
    assert "\x1b" not in told.out + told.err
