"""What a film's samples say about the whole of it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from colorize_media.judge.survey import samples_for, survey
from tests.made.clips import cup, grey, people, sepia


def test_survey_and_number_of_samples() -> None:
    assert survey(grey(5) + sepia(3)).kind == "monochrome"
    assert survey(people(5) + cup(3)).kind == "color"
    assert survey(people(7) + grey(1)).kind == "mixed"
    assert survey(people(7) + sepia(1)).kind == "mixed"
    assert survey([*people(7), np.zeros((9, 9, 3), np.uint8)]).kind == "color"
    assert survey(people(23) + grey(1)).kind == "color"
    assert [samples_for(Fraction(s)) for s in (0, 60, 36000)] == [8, 15, 24]
    assert samples_for(None) == 8
    with pytest.raises(ValueError, match="no picture"):
        survey([])
