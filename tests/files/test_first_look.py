"""Photograph or film, and what an output is called, by the first bytes of a file; by its name where they say nothing."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from colorize_media.files.first_look import (
    begins_like_media,
    begins_like_text,
    content_suffix,
    heif_pixels,
    kind_of,
    nearest_suffix,
    open_regular,
)
from tests.made.films import grey_frames, make_video
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


NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("container", "codec", "rate", "size", "pix_fmt"),
    [
        *(
            (name, "mpeg2video", 25, (64, 48), "yuv420p")
            for name in ("mpegts", "mpeg", "vob", "mpeg2video", "wtv", "mxf")
        ),
        *((name, "mpeg4", 25, (64, 48), "yuv420p") for name in ("avi", "mov", "matroska", "nut", "3gp")),
        ("flv", "flv", 25, (64, 48), "yuv420p"),
        ("asf", "msmpeg4v3", 25, (64, 48), "yuv420p"),
        ("rm", "rv20", 25, (64, 48), "yuv420p"),
        ("ivf", "libvpx-vp9", 25, (64, 48), "yuv420p"),
        ("yuv4mpegpipe", "rawvideo", 25, (64, 48), "yuv420p"),
        ("gxf", "mpeg2video", NTSC, (720, 480), "yuv420p"),
        ("dv", "dvvideo", NTSC, (720, 480), "yuv411p"),
    ],
)
def test_a_film_is_known_under_any_extension(
    tmp_path: Path, container: str, codec: str, rate: Fraction, size: tuple[int, int], pix_fmt: str
) -> None:
    frames = grey_frames(3, size, pix_fmt)
    path = tmp_path / "clip.xyz"
    make_video(path, codec=codec, frames=frames, size=size, rate=rate, pix_fmt=pix_fmt, format=container)
    assert begins_like_media(path)
    assert kind_of(path) == "video"
    assert not begins_like_text(path)


def test_a_transport_stream_is_known_from_the_middle_of_a_packet_on_and_in_packets_with_times(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.ts", codec="mpeg2video", frames=8).read_bytes()
    cut, timed = tmp_path / "cut", tmp_path / "timed"
    cut.write_bytes(whole[101:])
    timed.write_bytes(b"".join(bytes(4) + whole[at : at + 188] for at in range(0, len(whole), 188)))
    assert begins_like_media(cut)
    assert begins_like_media(timed)


@pytest.mark.parametrize("text", ["GATTACA" * 400, "G" * 3000, "const film: number = 1;\n", "BIKini\n", "ü" * 1500])
def test_a_text_is_no_film(tmp_path: Path, text: str) -> None:
    (tmp_path / "words").write_text(text, encoding="utf-8")
    assert begins_like_text(tmp_path / "words")
    assert not begins_like_media(tmp_path / "words")


def test_nothing_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert not begins_like_text(tmp_path / "empty")


def test_a_picture_says_its_extension(tmp_path: Path) -> None:
    save_grey(tmp_path / "x.jpg").rename(tmp_path / "x.jps")
    (tmp_path / "words").write_text("words")
    assert [content_suffix(tmp_path / name) for name in ("x.jps", "words", "missing")] == [".jpg", "", ""]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        open_regular(tmp_path / "pipe")
