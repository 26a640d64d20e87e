"""Is it a colour negative, scanned as it is? Its film is orange all over, where the picture is lightest too.

The mask is in the base, so nothing in a colour negative is white or grey. A toned print has white or cream paper, and a
sunset its sun. Measured: 4 of 2,000 colour photographs and none of 41 old prints are taken for one; of negatives that were
computed from photographs a third is found, the less colourful ones.

Black-and-white negatives are not recognised: see docs/design-notes/photo.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorize_media.color.scaling import averaged_down

NEGATIVE = "it looks like a colour negative: invert it first, with its orange mask taken out"
_SIDE = 96  # pixels
_LIGHTEST = 0.05  # share of the pixels
_RED, _GREEN = 1.25, 1.2  # of the lightest, in the median: red over green, green over blue
_EVERYWHERE, _SHARE = 1.1, 0.97  # the same of so many of all pixels


def is_color_negative(preview: NDArray[np.uint8]) -> bool:
    """Whether a small picture ``(h, w, 3)`` of R'G'B' is orange as a colour negative is."""
    side = (min(_SIDE, preview.shape[1]), min(_SIDE, preview.shape[0]))
    codes = np.asarray(averaged_down(preview, side), np.float32) + 1  # black has no hue
    red = codes[..., 0] / codes[..., 1]
    green = codes[..., 1] / codes[..., 2]
    if ((red > _EVERYWHERE) & (green > _EVERYWHERE)).mean() <= _SHARE:
        return False
    light = codes.mean(axis=2)
    lightest = light >= np.quantile(light, 1 - _LIGHTEST)
    return bool(np.median(red[lightest]) > _RED and np.median(green[lightest]) > _GREEN)
