"""The same command again, a slip of the finger, nothing to do: told, and with an exit code of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_media.cli.main import run
from tests.made.films import grey_frames, make_video
from tests.made.photos import grey_picture, save
from tests.told import told_in_four_parts

Do = Callable[..., int]


@pytest.fixture
def do(fresh_weights: Path) -> Do:
    def command(*words: object) -> int:
        return run([*map(str, words), "--model", str(fresh_weights), "--device", "cpu", "--working-size", "64"])

    return command


def test_all_files_of_a_folder_by_their_names_a_second_time(
    tmp_path: Path, do: Do, capsys: pytest.CaptureFixture[str]
) -> None:
    """``colorize-media *``: what the first run made is among the inputs."""
    save(tmp_path / "anna.jpg", grey_picture())
    make_video(tmp_path / "film.mkv", frames=grey_frames(3))
    assert do(*sorted(tmp_path.iterdir())) == 0
    save(tmp_path / "bert.png", grey_picture(seed=1))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert do("--json", *sorted(tmp_path.iterdir())) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    skipped = {Path(row["source"]).name: row["reason"] for row in rows if row["event"] == "skipped"}
    assert skipped == {
        "anna.jpg": "the output is already there", "anna.color.jpg": "made by this program of anna.jpg",
        "film.mkv": "the output is already there", "film.color.mkv": "made by this program of film.mkv",
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == before.keys() | {"bert.color.png"}
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())


def test_an_original_that_is_called_like_an_output_is_not_taken_for_one(
    tmp_path: Path, do: Do, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (save(tmp_path / name, grey_picture()) for name in ("anna.jpg", "anna.color.jpg"))
    assert do(one, other) == 2
    told_in_four_parts(capsys.readouterr().err, "the output would replace an input", other)


def test_what_failed_before_and_has_not_changed_has_an_exit_code_of_its_own(
    tmp_path: Path, do: Do, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    save(folder / "anna.png", grey_picture())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert do(folder, "-o", out) == 1
    capsys.readouterr()
    assert do(folder, "-o", out) == 4
    assert "1 failed (1 of them before, and unchanged)" in capsys.readouterr().err
    assert do(folder, "-o", out, "--strict") == 1
    shutil.copy(folder / "broken.jpg", folder / "again.jpg")
    assert do(folder, "-o", out) == 1  # one is new
    assert do(folder, "-o", out, "--retry-failed") == 1


def test_an_empty_name_is_no_folder(
    tmp_path: Path, do: Do, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "anna.png", grey_picture())
    monkeypatch.chdir(tmp_path)
    for words in (("",), ("anna.png", "-o", ""), ("anna.png", "")):
        assert do(*words) == 2
        assert "the name is empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["anna.png"]


@pytest.mark.parametrize("words", [(), ("--include", "*.tif"), ("-n",), ("--report",)])
def test_where_nothing_is_found_the_run_has_failed(
    tmp_path: Path, do: Do, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.pdf").write_bytes(b"%PDF-1.4")
    assert do(*words, tmp_path / "in", "-o", tmp_path / "out") == 1
    told = capsys.readouterr()
    assert "no pictures or films in it" in told.out + told.err
    assert (tmp_path / "out" / "colorize-media-report.html").exists() == (words == ("--report",))


@pytest.mark.parametrize(("word", "meant"), [("inspekt", "inspect"), ("evaluat", "evaluate"), ("docter", "doctor")])
def test_a_command_that_is_nearly_right(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([word, "x"]) == 2
    assert f"Did you mean '{meant}'" in capsys.readouterr().err


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (["help"], "Commands"),
        (["help", "inspect"], "Say of every picture"),
        (["--vividnes", "1"], ""),
    ):
        code = run(words)
        out = capsys.readouterr()
        assert (code, told in out.out) == (0, True) if told else (code, "--vividness" in out.err) == (2, True)


def test_a_report_does_not_swallow_the_folder(tmp_path: Path, do: Do) -> None:
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / "anna.png", grey_picture())
    assert do("--report", tmp_path / "in", "-o", tmp_path / "out") == 0
    assert (tmp_path / "out" / "colorize-media-report.html").exists()
    assert do("--report", tmp_path / "page.html", tmp_path / "in", "-o", tmp_path / "out") == 0
    assert (tmp_path / "page.html").exists()


def test_several_files_cannot_become_one(tmp_path: Path, do: Do, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (save(tmp_path / name, grey_picture()) for name in ("a.jpg", "b.jpg"))
    for inputs in ((one, other), (tmp_path,)):
        assert do(*inputs, "-o", tmp_path / "both.jpg") == 2
        told_in_four_parts(capsys.readouterr().err, "several files cannot become one", tmp_path / "both.jpg")
    assert not (tmp_path / "both.jpg").exists()
