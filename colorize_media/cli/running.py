"""What commands share when they run: threads, the network, who hears of events, signals, exit codes.

A command returns its exit code; errors it raises, and here alone they become text and a code.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from colorize_media.cli.terminal import say
from colorize_media.errors import ColorizeError
from colorize_media.events import Event, Failed, OnEvent
from colorize_media.options import ColorizeOptions

if TYPE_CHECKING:
    from colorize_media.network.colorizer import Colorizer

# Exit codes beside those that errors carry.
READER_GONE = 1
WRONG_USAGE = 2
INTERRUPTED = 130


def use_threads(threads: int) -> None:
    """Let PyTorch and OpenCV use so many; 0 leaves it to them."""
    if threads:
        import cv2
        import torch

        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)


def load_colorizer(options: ColorizeOptions) -> Colorizer:
    """The network that the options name, on their device. Raises as `Colorizer`."""
    from colorize_media.network.colorizer import Colorizer

    return Colorizer(options.model, options.device, batch_size=options.batch_size, engine=options.engine)


class EventFan:
    """Hands every event to several listeners, in their order."""

    def __init__(self, *listeners: OnEvent) -> None:
        self._listeners = listeners

    def __call__(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def traceback_teller(verbose: int) -> OnEvent:
    """A listener that shows failures' tracebacks, which only -vv wants to see."""

    def tell(event: Event) -> None:
        if verbose > 1 and isinstance(event, Failed) and event.trace:
            say(event.trace, err=True)

    return tell


def exit_code_of(command: Callable[[], object], *, tracebacks: bool = False) -> int:
    """Run a command; its exit code, or that of the error that ended it, which is told on standard error.

    With ``tracebacks`` our own errors are told and go on.
    """
    from colorize_media.cli.console import show_error

    try:
        with _terminated_like_interrupted():
            result = command()
    except ColorizeError as error:
        show_error(error)
        if tracebacks:
            raise
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG_USAGE
    except (KeyboardInterrupt, click.Abort):
        say("interrupted; what was finished stays, the rest can be done by the same command", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # No second complaint when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return result if isinstance(result, int) else 0


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: what is being written is finished, and remembered."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
