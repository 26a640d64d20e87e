"""Weights files: safetensors that describe themselves.

The file's metadata holds ``format`` (this module's version mark), ``config`` (JSON of the network's frozen config) and
``record`` (JSON: how it was trained and what it scored). Networks are built from that config and loaded ``strict=True``;
no pickle is ever read. Matrices are stored as float16, vectors (biases, batch-norm statistics) as float32, whose range
float16 does not have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from colorize_media.errors import OutputUnwritable, WeightsDamaged
from colorize_media.models.regression import RegressionConfig, RegressionNet
from colorize_media.models.scenes import ScenesConfig, ScenesNet

FORMAT = "colorize-media/1"
LARGEST_FILE = 512 * 2**20  # bytes; our files have 30 MB, a gigabyte is somebody's mistake

Network: TypeAlias = ScenesNet | RegressionNet
Config: TypeAlias = ScenesConfig | RegressionConfig


def build(config: Config) -> Network:
    """A network with fresh weights for this config."""
    return ScenesNet(config) if isinstance(config, ScenesConfig) else RegressionNet(config)


def config_from_json(text: str) -> Config:
    """The config that `config_to_json` wrote. Raises ValueError or TypeError for any other text."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("the config is not a JSON object")
    kinds: dict[str, Callable[..., Config]] = {"scenes": ScenesConfig, "regression": RegressionConfig}
    kind = values.get("kind")
    if kind not in kinds:
        raise ValueError(f"unknown kind of network {kind!r}")
    return kinds[kind](**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def config_to_json(config: Config) -> str:
    """One line of JSON."""
    return json.dumps(dataclasses.asdict(config), sort_keys=True)


def save_weights(path: Path, network: Network, record: Mapping[str, Any]) -> None:
    """Write a weights file under a temporary name, then rename it. ``record`` is any JSON: recipe, metrics, version.

    Raises OutputUnwritable.
    """
    tensors = {
        name: value.detach().to("cpu", torch.float16 if value.ndim > 1 else None).contiguous()
        for name, value in network.state_dict().items()
    }
    metadata = {"format": FORMAT, "config": config_to_json(network.config), "record": json.dumps(dict(record))}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # Not by save_file, whose files only their owner can read, whatever the umask says.
        temporary.write_bytes(save(tensors, metadata))
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        raise OutputUnwritable("cannot write weights", path=path, why=str(error), hint="check the folder") from error
    finally:
        with contextlib.suppress(OSError):  # a folder that is none has no part file to remove
            temporary.unlink(missing_ok=True)


def read_description(path: Path) -> tuple[Config, dict[str, Any]]:
    """A weights file's config and record, without reading its tensors. Raises WeightsDamaged."""
    with _reading(path), safe_open(path, framework="pt") as file:
        return _describe(path, file.metadata())


def load_weights(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network of a weights file in evaluation mode, float32 on the CPU, and its record. Raises WeightsDamaged."""
    with _reading(path), safe_open(path, framework="pt") as file:
        config, record = _describe(path, file.metadata())
        state: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
        network = build(config)
        for name, value in state.items():
            if value.is_floating_point():
                state[name] = value.float()
                if not torch.isfinite(state[name]).all():
                    raise _damaged(path, f"{name} holds values that are not finite")
        network.load_state_dict(state, strict=True)
        return network.eval(), record


def _describe(path: Path, metadata: Mapping[str, str] | None) -> tuple[Config, dict[str, Any]]:
    if not metadata or metadata.get("format") != FORMAT:
        raise _damaged(path, f"it does not say format {FORMAT!r}")
    return config_from_json(metadata["config"]), dict(json.loads(metadata.get("record", "{}")))


def _damaged(path: Path, why: str) -> WeightsDamaged:
    return WeightsDamaged(
        "cannot use weights", path=path, why=why, hint="reinstall colorize-media, or name other weights with --model"
    )


class _reading:
    """Turns everything that a damaged weights file can raise into WeightsDamaged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        try:
            size = self.path.stat().st_size
        except OSError as error:
            raise _damaged(self.path, error.strerror or str(error)) from error
        if size > LARGEST_FILE:
            raise _damaged(self.path, f"it has {size:,} bytes, more than {LARGEST_FILE:,}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError)):
            raise _damaged(self.path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
