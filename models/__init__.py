"""The networks and their weights; torch and safetensors only, a leaf that imports no other room but errors.

Names load on first use: which weights file a name means is known without loading torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorize_media.models.bins import bin_centres
    from colorize_media.models.checkpoint import (
        Config,
        Network,
        build,
        config_from_json,
        config_to_json,
        load_weights,
        read_description,
        save_weights,
    )
    from colorize_media.models.distribution import ColorDistribution, consensus
    from colorize_media.models.efficientnet import EfficientNetLiteEncoder
    from colorize_media.models.folding import fold_batch_norms
    from colorize_media.models.regression import RegressionConfig, RegressionNet
    from colorize_media.models.resnet import ResNet18Encoder, load_rgb_weights
    from colorize_media.models.scenes import ENCODERS, EncoderName, ScenesConfig, ScenesNet
    from colorize_media.models.weights_file import SHIPPED, find_weights, weights_digest

_HOMES = {
    "ENCODERS": "scenes",
    "SHIPPED": "weights_file",
    "ColorDistribution": "distribution",
    "Config": "checkpoint",
    "EfficientNetLiteEncoder": "efficientnet",
    "EncoderName": "scenes",
    "Network": "checkpoint",
    "RegressionConfig": "regression",
    "RegressionNet": "regression",
    "ResNet18Encoder": "resnet",
    "ScenesConfig": "scenes",
    "ScenesNet": "scenes",
    "bin_centres": "bins",
    "build": "checkpoint",
    "config_from_json": "checkpoint",
    "config_to_json": "checkpoint",
    "consensus": "distribution",
    "find_weights": "weights_file",
    "fold_batch_norms": "folding",
    "load_rgb_weights": "resnet",
    "load_weights": "checkpoint",
    "read_description": "checkpoint",
    "save_weights": "checkpoint",
    "weights_digest": "weights_file",
}

__all__ = [
    "ENCODERS",
    "SHIPPED",
    "ColorDistribution",
    "Config",
    "EfficientNetLiteEncoder",
    "EncoderName",
    "Network",
    "RegressionConfig",
    "RegressionNet",
    "ResNet18Encoder",
    "ScenesConfig",
    "ScenesNet",
    "bin_centres",
    "build",
    "config_from_json",
    "config_to_json",
    "consensus",
    "find_weights",
    "fold_batch_norms",
    "load_rgb_weights",
    "load_weights",
    "read_description",
    "save_weights",
    "weights_digest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
