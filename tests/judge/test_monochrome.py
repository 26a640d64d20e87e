"""Grey, toned or colour: on pictures made here and on scikit-image's samples, through real JPEG noise."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from colorize_media.color.spaces import lab_to_rgb
from colorize_media.judge.monochrome import decide

Picture = NDArray[np.uint8]


def small(picture: NDArray[np.uint8], side: int = 256) -> Picture:
    image = Image.fromarray(picture).convert("RGB")
    scale = side / min(image.size)
    return np.asarray(image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX))


def through_jpeg(picture: Picture, quality: int) -> Picture:
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, "JPEG", quality=quality)
    return np.asarray(Image.open(memory).convert("RGB"))


def grainy(picture: Picture, sigma: float = 6.0) -> Picture:
    """Independent noise of ``sigma`` codes in each channel, as a scanner makes it."""
    noise = np.random.default_rng(1).normal(0.0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def toned(
    grey: Picture, tone: Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> Picture:
    """A grey picture with (a, b) = tone(L)."""
    lightness = grey[..., 0].astype(np.float32) / 255.0 * 90.0 + 5.0
    a, b = tone(lightness)
    lab = torch.from_numpy(np.stack((lightness, a, b)).astype(np.float32))
    return np.rint(lab_to_rgb(lab).permute(1, 2, 0).numpy() * 255.0).astype(np.uint8)


PRINT = np.repeat(data.camera()[..., None], 3, axis=2)  # 512 × 512: scanned, then compressed, then made small
CAMERA = small(PRINT)
TONES: dict[str, Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]] = {
    "sepia": lambda light: (np.full_like(light, 6.0), 8.0 + 0.10 * light),
    "strong sepia": lambda light: (10.0 + 0 * light, 26.0 - 0.05 * light),
    "cyanotype": lambda light: (-2.0 + 0 * light, -24.0 * np.sin(np.pi * light / 100.0)),
    "selenium": lambda light: (4.0 - 0.03 * light, -2.0 + 0 * light),
    "yellowed paper": lambda light: (0.02 * light, 0.16 * light),
    "split tone": lambda light: (0.03 * (light - 50.0), 0.25 * (light - 50.0)),
}


@pytest.mark.parametrize("quality", [95, 40])
def test_grey_pictures_stay_grey_through_jpeg_and_grain(quality: int) -> None:
    assert decide([CAMERA]).kind == "neutral"
    assert decide([through_jpeg(grainy(CAMERA), quality)]).kind == "neutral"


def test_scanner_cast_of_a_grey_print_is_grey_or_a_tone() -> None:
    cast = np.clip(CAMERA.astype(np.int32) + np.array([3, 0, -3]), 0, 255).astype(np.uint8)
    assert decide([cast]).is_monochrome


@pytest.mark.parametrize(
    ("name", "quality"), [(name, 95) for name in TONES] + [(name, 75) for name in TONES if name != "cyanotype"]
)  # a strong blue after strong compression looks like snow or sky, and is left alone
def test_evenly_toned_prints_are_toned_through_jpeg_and_grain(name: str, quality: int) -> None:
    verdict = decide([small(through_jpeg(grainy(toned(PRINT, TONES[name])), quality))])
    assert verdict.kind == "toned", verdict


def test_stained_border_and_torn_corner_do_not_make_a_print_colour() -> None:
    picture = toned(CAMERA, TONES["sepia"]).astype(np.float32)
    picture[:, :10] *= (1.0, 0.93, 0.8)  # a brown stain along one side
    picture[:18, -18:] = (250, 250, 255)  # the paper behind
    verdict = decide([through_jpeg(picture.astype(np.uint8), 90)])
    assert verdict.kind == "toned", verdict


@pytest.mark.parametrize("sample", ["astronaut", "coffee", "chelsea", "rocket", "retina", "immunohistochemistry"])
@pytest.mark.parametrize("quality", [95, 40])
def test_colour_pictures_are_colour(sample: str, quality: int) -> None:
    try:
        picture = getattr(data, sample)()
    except (OSError, ValueError, ConnectionError, ModuleNotFoundError) as problem:  # not bundled, and no network
        pytest.skip(f"scikit-image's {sample} is not here: {problem}")
    verdict = decide([through_jpeg(small(picture), quality)])
    assert verdict.kind == "color", verdict


def test_pale_colour_is_colour() -> None:
    """A desaturated photograph still has its own colours: a third of the chroma of a portrait."""
    picture = small(data.astronaut()).astype(np.float32)
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    pale = grey[..., None] + 0.34 * (picture - grey[..., None])
    assert decide([np.rint(pale).astype(np.uint8)]).kind == "color"


def test_two_toned_hands_are_colour() -> None:
    """Hand-coloured: one half sepia, one half blue, the same lightness in both."""
    picture = toned(CAMERA, TONES["sepia"])
    picture[:, 128:] = toned(CAMERA, TONES["cyanotype"])[:, 128:]
    assert decide([picture]).kind == "color"


def test_even_coloured_area_is_not_called_a_tone() -> None:
    sky = np.full((100, 150, 3), (90, 140, 220), np.uint8)
    assert decide([sky]).kind == "color"
    assert decide([np.full((100, 150, 3), 128, np.uint8)]).kind == "neutral"
    assert decide([np.zeros((1, 1, 3), np.uint8)]).kind == "neutral"


def test_film_is_colour_if_any_frame_is_and_shots_may_have_their_own_tone() -> None:
    sepia, blue = toned(CAMERA, TONES["sepia"]), toned(CAMERA, TONES["cyanotype"])
    black = np.zeros_like(CAMERA)
    assert decide([CAMERA, sepia, blue, black]).kind == "toned"
    assert decide([CAMERA, black, CAMERA]).kind == "neutral"
    verdict = decide([CAMERA, sepia, small(data.astronaut()), black])
    assert verdict.kind == "color"
    assert verdict.frame == 2


def test_fade_of_a_toned_film_does_not_make_it_colour() -> None:
    sepia = toned(CAMERA, TONES["strong sepia"])
    faded = np.rint(sepia * 0.06 + np.array([60, 40, 20])).astype(np.uint8)  # nearly even brown
    assert decide([sepia, faded]).kind == "toned"


@pytest.mark.parametrize(("towards", "in_a_film"), [((0.0, 0.2, 1.0), "toned"), ((0.7, -0.5, 0.0), "color")])
def test_film_is_judged_more_strictly_than_a_print(towards: tuple[float, ...], in_a_film: str) -> None:
    """A film is dyed evenly, though compression lets its tone fade; what differs across its hue is a dull colour shot."""
    picture = toned(CAMERA, TONES["sepia"]).astype(np.float32)
    picture += np.linspace(-9, 9, picture.shape[1])[None, :, None] * np.array(towards)
    uneven = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    assert decide([uneven]).kind == "toned"
    assert decide([uneven], film=True).kind == in_a_film


def test_a_print_that_has_yellowed_unevenly_is_toned() -> None:
    """More on one side and in one corner; a photograph in colour has edges that no place explains."""
    y, x = np.mgrid[0 : 1 : CAMERA.shape[0] * 1j, 0 : 1 : CAMERA.shape[1] * 1j]
    share = (0.5 * x + 0.5 * x * y)[..., None]
    picture = CAMERA * (1.0 - share * np.array([0.0, 0.09, 0.3])) * [1.0, 0.97, 0.92]
    verdict = decide([through_jpeg(np.rint(picture).astype(np.uint8), 92)])
    assert verdict.kind == "toned", verdict
    assert "fading" in verdict.reason
    two = picture.copy()
    two[60:190, 90:200] *= [0.95, 1.0, 1.25]  # a garment that is not yellowed
    assert decide([np.clip(np.rint(two), 0, 255).astype(np.uint8)]).kind == "color"


def test_reason_is_one_clause_with_a_number() -> None:
    for picture in (CAMERA, toned(CAMERA, TONES["sepia"]), small(data.astronaut())):
        reason = decide([picture]).reason
        assert any(character.isdigit() for character in reason)
        assert not reason.endswith(".")
        assert "\n" not in reason


def test_no_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="no picture"):
        decide([])
