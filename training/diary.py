"""The log of a run: rows to disk, to TensorBoard and to whoever listens; what it said so far; the clock between rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from colorize_media.training.report import JsonLog, TensorBoard, read_log
from colorize_media.training.state import RunState


def score(row: dict[str, Any]) -> float:
    """What "better" means to a run that may end early: both accuracies count."""
    return float(row["auc"]) + float(row["auc_rebalanced"])


class Diary:
    """See the module's text. Of several processes only the one that ``writes`` has files and listeners."""

    def __init__(
        self,
        run: Path,
        state: RunState,
        tensorboard: bool,
        on_row: Callable[[dict[str, Any]], None],
        *,
        writes: bool,
    ) -> None:
        self.file, self._on_row = run / "log.jsonl", on_row
        self._log = JsonLog(self.file, upto=state.step or None) if writes else None
        self._board = TensorBoard(run, state.step) if writes and tensorboard else None
        past = read_log(self.file) if writes else []
        self._scores = [score(row) for row in past if row["kind"] == "val" and row["step"] <= state.step]
        self.start_clock(state.pictures)

    def __enter__(self) -> Diary:
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()

    def tell(self, row: dict[str, Any]) -> None:
        """One row."""
        if row["kind"] == "val":
            self._scores.append(score(row))
        if self._log is None:
            return
        self._log.write(row)
        if self._board is not None:
            self._board.write(row)
        self._on_row(row)

    def since_best(self) -> int:
        """How many evaluations ago the best one was; 0 if the last is as good as any before it or better."""
        best = max(range(len(self._scores)), key=lambda place: self._scores[place])
        return len(self._scores) - 1 - best

    def start_clock(self, pictures: int) -> None:
        """From here on; an evaluation is no part of the speed."""
        self._since, self._pictures = time.monotonic(), pictures

    def speed(self, pictures: int) -> float:
        """Pictures a second since the last row, with so many seen now."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        speed = (pictures - self._pictures) / seconds
        self.start_clock(pictures)
        return speed
