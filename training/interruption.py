"""A run that is told to end ends after its step, with its state on disk."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_to_end(*, listen: bool = True) -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or Ctrl-C has come; a second one ends the process as usual.

    Not of several processes, which would leave their common step at different times, and only in the main thread, which alone
    may listen.
    """
    if not listen or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    told = threading.Event()
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def restore() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    def hear(_kind: int, _frame: FrameType | None) -> None:
        told.set()
        restore()

    for kind in kinds:
        signal.signal(kind, hear)
    try:
        yield told.is_set
    finally:
        restore()
