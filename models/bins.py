"""The colour bins: cells of a grid of step 10 over a and b that sRGB can reach.

All 2^24 sRGB colours converted by scikit-image fall into 261 cells (nearest centre); OpenCV's conversion adds one on the
border, (20, −80). The union, 262 cells, is used. Each row of constant a is contiguous in b, so the table is short; a test
regenerates it.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

STEP = 10  # ab units between centres

# a / STEP: (first b / STEP, last b / STEP)
_ROWS: dict[int, tuple[int, int]] = {
    -9: (8, 8),
    -8: (4, 8),
    -7: (2, 9),
    -6: (0, 9),
    -5: (-2, 9),
    -4: (-3, 9),
    -3: (-4, 9),
    -2: (-4, 9),
    -1: (-5, 9),
    0: (-6, 9),
    1: (-7, 8),
    2: (-8, 8),
    3: (-8, 8),
    4: (-9, 8),
    5: (-9, 7),
    6: (-10, 7),
    7: (-11, 7),
    8: (-11, 7),
    9: (-9, 0),
    10: (-7, -5),
}

COUNT = sum(last - first + 1 for first, last in _ROWS.values())


@cache
def _centres() -> Tensor:
    return torch.tensor(
        [(a * STEP, b * STEP) for a, (first, last) in _ROWS.items() for b in range(first, last + 1)],
        dtype=torch.float32,
    )


def bin_centres() -> Tensor:
    """The centres in ab units, ``(262, 2)`` float32, ordered by a, then b. A fresh copy."""
    return _centres().clone()
