"""What a film's samples say about the whole of it: in colour, without colour, or mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colorize_media.judge.monochrome import Verdict, decide, evidence

Picture = NDArray[np.uint8]
FilmKind = Literal["monochrome", "mixed", "color"]

FEWEST_SAMPLES, MOST_SAMPLES = 8, 24  # frames looked at to tell a black-and-white film from a coloured one
SECONDS_PER_SAMPLE = 4  # between fewest and most
# Of the frames that say something. A title or a foggy shot may deceive; of 24 samples one.
MOST_STRAYS = 0.05


@dataclass(frozen=True)
class Survey:
    """What a film's samples say. ``reason`` is one clause for people; ``verdict`` the strongest frame's."""

    kind: FilmKind
    verdict: Verdict
    reason: str


def samples_for(duration: Fraction | None) -> int:
    """How many samples a film of so many seconds is worth."""
    wanted = FEWEST_SAMPLES if duration is None else int(duration / SECONDS_PER_SAMPLE)
    return min(max(wanted, FEWEST_SAMPLES), MOST_SAMPLES)


def survey(samples: Sequence[Picture]) -> Survey:
    """Judge a film by frames from all over it, each ``(h, w, 3)`` R′G′B′. Raises ValueError for no frame at all."""
    verdict = decide(samples, film=True)
    if verdict.kind != "color":
        return Survey("monochrome", verdict, f"{verdict.kind}: {verdict.reason}")
    said = [evidence(sample, among_color=True) for sample in samples]
    grey, colored = said.count("monochrome"), said.count("color")
    if grey <= MOST_STRAYS * (grey + colored):
        return Survey("color", verdict, verdict.reason)
    return Survey(
        "mixed",
        verdict,
        f"mixed: {colored} of {grey + colored} pictures are in colour, their shots are left alone (--force colours them too)",
    )
