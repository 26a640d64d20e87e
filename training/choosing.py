"""How a trained network is decoded: chosen on validation pictures, looked at as the command looks at photographs.

Three things together. How much of the rebalancing to take back: training weighs rare colours by w, so the network says p·w;
subtracting s·log w from the bins' biases goes back towards p (s = 1), which is truer and less vivid. The temperature of the
annealed mean. The chroma gain that brings colourfulness to a share of the truth's, beside each picture's own gain
(`network.refine.own_gain`), which won on pictures of other sources at equal colour and is not asked about again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from colorize_media.models import ScenesNet
from colorize_media.training.evaluation import Decoding, evaluate_network
from colorize_media.training.pictures import PictureStore

TAKEN_BACK = (0.0, 0.5, 1.0)
TEMPERATURES = (0.55, 0.7, 0.85, 1.0)
GAINS = (0.7, 1.0, 1.3)
PICTURE_GAIN = 1.0


@dataclass(frozen=True)
class Choice:
    """One way to decode, and what it scored at the share of colour that was asked for, or as near to it as gains go."""

    score: float
    taken_back: float
    temperature: float
    gain: float
    auc: float
    auc_rebalanced: float


def choose_decoding(
    network: ScenesNet,
    store: PictureStore,
    log_weights: Tensor,
    share: float,
    *,
    working_size: int,
    device: torch.device | None = None,
    on_choice: Callable[[Choice], None] = lambda choice: None,
) -> Choice:
    """The way with the largest 2·AuC + rebalanced AuC, put into the network's config and biases.

    A point of AuC, where grey has 90 already, is worth more. ``log_weights (262,)`` are the logarithms of the rebalancing
    weights that the network was trained with. ``on_choice`` hears each way that is tried.
    """
    tried = []
    for taken_back in TAKEN_BACK:
        shift(network, -taken_back * log_weights)
        tried += _of_temperatures(network, store, share, taken_back, working_size, device)
        shift(network, taken_back * log_weights)
        for choice in tried[-len(TEMPERATURES) :]:
            on_choice(choice)
    best = max(tried, key=lambda choice: choice.score)
    shift(network, -best.taken_back * log_weights)
    network.config = dataclasses.replace(
        network.config, temperature=best.temperature, chroma_gain=best.gain, picture_gain=PICTURE_GAIN
    )
    return best


def shift(network: ScenesNet, logits: Tensor) -> None:
    """Add to the bins' biases: the same as adding to every pixel's logits."""
    assert network.bin_head.bias is not None
    with torch.no_grad():
        network.bin_head.bias.add_(logits.to(network.bin_head.bias.device))


def _of_temperatures(
    network: ScenesNet,
    store: PictureStore,
    share: float,
    taken_back: float,
    working_size: int,
    device: torch.device | None,
) -> list[Choice]:
    decodings = [
        Decoding(temperature, gain, network.config.refine, still=True, picture_gain=PICTURE_GAIN, widen=True)
        for temperature in TEMPERATURES
        for gain in GAINS
    ]
    rows = evaluate_network(network, store, decodings, working_size=working_size, device=device)
    found = []
    for start, temperature in zip(range(0, len(rows), len(GAINS)), TEMPERATURES, strict=True):
        at = rows[start : start + len(GAINS)]
        gain = float(np.interp(share, [row["colorfulness_ratio"] for row in at], GAINS))
        auc, rebalanced = (float(np.interp(gain, GAINS, [row[key] for row in at])) for key in ("auc", "auc_rebalanced"))
        found.append(Choice(2 * auc + rebalanced, taken_back, temperature, round(gain, 2), auc, rebalanced))
    return found
