"""Photographs that look like a film's frames are told of; numbered photographs are not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from colorize_media.archive.memory import Memory
from colorize_media.archive.plan import make_plan
from colorize_media.archive.sequence_hint import hints
from colorize_media.cli.main import run
from colorize_media.errors import BadOption
from colorize_media.options import ColorizeOptions
from tests.made.clips import pan


def film(folder: Path, count: int, first: int = 7, step: int = 1) -> Path:
    folder.mkdir()
    wide = cv2.resize(skimage.data.camera(), (64 + 2 * count, 48))
    for n, grey in enumerate(pan(wide, count, 64)):
        cv2.imwrite(str(folder / f"scan_{first + step * n:04}.png"), grey)
    return folder


def told(folder: Path, options: ColorizeOptions | None = None) -> list[str]:
    options = options or ColorizeOptions()
    plan = make_plan([folder], None, overwrite=False, memory=Memory(options))
    return [f"{event.source.name}: {event.message}" for event in hints(plan, options)]


def test_frames_of_a_film_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "scan_%04d.png: these 30 pictures look like frames of a film: --image-sequence 24 keeps them steady"
    folder = film(tmp_path / "in", 30)
    assert told(folder) == [line]
    assert run(["-n", str(folder)]) == 0
    assert line in capsys.readouterr().out
    assert run(["-n", "--json", str(folder)]) == 0
    assert '"event": "warned"' in capsys.readouterr().out
    assert told(folder, replace(ColorizeOptions(), image_sequence=Fraction(24))) == []


def test_too_few_and_gaps_are_not(tmp_path: Path) -> None:
    assert told(film(tmp_path / "few", 23)) == []
    assert told(film(tmp_path / "odd", 30, step=2)) == []


def test_photographs_with_a_cameras_numbers_are_not(tmp_path: Path) -> None:
    pictures = (skimage.data.camera(), skimage.data.coins(), skimage.data.moon(), skimage.data.page())
    (tmp_path / "in").mkdir()
    for n in range(40):
        grey = np.roll(cv2.resize(pictures[n % 4], (96, 64)), 11 * n, axis=n % 2)
        cv2.imwrite(str(tmp_path / "in" / f"DSC{n + 1:04}.jpg"), grey)
    assert told(tmp_path / "in") == []


def test_one_film_of_frames_is_refused_before_any_work(tmp_path: Path) -> None:
    options = ColorizeOptions(image_sequence=Fraction(24))
    with pytest.raises(BadOption, match="frames are written back as frames") as caught:
        make_plan([film(tmp_path / "in", 3)], tmp_path / "film.mkv", overwrite=False, memory=Memory(options))
    assert caught.value.hint.startswith("give a folder with -o")
