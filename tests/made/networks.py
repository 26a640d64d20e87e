"""Networks in which every layer matters. In a fresh one the blocks do nothing and all pictures look alike."""

from __future__ import annotations

import torch
from torch import nn

from colorize_media.models import Config, Network, build


def lively(config: Config, seed: int = 0) -> Network:
    """Untrained, in evaluation mode; its colours differ from picture to picture and from pixel to pixel."""
    torch.manual_seed(seed)
    network = build(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.0)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.2)
    for head, std in (("bin_head", 1.0), ("residual_head", 0.2)):
        if hasattr(network, head):
            nn.init.normal_(getattr(network, head).weight, std=std)
    return network.eval()
