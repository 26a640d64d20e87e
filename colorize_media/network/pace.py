"""How fast the ways to compute one thing are on this machine: measured, where no rule holds from one machine to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Way = TypeVar("Way")

ROUNDS = 2  # other programs on the cores slow one way or another down; each has its best round counted


def passes_per_second(ways: Mapping[Way, Callable[[], object]], seconds: float) -> dict[Way, float]:
    """How often each way can be gone in a second, in its best round of ``seconds``.

    Each is gone once before, uncounted: that fills caches and compiles kernels. At least one pass a round is measured.
    """
    for one_pass in ways.values():
        one_pass()
    speeds = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for way, one_pass in ways.items():
            passes, started = 0, time.perf_counter()
            while not passes or time.perf_counter() - started < seconds:
                one_pass()
                passes += 1
            speeds[way] = max(speeds[way], passes / (time.perf_counter() - started))
    return speeds
