"""Which pictures a step sees."""

from __future__ import annotations

from collections import Counter

import pytest

from colorize_media.training.mixture import Deal, batch_report, source_of


def names(**counts: int) -> list[str]:
    return [f"{source}/{number}.jpg" for source, count in counts.items() for number in range(count)]


def drawn(deal: Deal, pictures: list[str], steps: int, batch: int = 10) -> Counter[str]:
    return Counter(source_of(pictures[index]) for step in range(steps) for index in deal.indices(step, batch))


def test_every_epoch_sees_every_picture_once() -> None:
    deal = Deal(names(a=9, b=6), seed=3)
    seen = [index for step in range(9) for index in deal.indices(step, 5)]
    for epoch in range(3):
        assert sorted(seen[15 * epoch : 15 * (epoch + 1)]) == list(range(15))
    assert seen[:15] != seen[15:30]


def test_a_step_is_a_function_of_seed_and_step_alone() -> None:
    pictures = names(a=40, b=7, c=3)
    forwards = Deal(pictures, 1, of_sources={"b": 2.5})
    backwards = Deal(pictures, 1, of_sources={"b": 2.5})
    steps = [forwards.indices(step, 8) for step in range(40)]
    assert [backwards.indices(step, 8) for step in reversed(range(40))] == steps[::-1]
    assert [Deal(pictures, 2).indices(step, 8) for step in range(40)] != steps


def test_weights_say_how_often_a_picture_is_drawn() -> None:
    """Of a source by name, of an input by picture; a source's pictures all come before one comes again."""
    pictures = names(a=60, b=30, c=10)
    deal = Deal(pictures, 1, of_pictures=[2.0] * 60 + [1.0] * 40, of_sources={"c": 3.0})
    assert deal.shares == pytest.approx({"a": 120 / 180, "b": 30 / 180, "c": 30 / 180})
    assert drawn(deal, pictures, 10) == pytest.approx({"a": 66.7, "b": 16.7, "c": 16.7}, abs=1)
    of_c = [index for step in range(30) for index in deal.indices(step, 10) if index >= 90]
    for start in range(0, 40, 10):
        assert sorted(of_c[start : start + 10]) == list(range(90, 100))


def test_caps_hold_groups_and_single_sources_down() -> None:
    pictures = names(faces=300, portraits=300, sky=300, street=60, food=40)
    deal = Deal(pictures, 1, caps=[(0.08, ("faces", "portraits"))], largest_share=0.5)
    shares = deal.shares
    assert shares["faces"] + shares["portraits"] == pytest.approx(0.08)
    assert shares["faces"] == pytest.approx(shares["portraits"])
    assert shares["sky"] == pytest.approx(0.5)
    assert shares["street"] / shares["food"] == pytest.approx(1.5)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert drawn(deal, pictures, 100)["sky"] == 500


def test_a_source_under_a_cap_alone_is_still_shown() -> None:
    assert Deal(names(faces=5), 1, caps=[(0.08, ("faces",))]).shares == {"faces": 1.0}


def test_a_source_that_is_added_shifts_no_other_one_s_order() -> None:
    def order(pictures: list[str]) -> list[str]:
        deal = Deal(pictures, 1)
        shown = [pictures[index] for step in range(4 * len(pictures)) for index in deal.indices(step, 1)]
        return [name for name in shown if name.startswith("a/")][:30]

    assert order(names(a=30, b=20)) == order(names(a=30, b=20, new=50))


def test_the_report_says_what_a_batch_contains() -> None:
    pictures = names(a=75, b=25)
    report = batch_report(Deal(pictures, 1, of_sources={"b": 3.0}), pictures, 32)
    assert list(report) == ["a", "b"]
    assert report["b"] == {"pictures": 25, "share": 0.5, "in_a_batch": 16.0, "times_an_epoch": 2.0}
