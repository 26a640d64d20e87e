"""Whether something is coloured, and how that is told: one answer for colouring, previews and inspection."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.color_shots import survey
from colorize_media.decision import Decision, What, decide_film, decide_photo, what_was_told
from colorize_media.options import ColorizeOptions
from colorize_media.photo import read_photo

ASK = ColorizeOptions()
FORCE = ColorizeOptions(force=True)
GREY = np.repeat(data.camera()[..., None], 3, axis=2)
COLOR = data.coffee()


def of(pixels: np.ndarray, tmp_path: Path, options: ColorizeOptions) -> Decision:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return decide_photo(read_photo(tmp_path / "a.png", max_pixels=10**8), options)


def test_photographs(tmp_path: Path) -> None:
    assert (found := of(data.camera(), tmp_path, ASK)).colorize
    assert found.told == f"neutral: {found.reason}"
    left = of(COLOR, tmp_path, ASK)
    assert (left.what, left.colorize) == ("color", False)
    assert left.told == f"already in colour: {left.reason}"
    assert of(COLOR, tmp_path, FORCE).colorize
    documents = dataclasses.replace(FORCE, skip_documents=True)
    page = of(data.text(), tmp_path, documents)
    assert (page.what, page.colorize) == ("document", False)
    assert page.told.startswith("a document: ")
    assert of(data.text(), tmp_path, ASK).document is None  # it costs time, and was not asked for


@pytest.mark.parametrize(
    ("frames", "what"), [([GREY] * 4, "neutral"), ([COLOR] * 4, "color"), ([GREY, COLOR] * 4, "mixed"), ([], "unknown")]
)
def test_films(frames: list[np.ndarray], what: str) -> None:
    found = decide_film(survey(frames) if frames else None, ASK)
    assert (found.what, found.colorize) == (what, what != "color")
    assert decide_film(survey(frames) if frames else None, FORCE).colorize
    assert found.told.count(f"{what}: ") <= 1


@pytest.mark.parametrize("what", get_args(What))
def test_what_it_is_can_be_read_from_what_is_told(what: What) -> None:
    left = what in ("color", "document")
    expected = None if what == "unknown" else what
    assert what_was_told(Decision(what, not left, "why: not").told) == expected
    assert what_was_told("cannot decode: neutral: no") is None
    assert what_was_told("") is None
