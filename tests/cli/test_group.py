"""The default command needs no name, wherever its options stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media import __version__
from colorize_media.cli.main import run


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_options_may_stand_before_the_input(photo: Path, fresh_weights: Path) -> None:
    assert run(["-o", str(photo.with_name("x.jpg")), "--model", str(fresh_weights), str(photo)]) == 0
    assert photo.with_name("x.jpg").is_file()
