"""A chain of runs: from pictures to weights that the command uses, and on from wherever it was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from colorize_media.errors import BadOption
from colorize_media.models import load_weights
from colorize_media.training.chain import is_chain, read_chain, recipes_of, run_chain
from colorize_media.training.pictures import load_pictures
from tests.training.test_engine import scenes

CPU = torch.device("cpu")
NETWORK = """
network = "scenes"
encoder = "efficientnet-lite0"
decoder = [16, 16, 16]
residual_bound = 0.0
scene_weight = 0.0
steps = 9
batch = 4
sizes = [[0.0, 32]]
"""
CHAIN = """
[[stage]]
name = "teacher"
recipe = "little"
ships = false
on_cpu = { steps = 3 }

[[stage]]
name = "student"
recipe = "little"
teacher = "teacher"
init = "teacher"
share = 0.5
on_cpu = { steps = 2 }
on_gpu = { steps = 7, batch = 8 }
"""


@pytest.fixture
def chain(tmp_path: Path) -> str:
    (tmp_path / "little.toml").write_text(NETWORK)
    (tmp_path / "chain.toml").write_text(CHAIN)
    return str(tmp_path / "chain.toml")


def test_the_shipped_chain_teaches_both_shipped_networks() -> None:
    assert is_chain("chain")
    assert not is_chain("scenes")
    assert [(stage.name, stage.teacher, stage.ships) for stage in read_chain("chain")] == [
        ("teacher", "", False),
        ("scenes", "teacher", True),
        ("swift", "teacher", True),
    ]
    for device in ("cpu", "cuda"):
        teacher, *students = recipes_of("chain", torch.device(device))
        assert teacher.encoder == "efficientnet-lite2"
        assert all(student.teacher for student in students)


def test_a_chain_s_stages_depend_on_the_machine(chain: str) -> None:
    assert [recipe.steps for recipe in recipes_of(chain, CPU)] == [3, 2]
    assert [(recipe.steps, recipe.batch) for recipe in recipes_of(chain, torch.device("cuda"))] == [(9, 4), (7, 8)]


def test_a_chain_goes_on_where_it_was_cut_off(chain: str, tmp_path: Path) -> None:
    store, val = load_pictures(scenes(8, size=64), 64), load_pictures(scenes(3, size=64), 64)
    folder, rows = tmp_path / "out", []

    class Killed(Exception):
        pass

    def die(row: dict[str, Any]) -> None:
        rows.append(row)
        if row["stage"] == "student" and row["kind"] == "mixture":
            raise Killed

    with pytest.raises(Killed):
        run_chain(chain, store, val, folder, device=CPU, on_row=die)
    taught = (folder / "teacher" / "weights.safetensors").read_bytes()
    assert not (folder / "student.safetensors").exists()
    run_chain(chain, store, val, folder, device=CPU, on_row=rows.append)
    assert (folder / "teacher" / "weights.safetensors").read_bytes() == taught  # not done twice
    assert (folder / "student" / "teacher.safetensors").read_bytes() == taught
    network, record = load_weights(folder / "student.safetensors")
    assert record["scores"].keys() == record["scores_mean"].keys()
    assert record["steps"] == 2
    assert 0.7 <= network.config.chroma_gain <= 1.3
    assert network.config.picture_gain == 1.0
    assert rows[-1]["kind"] == "shipped"
    assert not (folder / "teacher.safetensors").exists()
    # Done: nothing is done again.
    again: list[dict[str, Any]] = []
    run_chain(chain, store, val, folder, device=CPU, on_row=again.append)
    assert again == []


@pytest.mark.parametrize(
    "text",
    [
        '[[stage]]\nname = "a"\nrecipe = "scenes"\nteacher = "b"\n[[stage]]\nname = "b"\nrecipe = "scenes"',
        '[[stage]]\nname = "a"\nrecipe = "scenes"\n[[stage]]\nname = "a"\nrecipe = "scenes"',
        '[[stage]]\nname = "../a"\nrecipe = "scenes"',
        '[[stage]]\nname = "a"\nrecipe = "scenes"\nwings = 2',
    ],
)
def test_bad_chains_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(BadOption, match="bad stage"):
        read_chain(str(tmp_path / "bad.toml"))
