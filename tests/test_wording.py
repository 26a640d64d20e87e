"""Small words for people: durations, and names that cannot garble a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media.wording import duration_text, shown_name


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (42, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_names_cannot_garble_a_terminal() -> None:
    assert shown_name(Path("a\x1b[2J\nb\udce9.jpg")) == "a\\x1b[2J\\nb\\udce9.jpg"
