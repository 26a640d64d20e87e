"""Engines: one contract over all of them, which one is chosen, and what OpenVINO must not do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from colorize_media.errors import BadOption, DeviceMissing, LibraryMissing
from colorize_media.models import RegressionConfig, ScenesConfig, load_weights, save_weights
from colorize_media.network import engines
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.device import network_dtype
from colorize_media.network.engines import Engine, OpenVinoEngine, TorchEngine, choose_engine
from tests.made.networks import lively

CPU = torch.device("cpu")


def make(kind: str, weights: Path, dtype: torch.dtype) -> Engine:
    network, _ = load_weights(weights)
    return OpenVinoEngine(network, dtype) if kind == "openvino" else TorchEngine(network, CPU, dtype)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind of network."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {}
    for config in (ScenesConfig(decoder=(64, 48, 32)), RegressionConfig()):
        paths[config.kind] = folder / f"{config.kind}.safetensors"
        save_weights(paths[config.kind], lively(config), {"note": "untrained"})
    return paths


# --- the contract


@pytest.mark.parametrize("model", ["scenes", "regression"])
@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_every_engine_computes_the_network_in_any_batch_and_size(
    kind: str, model: str, weights: dict[str, Path]
) -> None:
    network, _ = load_weights(weights[model])
    engine = make(kind, weights[model], torch.float32)
    assert engine.name == kind
    for count, height, width in ((2, 64, 96), (1, 32, 32), (5, 160, 224), (1, 256, 352), (2, 64, 96)):
        lightness = 100 * torch.rand(count, 1, height, width)
        before = lightness.clone()
        output = engine(lightness)
        with torch.inference_mode():
            expected = network(lightness)
        assert output.offset.shape == (count, 2, height // 4, width // 4)
        torch.testing.assert_close(output.mean(0.7), expected.mean(0.7), atol=2e-3, rtol=0)
        assert (output.logits is None) == (expected.logits is None)
        assert torch.equal(lightness, before)


@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_results_stay_when_the_engine_works_on(kind: str, weights: dict[str, Path]) -> None:
    """Nothing that was handed out is written into again."""
    engine = make(kind, weights["scenes"], network_dtype(CPU))
    first = engine(torch.full((1, 1, 64, 64), 20.0))
    kept = first.mean()
    engine(torch.full((1, 1, 64, 64), 80.0))
    assert torch.equal(first.mean(), kept)


@pytest.mark.parametrize("model", ["scenes", "regression"])
def test_engines_agree_at_the_cpus_own_precision(model: str, weights: dict[str, Path]) -> None:
    lightness = 100 * torch.rand(3, 1, 96, 64)
    by_torch, by_openvino = (
        Colorizer(str(weights[model]), "cpu", engine=engine).colors(lightness) for engine in ("torch", "openvino")
    )
    assert np.abs(by_torch).max() > 0.1
    np.testing.assert_allclose(by_openvino, by_torch, atol=1.0)  # ab units: both round to bfloat16, not in one order


def test_openvino_uses_as_many_threads_as_pytorch(weights: dict[str, Path]) -> None:
    network, _ = load_weights(weights["regression"])
    for threads in (0, 1):
        request = OpenVinoEngine(network, torch.float32, threads=threads)._request
        assert request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == (
            threads or torch.get_num_threads()
        )


# --- the choice


def test_auto_is_torch_whatever_is_installed() -> None:
    assert choose_engine("auto", "cpu") == ("torch", CPU)
    assert choose_engine("torch", "cpu") == ("torch", CPU)


@pytest.mark.parametrize(
    ("device", "dtype", "installed", "chosen"),
    [
        ("cpu", torch.bfloat16, True, "openvino"),
        ("cpu", torch.float32, True, "torch"),
        ("cpu", torch.bfloat16, False, "torch"),
        ("cuda", torch.bfloat16, True, "torch"),
    ],
)
def test_what_auto_asks_before_it_may_choose_openvino(
    device: str, dtype: torch.dtype, installed: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "OPENVINO_IN_AUTO", True)
    monkeypatch.setattr(engines, "choose_device", torch.device)
    monkeypatch.setattr(engines, "network_dtype", lambda device: dtype)
    monkeypatch.setattr(engines, "find_spec", lambda name: object() if installed else None)
    assert choose_engine("auto", device) == (chosen, torch.device(device))


def test_openvino_is_for_the_cpu() -> None:
    assert choose_engine("openvino", "auto") == choose_engine("openvino", "cpu") == ("openvino", CPU)
    for device in ("cuda", "cuda:1", "mps"):
        with pytest.raises(BadOption, match="CPU only") as caught:
            choose_engine("openvino", device)
        assert "--engine torch" in caught.value.hint


def test_an_unknown_engine_and_a_missing_device() -> None:
    with pytest.raises(BadOption, match="tensorflow"):
        choose_engine("tensorflow", "cpu")
    with pytest.raises(DeviceMissing):
        choose_engine("auto", "cuda:99")


# --- by the command


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "old.png"
    Image.fromarray(data.camera()[::4, ::4]).save(path)
    return path


def test_both_engines_colour_a_photograph_alike(
    photo: Path, weights: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = []
    for engine in ("torch", "openvino"):
        target = photo.with_name(f"{engine}.png")
        assert (
            run(
                [
                    str(photo),
                    "-o",
                    str(target),
                    "--model",
                    str(weights["scenes"]),
                    "--device",
                    "cpu",
                    "--engine",
                    engine,
                ]
            )
            == 0
        )
        assert f"by {engine} on cpu" in capsys.readouterr().err
        pictures.append(np.asarray(Image.open(target)).astype(int))
    assert np.ptp(pictures[0], axis=2).max() > 0
    assert np.abs(pictures[0] - pictures[1]).max() <= 3


def test_openvino_on_a_gpu_is_wrong_usage(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(photo), "--engine", "openvino", "--device", "cuda"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("error: engine openvino works on the CPU only")
    assert [line[:7] for line in told[1:3]] == ["  why: ", "  do:  "]
    assert not photo.with_name("old.color.png").exists()


def test_openvino_that_is_not_installed(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert run([str(photo), "--engine", "openvino"]) == 3
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "error: engine openvino is not installed"
    assert "openvino" in told[1]
    assert "pip install openvino" in told[2]
    assert not photo.with_name("old.color.png").exists()
    with pytest.raises(LibraryMissing):
        Colorizer(engine="openvino")


def test_doctor_tells_whether_openvino_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("engine openvino")]
    assert "answers 16×16" in line
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert run(["doctor"]) == 0
    assert "pip install openvino" in capsys.readouterr().out


# --- in a process of its own


def alone(code: str, *arguments: object, **environment: str) -> str:
    """What Python code prints that has no other tests around it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=kept | environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_openvino_reports_to_nobody(weights: dict[str, Path], tmp_path: Path) -> None:
    """By itself it would write an identifier to the home folder and call its makers, from a process of its own."""
    code = """
import os, sys
seen = []
def watch(event, values):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethost", "subprocess", "os.fork", "urllib")):
        seen.append(event)
sys.addaudithook(watch)
import torch
from colorize_media.network.colorizer import Colorizer
before = len(seen)  # PyTorch asks the linker for libraries while it is imported
print(Colorizer(sys.argv[1], engine="openvino").colors(torch.zeros(1, 1, 32, 32)).shape)
print(seen[before:], "openvino_telemetry.main" in sys.modules)
"""
    told = alone(code, weights["regression"], HOME=str(tmp_path), USERPROFILE=str(tmp_path))
    assert told.splitlines() == ["(1, 8, 8, 2)", "[] False"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
def test_running_out_of_memory_for_real_halves_the_batch(weights: dict[str, Path]) -> None:
    """OpenVINO without memory could return as if all were well, with the pictures before in its hands."""
    code = """
import resource, sys
import numpy as np, torch
from colorize_media.network.colorizer import Colorizer
torch.set_num_threads(1)
colorizer = Colorizer(sys.argv[1], "cpu", engine="openvino", batch_size=1)
pictures = torch.nn.functional.interpolate(100 * torch.rand(64, 1, 4, 4), (128, 128))
expected = colorizer.colors(pictures)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150 * 2**20, -1))
colorizer.batch_size = 64
colors = colorizer.colors(pictures)
unlike = np.abs(expected - expected[::-1]).max(axis=(1, 2, 3)).min()  # so that no picture's colours pass for another's
print(colorizer.batch_size < 64, np.abs(colors - expected).max() < 0.5, unlike > 1.0)
"""
    assert alone(code, weights["scenes"]) == "True True True"
