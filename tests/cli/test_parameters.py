"""Words and values that are taken, and those that are refused."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import click
import pytest

from colorize_media.cli.colorize import colorize
from colorize_media.cli.main import run
from colorize_media.cli.parameters import Seconds, take_options
from colorize_media.options import ColorizeOptions
from tests.told import told_in_four_parts


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--vividness", "3"), ("--crf", "99"), ("--quality", "0"), ("--working-size", "5"), ("--every", "0")],
)
def test_values_out_of_range(photo: Path, flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(photo), flag, value]) == 2
    told_in_four_parts(capsys.readouterr().err, "bad value", value)


def test_unknown_flag_is_wrong_usage(photo: Path) -> None:
    assert run([str(photo), "--colour"]) == 2


def test_every_option_of_the_colouring_can_be_given_and_has_its_default() -> None:
    words = colorize.make_context("colorize", ["a.jpg"]).params
    for field in dataclasses.fields(ColorizeOptions):
        assert words[field.name] == field.default, field.name


def test_a_commands_words_are_sorted_into_options_and_the_rest() -> None:
    words = {"vividness": 0.5, "quiet": True}
    assert take_options(words) == ColorizeOptions(vividness=0.5)
    assert words == {"quiet": True}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30", 90), ("1:00:00.25", Fraction(14401, 4)), ("5.", 5), (Fraction(1, 3), Fraction(1, 3))],
)
def test_times_are_exact(text: str | Fraction, seconds: Fraction) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "ten", "1e3", "٣"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time"):
        Seconds().convert(text, None, None)
