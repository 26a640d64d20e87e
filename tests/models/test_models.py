"""Networks and their weights files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.color import rgb2lab
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

from colorize_media.errors import OutputUnwritable, UnknownModel, WeightsDamaged
from colorize_media.models import (
    RegressionConfig,
    ResNet18Encoder,
    ScenesConfig,
    bin_centres,
    build,
    find_weights,
    fold_batch_norms,
    load_rgb_weights,
    load_weights,
    read_description,
    save_weights,
)
from colorize_media.models.checkpoint import FORMAT
from colorize_media.models.distribution import ColorDistribution
from tests.made.networks import lively

CONFIGS = [
    ScenesConfig(scene_classes=("a", "b", "c")),
    RegressionConfig(),
    ScenesConfig(encoder="efficientnet-lite0", decoder=(128, 64, 64)),
]
BOTH = pytest.mark.parametrize("config", CONFIGS, ids=["scenes", "regression", "lite0"])


def test_bins_are_the_cells_that_srgb_reaches() -> None:
    """scikit-image's cells of every fourth colour are bins; its cells of all colours and the one of OpenCV are all bins."""
    centres = {tuple(row) for row in bin_centres().int().tolist()}
    assert len(centres) == 262
    grid = np.stack(np.meshgrid(*[np.r_[0:256:3]] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    surface = np.stack(np.meshgrid(*[np.r_[0:256]] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    faces = [np.insert(surface, place, level, axis=1) for place in range(3) for level in (0, 255)]
    colors = np.concatenate([grid[:, 0], *faces]).astype(np.uint8)  # extremes of ab lie on the cube's faces
    cells = np.unique(np.round(rgb2lab(colors[:, None])[:, 0, 1:] / 10).astype(int) * 10, axis=0)
    reached = {tuple(row) for row in cells.tolist()}
    assert reached <= centres
    assert centres - reached == {(20, -80)}


@BOTH
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (61, 83), (256, 33)])
def test_any_size_gives_a_quarter_grid(config: ScenesConfig | RegressionConfig, size: tuple[int, int]) -> None:
    network = build(config).eval()
    with torch.inference_mode():
        output = network(100 * torch.rand(2, 1, *size))
    grid = (-(-size[0] // 4), -(-size[1] // 4))
    assert output.offset.shape == (2, 2, *grid)
    assert output.mean().shape == (2, 2, *grid)
    assert output.scene is None
    if config.kind == "scenes":
        assert output.logits is not None
        assert output.logits.shape == (2, 262, *grid)
        assert output.offset.abs().max() <= config.residual_bound


@pytest.mark.parametrize(
    ("config", "left"), [(CONFIGS[0], 4), (CONFIGS[1], 0), (CONFIGS[2], 4)], ids=["scenes", "regression", "lite0"]
)
def test_folded_batch_norms_leave_the_function_as_it_was(config: ScenesConfig | RegressionConfig, left: int) -> None:
    """Those of sums of two branches stay: the bottleneck's, and one in each step of the decoder."""
    network, folded = lively(config), lively(config)
    fold_batch_norms(folded)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == left
    lightness = 100 * torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        expected, output = network(lightness), folded(lightness)
    torch.testing.assert_close(output.mean(), expected.mean(), atol=1e-3, rtol=0)


def test_batch_norms_that_still_learn_are_not_folded() -> None:
    with pytest.raises(AssertionError):
        fold_batch_norms(build(CONFIGS[0]).train())


def test_scene_classes_are_an_output_of_training_only() -> None:
    network = build(CONFIGS[0])
    assert network.train()(torch.rand(2, 1, 64, 64)).scene.shape == (2, 3)
    assert network.eval()(torch.rand(2, 1, 64, 64)).scene is None


@BOTH
def test_a_batch_equals_single_pictures(config: ScenesConfig | RegressionConfig) -> None:
    network = build(config).eval()
    pictures = 100 * torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        together = network(pictures).mean()
        alone = torch.cat([network(picture[None]).mean() for picture in pictures])
    torch.testing.assert_close(together, alone, atol=2e-3, rtol=1e-4)


def test_cost_of_scenes() -> None:
    network = build(ScenesConfig(scene_classes=tuple("abcdefgh" * 5))).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 1, 256, 256))
    assert counter.get_total_flops() < 7.5e9


@BOTH
def test_weights_file_round_trip(config: ScenesConfig | RegressionConfig, tmp_path: Path) -> None:
    network = build(config).eval()
    file = tmp_path / "x.safetensors"
    save_weights(file, network, {"scores": {"auc": 91.0}})
    again, record = load_weights(file)
    assert again.config == config
    assert not again.training
    assert record == {"scores": {"auc": 91.0}}
    assert read_description(file) == (config, record)
    assert file.stat().st_size < 30e6
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
    picture = 100 * torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            again(picture).mean(), network(picture).mean(), atol=0.5, rtol=0.05
        )  # float16 storage


def test_encoder_keys_are_torchvisions() -> None:
    ours = set(ResNet18Encoder().state_dict())
    theirs = set(resnet18().state_dict())
    assert theirs - ours == {"fc.weight", "fc.bias"}
    assert ours <= theirs


def test_rgb_weights_give_the_same_features_for_a_grey_picture() -> None:
    torch.manual_seed(0)
    theirs = resnet18().eval()
    ours = ResNet18Encoder().eval()
    load_rgb_weights(ours, theirs.state_dict())
    grey = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(grey.expand(1, 3, 64, 64)))))
        expected = theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(x))))
        torch.testing.assert_close(ours(grey)[-1], expected, atol=1e-3, rtol=1e-3)


def test_rgb_weights_that_miss_a_key_are_refused() -> None:
    state = resnet18().state_dict()
    del state["layer3.0.conv1.weight"]
    with pytest.raises(RuntimeError, match=r"layer3\.0\.conv1\.weight"):
        load_rgb_weights(ResNet18Encoder(), state)


def test_annealed_mean_goes_from_expectation_to_mode() -> None:
    logits = torch.full((1, 262, 1, 1), -50.0)
    logits[0, 17], logits[0, 200] = 6.0, 5.0
    output = ColorDistribution(logits, torch.zeros(1, 2, 1, 1))
    mode = bin_centres()[17].view(1, 2, 1, 1)
    assert torch.dist(output.mean(0.01), mode) < 1e-3
    distances = [torch.dist(output.mean(t), mode).item() for t in (0.1, 0.38, 1.0)]
    assert distances == sorted(distances)
    weights = torch.softmax(logits[0, :, 0, 0], 0)
    torch.testing.assert_close(output.mean(1.0).flatten(), weights @ bin_centres())


def _break_format(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["format"] = "somebody-else/3"


def _break_config(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["config"] = json.dumps({"kind": "scenes", "wings": 2})


def _break_kind(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["config"] = json.dumps({"kind": "transformer"})


def _lose_a_tensor(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    del tensors["bin_head.weight"]


def _add_a_tensor(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["stowaway"] = torch.zeros(3)


def _change_a_shape(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["bin_head.bias"] = torch.zeros(313)


def _poison(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["bin_head.bias"] = torch.full((262,), float("nan"))


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_break_format, "format"),
        (_break_config, "wings"),
        (_break_kind, "transformer"),
        (_lose_a_tensor, "Error"),
        (_add_a_tensor, "Error"),
        (_change_a_shape, "Error"),
        (_poison, "not finite"),
    ],
)
def test_damaged_weights_are_refused_with_a_reason(
    fresh_weights: Path, tmp_path: Path, damage: object, word: str
) -> None:
    from safetensors import safe_open

    with safe_open(fresh_weights, framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(fresh_weights)
    damage(tensors, metadata)  # type: ignore[operator]
    file = tmp_path / "damaged.safetensors"
    save_file(tensors, file, metadata)
    with pytest.raises(WeightsDamaged) as caught:
        load_weights(file)
    assert word in caught.value.why
    assert caught.value.path == file
    assert "--model" in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("content", [b"", b"no tensors here", b"\xff" * 64])
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsDamaged):
        load_weights(file)
    with pytest.raises(WeightsDamaged):
        load_weights(tmp_path / "absent.safetensors")


def test_a_cut_file_is_refused(fresh_weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "cut.safetensors"
    file.write_bytes(fresh_weights.read_bytes()[:1_000_000])
    with pytest.raises(WeightsDamaged):
        load_weights(file)


def test_finding_weights(fresh_weights: Path, tmp_path: Path) -> None:
    assert find_weights(str(fresh_weights)) == fresh_weights
    run = tmp_path / "run"
    run.mkdir()
    (run / "weights.safetensors").write_bytes(b"x")
    assert find_weights(str(run)) == run / "weights.safetensors"
    with pytest.raises(UnknownModel, match="unknown model") as caught:
        find_weights("monet")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["scenes", "regression"])
def test_shipped_weights_load_and_say_what_they_are(name: str) -> None:
    file = find_weights(name)
    network, record = load_weights(file)
    assert network.config.kind == name
    assert file.stat().st_size < 30e6
    assert record["scores"]["auc"] > 90.5  # grey has 89.8
    assert record["recipe"]["network"] == name


def test_weights_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    """In a folder that is not there and in a "folder" that is a file."""
    (tmp_path / "file").write_bytes(b"kept")
    for path in (tmp_path / "none" / "w.safetensors", tmp_path / "file" / "w.safetensors"):
        with pytest.raises(OutputUnwritable, match="cannot write weights"):
            save_weights(path, build(RegressionConfig()), {})
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0.0}, {"temperature": float("nan")}, {"temperature": -1.0}, {"temperature": "0.7"},
        {"temperature": True}, {"chroma_gain": 1e308}, {"chroma_gain": float("inf")}, {"chroma_gain": -1.0},
        {"picture_gain": 99.0}, {"refine": float("nan")}, {"residual_bound": 1e9}, {"decoder": [1 << 30, 8, 8]},
        {"decoder": [8, 8]}, {"decoder": [0, 8, 8]}, {"global_width": 1 << 40}, {"encoder": "mine"},
    ],
)  # fmt: skip
def test_weights_whose_config_cannot_be_are_damaged(tmp_path: Path, values: dict[str, object]) -> None:
    text = json.dumps({"kind": "scenes", **values})
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", {"format": FORMAT, "config": text, "record": "{}"})
    for read in (read_description, load_weights):
        with pytest.raises(WeightsDamaged) as caught:
            read(tmp_path / "a.safetensors")
        assert (
            next(iter(values)) in caught.value.why
            or "channels" in caught.value.why
            or "not supported" in caught.value.why
        )


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_weights_have_the_mode_that_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_weights(tmp_path / "a.safetensors", build(RegressionConfig()), {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640
