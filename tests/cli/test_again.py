"""The same command again, a slip of the finger, nothing to do: told, and with an exit code of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorize_media.cli.console import PlainLines, lines_of
from colorize_media.cli.main import run
from colorize_media.events import Event, Started, Summary
from tests.made.films import grey_frames, make_video
from tests.made.photos import grey_picture, save
from tests.told import told_in_four_parts

Do = Callable[..., int]


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


def test_outputs_of_older_weights_are_named_and_done_again_on_request(
    tmp_path: Path, fresh_weights: Path, fresh_regression: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "x").mkdir(parents=True)
    save(folder / "x" / "anna.png", grey_picture())
    for name, weights in (("then", fresh_weights), ("now", fresh_regression)):
        (tmp_path / name).mkdir()
        shutil.copy(weights, tmp_path / name / "net.safetensors")

    def command(network: str, *words: object) -> dict[str, dict[str, Any]]:
        """The last event of each kind."""
        model = ["--model", str(tmp_path / network / "net.safetensors"), "--device", "cpu", "--working-size", "64"]
        assert run(["--json", *map(str, words), *model]) == 0
        return {row["event"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}

    for words in ((folder, "-o", out), (folder / "x" / "anna.png",)):
        target = out / "x" / "anna.png" if len(words) > 1 else folder / "x" / "anna.color.png"
        command("then", *words)
        first = target.read_bytes()
        told = command("now", *words)
        assert "made by other weights of net" in told["skipped"]["reason"]
        assert told["summary"]["older"] == [str(target)]
        assert target.read_bytes() == first
        assert "done" in command("now", *words, "--redo-older")
        assert target.read_bytes() != first
        assert command("now", *words, "--redo-older")["skipped"]["reason"] == "the output is already there"
    assert lines_of(Summary(0, 2, 0, 1.0, older=(Path("x/anna.png"),)), quiet=False, verbose=0)[1:] == [
        "1 output was made by older weights or an older version (--redo-older does it again): anna.png"
    ]


def test_outputs_without_a_source_are_named_and_never_removed(
    tmp_path: Path, do: Do, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("anna.png", "bert.png", "carl.png"):
        save(folder / name, grey_picture())
    assert do(folder, "-o", out) == 0
    for name in ("anna.png", "bert.png"):
        (folder / name).unlink()
    os.utime(out / "bert.png")  # somebody works on it
    capsys.readouterr()
    assert do(folder, "-o", out, "-n", "--quick") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 output without a source")
    assert do(folder, "-o", out, "--report") == 0
    assert "1 output without a source, which is gone (nothing is removed): anna.png" in capsys.readouterr().err
    said = json.loads((out / "colorize-media-report.json").read_text())
    assert said["orphaned"] == [str(out / "anna.png")]
    assert any("1 output without a source" in note for note in said["notes"])
    (row,) = (row for row in said["rows"] if row["source"].endswith("anna.png"))
    assert row["reason"].endswith("its source is gone")
    assert do(folder, "-o", out, "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    orphaned = {row["event"]: row["orphaned"] for row in rows if row["event"] in ("passed", "summary")}
    assert orphaned == {event: [str(out / "anna.png")] for event in ("passed", "summary")}
    (folder / "carl.png").unlink()
    assert do(folder, "-o", out) == 1
    assert {path.name for path in out.iterdir()} >= {"anna.png", "bert.png", "carl.png"}


def test_an_interrupted_run_still_writes_the_report_of_what_is_done(
    tmp_path: Path, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    make_video(folder / "a.mkv", frames=grey_frames(3))
    make_video(folder / "b.mkv", frames=grey_frames(3))
    tell = PlainLines.__call__

    def end_in_the_second(self: PlainLines, event: Event) -> None:
        tell(self, event)
        if isinstance(event, Started) and event.source.name == "b.mkv":
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(PlainLines, "__call__", end_in_the_second)
    assert do(folder, "-o", out, "--report") == 130
    said = json.loads((out / "colorize-media-report.json").read_text())
    assert [(Path(row["source"]).name, row["status"]) for row in said["rows"]] == [("a.mkv", "done")]
    assert said["interrupted"]
    assert "interrupted: 1 files were not reached; the same command goes on with them" in said["notes"]
    assert (out / "colorize-media-report.html").exists()
