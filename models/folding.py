"""Batch normalisation taken into the convolution before it: in evaluation mode both are one linear function."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# What this package's networks call a convolution and the normalisation of its output.
_PAIRS = (
    ("conv", "bn"), ("conv1", "bn1"), ("conv2", "bn2"), ("0", "1"),
    ("_conv_stem", "_bn0"), ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"),
    ("_conv_head", "_bn1"),
)  # fmt: skip


def fold_batch_norms(network: nn.Module) -> None:
    """Fold in place, for inference alone. Equal but for rounding; the weights no longer are those of a weights file.

    A normalisation of a sum of two branches stays. Raises AssertionError in training mode.
    """
    for module in list(network.modules()):
        for before, after in _PAIRS:
            convolution, norm = getattr(module, before, None), getattr(module, after, None)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, before, fuse_conv_bn_eval(convolution, norm))
                setattr(module, after, nn.Identity())
