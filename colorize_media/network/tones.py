"""The tones of a faded picture, widened for the network's eyes only: its own luma stays as it is.

A print loses density with age and a scanner adds fog: black has become grey, white is brown. The networks learned from
pictures whose tones reach from black to white, and take a faded one for fog, dust or dusk: everything turns brown. What
lacks black or white is therefore brought to where nearly every sound picture has them; the others are seen as they are, to
the bit, since a narrow range means something too: snow, mist, night.

Measured in docs/design-notes/network.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLACK, WHITE = 10.0, 78.0  # L that the darkest and the lightest hundredth of a picture are to reach
MOST = 2.5  # times; what is flatter is a blank, a fade or a wall
_TAIL = 0.01  # share of the pixels beyond either tone: dust, scratches and signatures are less
_BORDER = 0.1  # of each side: paper around a print and bars around a film's frame are not the picture


def widened(lightness: Tensor) -> Tensor:
    """L ``(B, 1, H, W)`` in [0, 100] with each picture's darkest tones at `BLACK` or below, its lightest at `WHITE` or above.

    Linear between them, by at most `MOST` times, clipped to [0, 100]. A picture that reaches both comes back unchanged.
    """
    low, high = _ends(lightness)
    full = (high.clamp(min=WHITE) - low.clamp(max=BLACK)) / (high - low).clamp(min=1.0)
    some = full.clamp(max=MOST)
    part = (some - 1.0) / (full - 1.0).clamp(min=1e-6)  # of the way, about the tone that stays where it is
    moved = some * lightness + part * (low.clamp(max=BLACK) - low * full)
    return torch.where((low > BLACK) | (high < WHITE), moved.clamp(0.0, 100.0), lightness)


def _ends(lightness: Tensor) -> tuple[Tensor, Tensor]:
    """The darkest and the lightest tone of each picture, ``(B, 1, 1, 1)``."""
    height, width = lightness.shape[-2:]
    top, left = round(_BORDER * height), round(_BORDER * width)
    inner = lightness[..., top : height - top, left : width - left].flatten(1).float()
    low, high = torch.quantile(inner, torch.tensor([_TAIL, 1.0 - _TAIL], device=inner.device), dim=1)
    return low.view(-1, 1, 1, 1), high.view(-1, 1, 1, 1)
