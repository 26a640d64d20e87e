"""Prints whose tone has faded or yellowed unevenly: over the picture it changes slowly, and keeps its hue.

What `monochrome` fits by lightness alone is fitted here by place as well: a parabola in x and y, whose slope may depend on
lightness. Colours of things have edges and hues of their own; they are left over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SOFT = 2.0  # CIELAB units left over at which a pixel counts a half
ROUNDS = 5  # of weighting; then the fit stands still
STIFF = 1e-3  # of a pixel's weight: keeps a picture of one lightness solvable


@dataclass(frozen=True)
class Left:
    """What the fit leaves over, 90th percentiles in CIELAB units.

    residual  of its length;  along, across  of its parts along and across the tone's hue
    turn      degrees between the tone's hue at a place and in the mean
    """

    residual: float
    along: float
    across: float
    turn: float


def left_of_uneven_tone(lab: NDArray[np.float32]) -> Left:
    """By ``lab (h, w, 3)`` of a small picture."""
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    light = lab[..., 0] / 50.0 - 1.0
    places = [x, y, x * x, x * y, y * y]
    terms = [np.ones_like(x), light, light**2, light**3, *places, *(light * place for place in places)]
    table = np.stack([term.ravel() for term in terms], axis=1)
    ab = lab[..., 1:].reshape(-1, 2)
    weights = np.ones(len(table), np.float32)
    stiff = STIFF * len(table) * np.eye(table.shape[1])
    for _ in range(ROUNDS):
        weighted = table * weights[:, None]
        tone = table @ np.linalg.solve(weighted.T @ table + stiff, weighted.T @ ab).astype(np.float32)
        left = ab - tone
        residual = np.hypot(left[:, 0], left[:, 1])
        weights = 1.0 / (1.0 + (residual / SOFT) ** 2)
    hue = tone[:, 0] + 1j * tone[:, 1]
    part = (left[:, 0] + 1j * left[:, 1]) * np.conj(hue) / np.maximum(np.abs(hue), 1e-6)
    turn = np.abs(np.angle(hue * np.conj(hue.mean()), deg=True))
    values = (residual, np.abs(part.real), np.abs(part.imag), turn)
    return Left(*(float(np.percentile(value, 90)) for value in values))
