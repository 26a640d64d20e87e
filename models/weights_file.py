"""Which file ``--model`` means, and what identifies it: known without loading torch, so that plans are made in no time."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from colorize_media.errors import UnknownModel

SHIPPED = Path(__file__).parent / "weights"


def find_weights(model: str) -> Path:
    """The file that ``--model`` means: a shipped name, a .safetensors file, or a training run's folder.

    Raises UnknownModel for anything else.
    """
    shipped = SHIPPED / f"{model}.safetensors"
    if os.sep not in model and shipped.is_file():
        return shipped
    path = Path(model)
    if path.is_dir() and (path / "weights.safetensors").is_file():
        return path / "weights.safetensors"
    if path.is_file():
        return path
    names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.safetensors"))) or "none"
    raise UnknownModel(
        "unknown model",
        path=path,
        why="it is no shipped model, no weights file and no training run",
        hint=f"shipped: {names}; or give a .safetensors file or a run folder",
    )


def weights_digest(path: Path) -> str:
    """SHA-256 of a weights file, hexadecimal: equal ones give equal colours. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
