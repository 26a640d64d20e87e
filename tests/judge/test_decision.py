"""Whether something is coloured, and how that is told: one answer for colouring, previews and inspection."""

from __future__ import annotations

import dataclasses
import tarfile
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.events import What
from colorize_media.judge.decision import Decision, decide_film, decide_photo
from colorize_media.judge.survey import survey
from colorize_media.options import ColorizeOptions
from colorize_media.photo.pages import read_photo

ASK = ColorizeOptions()
FORCE = ColorizeOptions(force=True)
GREY = np.repeat(data.camera()[..., None], 3, axis=2)
COLOR = data.coffee()


def decided(path: Path, options: ColorizeOptions) -> Decision:
    photo = read_photo(path, max_pixels=10**8)
    return decide_photo(photo.preview, photo.luma, options)


def of(pixels: np.ndarray, tmp_path: Path, options: ColorizeOptions) -> Decision:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return decided(tmp_path / "a.png", options)


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


def test_a_close_verdict_names_what_to_do_in_films_too() -> None:
    """A subtitle's colours on a third of a grey film: colour, and close."""
    painted = GREY.copy()
    painted[100:300, 100:250] = cv2.resize(COLOR, (150, 200))
    close = decide_film(survey([painted] * 8), ASK)
    clear = decide_film(survey([COLOR] * 8), ASK)
    assert not close.colorize
    assert not clear.colorize
    assert close.told.startswith("already in colour: ")
    assert "a close verdict: if it is black and white, --force colours it" in close.told
    assert "colorize-media inspect" in close.told
    assert close.doubted in close.told
    assert close.doubted.endswith("--force colours it")
    assert "--force" not in clear.told + clear.doubted
    assert "--force colours" in decide_film(survey([GREY, COLOR] * 4), ASK).told


@pytest.mark.parametrize("what", get_args(What))
def test_people_are_told_what_it_is_in_front_of_why_and_only_once(what: What) -> None:
    head = {"color": "already in colour: ", "document": "a document: ", "unknown": ""}.get(what, f"{what}: ")
    told = Decision(what, what not in ("color", "document"), "why: not").told
    assert told == f"{head}why: not"
    assert Decision(what, True, f"{what}: why").told == f"{what}: why"


# --- real pictures

# Of the validation pictures, all six to the eye: sepia, though they are said to be in colour.
SEPIA = {
    *("f1e39e94e71583de", "39eec2f6449013a3", "e3fc5f4c9eab6f87"),
    *("418d117e057ce51f", "f119add04db2e051", "e299ace7d906f377"),
}


def test_of_old_prints_at_most_three_in_a_hundred_are_taken_for_colour(shared_media: Path) -> None:
    """One is toned so unevenly that it is the miss."""
    found = {path.stem: decided(path, ASK) for path in sorted((shared_media / "bw_photo").iterdir())}
    assert len(found) > 40
    left = {name for name, decision in found.items() if not decision.colorize}
    assert left <= {"BritishTeaBombay1890s"}


@pytest.mark.parametrize("name", ["P_e2.jpg", "P_p14.jpg"])
def test_what_lies_over_a_reported_print_decides_nothing(shared_media: Path, name: str) -> None:
    """A few of its pixels must not be taken for all its tones either."""
    decision = decided(shared_media / "reported" / name, ASK)
    assert decision.colorize, decision.told


@pytest.mark.slow
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
def test_of_a_thousand_colour_photographs_none_is_taken_for_black_and_white(
    shared_media: Path, tmp_path: Path, every: int
) -> None:
    taken, count, seen = set(), 0, 0
    with tarfile.open(shared_media.parent / "photos" / "val.tar") as archive:
        for member in archive:
            count += 1
            if count % every:
                continue
            seen += 1
            file = archive.extractfile(member)
            assert file is not None
            path = tmp_path / "a.webp"
            path.write_bytes(file.read())
            if decided(path, ASK).colorize:
                taken.add(Path(member.name).stem)
    assert (count, seen) == (1000, 1000 // every)
    assert taken <= SEPIA


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("force", [False, True])
def test_black_and_white_without_a_tone_between_is_left_alone(dtype: type, force: bool) -> None:
    """A halftone: no chroma fits black or white, so it would come out as it went in, and count as coloured."""
    dots = np.random.default_rng(1).integers(0, 2, (60, 80)) * np.iinfo(dtype).max
    preview = np.full((30, 40, 3), 128, np.uint8)
    options = ColorizeOptions(force=force)
    decision = decide_photo(preview, dots.astype(dtype), options)
    assert not decision.colorize
    assert decision.told.startswith("a document: it has black and white only and no tone between")
    dots[7, 9] = 3
    assert decide_photo(preview, dots.astype(dtype), options).colorize
