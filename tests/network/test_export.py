"""Exported networks: what ONNX Runtime and OpenVINO compute from the files is what PyTorch computes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from colorize_media.cli.main import run
from colorize_media.models import RegressionConfig, ScenesConfig, build, load_weights, save_weights
from colorize_media.network.engines import import_openvino
from colorize_media.network.export import ExportedNetwork, description, export
from colorize_media.options import ColorizeOptions
from tests.made.networks import lively
from tests.told import told_in_four_parts

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = {
    "scenes": ScenesConfig(
        decoder=(64, 48, 32), scene_classes=("beach", "street"), temperature=0.7, chroma_gain=1.3, picture_gain=1.0
    ),
    "regression": RegressionConfig(chroma_gain=1.2),
    "classification": ScenesConfig(decoder=(64, 48, 32), fuse_global=False, residual_bound=0.0),
    "swift": ScenesConfig(encoder="efficientnet-lite0", decoder=(64, 48, 32), residual_bound=0.0),
}
EXACT = 2e-3  # ab units; float32 differs by 1e-3 at most, where ab reach their bound
SHAPES = [(1, 32, 32), (2, 96, 32), (5, 160, 224), (1, 256, 352)]  # pictures, height, width: odd multiples of 32 too

Exported = Callable[[str, str], Path]
Runner = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each config."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {name: folder / f"{name}.safetensors" for name in CONFIGS}
    for seed, (name, path) in enumerate(paths.items()):
        save_weights(path, lively(CONFIGS[name], seed), {"note": "untrained"})
    return paths


@pytest.fixture(scope="module")
def exported(weights: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """What the command writes for a network, as .onnx or .xml; each once."""
    folder = tmp_path_factory.mktemp("exported")

    @cache
    def write(name: str, suffix: str) -> Path:
        path = folder / f"{name}.{suffix}"
        assert run(["export", "--model", str(weights[name]), "-o", str(path)]) == 0
        return path

    return write


def onnx_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def runner(path: Path) -> Runner:
    """What runs the file, without the project's code."""
    if path.suffix == ".onnx":
        session = onnx_session(path)
        names = [output.name for output in session.get_outputs()]
        return lambda lightness: dict(zip(names, session.run(names, {"lightness": lightness}), strict=True))
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = import_openvino().Core().compile_model(path, "CPU", settings)
    return lambda lightness: {
        output.get_any_name(): np.array(value) for output, value in compiled({"lightness": lightness}).items()
    }


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        pytest.param("scenes", "onnx", marks=pytest.mark.slow),  # the same file as the next tests look at
        pytest.param("regression", "onnx", marks=[pytest.mark.slow, pytest.mark.long]),
        pytest.param("swift", "onnx", marks=[pytest.mark.slow, pytest.mark.long]),
        ("scenes", "xml"),
        ("regression", "xml"),
        ("classification", "xml"),
        ("swift", "xml"),
    ],
)
def test_other_programs_compute_what_pytorch_computes(
    name: str, suffix: str, weights: dict[str, Path], exported: Exported
) -> None:
    network = ExportedNetwork(load_weights(weights[name])[0])
    compute = runner(exported(name, suffix))
    for count, height, width in SHAPES:
        lightness = 100 * torch.rand(count, 1, height, width)
        with torch.inference_mode():
            expected = dict(zip(network.names, network(lightness), strict=True))
        got = compute(lightness.numpy())
        assert got.keys() == expected.keys()
        assert expected["ab"].std() > 1, "a network that says nothing shows nothing"
        for output, value in expected.items():
            np.testing.assert_allclose(
                got[output], value.numpy(), atol=EXACT, rtol=0, err_msg=f"{output} {height}×{width}"
            )


@pytest.mark.slow
def test_the_file_explains_itself(exported: Exported) -> None:
    """A stranger gets ab from logits and offset by the metadata's words alone."""
    session = onnx_session(exported("scenes", "onnx"))
    told = session.get_modelmeta().custom_metadata_map
    config, centres = json.loads(told["config"]), np.array(json.loads(told["bin_centres"]))
    assert centres.shape == (262, 2)
    lightness = 100 * np.random.default_rng(0).random((1, 1, 64, 32), np.float32)
    ab, logits, offset = session.run(["ab", "logits", "offset"], {"lightness": lightness})
    weights = np.exp(logits.astype(float) / config["temperature"])
    mean = np.einsum("bkhw,kc->bchw", weights / weights.sum(axis=1, keepdims=True), centres) + offset
    expected = np.einsum("bkhw,k->bhw", weights / weights.sum(axis=1, keepdims=True), np.linalg.norm(centres, axis=1))
    own_gain = np.clip(expected.mean() / np.linalg.norm(mean, axis=1).mean(), 1, 2.5)
    gain = config["chroma_gain"] * own_gain ** config["picture_gain"]
    np.testing.assert_allclose(ab, np.clip(gain * mean, -110, 110), atol=EXACT)
    assert "within 1 and 2.5" in told["logits"]
    assert json.loads(told["record"]) == {"note": "untrained"}
    assert "0 to 100" in told["lightness"]
    assert told["working_size"] == str(ColorizeOptions().working_size)
    assert "trained these weights" in told["license"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "outputs"),
    [("scenes", ["ab", "logits", "offset"]), pytest.param("regression", ["ab"], marks=pytest.mark.long)],
)
def test_the_graph_is_plain_dynamic_onnx(exported: Exported, name: str, outputs: list[str]) -> None:
    path = exported(name, "onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version >= 18) for opset in model.opset_import] == [("", True)]
    assert [value.name for value in model.graph.output] == outputs
    sides = [[d.dim_param for d in value.type.tensor_type.shape.dim] for value in model.graph.input]
    assert sides == [["batch", "", "height", "width"]]
    assert all(value.doc_string for value in (*model.graph.input, *model.graph.output))
    content = path.read_bytes()
    assert os.fsencode(ROOT) not in content, "paths of the machine that exported it"
    assert b"stack_trace" not in content


def test_the_size_that_the_network_sees_is_the_card_s() -> None:
    """Metadata, model card and the command's default say one number."""
    card = (ROOT / "models" / "weights" / "CARD.md").read_text(encoding="utf-8")
    (size,) = re.findall(r"The network sees (\d+) px, the default working size", card)
    about = description(build(RegressionConfig()), {}, shipped=True)
    assert about["working_size"] == size == str(ColorizeOptions().working_size)
    assert re.findall(r"short one best (\d+)", about["lightness"]) == [size]


def test_shipped_weights_carry_their_terms(tmp_path: Path) -> None:
    path = export("regression", tmp_path / "r.xml")
    model = import_openvino().Core().read_model(path)
    assert "research" in model.get_rt_info(["colorize-media", "license"]).value
    assert json.loads(model.get_rt_info(["colorize-media", "config"]).value)["kind"] == "regression"


def test_names_without_o(
    weights: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the weights, or after the folder of a training run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    os.link(weights["regression"], tmp_path / "run" / "weights.safetensors")
    assert run(["export", "--model", str(weights["regression"]), "--format", "openvino"]) == 0
    assert "wrote regression.xml" in capsys.readouterr().err
    assert run(["export", "--model", "run", "--format", "openvino"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "regression.bin", "regression.xml", "run", "run.bin", "run.xml"
    ]  # fmt: skip


@pytest.mark.parametrize("there", ["r.onnx", "r.xml", "r.bin"])
def test_what_exists_is_replaced_only_when_asked(
    weights: dict[str, Path], tmp_path: Path, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / there).write_text("precious")
    target = tmp_path / there.replace(".bin", ".xml")
    words = ["export", "--model", str(weights["regression"]), "-o", str(target)]
    assert run(words) == 2
    told_in_four_parts(capsys.readouterr().err, f"exists: {tmp_path / there}", do="-y")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"
    if there == "r.xml":
        assert run([*words, "-y"]) == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["r.bin", "r.xml"]
        assert runner(target)(np.full((1, 1, 32, 32), 50, np.float32))["ab"].shape == (1, 2, 8, 8)


@pytest.mark.parametrize("words", [["-o", "x.txt"], ["-o", "x"], ["-o", "x.onnx", "--format", "openvino"]])
def test_a_name_that_does_not_fit_is_wrong_usage(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["export", *words]) == 2
    told_in_four_parts(capsys.readouterr().err, words[1], do=".onnx for ONNX")
    assert list(tmp_path.iterdir()) == []


def test_the_weights_are_never_replaced(
    weights: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(weights["regression"].read_bytes())
    assert run(["export", "--model", str(path), "-o", str(path), "-y"]) == 2
    told_in_four_parts(capsys.readouterr().err, "replace the weights", do="name another")
    assert path.read_bytes() == weights["regression"].read_bytes()


@pytest.mark.parametrize("place", ["file/r.onnx", "file/r.xml", "folder.xml"])
def test_an_unwritable_place_leaves_nothing(
    place: str,
    weights: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is written as ONNX is not the network, whose export takes long, but written as the network is."""
    monkeypatch.setattr(
        "colorize_media.network.export._as_onnx", lambda *_: partial(onnx.save_model, onnx.ModelProto())
    )
    (tmp_path / "file").touch()
    (tmp_path / "folder.xml").mkdir()
    assert run(["export", "--model", str(weights["regression"]), "-y", "-o", str(tmp_path / place)]) == 1
    told_in_four_parts(capsys.readouterr().err, "cannot write the export", do="check the folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.xml"]


@pytest.mark.parametrize(
    ("library", "suffix", "hint"),
    [("onnx", "onnx", "pip install onnx onnxscript"), ("onnxscript", "onnx", "pip install onnx onnxscript"),
     ("openvino", "xml", "pip install openvino")],
)  # fmt: skip
def test_a_missing_library_is_named(
    library: str, suffix: str, hint: str, weights: dict[str, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, library, None)
    assert run(["export", "--model", str(weights["regression"]), "-o", str(tmp_path / f"r.{suffix}")]) == 3
    told_in_four_parts(capsys.readouterr().err, "not installed", why=library, do=hint)
    assert list(tmp_path.iterdir()) == []
