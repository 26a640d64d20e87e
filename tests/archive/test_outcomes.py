"""What came of a file: failures with all that is told and remembered of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from colorize_media import errors
from colorize_media.archive.outcomes import Outcome, Tally, failed, is_lasting, settled
from colorize_media.archive.plan import make_plan
from colorize_media.cli.console import lines_of
from colorize_media.errors import ColorizeError, DamagedMedia, DeviceMissing, OutputUnwritable
from colorize_media.events import Done, Event, Failed, Planned, Skipped, Summary, as_json

ITEM = Planned(Path("a.jpg"), Path("out.jpg"), "photo", "colorize")
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ColorizeError)]


def test_only_what_the_file_itself_is_to_blame_for_lasts() -> None:
    lasting = {kind.__name__ for kind in KINDS if is_lasting(kind("no"))}
    assert lasting == {
        *(
            "DamagedMedia",
            "EmptyFile",
            "Encrypted",
            "InputMissing",
            "NoFile",
            "NoPicture",
            "StreamNotKept",
            "UnsupportedMedia",
        ),
    }
    starved = DamagedMedia("it cannot be decoded")
    starved.__cause__ = MemoryError()
    assert not is_lasting(starved)


def test_a_failure_has_its_traceback_for_people_who_ask_and_not_in_json() -> None:
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError as error:
        outcome = failed(ITEM, error, warnings=("first",))
    assert isinstance(outcome.result, Failed)
    assert (outcome.result.what, outcome.exit_code, outcome.lasting) == ("unexpected error", 1, False)
    assert "ZeroDivisionError: a bug" in outcome.result.trace
    assert outcome.warnings == ("first",)
    assert as_json(outcome.result).keys() == {"event", "source", "what", "why", "hint"}
    told = failed(ITEM, DeviceMissing("no such device"))
    assert isinstance(told.result, Failed)
    assert (told.exit_code, told.result.trace) == (3, "")  # nothing was raised


def test_another_file_than_the_input_is_named() -> None:
    for path, why in ((Path("out"), "out: it is full"), (ITEM.source, "it is full"), (None, "it is full")):
        result = failed(ITEM, OutputUnwritable("cannot write", path=path, why="it is full")).result
        assert isinstance(result, Failed)
        assert (result.source, result.why) == (ITEM.source, why)


def test_what_a_plan_knows_is_what_is_told(tmp_path: Path) -> None:
    (item,) = make_plan([tmp_path / "none.jpg"], None, overwrite=False)
    outcome = settled(item)
    assert (item.action, item.reason, outcome.exit_code) == ("fail", "no such file or folder", 1)
    assert outcome.result == Failed(item.source, "no such file or folder", "the path leads nowhere", "check the name")
    assert "failure" not in as_json(item)
    skip = Planned(Path("b.jpg"), None, "photo", "skip", "in colour", what="color", earlier=True)
    assert settled(skip).result == Skipped(Path("b.jpg"), "in colour", "color")


def test_a_fail_without_more_is_told_as_one() -> None:
    result = settled(Planned(Path("b.jpg"), None, "photo", "fail", "because")).result
    assert result == Failed(Path("b.jpg"), "because", "", "")


def test_the_summary_counts_tones_that_went_and_films_of_another_kind() -> None:
    told: list[Event] = []
    tally = Tally(told.append)
    film = Done(Path("a.mov"), Path("b.mov"), 2, 1.0, what="toned", recoded="prores became libx264")
    kept = dataclasses.replace(film, record={"model": "scenes", "options": {"keep_tint": True}}, recoded="")
    other = dataclasses.replace(film, what="neutral")
    for result in (film, kept, other, Skipped(Path("c.jpg"), "in colour", "toned")):
        tally.settle(Outcome(ITEM, result))
    tally.close()
    assert isinstance(told[-1], Summary)
    assert (told[-1].toned, dict(told[-1].recoded)) == (1, {"prores became libx264": 2})
    assert as_json(told[-1])["recoded"] == {"prores became libx264": 2}
    lines = lines_of(told[-1], quiet=False, verbose=0)
    assert "by the network scenes" in lines[0]
    assert lines[1] == "2 films: prores became libx264"
    assert lines[2].startswith("1 in an even tone")
