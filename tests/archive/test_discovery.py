"""What a search of a folder finds, and what it never enters."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from colorize_media.archive.discovery import Selection, search
from colorize_media.archive.manifest import Entry, Manifest, Stamp

ALL = Selection()
JPEG = b"\xff\xd8\xff\xe0 not decoded here"


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)
    return root


def found(root: Path, selection: Selection = ALL, avoid: Path | None = None) -> list[str]:
    return [item.relative.as_posix() for item in search(root, selection, avoid)]


def test_hidden_and_system_files_and_folders_are_left_out(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "a.jpg", ".b.jpg", "._c.jpg", "Thumbs.db", ".DS_Store", "desktop.ini", "notes.txt", "movie.mp4",
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "$RECYCLE.BIN/d.jpg", "#recycle/e.jpg", "__MACOSX/f.jpg",
        "System Volume Information/g.jpg", ".thumbnails/h.jpg", "1954/i.PNG", "@EADIR/j.jpg",
    )  # fmt: skip
    assert found(tmp_path) == ["a.jpg", "movie.mp4", "1954/i.PNG"]
    assert found(tmp_path / ".thumbnails") == ["h.jpg"]  # what the user names is searched


def test_outputs_of_this_tool_are_no_inputs_but_what_lies_beside_them_is(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "color/a.jpg", "earlier/x/b.jpg", "earlier/x/own.jpg")
    with Manifest(tmp_path / "earlier", pytest.fail) as manifest:
        manifest.add(Entry("x/b.jpg", "/in/x/b.jpg", Stamp(1, 1), Stamp(1, 1), "done", "0"))
        manifest.add(Entry("x/own.jpg", "/in/x/own.jpg", Stamp(1, 1), None, "left", "0"))
    assert found(tmp_path, avoid=tmp_path / "color") == ["a.jpg", "earlier/x/own.jpg"]
    assert found(tmp_path / "earlier") == ["x/b.jpg", "x/own.jpg"]  # what the user names is searched


def test_links_make_no_loops_and_broken_ones_are_found(tmp_path: Path) -> None:
    tree(tmp_path / "in", "x/a.jpg")
    (tmp_path / "in" / "x" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "x" / "folder.jpg").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "in" / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "in" / "b.jpg").symlink_to("x/a.jpg")
    assert found(tmp_path / "in") == ["b.jpg", "gone.jpg", "self.jpg", "x/a.jpg"]


def test_twenty_levels_deep_and_any_name(tmp_path: Path) -> None:
    deep = "/".join(["album"] * 20) + "/a.jpg"
    names = [deep, "-rf/-n.jpg", "new\nline/b\t.jpg", "ünïcode 漢字/c.jpg", "*?[x]/d.jpg"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"latin-\xe9/\xff.jpg"))
    tree(tmp_path, *names)
    assert sorted(found(tmp_path)) == sorted(names)


def test_without_an_extension_the_content_decides(tmp_path: Path) -> None:
    tree(tmp_path, "IMG_0001", "IMG_0002.bak")
    (tmp_path / "README").write_text("BM is how a bitmap begins, and this is none")
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == ["IMG_0001"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (("*.jpg",), (), ["A.JPG", "b/c.jpg"]),
        ((), ("*.jpg",), ["d.png"]),
        ((), ("B",), ["A.JPG", "d.png"]),
        (("b/*",), (), ["b/c.jpg"]),
        (("*.jpg", "*.png"), ("b/*",), ["A.JPG", "d.png"]),
        ((), ("b/",), ["A.JPG", "d.png"]),
        (("nothing",), (), []),
    ],
)
def test_include_and_exclude(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    tree(tmp_path, "A.JPG", "b/c.jpg", "d.png")
    assert found(tmp_path, Selection(include, exclude)) == expected


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A name in the way stands for missing permission, which a test run by root cannot lack."""
    tree(tmp_path, "file")
    (item,) = search(tmp_path / "file", ALL)
    assert item.problem == os.strerror(20)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_forbidden_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a").chmod(0)
    try:
        items = list(search(tmp_path, ALL))
    finally:
        (tmp_path / "a").chmod(0o700)
    assert [(item.relative.as_posix(), bool(item.problem)) for item in items] == [("a", True), ("b/2.jpg", False)]
