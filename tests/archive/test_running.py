"""How a run goes, handed on as one value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from colorize_media.archive.running import Running
from colorize_media.errors import DeviceMissing
from colorize_media.options import ColorizeOptions


def test_the_network_is_loaded_once_for_all_that_is_made_of_a_run() -> None:
    loads: list[object] = []

    def load() -> Any:
        loads.append(object())
        return loads[-1]

    running = Running(load, ColorizeOptions())
    assert loads == []
    first = running.get_colorizer()
    assert replace(running, options=ColorizeOptions(vividness=1.5)).get_colorizer() is first is running.get_colorizer()
    assert len(loads) == 1


def test_what_could_not_be_loaded_is_tried_again_when_asked_again() -> None:
    tries: list[int] = []

    def load() -> Any:
        tries.append(len(tries))
        raise DeviceMissing("no such device")

    running = Running(load, ColorizeOptions())
    for _ in range(2):
        with pytest.raises(DeviceMissing):
            running.get_colorizer()
    assert tries == [0, 1]
