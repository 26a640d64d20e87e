"""What came of a planned file, before it is told, counted and remembered."""

from __future__ import annotations

import os
from dataclasses import dataclass

from colorize_media.errors import ColorizeError, InputMissing, InputUnreadable
from colorize_media.events import Done, Planned, Skipped


@dataclass(frozen=True)
class Outcome:
    """What came of one planned file.

    ``source`` is the input's state before it was read, None if it was not; ``trace`` the text of a traceback.
    """

    item: Planned
    result: Done | Skipped | ColorizeError
    source: os.stat_result | None = None
    warnings: tuple[str, ...] = ()
    trace: str = ""


def settled(item: Planned) -> Outcome:
    """The outcome of an item that is planned as skip or fail."""
    if item.action == "skip":
        return Outcome(item, Skipped(item.source, item.reason))
    if not item.source.exists():
        error: ColorizeError = InputMissing(
            "no such file or folder", path=item.source, why="the path leads nowhere", hint="check the name"
        )
    elif item.target is None:
        what, _, why = item.reason.partition(": ")
        error = InputUnreadable(what, path=item.source, why=why, hint="check its permissions")
    else:
        error = ColorizeError("failed before", path=item.source, why=item.reason, hint="--retry-failed tries again")
    return Outcome(item, error)


def unexpected(item: Planned, error: Exception) -> ColorizeError:
    """A bug of ours or of a decoder, as an error that costs one file only."""
    if isinstance(error, ColorizeError):
        return error
    wrapped = ColorizeError(
        "unexpected error",
        path=item.source,
        why=f"{type(error).__name__}: {error}",
        hint="-vv shows more; please report it",
    )
    wrapped.__cause__ = error
    return wrapped
