"""What came of every file, from events and manifests alone: no sentence is read, so any may be worded anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media.archive.manifest import Entry, Manifest, Stamp
from colorize_media.events import Done, Event, Failed, Planned, Skipped, Started, Summary, Warned, What
from colorize_media.options import Status
from colorize_media.report.rows import Row, Rows


def planned(folder: Path, name: str, action: str = "colorize", **more: object) -> Planned:
    """An input that is there, and its output that may not be."""
    source = folder / "in" / name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(b"a file")
    return Planned(source, folder / "out" / name, "photo", action, root=folder / "out", tree=folder / "in", **more)  # type: ignore[arg-type]


def remember(folder: Path, name: str, status: Status, what: What | None, made: Stamp | None = None) -> None:
    with Manifest(folder / "out", pytest.fail) as manifest:
        manifest.add(Entry(name, str(folder / "in" / name), Stamp(6, 1), made, status, "", "said then", what))


def heard(plan: list[Planned], *events: Event) -> Row:
    """The row of the first of them."""
    rows = Rows(plan)
    for event in (*events, Summary(0, 0, 0, 2.0)):
        rows(event)
    assert rows.seconds == 2.0
    return rows.all()[0]


def outcome(row: Row) -> tuple[str, str, bool, str]:
    return row.status, row.decision, row.earlier, row.reason


@pytest.mark.parametrize("sentence", ["neutral: grey", "a document: no", "worded anew, without a colon"])
def test_the_sentence_counts_for_nothing(tmp_path: Path, sentence: str) -> None:
    item = planned(tmp_path, "a.jpg")
    assert item.target is not None
    started = Started(item.source, item.target, "photo", 1, sentence, "toned")
    done = Done(item.source, item.target, 1, 0.5, reason=sentence, what="toned")
    assert outcome(heard([item], started, done)) == ("done", "toned", False, sentence)
    assert outcome(heard([item], Skipped(item.source, sentence, "color"))) == ("left", "color", False, sentence)
    item.target.parent.mkdir()
    item.target.write_bytes(b"somebody's")
    assert outcome(heard([item], Skipped(item.source, sentence, "color"))) == ("left", "color", False, sentence)
    assert outcome(heard([item], Skipped(item.source, sentence))) == ("present", "", False, sentence)


def test_what_failed_after_it_was_judged_keeps_the_verdict(tmp_path: Path) -> None:
    item = planned(tmp_path, "a.jpg")
    assert item.target is not None
    started = Started(item.source, item.target, "photo", 1, "why", "neutral")
    row = heard([item], started, Failed(item.source, "the disk is full", "no space", "make room"))
    assert outcome(row) == ("failed", "neutral", False, "the disk is full: no space")
    assert row.hint == "make room"
    assert heard([item], Failed(item.source, "it is damaged", "", "")).decision == ""


def test_a_film_without_a_frame_to_judge_by_was_not_judged(tmp_path: Path) -> None:
    item = planned(tmp_path, "a.jpg")
    assert item.target is not None
    assert heard([item], Started(item.source, item.target, "video", None, "no frame", "unknown")).decision == ""


def test_what_earlier_runs_found_is_told_in_their_words(tmp_path: Path) -> None:
    remember(tmp_path, "a.jpg", "left", "document")
    left = planned(tmp_path, "a.jpg", "skip", reason="whatever the plan says", earlier=True, what="document")
    assert outcome(heard([left], Skipped(left.source, left.reason, left.what))) == (
        "left",
        "document",
        True,
        "said then",
    )
    remember(tmp_path, "b.jpg", "failed", None)
    failed = planned(tmp_path, "b.jpg", "fail", reason="whatever", earlier=True)
    told = Failed(failed.source, "failed before", "whatever", "try again")
    assert outcome(heard([failed], told)) == ("failed", "", True, "said then")


def test_an_output_is_an_earlier_runs_only_while_it_is_as_it_was_made(tmp_path: Path) -> None:
    item = planned(tmp_path, "a.jpg", "skip", reason="the output is already there")
    assert item.target is not None
    item.target.parent.mkdir()
    item.target.write_bytes(b"made")
    remember(tmp_path, "a.jpg", "done", "mixed", Stamp.of(item.target))
    skipped = Skipped(item.source, item.reason)
    assert outcome(heard([item], skipped)) == ("done", "mixed", True, "said then")
    item.target.write_bytes(b"changed since")
    assert outcome(heard([item], skipped)) == ("present", "", False, item.reason)


def test_a_warning_about_a_folder_is_a_note(tmp_path: Path) -> None:
    rows = Rows([planned(tmp_path, "a.jpg")])
    rows(Warned(tmp_path / "out", "cannot be remembered"))
    assert rows.notes == [f"{tmp_path / 'out'}: cannot be remembered"]


def test_a_manifest_shows_no_file_of_elsewhere(tmp_path: Path) -> None:
    item = planned(tmp_path, "a.jpg")
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"somebody's")
    (tmp_path / "in" / "link.jpg").symlink_to(secret)
    (tmp_path / "in" / "gone.jpg").write_bytes(b"of an earlier run")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "made.jpg").symlink_to(secret)
    made = Stamp.of(secret)
    with Manifest(tmp_path / "out", pytest.fail) as manifest:
        for name, source, status, there in (
            ("x.jpg", secret, "left", None), ("y.jpg", tmp_path / "in" / "link.jpg", "failed", None),
            ("made.jpg", tmp_path / "in" / "gone.jpg", "done", made), ("z.jpg", tmp_path / "in" / "gone.jpg", "left", None),
        ):  # fmt: skip
            manifest.add(Entry(name, str(source), Stamp(6, 1), there, status, "", "said then"))  # type: ignore[arg-type]
    rows = Rows([item])
    assert [row.source.name for row in rows.all()] == ["a.jpg", "gone.jpg"]
    assert rows.all()[1].target == tmp_path / "out" / "z.jpg"
    assert rows.notes == ["not shown: 3 files of earlier runs that lie in other folders"]
