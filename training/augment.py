"""From a colour picture to a training pair: what the network sees (L of an old photograph) and what it should say (ab).

Film look: real prints and films are not the lightness of a digital photograph. Emulsions weigh red, green and blue
otherwise, contrast and black level wander, grain and blur cover detail, and scans are compressed. Each effect is applied to
a random part of the batch. It touches only the input; the target stays the colour of the clean picture. All arithmetic is
torch on the batch's device; the random numbers depend only on (seed, step).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_media.color import lightness_of_luma, luma_of_rgb, rgb_to_lab


@dataclass(frozen=True)
class FilmLook:
    """Probabilities of each effect per picture; all 0 trains on clean lightness."""

    grey_mix: float = 0.5
    gamma: float = 0.5
    levels: float = 0.3
    blur: float = 0.2
    grain: float = 0.3
    jpeg: float = 0.2


def make_pair(rgb: Tensor, look: FilmLook, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """``rgb (B, 3, H, W)`` uint8, H and W multiples of 4 → lightness ``(B, 1, H, W)`` and ab ``(B, 2, H/4, W/4)``.

    The target is the mean ab of each 4×4 block: the network's grid.
    """
    picture = rgb.float() / 255.0
    ab = F.avg_pool2d(rgb_to_lab(picture)[:, 1:], 4)
    luma = film_look(picture, look, np.random.default_rng((seed, step, 3)))
    return lightness_of_luma(luma), ab


def film_look(picture: Tensor, look: FilmLook, random: np.random.Generator) -> Tensor:
    """R'G'B' ``(B, 3, H, W)`` in [0, 1] to the luma ``(B, 1, H, W)`` of an old print, in [0, 1]."""
    count, device = picture.shape[0], picture.device

    def some(probability: float) -> Tensor:
        return torch.from_numpy(np.flatnonzero(random.random(count) < probability)).to(device)

    def uniform(low: float, high: float, rows: Tensor) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, len(rows)).astype(np.float32)).to(device).view(-1, 1, 1, 1)

    luma = luma_of_rgb(picture, "bt601")
    rows = some(look.grey_mix)
    if len(rows):
        mix = torch.from_numpy(random.dirichlet((2.0, 3.0, 2.0), len(rows)).astype(np.float32)).to(device)
        luma[rows] = (picture[rows] * mix[:, :, None, None]).sum(dim=1, keepdim=True)
    rows = some(look.gamma)
    if len(rows):
        exponent = torch.exp(uniform(float(np.log(0.7)), float(np.log(1.4)), rows))
        luma[rows] = luma[rows].clamp(min=1e-4) ** exponent
    rows = some(look.blur)
    if len(rows):
        luma[rows] = _blur(luma[rows], float(random.uniform(0.5, 1.5)))
    rows = some(look.grain)
    if len(rows):
        shape = (len(rows), 1, *luma.shape[-2:])
        grain = torch.from_numpy(random.standard_normal(shape, dtype=np.float32)).to(device)
        if random.random() < 0.5:
            grain = 1.8 * _blur(grain, 0.7)  # clumps; the factor restores the spread that blurring took
        luma[rows] = luma[rows] + uniform(0.01, 0.06, rows) * grain
    rows = some(look.levels)
    if len(rows):
        black, white = uniform(0.0, 0.12, rows), uniform(0.85, 1.0, rows)
        luma[rows] = black + (white - black) * luma[rows]
    luma = luma.clamp(0.0, 1.0)
    rows = some(look.jpeg)
    if len(rows):
        luma[rows] = _jpeg(luma[rows], uniform(25.0, 90.0, rows))
    return luma


def _blur(plane: Tensor, sigma: float) -> Tensor:
    radius = max(1, round(2.5 * sigma))
    taps = torch.arange(-radius, radius + 1, dtype=plane.dtype, device=plane.device)
    kernel = torch.exp(-(taps**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    plane = F.pad(plane, (radius, radius, radius, radius), mode="replicate")
    plane = F.conv2d(plane, kernel.view(1, 1, 1, -1))
    return F.conv2d(plane, kernel.view(1, 1, -1, 1))


# ITU-T T.81 annex K.1, luminance.
_QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


@cache
def _dct_matrix() -> Tensor:
    k = torch.arange(8, dtype=torch.float32)
    matrix = torch.cos((2 * k[None, :] + 1) * k[:, None] * torch.pi / 16) / 2
    matrix[0] /= 2**0.5
    return matrix


def _jpeg(luma: Tensor, quality: Tensor) -> Tensor:
    """What baseline JPEG of this quality (as in libjpeg, 1 to 100; ``(B, 1, 1, 1)``) leaves of the luma, in torch."""
    height, width = luma.shape[-2:]
    padded = F.pad(luma, (0, -width % 8, 0, -height % 8), mode="replicate")
    count, _, rows, columns = padded.shape
    blocks = padded.view(count, rows // 8, 8, columns // 8, 8).transpose(2, 3) * 255.0 - 128.0  # (B, r, c, 8, 8)
    dct = _dct_matrix().to(luma)
    scale = torch.where(quality < 50, 50.0 / quality, 2.0 - quality / 50.0).view(-1, 1, 1, 1, 1)
    table = (luma.new_tensor(_QUANTISATION) * scale).round().clamp(min=1.0)
    blocks = (dct @ blocks @ dct.T / table).round() * table
    blocks = (dct.T @ blocks @ dct + 128.0) / 255.0
    return blocks.transpose(2, 3).reshape(count, 1, rows, columns)[..., :height, :width].clamp(0.0, 1.0)
