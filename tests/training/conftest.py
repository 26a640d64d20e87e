"""What tests that look at how a run goes, not at what it learns, need."""

from __future__ import annotations

import pytest

from colorize_media.models import resnet
from colorize_media.training import fastest

# Channels of the encoder's four stages; the regression network is made for 128 in the second.
NARROW = (16, 128, 32, 32)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are built narrow: a step takes a quarter of the time, and a file of weights is a twentieth as large."""
    monkeypatch.setattr(resnet, "WIDTHS", NARROW)


@pytest.fixture(autouse=True)
def _no_long_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way of training is tried once, on two pictures: which one is taken is not what these tests are about."""
    monkeypatch.setattr(fastest, "SECONDS", 0.0)
    monkeypatch.setattr(fastest, "PICTURES", 2)
