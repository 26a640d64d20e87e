"""Archives, documents and playlists are told as what they are, with what to do, whatever they are called."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from colorize_media.errors import NoPicture
from colorize_media.files.first_look import size_of_readable
from colorize_media.files.no_media import HEAD_BYTES, no_media
from tests.made.films import make_video
from tests.made.photos import encoded


def zipped(first: str, content: str = "") -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr(first, content)
    return memory.getvalue()


def tarred() -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    return memory.getvalue()


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (zipped("a.jpg"), "a ZIP archive", "unpack it"),
        (zipped("[Content_Types].xml"), "an office document", "save its pictures"),
        (zipped("mimetype", "application/vnd.oasis.opendocument.text"), "an office document", "save its pictures"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an office document", "save its pictures"),
        (tarred(), "a TAR archive", "unpack it"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive", "unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it"),
        (b"\x1f\x8b\x08\0", "a compressed file", "unpack it"),
        (b"\xfd7zXZ\0", "a compressed file", "unpack it"),
        (b"%PDF-1.7\n", "a PDF document", "export its pages"),
        (b"\r\njunk\n%PDF-1.3", "a PDF document", "export its pages"),
        (bytes(32769) + b"CD001", "the image of a disc", "open it"),
        (b"#EXTM3U\n", "a list of other files or addresses", "give the films"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<MPD xmlns="x">', "a list of other files or addresses", "give the films"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(tmp_path: Path, content: bytes, what: str, hint: str) -> None:
    for name in ("film.mp4", "scan.jpg", "without"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(NoPicture, match=f"it is {what}") as caught:
            size_of_readable(tmp_path / name)
        assert caught.value.hint.startswith(hint)


def test_pictures_and_films_are_none_of_these(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM"):
        assert no_media(encoded(kind)[:HEAD_BYTES]) is None
    for suffix in (".mp4", ".mkv", ".avi", ".ts"):
        path = make_video(tmp_path / f"film{suffix}", frames=3)
        assert no_media(path.read_bytes()[:HEAD_BYTES]) is None
    assert no_media(b"") is None
