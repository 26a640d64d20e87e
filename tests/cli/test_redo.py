"""How an output was made, asked afterwards: `inspect` in words and as JSON, `redo` as a command."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from skimage import data

from colorize_media.archive.memory import Memory
from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.cli.main import run
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from tests.made.films import grey_frames, make_video
from tests.made.photos import grey_picture, save
from tests.told import told_in_four_parts

Do = Callable[..., int]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The JSON that a command prints, one object of each line; and with it the exit code."""

    def command(*words: object) -> tuple[int, Any]:
        capsys.readouterr()
        code = run([*map(str, words), "--json"])
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, rows[0] if len(rows) == 1 else rows

    return command


PHOTOS = ["a.jpg", "a.png", "a.tif", "a.webp", "a.avif", "a.bmp", "a.ppm", "a.jp2"]
FILMS = ["a.mp4", "a.mov", "a.mkv", "a.webm"]


def test_each_format_gives_its_record_back(tmp_path: Path, colorizer: Colorizer, ask: Callable[..., Any]) -> None:
    """In the file itself where the format has room; else this user's cache remembers it."""
    options = ColorizeOptions(working_size=64, vividness=1.2, quality=80)
    (tmp_path / "in").mkdir()
    outputs = []
    for name in (*PHOTOS, *FILMS):
        kind = Path(name).suffix[1:]
        photo, film = tmp_path / "in" / f"{kind}.png", tmp_path / "in" / f"{kind}.mkv"
        source = save(photo, grey_picture()) if name in PHOTOS else make_video(film, frames=grey_frames(2))
        outputs.append(tmp_path / "out" / f"made.{kind}")
        plan = make_plan([source], outputs[-1], overwrite=False, memory=Memory(options))
        assert run_plan(plan, Running(lambda: colorizer, options)) == 0
    code, rows = ask("inspect", *outputs)
    assert code == 0
    said = {Path(row["source"]).suffix: row for row in rows}
    without = {".bmp", ".ppm", ".jp2"}
    assert {suffix: row["recorded"] for suffix, row in said.items()} == {
        path.suffix: "memory" if path.suffix in without else "file" for path in outputs
    }
    for suffix, row in said.items():
        record = row["record"]
        assert record["options"] == {"vividness": 1.2, "working_size": 64}
        assert record["settings"] == ({"quality": 80} if f"a{suffix}" in PHOTOS else {})
        assert record["source"].startswith(suffix[1:])
        assert row["made"][0].startswith("made on 2026-05-04 10:00 UTC by colorize-media")


def test_an_output_folder_remembers_for_formats_without_room(
    tmp_path: Path, do: Do, ask: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in" / "x").mkdir(parents=True)
    save(tmp_path / "in" / "x" / "a.bmp", grey_picture())
    (tmp_path / "in" / "frames").mkdir()
    for number in range(2):
        save(tmp_path / "in" / "frames" / f"f{number}.png", grey_picture(seed=number))
    assert do(tmp_path / "in", "-o", tmp_path / "out", "--image-sequence", "24") == 0
    shutil.move(tmp_path / "out", tmp_path / "moved")
    _, row = ask("inspect", tmp_path / "moved" / "x" / "a.bmp")
    assert (row["recorded"], row["record"]["source"]) == ("manifest", "a.bmp")
    _, row = ask("inspect", tmp_path / "moved" / "frames" / "f1.png")
    assert (row["recorded"], row["record"]["options"]["image_sequence"]) == ("file", "24")
    capsys.readouterr()
    assert run(["inspect", str(tmp_path / "moved" / "x" / "a.bmp")]) == 0
    told = capsys.readouterr().out
    assert f"of {tmp_path / 'in' / 'x' / 'a.bmp'} (sha256 " in told
    assert "its output folder remembers it" in told
    assert "with image sequence 24, working size 64" in told


def test_what_carries_no_record_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = save(tmp_path / "holiday.png", data.coffee())
    assert run(["inspect", str(other)]) == 0
    assert "it carries no record of having been made by this program" in capsys.readouterr().out
    assert run(["redo", str(other)]) == 1
    told_in_four_parts(capsys.readouterr().err, "nothing says how it was made", other)
    assert run(["redo", str(tmp_path / "none.png")]) == 1
    told_in_four_parts(capsys.readouterr().err, "no such file", tmp_path / "none.png")


def test_the_command_that_is_shown_makes_the_same_again(
    tmp_path: Path, do: Do, ask: Callable[..., Any], fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = save(tmp_path / "it's a.png", grey_picture()), tmp_path / "out.jpg"
    assert do(source, "-o", target, "--vividness", "1.3", "--no-sidecars", "--fast", "--quality", "70") == 0
    before = target.read_bytes()
    code, told = ask("redo", target)
    assert (code, len(told["missing"])) == (1, 1), "the test's network is not shipped; the source is beside the output"
    assert "the network fresh is not shipped: give --model its weights" in told["missing"][0]
    capsys.readouterr()
    assert run(["redo", str(target)]) == 1
    words = shlex.split(capsys.readouterr().out)
    assert words[:4] == ["colorize-media", str(source), "-o", str(target)]
    words[words.index("fresh")] = str(fresh_weights)
    assert run([*words[1:], "-y", "--device", "cpu"]) == 0
    assert target.read_bytes() == before


def test_options_that_were_given_several_times_are_read_back(
    tmp_path: Path, do: Do, ask: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    film = make_video(tmp_path / "a.mkv", frames=grey_frames(2))
    given = ["--encoder-option", "slices=4", "--encoder-option", "slicecrc=1"]
    command = (film, "--encoder", "ffv1", *given)
    assert do(*command) == 0
    _, told = ask("redo", tmp_path / "a.color.mkv")
    assert given == told["command"][told["command"].index("--encoder-option") :][:4]
    assert told["record"]["settings"]["encoder_option"] == given[1::2]
    capsys.readouterr()
    assert do(*command) == 0
    assert capsys.readouterr().err == "a.mkv: skipped, the output is already there\n"


def test_sources_and_weights_that_are_gone_or_changed_are_named(
    tmp_path: Path, do: Do, ask: Callable[..., Any]
) -> None:
    (tmp_path / "in").mkdir()
    source = make_video(tmp_path / "in" / "a.mkv", frames=grey_frames(3))
    assert do(tmp_path / "in", "-o", tmp_path / "out", "--crf", "30", "--start", "0.04") == 0
    code, told = ask("redo", tmp_path / "out" / "a.mkv")
    assert told["command"] == [
        *("colorize-media", str(source), "-o", str(tmp_path / "out" / "a.mkv"), "--model", "fresh"),
        *("--crf", "30", "--start", "0.04", "--working-size", "64"),
    ]
    assert [text.partition(":")[0] for text in told["missing"]] == ["the network fresh is not shipped"]
    make_video(source, frames=grey_frames(4))
    assert ask("redo", tmp_path / "out" / "a.mkv")[1]["missing"][0].startswith("the source was changed since")
    source.unlink()
    assert ask("redo", tmp_path / "out" / "a.mkv")[1]["missing"][0].startswith("the source is not there")
    assert code == 1
