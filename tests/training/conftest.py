"""Networks for tests that look at how a run goes, not at what it learns."""

from __future__ import annotations

import pytest

from colorize_media.models import resnet, scenes

NARROW = (
    16,
    128,
    32,
    32,
)  # channels of the encoder's four stages; the regression network is made for 128 in the second


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are built narrow: a step takes a quarter of the time, and a file of weights is a twentieth as large."""
    for module in (resnet, scenes):
        monkeypatch.setattr(module, "WIDTHS", NARROW)
