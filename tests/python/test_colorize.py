"""`colorize_media.colorize`: every kind of picture comes back as its own kind, with its own luma, in colour."""

from __future__ import annotations

import pydoc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import color as reference
from skimage import data

import colorize_media
from colorize_media import ColorizeOptions, colorize
from colorize_media.errors import BadOption, BadPicture, ColorizeError, DamagedMedia, InputMissing, InputUnreadable
from colorize_media.python import held
from tests.made.films import decode, grey_frames, make_video
from tests.made.pictures import save_grey

INTEGERS, FLOATS = (np.uint8, np.uint16), (np.float16, np.float32, np.float64)
GREY: NDArray[np.float64] = data.camera()[::8, ::6] / 255.0  # (64, 86)
SEPIA = GREY[..., None] * np.array([1.0, 0.9, 0.75])


@pytest.fixture
def small(fresh_weights: Path) -> ColorizeOptions:
    return ColorizeOptions(model=str(fresh_weights), device="cpu", working_size=64, fast=True)


def as_type(picture: NDArray[np.float64], dtype: Any) -> NDArray[Any]:
    """Over the type's own range."""
    return np.rint(picture * np.iinfo(dtype).max).astype(dtype) if dtype in INTEGERS else picture.astype(dtype)


def luma(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """BT.601 luma by scikit-image, in the type's own units."""
    scale = np.iinfo(rgb.dtype).max if rgb.dtype.kind == "u" else 1.0
    found: NDArray[np.float64] = reference.rgb2yuv(rgb.astype(np.float64) / scale)[..., 0] * scale
    return found


def has_luma_of(made: NDArray[Any], given: NDArray[Any]) -> bool:
    """Whether rounded luma is the given's, code for code; of a given luma half way between two codes either is its own."""
    before = luma(given) if given.shape == made.shape else given
    return bool((np.abs(np.rint(luma(made)) - before) <= 0.5 + 1e-6).all())


def is_colored(rgb: NDArray[Any]) -> bool:
    scale = np.iinfo(rgb.dtype).max if rgb.dtype.kind == "u" else 1.0
    return bool(np.ptp(rgb / scale, axis=-1).mean() > 0.01)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("picture", [GREY, SEPIA, np.stack([GREY, GREY[::-1]]), np.stack([SEPIA, SEPIA[:, ::-1]])])
def test_integers_keep_their_luma_code_for_code(
    small: ColorizeOptions, picture: NDArray[np.float64], dtype: Any
) -> None:
    given = as_type(picture, dtype)
    kept = given.copy()
    made = colorize(given, options=small)
    grey = picture.shape[-1] != 3
    assert (made.dtype, made.shape) == (dtype, (*picture.shape, 3) if grey else picture.shape)
    assert is_colored(made)
    assert has_luma_of(made, given)
    assert np.array_equal(given, kept)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("picture", [GREY, SEPIA])
def test_floating_point_keeps_its_luma_but_for_its_own_rounding(
    small: ColorizeOptions, picture: NDArray[np.float64], dtype: Any
) -> None:
    given = picture.astype(dtype)
    made = colorize(given, options=small)
    assert (made.dtype, made.shape) == (dtype, (*GREY.shape, 3))
    assert made.min() >= 0
    assert made.max() <= 1
    assert is_colored(made)
    before = given.astype(np.float64) if picture.ndim == 2 else luma(given)
    assert np.abs(luma(made) - before).max() <= np.finfo(dtype).eps
    whole = colorize(as_type(picture, np.uint16), options=small) / 65535
    assert np.abs(made - whole).max() < 2e-3 + np.finfo(dtype).eps  # the same colours


def test_a_batch_is_each_picture_by_itself_and_tells_how_far_it_is(small: ColorizeOptions) -> None:
    many = np.stack([as_type(np.roll(GREY, 5 * n, axis=1), np.uint8) for n in range(18)])
    told: list[tuple[int, int | None]] = []
    made = colorize(many, options=small, progress=lambda done, total: told.append((done, total)))
    for place in (0, 17):
        alone = colorize(many[place], options=small)
        assert np.abs(made[place].astype(int) - alone.astype(int)).max() <= 3  # the last bits of a pass
    assert told == [(16, 18), (18, 18)]


@pytest.mark.parametrize("view", ["big-endian", "read-only", "strided", "subclass"])
def test_arrays_as_they_come(small: ColorizeOptions, view: str) -> None:
    picture = as_type(GREY, np.uint16)
    expected = colorize(picture, options=small)
    if view == "big-endian":
        given: NDArray[Any] = picture.astype(">u2")
    elif view == "strided":
        given = np.repeat(picture, 2, axis=1)[:, ::2]
    else:
        given = picture.view(np.ma.MaskedArray) if view == "subclass" else picture.copy()
        given.flags.writeable = view != "read-only"
    made = colorize(given, options=small)
    assert made.dtype == given.dtype
    assert np.array_equal(made, expected)


def test_what_is_in_colour_or_has_two_tones_is_returned_as_it_is_and_said_so(small: ColorizeOptions) -> None:
    cup = data.coffee()[::8, ::8]
    with pytest.warns(UserWarning, match="the picture is returned as it is: already in colour") as told:
        assert np.array_equal(colorize(cup, options=small), cup)
    assert told[0].filename == __file__
    forced = colorize(cup, options=ColorizeOptions(**{**vars(small), "force": True}))
    assert not np.array_equal(forced, cup)
    assert has_luma_of(forced, cup)
    dots = np.random.default_rng(1).integers(0, 2, (40, 40), np.uint8) * np.uint8(255)
    with pytest.warns(UserWarning, match="black and white only"):
        assert np.array_equal(colorize(dots, options=small), np.repeat(dots[..., None], 3, axis=2))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2)])
def test_sizes_that_nobody_thinks_of(small: ColorizeOptions, size: tuple[int, int]) -> None:
    given = np.full(size, 90, np.uint8)
    assert has_luma_of(colorize(given, options=small), given)


REFUSED: list[tuple[Any, str, str]] = [
    (np.zeros((8, 8), np.int64), "int64", "astype"),
    (np.zeros((8, 8), bool), "bool", "give greys"),
    (np.zeros((8, 8), object), "object", "astype"),
    (np.zeros((8, 8), np.complex64), "complex64", "astype"),
    (np.zeros((0, 8), np.uint8), "(0, 8)", "pixels"),
    (np.zeros((0, 8, 8, 3), np.uint8), "(0, 8, 8, 3)", "pixels"),
    (np.zeros(8, np.uint8), "(8,)", "channels come last"),
    (np.array(7, np.uint8), "()", "channels come last"),
    (np.zeros((2, 3, 8, 8), np.uint8), "(2, 3, 8, 8)", "np.moveaxis"),
    (np.zeros((8, 8, 4), np.uint8), "(8, 8, 4)", "picture[..., :3]"),
    (np.zeros((2, 8, 8, 1), np.uint8), "(2, 8, 8, 1)", "picture[..., 0]"),
    (np.ma.masked_equal(np.zeros((8, 8), np.uint8), 0), "no value", "filled"),
    (np.full((8, 8), np.nan), "NaN", "nan_to_num"),
    (np.full((8, 8), 200.0), "200", "/ 255"),
    (np.full((8, 8), -np.inf), "-inf", "clip"),
    (np.zeros((2000, 3000), np.uint8), "6,000,000", "max_pixels"),
    ([[1, 2], [3, 4]], "str or Path", "numpy.asarray"),
    (None, "str or Path", "numpy.asarray"),
    (b"\xff\xd8", "str or Path", "numpy.asarray"),
    (Image.new("I;16", (8, 8)), "I;16", "asarray"),
    (Image.new("F", (8, 8)), "F", "asarray"),
    (Image.new("CMYK", (8, 8)), "neither grey nor", 'convert("RGB")'),
]


@pytest.mark.parametrize(("picture", "why", "hint"), REFUSED)
def test_what_is_no_picture_is_refused_with_what_to_do(picture: Any, why: str, hint: str) -> None:
    with pytest.raises(BadPicture) as caught:
        colorize(picture, options=ColorizeOptions(max_pixels=5_000_000))
    assert isinstance(caught.value, ColorizeError)
    assert why in caught.value.why
    assert hint in caught.value.hint


# --- Pillow


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
def test_an_image_of_pillow_gives_one(small: ColorizeOptions, mode: str) -> None:
    image = Image.fromarray(as_type(GREY, np.uint8)).convert(mode)
    if mode[-1] == "A":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.info["dpi"] = (300, 300)
    made = colorize(image, options=small)
    assert made.mode == ("RGBA" if mode[-1] == "A" else "RGB")
    assert made.size == image.size
    assert made.info["dpi"] == (300, 300)
    assert is_colored(np.asarray(made.convert("RGB")))
    assert has_luma_of(np.asarray(made)[..., :3], np.asarray(image.convert("L")))
    if mode[-1] == "A":
        assert np.array_equal(np.asarray(made)[..., 3], np.asarray(image)[..., -1])


def test_an_image_comes_out_upright_with_its_exif(small: ColorizeOptions, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Oma"
    Image.fromarray(as_type(GREY, np.uint8)).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        made = colorize(image, options=small)
    assert made.size == GREY.shape
    assert made.getexif().get(0x0112, 1) == 1
    assert made.getexif()[0x010E] == "Oma"
    made.save(tmp_path / "made.png")


def test_an_image_that_is_cut_is_told(tmp_path: Path) -> None:
    whole = save_grey(tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with Image.open(tmp_path / "cut.jpg") as image, pytest.raises(BadPicture, match="cannot be decoded"):
        colorize(image)


# --- files


@pytest.mark.parametrize("kind", [str, Path])
def test_a_name_gives_the_name_of_the_file_in_colour(small: ColorizeOptions, tmp_path: Path, kind: type) -> None:
    source = save_grey(tmp_path / "old.png")
    told: list[tuple[int, int | None]] = []
    made = colorize(kind(source), options=small, progress=lambda *how_far: told.append(how_far))
    assert isinstance(made, kind)
    assert made == kind(tmp_path / "old.color.png")
    assert told == [(1, 1)]
    with Image.open(source) as before, Image.open(made) as after:
        assert has_luma_of(np.asarray(after), np.asarray(before.convert("L")))
    elsewhere = colorize(kind(source), tmp_path / "there", options=small)
    assert elsewhere == kind(tmp_path / "there" / "old.png")


def test_a_film_by_its_name(small: ColorizeOptions, tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mkv", frames=grey_frames(8))
    told: list[tuple[int, int | None]] = []
    made = colorize(film, tmp_path / "out.mkv", options=small, progress=lambda *how_far: told.append(how_far))
    assert made == tmp_path / "out.mkv"
    assert len(decode(made)) == 8
    assert told[-1] == (8, 8)


def test_what_is_there_and_what_has_colour_is_left_and_said(small: ColorizeOptions, tmp_path: Path) -> None:
    source = save_grey(tmp_path / "old.png")
    made = colorize(source, options=small)
    before = made.stat().st_ino
    with pytest.warns(UserWarning, match=r"old.png: .*already") as told:
        assert colorize(source, options=small) == made
    assert told[0].filename == __file__
    assert made.stat().st_ino == before
    assert colorize(source, options=small, overwrite=True) == made
    assert made.stat().st_ino != before
    Image.fromarray(data.coffee()).save(tmp_path / "new.png")
    with pytest.warns(UserWarning, match="already in colour"):
        assert colorize(tmp_path / "new.png", options=small) == tmp_path / "new.png"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.png", "old.color.png", "old.png"]


def test_files_fail_as_the_command_fails(small: ColorizeOptions, tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no such file"):
        colorize(tmp_path / "none.jpg", options=small)
    with pytest.raises(InputUnreadable, match="a folder"):
        colorize(tmp_path, options=small)
    whole = save_grey(tmp_path / "whole.jpg").read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedMedia) as caught:
        colorize(str(cut), options=small)
    assert caught.value.path == cut
    assert not list(tmp_path.glob("*.color.*"))
    with pytest.raises(BadOption, match="only files"):
        colorize(np.zeros((8, 8), np.uint8), "out.png")  # type: ignore[call-overload]
    with pytest.raises(BadOption, match="options is a dict") as wrong:
        colorize(np.zeros((8, 8), np.uint8), options={"fast": True})  # type: ignore[call-overload]
    assert "ColorizeOptions(" in (wrong.value.hint or "")


# --- the network


def test_the_network_is_loaded_once_and_threads_may_call_at_the_same_time(
    small: ColorizeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays and a file at once; each gets what it would get alone."""
    loads: list[str] = []
    real = held.Colorizer

    def counted(*words: Any, **settings: Any) -> Any:
        loads.append(threading.current_thread().name)
        return real(*words, **settings)

    monkeypatch.setattr(held, "Colorizer", counted)
    held._load.cache_clear()
    pictures = [as_type(np.roll(GREY, 9 * n, axis=1)[: 64 - 4 * n], np.uint8) for n in range(6)]
    source = save_grey(tmp_path / "old.png")
    with ThreadPoolExecutor(7) as pool:
        file = pool.submit(colorize, source, options=small)
        made = list(pool.map(lambda picture: colorize(picture, options=small), pictures))
    assert len(loads) == 1
    for picture, rgb in zip(pictures, made, strict=True):
        assert np.abs(rgb.astype(int) - colorize(picture, options=small).astype(int)).max() <= 1
    assert file.result() == tmp_path / "old.color.png"
    assert len(loads) == 1
    held._load.cache_clear()


def test_a_device_that_is_not_there_is_told(small: ColorizeOptions) -> None:
    with pytest.raises(ColorizeError, match="cuda:99"):
        colorize(np.full((8, 8), 90, np.uint8), options=ColorizeOptions(**{**vars(small), "device": "cuda:99"}))


def test_help_is_a_page_that_teaches() -> None:
    page = pydoc.plain(pydoc.render_doc(colorize_media))
    for words in (
        "colorize(picture",
        'colorize("old.jpg")',
        "numpy",
        "Pillow",
        "docs/python.md",
        "class ColorizeOptions",
        "BadPicture",
    ):
        assert words in page, words
    assert len(page.splitlines()) < 400
