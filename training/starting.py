"""The network that a run begins with: fresh, from ImageNet, or from weights of an earlier run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from colorize_media.errors import TrainingProblem
from colorize_media.models import (
    Config,
    Network,
    RegressionConfig,
    ScenesConfig,
    ScenesNet,
    build,
    config_from_json,
    config_to_json,
    load_weights,
)
from colorize_media.training.imagenet import start_from_imagenet
from colorize_media.training.recipe import Recipe

IMAGENET = "imagenet"  # the name, as for --init, of a start from ImageNet's encoders


def first_network(recipe: Recipe, classes: tuple[str, ...], init: Path | str | None, notes: dict[str, Any]) -> Network:
    """A resumed run's network (its weights come from the state), one that starts from ``init``, or a fresh one.

    ``init`` is a weights file, or `IMAGENET`. ``notes`` get the network's config and where it began. Raises TrainingProblem.
    """
    torch.manual_seed(recipe.seed)  # fresh weights, the same in every process
    if "config" in notes:
        return build(config_from_json(notes["config"]))
    config = config_of(recipe, classes)
    if init is None or init == IMAGENET:
        if recipe.freeze_statistics or recipe.keep < 1.0 or (recipe.frozen_blocks and init is None):
            raise TrainingProblem(
                "this recipe needs weights to start from",
                why="freeze_statistics, frozen_blocks and keep hold on to what they know",
                hint="name weights with --init",
            )
        network = build(config)
        if init == IMAGENET:
            if not isinstance(network, ScenesNet):
                raise TrainingProblem(
                    "no ImageNet weights for this network", why=f"it is a {config.kind}", hint="use --init none"
                )
            notes["began_with"] = f"ImageNet: {start_from_imagenet(network)}"
    else:
        network = _started_from(Path(init), config, recipe.as_begun)
        notes["began_with"] = Path(init).name
    notes["config"] = config_to_json(network.config)
    return network


def config_of(recipe: Recipe, classes: tuple[str, ...]) -> Config:
    """The config of a recipe's network."""
    if recipe.network == "regression":
        return RegressionConfig()
    return ScenesConfig(
        encoder=recipe.encoder,
        decoder=recipe.decoder,
        fuse_global=recipe.fuse_global,
        residual_bound=recipe.residual_bound,
        scene_classes=classes if recipe.fuse_global and recipe.scene_weight else (),
    )


def hold_early_blocks(network: Network, blocks: int) -> list[nn.Module]:
    """Take the gradient from the encoder's stem and first blocks; returns them, who have to stay in evaluation mode.

    Nothing before them learns, so their backward pass is not made at all.
    """
    held = network.encoder.early(blocks) if blocks else []
    for module in held:
        module.requires_grad_(False)
    return held


def _started_from(file: Path, config: Config, as_begun: bool) -> Network:
    """The network of a weights file: its weights, its decoding, its scene head if the classes are the same.

    ``as_begun`` takes any network of the recipe's kind. Raises TrainingProblem if the recipe's network is another.
    """
    found, _ = load_weights(file)
    ours = found.config
    if isinstance(ours, ScenesConfig) and isinstance(config, ScenesConfig):
        ours = replace(ours, scene_classes=config.scene_classes)
    names = ("kind",) if as_begun else ("kind", "encoder", "decoder", "fuse_global", "residual_bound")
    wanted = {name: getattr(config, name) for name in names if hasattr(config, name)}
    brought = {name: getattr(ours, name, None) for name in wanted}
    if wanted != brought:
        raise TrainingProblem(
            "cannot start from these weights",
            path=file,
            why=f"they are of {brought}, the recipe's network is {wanted}",
            hint="name weights of the same network",
        )
    network = build(ours)
    state = found.state_dict()
    if ours != found.config:
        state |= {name: value for name, value in network.state_dict().items() if name.startswith("scene_head.")}
    network.load_state_dict(state, strict=True)
    return network
