"""Promise 9: what lies in a folder is not trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
