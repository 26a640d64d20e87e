"""Should neighbours agree on a colour? The spatial mean field against other ways to decide, on pictures in colour.

    python benchmarks/refine.py DATA [--model scenes] [--limit 150] [--working-size 192] [--sheet sheet.png --prints OLD.jpg...]

DATA as for `colorize-media evaluate`. Every way gets the gain that brings its mean chroma to the plain mean's at the model's
own gain, so that no row wins by being greyer; "chroma" is what it kept before that. Measured on the 1/4 grid:

edges    RMS error of ab in and beside cells whose true ab differs by more than 15 from a neighbour's: bleeding
patches  RMS difference of ab between cells 4 (12) apart with even lightness between them, over the RMS chroma
ms       least time to decide one picture, network apart

The sheet shows each print plain and with strengths 1, 2 and 4, for the eye has the last word.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from colorize_media.color.spaces import fit_to_gamut, lab_to_rgb
from colorize_media.models import ColorDistribution, bin_centres
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.refine import DILATIONS, TYPICAL_VARIANCE, affinity, mean_field, neighbour_sum, rings
from colorize_media.network.seen import lightness_batch, working_luma, working_shape
from colorize_media.options import ColorizeOptions
from colorize_media.photo.pages import read_photo
from colorize_media.training.evaluation import squares
from colorize_media.training.losses import rebalancing_weights
from colorize_media.training.metrics import ColorMetrics, Truth, measure, reference_prior
from colorize_media.training.pictures import load_pictures
from colorize_media.training.sources import find_sources, read_pictures

SIZE = 256  # px
EDGE_STEP = 15.0  # ab units
EVEN = 3.0  # L units
APART = (4, 12)  # cells
SHEET_STRENGTHS = (0.0, 1.0, 2.0, 4.0)
SHEET_SIDE = 320  # px

Way = Callable[[ColorDistribution, Tensor], Tensor]


def make_ways(temperature: float, has_bins: bool) -> dict[str, Way]:
    """Ways to decide, by name; the first is the plain mean that the others are compared with."""
    ways: dict[str, Way] = {"mean": lambda distribution, _: distribution.mean(temperature)}
    field_at = partial(mean_field, temperature=temperature)
    ways |= {f"strength {strength:g}": partial(field_at, strength=strength) for strength in (0.5, 1.0, 2.0, 4.0, 8.0)}
    for dilations in ((1,), (1, 2, 4), (1, 2, 4, 8, 16)):
        ways[f"strength 2, rings {dilations}"] = partial(field_at, strength=2.0, dilations=dilations)
    for edge in (3.0, 8.0, 15.0):
        ways[f"strength 2, edge {edge:g} L"] = partial(field_at, strength=2.0, edge=edge)
    for iterations in (2, 20):
        ways[f"strength 2, {iterations} iterations"] = partial(field_at, strength=2.0, iterations=iterations)
    if has_bins:
        ways |= {
            "strength 2, T = 0.7": partial(mean_field, temperature=0.7, strength=2.0),
            "strength 2, one variance": lambda d, light: same_doubt_everywhere(d.mean(temperature), light),
            "over the bins, strength 0.5": partial(field_over_bins, strength=0.5),
            "over the bins, strength 2": partial(field_over_bins, strength=2.0),
            "mean, T = 0.7": lambda distribution, _: distribution.mean(0.7),
            "geometric median": lambda distribution, _: geometric_median(distribution),
            "geometric median, strength 2": lambda d, light: same_doubt_everywhere(geometric_median(d), light),
            "mean, rebalancing half undone": lambda distribution, _: half_undone(distribution).mean(temperature),
        }
    return ways


def same_doubt_everywhere(colors: Tensor, lightness: Tensor) -> Tensor:
    """The mean field of colours alone, strength 2."""
    return mean_field(ColorDistribution(None, colors), lightness, strength=2.0)


def field_over_bins(distribution: ColorDistribution, lightness: Tensor, *, strength: float) -> Tensor:
    """Five iterations of the mean field in which each bin is reweighted by exp(−Σ_j β_ij ‖c_k − m_j‖²)."""
    assert distribution.logits is not None
    centres, taps = bin_centres(), rings(DILATIONS)
    beta = strength / (2.0 * TYPICAL_VARIANCE) * affinity(lightness, taps)
    total = beta.sum(dim=1, keepdim=True)
    colors = distribution.mean()
    for _ in range(5):
        message = neighbour_sum(colors, beta, taps) - total * distribution.offset
        cost = total * centres.square().sum(dim=1).view(1, -1, 1, 1) - 2.0 * torch.einsum(
            "bchw,kc->bkhw", message, centres
        )
        colors = distribution._replace(logits=distribution.logits - cost).mean()
    return colors


def geometric_median(distribution: ColorDistribution) -> Tensor:
    """Four steps of Weiszfeld from the mean: the colour of least expected distance, hence of best expected AuC."""
    assert distribution.logits is not None
    p = torch.softmax(distribution.logits.float(), dim=1)
    centres = bin_centres()
    colors = torch.einsum("bkhw,kc->bchw", p, centres)
    for _ in range(4):
        distance = torch.cdist(colors.permute(0, 2, 3, 1).flatten(0, 2), centres)  # (cells, 262)
        weights = p / distance.view(*colors.shape[:1], *colors.shape[2:], -1).permute(0, 3, 1, 2).clamp(min=1.0)
        colors = torch.einsum("bkhw,kc->bchw", weights, centres) / weights.sum(dim=1, keepdim=True)
    return colors + distribution.offset


def half_undone(distribution: ColorDistribution) -> ColorDistribution:
    """The training's class weights, to the power 0.5, divided out of the probabilities."""
    assert distribution.logits is not None
    weights = rebalancing_weights(reference_prior(), exponent=0.5)
    return distribution._replace(logits=distribution.logits.float() - 0.5 * weights.log().view(1, -1, 1, 1))


@dataclass
class Row:
    """What one way is measured by."""

    colors: list[Tensor] = field(default_factory=list)  # (1, 2, h, w) of each picture, before any gain
    least: float = float("inf")
    metrics: ColorMetrics = field(default_factory=ColorMetrics)
    squared_at_edges: list[Tensor] = field(default_factory=list)
    squared_apart: dict[int, list[Tensor]] = field(default_factory=lambda: {distance: [] for distance in APART})

    @property
    def chroma(self) -> float:
        """Mean over all cells."""
        return float(torch.cat([ab.norm(dim=1).flatten() for ab in self.colors]).mean())

    def markdown(self, name: str, chroma: float) -> str:
        """One line of the table; ``chroma`` is the share kept."""
        result = self.metrics.result()
        edges = torch.cat(self.squared_at_edges).mean().sqrt()
        energy = torch.cat([ab.square().sum(dim=1).flatten() for ab in self.colors]).mean()
        patches = " | ".join(f"{(torch.cat(self.squared_apart[d]).mean() / energy).sqrt():.3f}" for d in APART)
        return (
            f"| {name} | {chroma:.3f} | {result['auc']:.2f} | {result['auc_rebalanced']:.2f} | {result['ab_mse']:.5f} "
            f"| {result['colorfulness_ratio']:.2f} | {edges:.2f} | {patches} | {1000 * self.least:.1f} |"
        )


def near_edges(ab: Tensor) -> Tensor:
    """``(1, 2, h, w)`` → ``(1, h, w)``: in or beside a cell that differs from the next below or to the right."""
    down = F.pad((ab[:, :, 1:] - ab[:, :, :-1]).norm(dim=1), (0, 0, 0, 1))
    across = F.pad((ab[:, :, :, 1:] - ab[:, :, :, :-1]).norm(dim=1), (0, 1, 0, 0))
    return F.max_pool2d((torch.maximum(down, across) > EDGE_STEP).float(), 3, 1, 1) > 0


def apart_on_even_ground(ab: Tensor, grid_lightness: Tensor, distance: int) -> Tensor:
    """Squared differences of ab of all pairs of cells ``distance`` apart, in a row or column of even lightness."""
    found = []
    for axis in (2, 3):
        count = ab.shape[axis] - distance
        steps = [grid_lightness.narrow(axis, step, count) for step in range(distance + 1)]
        even = torch.stack([(step - steps[0]).abs() < EVEN for step in steps]).all(dim=0)[:, 0]
        difference = ab.narrow(axis, distance, count) - ab.narrow(axis, 0, count)
        found.append(difference.square().sum(dim=1)[even])
    return torch.cat(found)


@torch.inference_mode()
def table(colorizer: Colorizer, data: Path, limit: int, working_size: int) -> list[str]:
    """Markdown rows; the network sees squares of ``working_size`` px."""
    store = load_pictures(read_pictures(find_sources(data, "val") or find_sources(data)), SIZE, limit=limit)
    ways = make_ways(colorizer.config.temperature, colorizer.config.kind == "scenes")
    rows = {name: Row() for name in ways}
    for lab in squares(store, SIZE, 1):
        seen = F.interpolate(lab[:, :1], (working_size, working_size), mode="bicubic", antialias=True).clamp(0.0, 100.0)
        distribution = colorizer.distribution(seen)
        for name, way in ways.items():
            begun = time.perf_counter()
            rows[name].colors.append(way(distribution, seen))
            rows[name].least = min(rows[name].least, time.perf_counter() - begun)
    wanted = rows["mean"].chroma
    gains = {name: colorizer.config.chroma_gain * wanted / row.chroma for name, row in rows.items()}
    rows["truth"] = Row(least=0.0)
    gains["truth"] = 1.0
    for number, lab in enumerate(squares(store, SIZE, 1)):
        truth = Truth(lab)
        grid = F.adaptive_avg_pool2d(lab, working_size // 4)
        edges = near_edges(grid[:, 1:])
        rows["truth"].colors.append(grid[:, 1:])
        for name, row in rows.items():
            ab = gains[name] * row.colors[number]
            full = F.interpolate(ab, (SIZE, SIZE), mode="bicubic", align_corners=False)
            row.metrics.add_sums(measure(truth, full).sum(dim=0))
            row.squared_at_edges.append((ab - grid[:, 1:]).square().sum(dim=1)[edges])
            for distance in APART:
                row.squared_apart[distance].append(apart_on_even_ground(row.colors[number], grid[:, :1], distance))
    return [row.markdown(name, row.chroma / wanted) for name, row in rows.items()]


def sheet(colorizer: Colorizer, prints: list[Path], path: Path, working_size: int) -> None:
    """PNG: a row for each print, a column for each strength."""
    strips = []
    for source in prints:
        photo = read_photo(source, max_pixels=ColorizeOptions().max_pixels)
        height, width = photo.luma.shape
        small = working_luma(photo.luma, working_shape(height, width, working_size))
        lightness = lightness_batch([small], photo.spec)
        tiles = []
        for strength in SHEET_STRENGTHS:
            ab = torch.from_numpy(colorizer.colors(lightness, refine=strength)).permute(0, 3, 1, 2)
            full = F.interpolate(ab, lightness.shape[-2:], mode="bicubic", align_corners=False)
            rgb = lab_to_rgb(fit_to_gamut(torch.cat((lightness, full), dim=1)))[0].permute(1, 2, 0)
            tile = Image.fromarray((255 * rgb.numpy() + 0.5).astype(np.uint8))
            tiles.append(
                tile.resize((round(SHEET_SIDE * tile.width / tile.height), SHEET_SIDE), Image.Resampling.LANCZOS)
            )
        strip = np.concatenate([np.asarray(tile) for tile in tiles], axis=1)
        strips.append(strip)
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(strip, ((0, 4), (0, width - strip.shape[1]), (0, 0)), constant_values=255) for strip in strips]
    Image.fromarray(np.concatenate(padded)).save(path)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="scenes")
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--working-size", type=int, default=ColorizeOptions().working_size)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--prints", nargs="*", type=Path, default=[])
    arguments = parser.parse_args()
    if (arguments.sheet is None) != (not arguments.prints):
        parser.error("--sheet and --prints go together")
    colorizer = Colorizer(arguments.model, "cpu")
    if arguments.sheet:
        sheet(colorizer, arguments.prints, arguments.sheet, arguments.working_size)
    print("| way | chroma | AuC % | rebalanced % | ab MSE | colourfulness | edges | patches 4 | 12 | ms |")
    print("|---" * 10 + "|")
    print("\n".join(table(colorizer, arguments.data, arguments.limit, arguments.working_size)), flush=True)


if __name__ == "__main__":
    main()
