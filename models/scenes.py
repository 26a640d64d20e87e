"""The default network: a distribution over colour bins at 1/4 resolution, from local and global features.

An encoder (ResNet-18, or an EfficientNet-Lite) sees lightness; the whole picture's mean feature is fused with the local
ones at every position of the bottleneck (Iizuka et al. 2016: relu(b + W [global; local])); a light decoder climbs back to
1/4 with additive skips. Three heads: bin logits (Zhang et al. 2016), a small bounded residual in ab, and scene classes from
the global feature (training only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_media.models import bins
from colorize_media.models.distribution import ColorDistribution
from colorize_media.models.efficientnet import EfficientNetLiteEncoder
from colorize_media.models.ranges import MOST_CHANNELS, check_decoding, check_range
from colorize_media.models.resnet import ResNet18Encoder

EncoderName: TypeAlias = Literal["resnet18", "efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)


@dataclass(frozen=True)
class ScenesConfig:
    """How a `scenes` network is built and decoded; stored in its checkpoint.

    encoder         what looks at the picture; files from before there was a choice hold a resnet18
    decoder         channels of the decoder at 1/16, 1/8 and 1/4
    fuse_global     whether the whole picture's feature joins the local ones
    residual_bound  largest residual in ab units; 0 is no residual
    scene_classes   names of the scene head's classes, may be empty
    temperature     of the annealed mean, chosen on validation pictures
    chroma_gain     at vividness 1, chosen on validation pictures
    picture_gain    power of each picture's own gain (`network.refine.own_gain`); files from before it was there hold none
    refine          strength of the spatial mean field (0 is off), chosen on validation pictures and by eye
    """

    kind: Literal["scenes"] = "scenes"
    encoder: EncoderName = "resnet18"
    decoder: tuple[int, int, int] = (256, 128, 128)
    global_width: int = 256
    fuse_global: bool = True
    residual_bound: float = 8.0
    scene_classes: tuple[str, ...] = ()
    temperature: float = 1.0
    chroma_gain: float = 1.0
    picture_gain: float = 0.0
    refine: float = 1.0

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise ValueError(f"unknown encoder {self.encoder!r}")
        check_decoding(self)
        check_range("residual_bound", self.residual_bound, 0.0, 110.0)
        if len(self.decoder) != 3:
            raise ValueError("decoder has not three numbers of channels")
        for channels in (*self.decoder, self.global_width):
            check_range("channels", channels, 1, MOST_CHANNELS)


def build_encoder(name: EncoderName) -> ResNet18Encoder | EfficientNetLiteEncoder:
    """An encoder with fresh weights."""
    return ResNet18Encoder(4) if name == "resnet18" else EfficientNetLiteEncoder(int(name[-1]))


class Climb(nn.Module):
    """Enlarge ×2, add the encoder's features of that size, mix with one 3×3 convolution."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(skip, inputs, 1, bias=False)
        self.bn_in = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``x (B, inputs, h, w)`` and ``skip (B, skip, H, W)`` to ``(B, outputs, H, W)``; odd sizes come from the skip."""
        x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        x = F.relu(self.bn_in(x + self.lateral(skip)))
        return F.relu(self.bn(self.conv(x)))


class ScenesNet(nn.Module):
    """See the module's text. Input ``(B, 1, H, W)``, L in [0, 100], any size from 32×32."""

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__()
        self.config = config
        sixteenth, eighth, quarter = config.decoder
        self.encoder = build_encoder(config.encoder)
        quarter_skip, eighth_skip, sixteenth_skip, bottom = self.encoder.widths
        if config.fuse_global:
            self.global_features = nn.Sequential(
                nn.Linear(bottom, config.global_width), nn.ReLU(inplace=True),
                nn.Linear(config.global_width, config.global_width), nn.ReLU(inplace=True),
            )  # fmt: skip
        self.fuse_local = nn.Conv2d(bottom, sixteenth, 1, bias=False)
        if config.fuse_global:
            self.fuse_global = nn.Linear(config.global_width, sixteenth)
        self.fuse_bn = nn.BatchNorm2d(sixteenth)
        self.climb16 = Climb(sixteenth, sixteenth_skip, eighth)
        self.climb8 = Climb(eighth, eighth_skip, eighth)
        self.climb4 = Climb(eighth, quarter_skip, quarter)
        self.bin_head = nn.Conv2d(quarter, bins.COUNT, 1)
        if config.residual_bound:
            self.residual_head = nn.Conv2d(quarter, 2, 1)
        if config.fuse_global:
            self.scene_head = nn.Linear(config.global_width, max(len(config.scene_classes), 1))
            self.scene_head.requires_grad_(bool(config.scene_classes))
        if config.residual_bound:
            nn.init.zeros_(self.residual_head.weight)
            assert self.residual_head.bias is not None
            nn.init.zeros_(self.residual_head.bias)

    def forward(self, lightness: Tensor) -> ColorDistribution:
        """``(B, 1, H, W)``, L in [0, 100], to a `ColorDistribution` on the 1/4 grid."""
        quarter, eighth, sixteenth, bottom = self.encoder((lightness - 50.0) / self.encoder.half_range)
        x = self.fuse_local(bottom)
        scene = None
        if self.config.fuse_global:
            whole = self.global_features(bottom.mean(dim=(-2, -1)))
            x = x + self.fuse_global(whole)[:, :, None, None]
            if self.training and self.config.scene_classes:
                scene = self.scene_head(whole)
        x = F.relu(self.fuse_bn(x))
        x = self.climb16(x, sixteenth)
        x = self.climb8(x, eighth)
        x = self.climb4(x, quarter)
        logits = self.bin_head(x)
        if self.config.residual_bound:
            residual = self.config.residual_bound * torch.tanh(self.residual_head(x))
        else:
            residual = torch.zeros_like(logits[:, :2])
        return ColorDistribution(logits, residual, scene)
