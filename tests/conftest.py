"""Fixtures shared by all rooms. Media are made in memory; weights are a fresh network of the real shape."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# Read by OpenMP when torch is loaded, here and in the programs that tests start. Under pytest-xdist each of them computes in
# one thread: as many workers as cores keep them all busy, and more threads would only take the cores from each other.
os.environ["OMP_NUM_THREADS"] = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"
# Threads that wait sleep instead of spinning: every thread that computes has a team of its own, and spinning teams took the
# cores from decoders and encoders, so that on two busy cores the film tests took up to ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# What is coloured now says that it was coloured then: equal work gives equal bytes, in the programs that tests start too.
os.environ["SOURCE_DATE_EPOCH"] = "1777888800"  # 2026-05-04 10:00

import cv2
import pytest
import torch

from colorize_media.models import RegressionConfig, ScenesConfig, build, save_weights
from colorize_media.network.colorizer import Colorizer

pytest.register_assert_rewrite("tests.told")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    threads = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """A shell's background jobs ignore SIGINT, and so would the processes that tests start and interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_user_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No config file, no memory and no COLORIZE_MEDIA_* variable of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith("COLORIZE_MEDIA_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("settings")))


@pytest.fixture(scope="session")
def fresh_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `scenes` network that has learned nothing; its colours are wrong but not grey."""
    torch.manual_seed(7)
    network = build(ScenesConfig(scene_classes=("beach", "street")))
    with torch.no_grad():
        network.residual_head.bias.copy_(torch.tensor([0.6, -0.4]))
    path = tmp_path_factory.mktemp("weights") / "fresh.safetensors"
    save_weights(path, network, {"note": "untrained"})
    return path


@pytest.fixture(scope="session")
def fresh_regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `regression` network that has learned nothing."""
    torch.manual_seed(8)
    path = tmp_path_factory.mktemp("weights") / "regression.safetensors"
    save_weights(path, build(RegressionConfig()), {"note": "untrained"})
    return path


@pytest.fixture(scope="session")
def colorizer(fresh_weights: Path) -> Colorizer:
    """The network of `fresh_weights` on the CPU, loaded once for all tests that only ask it for colours."""
    return Colorizer(str(fresh_weights), "cpu", batch_size=4)


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Real films and prints; skips loudly where they are not."""
    if not (SHARED / "media").is_dir():
        pytest.skip(f"real media are not at {SHARED / 'media'}")
    return SHARED / "media"
