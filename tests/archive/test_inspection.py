"""`colorize-media inspect`: the decision and its numbers, for photographs, films and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from colorize_media.version import __version__
from tests.made.films import grey_frames, make_video


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(data.camera()).save(folder / "a grey.png")
    Image.fromarray(data.coffee()).save(folder / "b colour.jpg")
    (folder / "c broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    make_video(folder / "d film.mp4", frames=grey_frames(6))
    Image.fromarray(data.text()).save(folder / "e text.png")
    return folder


def rows(text: str) -> dict[str, dict[str, object]]:
    found = [json.loads(line) for line in text.splitlines()]
    return {Path(row["source"]).name: row for row in found}


def test_json_has_the_decision_and_its_numbers(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "--json", "--skip-documents", str(archive)]) == 1  # one is broken
    found = rows(capsys.readouterr().out)
    assert [(row["decision"], row["kind"]) for row in found.values()] == [
        ("color", "photo"), ("leave", "photo"), ("fail", "photo"), ("color", "video"), ("leave", "photo"),
    ]  # fmt: skip
    numbers = found["b colour.jpg"]["verdict"]
    assert isinstance(numbers, dict)
    assert numbers["kind"] == "color"
    assert numbers["residual"] > 3.7
    assert found["c broken.jpg"]["verdict"] is None
    assert "damaged" in str(found["c broken.jpg"]["reason"])
    assert sorted(path.name for path in archive.parent.iterdir()) == ["in"]  # nothing is written


def test_the_table_has_a_line_for_each_file_and_force_changes_the_decision(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", "--exclude", "c*", str(archive), "--force"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "residual" in head
    assert len(lines) == 4
    assert all(line.startswith("color") for line in lines)
    assert "document" in lines[3]


def test_a_missing_file_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(tmp_path / "none.jpg")]) == 1
    assert "no such file" in capsys.readouterr().out
    assert run(["inspect"]) == 2


def test_what_this_program_coloured_is_told(
    tmp_path: Path, fresh_regression: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(data.camera()[::4, ::4]).save(tmp_path / "anna.png")
    make_video(tmp_path / "street.mkv", frames=grey_frames(3))
    make_video(tmp_path / "road.mp4", frames=grey_frames(3))
    settings = ["--model", str(fresh_regression), "--device", "cpu", "--working-size", "64"]
    names = ("anna.png", "street.mkv", "road.mp4")
    assert run([*(str(tmp_path / name) for name in names), "-o", str(tmp_path / "out"), *settings]) == 0
    capsys.readouterr()
    assert run(["inspect", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line.strip() for line in lines if line.startswith(" ")]
    made = f"made on 2026-05-04 10:00 UTC by colorize-media {__version__}, network regression (weights sha256 "
    assert len(told) == 3 * 4
    assert all(line.startswith(made) for line in told[::4])
    assert [line.split()[1] for line in told[1::4]] == ["anna.png", "road.mp4", "street.mkv"]
    assert told[2::4] == ["with working size 64"] * 3
    assert told[3::4] == ["the file says so"] * 3
    assert run(["inspect", "--json", str(tmp_path), str(tmp_path / "out")]) == 0
    by_path = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {Path(row["source"]).parent.name for row in by_path if row["mark"]} == {"out"}
    assert sum(bool(row["mark"]) for row in by_path) == 3
