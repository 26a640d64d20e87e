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

    def part(self, start: int, stop: int) -> ColorDistribution:
        """Of some pictures of the batch."""
        logits, offset, scene = (None if planes is None else planes[start:stop] for planes in self)
        assert offset is not None
        return ColorDistribution(logits, offset, scene)

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

    The bins' probabilities are averaged geometrically: a colour counts where no look rules it out, and taking out a prior
    before or after is the same. That is the mean of the logits themselves, up to a constant per cell that any softmax takes
    out; the logits given back are not normalised. Offsets are averaged.
    """
    if len(views) == 1:
        return views[0]
    logits = [view.logits for view in views if view.logits is not None]
    return ColorDistribution(_mean(logits) if logits else None, _mean([view.offset for view in views]))


def _mean(planes: Sequence[Tensor]) -> Tensor:
    """On the first one's grid. What lies on one grid is added before it is enlarged, which is the same and done once."""
    sums: dict[torch.Size, Tensor] = {}
    for plane in planes:
        size = plane.shape[-2:]
        sums[size] = sums[size].add_(plane) if size in sums else plane.to(torch.float32, copy=True)
    first, *others = sums.values()
    for other in others:
        first += F.interpolate(other, first.shape[-2:], mode="bilinear", align_corners=False)
    return first.div_(len(planes))
