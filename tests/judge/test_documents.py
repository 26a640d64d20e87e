"""Pages and drawings against photographs, on scikit-image's samples and on made ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from colorize_media.judge.documents import judge_document

Luma = NDArray[np.uint8]


def scanned(image: Image.Image, shade: float, noise: float) -> Luma:
    """A page under a lamp from the left, with a scanner's noise."""
    page = np.asarray(image).astype(np.float64) - shade * np.linspace(0, 1, image.width)
    page += np.random.default_rng(0).normal(0, noise, page.shape)
    return np.clip(np.rint(page), 0, 255).astype(np.uint8)


def text(size: int, paper: int = 245) -> Image.Image:
    image = Image.new("L", (1000, 1400), paper)
    draw = ImageDraw.Draw(image)
    for row in range(80, 1300, int(size * 1.5)):
        words = " ".join(str(31 * row % 9973 * n) for n in range(1, 40))[: int(1500 / size)]
        draw.text((80, row), words, font=ImageFont.load_default(size), fill=30)
    return image


def drawing() -> Image.Image:
    image, random = Image.new("L", (900, 900), 235), np.random.default_rng(1)
    draw = ImageDraw.Draw(image)
    for x, y, radius in random.integers(60, 400, (60, 3)).tolist():
        draw.ellipse((x, y, x + radius, y + radius), outline=50, width=3)
        draw.line((x, y, 880 - x, 860), fill=40, width=3)
    return image


@pytest.mark.parametrize(
    "page",
    [scanned(text(18), 0, 4), scanned(text(26), 60, 6), scanned(text(48, 220), 40, 5), scanned(drawing(), 20, 4)],
    ids=["text", "shaded", "large", "drawing"],
)
def test_pages_and_drawings_are_documents(page: Luma) -> None:
    verdict = judge_document(page)
    assert verdict.is_document, verdict
    assert judge_document(np.rot90(page)).is_document
    assert judge_document(page.astype(np.uint16) * 257).is_document
    assert "%" in verdict.reason


@pytest.mark.parametrize("name", ["camera", "coins", "moon", "brick", "grass", "gravel", "clock", "cell"])
def test_photographs_are_none(name: str) -> None:
    verdict = judge_document(getattr(data, name)())
    assert not verdict.is_document, verdict


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_colour_photographs_without_their_colour_are_none(name: str) -> None:
    picture = Image.fromarray(getattr(data, name)()).convert("L")
    assert not judge_document(np.asarray(picture)).is_document


def test_blank_and_tiny_pictures_are_none() -> None:
    assert not judge_document(np.full((500, 400), 250, np.uint8)).is_document
    assert not judge_document(np.zeros((500, 400), np.uint8)).is_document
    assert not judge_document(np.full((1, 1), 9, np.uint16)).is_document
    assert not judge_document(scanned(text(18), 0, 4)[:60]).is_document
