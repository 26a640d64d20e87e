"""docs/python.md: its blocks are run as they stand, in a folder with the files that they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data
from skimage.io import imread

from tests.made.films import decode, grey_frames, make_video
from tests.made.pictures import save_grey

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def test_every_block_is_a_recipe() -> None:
    assert len(RECIPES) == PAGE.count("```python") == 5


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_does_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the shipped weights, as readers have them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "recipe"}
    if "scan.tif" in RECIPES[name]:
        tifffile.imwrite("scan.tif", data.camera()[::8, ::8].astype(np.uint16) * 257)
    if "film.mp4" in RECIPES[name]:
        make_video(tmp_path / "film.mp4", frames=grey_frames(12))
    if "old.jpg" in RECIPES[name]:
        save_grey(tmp_path / "old.jpg")
    if "album" in RECIPES[name]:
        for number in range(2):
            save_grey(tmp_path / "album" / f"{number}.png", number)
    exec(compile(RECIPES[name], "docs/python.md", "exec"), names)
    told = capsys.readouterr().out.splitlines()
    if name == "One photograph":
        assert told == ["old.color.jpg"]
        with Image.open("old.color.jpg") as image:
            assert image.mode == "RGB"
    elif name == "Many at once":
        assert told == ["2 of 2"]
        assert np.ptp(imread("album/1.color.png").astype(int), axis=2).max() > 8
    elif name.startswith("In a server"):
        assert [answer[:4] for answer in names["answers"]] == [b"\x89PNG"] * 3
    elif name.startswith("A part"):
        assert told[-1].startswith("color.mkv [")
        assert 0 < len(decode(Path("color.mkv"))) < 12
