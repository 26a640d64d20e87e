"""Promise 10: every result says how it was made; the same command again changes nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from colorize_media import __version__
from colorize_media.archive.manifest import MANIFEST_NAME
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
    assert b"2026-05-04T10:00:00Z" in said, "when"
    assert b"torch " in said, "by what"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_a_film_says_which_program_coloured_it_when_with_which_network_and_from_what(
    tmp_path: Path, film: Path, colorize: Colorize, fresh_regression: Path, suffix: str
) -> None:
    target = tmp_path / f"out{suffix}"
    assert colorize(film, "-o", target, "--drop-streams") == 0  # only Matroska takes its attachment
    said = target.read_bytes()
    weights = hashlib.sha256(fresh_regression.read_bytes()).hexdigest()
    for words in (
        f"colorize-media {__version__}",
        "street.mkv",
        weights,
        "2026-05-04",
        "compositeWithTrainedAlgorithmic",
    ):
        assert words.encode() in said, words
    quiet = tmp_path / f"quiet{suffix}"
    assert colorize(film, "-o", quiet, "--no-provenance", "--drop-streams") == 0
    assert b"colorize-media" not in quiet.read_bytes()


def test_an_output_folder_remembers_how_each_file_was_made(tmp_path: Path, film: Path, colorize: Colorize) -> None:
    save(film.with_name("anna.png"), grey_picture())
    assert colorize(film.parent, "-o", tmp_path / "out", "--vividness", "1.2") == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / MANIFEST_NAME).read_text().splitlines()]
    assert {line["record"]["source"] for line in lines} == {"anna.png", "street.mkv"}
    for record in (line["record"] for line in lines):
        assert (record["program"], record["version"]) == ("colorize-media", __version__)
        assert (record["model"], len(record["weights"])) == ("regression", 64)
        assert record["options"] == {"vividness": 1.2, "working_size": 64}
        assert record["date"] == "2026-05-04T10:00:00Z"


def test_the_same_command_again_changes_nothing(tmp_path: Path, film: Path, colorize: Colorize) -> None:
    save(film.with_name("anna.png"), grey_picture())
    command = (film.parent, "-o", tmp_path / "out", "--force")
    assert colorize(*command) == 0
    made = [tmp_path / "out" / name for name in ("anna.png", "street.mkv")]
    before = [path.stat() for path in made]
    assert colorize(*command) == 0
    assert [path.stat().st_mtime_ns for path in made] == [stat.st_mtime_ns for stat in before]
    assert [path.stat().st_ino for path in made] == [stat.st_ino for stat in before]
