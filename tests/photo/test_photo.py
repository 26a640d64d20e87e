"""Photographs: luma, orientation, metadata, profiles, every error, and whole-or-absent outputs, on files made here."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import resource
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.errors import (
    DamagedMedia,
    EmptyFile,
    FileProblem,
    InputIsOutput,
    InputMissing,
    InputUnreadable,
    NoPicture,
    OutputUnwritable,
    UnsupportedMedia,
)
from colorize_media.files.formats import WRITABLE_PHOTO
from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.metadata.exif import exif_orientation, upright_exif
from colorize_media.metadata.icc import grey_codes_as_srgb, profile_space
from colorize_media.metadata.jpeg import jpeg_segments
from colorize_media.metadata.output import Provenance
from colorize_media.metadata.xmp import DIGITAL_SOURCE_TYPE, provenance_xmp
from colorize_media.photo.join import rgb_of_luma
from colorize_media.photo.pages import read_photo
from colorize_media.photo.picture import Photo
from colorize_media.photo.write import can_hold, write_photo
from tests.made.photos import (
    TURNS,
    brown,
    color_picture,
    exif_with,
    grainy,
    grey_picture,
    luma_of,
    neutral,
    save,
    tinted,
    written_rgb,
)
from tests.made.pictures import damaged_fax, tiff

LIMIT = 10_000_000  # pixels
TOOL = "colorize-media 0.test"
BY = Provenance(TOOL)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def listing(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# Luma -----------------------------------------------------------------------------------------------------------------


def test_jpeg_luma_is_the_files_own_y_plane_and_comes_back_in_the_written_file(tmp_path: Path) -> None:
    source = save(tmp_path / "in.jpg", color_picture(64, 96), quality=90, subsampling=2)
    photo = read_photo(source, max_pixels=LIMIT)
    with av.open(io.BytesIO(source.read_bytes())) as container:
        frame = next(container.decode(video=0))
    plane = frame.planes[0]
    own = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    assert np.array_equal(photo.luma, own)
    assert photo.spec == YCbCrSpec("bt601", full_range=True, bits=8)
    assert photo.format == "JPEG"

    assert write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=100, provenance=BY) == ()
    again = read_photo(tmp_path / "out.jpg", max_pixels=LIMIT)
    assert np.abs(again.luma.astype(int) - photo.luma).max() <= 2  # only the JPEG's own rounding
    with Image.open(tmp_path / "out.jpg") as image:
        ycc = image.convert("YCbCr")
        assert image.layer[1][1:3] == (1, 1), "chroma at full resolution"  # type: ignore[attr-defined]
        means = [float(np.asarray(ycc.getchannel(i)).mean()) for i in (1, 2)]
    assert means == pytest.approx([116.0, 137.0], abs=1.5)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_neutral_grey_is_exact_and_colour_gives_bt601_luma(tmp_path: Path, suffix: str, mode: str) -> None:
    options = {"lossless": True} if suffix == ".webp" else {}
    grey = grey_picture()
    picture = grey if mode == "L" else np.repeat(grey[..., None], 3, axis=2)
    photo = read_photo(save(tmp_path / f"grey{suffix}", picture, **options), max_pixels=LIMIT)
    assert np.array_equal(photo.luma, grey)
    assert photo.alpha is None
    rgb = color_picture()
    photo = read_photo(save(tmp_path / f"rgb{suffix}", rgb, **options), max_pixels=LIMIT)
    assert np.abs(photo.luma - luma_of(rgb)).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_keeps_its_depth(tmp_path: Path, suffix: str) -> None:
    grey, rgb = grey_picture(bits=16), color_picture(bits=16)
    for name, picture in (("grey", grey), ("rgb", rgb), ("rgba", np.dstack((rgb, grey)))):
        path = tmp_path / f"{name}{suffix}"
        bgr = picture if picture.ndim == 2 else picture[..., [2, 1, 0, 3][: picture.shape[2]]]
        assert cv2.imwrite(str(path), bgr)
        photo = read_photo(path, max_pixels=LIMIT)
        assert photo.luma.dtype == np.uint16
        assert photo.spec.bits == 16
        expected = grey if name == "grey" else luma_of(rgb)
        assert np.abs(photo.luma - expected).max() <= (0 if name == "grey" else 0.5 + 1e-9)
        if name == "rgba":
            assert photo.alpha is not None
            assert np.array_equal(photo.alpha, grey)
        assert write_photo(photo, tinted(photo), tmp_path / f"out-{path.name}", quality=90, provenance=BY) == ()
        back = written_rgb(tmp_path / f"out-{path.name}")
        assert back.dtype == np.uint16
        assert np.array_equal(np.rint(luma_of(back)), photo.luma)
        if name == "rgba":
            assert np.array_equal(back[..., 3], grey)


@pytest.mark.parametrize("bits", [8, 16])
def test_luma_of_written_rgb_is_exact_for_random_and_extreme_chroma(bits: int) -> None:
    top = (1 << bits) - 1
    rng = np.random.default_rng(bits)
    luma = rng.integers(0, top + 1, (200, 300)).astype(np.uint8 if bits == 8 else np.uint16)
    luma[0], luma[1], luma[2], luma[3] = 0, top, 1, top - 1
    ends = np.array([-0.5, 0.5, 0.0], np.float32)
    extreme = np.stack((rng.choice(ends, luma.shape), rng.choice(ends, luma.shape)), axis=2)
    for chroma in (rng.uniform(-0.5, 0.5, (*luma.shape, 2)).astype(np.float32), extreme, extreme * 0.01):
        rgb = rgb_of_luma(luma, chroma.astype(np.float32), bits)
        assert rgb.dtype == luma.dtype
        assert np.abs(luma_of(rgb) - luma).max() <= 0.5, "rounds to the source's luma"
    assert np.array_equal(rgb_of_luma(luma, np.zeros((*luma.shape, 2), np.float32), bits)[..., 1], luma)


def test_colours_inside_the_cube_come_out_as_asked() -> None:
    luma = np.full((4, 4), 120, np.uint8)
    chroma = np.broadcast_to(np.array([-0.05, 0.08], np.float32), (4, 4, 2))
    red, green, blue = rgb_of_luma(luma, np.ascontiguousarray(chroma), 8)[0, 0]
    assert red == round(120 + 1.402 * 0.08 * 255)
    assert blue == round(120 - 1.772 * 0.05 * 255)
    assert abs(green - (120 + (0.344136 * 0.05 - 0.714136 * 0.08) * 255)) < 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".jp2", ".ppm"])
def test_written_8_bit_luma_is_the_sources(tmp_path: Path, suffix: str) -> None:
    photo = read_photo(save(tmp_path / "in.png", color_picture(90, 70)), max_pixels=LIMIT)
    write_photo(photo, tinted(photo), tmp_path / f"out{suffix}", quality=90, provenance=BY)
    assert np.array_equal(np.rint(luma_of(written_rgb(tmp_path / f"out{suffix}"))), photo.luma)


def test_rows_are_asked_in_strips_and_a_wrong_shape_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colorize_media.photo.pixels.STRIP_PIXELS", 56 * 7)
    photo = read_photo(save(tmp_path / "in.png", color_picture()), max_pixels=LIMIT)
    whole = tinted(photo)
    asked: list[tuple[int, int]] = []

    def rows(top: int, bottom: int) -> NDArray[np.float32]:
        asked.append((top, bottom))
        return whole[top:bottom]

    for suffix in (".png", ".jpg", ".tif"):
        asked.clear()
        write_photo(photo, rows, tmp_path / f"strips{suffix}", quality=90, provenance=BY)
        assert asked == [(top, min(top + 7, 40)) for top in range(0, 40, 7)]
        write_photo(photo, whole, tmp_path / f"whole{suffix}", quality=90, provenance=BY)
        assert np.array_equal(written_rgb(tmp_path / f"strips{suffix}"), written_rgb(tmp_path / f"whole{suffix}"))
    with pytest.raises(ValueError, match="shape"):
        write_photo(photo, lambda top, bottom: whole[top:bottom, 1:], tmp_path / "bad.png", quality=90, provenance=BY)
    assert "bad.png" not in listing(tmp_path)


# Kinds of files -------------------------------------------------------------------------------------------------------


def test_one_bit_palette_and_grey_with_alpha(tmp_path: Path) -> None:
    grey, alpha = grey_picture(), grey_picture(seed=3)
    bilevel = Image.fromarray(grey).convert("1")
    photo = read_photo(save(tmp_path / "one.png", bilevel), max_pixels=LIMIT)
    assert np.array_equal(photo.luma, np.asarray(bilevel.convert("L")))
    assert set(np.unique(photo.luma)) == {0, 255}

    palette = Image.fromarray(color_picture()).quantize(32)
    photo = read_photo(save(tmp_path / "palette.png", palette), max_pixels=LIMIT)
    assert np.abs(photo.luma - luma_of(np.asarray(palette.convert("RGB")))).max() <= 0.5
    photo = read_photo(save(tmp_path / "clear.png", palette, transparency=0), max_pixels=LIMIT)
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha == 0, np.asarray(palette) == 0)

    both = Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))
    photo = read_photo(save(tmp_path / "la.png", both), max_pixels=LIMIT)
    assert photo.alpha is not None
    assert np.array_equal(photo.luma, grey)
    assert np.array_equal(photo.alpha, alpha)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_is_carried_or_warned_about(tmp_path: Path, suffix: str) -> None:
    rgba = np.dstack((color_picture(), grey_picture(seed=5)))
    photo = read_photo(save(tmp_path / "in.png", rgba), max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=95, provenance=BY) == ()
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3], rgba[..., 3])
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=95, provenance=BY)
    assert "transparency" in warning


def test_16_bit_into_8_bit_is_rounded_and_said(tmp_path: Path) -> None:
    deep = grey_picture(bits=16)
    cv2.imwrite(str(tmp_path / "in.png"), deep)
    photo = read_photo(tmp_path / "in.png", max_pixels=LIMIT)
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=100, provenance=BY)
    assert "8 bits" in warning
    again = read_photo(tmp_path / "out.jpg", max_pixels=LIMIT)
    assert np.abs(again.luma - deep / 257.0).max() <= 2.5


def test_cmyk_jpeg_is_converted_and_said(tmp_path: Path) -> None:
    grey = grey_picture()
    cmyk = Image.merge("CMYK", [Image.new("L", (56, 40), 0)] * 3 + [Image.fromarray(255 - grey)])
    photo = read_photo(save(tmp_path / "in.jpg", cmyk, quality=100), max_pixels=LIMIT)
    assert np.abs(photo.luma.astype(int) - grey).max() <= 4
    assert any("CMYK" in warning for warning in photo.warnings)


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


def test_reduced_copy_in_a_tiff_is_dropped_and_named(tmp_path: Path) -> None:
    pages = [Image.fromarray(color_picture()), Image.fromarray(color_picture(10, 14))]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    pages[0].save(tmp_path / "in.tif", save_all=True, append_images=pages[1:])
    photo = read_photo(tmp_path / "in.tif", max_pixels=LIMIT)
    assert photo.size == (56, 40)
    assert any("reduced copies" in warning for warning in photo.warnings)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    memory = io.BytesIO()
    Image.fromarray(color_picture()).save(memory, "PNG")
    (tmp_path / "really_png.jpg").write_bytes(memory.getvalue())
    photo = read_photo(tmp_path / "really_png.jpg", max_pixels=LIMIT)
    assert photo.format == "PNG"
    assert any("named .jpg but its content is PNG" in warning for warning in photo.warnings)


def test_preview_is_small_and_keeps_colours(tmp_path: Path) -> None:
    rgb = np.zeros((600, 900, 3), np.uint8)
    rgb[:, :450], rgb[:, 450:] = (200, 60, 40), (30, 90, 180)
    for name in ("a.jpg", "a.png"):
        preview = read_photo(save(tmp_path / name, rgb), max_pixels=LIMIT).preview
        assert preview.shape == (256, 384, 3)
        assert np.abs(preview[128, 40].astype(int) - (200, 60, 40)).max() <= 4
        assert np.abs(preview[128, 340].astype(int) - (30, 90, 180)).max() <= 4


# Orientation ----------------------------------------------------------------------------------------------------------


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


def test_orientation_only_in_xmp_is_applied_and_set_right(tmp_path: Path) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="3"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    upright = grey_picture()
    photo = read_photo(save(tmp_path / "in.png", np.rot90(upright, 2).copy(), pnginfo=info), max_pixels=LIMIT)
    assert np.array_equal(photo.luma, upright)
    write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY)
    assert b't:Orientation="1"' in read_photo(tmp_path / "out.png", max_pixels=LIMIT).metadata.xmp


# EXIF, IPTC, text -----------------------------------------------------------------------------------------------------


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


def test_comment_and_png_text_are_carried_or_named(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.jpg", color_picture(), comment="Tante Grete, Köln"), max_pixels=LIMIT)
    write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["comment"] == "Tante Grete, Köln".encode()
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "plain")
    info.add_itxt("Author", "Ελένη")
    png = read_photo(save(tmp_path / "text.png", color_picture(), pnginfo=info), max_pixels=LIMIT)
    write_photo(png, brown(png), tmp_path / "text-out.png", quality=90, provenance=BY)
    with Image.open(tmp_path / "text-out.png") as image:
        image.load()
        assert (image.text["Title"], image.text["Author"]) == ("plain", "Ελένη")  # type: ignore[attr-defined]
    (warning,) = write_photo(png, brown(png), tmp_path / "text-out.jpg", quality=90, provenance=BY)
    assert "PNG text" in warning


def test_bmp_says_what_it_cannot_hold(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.jpg", color_picture(), exif=exif_with(1)), max_pixels=LIMIT)
    warnings = write_photo(photo, brown(photo), tmp_path / "out.bmp", quality=90, provenance=BY)
    assert any("EXIF" in warning for warning in warnings)
    assert any("coloured by a program" in warning for warning in warnings)


def test_exif_too_large_for_jpeg_is_said(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.png", color_picture()), max_pixels=LIMIT)
    exif = exif_with(1)
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    large = dataclasses.replace(photo, metadata=PhotoMetadata(exif=exif.tobytes()[6:]))
    (warning,) = write_photo(large, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    assert "larger than a JPEG segment" in warning
    assert write_photo(large, brown(photo), tmp_path / "out.png", quality=90, provenance=BY) == ()


# XMP ------------------------------------------------------------------------------------------------------------------

OLD_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Some Tool">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="uuid:1" xmlns:weird="http://ns.adobe.com/xap/1.0/"
  xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:mine="urn:mine" weird:Rating="4" weird:CreatorTool="Old Scanner 2" mine:keep="yes">
   <dc:subject><rdf:Bag><rdf:li>Köln &amp; Bonn</rdf:li></rdf:Bag></dc:subject>
   <tiff:Orientation xmlns:tiff="http://ns.adobe.com/tiff/1.0/">6</tiff:Orientation>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def test_provenance_is_merged_and_the_rest_of_the_packet_stays() -> None:
    once = provenance_xmp(OLD_XMP.encode(), size=(56, 40), source="a & b.jpg", tool=TOOL)
    text = once.decode()
    for kept in ('weird:Rating="4"', 'mine:keep="yes"', "Köln &amp; Bonn", 'x:xmptk="Some Tool"', "<dc:subject>"):
        assert kept in text
    assert ">1</tiff:Orientation>" in text
    assert "Old Scanner" not in text
    assert DIGITAL_SOURCE_TYPE in text
    assert f'xmp:CreatorTool="{TOOL}"' in text
    assert "<stRef:filePath>a &amp; b.jpg</stRef:filePath>" in text
    assert text.count('rdf:about="uuid:1"') == 2, "both descriptions speak about the same picture"
    twice = provenance_xmp(once, size=(56, 40), source="c.jpg", tool=TOOL).decode()
    assert twice.count("DigitalSourceType=") == 1
    assert twice.count("stRef:filePath>") == 2
    assert "a &amp; b.jpg" not in twice


def test_provenance_is_in_every_rich_format_and_readable_by_pillow(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "old print.png", color_picture()), max_pixels=LIMIT)
    for suffix in (".jpg", ".png", ".tif", ".webp"):
        write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=90, provenance=BY)
        xmp = read_photo(tmp_path / f"out{suffix}", max_pixels=LIMIT).metadata.xmp
        assert DIGITAL_SOURCE_TYPE.encode() in xmp
        assert b"old print.png" in xmp
        assert str(tmp_path).encode() not in xmp, "folders are private"


def test_extended_xmp_stays_with_its_packet(tmp_path: Path) -> None:
    data = _encoded("JPEG", xmp=OLD_XMP.encode())
    extension = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">LL", 5, 0) + b"<x/>\n"
    segment = b"\xff\xe1" + struct.pack(">H", len(extension) + 2) + extension
    photo = read_photo(_written(tmp_path / "in.jpg", data[:2] + segment + data[2:]), max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY) == ()
    assert segment in (tmp_path / "out.jpg").read_bytes()
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY)
    assert "extended XMP" in warning


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
MADE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (BOMB + MADE % b"&b;", "document type"),
        ((BOMB + MADE % b"&b;").decode().encode("utf-16"), "document type"),
        (MADE % (b"<a>" * 5000 + b"</a>" * 5000), "deeper"),
        (b"<html><body/></html>", "rdf:RDF"),
        (MADE[:-9] % b"", "not well-formed"),
    ],
)
def test_hostile_and_broken_xmp_is_refused_and_only_warned_about(tmp_path: Path, packet: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        provenance_xmp(packet, size=(1, 1), source="a", tool=TOOL)
    source = save(tmp_path / "in.jpg", color_picture(), xmp=packet)
    photo = read_photo(source, max_pixels=LIMIT)
    assert any("XMP" in warning for warning in photo.warnings)
    write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    assert DIGITAL_SOURCE_TYPE.encode() in read_photo(tmp_path / "out.jpg", max_pixels=LIMIT).metadata.xmp


# Profiles -------------------------------------------------------------------------------------------------------------


def grey_profile(curve: bytes) -> bytes:
    """A minimal GRAY display profile (ICC.1:2010 §8.4.3) with this kTRC."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3l", 63190, 65536, 54061)  # D50, s15Fixed16
    text = b"desc\0\0\0\0" + struct.pack(">L", 5) + b"grey\0" + bytes(8 + 2 + 1 + 67)
    right = b"text\0\0\0\0none\0"
    tags, body = [], b""
    for name, value in ((b"desc", text), (b"wtpt", white), (b"kTRC", curve), (b"cprt", right)):
        tags.append(name + struct.pack(">LL", 128 + 4 + 4 * 12 + len(body), len(value)))
        body += value + b"\0" * (-len(value) % 4)
    table = struct.pack(">L", len(tags)) + b"".join(tags)
    head = bytearray(128)
    struct.pack_into(">L", head, 0, 128 + len(table) + len(body))
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\x02\x40\0\0", b"mntr", b"GRAY", b"XYZ "
    head[36:40] = b"acsp"
    struct.pack_into(">3l", head, 68, 63190, 65536, 54061)
    return bytes(head) + table + body


GAMMA_10 = b"curv\0\0\0\0" + struct.pack(">L", 0)
GAMMA_18 = b"curv\0\0\0\0" + struct.pack(">LH", 1, round(1.8 * 256))
DOT_GAIN = b"curv\0\0\0\0" + struct.pack(">L256H", 256, *(round(65535 * (i / 255) ** 1.75) for i in range(256)))
SRGB_LIKE = b"para\0\0\0\0" + struct.pack(
    ">HH5l", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


@pytest.mark.parametrize(
    "curve", [GAMMA_10, GAMMA_18, DOT_GAIN, SRGB_LIKE], ids=["linear", "gamma", "table", "formula"]
)
def test_grey_profile_is_evaluated_as_littlecms_does(curve: bytes) -> None:
    profile = grey_profile(curve)
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    exact = ImageCms.Flags.NOOPTIMIZE  # its 8-bit short cut is 10 codes off where the curve is steep
    shown = ImageCms.profileToProfile(ramp, source, ImageCms.createProfile("sRGB"), outputMode="RGB", flags=exact)
    assert shown is not None
    table = grey_codes_as_srgb(profile, 8)
    assert np.abs(table.astype(int) - np.asarray(shown)[0, :, 1]).max() <= 1
    deep = grey_codes_as_srgb(profile, 16)
    assert np.abs(deep[::257] / 257.0 - table).max() <= 0.51
    assert np.all(np.diff(deep.astype(int)) >= 0)


def test_grey_profile_never_stands_on_colour_and_lightness_is_kept(tmp_path: Path) -> None:
    grey = grey_picture()
    expected = grey_codes_as_srgb(grey_profile(GAMMA_18), 8)[grey]
    for name in ("in.png", "in.tif", "in.jpg"):
        options = {"quality": 100} if name == "in.jpg" else {}
        source = save(tmp_path / name, grey, icc_profile=grey_profile(GAMMA_18), **options)
        photo = read_photo(source, max_pixels=LIMIT)
        assert np.abs(photo.luma.astype(int) - expected).max() <= (3 if name == "in.jpg" else 0)
        assert not np.array_equal(expected, grey)
        write_photo(photo, brown(photo), tmp_path / f"out-{name}", quality=90, provenance=BY)
        with Image.open(tmp_path / f"out-{name}") as image:
            assert "icc_profile" not in image.info


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_rgb_profile_is_kept_as_it_is(tmp_path: Path, suffix: str) -> None:
    large = SRGB + bytes(70_000)  # two JPEG segments
    for profile in (SRGB, large):
        photo = read_photo(save(tmp_path / "in.png", color_picture(), icc_profile=profile), max_pixels=LIMIT)
        assert profile_space(photo.metadata.icc) == "RGB"
        assert write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=90, provenance=BY) == ()
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert image.info["icc_profile"] == profile


def test_profile_of_another_space_is_dropped_with_a_warning(tmp_path: Path) -> None:
    source = save(tmp_path / "in.png", color_picture(), icc_profile=grey_profile(GAMMA_18))
    photo = read_photo(source, max_pixels=LIMIT)
    assert photo.metadata.icc == b""
    assert any("GRAY profile" in warning for warning in photo.warnings)
    photo = read_photo(save(tmp_path / "junk.png", color_picture(), icc_profile=b"junk" * 50), max_pixels=LIMIT)
    assert photo.metadata.icc == b""
    assert any("profile" in warning for warning in photo.warnings)


def crooked_profile() -> bytes:
    """An RGB matrix profile whose channels have different curves, so that R = G = B is not grey."""

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3l", round(x * 65536), round(y * 65536), round(z * 65536))

    def gamma(value: float) -> bytes:
        return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(value * 256)) + b"\0\0"

    values = {b"rXYZ": xyz(0.436, 0.222, 0.014), b"gXYZ": xyz(0.385, 0.717, 0.097), b"bXYZ": xyz(0.143, 0.061, 0.714)}
    values |= {b"rTRC": gamma(1.0), b"gTRC": gamma(2.2), b"bTRC": gamma(4.0), b"wtpt": xyz(0.9642, 1.0, 0.8249)}
    table, body = struct.pack(">L", len(values)), b""
    for name, value in values.items():
        table += name + struct.pack(">LL", 128 + 4 + 12 * len(values) + len(body), len(value))
        body += value
    head = bytearray(grey_profile(GAMMA_10)[:128])
    struct.pack_into(">L", head, 0, 128 + len(table) + len(body))
    head[16:20] = b"RGB "
    return bytes(head) + table + body


@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.tif"])
def test_profile_in_which_equal_channels_are_not_grey_is_applied(tmp_path: Path, name: str) -> None:
    rgb = color_picture()
    options = {"quality": 100, "subsampling": 0} if name == "in.jpg" else {}
    photo = read_photo(save(tmp_path / name, rgb, icc_profile=crooked_profile(), **options), max_pixels=LIMIT)
    assert photo.metadata.icc == b""
    assert any("converted to sRGB" in warning for warning in photo.warnings)
    source = ImageCms.ImageCmsProfile(io.BytesIO(crooked_profile()))
    shown = ImageCms.profileToProfile(Image.fromarray(rgb), source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert np.abs(photo.luma - luma_of(np.asarray(shown))).mean() < 1.5
    assert np.abs(photo.luma - luma_of(rgb)).mean() > 5


def test_png_gamma_is_kept_in_png_and_named_elsewhere(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">L", 100000))
    photo = read_photo(save(tmp_path / "in.png", grey_picture(), pnginfo=info), max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY) == ()
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["gamma"] == 1.0
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    assert "gamma" in warning


# Errors of reading ----------------------------------------------------------------------------------------------------


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _encoded(kind: str, picture: NDArray[Any] | None = None, **options: Any) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(color_picture(64, 64) if picture is None else picture).save(memory, kind, **options)
    return memory.getvalue()


def _fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _several(path: Path, **options: Any) -> Path:
    frames = [Image.fromarray(color_picture()), Image.fromarray(color_picture()[::-1])]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


CASES: dict[str, tuple[Callable[[Path], Path], type[FileProblem], str]] = {
    "missing": (lambda d: d / "none.jpg", InputMissing, "no such file"),
    "missing folder": (lambda d: _written(d / "f", b"x") / "a.jpg", InputMissing, "no such file"),
    "nul in the name": (lambda d: d / "a\0b.jpg", InputMissing, "no such file"),
    "folder": (lambda d: d, InputUnreadable, "folder"),
    "pipe": (lambda d: _fifo(d / "pipe.jpg"), InputUnreadable, "pipe"),
    "empty": (lambda d: _written(d / "a.jpg", b""), EmptyFile, "0 bytes"),
    "text": (lambda d: _written(d / "a.jpg", b"<!DOCTYPE html>404"), NoPicture, "no picture"),
    "zeros": (lambda d: _written(d / "a.png", bytes(5000)), NoPicture, "no picture"),
    "cut jpeg": (lambda d: _written(d / "a.jpg", _encoded("JPEG")[:-300]), DamagedMedia, "truncated"),
    "cut jpeg, last row": (lambda d: _written(d / "a.jpg", _encoded("JPEG")[:-12]), DamagedMedia, "truncated"),
    "cut progressive jpeg": (
        lambda d: _written(d / "a.jpg", _encoded("JPEG", progressive=True)[:-200]),
        DamagedMedia,
        "truncated",
    ),
    "jpeg header only": (lambda d: _written(d / "a.jpg", _encoded("JPEG")[:40]), DamagedMedia, "begins like JPEG"),
    "cut png": (lambda d: _written(d / "a.png", _encoded("PNG")[:-400]), DamagedMedia, "damaged"),
    "cut 16-bit png": (lambda d: _cut_deep(d / "a.png"), DamagedMedia, "damaged"),
    "cut tiff": (lambda d: _written(d / "a.tif", _encoded("TIFF")[:-400]), DamagedMedia, "damaged"),
    "cut 16-bit tiff": (lambda d: _cut_deep(d / "a.tif"), DamagedMedia, "damaged"),
    "cut webp": (
        lambda d: _written(d / "a.webp", _encoded("WEBP", grainy(64), lossless=True)[:-400]),
        DamagedMedia,
        "damaged",
    ),
    "cut bmp": (lambda d: _written(d / "a.bmp", _encoded("BMP")[:-400]), DamagedMedia, "damaged"),
    "animated gif": (lambda d: _several(d / "a.gif"), UnsupportedMedia, "several frames"),
    "animated webp": (lambda d: _several(d / "a.webp"), UnsupportedMedia, "several frames"),
    "animated png": (lambda d: _several(d / "a.png"), UnsupportedMedia, "several frames"),
    "float tiff": (
        lambda d: save(d / "a.tif", grey_picture().astype(np.float32) / 255.0),
        UnsupportedMedia,
        "floating point",
    ),
    "double float tiff": (
        lambda d: _written(
            d / "a.tif", tiff(np.repeat(grey_picture()[..., None], 3, axis=2).astype(float), photometric="rgb")
        ),
        UnsupportedMedia,
        "3 × 64 bits, floating point",
    ),
    "tiff of another compression": (
        lambda d: _written(d / "a.tif", _with_tag(tiff(grey_picture()), 259, 999)),
        UnsupportedMedia,
        "1 × 8 bits, unsigned integers, compression 999",
    ),
    "damaged 16-bit tiff": (
        lambda d: _written(d / "a.tif", tiff(grey_picture().astype(np.uint16) * 257, compression="zlib")[:-30]),
        DamagedMedia,
        "damaged",
    ),
    "damaged fax": (lambda d: _written(d / "a.tif", damaged_fax()), DamagedMedia, "libtiff .*Bad code word"),
    "tiff of too many channels": (
        lambda d: _written(d / "a.tif", _with_tag(tiff(grey_picture()), 277, 60000)),
        UnsupportedMedia,
        "cannot be read",
    ),
    "avif larger than its decoder takes": (
        lambda d: _written(d / "a.avif", _huge_avif()),
        UnsupportedMedia,
        "17000 × 17000 pixels are more than the AVIF decoder takes",
    ),
    "svg": (lambda d: _written(d / "a.svg", b'<?xml version="1.0"?><svg/>'), UnsupportedMedia, "vector"),
    "icon": (lambda d: _written(d / "a.ico", _encoded("ICO")), UnsupportedMedia, "ICO"),
    "too large": (lambda d: save(d / "a.png", np.zeros((3200, 3200), np.uint8)), UnsupportedMedia, "pixels"),
    "bomb": (lambda d: _written(d / "a.png", _huge_png()), UnsupportedMedia, "pixels"),
}


def _cut_deep(path: Path) -> Path:
    cv2.imwrite(str(path), color_picture(200, 200, bits=16))
    data = path.read_bytes()
    return _written(path, data[: len(data) // 2])


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
    data = bytearray(_encoded("AVIF"))
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


# Writing: names, errors, whole or absent ------------------------------------------------------------------------------

NAMES = [
    "-rf.jpg",
    "a\nb.png",
    "%03d.png",
    "a:b.jpg",
    "https:host.jpg",
    "*.tif",
    "été 雪.webp",
    ".jpg.jpg",
    "a" * 250 + ".png",
]


@pytest.mark.parametrize("name", NAMES)
def test_strange_names_are_only_names(tmp_path: Path, name: str) -> None:
    source = save(tmp_path / name, color_picture(), format={".jpg": "JPEG", ".tif": "TIFF"}.get(name[-4:]))
    photo = read_photo(source, max_pixels=LIMIT)
    target = tmp_path / "to" / name
    target.parent.mkdir()
    write_photo(photo, brown(photo), target, quality=90, provenance=BY)
    assert listing(target.parent) == [name]
    assert read_photo(target, max_pixels=LIMIT).size == photo.size


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    photo = read_photo(save(tmp_path / name, color_picture(), format="PNG"), max_pixels=LIMIT)
    write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY)
    assert "caf\ufffd.png".encode() in read_photo(tmp_path / "out.png", max_pixels=LIMIT).metadata.xmp


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    (tmp_path / "source").mkdir()
    return read_photo(save(tmp_path / "source" / "in.png", color_picture(300, 400)), max_pixels=LIMIT)


def test_missing_folder_and_folder_in_the_way(tmp_path: Path, photo: Photo) -> None:
    with pytest.raises(OutputUnwritable, match=r"No such file.*create the folder"):
        write_photo(photo, neutral(photo), tmp_path / "none" / "out.png", quality=90, provenance=BY)
    (tmp_path / "out.png").mkdir()
    (tmp_path / "out.png" / "x").touch()
    with pytest.raises(OutputUnwritable, match="folder has this name"):
        write_photo(photo, neutral(photo), tmp_path / "out.png", quality=90, provenance=BY)
    with pytest.raises(OutputUnwritable, match="create the folder"):
        write_photo(photo, neutral(photo), tmp_path / "source" / "in.png" / "out.png", quality=90, provenance=BY)
    assert listing(tmp_path) == ["out.png", "source"]


@pytest.mark.parametrize("suffix", sorted(WRITABLE_PHOTO))
def test_full_disk_leaves_nothing(tmp_path: Path, photo: Photo, suffix: str) -> None:
    """A real failing write: the process may not make files larger than 2,000 bytes for a moment."""
    if suffix == ".avif":
        pytest.importorskip("PIL._avif")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    colour = tinted(photo)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OutputUnwritable, match="free some space"):
            write_photo(photo, colour, tmp_path / f"out{suffix}", quality=95, provenance=BY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert listing(tmp_path) == ["source"]


def test_read_only_folder(tmp_path: Path, photo: Photo) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user writes everywhere (root)")
    with pytest.raises(OutputUnwritable, match=r"ermission"):
        write_photo(photo, neutral(photo), folder / "out.png", quality=90, provenance=BY)


@pytest.mark.parametrize("failure", [RuntimeError("out of memory on the device"), KeyboardInterrupt()])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_failure_while_colouring_leaves_the_old_output_as_it_was(
    tmp_path: Path, photo: Photo, suffix: str, failure: BaseException
) -> None:
    target = _written(tmp_path / f"out{suffix}", b"an older output")

    def fail(top: int, bottom: int) -> NDArray[np.float32]:
        raise failure

    with pytest.raises(type(failure)):
        write_photo(photo, fail, target, quality=90, provenance=BY)
    assert target.read_bytes() == b"an older output"
    assert listing(tmp_path) == [target.name, "source"]


def test_original_is_never_replaced(tmp_path: Path, photo: Photo) -> None:
    before = photo.path.read_bytes()
    (tmp_path / "link.png").symlink_to(photo.path)
    os.link(photo.path, tmp_path / "hard.png")
    for target in (photo.path, tmp_path / "link.png", tmp_path / "hard.png"):
        with pytest.raises(InputIsOutput):
            write_photo(photo, neutral(photo), target, quality=90, provenance=BY)
    assert photo.path.read_bytes() == before


def test_new_files_have_the_rights_of_any_new_file(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "plain").touch()
    write_photo(photo, neutral(photo), tmp_path / "out.png", quality=90, provenance=BY)
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_can_hold_warns_and_refuses() -> None:
    assert can_hold(".PNG", 16, True) == ()
    assert can_hold(".tiff", 16, True) == ()
    assert can_hold(".jpg", 8, False) == ()
    lost = can_hold(".jpeg", 16, True)
    assert len(lost) == 2
    assert all("(.png and .tif keep" in warning for warning in lost)
    for suffix, why in ((".gif", "256 colours"), (".pgm", "only grey"), (".xyz", ".xyz"), ("", "no extension")):
        with pytest.raises(UnsupportedMedia, match=why) as caught:
            can_hold(suffix, 8, False)
        assert ".png" in caught.value.hint


def test_side_too_long_for_webp(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.png", np.zeros((2, 16400), np.uint8)), max_pixels=LIMIT)
    with pytest.raises(UnsupportedMedia, match="16383"):
        write_photo(photo, neutral(photo), tmp_path / "out.webp", quality=90, provenance=BY)
    write_photo(photo, neutral(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
