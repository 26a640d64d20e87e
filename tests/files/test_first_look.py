"""Photograph or film, and what an output is called, by the first bytes of a file; by its name where they say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from colorize_media.files.first_look import begins_like_media, heif_pixels, kind_of, nearest_suffix
from tests.made.films import make_video
from tests.made.pictures import avif, grey, pillow, save_grey, with_channels


@pytest.mark.parametrize(
    ("head", "kind", "sure"),
    [
        (b"\xff\xd8\xff\xe0", "photo", True),
        (b"BM" + bytes(20), "photo", False),
        (b"P5 4 4 255\n", "photo", False),
        (b"FUJIFILMCCD-RAW 0201", "photo", False),
        (b"\0\0\0\x18ftypisom", "video", True),
        (b"\x1aE\xdf\xa3", "video", True),
        (b"RIFF\0\0\0\0AVI ", "video", True),
        (b"Dear diary", "video", False),
        (b"", "video", False),
    ],
)
def test_kind_without_a_name_that_helps(tmp_path: Path, head: bytes, kind: str, sure: bool) -> None:
    path = tmp_path / "noname"
    path.write_bytes(head)
    assert (kind_of(path), begins_like_media(path)) == (kind, sure)
    assert (heif_pixels(path), nearest_suffix(tmp_path / "missing")) == (0, "")


def test_a_gif_that_moves_is_a_film(tmp_path: Path) -> None:
    still, moving = tmp_path / "still.gif", tmp_path / "moving.gif"
    still.write_bytes(pillow("GIF", grey()))
    frames = [Image.fromarray(grey()), Image.fromarray(grey()[::-1].copy())]
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    assert (kind_of(still), kind_of(moving)) == ("photo", "video")


def test_avif_is_measured_by_its_boxes(tmp_path: Path) -> None:
    for data, suffix in ((avif(grey(10)), ".png"), (pillow("AVIF", with_channels(grey(), 4)), "")):
        path = tmp_path / "a.avif"
        path.write_bytes(data)
        assert nearest_suffix(path) == suffix
        assert heif_pixels(path) == grey().size


def test_content_counts_more_than_the_name(tmp_path: Path) -> None:
    save_grey(tmp_path / "x.png").rename(tmp_path / "x.mp4")
    make_video(tmp_path / "y.mp4").rename(tmp_path / "y.jpg")
    assert [kind_of(tmp_path / name) for name in ("x.mp4", "y.jpg")] == ["photo", "video"]
