"""Plans and runs over files and folders: nothing replaced, nothing lost, nothing silently skipped."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.archive.manifest import MANIFEST_NAME
from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.errors import BadOption, WeightsDamaged
from colorize_media.events import Done, Event, Failed, Planned, Skipped, Summary, as_json
from colorize_media.files.first_look import kind_of
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from tests.made.films import grey_frames, make_video


def grey_photo(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.roll(data.camera()[::4, ::4], 7 * seed, axis=1)
    Image.fromarray(picture).save(path)
    return path


def targets(plan: list[Planned], root: Path) -> list[str]:
    return [str(item.target.relative_to(root)) if item.target else "-" for item in plan]


def outputs(folder: Path) -> list[str]:
    """Names in an output folder but for what the run remembers there."""
    return sorted(name for name in os.listdir(folder) if name != MANIFEST_NAME)


def do(plan: list[Planned], fresh_weights: Path, events: list[Event]) -> int:
    return run_plan(plan, Running(lambda: Colorizer(str(fresh_weights), "cpu"), ColorizeOptions(), events.append))


# --- plans


def test_without_output_the_result_stands_beside_the_input(tmp_path: Path) -> None:
    photo, film = grey_photo(tmp_path / "a.jpg"), make_video(tmp_path / "b.mp4")
    plan = make_plan([photo, film], None, overwrite=False)
    assert targets(plan, tmp_path) == ["a.color.jpg", "b.color.mp4"]
    assert [item.kind for item in plan] == ["photo", "video"]


def test_a_folder_keeps_its_tree(tmp_path: Path) -> None:
    for name in ("x/a.jpg", "x/deep/b.png", "x/.hidden/c.jpg", "x/.d.jpg", "x/notes.txt"):
        grey_photo(tmp_path / "in" / name) if not name.endswith("txt") else (tmp_path / "in" / name).write_text("no")
    assert targets(make_plan([tmp_path / "in"], None, overwrite=False), tmp_path) == [
        "in-color/x/a.jpg",
        "in-color/x/deep/b.png",
    ]
    assert targets(make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False), tmp_path) == [
        "out/x/a.jpg",
        "out/x/deep/b.png",
    ]


def test_the_current_folder_by_its_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grey_photo(tmp_path / "in" / "a.jpg")
    monkeypatch.chdir(tmp_path / "in")
    assert [item.target for item in make_plan([Path(".")], None, overwrite=False)] == [tmp_path / "in-color" / "a.jpg"]


def test_an_output_folder_inside_the_input_is_not_coloured_again(tmp_path: Path) -> None:
    grey_photo(tmp_path / "in" / "a.jpg")
    grey_photo(tmp_path / "in" / "color" / "a.jpg")
    plan = make_plan([tmp_path / "in"], tmp_path / "in" / "color", overwrite=False)
    assert [item.source.name for item in plan] == ["a.jpg"]
    assert plan[0].action == "skip"


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    grey_photo(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert len(make_plan([tmp_path / "in"], None, overwrite=False)) == 1


def test_formats_that_cannot_be_written_become_the_nearest_that_can(tmp_path: Path) -> None:
    grey_photo(tmp_path / "a.gif")
    (tmp_path / "b.wmv").write_bytes(b"x")
    plan = make_plan([tmp_path / "a.gif", tmp_path / "b.wmv"], tmp_path / "out", overwrite=False)
    assert targets(plan, tmp_path) == ["out/a.gif.png", "out/b.wmv.mkv"]
    assert [item.reason for item in plan] == [
        "GIF holds only 256 colours; the nearest format is .png",
        "films are not written as .wmv; the nearest format is .mkv",
    ]
    assert make_plan([tmp_path / "a.gif"], tmp_path / "b.png", overwrite=False)[0].reason == ""  # the user's own choice


def test_kind_is_decided_by_content(tmp_path: Path) -> None:
    grey_photo(tmp_path / "x.png").rename(tmp_path / "x.mp4")
    make_video(tmp_path / "y.mp4").rename(tmp_path / "y.jpg")
    frames = [Image.fromarray(data.camera()[:32, n : 32 + n]) for n in (0, 9)]
    frames[0].save(tmp_path / "z.gif", save_all=True, append_images=frames[1:])
    assert [kind_of(tmp_path / name) for name in ("x.mp4", "y.jpg", "z.gif")] == ["photo", "video", "video"]
    assert kind_of(grey_photo(tmp_path / "still.gif")) == "photo"


def test_one_input_with_a_file_name_as_output(tmp_path: Path) -> None:
    source = grey_photo(tmp_path / "a.jpg")
    assert make_plan([source], tmp_path / "b.png", overwrite=False)[0].target == tmp_path / "b.png"
    (tmp_path / "folder.v1").mkdir()
    assert make_plan([source], tmp_path / "folder.v1", overwrite=False)[0].target == tmp_path / "folder.v1" / "a.jpg"
    with pytest.raises(BadOption, match="cannot be written"):
        make_plan([source], tmp_path / "b.mp3", overwrite=False)


# --- runs


def test_one_failure_does_not_stop_the_others_and_is_no_success(tmp_path: Path, fresh_weights: Path) -> None:
    grey_photo(tmp_path / "in" / "1.jpg")
    (tmp_path / "in" / "2.jpg").write_text("no picture at all")
    (tmp_path / "in" / "3.jpg").write_bytes(b"")
    make_video(tmp_path / "in" / "4.mp4", frames=grey_frames(4))
    grey_photo(tmp_path / "in" / "5.png")
    Image.fromarray(data.coffee()).save(tmp_path / "in" / "6.jpg")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "in").iterdir()}
    events: list[Event] = []
    plan = make_plan([tmp_path / "in", tmp_path / "missing.jpg"], tmp_path / "out", overwrite=False)
    assert do(plan, fresh_weights, events) == 1
    failed = [event for event in events if isinstance(event, Failed)]
    assert [event.source.name for event in failed] == ["2.jpg", "3.jpg", "missing.jpg"]
    assert all(event.what and event.why and event.hint for event in failed)
    assert events[-1] == Summary(3, 1, 3, events[-1].seconds)  # type: ignore[union-attr]
    assert outputs(tmp_path / "out") == ["1.jpg", "4.mp4", "5.png"]
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "in").iterdir()}


def test_a_second_run_skips_what_is_there_and_overwrite_does_not(tmp_path: Path, fresh_weights: Path) -> None:
    source = grey_photo(tmp_path / "a.png")
    events: list[Event] = []
    assert do(make_plan([source], None, overwrite=False), fresh_weights, events) == 0
    stamp = (tmp_path / "a.color.png").stat().st_ctime_ns
    assert do(make_plan([source], None, overwrite=False), fresh_weights, events) == 0
    assert [type(event) for event in events if not isinstance(event, Summary)][-1] is Skipped
    assert (tmp_path / "a.color.png").stat().st_ctime_ns == stamp
    assert do(make_plan([source], None, overwrite=True), fresh_weights, events) == 0
    assert isinstance(events[-2], Done)
    assert (tmp_path / "a.color.png").stat().st_ctime_ns > stamp


def test_names_that_confuse_programs(tmp_path: Path, fresh_weights: Path) -> None:
    names = ["-rf.jpg", "%03d.png", "a:b.jpg", "new\nline.png", "ünïcode 漢字.jpg", "$(x).jpg", "'\".png"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"latin-\xe9.jpg"))
    for seed, name in enumerate(names):
        grey_photo(tmp_path / "in" / name, seed)
    events: list[Event] = []
    assert do(make_plan([tmp_path / "in"], None, overwrite=False), fresh_weights, events) == 0
    assert outputs(tmp_path / "in-color") == sorted(names)


def test_an_output_folder_that_cannot_be_made(tmp_path: Path, fresh_weights: Path) -> None:
    source = grey_photo(tmp_path / "a.jpg")
    (tmp_path / "file").write_text("in the way")
    events: list[Event] = []
    assert do(make_plan([source], tmp_path / "file" / "b.jpg", overwrite=False), fresh_weights, events) == 1
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.what == "cannot make the output folder"
    assert str(tmp_path / "file") in failed.why
    assert failed.hint


def test_a_problem_of_the_machine_ends_the_run_at_once(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    plan = make_plan([grey_photo(tmp_path / "a.jpg")], None, overwrite=False)
    with pytest.raises(WeightsDamaged):
        run_plan(
            plan,
            Running(lambda: Colorizer(str(tmp_path / "w.safetensors"), "cpu"), ColorizeOptions(), lambda event: None),
        )
    assert not (tmp_path / "a.color.jpg").exists()


def test_an_unknown_encoder_is_exit_code_3_and_photographs_go_on(tmp_path: Path, fresh_weights: Path) -> None:
    grey_photo(tmp_path / "in" / "b.jpg")
    make_video(tmp_path / "in" / "a.mp4", frames=grey_frames(2))
    events: list[Event] = []
    options = ColorizeOptions(encoder="libx999")
    plan = make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False)
    assert run_plan(plan, Running(lambda: Colorizer(str(fresh_weights), "cpu"), options, events.append)) == 3
    assert outputs(tmp_path / "out") == ["b.jpg"]


def test_a_bug_in_one_file_costs_only_that_file(tmp_path: Path, fresh_weights: Path) -> None:
    """An event callback that raises stands for any bug: the second file is still done, the traceback is handed out."""
    for name in ("a.jpg", "b.jpg"):
        grey_photo(tmp_path / "in" / name)
    events: list[Event] = []

    def tell(event: Event) -> None:
        events.append(event)
        if type(event).__name__ == "Started" and event.source.name == "a.jpg":  # type: ignore[union-attr]
            raise ZeroDivisionError("a bug")

    plan = make_plan([tmp_path / "in"], None, overwrite=False)
    assert run_plan(plan, Running(lambda: Colorizer(str(fresh_weights), "cpu"), ColorizeOptions(), tell)) == 1
    assert outputs(tmp_path / "in-color") == ["b.jpg"]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert "ZeroDivisionError" in failed.trace
    assert "trace" not in as_json(failed)
