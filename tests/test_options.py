"""Options say themselves what they change, so that whoever remembers, resumes or loads needs no list of names."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import get_args

import pytest

from colorize_media.errors import BadOption
from colorize_media.options import (
    Aspect,
    ColorizeOptions,
    each_says_what_it_changes,
    of_the_network,
    that_change,
    that_change_the_output,
    that_decide,
    values_of,
)


def test_an_option_that_does_not_say_what_it_changes_fails_when_it_is_imported() -> None:
    @dataclass(frozen=True)
    class Planted:
        known: int = field(default=0, metadata={"changes": frozenset({"network"}), "later": False})
        silent: int = 0

    with pytest.raises(TypeError, match=r"Planted\.silent does not say"):
        each_says_what_it_changes(Planted)

    @dataclass(frozen=True)
    class Further(ColorizeOptions):
        sharpen: float = 0.0

    with pytest.raises(TypeError, match="sharpen"):
        each_says_what_it_changes(Further)
    assert each_says_what_it_changes(ColorizeOptions) is ColorizeOptions


def test_a_later_option_at_its_default_changes_nothing_that_is_remembered() -> None:
    @each_says_what_it_changes
    @dataclass(frozen=True)
    class Further(ColorizeOptions):
        sharpen: float = field(default=0.0, metadata={"changes": frozenset({"photo colors"}), "later": True})

    names = frozenset({"vividness", "sharpen"})
    assert values_of(Further(), names) == values_of(ColorizeOptions(), names) == {"vividness": 1.0}
    assert values_of(Further(sharpen=0.5), names) == {"vividness": 1.0, "sharpen": 0.5}


def test_an_option_that_came_later_for_one_kind_is_remembered_of_the_other_as_ever() -> None:
    names = frozenset({"provenance"})
    assert values_of(ColorizeOptions(), names, "photo") == {"provenance": True}
    assert values_of(ColorizeOptions(), names, "video") == {}, "films were remembered before they said anything"
    assert values_of(ColorizeOptions(provenance=False), names, "video") == {"provenance": False}


def test_options_say_nothing_that_nobody_understands() -> None:
    for item in fields(ColorizeOptions):
        assert item.metadata["changes"] <= set(get_args(Aspect)), item.name


def test_a_preview_a_certificates_key_and_sidecars_change_nothing_of_an_output() -> None:
    """A preview is another output, and not remembered; a certificate has one key; sidecars are remembered one by one."""
    unchanged = {item.name for item in fields(ColorizeOptions)} - that_change(*get_args(Aspect))
    assert unchanged == {"preview", "sign_key", "sidecars"}


def test_each_kind_has_its_own() -> None:
    both = {"vividness", "refine", "working_size", "keep_tint"}
    photo = both | {"fast", "quality", "provenance", "strip_metadata", "sign_cert"}
    assert that_change_the_output("photo") == photo | {"image_sequence"}
    assert that_change_the_output("video") == both | {
        *("smoothing", "every", "start", "duration"),
        *("purpose", "encoder", "crf", "preset", "encoder_option", "chroma_only", "audio", "provenance", "sign_cert"),
    }
    assert (that_decide("photo"), that_decide("video")) == ({"force", "skip_documents"}, {"force"})
    assert of_the_network() == {"model", "device", "engine", "batch_size"}
    assert that_change("limit") == {"max_pixels", "drop_streams"}


def test_a_rate_of_frames_is_exact_and_in_range_and_no_part_can_be_cut_out_of_them() -> None:
    assert ColorizeOptions(image_sequence="24000/1001").image_sequence == Fraction(24000, 1001)  # type: ignore[arg-type]
    for rate in (0, -24, 1001):
        with pytest.raises(BadOption, match="frames a second, up to 1000"):
            ColorizeOptions(image_sequence=Fraction(rate))
    with pytest.raises(BadOption, match="choose frames by their names, with --include or --exclude"):
        ColorizeOptions(image_sequence=Fraction(24), duration=Fraction(2))
