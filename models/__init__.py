"""The networks and their weights; torch and safetensors only, a leaf that imports no other room but errors."""

from colorize_media.models.bins import bin_centres
from colorize_media.models.checkpoint import (
    SHIPPED,
    Config,
    Network,
    build,
    config_from_json,
    config_to_json,
    find_weights,
    load_weights,
    read_description,
    save_weights,
    weights_digest,
)
from colorize_media.models.distribution import ColorDistribution, consensus
from colorize_media.models.regression import RegressionConfig, RegressionNet
from colorize_media.models.resnet import ResNet18Encoder, load_rgb_weights
from colorize_media.models.scenes import ScenesConfig, ScenesNet

__all__ = [
    "SHIPPED",
    "ColorDistribution",
    "Config",
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
    "load_rgb_weights",
    "load_weights",
    "read_description",
    "save_weights",
    "weights_digest",
]
