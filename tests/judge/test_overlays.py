"""What is printed over a grey picture or lies beside it decides nothing; a photographed thing does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from colorize_media.judge.decision import decide_photo
from colorize_media.judge.monochrome import decide, evidence
from colorize_media.judge.survey import survey
from colorize_media.options import ColorizeOptions
from tests.judge.test_monochrome import CAMERA, TONES, small, through_jpeg, toned

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]
ASTRONAUT = small(data.astronaut())


def written(picture: Picture, text: str, color: Color, at: tuple[float, float], size: int = 16) -> Picture:
    image = Image.fromarray(picture)
    place = at[0] * image.width, at[1] * image.height
    ImageDraw.Draw(image).text(place, text, fill=color, font=ImageFont.load_default(size), anchor="mm")
    return np.asarray(image)


def pasted(picture: Picture, color: Color, rows: slice, columns: slice) -> Picture:
    out = picture.copy()
    out[rows, columns] = color
    return out


def album(*pictures: Picture, color: Color = (95, 72, 50)) -> Picture:
    """Photographs with white margins on one page, of paper with grain."""
    noise = np.random.default_rng(1).normal(0, 3, (296, 20 + 276 * len(pictures), 1))
    page = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
    for number, picture in enumerate(pictures):
        left = 20 + 276 * number
        page[20:276, left : left + 256] = 245
        page[28:268, left + 8 : left + 248] = cv2.resize(picture, (240, 240), interpolation=cv2.INTER_AREA)
    return page


def with_target(picture: Picture) -> Picture:
    page = np.full((300, 340, 3), 235, np.uint8)
    page[20:276, 20:276] = picture
    for row, color in enumerate([(180, 40, 40), (40, 140, 60), (40, 60, 170), (220, 200, 40), (200, 60, 150)]):
        page[20 + 36 * row : 56 + 36 * row, 290:325] = color  # they touch
    return page


def with_ball(picture: Picture, across: int = 70) -> Picture:
    """A shaded ball that stands in the picture."""
    x, y = np.meshgrid(np.linspace(-1, 1, across), np.linspace(-1, 1, across))
    light = np.clip(1.1 - np.hypot(x + 0.4, y + 0.4) / 1.6, 0.1, 1)[..., None] * np.array([230, 50, 40])
    out = picture.copy()
    out[100 : 100 + across, 100 : 100 + across][np.hypot(x, y) < 1] = light[np.hypot(x, y) < 1].astype(np.uint8)
    return out


LOGO = pasted(
    pasted(CAMERA, (200, 20, 30), slice(15, 45), slice(205, 245)), (240, 220, 40), slice(22, 38), slice(214, 236)
)
OVERLAID = {
    "subtitle": written(CAMERA, "Where were you last night?", (255, 230, 40), (0.5, 0.9)),
    "clock": written(CAMERA, "12:34:56:07", (90, 255, 90), (0.5, 0.08)),
    "date": written(CAMERA, "'87 12 24", (255, 140, 30), (0.7, 0.92), 30),
    "logo": LOGO,
    "sticker": pasted(CAMERA, (200, 40, 30), slice(100, 140), slice(100, 150)),
    "colour target": with_target(CAMERA),
    "album page": album(CAMERA, CAMERA[::-1]),
    "green mat": album(CAMERA, color=(40, 70, 50)),
    "handwriting": written(CAMERA, "not for print", (190, 30, 40), (0.5, 0.5), 24),
}


@pytest.mark.parametrize("name", OVERLAID)
def test_overlays_decide_nothing(name: str) -> None:
    verdict = decide([through_jpeg(OVERLAID[name], 90)])
    assert verdict.is_monochrome, verdict
    assert not verdict.close
    if name not in ("album page", "green mat"):  # paper may pass for the tone of its lightness
        assert "but for" in verdict.reason


@pytest.mark.parametrize("name", ["subtitle", "clock", "logo"])
def test_a_film_with_an_overlay_is_black_and_white(name: str) -> None:
    frame = through_jpeg(OVERLAID[name], 90)
    assert survey([CAMERA, frame] * 4).kind == "monochrome"
    shot = cv2.resize(frame, (128, 128), interpolation=cv2.INTER_AREA)  # as a mixed film's shots are looked at
    assert evidence(shot, among_color=True) == "monochrome"


def test_a_toned_print_with_a_subtitle_is_toned() -> None:
    sepia = toned(CAMERA, TONES["sepia"])
    over = written(sepia, "Where were you?", (80, 255, 255), (0.5, 0.9))
    assert decide([through_jpeg(over, 92)]).kind == "toned"


@pytest.mark.parametrize("name", ["subtitle", "logo", "sticker"])
def test_overlays_on_a_colour_picture_change_nothing(name: str) -> None:
    faint = np.rint(0.4 * ASTRONAUT + 0.6 * ASTRONAUT.mean(axis=2, keepdims=True)).astype(np.uint8)
    for picture in (ASTRONAUT, faint):
        assert decide([np.where(OVERLAID[name] != CAMERA, OVERLAID[name], picture)]).kind == "color"


def test_photographs_in_colour_on_a_page_or_a_wall_stay_in_colour() -> None:
    assert decide([album(ASTRONAUT)]).kind == "color"
    assert decide([album(CAMERA, ASTRONAUT)]).kind == "color"
    wall = np.full((400, 600, 3), 128, np.uint8)
    wall[60:188, 60:188] = cv2.resize(ASTRONAUT, (128, 128), interpolation=cv2.INTER_AREA)
    assert decide([wall]).kind == "color"


def test_what_is_no_photograph_but_for_a_few_colours_stays_in_colour() -> None:
    ink = np.where(CAMERA > 110, 255, 0).astype(np.uint8)
    assert decide([pasted(ink, (230, 60, 50), slice(20, 80), slice(150, 230))]).kind == "color"


def test_fine_noise_of_colour_is_none_at_the_scale_of_objects() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(2).normal(0, 1, CAMERA.shape), (0, 0), 1)
    noisy = np.clip(CAMERA + 8 * noise / noise.std(), 0, 255).astype(np.uint8)
    verdict = decide([noisy])
    assert verdict.kind == "neutral", verdict
    assert "noise" in verdict.reason
    assert decide([np.clip(ASTRONAUT + 12.0 * noise / noise.std(), 0, 255).astype(np.uint8)]).kind == "color"


def test_one_coloured_thing_that_was_photographed_on_a_grey_picture_is_colour() -> None:
    assert decide([through_jpeg(with_ball(CAMERA), 90)]).kind == "color"


def test_a_close_verdict_names_what_to_do() -> None:
    picture = with_ball(CAMERA)
    found = decide_photo(picture, picture[..., 0], ColorizeOptions())
    assert not found.colorize
    assert found.told.startswith("already in colour: ")
    assert "--force" in found.told
    assert "colorize-media inspect" in found.told
    clear = decide_photo(ASTRONAUT, ASTRONAUT[..., 0], ColorizeOptions())
    assert "--force" not in clear.told
