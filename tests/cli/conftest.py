"""What tests of the command line start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from tests.made.films import make_video


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "old.png"
    Image.fromarray(data.camera()[::4, ::4]).save(path)
    return path


@pytest.fixture
def long_film(tmp_path: Path) -> Path:
    """Long enough to be stopped after the first word of progress, which comes 0.2 s after the first frame."""
    return make_video(tmp_path / "film.mkv", frames=120)


@pytest.fixture
def do(fresh_weights: Path) -> Callable[..., int]:
    """The command, with a small network; gives the exit code."""

    def command(*words: object) -> int:
        return run([*map(str, words), "--model", str(fresh_weights), "--device", "cpu", "--working-size", "64"])

    return command
