"""What ``train`` and ``prepare`` are given to learn from: paths, each with how often its pictures are drawn.

``~/Scenes:3 ~/Family`` draws each picture of Scenes three times as often as each of Family.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from colorize_media.errors import BadOption
from colorize_media.training.sources import Picture, find_sources, pass_over, read_pictures


class Input(NamedTuple):
    """A folder or tar, and how often each of its pictures is drawn, times what it would be."""

    path: Path
    weight: float = 1.0


def parse_input(text: str) -> Input:
    """``PATH`` or ``PATH:WEIGHT``: the last colon counts only if there is nothing of that very name. Raises BadOption."""
    path = Path(text)
    before, colon, number = text.rpartition(":")
    if not colon or not before or path.exists():
        return Input(path)
    if not re.fullmatch(r"\d*\.?\d+", number):
        return Input(path)  # there is no such file, which is said where it is read
    if not float(number) > 0:
        raise BadOption("bad weight for an input", why=repr(text), hint="a number above 0 after the last colon")
    return Input(Path(before), float(number))


def find_inputs(inputs: Sequence[Input], split: str = "train") -> list[tuple[Path, float]]:
    """`find_sources` of each input, with its weight. Raises TrainingProblem."""
    return [(source, item.weight) for item in inputs for source in find_sources(item.path, split)]


def read_inputs(
    sources: Sequence[tuple[Path, float]], on_skip: Callable[[str, str], None] = pass_over
) -> Iterator[Picture]:
    """`read_pictures` of all sources in their order, each picture with its source's weight. Raises TrainingProblem."""
    for source, weight in sources:
        for picture in read_pictures([source], on_skip):
            yield picture if weight == 1.0 else picture._replace(weight=weight * picture.weight)
