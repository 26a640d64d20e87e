"""A single file again: with the same command, other options, another source, or over somebody's file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_media.cli.main import run
from tests.made.films import grey_frames, make_video
from tests.made.photos import grey_picture, save

Again = Callable[..., str]


@pytest.fixture
def again(fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> Again:
    """Do it; what came of the one file: ``done``, or why it was skipped."""

    def command(*words: object, code: int = 0) -> str:
        capsys.readouterr()
        common = ["--json", "--model", str(fresh_weights), "--device", "cpu", "--working-size", "64"]
        assert run([*map(str, words), *common]) == code
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (row,) = (row for row in rows if row["event"] in ("done", "skipped", "failed"))
        return str(row.get("reason")) if row["event"] == "skipped" else str(row["event"])

    return command


def _make(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix in (".mkv", ".mp4"):
        return make_video(path, frames=grey_frames(3))
    return save(path, grey_picture(seed=seed))


IN_THE_FILE = ["a.jpg", "a.tif", "a.mkv", "a.mp4"]  # `redo`'s tests read every format back
NO_ROOM = ["a.bmp"]


@pytest.mark.parametrize("name", [*IN_THE_FILE, *NO_ROOM])
def test_the_same_is_skipped_and_what_has_changed_is_done_anew(tmp_path: Path, again: Again, name: str) -> None:
    source = _make(tmp_path / "in" / name)
    target = tmp_path / "in" / f"a.color{source.suffix}"
    remembered = Path(os.environ["XDG_CACHE_HOME"]) / "colorize-media" / ".colorize-media.jsonl"
    assert again(source) == "done"
    assert remembered.exists() == (name in NO_ROOM), "only what cannot say it itself is remembered elsewhere"
    assert again(source) == "the output is already there"
    first = target.read_bytes()
    changed = ("--vividness", "1.6")
    assert again(source, *changed) == "done"
    assert target.read_bytes() != first
    os.utime(source, ns=(0, source.stat().st_mtime_ns + 10**9))  # copied, restored: the same picture
    if name in IN_THE_FILE:
        assert again(source, *changed) == "the output is already there"
    source.unlink()
    _make(source, seed=5)
    os.utime(source, ns=(0, source.stat().st_mtime_ns + 2 * 10**9))
    if source.suffix in (".mkv", ".mp4"):
        make_video(source, frames=grey_frames(4))
    assert again(source, *changed) == "done"
    assert again(source, *changed) == "the output is already there"


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.jpg", ("--no-provenance",)), ("a.jpg", ("--strip-metadata",)), ("a.mkv", ("--no-provenance",))],
)
def test_what_may_not_say_it_is_remembered_in_the_users_cache(
    tmp_path: Path, again: Again, name: str, words: tuple[str, ...]
) -> None:
    source = _make(tmp_path / "in" / name)
    assert again(source, *words) == "done"
    assert again(source, *words) == "the output is already there"
    assert again(source) == "done"


def test_encoding_counts_too_and_what_changes_nothing_does_not(tmp_path: Path, again: Again) -> None:
    photo, film = _make(tmp_path / "a.jpg"), _make(tmp_path / "f.mkv")
    assert [again(photo), again(film)] == ["done", "done"]
    assert again(photo, "--batch-size", "3", "--force", "--crf", "9") == "the output is already there"
    assert again(photo, "--quality", "60") == "done"
    assert again(film, "--crf", "30") == "done"
    assert again(film, "-o", tmp_path / "other.mkv") == "done"
    assert again(film, "-o", tmp_path / "other.mkv") == "the output is already there"


def test_a_file_that_is_not_ours_is_never_replaced(tmp_path: Path, again: Again) -> None:
    source = _make(tmp_path / "a.jpg")
    other = save(tmp_path / "a.color.jpg", grey_picture(seed=3))
    before = other.read_bytes()
    assert "not known to be made by this program" in again(source)
    assert again(source, "--vividness", "1.5") == again(source)
    assert other.read_bytes() == before
    assert again(source, "-y") == "done"


def test_an_output_that_someone_changed_is_never_replaced(tmp_path: Path, again: Again) -> None:
    for name in ("a.jpg", "b.bmp"):
        source = _make(tmp_path / name)
        target = tmp_path / f"{source.stem}.color{source.suffix}"
        assert again(source) == "done"
        os.utime(target, ns=(0, source.stat().st_mtime_ns + 10**9))
        before = target.read_bytes()
        assert again(source, "--vividness", "1.5") == "the output was changed after it was made (-y replaces it)"
        assert target.read_bytes() == before


def test_an_output_that_another_program_has_written_to_counts_as_changed(tmp_path: Path, again: Again) -> None:
    """Editors of metadata can keep a file's time; they tell of themselves in its history."""
    source = _make(tmp_path / "a.jpg")
    assert again(source) == "done"
    target = tmp_path / "a.color.jpg"
    stamp, said = target.stat(), target.read_bytes()
    ours, other = b"<stEvt:action xmlns", b"<stEvt:softwareAgent xmlns"
    assert ours in said
    place = said.rindex(other)
    agent = said.index(b">colorize-media", place)
    changed = said[:agent] + b">retoucher--pro" + said[agent + len(b">colorize-media") :]
    target.write_bytes(changed)
    os.utime(target, ns=(0, stamp.st_mtime_ns))
    assert "changed after it was made" in again(source, "--vividness", "1.5")


def test_a_preview_with_other_options_is_made_anew(tmp_path: Path, again: Again) -> None:
    film = _make(tmp_path / "f.mkv")
    assert again(film, "--preview") == "done"
    assert again(film, "--preview") == "the output is already there"
    assert again(film, "--preview", "--vividness", "1.5") == "done"


@pytest.mark.parametrize("where", ["a file in its place", "no home"])
def test_a_cache_that_cannot_remember_is_told_once_and_costs_no_picture(
    tmp_path: Path, fresh_weights: Path, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if where == "no home":  # a container that runs under a number that no account has
        accounts = pytest.importorskip("pwd", reason="Windows names the folder itself")
        for name in ("XDG_CACHE_HOME", "HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(accounts, "getpwuid", lambda number: {}[number])
        why = "this user has no home folder"
    else:
        (tmp_path / "cache").write_text("no folder")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        why = "Not a directory"
    names = [str(_make(tmp_path / name, seed=len(name))) for name in ("a.bmp", "bb.bmp")]
    command = [*names, "--json", "--model", str(fresh_weights), "--device", "cpu", "--working-size", "64"]
    assert run(command) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["event"] for row in rows if row["event"] in ("done", "skipped", "failed")] == ["done", "done"]
    (told,) = (row["message"] for row in rows if "cannot be remembered for the next run" in row.get("message", ""))
    assert why in told
    assert run(command) == 0
    assert "not known to be made by this program" in capsys.readouterr().out
