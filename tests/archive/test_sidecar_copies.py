"""What goes along with inputs: copied once, again when it changed, never over what is not ours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from skimage import data

from colorize_media.archive.discovery import PassedOver, Selection, search
from colorize_media.archive.manifest import MANIFEST_NAME, read_manifest, read_sidecars
from colorize_media.archive.memory import Memory
from colorize_media.archive.plan import make_plan
from colorize_media.events import Done, Event, Skipped, Summary, Warned
from colorize_media.options import ColorizeOptions
from tests.archive.runs import SMALL, do, results
from tests.made.films import grey_frames, make_video
from tests.made.photos import grey_picture, save

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>'
)
Run: TypeAlias = Callable[..., list[Event]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph and a film with what lies beside them."""
    inside = tmp_path / "in"
    inside.mkdir()
    save(inside / "a.png", grey_picture())
    make_video(inside / "f.mp4", frames=grey_frames(3))
    (inside / "a.png.xmp").write_bytes(XMP)
    (inside / "a.pgw").write_text("1 0 0 -1 5 5")
    (inside / "f.en.srt").write_text("1\n00:00:00,000 --> 00:00:00,100\nHello\n")
    for path in inside.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    return inside


@pytest.fixture
def run(folder: Path, fresh_weights: Path) -> Run:
    """Colours the folder into ``out``; the events."""

    def go(options: ColorizeOptions = SMALL, *, overwrite: bool = False) -> list[Event]:
        code, events = do([folder], folder.with_name("out"), fresh_weights, options, overwrite=overwrite)
        assert code == 0
        return events

    return go


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != MANIFEST_NAME)


def warnings(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def copied(events: list[Event]) -> int:
    (summary,) = [event for event in events if isinstance(event, Summary)]
    assert summary.sidecars == sum(event.sidecars for event in events if isinstance(event, (Done, Skipped)))
    return summary.sidecars


def test_they_stand_beside_the_output_with_their_times(folder: Path, run: Run) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert copied(run()) == 3
    out = folder.with_name("out")
    assert names(out) == names(folder)
    for name in ("a.pgw", "f.en.srt"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()
    assert b'xmp:Rating="5"' in (out / "a.png.xmp").read_bytes()
    assert b"AISystemUsed" in (out / "a.png.xmp").read_bytes()
    assert all((out / name).stat().st_mtime_ns == 10**18 for name in ("a.pgw", "f.en.srt", "a.png.xmp"))
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_second_run_does_nothing(folder: Path, run: Run) -> None:
    run()
    out = folder.with_name("out")
    before = {path.name: path.stat() for path in out.iterdir()}
    assert copied(run()) == 0
    assert before == {path.name: path.stat() for path in out.iterdir()}


def test_what_has_changed_or_come_later_is_copied_and_says_how_the_output_was_made(folder: Path, run: Run) -> None:
    run()
    (folder / "f.en.srt").write_text("other words")
    (folder / "a.xmp").write_bytes(XMP)
    out = folder.with_name("out")
    before = (out / "a.png").stat(), (out / "f.mp4").stat()
    events = run()
    assert copied(events) == 2
    assert {kind for kind, _ in results(events)} == {"Skipped"}
    assert (out / "f.en.srt").read_text() == "other words"
    assert b"AISystemUsed" in (out / "a.xmp").read_bytes()
    assert before == ((out / "a.png").stat(), (out / "f.mp4").stat())


def test_what_is_not_ours_is_never_replaced(folder: Path, run: Run) -> None:
    out = folder.with_name("out")
    out.mkdir()
    (out / "f.en.srt").write_text("somebody's")
    for overwrite in (False, True):
        events = run(overwrite=overwrite)
        assert warnings(events) == [f"f.en.srt is not copied: another file has its name already: {out / 'f.en.srt'}"]
        assert (out / "f.en.srt").read_text() == "somebody's"
    assert isinstance(events[-1], Summary)
    assert events[-1].sidecars_left == {"another file has its name already": 1}


def test_no_link_is_followed_to_write(folder: Path, run: Run) -> None:
    out, victim = folder.with_name("out"), folder.with_name("victim")
    out.mkdir()
    victim.write_text("not yours")
    (out / "f.en.srt").symlink_to(victim)
    run(overwrite=True)
    assert victim.read_text() == "not yours"
    assert (out / "f.en.srt").is_symlink()


def test_a_copy_that_somebody_changed_stays_but_for_overwrite(folder: Path, run: Run) -> None:
    run()
    out = folder.with_name("out")
    (out / "f.en.srt").write_text("mended")
    assert copied(run()) == 0
    (folder / "f.en.srt").write_text("changed, too")
    events = run()
    assert isinstance(events[-1], Summary)
    assert events[-1].sidecars_left == {"its copy was changed, and then its source": 1}
    assert (out / "f.en.srt").read_text() == "mended"
    assert copied(run(overwrite=True)) == 3
    assert (out / "f.en.srt").read_text() == "changed, too"


def test_what_is_left_alone_leaves_its_sidecars(folder: Path, run: Run) -> None:
    save(folder / "c.png", np.ascontiguousarray(data.coffee()[::4, ::4]))
    (folder / "c.png.xmp").write_bytes(XMP)
    assert copied(run()) == 3
    assert "c.png.xmp" not in names(folder.with_name("out"))


def test_what_belongs_to_a_failure_waits_and_is_counted(folder: Path, fresh_weights: Path) -> None:
    (folder / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "b.jpg.xmp").write_bytes(XMP)
    _, events = do([folder], folder.with_name("out"), fresh_weights)
    assert isinstance(events[-1], Summary)
    assert events[-1].sidecars_left == {"what they belong to failed": 1}
    _, events = do([folder], folder.with_name("out"), fresh_weights)  # which does not even try again
    assert isinstance(events[-1], Summary)
    assert events[-1].failed_before == 1
    assert events[-1].sidecars_left == {"what they belong to failed": 1}
    assert "b.jpg.xmp" not in names(folder.with_name("out"))


def test_beside_an_input_nothing_is_remembered_and_nothing_is_done_twice(folder: Path, fresh_weights: Path) -> None:
    (folder / "a.xmp").write_bytes(XMP)
    _, events = do([folder / "a.png"], None, fresh_weights)
    assert copied(events) == 3
    assert {"a.color.png.xmp", "a.color.xmp", "a.color.pgw"} <= set(names(folder))
    _, events = do([folder / "a.png"], None, fresh_weights)
    assert (copied(events), warnings(events)) == (0, [])
    first = (folder / "a.color.png.xmp").read_bytes()
    (folder / "a.color.xmp").write_text("somebody's")
    (folder / "a.png.xmp").write_bytes(XMP.replace(b'"5"', b'"3"'))
    _, events = do([folder / "a.png"], None, fresh_weights, overwrite=True)
    assert copied(events) == 1
    assert (folder / "a.color.xmp").read_text() == "somebody's"
    assert (folder / "a.color.png.xmp").read_bytes() != first
    assert b'"3"' in (folder / "a.color.png.xmp").read_bytes()


def test_another_picture_in_the_outputs_place_gets_none(folder: Path, fresh_weights: Path) -> None:
    somebodys, of_another = save(folder / "other.png", grey_picture(seed=3)), folder / "made.png"
    assert do([somebodys], of_another, fresh_weights)[0] == 0
    before = names(folder)
    for target in (somebodys, of_another):
        _, events = do([folder / "a.png"], target, fresh_weights)
        assert (copied(events), names(folder)) == (0, before)


def test_an_original_is_not_replaced_by_its_own_copy(folder: Path, fresh_weights: Path) -> None:
    """The output shares the input's stem, so the sidecar's copy would have its own name."""
    ours = XMP.replace(b"xmp:Rating", b'xmp:CreatorTool="colorize-media 0.0.9" xmp:Rating')
    (folder / "a.xmp").write_bytes(ours)
    assert do([folder / "a.png"], folder / "a.jpg", fresh_weights, overwrite=True)[0] == 0
    assert (folder / "a.xmp").read_bytes() == ours


def test_a_raw_files_and_its_jpegs_common_sidecar_goes_to_both_once(tmp_path: Path, fresh_weights: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("in/a.png", "in/a.jpg", "in/b.jpg"):
        save(tmp_path / name, grey_picture())
    (tmp_path / "in" / "a.xmp").write_bytes(XMP)
    _, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights)
    assert copied(events) == 1  # a.png and a.jpg have one stem in the output folder, too
    (tmp_path / "in" / "a.png").rename(tmp_path / "in" / "a.gif")  # whose output is a.gif.png
    _, events = do([tmp_path / "in"], tmp_path / "out2", fresh_weights)
    assert copied(events) == 2
    assert names(tmp_path / "out2") == ["a.gif.png", "a.gif.xmp", "a.jpg", "a.xmp", "b.jpg"]


def test_two_sidecars_of_one_name_get_two_names(tmp_path: Path, fresh_weights: Path) -> None:
    for folder, name in (("x", "a.png"), ("y", "a.jpg")):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / name, grey_picture())
        (tmp_path / folder / "a.txt").write_text(folder)
    inputs = [tmp_path / "x" / "a.png", tmp_path / "y" / "a.jpg"]
    _, events = do(inputs, tmp_path / "out", fresh_weights)
    assert copied(events) == 2
    assert ((tmp_path / "out" / "a.txt").read_text(), (tmp_path / "out" / "a.jpg.txt").read_text()) == ("x", "y")


def test_options_that_leave_them(folder: Path, run: Run) -> None:
    out = folder.with_name("out")
    assert copied(run(replace(SMALL, sidecars=False))) == 0
    assert names(out) == ["a.png", "f.mp4"]
    events = run(replace(SMALL, strip_metadata=True))
    assert names(out) == ["a.png", "f.en.srt", "f.mp4"]
    assert isinstance(events[-1], Summary)
    assert sum(events[-1].sidecars_left.values()) == 2


def test_subtitles_do_not_fit_a_part_of_a_film(folder: Path, run: Run) -> None:
    events = run(replace(SMALL, start=Fraction(1, 25)))
    assert "f.en.srt" not in names(folder.with_name("out"))
    assert isinstance(events[-1], Summary)
    assert events[-1].sidecars_left == {"subtitles of a whole film, which do not fit a part of it": 1}


def test_without_provenance_an_xmp_file_says_nothing(folder: Path, run: Run) -> None:
    run(replace(SMALL, provenance=False))
    assert b"colorize" not in (folder.with_name("out") / "a.png.xmp").read_bytes()


def test_damaged_xmp_is_copied_as_it_is_with_a_warning(folder: Path, run: Run) -> None:
    (folder / "a.png.xmp").write_bytes(b"<x:xmpmeta")
    (warning,) = warnings(run())
    assert warning.startswith("a.png.xmp: copied as it is, since it is no XMP that can be read: ")
    assert (folder.with_name("out") / "a.png.xmp").read_bytes() == b"<x:xmpmeta"


@pytest.mark.parametrize("kind", ["pipe", "broken link", "folder"])
def test_what_is_no_file_does_not_go_along_and_is_not_waited_for(folder: Path, run: Run, kind: str) -> None:
    odd = folder / "f.srt"
    {"pipe": os.mkfifo, "broken link": lambda path: path.symlink_to("nowhere"), "folder": Path.mkdir}[kind](odd)
    assert copied(run()) == 3


def test_one_that_cannot_be_written_is_a_warning_and_tried_again(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr("colorize_media.archive.sidecar_copies.shutil.copyfileobj", full)
        events = run()
    assert sorted(warnings(events)) == [
        f"{name} could not be copied: {os.strerror(28)}" for name in ("a.pgw", "f.en.srt")
    ]
    assert names(folder.with_name("out")) == ["a.png", "a.png.xmp", "f.mp4"]
    assert copied(run()) == 2


def test_they_are_remembered_on_lines_that_earlier_versions_read_over(folder: Path, run: Run) -> None:
    run()
    out = folder.with_name("out")
    assert set(read_sidecars(out)) == {"a.png.xmp", "a.pgw", "f.en.srt"}
    assert set(read_manifest(out)) == {"a.png", "f.mp4"}
    for line in (out / MANIFEST_NAME).read_text().splitlines():
        row = json.loads(line)
        assert (row["status"] == "sidecar") == (row["target"] in read_sidecars(out))


def test_the_plan_tells_them_and_a_search_of_the_outputs_does_not(folder: Path, run: Run) -> None:
    plan = make_plan([folder], folder.with_name("out"), overwrite=False, memory=Memory(SMALL))
    told = {sidecar.source.name: sidecar.action for item in plan for sidecar in item.sidecars}
    assert told == {"a.png.xmp": "copy", "a.pgw": "copy", "f.en.srt": "copy"}
    run()
    (again,) = {sidecar.action for item in make_plan([folder], folder.with_name("out"), overwrite=False,
                memory=Memory(SMALL)) for sidecar in item.sidecars}  # fmt: skip
    assert again == "keep"
    passed = PassedOver()
    assert list(search(folder.parent, Selection(exclude=("in",)), passed=passed)) == []
    assert passed.others["made by this program"] == 5
