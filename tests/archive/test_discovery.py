"""What a search of a folder finds, and what it never enters."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from colorize_media.archive.discovery import PassedOver, Selection, search
from colorize_media.archive.inspection import inspect
from colorize_media.archive.manifest import MANIFEST_NAME, Entry, Manifest, Stamp
from colorize_media.archive.plan import make_plan
from colorize_media.options import ColorizeOptions
from tests.made.films import make_video

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
        manifest.add(Entry("x/b.jpg", "/in/x/b.jpg", Stamp(1, 1), Stamp.of(tmp_path / "earlier/x/b.jpg"), "done", "0"))
        manifest.add(Entry("x/own.jpg", "/in/x/own.jpg", Stamp(1, 1), None, "left", "0"))
    assert found(tmp_path, avoid=tmp_path / "color") == ["a.jpg", "earlier/x/own.jpg"]
    assert found(tmp_path / "earlier") == ["x/b.jpg", "x/own.jpg"]  # what the user names is searched


def test_what_stands_where_an_output_stood_is_an_original(tmp_path: Path) -> None:
    """Edited or replaced since: it was left out of plans and of `inspect` without a word."""
    tree(tmp_path, "old/same.jpg", "old/edited.jpg", "old/replaced.jpg")
    stamps = {path.name: Stamp.of(path) for path in (tmp_path / "old").iterdir()}
    with Manifest(tmp_path / "old", pytest.fail) as manifest:
        for name, made in stamps.items():
            manifest.add(Entry(name, f"/in/{name}", Stamp(1, 1), made, "done", "0"))
    edited, replaced = tmp_path / "old" / "edited.jpg", tmp_path / "old" / "replaced.jpg"
    os.utime(edited, ns=(0, stamps["edited.jpg"].mtime_ns + 1))
    replaced.write_bytes(JPEG + b"of somebody")
    os.utime(replaced, ns=(0, stamps["replaced.jpg"].mtime_ns))
    assert found(tmp_path) == ["old/edited.jpg", "old/replaced.jpg"]
    assert passed(tmp_path)[1] == {"made by this program": 1}
    reasons = {item.source.name: item.reason for item in make_plan([tmp_path], tmp_path / "out", overwrite=False)}
    assert set(reasons) == {"edited.jpg", "replaced.jpg"}
    assert all("an output of an earlier run stood here" in reason for reason in reasons.values())
    looked_at = list(inspect([tmp_path], ColorizeOptions(), ALL))
    assert [item.source.name for item in looked_at] == ["edited.jpg", "replaced.jpg"]
    assert all("an output of an earlier run stood here" in item.reason for item in looked_at)


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


# --- what is passed over


def passed(root: Path, selection: Selection = ALL, avoid: Path | None = None) -> tuple[dict[str, int], dict[str, int]]:
    """What is neither picture nor film, by extension; and all else that is no input."""
    count = PassedOver()
    for _ in search(root, selection, avoid, count):
        pass
    return dict(count.files), dict(count.others)


def test_all_that_is_no_input_is_counted_but_hidden_files_and_waste(tmp_path: Path) -> None:
    tree(
        tmp_path / "in", "a.jpg", ".hidden.txt", "Thumbs.db", "desktop.ini", "@eaDir/b.txt", "color/c.txt", "x/own.jpg"
    )
    for name in ("notes.txt", "LETTER.TXT", "README", "x/scan.pdf", "x/as of 3. of May", "x/photo.jpg~", "x/empty.dat"):
        (tmp_path / "in" / name).write_text("words" * ("empty" not in name))
    with Manifest(tmp_path / "in" / "x", pytest.fail) as manifest:
        manifest.add(Entry("own.jpg", "/in/own.jpg", Stamp(1, 1), Stamp.of(tmp_path / "in/x/own.jpg"), "done", "0"))
    (tmp_path / "in" / "album").symlink_to(tmp_path)
    (tmp_path / "in" / "gone").symlink_to("nowhere")
    (tmp_path / "in" / "round").symlink_to("round")
    os.mkfifo(tmp_path / "in" / "pipe")
    os.mkfifo(tmp_path / "in" / "pipe.dat")
    assert passed(tmp_path / "in", avoid=tmp_path / "in" / "color") == (
        {".txt": 2, "": 3, ".pdf": 1, ".dat": 1},
        {
            "links to folders": 1,
            "links that lead nowhere": 2,
            "pipes, sockets or devices": 2,
            "made by this program": 1,
        },
    )


def test_what_the_patterns_leave_out_is_counted(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "b.png", "private/c.jpg", "d.mp4")
    (tmp_path / "e.txt").write_text("words")
    assert passed(tmp_path, Selection(("*.jpg",), ("private",))) == (
        {".txt": 1},
        {"left out by --include or --exclude": 2, "folders left out by --exclude": 1},
    )


def test_an_unknown_extension_is_looked_into(tmp_path: Path) -> None:
    tree(tmp_path, "card.jps", "photo.mpo", "odd.xyz", "photo.jpg_original", "photo.jpg.bak", "half.jpg.part")
    make_video(tmp_path / "clip.mp4", frames=1).rename(tmp_path / "clip.unknown")
    (tmp_path / "words.xyz").write_text("words")
    assert found(tmp_path) == ["card.jps", "clip.unknown", "odd.xyz", "photo.mpo"]
    assert passed(tmp_path)[0] == {".jpg_original": 1, ".bak": 1, ".part": 1, ".xyz": 1}


OF_CAMERAS = (
    "mod tod m2t m2v mts m2ts qt divx 3g2 f4v ogm vro rm rmvb dv mxf gxf wtv asf dvr-ms evo amv nut y4m ivf h264"
)


@pytest.mark.parametrize("name", [*OF_CAMERAS.split(), "hevc", "vob", "mpg", "ts"])
def test_films_of_cameras_and_recorders_are_found_though_damaged(tmp_path: Path, name: str) -> None:
    """They are to fail with a word, not to be passed over."""
    (tmp_path / f"clip.{name.upper()}").write_bytes(bytes(100))
    assert found(tmp_path) == [f"clip.{name.upper()}"]


def test_programs_and_modules_are_no_films(tmp_path: Path) -> None:
    """TypeScript and Go share their extensions with camcorders."""
    (tmp_path / "app.ts").write_text("export const film = 1;\n")
    (tmp_path / "go.mod").write_text("module example.org/film\n")
    assert found(tmp_path) == []
    assert passed(tmp_path)[0] == {".ts": 1, ".mod": 1}


def test_a_pipe_in_the_place_of_a_manifest_is_not_waited_for(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.jpg")
    os.mkfifo(tmp_path / "x" / MANIFEST_NAME)
    assert found(tmp_path) == ["x/a.jpg"]
