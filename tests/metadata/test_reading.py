"""What is read beside the pixels out of each kind of file, and what is named because it is left out."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from colorize_media.metadata.iptc import IPTC, resource
from colorize_media.photo.pages import read_photo
from colorize_media.photo.picture import Photo
from tests.made.photos import color_picture, encoded, exif_with, save, written

LIMIT = 1_000_000  # pixels


def _read(path: Path) -> Photo:
    return read_photo(path, max_pixels=LIMIT)


def test_content_credentials_are_named_once_however_many_segments_hold_them(tmp_path: Path) -> None:
    data, payload = encoded("JPEG"), b"JP\0\1\0\0\0\1" + bytes(4) + b"jumb" + bytes(20)
    segments = 3 * (b"\xff\xeb" + struct.pack(">H", len(payload) + 2) + payload)
    photo = _read(written(tmp_path / "in.jpg", data[:2] + segments + data[2:]))
    assert [warning for warning in photo.warnings if "C2PA" in warning] == [
        "the content credentials (C2PA) describe the unchanged file and are not carried over"
    ]


def test_boxes_of_jpeg_2000_are_named(tmp_path: Path) -> None:
    data = encoded("JPEG2000")
    box = struct.pack(">L", 8 + 16 + 4) + b"uuid" + bytes(20)
    at = data.index(b"jp2c") - 4
    assert _read(written(tmp_path / "plain.jp2", data)).warnings == ()
    (warning,) = _read(written(tmp_path / "in.jp2", data[:at] + box + data[at:])).warnings
    assert "own metadata boxes" in warning


@pytest.mark.parametrize("kind", ["exif", "APP1"])
def test_what_imagemagick_hides_in_a_pngs_text_is_found(tmp_path: Path, kind: str) -> None:
    exif, iptc = exif_with(6).tobytes(), b"\x1c\x02\x5a\x00\x04Oslo"
    text = PngImagePlugin.PngInfo()
    for name, block in ((kind, exif), ("iptc", iptc)):
        text.add_text(f"Raw profile type {name}", f"\n{name}\n{len(block):8}\n{block.hex()}\n")
    metadata = _read(save(tmp_path / "in.png", color_picture(), pnginfo=text)).metadata
    assert (metadata.exif, metadata.orientation) == (exif.removeprefix(b"Exif\0\0"), 6)
    assert resource(metadata.photoshop, IPTC) == iptc
    assert metadata.text == ()


@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.tif"])
def test_resolution_is_read_where_it_is_one(tmp_path: Path, name: str) -> None:
    said = _read(save(tmp_path / name, color_picture(), dpi=(300, 200))).metadata.dpi
    assert said == pytest.approx((300, 200), abs=0.1)
    assert _read(save(tmp_path / f"none-{name}", Image.fromarray(color_picture()))).metadata.dpi is None
