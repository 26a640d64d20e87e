"""What is installed here."""

from __future__ import annotations

import json

import pytest

from colorize_media.cli.main import run


def test_models_lists_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 0
    listed = capsys.readouterr().out
    assert "scenes:" in listed
    assert "regression:" in listed
    assert run(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scenes"]["config"]["kind"] == "scenes"
