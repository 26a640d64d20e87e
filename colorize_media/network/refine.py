"""From a distribution over colours to one colour per cell of the grid: what the cell says, what its neighbours say, the gain.

Neighbours of like lightness are likely of one colour: a Markov random field with quadratic pairwise cost, solved by its mean
field,

    q_i(k) ∝ p_i(k)^(1/T) · exp(−Σ_j β_ij ‖c_k − m_j‖²),   m_i = Σ_k q_i(k) c_k,   β_ij = strength · w_ij / 2 σ²

Each p_i enters as the Gaussian of its own mean ab_i and variance v_i. Then the field has one solution, the optimum, and an
iteration is one edge-aware average of two planes:

    m_i = (ab_i + s_i Σ_j w_ij m_j) / (1 + s_i Σ_j w_ij),   s_i = strength · v_i / σ²

A cell that is sure keeps its colour, one that doubts follows its neighbours. With the bins themselves in place of the
Gaussian the cost also narrows every cell around its mode, which is often grey: measured worse and dearer
(docs/design-notes.md). A network without bins is a Gaussian already; its variance is a constant.

The mean of colours that disagree is grey, and how much they disagree differs from picture to picture: one gain for all leaves
the doubtful ones brown and makes the sure ones gaudy. So each picture gets a gain of its own, from its own doubt: the chroma
that its cells expect, E‖c‖, over that of their means, ‖E c‖, each averaged over the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_media.models import ColorDistribution, bin_centres

REACH = 110.0  # ab units; sRGB's own extremes
# σ², squared ab units a channel: how far `regression` is off in the mean. Its cells take half from themselves and half from
# like neighbours at strength 1.
TYPICAL_VARIANCE = 13.0**2
DILATIONS = (1, 2, 4, 8)  # cells; rings of eight neighbours each, so that few iterations reach across a sky
EDGE = 5.0  # L units: how unlike in lightness neighbours may be
ITERATIONS = 4
HIGHEST_OWN_GAIN = 2.5


class Cells(NamedTuple):
    """What each cell of a grid says for itself, float32.

    mean      ``(B, 2, h, w)`` ab units
    variance  ``(B, 1, h, w)`` the mean of both channels'
    chroma    ``(B, 1, h, w)`` the chroma to expect, E‖c‖: at least the mean's own
    """

    mean: Tensor
    variance: Tensor
    chroma: Tensor


def settle_colors(
    distribution: ColorDistribution,
    lightness: Tensor,
    *,
    temperature: float,
    gain: float,
    picture_gain: float = 0.0,
    refine: float = 0.0,
) -> Tensor:
    """ab ``(B, 2, h, w)`` float32: the mean field of strength ``refine`` times the gains, within ±110.

    ``lightness (B, 1, H, W)`` is what the network saw, L in [0, 100]. ``gain`` scales chroma at constant hue, so
    colourfulness grows with it; what leaves the gamut is brought back later, where luma is known (`color.chroma_of_luma`).
    ``picture_gain`` is the power to which each picture's own gain is taken: 0 is none, 1 all of it (`own_gain`).
    """
    if not refine and not picture_gain:
        return (gain * distribution.mean(temperature)).clamp(-REACH, REACH)
    cells = cells_of(distribution, temperature)
    colors = agreed(cells, lightness, strength=refine) if refine else cells.mean
    if picture_gain:
        colors = colors * own_gain(cells) ** picture_gain
    return (gain * colors).clamp(-REACH, REACH)


def own_gain(cells: Cells) -> Tensor:
    """``(B, 1, 1, 1)`` in [1, 2.5]: the mean chroma that a picture's cells expect over that of their means.

    A picture that no cell has an opinion of would get an enormous one, and every whim of the network with it.
    """
    expected = cells.chroma.mean(dim=(1, 2, 3), keepdim=True)
    shown = cells.mean.norm(dim=1, keepdim=True).mean(dim=(1, 2, 3), keepdim=True)
    return (expected / shown.clamp(min=1e-3)).clamp(1.0, HIGHEST_OWN_GAIN)


def mean_field(
    distribution: ColorDistribution,
    lightness: Tensor,
    *,
    temperature: float = 1.0,
    strength: float = 1.0,
    dilations: Sequence[int] = DILATIONS,
    edge: float = EDGE,
    iterations: int = ITERATIONS,
) -> Tensor:
    """ab ``(B, 2, h, w)`` float32 that neighbours agree on; see the module's text.

    ``lightness (B, 1, H, W)``, L in [0, 100], with ``h = ⌈H/4⌉``. Strength 0 is the annealed mean. Every colour is a
    weighted mean of the cells' own, so none leaves their range.
    """
    return agreed(
        cells_of(distribution, temperature),
        lightness,
        strength=strength,
        dilations=dilations,
        edge=edge,
        iterations=iterations,
    )


def agreed(
    cells: Cells,
    lightness: Tensor,
    *,
    strength: float,
    dilations: Sequence[int] = DILATIONS,
    edge: float = EDGE,
    iterations: int = ITERATIONS,
) -> Tensor:
    """`mean_field` of cells whose mean and variance are known."""
    own, variance, _ = cells
    taps = rings(dilations)
    pull = affinity(lightness.to(own.device), taps, edge) * (strength / TYPICAL_VARIANCE * variance)  # s_i·w_ij
    share = 1.0 / (1.0 + pull.sum(dim=1, keepdim=True))  # of the cell's own colour
    pull *= share
    colors = own
    for _ in range(iterations):
        colors = share * own + neighbour_sum(colors, pull, taps)
    return colors


def cells_of(distribution: ColorDistribution, temperature: float = 1.0) -> Cells:
    """Each cell's mean, variance and expected chroma at a temperature."""
    if distribution.logits is None:
        own = distribution.offset.float()
        return Cells(own, torch.full_like(own[:, :1], TYPICAL_VARIANCE), own.norm(dim=1, keepdim=True))
    centres = bin_centres().to(distribution.offset.device)
    square = centres.square().sum(dim=1, keepdim=True)
    columns = torch.cat((centres, square, square.sqrt()), dim=1)  # (262, 4): a, b, a² + b², chroma
    # Bins last, as a network's channels_last output has them in memory: a cell's 262 lie together. Picture by picture: what
    # is made of a whole batch on the way has 10 MB, which the system hands out anew, page by page, each time. An exported
    # graph is for any number of pictures.
    pictures = distribution.logits.permute(0, 2, 3, 1)
    exported = torch.compiler.is_compiling() or torch.jit.is_tracing()
    weights = (
        torch.softmax(part.float() / temperature, dim=-1) for part in ([pictures] if exported else pictures.split(1))
    )
    found = torch.cat([torch.einsum("bhwk,kc->bchw", part, columns) for part in weights])
    mean, square, chroma = found[:, :2], found[:, 2:3], found[:, 3:]
    variance = (square - mean.square().sum(dim=1, keepdim=True)) / 2
    return Cells(mean + distribution.offset.float(), variance.clamp(min=0.0), chroma)


def rings(dilations: Sequence[int]) -> list[tuple[int, int]]:
    """The eight neighbours at each distance, (down, across) in cells."""
    around = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1) if (down, across) != (0, 0)]
    return [(distance * down, distance * across) for distance in dilations for down, across in around]


def affinity(lightness: Tensor, taps: Sequence[tuple[int, int]], edge: float = EDGE) -> Tensor:
    """w_ij ``(B, taps, h, w)`` float32: exp(−(L_i − L_j)² / 2 edge²) over the number of taps; 0 outside the picture.

    ``lightness (B, 1, H, W)`` is averaged to the grid, ``h = ⌈H/4⌉``. Where it is even the weights of a cell away from the
    border sum to 1. They are not normalised beyond that: a thin line between strong edges has no neighbours to follow.
    """
    grid = F.avg_pool2d(lightness.float(), 4, ceil_mode=True, count_include_pad=False)
    there = torch.cat(list(_moved(grid, taps, outside=float("inf"))), dim=1)
    return torch.exp(-(there - grid).square() / (2.0 * edge**2)) / len(taps)


def neighbour_sum(field: Tensor, weights: Tensor, taps: Sequence[tuple[int, int]]) -> Tensor:
    """Σ_j w_ij field_j, ``(B, C, h, w)`` like the field; ``weights (B, taps, h, w)``."""
    total = torch.zeros_like(field)
    for number, there in enumerate(_moved(field, taps)):
        total.addcmul_(weights[:, number : number + 1], there)
    return total


def _moved(field: Tensor, taps: Sequence[tuple[int, int]], *, outside: float = 0.0) -> Iterator[Tensor]:
    """For each tap the field as seen from there: what the neighbour of each cell holds, ``outside`` beyond the picture."""
    height, width = field.shape[-2:]
    border = max(abs(step) for tap in taps for step in tap)
    padded = F.pad(field, (border,) * 4, value=outside)
    for down, across in taps:
        top, left = border + down, border + across
        yield padded[..., top : top + height, left : left + width]
