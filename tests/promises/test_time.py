"""Promise 3: time is the source's own."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.made.films import decode, make_video
from tests.promises.conftest import Colorize


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(15)])
def test_every_frame_is_shown_when_it_was_shown(tmp_path: Path, colorize: Colorize, rate: Fraction) -> None:
    """Exact fractions of a second, not rounded ones, through an encoder that stores frames out of order."""
    source = make_video(tmp_path / "in.mp4", frames=9, rate=rate)
    assert colorize(source, "-o", tmp_path / "out.mp4", "--force") == 0
    assert [frame.time for frame in decode(tmp_path / "out.mp4")] == [frame.time for frame in decode(source)]


def test_a_film_that_runs_unevenly_stays_uneven(tmp_path: Path, colorize: Colorize) -> None:
    steps = np.random.default_rng(5).integers(200, 4000, 12).cumsum()
    source = make_video(tmp_path / "in.mp4", frames=12, pts=[int(step) for step in steps], time_base=Fraction(1, 16000))
    assert colorize(source, "-o", tmp_path / "out.mp4", "--force") == 0
    times = [frame.time for frame in decode(tmp_path / "out.mp4")]
    assert times == [frame.time for frame in decode(source)]
    assert len({b - a for a, b in pairwise(times)}) > 5


def test_a_film_of_one_frame_has_one_frame(tmp_path: Path, colorize: Colorize) -> None:
    source = make_video(tmp_path / "in.mp4", frames=1)
    assert colorize(source, "-o", tmp_path / "out.mp4", "--force") == 0
    assert len(decode(tmp_path / "out.mp4")) == 1
