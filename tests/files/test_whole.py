"""Output files are whole under their name or absent."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from colorize_media.files.whole import host_mark, keep_mode_and_times, remove_stale_parts, whole_or_absent


def test_leavings_of_dead_runs_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    here, other = host_mark(), "0" * 8
    gone, ours, fresh, old, film = (
        tmp_path / name
        for name in (
            f".colorize-media-{here}-{dead.pid}-00.part",
            f".colorize-media-{here}-{os.getpid()}-00.part",
            f".colorize-media-{other}-{dead.pid}-00.part",
            f".colorize-media-{other}-{dead.pid}-01.part",
            f".film.mkv.colorize-media-{dead.pid}.part.mkv",
        )
    )
    for path in (gone, ours, fresh, old, film):
        path.touch()
    os.utime(old, (1, 1))
    remove_stale_parts(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([ours, fresh, film])


def test_a_file_has_its_name_when_it_is_whole_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"before")
    with whole_or_absent(target) as file:
        file.write(b"after")
        assert target.read_bytes() == b"before"
    assert target.read_bytes() == b"after"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_midway_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with whole_or_absent(tmp_path / "a.png") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert os.listdir(tmp_path) == []


def test_mode_and_times_are_kept_or_it_is_said_why_not(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    for path in (source, target):
        path.touch()
    source.chmod(0o4640)  # who may run it as whom is not for a copy
    os.utime(source, (1, 10**9))
    assert keep_mode_and_times(source.stat(), target) == ""
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_mtime) == (0o640, 10**9)
    assert keep_mode_and_times(source.stat(), tmp_path / "none") == os.strerror(2)
