"""Losses: rebalanced soft cross-entropy over the bins plus a small smooth-L1 (`scenes`), mean squared error (`regression`).

A loss never sees a picture, only a `ColorDistribution` and the true ab on the same grid. Each returns its parts by name,
so that a loss that stops being finite can say which part did.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_media.models import ColorDistribution, bin_centres

NEIGHBOURS = 5  # nearest bins that share one pixel (Zhang et al. 2016, §2.2)
SIGMA = 5.0  # ab units, of the soft encoding and of the prior's smoothing
_REACH = 110  # the encoding is tabulated for integer a and b in [−110, 110]


class Loss(Protocol):
    """``total`` is what is differentiated: the sum of the parts that carry weight."""

    def __call__(
        self, output: ColorDistribution, ab: Tensor, scene: Tensor, answer: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """``ab (B, 2, h, w)``; ``scene (B,)`` class numbers, −1 unknown; ``answer`` a teacher's bins and shares.

        Returns scalars, among them ``total``.
        """


class SoftEncoding(nn.Module):
    """ab → the five nearest bins with weights exp(−d²/2σ²), normalised; a table over ab rounded to one unit."""

    indices: Tensor
    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        axis = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
        ab = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1).view(-1, 2)
        distance = torch.cdist(ab, bin_centres())
        nearest, indices = distance.topk(NEIGHBOURS, dim=1, largest=False)
        # Far outside the gamut all five weights underflow together; relative to the nearest they do not.
        weights = torch.exp(-(nearest**2 - nearest[:, :1] ** 2) / (2 * SIGMA**2))
        self.register_buffer("indices", indices)
        self.register_buffer("weights", weights / weights.sum(dim=1, keepdim=True))

    def forward(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, 2, h, w)`` → bin numbers and weights, each ``(B, 5, h, w)``; number 0 is the nearest bin."""
        cell = ab.round().long().clamp(-_REACH, _REACH) + _REACH
        row = cell[:, 0] * (2 * _REACH + 1) + cell[:, 1]
        return self.indices[row].permute(0, 3, 1, 2), self.weights[row].permute(0, 3, 1, 2)


def smooth_prior(counts: Tensor) -> Tensor:
    """Sums of soft encodings ``(262,)`` → the prior p̃: normalised and Gaussian-smoothed on the ab plane (σ 5 units)."""
    centres = bin_centres()
    kernel = torch.exp(-(torch.cdist(centres, centres) ** 2) / (2 * SIGMA**2))
    smoothed = (counts / counts.sum()) @ (kernel / kernel.sum(dim=1, keepdim=True))
    return smoothed / smoothed.sum()


def rebalancing_weights(
    prior: Tensor, *, mix: float = 0.5, exponent: float = 0.5, limits: tuple[float, float] = (0.3, 5.0)
) -> Tensor:
    """Weight per bin, ``(262,)``: ((1−λ)p̃ + λ/Q)^−1 (Zhang et al. 2016, eq. 4), softened and clipped; mean 1 under p̃.

    The exponent 0.5 and the limits keep a large grey bin from driving rare colours to 66:1, which turns networks trained
    on little data green and blue.
    """
    weights = ((1 - mix) * prior + mix / len(prior)) ** -exponent
    weights = (weights / (prior * weights).sum()).clamp(*limits)
    return weights / (prior * weights).sum()


class BinLoss(nn.Module):
    """For `scenes`: rebalanced soft cross-entropy + smooth-L1 on the mean colour + scene cross-entropy.

    With a teacher's answer, ``teacher_weight`` of the first part is the cross-entropy with that instead of the truth, both
    distributions softened by the temperature ``softness`` (Hinton et al. 2015; its square keeps the gradients' size). It is not
    rebalanced: what the teacher learned was.
    """

    bin_weights: Tensor

    def __init__(
        self,
        bin_weights: Tensor,
        *,
        mean_weight: float,
        scene_weight: float,
        teacher_weight: float = 0.0,
        softness: float = 1.0,
    ) -> None:
        super().__init__()
        self.teacher_weight, self.softness = teacher_weight, softness
        self.encode = SoftEncoding()
        self.register_buffer("bin_weights", bin_weights)
        self.mean_weight = mean_weight
        self.scene_weight = scene_weight

    def forward(
        self, output: ColorDistribution, ab: Tensor, scene: Tensor, answer: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """See `Loss`."""
        assert output.logits is not None
        indices, shares = self.encode(ab)
        # One softmax serves both parts: `output.mean()` would be a second pass over the largest tensor of the step.
        log_p = F.log_softmax(output.logits.float(), dim=1)
        evidence = log_p.gather(1, indices)
        weights = self.bin_weights[indices[:, 0]]
        bins = -(weights * (shares * evidence).sum(dim=1)).mean()
        # Weighted like the bins: unweighted, the residual learns to pull the vivid mean back to grey (measured: 0.46
        # instead of 0.66 of the truth's colourfulness). Only told where it carries no weight: no backward pass for it.
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.mean_weight > 0):
            colour = torch.einsum("bkhw,kc->bchw", log_p.exp(), bin_centres().to(log_p)) + output.offset.float()
            mean = (weights * F.smooth_l1_loss(colour / 10.0, ab / 10.0, reduction="none").mean(dim=1)).mean()
        parts = {"bins": bins, "mean": mean}
        total = bins + self.mean_weight * mean if self.mean_weight else bins
        if answer is not None:
            likeliest, taught = answer
            softened = log_p if self.softness == 1.0 else F.log_softmax(output.logits.float() / self.softness, dim=1)
            parts["teacher"] = -(self.softness**2) * (taught * softened.gather(1, likeliest)).sum(dim=1).mean()
            total = total + self.teacher_weight * (parts["teacher"] - bins)
        if output.scene is not None and self.scene_weight:
            # Over all pictures of the batch, those of no known scene at 0: so the loss of a batch is the mean of its parts'.
            parts["scene"] = F.cross_entropy(output.scene.float(), scene, ignore_index=-1, reduction="sum") / len(scene)
            total = total + self.scene_weight * parts["scene"]
        return parts | {"total": total}


class SquaredError(nn.Module):
    """For `regression`: mean squared error in ab / 110."""

    def forward(
        self, output: ColorDistribution, ab: Tensor, scene: Tensor, answer: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """See `Loss`. Nobody teaches a single colour."""
        error = F.mse_loss(output.mean() / 110.0, ab / 110.0)
        return {"mse": error, "total": error}


def measure_prior(ab_batches: list[Tensor]) -> Tensor:
    """The prior p̃ of a sample of ab grids ``(B, 2, h, w)``."""
    encode = SoftEncoding()
    counts = torch.zeros(len(bin_centres()))
    for ab in ab_batches:
        indices, shares = encode(ab)
        counts += torch.bincount(indices.flatten(), shares.flatten(), minlength=len(counts)).float()
    return smooth_prior(counts)
