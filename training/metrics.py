"""Numbers about colours against the truth, accumulated over batches. Definitions and their sources are in each docstring.

Every number of a grey picture (ab = 0) is known to be good where colour is rare, so tables always show the grey row.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from colorize_media.color import colorfulness, fit_to_gamut, lab_to_rgb
from colorize_media.models import bin_centres
from colorize_media.models.bins import STEP

THRESHOLDS = 151  # ab distances 0 … 150
PRIOR = Path(__file__).parent / "prior.json"
_CELLS = 12  # cells on each side of grey that the table of bins covers


@cache
def reference_prior() -> Tensor:
    """The prior p̃ ``(262,)`` that weighs the class-rebalanced accuracy: fixed, so that tables can be compared."""
    return torch.tensor(json.loads(PRIOR.read_text(encoding="utf-8"))["prior"], dtype=torch.float32)


class ColorMetrics:
    """Accumulates over pictures; `result` gives the means. All inputs on the same device."""

    def __init__(self) -> None:
        self._hits = torch.zeros(THRESHOLDS, dtype=torch.float64)
        self._weighted_hits = torch.zeros(THRESHOLDS, dtype=torch.float64)
        self._weight = 0.0
        self._pixels = 0
        self._squared = 0.0
        self._psnr = 0.0
        self._colorfulness = 0.0
        self._true_colorfulness = 0.0
        self._pictures = 0

    def add(self, lightness: Tensor, ab: Tensor, true_ab: Tensor) -> None:
        """``lightness (B, 1, H, W)``; predicted and true ab ``(B, 2, H, W)`` in ab units."""
        distance = (ab - true_ab).square().sum(dim=1).sqrt().flatten()
        nearest = _nearest_bin(true_ab)
        weights = (1.0 / reference_prior().to(ab))[nearest].double()
        # A pixel at distance d counts for every threshold t ≥ d: histogram of ⌈d⌉, then a running sum.
        first = distance.ceil().long()
        inside = first < THRESHOLDS
        self._hits += torch.bincount(first[inside], minlength=THRESHOLDS).cpu()
        self._weighted_hits += torch.bincount(first[inside], weights[inside], minlength=THRESHOLDS).cpu()
        self._weight += float(weights.sum())
        self._pixels += distance.numel()
        self._squared += float(((ab - true_ab) / 255.0).square().double().sum()) / 2.0
        rgb = lab_to_rgb(fit_to_gamut(torch.cat((lightness, ab), dim=1)))
        truth = lab_to_rgb(torch.cat((lightness, true_ab), dim=1))
        error = (rgb - truth).square().mean(dim=(1, 2, 3)).clamp(min=1e-10)
        self._psnr += float((-10.0 * error.log10()).sum())
        self._colorfulness += float(colorfulness(rgb).sum())
        self._true_colorfulness += float(colorfulness(truth).sum())
        self._pictures += len(ab)

    def result(self) -> dict[str, float]:
        """Percent, units and dB by name.

        auc            share of pixels within ab distance t, averaged over t = 0 … 150 (Zhang et al. 2016), percent
        auc_rebalanced the same with pixels weighted by 1/p̃ of their nearest bin, percent
        ab_mse         mean over pixels and both channels of ((ab − true)/255)²
        psnr           of R'G'B' after gamut fitting, mean over pictures, dB; rewards grey
        colorfulness   Hasler-Süsstrunk, mean over pictures; colorfulness_ratio is over that of the truth
        """
        pixels, pictures = max(self._pixels, 1), max(self._pictures, 1)
        return {
            "auc": 100.0 * float((self._hits.cumsum(0) / pixels).mean()),
            "auc_rebalanced": 100.0 * float((self._weighted_hits.cumsum(0) / max(self._weight, 1e-12)).mean()),
            "ab_mse": self._squared / pixels,
            "psnr": self._psnr / pictures,
            "colorfulness": self._colorfulness / pictures,
            "colorfulness_ratio": self._colorfulness / max(self._true_colorfulness, 1e-12),
        }


def _nearest_bin(ab: Tensor) -> Tensor:
    """``(B, 2, H, W)`` → numbers of the nearest bins, flat in the order of ``ab[:, 0].flatten()``.

    On a square grid the nearest centre is the cell that the colour rounds to, if that cell is a bin: all cells that sRGB
    reaches are. The rest is searched.
    """
    cell = (ab / STEP).round().long().clamp(-_CELLS, _CELLS) + _CELLS
    nearest = _cell_table().to(ab.device)[cell[:, 0].flatten(), cell[:, 1].flatten()]
    strays = nearest < 0
    if strays.any():
        colors = ab.permute(0, 2, 3, 1).reshape(-1, 2)[strays]
        nearest[strays] = torch.cdist(colors, bin_centres().to(ab)).argmin(dim=1)
    return nearest


@cache
def _cell_table() -> Tensor:
    """Bin number of each cell, −1 where there is none."""
    table = torch.full((2 * _CELLS + 1, 2 * _CELLS + 1), -1, dtype=torch.long)
    cells = (bin_centres() / STEP).long() + _CELLS
    table[cells[:, 0], cells[:, 1]] = torch.arange(len(cells))
    return table
