"""What came of a planned file, before it is told, counted and remembered."""

from __future__ import annotations

import os
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorize_media.errors import ColorizeError
from colorize_media.events import Done, Failed, OnEvent, Planned, Skipped, Summary

FAILED, LACKING, FAILED_BEFORE = 1, 3, 4  # exit codes: a file, something of the machine, only what had failed before
_FROM_GOOD_TO_BAD = (0, FAILED_BEFORE, FAILED, LACKING)


@dataclass(frozen=True)
class Outcome:
    """What came of one planned file.

    ``source`` is the input's state before it was read, None if it was not. Of a failure: ``exit_code`` as the error has it,
    and ``lasting`` whether trying again is in vain.
    """

    item: Planned
    result: Done | Skipped | Failed
    source: os.stat_result | None = None
    warnings: tuple[str, ...] = ()
    exit_code: int = 0
    lasting: bool = False


def settled(item: Planned) -> Outcome:
    """The outcome of an item that is planned as skip or fail."""
    if item.action == "skip":
        return Outcome(item, Skipped(item.source, item.reason, item.what))
    code = FAILED_BEFORE if item.earlier else FAILED
    return Outcome(item, item.failure or Failed(item.source, item.reason, "", ""), exit_code=code)


def failed(
    item: Planned, error: Exception, source: os.stat_result | None = None, warnings: tuple[str, ...] = ()
) -> Outcome:
    """The outcome of an item over which something was raised, with its traceback."""
    known = unexpected(item.source, error)
    trace = "" if error.__traceback__ is None else "".join(traceback.format_exception(error))
    # Another file than the input itself is named.
    other = str(known.path) if known.path is not None and known.path != item.source else ""
    why = ": ".join(part for part in (other, known.why) if part)
    result = Failed(item.source, known.what, why, known.hint, trace, type(known))
    return Outcome(item, result, source, warnings, known.exit_code, is_lasting(known))


class Tally:
    """Tells results and counts them; ``code`` is the run's exit code so far, the worst of all: 0, 4, 1 or 3."""

    def __init__(self, on_event: OnEvent) -> None:
        self.code = 0
        self._tell = on_event
        self._counts = {Done: 0, Skipped: 0, Failed: 0}
        self._failed_before = self._toned = 0
        self._recoded: Counter[str] = Counter()
        self._older: list[Path] = []
        self._model = ""
        self._begun = time.monotonic()

    def settle(self, outcome: Outcome) -> None:
        """Count a result, and tell it. Its warnings are told before, by who knows what else comes first."""
        self._counts[type(outcome.result)] += 1
        code = outcome.exit_code if outcome.exit_code in _FROM_GOOD_TO_BAD else FAILED
        self._failed_before += code == FAILED_BEFORE
        if isinstance(outcome.result, Done):
            record = outcome.result.record or {}
            self._model = record.get("model", self._model)
            self._toned += outcome.result.what == "toned" and not record.get("options", {}).get("keep_tint")
            self._recoded.update(filter(None, [outcome.result.recoded]))
        if outcome.item.older and outcome.item.target is not None:
            self._older.append(outcome.item.target)
        self.code = max(self.code, code, key=_FROM_GOOD_TO_BAD.index)
        self._tell(outcome.result)

    def close(
        self,
        passed: int = 0,
        sidecars: int = 0,
        sidecars_left: Mapping[str, int] | None = None,
        orphaned: Sequence[Path] = (),
    ) -> None:
        """Tell the summary, with what the caller alone knows: the number of files that are no inputs, and so on."""
        done, skipped, failed = (self._counts[kind] for kind in (Done, Skipped, Failed))
        seconds = time.monotonic() - self._begun
        self._tell(
            Summary(
                done,
                skipped,
                failed,
                seconds,
                passed,
                sidecars,
                sidecars_left or {},
                self._failed_before,
                self._toned,
                self._recoded,
                tuple(self._older),
                tuple(orphaned),
                self._model,
            )
        )


def is_lasting(error: ColorizeError) -> bool:
    """Whether the file itself is to blame, so that another try is in vain; never where memory was lacking."""
    return error.lasting and not isinstance(error.__cause__, MemoryError)


def unexpected(source: Path, error: Exception) -> ColorizeError:
    """A bug of ours or of a decoder, as an error that costs one file only."""
    if isinstance(error, ColorizeError):
        return error
    wrapped = ColorizeError(
        "unexpected error",
        path=source,
        why=f"{type(error).__name__}: {error}",
        hint="-vv shows more; please report it",
    )
    wrapped.__cause__ = error
    return wrapped
