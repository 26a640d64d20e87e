"""Small words for people: durations, and names that cannot garble a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media.wording import MOST_SUFFIXES, duration_text, left_lines, passed_text, shown_name


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (42, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_names_cannot_garble_a_terminal() -> None:
    assert shown_name(Path("a\x1b[2J\nb\udce9.jpg")) == "a\\x1b[2J\\nb\\udce9.jpg"


def test_what_is_passed_over_stands_on_one_line_however_much_it_is() -> None:
    assert passed_text({}, {}) == ""
    assert passed_text({".txt": 7, "": 2, ".odd": 1200}, {"links to folders": 1}) == (
        "neither pictures nor films: 1,200 .odd, 7 .txt, 2 without extension; links to folders: 1"
    )
    many = passed_text({f".s{number}": 1 for number in range(MOST_SUFFIXES + 40)}, {})
    assert many.endswith(", 40 more of 40 other extensions")


def test_what_does_not_go_along_is_told_by_reason() -> None:
    assert left_lines({"too old": 1, "another": 2000}) == [
        "2,000 sidecars not copied: another",
        "1 sidecar not copied: too old",
    ]
