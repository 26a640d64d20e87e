"""What is given to learn from, and how often it is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media.errors import BadOption, TrainingProblem
from colorize_media.training.inputs import Input, find_inputs, parse_input, read_inputs


def test_the_last_colon_counts_only_if_no_such_path_exists(tmp_path: Path) -> None:
    (tmp_path / "Scenes").mkdir()
    (tmp_path / "odd:3").mkdir()
    assert parse_input(f"{tmp_path}/Scenes") == Input(tmp_path / "Scenes", 1.0)
    assert parse_input(f"{tmp_path}/Scenes:3") == Input(tmp_path / "Scenes", 3.0)
    assert parse_input(f"{tmp_path}/Scenes:0.5") == Input(tmp_path / "Scenes", 0.5)
    assert parse_input(f"{tmp_path}/odd:3") == Input(tmp_path / "odd:3", 1.0)
    assert parse_input(f"{tmp_path}/odd:3:2") == Input(tmp_path / "odd:3", 2.0)
    assert parse_input("C:\\Scenes").weight == 1.0
    with pytest.raises(BadOption, match="weight"):
        parse_input(f"{tmp_path}/Scenes:0")


def test_pictures_carry_their_input_s_weight(tmp_path: Path) -> None:
    for name in ("Scenes/sea/1.jpg", "Family/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    inputs = [parse_input(f"{tmp_path}/Scenes:3"), parse_input(f"{tmp_path}/Family")]
    found = [(picture.name, picture.weight) for picture in read_inputs(find_inputs(inputs))]
    assert found == [("sea/1.jpg", 3.0), ("2.jpg", 1.0)]
    with pytest.raises(TrainingProblem, match="no training data"):
        find_inputs([parse_input(f"{tmp_path}/nothing:2")])
