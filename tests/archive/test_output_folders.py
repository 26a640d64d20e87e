"""Output folders come to be like the folders they mirror."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colorize_media.archive.output_folders import OutputFolders
from colorize_media.events import Planned
from tests.archive.runs import do
from tests.made.pictures import save_grey


def test_modes_and_times_of_files_and_folders_are_kept(tmp_path: Path, fresh_weights: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    photo = save_grey(source / "1954" / "may" / "a.png")
    photo.chmod(0o440)
    times = {photo: 10**9, photo.parent: 2 * 10**9, photo.parent.parent: 3 * 10**9}
    photo.parent.chmod(0o710)
    for path, seconds in times.items():
        os.utime(path, (seconds, seconds))
    assert do([source], out, fresh_weights)[0] == 0
    made = out / "1954" / "may" / "a.png"
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o440, 0o710)
    for path, seconds in times.items():
        assert (out / path.relative_to(source)).stat().st_mtime == seconds


@pytest.mark.skipif(os.name != "posix", reason="groups as POSIX has them")
@pytest.mark.parametrize("whose", ["the model's", "the folder's above"])
def test_folders_for_a_group_stay_so(tmp_path: Path, whose: str) -> None:
    """What is put into them later belongs to the folder's group."""
    source, out = tmp_path / "in" / "x" / "a.png", tmp_path / "out"
    source.parent.mkdir(parents=True)
    out.mkdir()
    (source.parent if whose == "the model's" else out).chmod(0o2770)
    folders = OutputFolders()
    folders.make(Planned(source, out / "x" / "a.png", "photo", "colorize", "", out, tmp_path / "in"))
    folders.close()
    assert (out / "x").stat().st_mode & 0o7000 == 0o2000
