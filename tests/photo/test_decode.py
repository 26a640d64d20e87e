"""The luma that decoders give: the file's own, at its own depth, and what a profile makes of it."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.errors import UnsupportedMedia
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from tests.made.photos import (
    brown,
    color_picture,
    grey_picture,
    luma_of,
    save,
    tinted,
    written_rgb,
)
from tests.made.pictures import grey, png
from tests.made.profiles import crooked_profile
from tests.made.records import BY

LIMIT = 10_000_000  # pixels


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


def test_cmyk_jpeg_is_converted_and_said(tmp_path: Path) -> None:
    grey = grey_picture()
    cmyk = Image.merge("CMYK", [Image.new("L", (56, 40), 0)] * 3 + [Image.fromarray(255 - grey)])
    photo = read_photo(save(tmp_path / "in.jpg", cmyk, quality=100), max_pixels=LIMIT)
    assert np.abs(photo.luma.astype(int) - grey).max() <= 4
    assert any("CMYK" in warning for warning in photo.warnings)


def test_preview_is_small_and_keeps_colours(tmp_path: Path) -> None:
    rgb = np.zeros((600, 900, 3), np.uint8)
    rgb[:, :450], rgb[:, 450:] = (200, 60, 40), (30, 90, 180)
    for name in ("a.jpg", "a.png"):
        preview = read_photo(save(tmp_path / name, rgb), max_pixels=LIMIT).preview
        assert preview.shape == (256, 384, 3)
        assert np.abs(preview[128, 40].astype(int) - (200, 60, 40)).max() <= 4
        assert np.abs(preview[128, 340].astype(int) - (30, 90, 180)).max() <= 4


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


@pytest.mark.parametrize(
    ("depth", "color_type", "channels"), [(8, 0, 1), (8, 2, 3), (8, 4, 2), (8, 6, 4), (16, 0, 1), (16, 6, 4)]
)
@pytest.mark.parametrize("gamma", [1.0, 0.55556])
def test_tones_of_a_png_with_gama_are_those_that_a_viewer_shows(
    tmp_path: Path, depth: int, color_type: int, channels: int, gamma: float
) -> None:
    """Alpha has no gamma. The output is plain sRGB, so it says no gamma either."""
    top = (1 << depth) - 1
    samples = np.repeat(grey(depth)[..., None], channels, axis=2)
    chunk = (b"gAMA", struct.pack(">L", round(gamma * 100_000)))
    (tmp_path / "a.png").write_bytes(png(samples, depth, color_type, chunk))
    photo = read_photo(tmp_path / "a.png", max_pixels=LIMIT)
    light = (grey(depth) / top) ** (1 / gamma)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(photo.luma - shown * top).max() <= 0.5 + 1e-6 * top
    assert photo.spec.bits == depth
    if channels in (2, 4):
        assert photo.alpha is not None
        assert np.array_equal(photo.alpha, grey(depth))
    assert photo.warnings == (
        f"its tones are those of a gamma of {gamma:g} (PNG's gAMA): converted to sRGB, as viewers show them",
    )
    write_photo(photo, brown(photo), tmp_path / "b.png", quality=90, provenance=None)
    with Image.open(tmp_path / "b.png") as image:
        assert "gamma" not in image.info
    assert np.array_equal(read_photo(tmp_path / "b.png", max_pixels=LIMIT).luma, photo.luma)


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">L", 45_455))],
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">L", 100_000))],
        [(b"gAMA", struct.pack(">L", 1))],
    ],
)
def test_gama_that_viewers_do_not_heed_changes_nothing(tmp_path: Path, chunks: list[tuple[bytes, bytes]]) -> None:
    (tmp_path / "a.png").write_bytes(png(grey(), 8, 0, *chunks))
    photo = read_photo(tmp_path / "a.png", max_pixels=LIMIT)
    assert np.array_equal(photo.luma, grey())
    assert photo.warnings == ()


@pytest.mark.parametrize("transfer", [16, 18])
def test_a_png_of_high_dynamic_range_is_refused_as_avif_is(tmp_path: Path, transfer: int) -> None:
    (tmp_path / "a.png").write_bytes(png(grey(), 8, 0, (b"cICP", bytes((9, transfer, 0, 1)))))
    with pytest.raises(UnsupportedMedia, match=r"high dynamic range picture \(PQ or HLG\)"):
        read_photo(tmp_path / "a.png", max_pixels=LIMIT)


def test_a_png_s_own_colour_space_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(grey(), 8, 0, (b"cICP", b"\x0c\x0d\0\1")))  # Display P3
    (told,) = read_photo(tmp_path / "a.png", max_pixels=LIMIT).warnings
    assert told.startswith("its colour space (cICP 12, 13) is taken for sRGB")


def test_what_a_png_loses_is_told(tmp_path: Path) -> None:
    said = png(
        grey(), 8, 0, (b"cICP", b"\1\x0d\0\1"), (b"tEXt", b"Comment\0one"), (b"tEXt", b"Comment\0two"), (b"prVt", b"x")
    )
    (tmp_path / "a.png").write_bytes(said + b"behind")
    assert read_photo(tmp_path / "a.png", max_pixels=LIMIT).warnings == (
        "of several texts called Comment only the last is carried over",
        "other programs' chunks are not carried over: prVt",
        "what is behind the picture's end is not carried over",
    )
