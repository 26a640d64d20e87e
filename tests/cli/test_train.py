"""Training and evaluation as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from tests.told import told_in_four_parts


def test_train_on_a_folder_says_what_it_left_out_and_its_weights_colour(
    tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = tmp_path / "scenes" / "beach"
    scenes.mkdir(parents=True)
    for number in range(60):  # one in forty or so is held back to choose by
        Image.fromarray(data.astronaut()[number : number + 96, number : number + 96]).save(scenes / f"{number}.png")
    (scenes / "broken.jpg").write_bytes(b"no picture")
    (scenes / "notes.txt").write_text("holidays")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text('network = "regression"\nsteps = 2\nbatch = 2\nsizes = [[0.0, 64]]\n')
    run_folder = tmp_path / "mine"
    assert run(["train", str(tmp_path / "scenes"), "-o", str(run_folder), "--recipe", str(recipe)]) == 0
    first, *rows = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["kind"] == "data"
    assert first["pictures"] + first["val_pictures"] == 60
    assert first["val_pictures"] > 0
    assert first["dropped"] == {"not a picture": 1, "not readable": 1}
    assert {row["kind"] for row in rows} == {"pace", "mixture", "train", "val"}
    assert run([str(photo), "-o", str(tmp_path / "color.png"), "--model", str(run_folder)]) == 0
    with Image.open(tmp_path / "color.png") as colored:
        assert colored.mode == "RGB"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sheet", "s.png"], "--sheet is for pictures only"),
        (["-o", "report"], "--output is for pictures only"),
        (["--size", "256"], "--size is for pictures only"),
        (["--vividness", "1", "--vividness", "0.5"], "too many values of vividness"),
        (["--model", "scenes", "--model", "regression"], "too many models"),
    ],
)
def test_nothing_that_is_asked_of_films_goes_unheard(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "--video", str(tmp_path), *words]) == 2
    told_in_four_parts(capsys.readouterr().err, told, why="--video compares ways of smoothing")


def test_what_the_environment_says_of_pictures_does_not_stop_films(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLORIZE_MEDIA_SIZE", "128")
    assert run(["evaluate", "--video", str(tmp_path)]) == 1
    assert "no film in this folder" in capsys.readouterr().err
