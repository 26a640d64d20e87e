"""What earlier runs' memory is believed for in a plan. Nothing is coloured here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.manifest import Entry, Manifest, Stamp
from colorize_media.archive.memory import Memory, options_digest
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.plan import make_plan
from colorize_media.events import Planned
from colorize_media.files.whole import host_mark
from colorize_media.models import find_weights, weights_digest
from colorize_media.options import ColorizeOptions, Status
from colorize_media.version import __version__
from tests.made.records import made_record

JPEG = b"\xff\xd8\xff\xe0"
DEFAULT = ColorizeOptions()
DEAD = 2**31 - 1  # the number of no process


def put(path: Path, content: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def remember(
    tmp_path: Path,
    status: Status,
    *,
    output: bytes | None = None,
    options: ColorizeOptions = DEFAULT,
    decided: str = "",
) -> Path:
    """One source with an entry about it, and the output that was made of it; returns the source."""
    source, target = put(tmp_path / "in" / "a.jpg"), tmp_path / "out" / "a.jpg"
    made = None if output is None else Stamp.of(put(target, output))
    digest = options_digest(options, "photo", status)
    with Manifest(tmp_path / "out", pytest.fail) as manifest:
        manifest.add(Entry("a.jpg", str(source), Stamp.of(source), made, status, digest, "the reason", decided=decided))
    return source


def planned(
    tmp_path: Path, *, overwrite: bool = False, retry: bool = False, options: ColorizeOptions = DEFAULT
) -> Planned:
    memory = Memory(options, retry_failed=retry)
    (item,) = make_plan([tmp_path / "in"], tmp_path / "out", overwrite=overwrite, memory=memory)
    return item


def touch_later(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def test_finished_work_is_skipped(tmp_path: Path) -> None:
    remember(tmp_path, "done", output=b"coloured")
    assert planned(tmp_path).action == "skip"
    again = planned(tmp_path, overwrite=True)
    assert (again.action, again.replaces) == ("colorize", True)


def test_a_changed_source_is_done_anew(tmp_path: Path) -> None:
    touch_later(remember(tmp_path, "done", output=b"coloured"))
    item = planned(tmp_path)
    assert (item.action, item.replaces) == ("colorize", True)
    assert "changed" in item.reason


def test_a_source_of_another_size_is_done_anew(tmp_path: Path) -> None:
    source = remember(tmp_path, "done", output=b"coloured")
    found = source.stat()
    source.write_bytes(JPEG + b"more")
    os.utime(source, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert planned(tmp_path).replaces


def test_other_options_make_work_anew_but_only_those_that_change_pixels(tmp_path: Path) -> None:
    remember(tmp_path, "done", output=b"coloured")
    assert planned(tmp_path, options=ColorizeOptions(vividness=1.5)).replaces
    assert planned(tmp_path, options=ColorizeOptions(batch_size=7, smoothing="off")).action == "skip"


@pytest.mark.parametrize("option", ["force", "skip_documents"])
def test_what_decides_makes_work_anew_only_where_parts_were_decided(tmp_path: Path, option: str) -> None:
    """A picture that is coloured is the same with --force; of a mixed film, or of pages, more is coloured then."""
    plain, other = ColorizeOptions(), ColorizeOptions(**{option: True})  # type: ignore[arg-type]
    remember(tmp_path, "done", output=b"coloured")
    assert planned(tmp_path, options=other).action == "skip"
    for then, now in ((plain, other), (other, plain)):
        remember(tmp_path, "done", output=b"coloured", decided=options_digest(then, "photo", "left"))
        assert planned(tmp_path, options=then).action == "skip"
        assert planned(tmp_path, options=now).replaces


def test_an_output_that_someone_changed_is_never_replaced_unasked(tmp_path: Path) -> None:
    touch_later(remember(tmp_path, "done", output=b"coloured"))
    touch_later(tmp_path / "out" / "a.jpg")
    item = planned(tmp_path)
    assert item.action == "skip"
    assert "changed after it was made" in item.reason
    assert planned(tmp_path, overwrite=True).replaces


def test_an_output_that_a_killed_run_could_not_remember_is_made_anew(tmp_path: Path) -> None:
    """It has its source's time, as that run left it; with another one it may be somebody's."""
    source, target = put(tmp_path / "in" / "a.jpg"), put(tmp_path / "out" / "a.jpg", b"coloured")
    note = tmp_path / "out" / f".colorize-media-{host_mark()}-{DEAD}.begun"
    note.write_text('["begun", "a.jpg"]\n["ended", "a.jpg"]\n')
    assert planned(tmp_path).action == "skip"
    os.utime(target, ns=(0, source.stat().st_mtime_ns))
    item = planned(tmp_path)
    assert (item.action, item.replaces) == ("colorize", True)
    assert "killed before it could remember" in item.reason
    InFlight([item], OutputFolders())  # a run that ends before it has come to it
    assert planned(tmp_path).replaces
    remember(tmp_path, "done", output=b"coloured")
    assert planned(tmp_path).action == "skip"


def test_an_output_that_nobody_remembers_is_left(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.jpg")
    put(tmp_path / "out" / "a.jpg", b"somebody's")
    assert planned(tmp_path).action == "skip"


def test_a_deleted_output_is_made_again(tmp_path: Path) -> None:
    remember(tmp_path, "done", output=b"coloured")
    (tmp_path / "out" / "a.jpg").unlink()
    item = planned(tmp_path)
    assert (item.action, item.replaces) == ("colorize", False)


def test_what_was_left_alone_stays_so_until_it_or_the_decision_changes(tmp_path: Path) -> None:
    source = remember(tmp_path, "left")
    item = planned(tmp_path)
    assert item.action == "skip"
    assert "the reason" in item.reason
    assert planned(tmp_path, options=ColorizeOptions(vividness=0.5)).action == "skip"
    assert planned(tmp_path, options=ColorizeOptions(force=True)).action == "colorize"
    touch_later(source)
    assert planned(tmp_path).action == "colorize"


def test_what_failed_fails_again_without_a_try_until_asked_or_changed(tmp_path: Path) -> None:
    source = remember(tmp_path, "failed")
    item = planned(tmp_path)
    assert item.action == "fail"
    assert "the reason" in item.reason
    assert planned(tmp_path, retry=True).action == "colorize"
    assert planned(tmp_path, options=ColorizeOptions(max_pixels=10**9)).action == "colorize"
    touch_later(source)
    assert planned(tmp_path).action == "colorize"


def test_a_destination_may_be_moved(tmp_path: Path) -> None:
    remember(tmp_path, "done", output=b"coloured")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    (item,) = make_plan([tmp_path / "in"], tmp_path / "elsewhere", overwrite=False)
    assert item.action == "skip"


def test_what_an_older_version_made_stays_unless_it_is_to_be_done_again(tmp_path: Path) -> None:
    source, target = put(tmp_path / "in" / "a.jpg"), put(tmp_path / "out" / "a.jpg", b"coloured")
    for version, older in (("0.0.9", True), (__version__, False), ("99.0", False)):
        record = made_record(version=version, weights=weights_digest(find_weights("scenes"))).as_json()
        with Manifest(tmp_path / "out", pytest.fail) as manifest:
            stamps = Stamp.of(source), Stamp.of(target)
            digest = options_digest(DEFAULT, "photo", "done")
            manifest.add(Entry("a.jpg", str(source), *stamps, "done", digest, record=record))
        for redo in (False, True):
            memory = Memory(DEFAULT, redo_older=redo)
            (item,) = make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False, memory=memory)
            assert (item.action, item.older) == (("colorize", False) if older and redo else ("skip", older))
            assert ("version 0.0.9" in item.reason) == older
    (item,) = make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False, memory=Memory(ColorizeOptions(quality=1)))
    assert item.replaces, "other options count more"
