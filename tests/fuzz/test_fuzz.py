"""A short run with a fixed seed; the long ones are for whoever changes how files are read or written (`tests.fuzz`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutations import MUTATIONS, mutated

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork") or not os.path.isdir("/proc/self/task"), reason="it forks, as Linux does")
def test_broken_files_and_killed_runs_lose_nothing(tmp_path: Path) -> None:
    words = ["--inputs", "60", "--kills", "2", "--seed", "1", "--keep", str(tmp_path)]
    ended = subprocess.run([sys.executable, "-m", "tests.fuzz", *words], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "60 inputs: " in ended.stdout
    assert "2 kills over " in ended.stdout


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_changes_a_file_always_in_the_same_way(name: str) -> None:
    data, other = bytes(range(1, 256)) * 8, b"other" * 100

    def once(seed: int) -> bytes:
        found = bytearray(data)
        MUTATIONS[name][1](found, other, Random(seed))
        return bytes(found)

    assert [once(seed) for seed in range(8)] == [once(seed) for seed in range(8)]
    assert sum(once(seed) != data for seed in range(8)) >= 6
    assert mutated(b"", [b""], Random(1))[0] == b""
