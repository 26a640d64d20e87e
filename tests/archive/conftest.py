"""Fixtures that several tests of archives share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.archive.traps import TRAPS


@pytest.fixture
def trapped(tmp_path: Path) -> dict[str, str]:
    """An environment in which files with CRASH in them crash, and those with HANG hang."""
    folder = tmp_path / "traps"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(TRAPS)
    return {**os.environ, "PYTHONPATH": str(folder)}
