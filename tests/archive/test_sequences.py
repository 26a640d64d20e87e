"""Which numbered files are frames of one film, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media.archive.sequences import gaps, numbered, sequence_end, with_sequences
from colorize_media.events import Planned


@pytest.mark.parametrize(
    ("names", "pattern", "numbers"),
    [
        (["scan_0998.tif", "scan_0999.tif", "scan_1000.tif"], "scan_%04d.tif", [998, 999, 1000]),
        (["f9.png", "f10.png", "f11.png"], "f%d.png", [9, 10, 11]),
        (["f99.png", "f100.png", "f09.png"], "f%02d.png", [9, 99, 100]),
        (["000.jpg", "001.jpg"], "%03d.jpg", [0, 1]),
        (["reel2_0001_v3.dpx", "reel2_0002_v3.dpx"], "reel2_%04d_v3.dpx", [1, 2]),
        (["A.0086401.DPX", "A.0086400.dpx"], "A.%07d.dpx", [86400, 86401]),
    ],
)
def test_one_sequence(names: list[str], pattern: str, numbers: list[int]) -> None:
    (found,) = numbered(names)
    assert found.pattern == pattern
    assert [number for number, _ in found.frames] == numbers
    assert {name for _, name in found.frames} == set(names)


def test_several_in_one_folder_are_told_apart_by_reel_extension_and_padding() -> None:
    names = [f"reel{reel}_{n:03}.png" for reel in (1, 2) for n in (1, 2, 3)]
    names += ["reel1_001.tif", "reel1_002.tif", "x1.png", "x2.png", "x01.png", "x02.png", "poster.png", "take7.png"]
    assert sorted((found.pattern, len(found.frames)) for found in numbered(names)) == [
        ("reel1_%03d.png", 3),
        ("reel1_%03d.tif", 2),
        ("reel2_%03d.png", 3),
        ("x%02d.png", 2),
        ("x%d.png", 2),
    ]


def test_a_plan_has_the_frames_together_in_order_and_the_rest_as_it_was() -> None:
    names = ["a.png", "f1.png", "f10.png", "f2.png", "f3.mp4", "g.png"]
    plan = [
        Planned(Path("in", name), Path("out", name), "video" if name.endswith("mp4") else "photo", "colorize")
        for name in names
    ]
    ordered = with_sequences(plan)
    assert [item.source.name for item in ordered] == ["a.png", "f1.png", "f2.png", "f10.png", "f3.mp4", "g.png"]
    assert [(item.sequence, item.frame) for item in ordered[:4]] == [
        ("", None),
        ("f%d.png", 1),
        ("f%d.png", 2),
        ("f%d.png", 10),
    ]
    assert sequence_end(ordered, 1) == 4


def test_gaps_are_told_with_their_length_and_many_are_counted() -> None:
    assert gaps([5, 6, 8, 12]) == [
        "frame 7 is missing: a gap of one frame in the film's time",
        "frames 9 to 11 are missing: a gap of 3 frames in the film's time",
    ]
    assert gaps(range(0, 20, 2)) == ["9 frames are missing in 9 places (the first is 1): gaps in the film's time"]
    assert gaps([3, 4, 5]) == []
