"""Measure networks on pictures: every row of a table sees the same pictures at the same size.

Pictures are brought to a short side of ``size`` px and cut to the middle square; the network sees their L (at its own
working size), and its ab is enlarged bicubically and compared with the truth at full size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_media.color import rgb_to_lab
from colorize_media.models import Network
from colorize_media.training.metrics import ColorMetrics
from colorize_media.training.pictures import PictureStore, center_square

SIZE = 256  # px, of the published figures


@dataclass(frozen=True)
class Decoding:
    """How a distribution becomes colour: annealed mean at ``temperature``, chroma times ``gain``."""

    temperature: float = 1.0
    gain: float = 1.0


def squares(store: PictureStore, size: int, batch: int) -> Iterator[Tensor]:
    """Batches of true Lab ``(B, 3, size, size)``."""
    for start in range(0, len(store), batch):
        rgb = np.stack([center_square(picture, size) for picture in store.pictures[start : start + batch]])
        yield rgb_to_lab(torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 255.0)


@torch.inference_mode()
def predict_ab(
    network: Network, lightness: Tensor, decodings: Sequence[Decoding], working_size: int, device: torch.device
) -> list[Tensor]:
    """ab ``(B, 2, H, W)`` of L ``(B, 1, H, W)`` for each decoding, the network seeing a square of ``working_size`` px."""
    height, width = lightness.shape[-2:]
    seen = lightness.to(device)
    if (height, width) != (working_size, working_size):
        seen = F.interpolate(seen, (working_size, working_size), mode="bicubic", antialias=True).clamp(0.0, 100.0)
    with torch.autocast(device.type, torch.bfloat16):
        output = network(seen)
    return [
        decoding.gain
        * F.interpolate(output.mean(decoding.temperature), (height, width), mode="bicubic", align_corners=False).cpu()
        for decoding in decodings
    ]


def evaluate_network(
    network: Network,
    store: PictureStore,
    decodings: Sequence[Decoding],
    *,
    size: int = SIZE,
    working_size: int = SIZE,
    device: torch.device | None = None,
    batch: int = 8,
) -> list[dict[str, float]]:
    """One row of `ColorMetrics.result` per decoding. Leaves the network in the mode it was in."""
    device = device or torch.device("cpu")
    was_training = network.training
    network.eval()
    rows = [ColorMetrics() for _ in decodings]
    for lab in squares(store, size, batch):
        for row, ab in zip(rows, predict_ab(network, lab[:, :1], decodings, working_size, device), strict=True):
            row.add(lab[:, :1], ab, lab[:, 1:])
    network.train(was_training)
    return [row.result() for row in rows]


def evaluate_grey(store: PictureStore, *, size: int = SIZE, batch: int = 8) -> dict[str, float]:
    """The row that any table starts with: ab = 0 everywhere."""
    row = ColorMetrics()
    for lab in squares(store, size, batch):
        row.add(lab[:, :1], torch.zeros_like(lab[:, 1:]), lab[:, 1:])
    return row.result()
