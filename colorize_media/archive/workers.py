"""Threads for decoding and encoding. Both release Python's lock, so pictures need not be copied between processes."""

from __future__ import annotations

import contextlib
import itertools
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from colorize_media.machine import usable_cores

PATIENCE = 0.5  # seconds between looks at an interrupt, where waiting cannot be interrupted
_LAST = sys.maxsize  # the priority of a thread's end

Result = TypeVar("Result")


def default_workers() -> int:
    """One per core that this process may use, and two at least: one waits for the disk."""
    return max(2, usable_cores())


class Workers(Generic[Result]):
    """Threads that take the most urgent task first. One that hangs in a decoder dies with the program.

    ``hand_over`` gets what each task returns, in the task's thread. Tasks must not raise.
    """

    def __init__(self, count: int, hand_over: Callable[[Result], None]) -> None:
        self.count = count
        self._hand_over = hand_over
        self._tasks: queue.PriorityQueue[tuple[int, int, Callable[[], Result] | None]] = queue.PriorityQueue()
        self._serial = itertools.count()
        self._threads: list[threading.Thread] = []
        for _ in range(count):
            self._start_one()

    def submit(self, priority: int, task: Callable[[], Result]) -> None:
        """Have it done by some thread; the least ``priority`` first, and equal ones in the order they came."""
        self._tasks.put((priority, next(self._serial), task))

    def replace_one(self) -> None:
        """One thread is lost in a decoder; another takes its place."""
        self._start_one()

    def cancel(self) -> None:
        """Forget what is not begun, and wait for what is."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
                self._tasks.task_done()
        while self._tasks.unfinished_tasks:
            time.sleep(0.02)  # unlike join(), an interrupt ends it

    def close(self) -> None:
        """End the threads. They have nothing to do any more, but after a second interrupt: then they are not waited for.

        A thread that is still there when Python ends is torn out of the C++ it sleeps in, and that aborts the program.
        """
        for _ in self._threads:
            self._tasks.put((_LAST, next(self._serial), None))
        for thread in self._threads:
            thread.join(PATIENCE)

    def _start_one(self) -> None:
        thread = threading.Thread(target=self._work, name=f"photo-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """One task; whether there are more to come. Nothing of it is held while the next one is waited for."""
        _, _, task = self._tasks.get()
        try:
            if task is None:
                return False
            result = task()
            del task  # with the picture that it holds, before anybody learns that it is done
            self._hand_over(result)
            return True
        finally:
            self._tasks.task_done()
