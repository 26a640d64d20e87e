"""Promise 5: a failure is never a success, and silence is neither."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from colorize_media.cli.main import run
from tests.made.photos import grey_picture, save
from tests.promises.conftest import Colorize
from tests.told import outcomes, told_in_four_parts


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A good photograph, a broken one, an empty one, one in colour."""
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / "good.png", grey_picture())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "empty.mp4").touch()
    save(folder / "meadow.png", np.ascontiguousarray(data.coffee()[::4, ::4]))
    return folder


def test_every_file_is_told_and_one_failure_stops_no_other(
    tmp_path: Path, archive: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    assert colorize(archive, "-o", tmp_path / "out", "--json") == 1
    assert outcomes(capsys.readouterr().out) == {
        "good.png": "done",
        "broken.jpg": "failed",
        "empty.mp4": "failed",
        "meadow.png": "skipped",
    }
    made = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert made == {"good.png"}


def test_a_failure_says_what_which_file_why_and_what_to_do(
    tmp_path: Path, archive: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    assert colorize(archive / "empty.mp4", "-o", tmp_path / "out.mp4") == 1
    told_in_four_parts(capsys.readouterr().err, "empty", archive / "empty.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_nothing_in_a_folder_is_passed_over_in_silence(
    tmp_path: Path, archive: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file is coloured, skipped, failed or counted; on the console, in the JSON, in the dry run, in the report."""
    (archive / "notes.txt").write_text("words")
    (archive / "list.odd").write_text("words")
    (archive / "round").symlink_to(archive)
    line = f"{archive}: neither pictures nor films: 1 .odd, 1 .txt; links to folders: 1"
    assert colorize(archive, "-o", tmp_path / "out", "-n") == 0
    assert line in capsys.readouterr().out.splitlines()
    assert colorize(archive, "-o", tmp_path / "out", "--report") == 1
    told = capsys.readouterr().err.splitlines()
    assert line in told
    assert any(text.startswith("1 coloured, 1 skipped, 2 failed, 3 passed over in ") for text in told)
    page = json.loads((tmp_path / "out" / "colorize-media-report.json").read_text())
    assert line in page["notes"]
    for words in (["-n"], []):
        colorize(archive, "-o", tmp_path / "out", "--json", *words)
        events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        planned = [Path(event["source"]).name for event in events if event["event"] == "planned"]
        (passed,) = [event for event in events if event["event"] == "passed"]
        count = sum(passed["files"].values()) + sum(passed["others"].values())
        assert passed["found"] == len(planned)
        assert len(planned) + count == len(list(archive.iterdir()))
    assert events[-1]["passed"] == count


def test_a_folder_without_pictures_is_told(
    tmp_path: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    assert colorize(tmp_path / "in") == 1
    assert capsys.readouterr().err.splitlines() == [f"{tmp_path / 'in'}: no pictures or films in it"]


def test_it_stays_a_failure_the_next_time(tmp_path: Path, archive: Path, colorize: Colorize) -> None:
    """Nothing is left to do, and the exit code says still that not all is done."""
    assert [colorize(archive, "-o", tmp_path / "out") for _ in range(2)] == [1, 4]


@pytest.mark.parametrize(
    ("words", "code"), [(["--vividness", "9"], 2), (["--start", "soon"], 2), (["--device", "cuda:77"], 3)]
)
def test_wrong_usage_and_a_missing_device_are_no_failed_files(
    archive: Path, fresh_regression: Path, words: list[str], code: int
) -> None:
    before = sorted(archive.iterdir())
    assert run([str(archive / "good.png"), "--model", str(fresh_regression), *words]) == code
    assert sorted(archive.iterdir()) == before
