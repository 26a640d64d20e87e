"""From a training run to weights that the command uses: decoding chosen, scores and origin written into the file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import torch

from colorize_media.models import ScenesNet, load_weights, save_weights
from colorize_media.options import ColorizeOptions
from colorize_media.training.choosing import Choice, choose_decoding
from colorize_media.training.evaluation import Decoding, evaluate_network
from colorize_media.training.losses import rebalancing_weights
from colorize_media.training.pictures import PictureStore

KEPT = ("recipe", "data", "steps", "pictures_seen", "began_with")  # of a run's record
WORKING_SIZE = ColorizeOptions().working_size


def ship(
    run: Path,
    output: Path,
    pictures: PictureStore,
    *,
    few: PictureStore | None = None,
    share: float = 0.9,
    refine: float | None = None,
    working_size: int = WORKING_SIZE,
    device: torch.device | None = None,
    on_choice: Callable[[Choice], None] = lambda choice: None,
) -> dict[str, dict[str, float]]:
    """Write ``output`` from a run's weights; returns its scores on ``pictures`` under "mean", "fast" and "default".

    The decoding is chosen on ``few`` of them (default: all) for ``share`` of the truth's colourfulness (`choosing`), ``refine``
    is the mean field's strength, None the run's own. Raises WeightsDamaged, OutputUnwritable.
    """
    device = device or torch.device("cpu")
    network, record = load_weights(run / "weights.safetensors")
    network = network.to(device)
    if refine is not None:
        network.config = dataclasses.replace(network.config, refine=refine)
    kept = {key: record[key] for key in KEPT if key in record}
    if isinstance(network, ScenesNet):
        prior = torch.tensor(json.loads((run / "prior.json").read_text(encoding="utf-8"))["prior"])
        log_weights = rebalancing_weights(prior, exponent=record["recipe"]["exponent"]).log()
        chosen = choose_decoding(
            network, few or pictures, log_weights, share, working_size=working_size, device=device, on_choice=on_choice
        )
        kept["rebalancing_taken_back"] = chosen.taken_back
    decodings = [Decoding(), Decoding.of_command(network, fast=True), Decoding.of_command(network)]
    plain, fast, default = evaluate_network(
        network, pictures, decodings, working_size=working_size, device=device, full=True
    )
    save_weights(output, network, kept | {"scores": default, "scores_fast": fast, "scores_mean": plain})
    output.chmod(0o644)
    return {"mean": plain, "fast": fast, "default": default}
