"""What a network says about colour: for each cell of a coarse grid a distribution, not yet a colour."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from colorize_media.models.bins import bin_centres


class ColorDistribution(NamedTuple):
    """A network's output; all on a grid of 1/4 of the input's size, ``h = ⌈H/4⌉``.

    logits  ``(B, 262, h, w)`` over the colour bins, or None for a network that gives one colour (a Gaussian's mean)
    offset  ``(B, 2, h, w)`` in ab units: the residual added to the bins' mean, or the colour itself if there are no bins
    scene   ``(B, C)`` logits of the scene classes, for training only; None where the network has none
    """

    logits: Tensor | None
    offset: Tensor
    scene: Tensor | None = None

    def mean(self, temperature: float = 1.0) -> Tensor:
        """The annealed mean (Zhang et al. 2016, eq. 5) plus the offset: ab ``(B, 2, h, w)`` float32.

        T = 1 is the expectation, T → 0 the most likely bin. A Gaussian's mean does not depend on T.
        """
        if self.logits is None:
            return self.offset.float()
        weights = torch.softmax(self.logits.float() / temperature, dim=1)
        centres = bin_centres().to(weights)
        return torch.einsum("bkhw,kc->bchw", weights, centres) + self.offset.float()
