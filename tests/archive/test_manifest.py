"""What a destination remembers: through torn lines, several writers, and disks that refuse."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from colorize_media.archive import manifest as manifest_room
from colorize_media.archive.manifest import (
    MANIFEST_NAME,
    Entry,
    Manifest,
    Stamp,
    read_manifest,
    read_sidecars,
)
from colorize_media.files.first_look import Kind
from colorize_media.options import ColorizeOptions, Status, digest
from tests.made.records import made_record


def entry(target: str = "x/a.jpg", status: Status = "done", size: int = 7) -> Entry:
    made = Stamp(9, 2_000_000_000_123_456_789) if status == "done" else None
    record = made_record(source=Path(target).name).as_json() if status == "done" else None
    stamp = Stamp(size, 1_000_000_000_987_654_321)
    return Entry(target, f"/in/{target}", stamp, made, status, "0123", "a reason", record=record)


def refuse(why: str) -> None:
    raise AssertionError(why)


def test_what_is_added_is_read_again(tmp_path: Path) -> None:
    entries = [entry("a.jpg"), entry("new\nline \u2028.jpg", "left"), entry(os.fsdecode(b"latin-\xe9.jpg"), "failed")]
    with Manifest(tmp_path / "out", refuse) as manifest:
        for one in entries:
            manifest.add(one)
    assert read_manifest(tmp_path / "out") == {one.target: one for one in entries}
    assert len((tmp_path / "out" / MANIFEST_NAME).read_bytes().splitlines()) == 3


def test_each_batch_is_waited_for_until_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred lines are one batch, and so is what waits at the end; what was synced is all that was written then."""
    synced: list[int] = []
    fsync = os.fsync

    def spy(handle: int) -> None:
        fsync(handle)
        synced.append((tmp_path / MANIFEST_NAME).read_bytes().count(b"\n"))

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(manifest_room, "BATCH_SECONDS", 1000.0)
    with Manifest(tmp_path, refuse) as manifest:
        for number in range(250):
            manifest.add(entry(f"{number}.jpg"))
    assert synced == [100, 200, 250]


def test_what_is_added_outlasts_the_process_at_once(tmp_path: Path) -> None:
    Manifest(tmp_path, refuse).add(entry("a.jpg"))
    assert read_manifest(tmp_path) == {"a.jpg": entry("a.jpg")}


def test_the_newest_line_about_an_output_counts(tmp_path: Path) -> None:
    for size in (1, 2):
        with Manifest(tmp_path, refuse) as manifest:
            manifest.add(entry(size=size))
    assert read_manifest(tmp_path)["x/a.jpg"].stamp.size == 2


def test_nothing_is_remembered_where_nothing_was_written(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == {}
    with Manifest(tmp_path / "out", refuse):
        pass
    assert not (tmp_path / "out").exists()


def test_cut_anywhere_every_whole_line_is_read_and_the_next_run_begins_a_line_of_its_own(tmp_path: Path) -> None:
    with Manifest(tmp_path, refuse) as manifest:
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            manifest.add(entry(name))
    path = tmp_path / MANIFEST_NAME
    whole = path.read_bytes()
    ends = [index for index, byte in enumerate(whole) if byte == 0x0A]
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)  # a line without its line feed is whole, too
        assert len(read_manifest(tmp_path)) == complete
        with Manifest(tmp_path, refuse) as manifest:
            manifest.add(entry("d.jpg"))
        assert len(read_manifest(tmp_path)) == complete + 1


@pytest.mark.parametrize(
    "line",
    [b"", b"\0\0\0\0", b"[]", b"3", b'{"version": 1}', b"\xff\xfe", b'{"version": 2, "target": "x/a.jpg"}', b"null",
     b'{"version": 1, "target": 3, "source": "", "options": "", "reason": "", "status": "done", "made": null, "stamp": [1, 2]}',
     b'{"version": 1, "target": "x", "source": "", "options": "", "reason": "", "status": "done", "made": 5, "stamp": [1]}',
     b"[" * 100_000],
)  # fmt: skip
def test_strange_lines_are_left_out(tmp_path: Path, line: bytes) -> None:
    with Manifest(tmp_path, refuse) as manifest:
        manifest.add(entry())
    with (tmp_path / MANIFEST_NAME).open("ab") as file:
        file.write(line + b"\n")
    assert list(read_manifest(tmp_path)) == ["x/a.jpg"]


def test_several_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3]);"
        "from tests.archive.test_manifest import entry, refuse; from colorize_media.archive.manifest import Manifest\n"
        "for batch in range(40):\n"
        "    with Manifest(Path(sys.argv[1]), refuse) as manifest:\n"
        "        for number in range(5): manifest.add(entry(f'{sys.argv[2]}/{batch}/{number}.jpg'))"
    )
    here = str(Path(__file__).parents[2])
    jobs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(job), here]) for job in range(3)]
    assert [job.wait(120) for job in jobs] == [0, 0, 0]
    assert len(read_manifest(tmp_path)) == 3 * 40 * 5


def test_a_manifest_that_is_taken_away_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    """It is held open between lines."""
    with Manifest(tmp_path, refuse) as manifest:
        manifest.add(entry("a.jpg"))
        (tmp_path / MANIFEST_NAME).unlink()
        manifest.add(entry("b.jpg"))
        assert list(read_manifest(tmp_path)) == ["b.jpg"], "written at once"


def test_a_destination_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file in the way")
    told: list[str] = []
    with Manifest(tmp_path / "out", told.append) as manifest:
        manifest.add(entry())
        manifest.flush()
        manifest.add(entry())
    assert len(told) == 1
    assert "cannot be remembered" in told[0]
    assert (tmp_path / "out").read_text() == "a file in the way"


OTHER = {
    "model": "regression", "device": "cpu", "engine": "torch", "vividness": 0.5, "refine": 2.0, "smoothing": "off",
    "batch_size": 3, "working_size": 256, "force": True, "skip_documents": True, "quality": 50, "encoder": "libx265",
    "crf": 30, "fast": True, "preset": "slow", "max_pixels": 1000, "every": 3, "preview": True, "start": Fraction(2),
    "duration": Fraction(7), "provenance": False, "strip_metadata": True, "sign_cert": "a.pem", "sign_key": "b.pem",
    "image_sequence": Fraction(24),
    "sidecars": False,
    "audio": "opus",
    "drop_streams": True,
    "purpose": "editing",
    "keep_tint": True,
    "encoder_option": ("tune=film",),
    "chroma_only": True,
}  # fmt: skip


def test_every_option_is_tried() -> None:
    assert {item.name for item in dataclasses.fields(ColorizeOptions)} == OTHER.keys()


@pytest.mark.parametrize("name", OTHER)
def test_options_that_change_the_output_and_no_others_make_work_anew(name: str) -> None:
    # A certificate and its key are given together, or not at all.
    plain = ColorizeOptions() if name != "sign_key" else ColorizeOptions(sign_cert="a.pem", sign_key="a.pem")
    both_given = {"sign_key": "b.pem"} if name == "sign_cert" else {}
    other = dataclasses.replace(plain, **{name: OTHER[name], **both_given})

    def changes(kind: str, status: str) -> bool:
        return digest(plain, kind, status, "w", "1") != digest(other, kind, status, "w", "1")  # type: ignore[arg-type]

    both = {"vividness", "refine", "working_size", "keep_tint"}
    assert changes("photo", "done") == (
        name in both | {"quality", "fast", "provenance", "strip_metadata", "sign_cert", "image_sequence"}
    )
    film = {"smoothing", "every", "start", "duration", "encoder", "crf", "preset", "audio", "provenance", "sign_cert"}
    assert changes("video", "done") == (name in both | film | {"purpose", "encoder_option", "chroma_only"})
    assert changes("photo", "left") == (name in {"force", "skip_documents", "image_sequence"})
    assert changes("video", "left") == (name == "force")  # a film is never asked whether it is a document
    assert changes("photo", "failed") == changes("video", "failed") == (name in {"max_pixels", "drop_streams"})


def test_frames_of_a_film_are_made_anew_for_what_changes_a_film_but_not_for_another_rate() -> None:
    frames = ColorizeOptions(image_sequence=Fraction(24))

    def changes(**other: Any) -> bool:
        changed = dataclasses.replace(frames, **other)
        return digest(frames, "photo", "done", "w", "1") != digest(changed, "photo", "done", "w", "1")

    assert changes(smoothing="off")
    assert changes(every=4)
    assert not changes(image_sequence=Fraction(24000, 1001))


# As a2b906e wrote them, with the weights "w" and the version "1": manifests out there hold such.
EARLIER: dict[tuple[Kind, Status], str] = {
    ("photo", "done"): "2af73d733d18d418",
    ("video", "done"): "84c2192067715386",
    ("photo", "left"): "5541cf151fe4aae9",
    ("video", "left"): "5541cf151fe4aae9",
    ("photo", "failed"): "93933a40e9925fd4",
    ("video", "failed"): "93933a40e9925fd4",
}


@pytest.mark.parametrize(("kind", "status"), EARLIER)
def test_digests_are_those_of_earlier_versions(kind: Kind, status: Status) -> None:
    assert digest(ColorizeOptions(), kind, status, "w", "1") == EARLIER[kind, status]


def test_other_weights_make_work_anew_and_another_version_tries_failures_again() -> None:
    options = ColorizeOptions()
    assert digest(options, "photo", "done", "w", "1") != digest(options, "photo", "done", "v", "1")
    assert digest(options, "photo", "done", "w", "1") == digest(options, "photo", "done", "w", "2")
    assert digest(options, "photo", "failed", "", "1") != digest(options, "photo", "failed", "", "2")


def hostile_lines() -> list[bytes]:
    """Lines that JSON can hold and no run has written."""
    with_field = {
        "stamp": ["[1e400, 1]", "[1, NaN]", "[1]", "7", '["9", "x"]', "[[], {}]"],
        "made": ["[1e400, 1e400]", '"today"'],
        "target": ['"a\\u0000b.jpg"', '"/etc/passwd"', '"../up.jpg"', '""', "7", '"\\ud800.jpg"', "null"],
        "source": ['"a\\u0000b.jpg"', "7", '"\\ud800"'],
        "status": ['"gone"', "{}"],
        "version": ["9" * 5000, "null"],
    }
    row = {
        "version": "1", "target": '"a.jpg"', "source": '"/in/a.jpg"', "stamp": "[7, 8]", "made": "[1, 2]",
        "status": '"done"', "options": '"0"', "reason": '""',
    }  # fmt: skip
    rows = [row | {name: value} for name, values in with_field.items() for value in values]
    lines = ["{" + ", ".join(f'"{name}": {value}' for name, value in one.items()) + "}" for one in rows]
    return [line.encode("ascii") for line in lines] + [
        b"[" * 100_000,
        b"\x00" * 1000,
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
    ]


def test_lines_that_no_run_has_written_are_left_out(tmp_path: Path) -> None:
    good = entry("good.jpg")
    with Manifest(tmp_path, refuse) as manifest:
        manifest.add(good)
    with (tmp_path / MANIFEST_NAME).open("ab") as file:
        file.write(b"\n".join([*hostile_lines(), *(line.replace(b'"done"', b'"sidecar"') for line in hostile_lines())]))
    assert read_manifest(tmp_path) == {"good.jpg": good}
    assert read_sidecars(tmp_path) == {}


def test_a_manifest_that_is_a_link_is_neither_read_nor_written(tmp_path: Path) -> None:
    with Manifest(tmp_path / "other", refuse) as manifest:
        manifest.add(entry("a.jpg"))
    before = (tmp_path / "other" / MANIFEST_NAME).read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST_NAME).symlink_to(tmp_path / "other" / MANIFEST_NAME)
    told: list[str] = []
    with Manifest(tmp_path / "out", told.append) as manifest:
        manifest.add(entry("$(touch ran).jpg"))
        manifest.flush()
        manifest.add(entry("b.jpg"))
    assert read_manifest(tmp_path / "out") == {}
    assert (tmp_path / "other" / MANIFEST_NAME).read_bytes() == before
    assert len(told) == 1
    assert "it is a link" in told[0]
