"""What this machine gives to this process, memory and cores, and how its threads behave on them."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from colorize_media.errors import LibraryMissing


def memory_bytes() -> int | None:
    """Of the whole machine; None where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def usable_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def let_cores_go() -> None:
    """Have PyTorch's threads sleep where they wait for each other, unless the environment says how they shall wait.

    OpenMP's threads wait in a loop otherwise. Where decoders and encoders want the same cores, they burn the time that the
    thread they wait for would need: twice to four times the network's own. Only heard before PyTorch is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def require(library: str, what: str, hint: str, path: Path | None = None) -> Any:
    """The library's module. Raises LibraryMissing, which says ``what`` is lacking, the import's own words, and ``hint``."""
    try:
        return import_module(library)
    except (ImportError, OSError) as error:
        raise LibraryMissing(what, path=path, why=str(error), hint=hint) from error
