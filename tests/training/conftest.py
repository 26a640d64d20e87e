"""What tests that look at how a run goes, not at what it learns, need."""

from __future__ import annotations

from functools import partial

import pytest

from colorize_media.models import resnet
from colorize_media.training import engine, fastest
from colorize_media.training.equal_color import EqualColor

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


@pytest.fixture(autouse=True)
def _small_validations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs measure themselves on 64 px, not 256, settle statistics on 2 batches, not 16, and draw no curves.

    Of runs of a few steps that was most of the time.
    """
    monkeypatch.setattr(engine, "STATISTICS_BATCHES", 2)
    monkeypatch.setattr(engine, "plot_curves", lambda *_: None)
    monkeypatch.setattr(engine, "SIZE", 64)
    monkeypatch.setattr(engine, "WORKING_SIZE", 64)
    monkeypatch.setattr(engine, "EqualColor", partial(EqualColor, size=64))
