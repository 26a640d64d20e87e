"""A sound installation is told to be one."""

from __future__ import annotations

import pytest

from colorize_media.cli.main import run


def test_doctor_finds_this_installation_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    told = capsys.readouterr().out
    for word in ("torch", "libx264", "auto device", "all is well"):
        assert word in told
