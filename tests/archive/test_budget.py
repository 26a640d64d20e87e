"""What a photograph is reckoned to need is what it takes."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.archive import budget
from colorize_media.archive.budget import LEAST_BUDGET, MOST_BUDGET, default_budget, memory_needed
from colorize_media.photo.colorize import PreparedPhoto, finish_photo, prepare_photo
from tests.archive.runs import SMALL
from tests.made.pictures import save_grey


def test_memory_is_reckoned_by_the_header_alone(tmp_path: Path) -> None:
    plain = save_grey(tmp_path / "a.png", size=(1000, 500))
    deep = tmp_path / "deep.png"
    Image.fromarray(data.camera().astype(np.uint16) * 257).resize((1000, 500)).save(deep)
    assert 500_000 * 4 < memory_needed(plain, 10**9) < memory_needed(deep, 10**9)
    (tmp_path / "bomb.png").write_bytes(plain.read_bytes()[:16] + b"\0\1\0\0" * 2 + plain.read_bytes()[24:])
    assert memory_needed(tmp_path / "bomb.png", 1_000_000) < 100_000_000
    assert memory_needed(tmp_path / "none.png", 10**9) == 0


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory cannot be set back here")
@pytest.mark.parametrize("kind", ["grey jpeg", "colour jpeg", "deep png with alpha", "deep tiff"])
def test_a_picture_takes_no_more_memory_than_its_header_foretells(tmp_path: Path, kind: str) -> None:
    """What runs together is reckoned so: a picture's whole way, but for the network, whose input is small."""
    plane = np.tile(data.camera(), (3, 4))  # 3 megapixels
    path = tmp_path / {"deep png with alpha": "a.png", "deep tiff": "a.tif"}.get(kind, "a.jpg")
    if kind == "deep png with alpha":
        deep = np.repeat(plane[..., None].astype(np.uint16) * 257, 4, axis=2)
        cv2.imwrite(str(path), deep, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    elif kind == "deep tiff":
        cv2.imwrite(str(path), plane.astype(np.uint16) * 257)
    else:
        Image.fromarray(plane).convert("L" if kind == "grey jpeg" else "RGB").save(path, quality=90)
    options = replace(SMALL, force=True)

    def way() -> None:
        prepared = prepare_photo(path, options)
        assert isinstance(prepared, PreparedPhoto)
        finish_photo(prepared, np.full((16, 20, 2), 5.0, np.float32), tmp_path / f"b{path.suffix}", options)

    way()  # what libraries keep for themselves is not the picture's
    gc.collect()
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    way()
    assert _memory("VmHWM") - before <= memory_needed(path, 10**9)


def _memory(field: str) -> int:
    """Bytes of this process, as the system counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@pytest.mark.parametrize(
    ("memory", "room"), [(None, LEAST_BUDGET), (1 << 30, LEAST_BUDGET), (8 << 30, 2 << 30), (1 << 40, MOST_BUDGET)]
)
def test_a_quarter_of_the_memory_is_for_pictures_within_limits(
    monkeypatch: pytest.MonkeyPatch, memory: int | None, room: int
) -> None:
    monkeypatch.setattr(budget, "memory_bytes", lambda: memory)
    assert default_budget() == room
