"""A run's state on disk: everything that ``--resume`` needs, as safetensors, written whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from colorize_media.errors import TrainingProblem
from colorize_media.models import Network


@dataclass
class RunState:
    """The moving parts of a run. ``step`` counts finished steps; data order and augmentation follow from it.

    ``ema`` is the running mean of the network's floating-point tensors, by name.
    """

    network: Network
    optimizer: torch.optim.AdamW
    ema: dict[str, Tensor]
    step: int = 0
    pictures: int = 0


def save_state(path: Path, state: RunState, notes: dict[str, Any]) -> None:
    """Write under a temporary name and rename. ``notes`` (JSON) come back from `load_state`."""
    tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in state.ema.items()}
    names = _optimised(state)
    for number, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{names[number]}.{moment}": value for moment, value in moments.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {"step": str(state.step), "pictures": str(state.pictures), "notes": json.dumps(notes)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, temporary, metadata)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_notes(path: Path) -> dict[str, Any]:
    """The notes of a saved state. Raises TrainingProblem if there is none or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(json.loads((file.metadata() or {})["notes"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise TrainingProblem(
            "cannot resume", path=path, why=str(error), hint="start again without --resume, in a new folder"
        ) from error


def load_state(path: Path, state: RunState) -> None:
    """Fill network, optimiser and mean weights exactly as they were saved."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    state.network.load_state_dict(_below("network.", tensors), strict=True)
    saved = _below("ema.", tensors)
    for name, value in state.ema.items():
        value.copy_(saved[name])
    number_of = {name: number for number, name in enumerate(_optimised(state))}
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _below("adam.", tensors).items():
        parameter, _, moment = name.rpartition(".")
        moments.setdefault(number_of[parameter], {})[moment] = value
    state.optimizer.load_state_dict({"state": moments, "param_groups": state.optimizer.state_dict()["param_groups"]})
    state.step, state.pictures = int(metadata["step"]), int(metadata["pictures"])


def _optimised(state: RunState) -> list[str]:
    """Names of the parameters in the order that the optimiser numbers them: names outlive a reordered network."""
    names = {id(value): name for name, value in state.network.named_parameters()}
    return [names[id(value)] for group in state.optimizer.param_groups for value in group["params"]]


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
