"""Libraries that only some users need: the extras of pyproject.toml."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from colorize_media.errors import LibraryMissing


def require(library: str, what: str, hint: str, path: Path | None = None) -> Any:
    """The library's module. Raises LibraryMissing, which says ``what`` is lacking, the import's own words, and ``hint``."""
    try:
        return import_module(library)
    except (ImportError, OSError) as error:
        raise LibraryMissing(what, path=path, why=str(error), hint=hint) from error
