"""What a network says about colour: for each cell of a coarse grid a distribution, not yet a colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
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

    def mirrored(self) -> ColorDistribution:
        """Of the picture with left and right exchanged."""
        return ColorDistribution(
            None if self.logits is None else self.logits.flip(-1), self.offset.flip(-1), self.scene
        )

    def mean(self, temperature: float = 1.0) -> Tensor:
        """The annealed mean (Zhang et al. 2016, eq. 5) plus the offset: ab ``(B, 2, h, w)`` float32.

        T = 1 is the expectation, T → 0 the most likely bin. A Gaussian's mean does not depend on T.
        """
        if self.logits is None:
            return self.offset.float()
        weights = torch.softmax(self.logits.float() / temperature, dim=1)
        centres = bin_centres().to(weights)
        return torch.einsum("bkhw,kc->bchw", weights, centres) + self.offset.float()


def consensus(views: Sequence[ColorDistribution]) -> ColorDistribution:
    """What several looks at the same pictures agree on, on the grid of the first one; float32.

    The bins' probabilities are averaged geometrically (the mean of log p, renormalised by whoever takes the softmax): a
    colour counts where no look rules it out, and taking out a prior before or after is the same. Offsets are averaged.
    """
    if len(views) == 1:
        return views[0]
    size = views[0].offset.shape[-2:]

    def mean(planes: list[Tensor]) -> Tensor:
        on_one_grid = [
            plane if plane.shape[-2:] == size else F.interpolate(plane, size, mode="bilinear", align_corners=False)
            for plane in planes
        ]
        return torch.stack(on_one_grid).mean(dim=0)

    offset = mean([view.offset.float() for view in views])
    logits = [torch.log_softmax(view.logits.float(), dim=1) for view in views if view.logits is not None]
    return ColorDistribution(mean(logits) if logits else None, offset)
