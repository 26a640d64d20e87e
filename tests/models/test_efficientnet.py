"""EfficientNet-Lite's shape and padding. That it computes what the package's own network does was checked to 1e-5."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F

from colorize_media.models import ENCODERS, EfficientNetLiteEncoder, ScenesConfig, config_from_json, config_to_json
from colorize_media.models.efficientnet import SameConv2d


@pytest.mark.parametrize(
    ("size", "widths", "skips", "blocks", "millions"),
    [
        (0, (24, 40, 112, 1280), (2, 4, 10), 16, 4.652),  # published: 4.7, 5.4, 6.1 million with the classifier
        (1, (24, 40, 112, 1280), (3, 6, 14), 21, 5.416),
        (2, (24, 48, 120, 1280), (3, 6, 14), 21, 6.092),
    ],
)
def test_sizes(size: int, widths: tuple[int, ...], skips: tuple[int, ...], blocks: int, millions: float) -> None:
    encoder = EfficientNetLiteEncoder(size)
    assert encoder.widths == widths
    assert encoder.skips == skips
    assert len(encoder._blocks) == blocks
    classifier = 1280 * 1000 + 1000
    rgb_stem = 2 * 9 * 32  # of the two input channels that grey does not need
    count = sum(value.numel() for value in encoder.parameters()) + classifier + rgb_stem
    assert count / 1e6 == pytest.approx(millions, abs=0.001)


@pytest.mark.parametrize("length", [32, 33, 35, 64])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_tensorflow_s(length: int, kernel: int, stride: int) -> None:
    """SAME: ⌈n/s⌉ values, the padding shared out with the odd one at the end."""
    convolution = SameConv2d(1, 1, kernel, stride, bias=False)
    x = torch.rand(1, 1, length, length)
    outputs = -(-length // stride)
    total = max((outputs - 1) * stride + kernel - length, 0)
    before, after = total // 2, total - total // 2
    expected = F.conv2d(F.pad(x, (before, after, before, after)), convolution.weight, stride=stride)
    found = convolution(x)
    assert found.shape[-1] == outputs
    torch.testing.assert_close(found, expected)


def test_a_config_from_before_encoders_could_be_chosen_is_a_resnet() -> None:
    old = json.loads(config_to_json(ScenesConfig()))
    del old["encoder"]
    assert config_from_json(json.dumps(old)) == ScenesConfig(encoder="resnet18")
    for name in ENCODERS:
        assert config_from_json(config_to_json(ScenesConfig(encoder=name))).encoder == name  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="unknown encoder"):
        config_from_json(json.dumps(old | {"encoder": "vgg"}))
