"""Where outputs go and what they are called."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from colorize_media.archive.plan import make_plan
from colorize_media.errors import BadOption
from colorize_media.events import Failed, Planned
from tests.made.films import make_video
from tests.made.pictures import save_grey


def targets(plan: list[Planned], root: Path) -> list[str]:
    return [str(item.target.relative_to(root)) if item.target else "-" for item in plan]


def test_without_output_the_result_stands_beside_the_input(tmp_path: Path) -> None:
    photo, film = save_grey(tmp_path / "a.jpg"), make_video(tmp_path / "b.mp4")
    plan = make_plan([photo, film], None, overwrite=False)
    assert targets(plan, tmp_path) == ["a.color.jpg", "b.color.mp4"]
    assert [item.kind for item in plan] == ["photo", "video"]


def test_a_folder_keeps_its_tree(tmp_path: Path) -> None:
    for name in ("x/a.jpg", "x/deep/b.png", "x/.hidden/c.jpg", "x/.d.jpg", "x/notes.txt"):
        save_grey(tmp_path / "in" / name) if not name.endswith("txt") else (tmp_path / "in" / name).write_text("no")
    assert targets(make_plan([tmp_path / "in"], None, overwrite=False), tmp_path) == [
        "in-color/x/a.jpg",
        "in-color/x/deep/b.png",
    ]
    assert targets(make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False), tmp_path) == [
        "out/x/a.jpg",
        "out/x/deep/b.png",
    ]


def test_the_current_folder_by_its_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_grey(tmp_path / "in" / "a.jpg")
    monkeypatch.chdir(tmp_path / "in")
    assert [item.target for item in make_plan([Path(".")], None, overwrite=False)] == [tmp_path / "in-color" / "a.jpg"]


def test_an_output_folder_inside_the_input_is_not_coloured_again(tmp_path: Path) -> None:
    save_grey(tmp_path / "in" / "a.jpg")
    save_grey(tmp_path / "in" / "color" / "a.jpg")
    plan = make_plan([tmp_path / "in"], tmp_path / "in" / "color", overwrite=False)
    assert [item.source.name for item in plan] == ["a.jpg"]
    assert plan[0].action == "skip"


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    save_grey(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert len(make_plan([tmp_path / "in"], None, overwrite=False)) == 1


def test_formats_that_cannot_be_written_become_the_nearest_that_can(tmp_path: Path) -> None:
    save_grey(tmp_path / "a.gif")
    (tmp_path / "b.wmv").write_bytes(b"x")
    plan = make_plan([tmp_path / "a.gif", tmp_path / "b.wmv"], tmp_path / "out", overwrite=False)
    assert targets(plan, tmp_path) == ["out/a.gif.png", "out/b.wmv.mkv"]
    assert [item.reason for item in plan] == [
        "GIF holds only 256 colours; the nearest format is .png",
        "films are not written as .wmv; the nearest format is .mkv",
    ]
    assert make_plan([tmp_path / "a.gif"], tmp_path / "b.png", overwrite=False)[0].reason == ""  # the user's own choice


def test_one_input_with_a_file_name_as_output(tmp_path: Path) -> None:
    source = save_grey(tmp_path / "a.jpg")
    assert make_plan([source], tmp_path / "b.png", overwrite=False)[0].target == tmp_path / "b.png"
    (tmp_path / "folder.v1").mkdir()
    assert make_plan([source], tmp_path / "folder.v1", overwrite=False)[0].target == tmp_path / "folder.v1" / "a.jpg"
    with pytest.raises(BadOption, match="cannot be written"):
        make_plan([source], tmp_path / "b.mp3", overwrite=False)


def test_a_picture_of_an_unknown_extension_is_written_in_its_own_format(tmp_path: Path) -> None:
    save_grey(tmp_path / "a.jpg").rename(tmp_path / "a.odd")
    save_grey(tmp_path / "b.png").rename(tmp_path / "b")
    plan = make_plan([tmp_path / "a.odd", tmp_path / "b"], tmp_path / "out", overwrite=False)
    assert targets(plan, tmp_path) == ["out/a.odd.jpg", "out/b.png"]
    assert plan[0].reason == "the extension says nothing of the picture's format; the nearest format is .jpg"


def test_a_name_that_the_system_does_not_take_fails_before_any_work_and_says_so(tmp_path: Path) -> None:
    """A grey GIF becomes NAME.gif.png; ``.color`` is added beside the source; and a path that nobody could have made."""
    made = save_grey(tmp_path / "in" / "a.gif")
    long, longer = made.rename(made.with_name("n" * 250 + ".gif")), tmp_path / ("x" * 300 + ".png")
    save_grey(tmp_path / "in" / "b.png")
    plan = make_plan([tmp_path / "in", longer], tmp_path / "out", overwrite=False)
    assert [planned.action for planned in plan] == ["colorize", "fail", "fail"]
    assert plan[1].failure == Failed(
        long,
        "the output's name would be too long",
        f"{long.name}.png has 258 bytes, and file systems take 255",
        "give the source a shorter name, or a name of its own with -o",
    )
    assert plan[2].failure == Failed(longer, "cannot read the input", os.strerror(errno.ENAMETOOLONG), "check the name")
    (beside,) = make_plan([long], None, overwrite=False)
    assert beside.action == "fail"
    (named,) = make_plan([long], tmp_path / ("y" * 260 + ".png"), overwrite=False)
    assert named.action == "fail"
    assert make_plan([long], tmp_path / "short.png", overwrite=False)[0].action == "colorize"
