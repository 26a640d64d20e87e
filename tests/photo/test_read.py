"""Reading photographs: upright, named by content, in any thread; and every way to refuse one."""

from __future__ import annotations

import dataclasses
import io
import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_media.errors import (
    DamagedMedia,
    EmptyFile,
    FileProblem,
    InputMissing,
    InputUnreadable,
    NoFile,
    NoPicture,
    UnsupportedMedia,
)
from colorize_media.files.first_look import kind_of
from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.photo.pages import read_photo
from colorize_media.photo.picture import Photo
from colorize_media.photo.write import write_photo
from tests.made.photos import (
    TURNS,
    brown,
    color_picture,
    encoded,
    exif_with,
    grainy,
    grey_picture,
    luma_of,
    neutral,
    save,
    written,
)
from tests.made.pictures import damaged_fax, tiff
from tests.made.records import BY

LIMIT = 10_000_000  # pixels


def test_gif_single_frame_reads_and_its_name_cannot_be_written(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.gif", grey_picture()), max_pixels=LIMIT)
    assert photo.format == "GIF"
    with pytest.raises(UnsupportedMedia, match="256 colours"):
        write_photo(photo, brown(photo), tmp_path / "out.gif", quality=90, provenance=BY)


def test_further_pictures_of_a_camera_file_are_named(tmp_path: Path) -> None:
    pair = [Image.fromarray(color_picture()), Image.fromarray(color_picture()[::-1].copy())]
    pair[0].save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=pair[1:])
    photo = read_photo(tmp_path / "in.jpg", max_pixels=LIMIT)
    assert photo.format == "JPEG"
    assert any("MPO" in warning for warning in photo.warnings)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    memory = io.BytesIO()
    Image.fromarray(color_picture()).save(memory, "PNG")
    (tmp_path / "really_png.jpg").write_bytes(memory.getvalue())
    photo = read_photo(tmp_path / "really_png.jpg", max_pixels=LIMIT)
    assert photo.format == "PNG"
    assert any("named .jpg but its content is PNG" in warning for warning in photo.warnings)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_pictures_are_read_upright_and_written_with_tag_1(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = color_picture()
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    options: dict[str, Any] = {"exif": exif_with(orientation)}
    options |= {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    photo = read_photo(save(tmp_path / f"in{suffix}", stored, **options), max_pixels=LIMIT)
    assert photo.luma.shape == (40, 56)
    assert photo.preview.shape == (40, 56, 3)
    assert photo.metadata.orientation == orientation
    assert np.abs(photo.luma - luma_of(upright)).max() <= (3 if suffix == ".jpg" else 0.51)
    assert np.abs(luma_of(photo.preview) - luma_of(upright)).max() <= 5

    write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=100, provenance=BY)
    with Image.open(tmp_path / f"out{suffix}") as image:
        image.load()
        assert image.size == (56, 40)
        assert image.getexif().get(0x0112, 1) == 1
    again = read_photo(tmp_path / f"out{suffix}", max_pixels=LIMIT)
    assert again.metadata.orientation == 1
    assert np.abs(again.luma.astype(int) - photo.luma).max() <= (12 if suffix == ".webp" else 2)


def test_16_bit_tiff_is_turned_too(tmp_path: Path) -> None:
    upright = color_picture(bits=16)
    plain = read_photo(_deep_png(tmp_path / "a.png", upright), max_pixels=LIMIT)
    exif = exif_with(6)
    turned = dataclasses.replace(
        plain, luma=np.ascontiguousarray(np.rot90(plain.luma)), metadata=PhotoMetadata(exif=exif.tobytes()[6:])
    )
    write_photo(turned, neutral(turned), tmp_path / "b.tif", quality=90, provenance=BY)
    data = bytearray((tmp_path / "b.tif").read_bytes())
    (start,) = struct.unpack_from("<L", data, 4)
    for at in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, at)[0] == 0x0112:
            struct.pack_into("<H", data, at + 8, 6)
    (tmp_path / "b.tif").write_bytes(data)
    assert np.array_equal(read_photo(tmp_path / "b.tif", max_pixels=LIMIT).luma, plain.luma)


def _deep_png(path: Path, rgb: NDArray[Any]) -> Path:
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def _fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _several(path: Path, **options: Any) -> Path:
    frames = [Image.fromarray(color_picture()), Image.fromarray(color_picture()[::-1])]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


CASES: dict[str, tuple[Callable[[Path], Path], type[FileProblem], str]] = {
    "missing": (lambda d: d / "none.jpg", InputMissing, "no such file"),
    "missing folder": (lambda d: written(d / "f", b"x") / "a.jpg", InputMissing, "no such file"),
    "nul in the name": (lambda d: d / "a\0b.jpg", InputMissing, "no such file"),
    "folder": (lambda d: d, NoFile, "folder"),
    "pipe": (lambda d: _fifo(d / "pipe.jpg"), NoFile, "pipe"),
    "empty": (lambda d: written(d / "a.jpg", b""), EmptyFile, "0 bytes"),
    "text": (lambda d: written(d / "a.jpg", b"<!DOCTYPE html>404"), NoPicture, "no picture"),
    "zeros": (lambda d: written(d / "a.png", bytes(5000)), NoPicture, "no picture"),
    "cut jpeg": (lambda d: written(d / "a.jpg", encoded("JPEG")[:-300]), DamagedMedia, "truncated"),
    "cut jpeg, last row": (lambda d: written(d / "a.jpg", encoded("JPEG")[:-12]), DamagedMedia, "truncated"),
    "cut progressive jpeg": (
        lambda d: written(d / "a.jpg", encoded("JPEG", progressive=True)[:-200]),
        DamagedMedia,
        "truncated",
    ),
    "jpeg header only": (lambda d: written(d / "a.jpg", encoded("JPEG")[:40]), DamagedMedia, "begins like JPEG"),
    "cut png": (lambda d: written(d / "a.png", encoded("PNG")[:-400]), DamagedMedia, "damaged"),
    "cut 16-bit png": (lambda d: _cut_deep(d / "a.png"), DamagedMedia, "damaged"),
    "cut tiff": (lambda d: written(d / "a.tif", encoded("TIFF")[:-400]), DamagedMedia, "damaged"),
    "cut 16-bit tiff": (lambda d: _cut_deep(d / "a.tif"), DamagedMedia, "damaged"),
    "cut webp": (
        lambda d: written(d / "a.webp", encoded("WEBP", grainy(64), lossless=True)[:-400]),
        DamagedMedia,
        "damaged",
    ),
    "cut bmp": (lambda d: written(d / "a.bmp", encoded("BMP")[:-400]), DamagedMedia, "damaged"),
    "animated gif": (lambda d: _several(d / "a.gif"), UnsupportedMedia, "several frames"),
    "animated webp": (lambda d: _several(d / "a.webp"), UnsupportedMedia, "several frames"),
    "animated png": (lambda d: _several(d / "a.png"), UnsupportedMedia, "several frames"),
    "float tiff": (
        lambda d: save(d / "a.tif", grey_picture().astype(np.float32) / 255.0),
        UnsupportedMedia,
        "floating point",
    ),
    "double float tiff": (
        lambda d: written(
            d / "a.tif", tiff(np.repeat(grey_picture()[..., None], 3, axis=2).astype(float), photometric="rgb")
        ),
        UnsupportedMedia,
        "3 × 64 bits, floating point",
    ),
    "tiff of another compression": (
        lambda d: written(d / "a.tif", _with_tag(tiff(grey_picture()), 259, 999)),
        UnsupportedMedia,
        "1 × 8 bits, unsigned integers, compression 999",
    ),
    "damaged 16-bit tiff": (
        lambda d: written(d / "a.tif", tiff(grey_picture().astype(np.uint16) * 257, compression="zlib")[:-30]),
        DamagedMedia,
        "damaged",
    ),
    "damaged fax": (lambda d: written(d / "a.tif", damaged_fax()), DamagedMedia, "libtiff .*Bad code word"),
    "tiff of too many channels": (
        lambda d: written(d / "a.tif", _with_tag(tiff(grey_picture()), 277, 60000)),
        UnsupportedMedia,
        "cannot be read",
    ),
    "avif larger than its decoder takes": (
        lambda d: written(d / "a.avif", _huge_avif()),
        UnsupportedMedia,
        "17000 × 17000 pixels are more than the AVIF decoder takes",
    ),
    "svg": (lambda d: written(d / "a.svg", b'<?xml version="1.0"?><svg/>'), UnsupportedMedia, "vector"),
    "texture of a game": (lambda d: written(d / "a.dds", encoded("DDS")), UnsupportedMedia, "DDS"),
    "too large": (lambda d: save(d / "a.png", np.zeros((3200, 3200), np.uint8)), UnsupportedMedia, "pixels"),
    "bomb": (lambda d: written(d / "a.png", _huge_png()), UnsupportedMedia, "pixels"),
}


def _cut_deep(path: Path) -> Path:
    cv2.imwrite(str(path), color_picture(200, 200, bits=16))
    data = path.read_bytes()
    return written(path, data[: len(data) // 2])


def _huge_png() -> bytes:
    """A header of 100,000 × 100,000 pixels with nothing behind it."""
    body = b"IHDR" + struct.pack(">LLBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    head = struct.pack(">L", 13) + body + struct.pack(">L", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + head + b"\0\0\0\x0cIDAT" + zlib.compress(b"") + bytes(4)


def _with_tag(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF whose entry of one SHORT has another value."""
    at = data.index(struct.pack("<HHL", tag, 3, 1)) + 8
    return data[:at] + struct.pack("<H", value) + data[at + 2 :]


def _huge_avif() -> bytes:
    data = bytearray(encoded("AVIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">LL", 17000, 17000)
    return bytes(data)


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_read_says_what_which_file_why_and_what_to_do(
    tmp_path: Path, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """And no library says anything besides, which would not name the file."""
    make, kind, words = CASES[case]
    path = make(tmp_path)
    with pytest.raises(kind, match=words) as caught:
        read_photo(path, max_pixels=LIMIT)
    assert type(caught.value) is kind
    assert caught.value.path == path
    assert caught.value.what
    assert caught.value.hint
    assert capfd.readouterr() == ("", "")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", color_picture())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads everything (root)")
    with pytest.raises(InputUnreadable, match="ermission"):
        read_photo(path, max_pixels=LIMIT)


def test_file_larger_than_any_picture_in_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(200 << 20)  # sparse
    with pytest.raises(UnsupportedMedia, match="too large"):
        read_photo(path, max_pixels=1_000_000)


def test_pillows_limit_is_set_aside_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = save(tmp_path / "a.png", color_picture())
    assert read_photo(path, max_pixels=LIMIT).size == (56, 40)  # a warning would be an error here
    assert Image.MAX_IMAGE_PIXELS == 100


def test_reading_in_threads(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}{suffix}", color_picture()) for i in range(4) for suffix in (".jpg", ".png", ".tif")]
    found: dict[Path, Photo] = {}

    def read(path: Path) -> None:
        found[path] = read_photo(path, max_pixels=LIMIT)

    threads = [threading.Thread(target=read, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for path in paths:
        assert np.array_equal(found[path].luma, read_photo(path, max_pixels=LIMIT).luma)


@pytest.mark.parametrize(
    ("name", "head", "what"),
    [
        ("a.jxl", b"\xff\x0a" + bytes(60), "JPEG XL"),
        ("a.bin", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "JPEG XL"),
        ("a.exr", b"v/1\x01" + bytes(60), "OpenEXR"),
        ("a.hdr", b"#?RADIANCE\n" + bytes(60), "Radiance HDR"),
        ("a.psb", b"8BPS\0\x02" + bytes(60), "Photoshop PSB"),
        ("a.pct", bytes(600), "Macintosh PICT"),
    ],
)
def test_stills_that_no_library_here_reads_are_called_by_their_name(
    tmp_path: Path, name: str, head: bytes, what: str
) -> None:
    (tmp_path / name).write_bytes(head)
    assert kind_of(tmp_path / name) == "photo"
    with pytest.raises(UnsupportedMedia) as caught:
        read_photo(tmp_path / name, max_pixels=LIMIT)
    assert str(caught.value) == (
        f"this kind of picture is not supported: {tmp_path / name}: it is {what}, which cannot be read "
        "(convert it to PNG or 16-bit TIFF first)"
    )
