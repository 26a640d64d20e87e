"""What the machine gives to this process, as far as other machines can be played here."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from colorize_media import machine
from colorize_media.machine import memory_bytes, memory_limit


def system(root: Path, membership: str, limits: Mapping[str, str]) -> Path:
    """Files as under / of a Linux: the control groups of this process, and limits by their path under /sys/fs/cgroup."""
    for path, text in {"proc/self/cgroup": membership, **{f"sys/fs/cgroup/{k}": v for k, v in limits.items()}}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("membership", "limits", "least"),
    [
        ("0::/a/b", {"a/b/memory.max": "3000", "a/memory.max": "5000", "memory.max": "max"}, 3000),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "2000"}, 2000),  # a group around it has less
        ("0::/", {"memory.max": "4000"}, 4000),  # as a container sees its own
        ("0::/docker/77aa", {"memory.max": "4000"}, 4000),  # as one sees it that knows its place outside
        ("0::/a", {"a/memory.max": "max"}, None),
        ("0::/a", {}, None),
        ("4:cpu,memory:/c\n0::/", {"memory/c/memory.limit_in_bytes": "6000"}, 6000),
        ("4:cpu:/c", {"memory/c/memory.limit_in_bytes": "6000"}, None),
        ("no such line", {"memory.max": "4000"}, None),
    ],
)
def test_the_least_limit_of_all_control_groups_counts(
    tmp_path: Path, membership: str, limits: dict[str, str], least: int | None
) -> None:
    assert memory_limit(system(tmp_path, membership, limits)) == least


def test_a_system_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux'")
def test_memory_is_the_machines_or_what_a_container_may_have_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_limit", lambda: None)
    whole = memory_bytes()
    assert whole is not None
    assert whole > 2**28
    for limit, given in ((2**27, 2**27), (2**63 - 4096, whole)):  # the latter is version 1's word for none
        monkeypatch.setattr(machine, "memory_limit", lambda limit=limit: limit)
        assert memory_bytes() == given


def test_windows_is_asked_for_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its GlobalMemoryStatusEx fills a MEMORYSTATUSEX of 64 bytes, if it is told that length, with the total at byte 8."""

    def global_memory_status_ex(status: ctypes.Array[ctypes.c_char]) -> int:
        assert struct.unpack_from("<L", status.raw) == (64,)
        assert len(status) == 64
        struct.pack_into("<Q", status, 8, 48 << 30)
        return answer

    monkeypatch.setattr(sys, "platform", "win32")
    kernel = SimpleNamespace(GlobalMemoryStatusEx=global_memory_status_ex)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    answer = 1
    assert memory_bytes() == 48 << 30
    answer = 0  # it failed
    assert memory_bytes() is None
