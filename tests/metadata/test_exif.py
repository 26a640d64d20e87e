"""EXIF blocks: edited in place, thumbnails replaced, damage named."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_media.metadata.carried import PhotoMetadata, has_thumbnail
from colorize_media.metadata.exif import exif_orientation, upright_exif
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from tests.made.photos import (
    brown,
    color_picture,
    exif_with,
    save,
)
from tests.made.records import BY

LIMIT = 10_000_000  # pixels


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_keeps_gps_dates_and_maker_note(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path / "in.jpg", np.rot90(color_picture()).copy(), exif=exif_with(6), dpi=(300, 300))
    photo = read_photo(source, max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=95, provenance=BY) == ()
    with Image.open(tmp_path / f"out{suffix}") as image:
        image.load()
        exif = image.getexif()
        assert exif[0x010F] == "Maker"
        assert exif.get_ifd(0x8825)[2] == (59.0, 54.0, 30.5)
        assert exif.get_ifd(0x8825)[3] == "E"
        nested = exif.get_ifd(0x8769)
        assert nested[0x9003] == "1921:05:04 10:00:00"
        assert nested[0x927C] == b"maker\0note\xff" * 4
        assert (nested[0xA002], nested[0xA003]) == (56, 40)
        if suffix != ".webp":
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def _exif_with_thumbnail(order: str) -> tuple[bytes, bytes]:
    """A hand-made block: orientation 8, and a thumbnail behind the second directory."""
    thumbnail = b"\xff\xd8" + bytes(range(200)) + b"\xff\xd9"
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "L", 8)
    second = 8 + 2 + 12 + 4
    first = struct.pack(order + "HHHLHHL", 1, 0x0112, 3, 1, 8, 0, second)
    pixels = second + 2 + 24 + 4
    directory = struct.pack(order + "HHHLLHHLLL", 2, 0x0201, 4, 1, pixels, 0x0202, 4, 1, len(thumbnail), 0)
    return head + first + directory + thumbnail, thumbnail


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_edited_in_place_and_its_stale_thumbnail_goes(order: str) -> None:
    exif, thumbnail = _exif_with_thumbnail(order)
    out = upright_exif(exif, (56, 40))
    assert exif_orientation(exif) == 8
    assert exif_orientation(out) == 1
    assert thumbnail in exif
    assert thumbnail[2:-2] not in out
    with_tail = exif + b"tail that a maker note points to"
    out = upright_exif(with_tail, (56, 40))
    assert len(out) == len(with_tail), "nothing moves"
    assert out.endswith(b"tail that a maker note points to")
    assert thumbnail[2:-2] not in out


@pytest.mark.parametrize(
    "broken", [b"", b"II*\0", b"XX*\0\x08\0\0\0", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\xff\xff"]
)
def test_damaged_exif_is_named(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"directory|header"):
        upright_exif(broken, (1, 1))


def test_damaged_exif_in_a_file_is_a_warning(tmp_path: Path) -> None:
    source = save(tmp_path / "in.jpg", color_picture(), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    photo = read_photo(source, max_pixels=LIMIT)
    assert photo.metadata.exif == b""
    assert any("EXIF" in warning for warning in photo.warnings)


@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnail_of_any_size_takes_the_old_ones_place(order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "Maker"
    plain = exif.tobytes()[6:]
    old = b"\xff\xd8old\xff\xd9"
    start = len(plain)
    entries = [(0x0103, 3, 6), (0x0201, 4, start + 2 + 36 + 4), (0x0202, 4, len(old))]
    body = struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        body += struct.pack(f"{order}HHL", tag, kind, 1)
        body += struct.pack(f"{order}HH" if kind == 3 else f"{order}L", *((value, 0) if kind == 3 else (value,)))
    (first,) = struct.unpack_from(f"{order}L", plain, 4)
    (count,) = struct.unpack_from(f"{order}H", plain, first)
    link = first + 2 + 12 * count
    whole = plain[:link] + struct.pack(f"{order}L", start) + plain[link + 4 :] + body + bytes(4) + old
    assert has_thumbnail(PhotoMetadata(exif=whole))
    new = b"\xff\xd8" + bytes(range(200)) + b"\xff\xd9"
    for tail in (b"", b"maker note behind the thumbnail"):
        out = upright_exif(whole + tail, (9, 9), new)
        assert out.endswith(new)
        assert old not in out
        assert tail in out
        place, length = (struct.unpack_from(f"{order}L", out, start + 2 + 12 * entry + 8)[0] for entry in (1, 2))
        assert out[place : place + length] == new
    assert not has_thumbnail(PhotoMetadata(exif=upright_exif(whole, (9, 9))))
