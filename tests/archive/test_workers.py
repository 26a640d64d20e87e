"""The threads of the queue: the most urgent first, lost ones replaced, all ended."""

from __future__ import annotations

import os
import threading
from functools import partial

import pytest

from colorize_media.archive.workers import Workers, default_workers


def busy_with_first(priority: int) -> tuple[Workers[str], list[str], threading.Event]:
    """One thread that works on "first" until it is told to go on; what is done is listed."""
    done: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def first() -> str:
        begun.set()
        go_on.wait(60)
        return "first"

    workers = Workers(1, done.append)
    workers.submit(priority, first)
    assert begun.wait(60)
    return workers, done, go_on


def test_the_most_urgent_comes_first_and_equals_in_their_order() -> None:
    workers, done, go_on = busy_with_first(1)
    for priority, name in ((1, "b"), (1, "c"), (0, "a")):
        workers.submit(priority, partial(str, name))
    go_on.set()
    workers.close()  # they are done before the threads end
    assert done == ["first", "a", "b", "c"]


def test_a_cancelled_queue_waits_only_for_what_has_begun() -> None:
    workers, done, go_on = busy_with_first(0)
    workers.submit(0, partial(str, "never"))
    threading.Timer(0.1, go_on.set).start()
    workers.cancel()
    assert done == ["first"]
    workers.close()
    assert done == ["first"]


def test_a_lost_thread_is_replaced() -> None:
    done: list[str] = []
    lost, go_on, said = threading.Event(), threading.Event(), threading.Event()

    def hang() -> str:
        lost.set()
        go_on.wait(60)
        return "late"

    def say() -> str:
        said.set()
        return "said"

    workers = Workers(1, done.append)
    workers.submit(0, hang)
    assert lost.wait(60)
    workers.submit(0, say)
    assert not said.wait(0.05)
    workers.replace_one()
    assert said.wait(60)
    go_on.set()
    workers.close()
    assert done == ["said", "late"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photo-")]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a process cannot be bound to cores here")
def test_one_waits_for_the_disk_even_on_one_core() -> None:
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert default_workers() == 2
    finally:
        os.sched_setaffinity(0, cores)
    assert default_workers() == max(2, len(cores))
