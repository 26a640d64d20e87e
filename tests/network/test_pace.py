"""How fast ways are here."""

from __future__ import annotations

import time

from colorize_media.network import pace


def test_the_faster_way_is_found_and_each_way_is_gone_once_before() -> None:
    gone = {"slow": 0, "fast": 0}

    def go(name: str, seconds: float) -> None:
        gone[name] += 1
        time.sleep(seconds if gone[name] > 1 else 0.2)  # a first pass that compiles

    speeds = pace.passes_per_second({"slow": lambda: go("slow", 0.02), "fast": lambda: go("fast", 0.002)}, 0.05)
    assert speeds["fast"] > 2 * speeds["slow"]
    assert 5 < speeds["slow"] <= 50
    assert gone["fast"] > gone["slow"] > pace.ROUNDS


def test_no_time_is_one_pass_a_round() -> None:
    gone: list[int] = []
    assert pace.passes_per_second({"a": lambda: gone.append(1)}, 0.0)["a"] > 0
    assert len(gone) == 1 + pace.ROUNDS
