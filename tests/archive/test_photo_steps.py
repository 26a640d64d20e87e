"""What is done to one picture, step by step, without a queue."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.photo_steps import Decoded, PhotoSteps, Reading, Settled, Waiting
from colorize_media.events import Done, Failed, Planned, Skipped
from colorize_media.network.colorizer import Colorizer
from colorize_media.photo.colorize import PreparedPages, PreparedPhoto
from tests.archive.runs import SMALL, save_planned
from tests.made.records import BY

GREY = np.zeros((16, 24, 2), np.float32)


def steps_for(item: Planned, told: list[Reading]) -> tuple[PhotoSteps, Waiting, InFlight]:
    assert item.target is not None
    folders = OutputFolders()
    watch = InFlight([item], folders)
    return PhotoSteps(SMALL, folders, watch, told.append), Waiting(0, item, item.target, 0, time.monotonic()), watch


def decoded(steps: PhotoSteps, waiting: Waiting) -> tuple[Decoded, PreparedPhoto]:
    found = steps.decode(waiting)
    assert isinstance(found, Decoded)
    assert isinstance(found.prepared, PreparedPhoto)
    return found, found.prepared


def in_flight(out: Path) -> list[list[str]]:
    (path,) = out.glob(".colorize-media-*.begun")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_from_waiting_to_decoded_to_settled(tmp_path: Path) -> None:
    (item,) = save_planned(tmp_path, 1)
    told: list[Reading] = []
    steps, waiting, watch = steps_for(item, told)
    found, photo = decoded(steps, waiting)
    assert [reading.waiting for reading in told] == [waiting]
    assert found.source == item.source.stat()
    end = steps.write(found, photo, GREY, BY)
    watch.close()
    assert isinstance(end.outcome.result, Done)
    assert (end.waiting, end.outcome.source) == (waiting, found.source)
    assert waiting.target.stat().st_mtime_ns == item.source.stat().st_mtime_ns


def test_an_output_that_has_come_meanwhile_stays(tmp_path: Path) -> None:
    (item,) = save_planned(tmp_path, 1)
    told: list[Reading] = []
    steps, waiting, watch = steps_for(item, told)
    waiting.target.write_bytes(b"another's")
    end = steps.decode(waiting)
    watch.close()
    assert isinstance(end, Settled)
    assert isinstance(end.outcome.result, Skipped)
    assert told == []
    assert waiting.target.read_bytes() == b"another's"


def test_a_failure_ends_the_picture_and_says_where(tmp_path: Path) -> None:
    (item,) = save_planned(tmp_path, 1)
    steps, waiting, watch = steps_for(item, [])
    found, photo = decoded(steps, waiting)
    watch.close()
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_text("in the way")
    end = steps.write(found, photo, GREY, BY)
    assert isinstance(end.outcome.result, Failed)
    assert end.outcome.result.what == "cannot make the output folder"
    assert "Traceback" in end.outcome.result.trace
    assert end.outcome.source == found.source


def test_pages_are_known_to_be_in_a_decoder_while_they_are_coloured(
    tmp_path: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is read only then, so a page that crashes its decoder must be found by the next run."""
    out = tmp_path / "out"
    (tmp_path / "in").mkdir()
    pages = [Image.fromarray(np.roll(data.camera(), 31 * n, axis=1)).resize((96, 64)) for n in range(2)]
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    item = Planned(tmp_path / "in" / "a.tif", out / "a.tif", "photo", "colorize", "", out, tmp_path / "in")
    steps, waiting, watch = steps_for(item, [])
    found = steps.decode(waiting)
    assert isinstance(found, Decoded)
    assert isinstance(found.prepared, PreparedPages)
    colorizer = Colorizer(str(fresh_weights), "cpu")
    seen: list[list[str]] = []

    def colors(*views: object, **options: object) -> NDArray[np.float32]:
        seen.append(in_flight(out)[-1])
        return GREY[None]

    monkeypatch.setattr(colorizer, "colors", colors)
    end = steps.write_pages(found, found.prepared, colorizer)
    assert isinstance(end.outcome.result, Done)
    assert seen == [["begun", "a.tif"]] * 2
    assert in_flight(out)[-1] == ["ended", "a.tif"]
    watch.close()
