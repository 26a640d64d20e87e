"""Promise 10: every result says how it was made (photographs, today); the same command again changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media import __version__
from tests.made.photos import grey_picture, save
from tests.promises.conftest import Colorize


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_photograph_says_which_program_coloured_it_and_from_what(
    tmp_path: Path, colorize: Colorize, suffix: str
) -> None:
    source, target = save(tmp_path / f"in{suffix}", grey_picture()), tmp_path / f"out{suffix}"
    assert colorize(source, "-o", target) == 0
    said = target.read_bytes()
    assert f"colorize-media {__version__}".encode() in said
    assert f"in{suffix}".encode() in said
    assert b"compositeWithTrainedAlgorithmicMedia" in said or b"algorithmicallyEnhanced" in said


def test_the_same_command_again_changes_nothing(tmp_path: Path, film: Path, colorize: Colorize) -> None:
    save(film.with_name("anna.png"), grey_picture())
    command = (film.parent, "-o", tmp_path / "out", "--force")
    assert colorize(*command) == 0
    made = [tmp_path / "out" / name for name in ("anna.png", "street.mkv")]
    before = [path.stat() for path in made]
    assert colorize(*command) == 0
    assert [path.stat().st_mtime_ns for path in made] == [stat.st_mtime_ns for stat in before]
    assert [path.stat().st_ino for path in made] == [stat.st_ino for stat in before]
