"""ResNet-18 (He et al. 2015) on one channel, with torchvision's key names.

Only the encoder: no pooling at the end, no classifier. Weights of a torchvision ResNet-18 trained on RGB load through
`load_rgb_weights`, which sums the first convolution over its three inputs: for a grey picture R = G = B that is the same
function.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)  # channels of layer1 … layer4, at 1/4, 1/8, 1/16, 1/32 of the input


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, as in torchvision.models.resnet."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, ⌈H/stride⌉, ⌈W/stride⌉)``."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + shortcut)


class ResNet18Encoder(nn.Module):
    """The first ``layers`` stages of ResNet-18 for one-channel input; returns every stage's features, finest first.

    widths      channels of what `forward` gives
    half_range  L is shown to it as (L − 50) / half_range
    """

    half_range = 50.0

    def __init__(self, layers: int = 4) -> None:
        super().__init__()
        self.widths = WIDTHS[:layers]
        self.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = layers
        inputs = 64
        for index, width in enumerate(WIDTHS[:layers], start=1):
            stride = 1 if index == 1 else 2
            setattr(
                self, f"layer{index}", nn.Sequential(BasicBlock(inputs, width, stride), BasicBlock(width, width, 1))
            )
            inputs = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)  # each block starts as its shortcut: steadier first steps

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(B, 1, H, W)`` to features at 1/4, 1/8, 1/16, 1/32 (as many as there are layers)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        features = []
        for index in range(1, self.layers + 1):
            x = getattr(self, f"layer{index}")(x)
            features.append(x)
        return features

    def early(self, blocks: int) -> list[nn.Module]:
        """The stem and the first ``blocks`` residual blocks, for who wants to leave them as they are."""
        inner = [block for index in range(1, self.layers + 1) for block in getattr(self, f"layer{index}")]
        return [self.conv1, self.bn1, *inner[:blocks]]


def load_rgb_weights(encoder: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a classifier of RGB pictures with the encoder's key names, such as torchvision's ``resnet18().state_dict()``.

    Keys that the encoder does not have, as the classifier's last layer, are left out. Raises RuntimeError if one that it
    needs is missing.
    """
    wanted = encoder.state_dict()
    kept = {key: value for key, value in state.items() if key in wanted}
    for key, value in kept.items():
        if value.ndim == 4 and value.shape[1] == 3 and wanted[key].shape[1] == 1:
            kept[key] = value.sum(dim=1, keepdim=True)
    encoder.load_state_dict(kept, strict=True)
