"""The command line as a whole: help at once, and what a run needs of its environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from colorize_media.cli.main import run

PROGRAM = [sys.executable, "-m", "colorize_media"]


def test_help_is_instant_and_imports_no_torch() -> None:
    code = (
        "import sys; from colorize_media.cli.main import run; run(['--help']);"
        "print('torch' in sys.modules, 'av' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False False"
    for word in ("INPUT... [-o OUT]", "--vividness", "--engine", "train", "evaluate", "export", "models", "doctor"):
        assert word in result.stdout


@pytest.mark.parametrize(("named", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_leave_their_core_to_others(named: str | None, expected: str) -> None:
    """As OpenMP itself understood it when PyTorch was loaded."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    environment |= {"OMP_DISPLAY_ENV": "TRUE"} | ({"OMP_WAIT_POLICY": named} if named else {})
    told = subprocess.run([*PROGRAM, "models"], env=environment, capture_output=True, text=True, check=True).stderr
    if "OMP_WAIT_POLICY" not in told:
        pytest.skip("this PyTorch has no OpenMP that tells its settings")
    assert re.search(rf"OMP_WAIT_POLICY ?= ?'{expected}'", told)


def test_no_arguments_show_the_help_and_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "INPUT..." in capsys.readouterr().err
