"""Networks compared at equal colour."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from colorize_media.models import ScenesConfig, save_weights
from colorize_media.training.commands import evaluate_command
from colorize_media.training.equal_color import CLOSE, EqualColor
from colorize_media.training.evaluation import Decoding, evaluate_network
from colorize_media.training.pictures import load_pictures
from tests.made.networks import lively
from tests.training.test_engine import scenes

NETWORK = lively(ScenesConfig(), seed=2)


def test_the_gain_brings_the_share_that_was_asked_for() -> None:
    store = load_pictures(scenes(20), 64)
    same = EqualColor(NETWORK, store, size=64, working_size=64)
    for share in (0.2, 0.4):
        gain, metrics = same.at_share(share)
        assert metrics.result()["colorfulness_ratio"] == pytest.approx(share, abs=CLOSE)
        assert metrics.pictures == 20
        expected = evaluate_network(NETWORK, store, [Decoding(gain=gain)], size=64, working_size=64)[0]
        found = metrics.result()
        assert found["auc"] == pytest.approx(expected["auc"], abs=0.02)  # kept in half precision
        assert found["auc_rebalanced"] == pytest.approx(expected["auc_rebalanced"], abs=0.1)
    row = same.row((0.2,))
    assert set(row) == {"auc@0.2", "auc_rebalanced@0.2", "gain@0.2"}


def test_a_network_without_colour_has_no_gain_that_helps() -> None:
    grey = lively(ScenesConfig(residual_bound=0.0))
    torch.nn.init.zeros_(grey.bin_head.weight)
    torch.nn.init.constant_(grey.bin_head.bias, -40.0)
    grey.bin_head.bias.data[grey.bin_head.bias.shape[0] // 2] = 0.0
    store = load_pictures(scenes(4), 64)
    gain, metrics = EqualColor(grey, store, size=64, working_size=64).at_share(0.75)
    assert 0 < gain <= 6.0
    assert metrics.pictures == 4


def test_evaluate_shows_rows_at_equal_colour_and_by_source(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "beach"
    folder.mkdir(parents=True)
    for picture in scenes(3):
        (folder / picture.name).write_bytes(picture.data)
    save_weights(tmp_path / "w.safetensors", NETWORK, {})
    rows = evaluate_command(
        tmp_path / "in", torch.device("cpu"), models=(str(tmp_path / "w.safetensors"),), limit=0, size=64,
        working_size=64, vividness=(1.0,), equal=(0.3,), sheet=None, report=None, fid_weights=None, lpips_weights=None,
    )  # fmt: skip
    same = [row for row in rows if row["output"] == "mean at 0.3 of the colour"]
    assert [Path(str(row["model"])).name for row in same] == ["regression", "w.safetensors"]
    assert all(row["colorfulness_ratio"] == pytest.approx(0.3, abs=0.01) for row in same)
