"""FID and LPIPS of colours, with weights that the user brings. Nothing is fetched and no pickle is read.

Both numbers need a network that others trained and whose weights this project does not ship. torchmetrics downloads them,
or unpickles a file; here they come from safetensors files, which training/README.md tells how to make, and torchmetrics
computes with them. It is needed only if one of the two is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from colorize_media.errors import BadOption, LibraryMissing, WeightsDamaged

FEATURES = 2048
INCEPTION_SIDE = 299  # px


class PerceptualMetric(Protocol):
    """Numbers that compare rows of pictures with the truth: `start` with each batch of truth, then `add` for each row."""

    def start(self, truth: Tensor) -> None:
        """True R'G'B' ``(B, 3, H, W)`` in [0, 1]."""

    def add(self, row: Hashable, rgb: Tensor) -> None:
        """A row's R'G'B' of the same pictures."""

    def result(self, row: Hashable) -> dict[str, float]:
        """The numbers of one row, by their names."""


class Lpips:
    """LPIPS 0.1 (Zhang et al. 2018) on AlexNet's features, mean over pictures; 0 is equal."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        """``weights``: the state of torchmetrics' LPIPS network. Raises BadOption, WeightsDamaged, LibraryMissing."""
        # torchmetrics' public class fetches weights when it is made, whatever it is given; its network does not.
        kind = _from_torchmetrics("functional.image.lpips", "_LPIPS")
        self._network = _with_weights(kind(pretrained=False, pnet_rand=True, net="alex"), weights).to(device)
        self._device = device
        self._truth = torch.empty(0)
        self._sums: dict[Hashable, list[float]] = {}

    def start(self, truth: Tensor) -> None:
        self._truth = truth.to(self._device)

    def add(self, row: Hashable, rgb: Tensor) -> None:
        distances = self._network(rgb.to(self._device), self._truth, normalize=True)
        self._sums.setdefault(row, []).extend(distances.flatten().tolist())

    def result(self, row: Hashable) -> dict[str, float]:
        """``lpips``."""
        return {"lpips": sum(self._sums[row]) / len(self._sums[row])}


class FrechetInceptionDistance:
    """FID (Heusel et al. 2017) to the true pictures, with the Inception network that published figures use.

    Pictures are enlarged to 299 px bilinearly without antialiasing. Biased upwards for few pictures: compare it at one
    number of pictures only.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        """``weights``: of `fid_inception`. Raises BadOption, WeightsDamaged, LibraryMissing."""
        self._kind = _from_torchmetrics("image.fid", "FrechetInceptionDistance")
        self._network = _with_weights(fid_inception(), weights).to(device)
        self._network.fc = nn.Identity()  # the features are its input
        self._device = device
        self._true_features = torch.empty(0)
        self._rows: dict[Hashable, Any] = {}

    def start(self, truth: Tensor) -> None:
        self._true_features = self._features(truth)

    def add(self, row: Hashable, rgb: Tensor) -> None:
        if row not in self._rows:
            self._rows[row] = self._kind(feature=_AsGiven(), normalize=True).to(self._device)
        self._rows[row].update(self._true_features, real=True)
        self._rows[row].update(self._features(rgb), real=False)

    def result(self, row: Hashable) -> dict[str, float]:
        """``fid``. Raises BadOption for fewer than two pictures."""
        metric = self._rows[row]
        if metric.real_features_num_samples < 2:
            raise BadOption(
                "FID needs more pictures", why="it compares spreads", hint="give at least two, better thousands"
            )
        return {"fid": max(0.0, float(metric.compute()))}

    def _features(self, rgb: Tensor) -> Tensor:
        size = (INCEPTION_SIDE, INCEPTION_SIDE)
        wide = F.interpolate(rgb.to(self._device), size, mode="bilinear", align_corners=False)
        features: Tensor = self._network(2.0 * wide - 1.0)
        return features


class _AsGiven(nn.Module):
    """Features were taken already: those of the truth once for all rows."""

    num_features = FEATURES

    def forward(self, features: Tensor) -> Tensor:
        return features


def fid_inception() -> nn.Module:
    """The Inception-v3 of the published FID figures (TensorFlow's of 2015-12-05), with fresh weights.

    torchvision's network but for 1008 classes and its pooling: averages leave the border's padding out, and the last block
    takes the maximum.
    """
    from torchvision.models import inception_v3

    network: nn.Module = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    maximum = nn.MaxPool2d(3, stride=1, padding=1)

    def pooled_by(pool: nn.Module) -> Any:
        def replace(block: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            branch = block.get_submodule("branch_pool")(pool(inputs[0]))  # the output's last channels
            return torch.cat((output[:, : -branch.shape[1]], branch), dim=1)

        return replace

    for name in ("5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b"):
        network.get_submodule(f"Mixed_{name}").register_forward_hook(pooled_by(average))
    network.get_submodule("Mixed_7c").register_forward_hook(pooled_by(maximum))
    return network


def _from_torchmetrics(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(f"torchmetrics.{module}"), name)
    except (ImportError, AttributeError) as error:
        raise LibraryMissing(
            "FID and LPIPS need torchmetrics", why=str(error), hint='pip install "torchmetrics>=1.0"'
        ) from error


def _with_weights(network: nn.Module, path: Path) -> nn.Module:
    """In evaluation mode, without gradients. Names and shapes must be the network's own."""
    if not path.is_file():
        raise BadOption(
            "no such weights", path=path, why="there is no such file", hint="training/README.md tells how to make it"
        )
    try:
        network.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise WeightsDamaged(
            "cannot use weights",
            path=path,
            why=str(error).splitlines()[0],
            hint="make it again as training/README.md tells",
        ) from error
    return network.eval().requires_grad_(False)
