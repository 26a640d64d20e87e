"""Is a grey picture a photographed page or a line drawing rather than a photograph? For ``--skip-documents``.

On a page thin dark strokes stand on an even, brighter ground. A closing (dilation, then erosion) wider than a stroke takes
the strokes away and leaves the ground, shaded as the lamp shaded it; in a photograph dark areas stay. Divided by its
ground, a page is either paper or ink, with little in between.

Measured: 9 of 11 pages and drawings (two of scikit-image's, nine made, with shading and noise) are found, and none of 41
old prints and 1,000 colour photographs made grey. Missed are pages under a very uneven lamp, with hardly any ink or half
full of it: in doubt it is a photograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.scaling import small_size

SIDE = 640  # pixels, short side of the picture judged: small print is still strokes, its paper not yet grey
LEAST_SIDE = 100  # pixels; a stroke in a smaller picture is no stroke
STROKE = 1 / 40  # of the short side: wider dark things are no strokes
INK, PAPER = 0.7, 0.88  # of the ground's lightness: at most, at least

EVENNESS = 0.5  # darkest 5 % over lightest 10 % of the ground; old prints without strokes reach 0.69, most are below
LEAST_INK = 0.04  # share of the picture; a figure in the snow has less
LEAST_PAPER = 0.6  # share of the picture; grass and gravel have 0.4
MOST_BETWEEN = 1.5  # share that is neither, over that of ink; photographs that are even enough begin at 1.6


@dataclass(frozen=True)
class DocumentVerdict:
    """``even``: 5th over 90th percentile of the ground; ``ink``: share of strokes; ``between``: share of half tones."""

    is_document: bool
    even: float
    ink: float
    between: float

    @property
    def reason(self) -> str:
        """One clause for people."""
        return f"strokes on {self.ink:.0%} of an even ground, half tones on {self.between:.0%}"


def judge_document(luma: NDArray[Any]) -> DocumentVerdict:
    """Judge luma ``(H, W)``, uint8 or uint16, at full resolution."""
    height, width = luma.shape
    size = small_size(width, height, SIDE)
    small: NDArray[Any] = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    if small.dtype == np.uint16:
        small = (small // 256).astype(np.uint8)
    soft = cv2.GaussianBlur(small, (3, 3), 0)  # grain is no ink
    side = max(3, int(min(size) * STROKE) | 1)
    closed = cv2.morphologyEx(soft, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    ground = np.maximum(cv2.blur(closed, (side, side)), 1).astype(np.float32)
    share = soft.astype(np.float32) / ground
    low, high = np.percentile(ground, (5, 90))
    ink, paper = float((share < INK).mean()), float((share > PAPER).mean())
    even, between = float(low / high), 1.0 - ink - paper
    stroked = ink >= LEAST_INK and paper >= LEAST_PAPER and between <= MOST_BETWEEN * ink
    is_document = min(size) >= LEAST_SIDE and even >= EVENNESS and stroked
    return DocumentVerdict(is_document, even, ink, between)
