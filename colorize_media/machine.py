"""What this machine gives to this process, memory, cores and a folder, and how its threads behave on them."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from colorize_media.errors import LibraryMissing

# Windows' MEMORYSTATUSEX: its own length and the load in percent, then in bytes all there is and six more.
_MEMORY_STATUS = struct.Struct("<LL7Q")


def memory_bytes() -> int | None:
    """Of the whole machine, or what a container leaves this process of it; None where the system does not say."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        all_there_is = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None
    return min(all_there_is, memory_limit() or all_there_is)


def memory_limit(root: Path = Path("/")) -> int | None:
    """The least that the control groups around this process allow, in bytes; None without any. Linux alone has them.

    ``root`` is where the system's /proc and /sys are.
    """
    limits: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines():
            _, controllers, own = line.split(":", 2)
            if not controllers:  # version 2 has one tree for all
                tree, name = root / "sys/fs/cgroup", "memory.max"
            elif "memory" in controllers.split(","):
                tree, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
            else:
                continue
            group = tree / own.lstrip("/")  # of the host's tree, which a container may not see but for the tree's root
            for folder in (group, *group.parents):
                with contextlib.suppress(OSError, ValueError):  # "max" is no limit
                    limits.append(int((folder / name).read_text(encoding="ascii")))
                if folder == tree:
                    break
    return min(limits, default=None)


def _windows_memory() -> int | None:
    import ctypes

    status = ctypes.create_string_buffer(_MEMORY_STATUS.pack(_MEMORY_STATUS.size, *(0,) * 8), _MEMORY_STATUS.size)
    told = ctypes.windll.kernel32.GlobalMemoryStatusEx(status)  # type: ignore[attr-defined]
    return int(_MEMORY_STATUS.unpack(status.raw)[2]) if told else None


def usable_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cache_folder() -> Path | None:
    """Where this program may keep what it can do without, of this user alone; it need not be there.

    None for a user without a home, as in a container that runs under a number that no account has.
    """
    try:
        return _cache() / "colorize-media"
    except RuntimeError:  # from `Path.home`
        return None


def _cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named) if os.path.isabs(named) else Path.home() / ".cache"  # a relative one is to be ignored


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
