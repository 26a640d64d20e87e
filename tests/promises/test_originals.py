"""Promise 1: originals are never changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.made.photos import exif_with, grey_picture, save
from tests.promises.conftest import Colorize


def everything_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_an_archive_is_byte_for_byte_as_it_was(tmp_path: Path, film: Path, colorize: Colorize) -> None:
    save(film.with_name("anna.jpg"), grey_picture(), exif=exif_with(6))
    film.with_name("anna.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    film.with_name("broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    before = everything_in(film.parent)
    assert colorize(film.parent, "-o", tmp_path / "out") == 1  # one is broken
    assert (tmp_path / "out" / "anna.jpg").exists()
    assert (tmp_path / "out" / "street.mkv").exists()
    assert everything_in(film.parent) == before


def test_a_copy_beside_the_original_leaves_the_folder_otherwise_as_it_was(film: Path, colorize: Colorize) -> None:
    before = everything_in(film.parent)
    assert colorize(film) == 0
    after = everything_in(film.parent)
    assert after.keys() - before.keys() == {"street.color.mkv"}
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("way", ["its own name", "a link to it", "its second name"])
def test_an_output_that_would_replace_its_source_is_refused(tmp_path: Path, colorize: Colorize, way: str) -> None:
    photo = save(tmp_path / "anna.png", grey_picture())
    target = photo if way == "its own name" else tmp_path / "other.png"
    if way == "a link to it":
        target.symlink_to(photo)
    elif way == "its second name":
        os.link(photo, target)
    before = photo.read_bytes()
    assert colorize(photo, "-o", target, "--overwrite") != 0
    assert photo.read_bytes() == before


def test_an_output_that_is_there_is_not_replaced_unasked(tmp_path: Path, colorize: Colorize) -> None:
    photo, other = save(tmp_path / "anna.png", grey_picture()), tmp_path / "out.png"
    other.write_bytes(b"what somebody made")
    colorize(photo, "-o", other)
    assert other.read_bytes() == b"what somebody made"
    assert colorize(photo, "-o", other, "--overwrite") == 0
    assert other.read_bytes() != b"what somebody made"
