"""From a distribution over colours to one colour per cell of the grid: the annealed mean, and the chroma gain."""

from __future__ import annotations

from torch import Tensor

from colorize_media.models import ColorDistribution

REACH = 110.0  # ab units; sRGB's own extremes


def decide_colors(distribution: ColorDistribution, *, temperature: float, gain: float) -> Tensor:
    """ab ``(B, 2, h, w)`` float32: the annealed mean (Zhang et al. 2016, §2.3) times ``gain``, within ±110.

    ``gain`` scales chroma at constant hue, so colourfulness grows with it; what leaves the gamut is brought back later,
    where luma is known (`color.chroma_of_luma`).
    """
    return (gain * distribution.mean(temperature)).clamp(-REACH, REACH)
