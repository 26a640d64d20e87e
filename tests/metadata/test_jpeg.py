"""What JPEG files hold beside the picture: every comment, other programs' segments, and what stands behind the end."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image

from colorize_media.metadata.jpeg import behind_jpeg, jpeg_blocks, jpeg_segments, trailer_kind
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from tests.made.photos import neutral
from tests.made.pictures import grey, pillow, with_channels

LIMIT = 10_000_000  # pixels
PLAIN = pillow("JPEG", with_channels(grey(), 3))
PROGRESSIVE = pillow("JPEG", with_channels(grey(), 3), progressive=True)
VOICE = b"RIFF" + struct.pack("<L", 40) + b"WAVEfmt " + bytes(range(28))
FOTOSTATION = b"\x1c\x02\x78\0\x05Grete" + b"\xa1\xb2\xc3\xd4" + bytes((0, 1)) + struct.pack(">L", 24)


def _with(segments: list[tuple[int, bytes]], trailer: bytes = b"", plain: bytes = PLAIN) -> bytes:
    packed = b"".join(b"\xff" + bytes((marker,)) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
    return plain[:2] + packed + plain[2:] + trailer


def _out(folder: Path, data: bytes, name: str = "b.jpg") -> tuple[bytes, tuple[str, ...]]:
    (folder / "a.jpg").write_bytes(data)
    photo = read_photo(folder / "a.jpg", max_pixels=LIMIT)
    lost = write_photo(photo, neutral(photo), folder / name, quality=90, provenance=None)
    return (folder / name).read_bytes(), (*photo.warnings, *lost)


def test_every_comment_goes_along(tmp_path: Path) -> None:
    data = _with([(0xFE, b"Negative 1234, box 7"), (0xFE, "Tante Grete, Köln".encode("latin-1"))])
    out, warnings = _out(tmp_path, data)
    assert [body for marker, body in jpeg_segments(out) if marker == 0xFE] == [
        b"Negative 1234, box 7",
        "Tante Grete, Köln".encode("latin-1"),
    ]
    assert warnings == ()
    _out(tmp_path, data, "b.png")
    with Image.open(tmp_path / "b.png") as image:
        image.load()
        assert image.text["Comment"] == "Tante Grete, Köln"  # type: ignore[attr-defined]
    assert (tmp_path / "b.png").read_bytes().count(b"Comment\0") == 2


def test_segments_of_other_programs_go_along_and_those_that_are_true_no_more_are_named(tmp_path: Path) -> None:
    kept = [
        (0xEC, b"Ducky\0\x01\0\x04\0\0\0P\0\0"),
        (0xE3, b"_JPSJPS_\0\x10" + bytes(16)),
        (0xE6, b"EPPIM\0" + bytes(9)),
        (0xE2, b"FPXR\0\0" + bytes(20)),
        (0xEF, b"anything at all"),
    ]
    untrue = [
        (0xE0, b"JFXX\0\x10" + PLAIN),  # a small copy of the grey picture
        (0xE2, b"MPF\0II*\0" + bytes(20)),
        (0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(9)),
        (0xEB, b"JP\0\x01\0\0\0\x01\0\0\0\x20jumb" + bytes(16)),
    ]
    out, warnings = _out(tmp_path, _with([*kept, *untrue]))
    assert [pair for pair in jpeg_segments(out) if 0xE1 <= pair[0] <= 0xEF] == kept
    assert any("gain map" in told for told in warnings)
    assert any("content credentials" in told for told in warnings)
    with Image.open(tmp_path / "b.jpg") as image:
        image.load()
    _, warnings = _out(tmp_path, _with(kept), "b.png")
    assert warnings == ("PNG cannot hold this metadata of the source: JPEG segments of other programs",)


@pytest.mark.parametrize("plain", [PLAIN, PROGRESSIVE, pillow("JPEG", grey(), restart_marker_blocks=2)])
@pytest.mark.parametrize("trailer", [VOICE, FOTOSTATION, b"cbipcbbl" + bytes(30) + b"x"])
def test_what_stands_behind_the_end_goes_along(tmp_path: Path, plain: bytes, trailer: bytes) -> None:
    assert behind_jpeg(plain + trailer) == trailer
    out, warnings = _out(tmp_path, plain + trailer)
    assert out.endswith(b"\xff\xd9" + trailer)
    assert warnings == ()
    _, warnings = _out(tmp_path, plain + trailer, "b.webp")
    assert warnings == ("WEBP cannot hold this metadata of the source: what stands behind the JPEG's end",)


@pytest.mark.parametrize("filling", [b"", bytes(512), b"\xff" * 40, b"\r\n"])
def test_filling_is_nothing(filling: bytes) -> None:
    assert behind_jpeg(PLAIN + filling) == b""
    assert behind_jpeg(PLAIN[:-2] + filling) == b""


@pytest.mark.parametrize(
    ("trailer", "words"),
    [
        (b"\0" * 9 + PLAIN, "the further pictures behind the picture are not carried over"),
        (b"\0\0\0\x18ftypmp42" + bytes(40), "the film behind the picture (motion photo) is not carried over"),
        (bytes(8) + b"MotionPhoto_Data\0\0\0\x18ftypmp42" + bytes(9) + b"SEFH" + bytes(8) + b"SEFT", "Samsung's data"),
        (b"AXS!" + bytes(40) + b"AXS!" + bytes(8), "the AFCP captions behind the picture are not carried over"),
    ],
)
def test_pictures_films_and_offsets_behind_the_end_are_named_and_left(
    tmp_path: Path, trailer: bytes, words: str
) -> None:
    out, warnings = _out(tmp_path, PLAIN + trailer)
    assert out.endswith(b"\xff\xd9")
    assert trailer not in out
    (told,) = warnings
    assert words in told


def test_what_belongs_to_whom_is_told_by_bytes_alone() -> None:
    assert trailer_kind(VOICE) == trailer_kind(FOTOSTATION) == trailer_kind(b"") == ""
    assert jpeg_blocks(b"\xff\xd8").segments == ()
    assert behind_jpeg(b"\xff\xd8\xff\xe0") == b""


def test_stripped_outputs_have_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(_with([(0xFE, b"comment"), (0xEC, b"Ducky")], VOICE))
    photo = read_photo(tmp_path / "a.jpg", max_pixels=LIMIT).stripped()
    write_photo(photo, neutral(photo), tmp_path / "b.jpg", quality=90, provenance=None)
    out = (tmp_path / "b.jpg").read_bytes()
    assert not any(mark in out for mark in (b"comment", b"Ducky", b"RIFF"))
