"""The layout and precision that train fastest here."""

from __future__ import annotations

import torch

from colorize_media.models import ScenesConfig, ScenesNet
from colorize_media.network.device import network_dtype
from colorize_media.training.fastest import Way, fastest_way, machine_mark, remembered_way
from colorize_media.training.starting import hold_early_blocks

CPU = torch.device("cpu")


def test_all_ways_that_the_processor_has_are_tried_and_leave_no_trace() -> None:
    network = ScenesNet(ScenesConfig(encoder="efficientnet-lite0", decoder=(16, 16, 16))).eval()
    hold_early_blocks(network, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    way, speeds = fastest_way(network, 32, CPU, bfloat16=True)
    layouts = {"contiguous float32", "channels_last float32"}
    if network_dtype(CPU) == torch.bfloat16:
        layouts |= {"contiguous bfloat16", "channels_last bfloat16"}
    assert set(speeds) == layouts
    assert all(speed > 0 for speed in speeds.values())
    assert speeds[
        f"{'channels_last' if way.channels_last else 'contiguous'} {'bfloat16' if way.bfloat16 else 'float32'}"
    ] == max(speeds.values())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.training
    assert all(value.grad is None for value in network.parameters())
    assert set(fastest_way(network, 32, CPU, bfloat16=False)[1]) == {"contiguous float32", "channels_last float32"}


def test_a_gpu_is_not_asked() -> None:
    assert fastest_way(ScenesNet(ScenesConfig()), 32, torch.device("cuda"), bfloat16=True) == (Way(True, True), {})


def test_a_way_is_remembered_for_machines_of_its_kind_alone() -> None:
    notes = {"pace": {"machine": machine_mark(), "way": Way(True, False).as_dict()}}
    assert remembered_way(notes) == Way(True, False)
    assert remembered_way({}) is None
    assert remembered_way({"pace": notes["pace"] | {"machine": "pdp11"}}) is None
