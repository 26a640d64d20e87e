"""Notes of ours and folders of unfinished work: never through links, never more than they can be, never somebody else's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from colorize_media.files.own import append_lines, own_lines, read_own
from colorize_media.files.own_folder import OwnFolder

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, modes and descriptors of folders")
MOST = 1000


def test_lines_begin_on_a_new_one_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "made" / "log"
    append_lines(path, b"one\n", MOST)
    with path.open("ab") as file:
        file.write(b"torn")
    append_lines(path, b"two\n", MOST)
    assert path.read_bytes() == b"one\ntorn\ntwo\n"
    assert list(own_lines(path, MOST, MOST)) == [b"one\n", b"torn\n", b"two\n"]


def linked(path: Path) -> None:
    path.with_name("victim").write_bytes(b"not yours\n")
    path.symlink_to("victim")


def dangling(path: Path) -> None:
    path.symlink_to("victim")


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


@posix
@pytest.mark.parametrize(
    ("make", "why"),
    [(linked, "it is a link"), (dangling, "it is a link"), (endless, "it is a link"), (sparse, "it is longer"),
     (os.mkfifo, "no regular file"), (os.mkdir, "regular file|directory")],
)  # fmt: skip
def test_what_is_no_note_is_neither_read_nor_written(tmp_path: Path, make: object, why: str) -> None:
    assert callable(make)
    note = tmp_path / "note"
    make(note)
    for attempt in (
        lambda: append_lines(note, b"line\n", MOST),
        lambda: list(own_lines(note, MOST, MOST)),
        lambda: read_own(note, MOST),
    ):
        with pytest.raises(OSError, match=why):
            attempt()
    victim = tmp_path / "victim"
    assert not victim.exists() or victim.read_bytes() == b"not yours\n"


def test_a_long_line_comes_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"x" * 25 + b"\nshort\n")
    assert list(own_lines(tmp_path / "note", 10, MOST)) == [b"x" * 10, b"x" * 10, b"x" * 5 + b"\n", b"short\n"]


@posix
def test_a_folder_of_ours_is_private(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work").chmod(0o755)  # as an earlier version made it
    folder = OwnFolder(tmp_path / "work")
    with folder.begin("a") as file:
        file.write(b"1")
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "work" / "a").stat().st_mode) == 0o600
    assert folder.names() == ["a"]  # the probe of whose it is has gone


@posix
def test_what_is_done_in_a_folder_is_done_in_it_wherever_its_path_leads(tmp_path: Path) -> None:
    folder = OwnFolder(tmp_path / "work")
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "a").write_bytes(b"not yours")
    (tmp_path / "work").rename(tmp_path / "moved")
    (tmp_path / "work").symlink_to("victim")
    with folder.begin("a") as file:
        file.write(b"1")
    folder.rename("a", "b")
    assert folder.content("b", 9) == b"1"
    folder.remove("b")
    folder.remove("a")
    assert not folder.is_here()
    assert os.listdir(tmp_path / "moved") == []
    assert (tmp_path / "victim" / "a").read_bytes() == b"not yours"


@posix
def test_a_link_in_a_folder_of_ours_is_not_followed(tmp_path: Path) -> None:
    folder = OwnFolder(tmp_path / "work")
    (tmp_path / "victim").write_bytes(b"not yours")
    (tmp_path / "work" / "a").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="it is a link"):
        folder.content("a", MOST)
    with folder.begin("a") as file:  # in its place
        file.write(b"1")
    assert folder.content("a", MOST) == b"1"
    assert (tmp_path / "victim").read_bytes() == b"not yours"


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    os.chown(tmp_path / "work", 12345, -1)
    with pytest.raises(OSError, match="belongs to somebody else"):
        OwnFolder(tmp_path / "work")
    assert os.listdir(tmp_path / "work") == []


@posix
def test_a_link_is_no_folder_of_ours(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "work").symlink_to("victim")
    with pytest.raises(OSError, match="it is a link"):
        OwnFolder(tmp_path / "work")
