"""Old photographs as their material made them: from the light of a scene to the scan of its print, in the order it happened.

    emulsion → lens → halation → negative and paper → grain → age → damage → halftone → scan

Exposure adds up in linear light and is seen as density, the logarithm of what is reflected; every effect works where it worked
then. Sources beside each number. All is torch on the batch's device, ``(B, 1, H, W)``; how much of what each picture gets
depends only on (seed, step, its place in the batch).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from colorize_media.color.spaces import linear_to_srgb, srgb_to_linear

# Shares of linear R, G, B in what an emulsion sees, its sensitivity in daylight integrated over the bands of the three (about
# 580 to 700, 490 to 580 and 400 to 490 nm), and how often each is drawn. Ordinary plates see blue and a little green, to some
# 510 nm; orthochromatic ones nothing beyond some 590 nm, so red prints black (Langford, Basic Photography, ch. 9);
# panchromatic ones are of three types, the first poor in red, the last rich in it and poor in blue (Baker, Photographic
# Emulsion Technique, 1941).
EMULSIONS = (
    ((0.00, 0.08, 0.92), 0.20),  # ordinary: wet plates, early dry plates, most before 1905
    ((0.02, 0.42, 0.56), 0.35),  # orthochromatic: amateurs until the 1950s
    ((0.18, 0.32, 0.50), 0.15),  # panchromatic, type A
    ((0.28, 0.35, 0.37), 0.20),  # type B
    ((0.42, 0.35, 0.23), 0.10),  # type C
)
YELLOW_FILTER = (
    1.0,
    0.9,
    0.45,
)  # what a yellow filter, used outdoors to keep clouds apart from the sky, leaves of R, G, B

# Useful log exposure range of papers, soft to hard: grades 0 to 4 of ANSI PH2.2-1966. It lies between a density of 0.04
# and nine tenths of the deepest black (ISO 6846).
RANGES = (1.70, 0.60)
BLACK = (1.2, 2.0)  # densities, of matt and of glossy papers
NEGATIVE = (0.55, 0.80)  # a negative's gradient: what development gave
_LOGITS = math.log(0.9 / 0.1) + math.log(
    0.98 / 0.02
)  # of the range's ends on a logistic curve, the paper's toe and shoulder
MIDDLE = 0.62  # density to which a typical mean of log exposure is printed: a grey of 24 % reflectance
TYPICAL = -0.75  # log10 of linear light, a picture's mean
BY_PICTURE = 0.6  # how far the printer exposes for the picture at hand: night stays darker than day
DARKEST = 2e-3  # linear; flare leaves no shadow darker

_AMOUNTS = (
    "emulsion", "filter", "corner", "softness", "halation", "grade", "black", "negative", "exposure", "grain", "clumps",
    "fading", "stain", "scratches", "dust", "halftone", "screen", "resolution", "halo", "levels",
)  # fmt: skip


@dataclass(frozen=True)
class Material:
    """What chance makes of each of ``B`` pictures: a number in [0, 1) by the name of the effect, and a seed of its grain."""

    chances: dict[str, NDArray[np.float64]]
    seeds: NDArray[np.int64]

    @classmethod
    def of(cls, seed: int, step: int, rows: range) -> Material:
        """Of consecutive places in a step's batch. A place's numbers do not depend on which others are asked for."""
        random = np.random.default_rng((seed, step, 7)).random((rows.stop, len(_AMOUNTS) + 1))[rows.start :]
        chances = dict(zip(_AMOUNTS, random[:, :-1].T, strict=True))
        return cls(chances, (random[:, -1] * 2**53).astype(np.int64))

    def chosen(self, rows: list[int]) -> Material:
        """Of some of the pictures."""
        return Material({name: values[rows] for name, values in self.chances.items()}, self.seeds[rows])

    def between(self, name: str, low: float, high: float, like: Tensor) -> Tensor:
        """``(B, 1, 1, 1)``, spread evenly from ``low`` to ``high``."""
        return _column(low + (high - low) * self.chances[name], like)

    def sometimes(self, name: str, share: float, low: float, high: float, like: Tensor) -> Tensor:
        """The same, for that share of the pictures; 0 for the others."""
        chance = self.chances[name]
        return _column(np.where(chance < share, low + (high - low) * chance / share, 0.0), like)


def old_print(picture: Tensor, material: Material) -> Tensor:
    """R'G'B' ``(B, 3, H, W)`` in [0, 1] to the luma ``(B, 1, H, W)`` of scanned old prints, in [0, 1]."""
    light = _through_lens(_seen_by_emulsion(srgb_to_linear(picture), material), material)
    light = _with_halation(light, material)
    black = material.between("black", *BLACK, light)
    density = _printed(light, black, material)
    density = _with_grain(density, material)
    density = _aged(density, material)
    luma = linear_to_srgb(10.0 ** -density.clamp(min=0.0))
    luma = _damaged(luma, material)
    return _scanned(_halftone(luma, material), material).clamp(0.0, 1.0)


def _seen_by_emulsion(linear: Tensor, material: Material) -> Tensor:
    ends = np.cumsum([share for _, share in EMULSIONS])
    kinds = np.searchsorted(ends / ends[-1], material.chances["emulsion"], side="right").clip(max=len(EMULSIONS) - 1)
    mixes = np.array([mix for mix, _ in EMULSIONS])[kinds]  # (B, 3)
    filtered = (material.chances["filter"] < 0.25) & (kinds > 0)  # an ordinary plate sees nothing through it
    mixes = np.where(filtered[:, None], mixes * np.array(YELLOW_FILTER), mixes)
    mixes /= mixes.sum(axis=1, keepdims=True)
    return (linear * _on(mixes, linear)[:, :, None, None]).sum(dim=1, keepdim=True)


def _through_lens(light: Tensor, material: Material) -> Tensor:
    """Corners darker by the cosine's fourth power (half the field up to 35°) and, with simple lenses, softer."""
    height, width = light.shape[-2:]
    down, across = (torch.linspace(-1, 1, n, device=light.device) for n in (height, width))
    radius = (down[:, None] ** 2 + across[None] ** 2) / 2.0  # of the corner 1, squared
    tangent = torch.tan(material.sometimes("corner", 0.5, 0.1, math.radians(35.0), light))
    soft = material.sometimes("softness", 0.4, 0.2, 1.0, light) * radius
    light = torch.lerp(light, _smooth(light, 3), soft)
    return light / (1.0 + tangent**2 * radius) ** 2


def _with_halation(light: Tensor, material: Material) -> Tensor:
    """Light that went through the emulsion and came back from the base of plate or film, around what is bright."""
    strength = material.sometimes("halation", 0.3, 0.05, 0.35, light)
    bright = (light - 0.5).clamp(min=0.0)
    return light + strength * (_smooth(_smooth(bright, 7), 7) - 0.2 * bright)


def _printed(light: Tensor, black: Tensor, material: Material) -> Tensor:
    """Densities of the print: the negative's straight line, then the paper's curve with its toe and shoulder."""
    exposure = light.clamp(min=DARKEST).log10()
    printed_for = TYPICAL + BY_PICTURE * (exposure.mean(dim=(-2, -1), keepdim=True) - TYPICAL)
    exposure = exposure - printed_for - material.between("exposure", -0.15, 0.15, light)
    steepness = _LOGITS / material.between("grade", *RANGES, light)
    middle = torch.log(MIDDLE / (black - MIDDLE))
    return black * torch.sigmoid(middle - steepness * material.between("negative", *NEGATIVE, light) * exposure)


def _with_grain(density: Tensor, material: Material) -> Tensor:
    """Fluctuations that grow with the square root of density (Selwyn 1935), single grains or clumps."""
    noise = torch.stack([_noise(density[row], int(seed)) for row, seed in enumerate(material.seeds)])
    clumped = _column((material.chances["clumps"] < 0.5).astype(float), density)
    noise = torch.lerp(noise, 2.4 * _smooth(noise, 3), clumped)  # the factor restores the spread that smoothing took
    return density + material.between("grain", 0.0, 0.07, density) * density.clamp(min=0.02).sqrt() * noise


def _aged(density: Tensor, material: Material) -> Tensor:
    """Silver is lost, the paper yellows: of the latter only what it does to luma is left."""
    kept = 1.0 - material.sometimes("fading", 0.5, 0.0, 0.5, density)
    return density * kept + material.sometimes("stain", 0.5, 0.0, 0.2, density)


def _damaged(luma: Tensor, material: Material) -> Tensor:
    """Scratches along the film and specks of dust, white or black, on a few."""
    out = luma.clone()
    height, width = luma.shape[-2:]
    for row, seed in enumerate(material.seeds.tolist()):
        random = np.random.default_rng((seed, 8))
        if material.chances["scratches"][row] < 0.08:
            for _ in range(random.integers(1, 4)):
                column = int(random.integers(width))
                out[row, :, :, column] = torch.lerp(
                    out[row, :, :, column], torch.full_like(out[row, :, :, column], float(random.random() < 0.7)), 0.6
                )
        if material.chances["dust"][row] < 0.12:
            for _ in range(random.integers(3, 20)):
                top, left = int(random.integers(height)), int(random.integers(width))
                size = int(random.integers(1, 3))
                out[row, :, top : top + size, left : left + size] = float(random.random() < 0.7)
    return out


def _halftone(luma: Tensor, material: Material) -> Tensor:
    """A newspaper's screen at 45 degrees, partly resolved by the scan."""
    strength = material.sometimes("halftone", 0.04, 0.2, 0.6, luma)
    height, width = luma.shape[-2:]
    period = material.between("screen", 2.2, 4.0, luma)
    down, across = torch.arange(height, device=luma.device)[:, None], torch.arange(width, device=luma.device)[None]
    wave = 2.0 * math.pi / period
    dots = 0.5 + 0.25 * (torch.cos(wave * (down + across) / 2**0.5) + torch.cos(wave * (down - across) / 2**0.5))
    return torch.lerp(luma, torch.sigmoid(8.0 * (luma - dots)), strength)


def _scanned(luma: Tensor, material: Material) -> Tensor:
    """Few pixels, sharpened so that edges have halos; levels stretched to the darkest and the lightest that is there."""
    size = luma.shape[-2:]
    scale = material.sometimes("resolution", 0.4, 1.2, 2.5, luma)
    rows = [row for row, factor in enumerate(scale.flatten().tolist()) if factor]
    for row in rows:
        factor = float(scale[row])
        small = [max(8, round(length / factor)) for length in size]
        few = F.interpolate(luma[row : row + 1], small, mode="bicubic", antialias=True)
        luma[row : row + 1] = F.interpolate(few, size, mode="bicubic", align_corners=False)
    luma = luma + material.sometimes("halo", 0.4, 0.3, 1.5, luma) * (luma - _smooth(luma, 3))
    flat = luma.flatten(1)
    low, high = (torch.quantile(flat, share, dim=1).view(-1, 1, 1, 1) for share in (0.005, 0.995))
    stretched = _column((material.chances["levels"] < 0.6).astype(float), luma)
    return torch.lerp(luma, (luma - low) / (high - low).clamp(min=0.1), stretched)


def _smooth(planes: Tensor, size: int) -> Tensor:
    """The mean of ``size × size`` neighbours."""
    reach = size // 2
    return F.avg_pool2d(F.pad(planes, (reach, reach, reach, reach), mode="replicate"), size, 1)


def _noise(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(like.device).manual_seed(seed)
    return torch.randn(like.shape, generator=generator, device=like.device)


def _on(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(like.device)


def _column(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return _on(values, like).view(-1, 1, 1, 1)
