"""From a colour picture to a training pair: what the network sees (L of an old photograph) and what it should say (ab).

Film look: real prints and films are not the lightness of a digital photograph. Emulsions weigh red, green and blue
otherwise, contrast and black level wander, grain and blur cover detail, and scans are compressed. Each effect is applied to
a random part of the batch; another part goes through all that made an old print one (`old_film`). It touches only the
input; the target stays the colour of the clean picture. All arithmetic is torch on the batch's device; a picture's random
numbers depend only on (seed, step, its place in the batch).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from colorize_media.color.spaces import lightness_of_luma, luma_of_rgb, rgb_to_lab
from colorize_media.training.old_film import Material, old_print

_RADIUS = 4  # px, of blurs: two and a half times the widest sigma


@dataclass(frozen=True)
class FilmLook:
    """Probabilities of each effect per picture; all 0 trains on clean lightness.

    old_film    of the whole way of an old photograph (`old_film`) instead of all effects but jpeg
    """

    grey_mix: float = 0.5
    gamma: float = 0.5
    levels: float = 0.3
    blur: float = 0.2
    grain: float = 0.3
    jpeg: float = 0.2
    old_film: float = 0.0


def make_pair(rgb: Tensor, look: FilmLook, seed: int, step: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """``rgb (B, H, W, 3)`` uint8, H and W multiples of 4 → lightness ``(B, 1, H, W)`` and ab ``(B, 2, H/4, W/4)``.

    The target is the mean ab of each 4×4 block: the network's grid. ``first`` is the place of the first picture in the
    step's batch, so that a batch shared out over several processes gets the film look that one process would give it.
    """
    picture = rgb.movedim(-1, 1).contiguous().float() / 255.0
    ab = F.avg_pool2d(rgb_to_lab(picture)[:, 1:], 4)
    rows = range(first, first + len(rgb))
    luma = film_look(picture, look, Draws.of(seed, step, rows), Material.of(seed, step, rows))
    return lightness_of_luma(luma), ab


@dataclass(frozen=True)
class Draws:
    """What chance says of each of ``B`` pictures; all is drawn, used or not, so that no effect shifts another's numbers.

    chance   (B,) in [0, 1) by the effect's name; below the look's probability the effect is there
    mix      (B, 3), shares of R', G', B'
    amounts  (B,) by name: gamma, sigma (px), grain, black, white, quality (of JPEG)
    clumps   (B,), whether grain clumps
    noise    (B,), the seed of the grain
    """

    chance: dict[str, NDArray[np.float64]]
    mix: NDArray[np.float64]
    amounts: dict[str, NDArray[np.float64]]
    clumps: NDArray[np.bool_]
    noise: NDArray[np.int64]

    @classmethod
    def of(cls, seed: int, step: int, rows: range) -> Draws:
        """Of consecutive places in a step's batch. A place's draws do not depend on which others are asked for."""
        effects = [item.name for item in fields(FilmLook) if item.name != "old_film"]
        # Numbers come row by row, so the first places' are the same however many follow.
        random = np.random.default_rng((seed, step, 3)).random((rows.stop, len(effects) + 8))[rows.start :]
        mix = np.random.default_rng((seed, step, 4)).dirichlet((2.0, 3.0, 2.0), rows.stop)[rows.start :]
        chances, others = np.split(random.T, [len(effects)])
        gamma, sigma, grain, black, white, quality, clumps, noise = others
        amounts = {
            "gamma": 0.7 * 2.0**gamma,
            "sigma": 0.5 + sigma,
            "grain": 0.01 + 0.05 * grain,
            "black": 0.12 * black,
            "white": 0.85 + 0.15 * white,
            "quality": 25.0 + 65.0 * quality,
        }
        chance = dict(zip(effects, chances, strict=True))
        chance["old_film"] = np.random.default_rng((seed, step, 9)).random(rows.stop)[rows.start :]
        return cls(chance, mix, amounts, clumps < 0.5, (noise * 2**53).astype(np.int64))


def film_look(picture: Tensor, look: FilmLook, draws: Draws, material: Material) -> Tensor:
    """R'G'B' ``(B, 3, H, W)`` in [0, 1] to the luma ``(B, 1, H, W)`` of old prints, in [0, 1]."""
    device = picture.device

    def chosen(effect: str) -> list[int]:
        return np.flatnonzero(draws.chance[effect] < getattr(look, effect)).tolist()

    def on_device(values: NDArray[np.float64], rows: list[int]) -> Tensor:
        return torch.from_numpy(values[rows].astype(np.float32)).to(device).view(len(rows), -1, 1, 1)

    def amounts(name: str, rows: list[int]) -> Tensor:
        return on_device(draws.amounts[name], rows)

    luma = luma_of_rgb(picture, "bt601")
    if rows := chosen("grey_mix"):
        luma[rows] = (picture[rows] * on_device(draws.mix, rows)).sum(dim=1, keepdim=True)
    if rows := chosen("gamma"):
        luma[rows] = luma[rows].clamp(min=1e-4) ** amounts("gamma", rows)
    if rows := chosen("blur"):
        luma[rows] = _blur(luma[rows], amounts("sigma", rows))
    if rows := chosen("grain"):
        grain = torch.stack([_noise(luma[row], int(draws.noise[row])) for row in rows])
        if clumped := [place for place, row in enumerate(rows) if draws.clumps[row]]:
            # Clumps; the factor restores the spread that blurring took.
            grain[clumped] = 1.8 * _blur(grain[clumped], torch.full((len(clumped), 1, 1, 1), 0.7, device=device))
        luma[rows] = luma[rows] + amounts("grain", rows) * grain
    if rows := chosen("levels"):
        black, white = amounts("black", rows), amounts("white", rows)
        luma[rows] = black + (white - black) * luma[rows]
    luma = luma.clamp(0.0, 1.0)
    if rows := chosen("old_film"):
        luma[rows] = old_print(picture[rows], material.chosen(rows))
    if rows := chosen("jpeg"):
        luma[rows] = _jpeg(luma[rows], amounts("quality", rows))
    return luma


def _noise(like: Tensor, seed: int) -> Tensor:
    """Normal noise of a picture's own seed: it does not depend on what else is in the batch."""
    generator = torch.Generator(like.device).manual_seed(seed)
    return torch.randn(like.shape, generator=generator, device=like.device)


def _blur(planes: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of ``(B, 1, H, W)``, each picture with its own ``sigma (B, 1, 1, 1)`` in px, up to 1.6."""
    count = len(planes)
    taps = torch.arange(-_RADIUS, _RADIUS + 1, dtype=planes.dtype, device=planes.device)
    kernels = torch.exp(-(taps**2) / (2 * sigma.view(-1, 1) ** 2))
    kernels = kernels / kernels.sum(dim=1, keepdim=True)
    # One convolution with as many groups as pictures.
    x = F.pad(planes.transpose(0, 1), (_RADIUS, _RADIUS, _RADIUS, _RADIUS), mode="replicate")
    x = F.conv2d(x, kernels.view(count, 1, 1, -1), groups=count)
    return F.conv2d(x, kernels.view(count, 1, -1, 1), groups=count).transpose(0, 1)


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
