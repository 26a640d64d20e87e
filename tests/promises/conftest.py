"""The command line, as a person would use it, with a small network that has learned nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from colorize_media.cli.main import run
from tests.made.films import grey_frames, make_video

Colorize: TypeAlias = Callable[..., int]


@pytest.fixture
def colorize(fresh_regression: Path) -> Colorize:
    """Runs the command line with these words; returns its exit code."""
    settings = ["--model", str(fresh_regression), "--device", "cpu", "--working-size", "64"]
    return lambda *words: run([*map(str, words), *settings])


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Twelve frames with two tracks of sound, a text, chapters and tags, alone in a folder."""
    (tmp_path / "films").mkdir()
    return make_video(
        tmp_path / "films" / "street.mkv", frames=grey_frames(12), audio=2, subtitle="subrip", attachment=b"letters",
        tags={"title": "A street", "comment": "1921"}, languages=("", "nor", "eng", "deu"),
        chapters=[(0, 200, "morning"), (200, 480, "evening")],
    )  # fmt: skip
