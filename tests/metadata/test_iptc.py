"""IPTC and Photoshop's other resources, carried from format to format."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from colorize_media.metadata.iptc import iptc_as_xmp, with_iptc_keyword
from colorize_media.metadata.jpeg import jpeg_segments
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from tests.made.photos import (
    brown,
    color_picture,
)
from tests.made.records import BY

LIMIT = 10_000_000  # pixels


def _resource(number: int, body: bytes) -> bytes:
    return b"8BIM" + struct.pack(">H", number) + b"\0\0" + struct.pack(">L", len(body)) + body + b"\0" * (len(body) % 2)


IPTC = b"\x1c\x02\x50\x00\x0bGrandmother\x1c\x02\x78\x00\x05On Se"
COLORIZED = b"\x1c\x02\x19\x00\x09colorized"


def _jpeg_with_app13(path: Path, resources: bytes) -> Path:
    memory = io.BytesIO()
    Image.fromarray(color_picture()).save(memory, "JPEG", quality=95)
    data = memory.getvalue()
    pieces = [resources[at : at + 65000] for at in range(0, len(resources), 65000)]
    segments = b"".join(
        b"\xff\xed" + struct.pack(">H", 2 + 14 + len(piece)) + b"Photoshop 3.0\0" + piece for piece in pieces
    )
    path.write_bytes(data[:2] + segments + data[2:])
    return path


def _app13(path: Path) -> bytes:
    payloads = (body for marker, body in jpeg_segments(path.read_bytes()) if marker == 0xED)
    return b"".join(body.removeprefix(b"Photoshop 3.0\0") for body in payloads)


def test_iptc_goes_from_jpeg_to_jpeg_with_the_new_thumbnail_keyword_and_digest(tmp_path: Path) -> None:
    kept = _resource(0x0404, IPTC) + _resource(0x0425, bytes(16)) + _resource(0x1234, bytes(range(256)) * 300)
    source = _jpeg_with_app13(tmp_path / "in.jpg", kept + _resource(0x040C, b"thumb" * 99))
    photo = read_photo(source, max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY) == ()
    digest = hashlib.md5(IPTC + COLORIZED).digest()
    expected = (
        _resource(0x0404, IPTC + COLORIZED) + _resource(0x0425, digest) + _resource(0x1234, bytes(range(256)) * 300)
    )
    written = _app13(tmp_path / "out.jpg")
    assert written.startswith(expected)
    thumbnail = written[len(expected) + 12 :]
    assert thumbnail[:12] == struct.pack(">LLL", 1, 56, 40)  # JPEG, of the picture's own small size
    with Image.open(io.BytesIO(thumbnail[28:])) as image:
        assert image.size == (56, 40)
        red, _, blue = np.asarray(image).astype(int).mean(axis=(0, 1))
        assert red - blue > 10, "coloured as the picture is"


def test_iptc_goes_to_tiff_and_back_and_is_warned_about_elsewhere(tmp_path: Path) -> None:
    photo = read_photo(_jpeg_with_app13(tmp_path / "in.jpg", _resource(0x0404, IPTC)), max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / "out.tif", quality=90, provenance=BY) == ()
    with Image.open(tmp_path / "out.tif") as image:
        assert image.tag_v2[33723] == IPTC + COLORIZED  # type: ignore[attr-defined]
    scan = read_photo(tmp_path / "out.tif", max_pixels=LIMIT)
    write_photo(scan, brown(scan), tmp_path / "back.jpg", quality=90, provenance=BY)
    assert _app13(tmp_path / "back.jpg") == _resource(0x0404, IPTC + COLORIZED)
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.webp", quality=90, provenance=BY)
    assert "IPTC" in warning


def test_iptc_parts() -> None:
    def resource(body: bytes) -> bytes:
        return b"8BIM\x04\x04\0\0" + len(body).to_bytes(4, "big") + body + b"\0" * (len(body) % 2)

    iptc = b"\x1c\x02\x19\x00\x03sea\x1c\x02\x5a\x00\x06Troms\xf8"
    assert iptc_as_xmp(resource(iptc)) == {("dc", "subject"): ["sea"], ("photoshop", "City"): ["Tromsø"]}
    once = with_iptc_keyword(resource(iptc), "colorized")
    assert iptc_as_xmp(once)["dc", "subject"] == ["sea", "colorized"]
    assert with_iptc_keyword(once, "colorized") == once
    assert with_iptc_keyword(b"", "colorized") == b""
    assert iptc_as_xmp(resource(b"\x1c\x02\x19\xff\xff")) == {}
    assert iptc_as_xmp(b"8BIM\x04\x04\0\0\0\0\0\x99") == {}
