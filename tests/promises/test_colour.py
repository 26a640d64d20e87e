"""What has colour is left alone, in a film shot by shot."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage import data

from tests.made.clips import pan
from tests.made.films import decode, make_video
from tests.made.photos import save
from tests.promises.conftest import Colorize
from tests.told import outcomes

SIZE = (96, 64)


def drifting(picture: np.ndarray, frames: int) -> list[av.VideoFrame]:
    """A shot of a camera that passes along a picture in colour or grey."""
    wide = cv2.resize(picture, (SIZE[0] + 2 * frames, SIZE[1]), interpolation=cv2.INTER_AREA)
    shots = (av.VideoFrame.from_ndarray(frame, format="rgb24") for frame in pan(wide, frames, SIZE[0]))
    return [frame.reformat(format="yuv420p") for frame in shots]


def test_a_photograph_in_colour_is_left_alone_and_said_to_be(
    tmp_path: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "in.png", np.ascontiguousarray(data.coffee()[::4, ::4]))
    assert colorize(source, "-o", tmp_path / "out.png", "--json") == 0
    assert outcomes(capsys.readouterr().out) == {"in.png": "skipped"}
    assert not (tmp_path / "out.png").exists()
    assert colorize(source, "-o", tmp_path / "out.png", "--force") == 0


def test_an_evenly_toned_photograph_counts_as_black_and_white(tmp_path: Path, colorize: Colorize) -> None:
    sepia = np.clip(data.camera()[::4, ::4, None] * [1.0, 0.88, 0.7] + [8, 4, 0], 0, 255).astype(np.uint8)
    assert colorize(save(tmp_path / "in.png", sepia), "-o", tmp_path / "out.png") == 0
    assert (tmp_path / "out.png").exists()


def test_the_colour_shots_of_a_film_keep_their_own_colours(tmp_path: Path, colorize: Colorize) -> None:
    grey = np.repeat(data.camera()[..., None], 3, axis=2)
    frames = drifting(data.astronaut(), 11) + drifting(grey, 12)
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=frames, size=SIZE)
    assert colorize(source, "-o", tmp_path / "out.mkv", "--encoder", "ffv1") == 0
    before, after = decode(source), decode(tmp_path / "out.mkv")
    kept = [
        all(np.array_equal(a, b) for a, b in zip(old.planes, new.planes, strict=True))
        for old, new in zip(before, after, strict=True)
    ]
    assert kept == [True] * 11 + [False] * 12
