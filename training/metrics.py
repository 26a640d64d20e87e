"""Numbers about colours against the truth, per picture and as sums that add up over batches, groups and processes.

Every number of a grey picture (ab = 0) is known to be good where colour is rare, so tables always show the grey row.
What a network says is scored as it is (AuC, ab MSE); what a viewer sees, the colours brought into the sRGB gamut at their
lightness, is scored by everything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_media.color.spaces import colorfulness, fit_to_gamut, lab_to_rgb
from colorize_media.models import bin_centres
from colorize_media.models.bins import COUNT, STEP
from colorize_media.training.video_metrics import js_divergence

THRESHOLDS = 151  # ab distances 0 … 150
CHROMA_STEP, CHROMA_CELLS = 2.0, 68  # ab units; sRGB ends at a chroma of 134
PRIOR = Path(__file__).parent / "prior.json"
_CELLS = 12  # cells on each side of grey that the table of bins covers

# What is summed over pictures, by name, and how many numbers each takes.
_PARTS = {
    "pictures": 1,
    "pixels": 1,
    "weight": 1,
    "squared": 1,
    "psnr": 1,
    "colorfulness": 1,
    "true_colorfulness": 1,
    "full_pictures": 1,
    "ssim": 1,
    "delta_e_2000": 1,
    "hits": THRESHOLDS,
    "weighted_hits": THRESHOLDS,
    "bins": COUNT,
    "true_bins": COUNT,
    "chroma": CHROMA_CELLS,
    "true_chroma": CHROMA_CELLS,
}
LENGTH = sum(_PARTS.values())
_PLACE = {
    name: slice(end - size, end) for (name, size), end in zip(_PARTS.items(), accumulate(_PARTS.values()), strict=True)
}


@cache
def reference_prior() -> Tensor:
    """The prior p̃ ``(262,)`` that weighs the class-rebalanced accuracy: fixed, so that tables can be compared."""
    return torch.tensor(json.loads(PRIOR.read_text(encoding="utf-8"))["prior"], dtype=torch.float32)


class Truth:
    """True pictures, and what every comparison with them needs: made once, used for each row of a table."""

    def __init__(self, lab: Tensor) -> None:
        """``lab (B, 3, H, W)``, inside the sRGB gamut."""
        self.lab = lab
        self.rgb = lab_to_rgb(lab)
        nearest = _nearest_bin(lab[:, 1:]).view(len(lab), -1)  # (B, H·W)
        self.weights = (1.0 / reference_prior().to(lab.device))[nearest].double()  # (B, H·W)
        self.sums = {
            "pictures": torch.ones(len(lab)),
            "pixels": torch.full((len(lab),), float(nearest.shape[1])),
            "weight": self.weights.sum(dim=1),
            "true_colorfulness": colorfulness(self.rgb),
            "true_bins": _histograms(nearest, COUNT),
            "true_chroma": _chroma_histograms(lab),
        }


def measure(truth: Truth, ab: Tensor, *, full: bool = False) -> Tensor:
    """The sums of each picture, ``(B, LENGTH)`` float64 on the CPU, for `ColorMetrics.add_sums`.

    ``ab (B, 2, H, W)`` in ab units, on the truth's device. ``full`` adds SSIM and ΔE2000, which take about as long as all
    the rest.
    """
    lab = truth.lab
    count = len(lab)
    distance = (ab - lab[:, 1:]).square().sum(dim=1).sqrt().view(count, -1)
    shown = fit_to_gamut(torch.cat((lab[:, :1], ab), dim=1))
    rgb = lab_to_rgb(shown)
    error = (rgb - truth.rgb).square().mean(dim=(1, 2, 3)).clamp(min=1e-10)
    # A pixel at distance d counts for every threshold t ≥ d: histogram of ⌈d⌉, then, in `result`, a running sum.
    first = distance.ceil().long()
    measured = truth.sums | {
        "squared": ((ab - lab[:, 1:]) / 255.0).square().double().sum(dim=(1, 2, 3)) / 2.0,
        "psnr": -10.0 * error.log10(),
        "colorfulness": colorfulness(rgb),
        "hits": _histograms(first, THRESHOLDS),
        "weighted_hits": _histograms(first, THRESHOLDS, truth.weights),
        "bins": _histograms(_nearest_bin(shown[:, 1:]).view(count, -1), COUNT),
        "chroma": _chroma_histograms(shown),
    }
    if full:
        measured["full_pictures"] = torch.ones(count)
        measured["ssim"] = structural_similarity(rgb, truth.rgb)
        measured["delta_e_2000"] = delta_e_2000(shown, lab)
    sums = torch.zeros(count, LENGTH, dtype=torch.float64)
    for name, value in measured.items():
        sums[:, _PLACE[name]] = value.view(count, -1).to("cpu", torch.float64)
    return sums


def numbers_of_pictures(sums: Tensor) -> dict[str, list[float]]:
    """By name, the numbers of each picture of `measure` with ``full``."""
    names = ("psnr", "ssim", "delta_e_2000", "colorfulness", "true_colorfulness")
    return {name: sums[:, _PLACE[name]].flatten().tolist() for name in names}


class ColorMetrics:
    """Accumulates over pictures; `result` gives the means.

    `sums` is all that it knows, one flat tensor, and adding two of them is the same as having seen the pictures of both:
    processes that share a validation set all-reduce it.
    """

    def __init__(self) -> None:
        self._sums = torch.zeros(LENGTH, dtype=torch.float64)

    @classmethod
    def from_sums(cls, sums: Tensor) -> ColorMetrics:
        """Of sums ``(LENGTH,)``: of one picture (a row of `measure`), of several added, of several processes."""
        metrics = cls()
        metrics.add_sums(sums)
        return metrics

    def sums(self) -> Tensor:
        """``(LENGTH,)`` float64 on the CPU, a copy."""
        return self._sums.clone()

    def add_sums(self, sums: Tensor) -> None:
        """Raises ValueError for another shape than ``(LENGTH,)``."""
        if sums.shape != (LENGTH,):
            raise ValueError(f"sums of shape {tuple(sums.shape)}, not ({LENGTH},)")
        self._sums += sums.to(self._sums)

    def add(self, lightness: Tensor, ab: Tensor, true_ab: Tensor, *, full: bool = False) -> None:
        """``lightness (B, 1, H, W)``; predicted and true ab ``(B, 2, H, W)`` in ab units, all on one device.

        ``full``: SSIM and ΔE2000 too.
        """
        self.add_sums(measure(Truth(torch.cat((lightness, true_ab), dim=1)), ab, full=full).sum(dim=0))

    @property
    def pictures(self) -> int:
        """How many were seen."""
        return int(self._one("pictures"))

    def result(self) -> dict[str, float]:
        """Percent, units and dB by name.

        auc            share of pixels within ab distance t, averaged over t = 0 … 150 (Zhang et al. 2016), percent
        auc_rebalanced the same with pixels weighted by 1/p̃ of their nearest bin, percent
        ab_mse         mean over pixels and both channels of ((ab − true)/255)²
        psnr           of R'G'B' after gamut fitting, mean over pictures, dB; rewards grey
        ssim           of R'G'B', mean over pictures, see `structural_similarity`; rewards grey
        delta_e_2000   CIEDE2000, mean over pixels; rewards grey
        colorfulness   Hasler-Süsstrunk, mean over pictures; colorfulness_ratio is over that of the truth
        bins_js        Jensen-Shannon divergence of the histograms of the 262 ab bins from the truth's, in [0, ln 2]
        chroma_js      the same of the chroma's histograms

        ssim and delta_e_2000 are there only if they were measured.
        """
        pixels, pictures = max(self._one("pixels"), 1.0), max(self._one("pictures"), 1.0)
        weighted_hits = self._sums[_PLACE["weighted_hits"]] / max(self._one("weight"), 1e-12)
        result = {
            "auc": 100.0 * float((self._sums[_PLACE["hits"]] / pixels).cumsum(0).mean()),
            "auc_rebalanced": 100.0 * float(weighted_hits.cumsum(0).mean()),
            "ab_mse": self._one("squared") / pixels,
            "psnr": self._one("psnr") / pictures,
        }
        if seen := self._one("full_pictures"):
            result["ssim"] = self._one("ssim") / seen
            result["delta_e_2000"] = self._one("delta_e_2000") / seen
        result["colorfulness"] = self._one("colorfulness") / pictures
        result["colorfulness_ratio"] = self._one("colorfulness") / max(self._one("true_colorfulness"), 1e-12)
        for name in ("bins", "chroma"):
            result[f"{name}_js"] = float(js_divergence(self.shares(name).numpy(), self.shares(f"true_{name}").numpy()))
        return result

    def shares(self, name: str) -> Tensor:
        """Share of pixels per cell of a histogram: bins, true_bins ``(262,)``, chroma or true_chroma ``(68,)``."""
        return self._sums[_PLACE[name]] / max(self._one("pixels"), 1.0)

    def _one(self, name: str) -> float:
        return float(self._sums[_PLACE[name]])


def structural_similarity(rgb: Tensor, truth: Tensor) -> Tensor:
    """SSIM (Wang et al. 2004) of R'G'B' ``(B, 3, H, W)`` in [0, 1], shape (B,).

    scikit-image's defaults: uniform window of 7 × 7 px, sample covariance, K1 = 0.01, K2 = 0.03; data range 1, mean over
    the three channels.
    """
    from skimage.metrics import structural_similarity as of_one

    return _each_picture(lambda one, true: of_one(one, true, channel_axis=-1, data_range=1.0), rgb, truth)


def delta_e_2000(lab: Tensor, truth: Tensor) -> Tensor:
    """CIEDE2000 (k_L = k_C = k_H = 1) of Lab ``(B, 3, H, W)``, mean over each picture's pixels, shape (B,)."""
    from skimage.color import deltaE_ciede2000

    return _each_picture(lambda one, true: deltaE_ciede2000(one, true).mean(), lab, truth)


def _each_picture(compare: Callable[[NDArray[Any], NDArray[Any]], Any], first: Tensor, second: Tensor) -> Tensor:
    """``compare`` sees two ``(H, W, 3)`` at a time; it runs in NumPy and SciPy, which let other threads run meanwhile."""
    pairs = [picture.movedim(1, -1).cpu().numpy() for picture in (first, second)]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return torch.tensor([float(value) for value in pool.map(compare, *pairs)], dtype=torch.float64)


def _histograms(cells: Tensor, count: int, weights: Tensor | None = None) -> Tensor:
    """``(B, count)`` of cell numbers ``(B, N)``; numbers from ``count`` on are left out."""
    inside = cells < count
    rows = torch.arange(len(cells), device=cells.device).view(-1, 1)
    flat = (cells + count * rows)[inside]
    chosen = None if weights is None else weights[inside]
    return torch.bincount(flat, chosen, minlength=count * len(cells)).view(-1, count)


def _chroma_histograms(lab: Tensor) -> Tensor:
    """``(B, 68)``; the last cell holds all that is beyond."""
    chroma = torch.hypot(lab[:, 1], lab[:, 2]).flatten(1)
    return _histograms((chroma / CHROMA_STEP).long().clamp(max=CHROMA_CELLS - 1), CHROMA_CELLS)


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
