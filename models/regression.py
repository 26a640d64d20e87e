"""The classic small net of the project's origin: ResNet-18 through layer2, five convolutions, mean squared error on ab.

ResNet-18's conv1 … layer2 on one channel (1/8 resolution), then conv 128, ×2, conv 64, conv 64, ×2, conv 32, conv 2, ×2,
with batch normalisation and ReLU between. It is the baseline that every table shows. The last ×2 of the original is left to
the caller's own enlargement of ab, except that the output is given on the 1/4 grid like every network's here: the
convolution to two channels runs at 1/2 and its result is averaged 2×2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from colorize_media.models.distribution import ColorDistribution
from colorize_media.models.ranges import check_decoding
from colorize_media.models.resnet import ResNet18Encoder

AB_SCALE = 110.0  # the last layer works in units of about 1; ab reach about ±110


@dataclass(frozen=True)
class RegressionConfig:
    """How a `regression` network is decoded; stored in its checkpoint. It has nothing to choose in its shape."""

    kind: Literal["regression"] = "regression"
    temperature: float = 1.0
    chroma_gain: float = 1.0
    picture_gain: float = 0.0
    refine: float = 0.0

    def __post_init__(self) -> None:
        check_decoding(self)


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class RegressionNet(nn.Module):
    """See the module's text. Input ``(B, 1, H, W)``, L in [0, 100], any size from 32×32."""

    def __init__(self, config: RegressionConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ResNet18Encoder(2)
        self.conv8 = _conv(128, 128)
        self.conv4a = _conv(128, 64)
        self.conv4b = _conv(64, 64)
        self.conv2 = _conv(64, 32)
        self.head = nn.Conv2d(32, 2, 3, padding=1)

    def forward(self, lightness: Tensor) -> ColorDistribution:
        """``(B, 1, H, W)``, L in [0, 100], to the mean colour on the 1/4 grid."""
        height, width = lightness.shape[-2:]
        _, x = self.encoder((lightness - 50.0) / 50.0)
        quarter = (-(-height // 4), -(-width // 4))
        x = F.interpolate(self.conv8(x), size=quarter, mode="nearest")
        x = self.conv4b(self.conv4a(x))
        x = self.head(self.conv2(F.interpolate(x, scale_factor=2, mode="nearest")))
        return ColorDistribution(None, AB_SCALE * F.avg_pool2d(x, 2))
