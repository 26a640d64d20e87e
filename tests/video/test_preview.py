"""A strip of frames before and after."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorize_media.archive.plan import make_plan
from colorize_media.cli.main import run
from colorize_media.errors import BadOption
from colorize_media.events import Done
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.mark import mark_in_packet
from colorize_media.video import preview
from colorize_media.video.pipeline import FrameCount, color_frames
from colorize_media.video.preview import MOMENTS, preview_video
from tests.made.films import decode, grey_frames, make_video


def test_a_preview_shows_the_film_before_and_after(tmp_path: Path, fresh_weights: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=grey_frames(60, (96, 64)), size=(96, 64), rate=5)
    colorizer = Colorizer(str(fresh_weights), "cpu", batch_size=4)
    options = ColorizeOptions(working_size=64, smoothing="fast")
    done = preview_video(source, tmp_path / "strip.png", colorizer, options)
    assert isinstance(done, Done)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "strip.png"]
    with Image.open(tmp_path / "strip.png") as image:
        assert image.info["Comment"].startswith("Coloured by colorize-media ")
        mark = mark_in_packet(image.info["XML:com.adobe.xmp"].encode())
        assert mark is not None
        assert done.record is not None
        assert done.record["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        strip = np.asarray(image).astype(int)
    width = (strip.shape[1] + 4) // MOMENTS - 4
    before, after = strip[:240], strip[244:484]
    assert np.ptp(before, axis=2).max() <= 4  # grey
    assert np.ptp(after, axis=2).max() > 10
    grey = after @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - before[..., 0])[:, :width].mean() < 4  # the same picture
    columns = [before[:, number * (width + 4) :][:, :width] for number in range(MOMENTS)]
    assert len({column.tobytes() for column in columns}) == MOMENTS
    truth = decode(source)[5].frame.reformat(width, 240, "gray").to_ndarray()  # on screen at a twelfth of 12 s
    assert np.abs(columns[0][..., 0] - truth).mean() < np.abs(columns[3][..., 0] - truth).mean() / 3


def test_a_preview_colours_half_of_a_film_at_most(
    tmp_path: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4", frames=grey_frames(48), rate=24)
    counts = []

    def counting(*work: Any) -> FrameCount:
        counts.append(color_frames(*work))
        return counts[-1]

    monkeypatch.setattr(preview, "color_frames", counting)
    colorizer = Colorizer(str(fresh_weights), "cpu", batch_size=4)
    preview_video(source, tmp_path / "strip.png", colorizer, ColorizeOptions(working_size=64, smoothing="off"))
    assert len(counts) == MOMENTS
    assert sum(one.frames for one in counts) <= 24 + MOMENTS  # a frame more where a moment is between two


def test_previews_are_planned_for_films_only(tmp_path: Path, film: Path) -> None:
    photo = tmp_path / "a.png"
    Image.new("L", (64, 64)).save(photo)
    plan = make_plan([film, photo], None, overwrite=False, preview=True)
    assert [(item.action, item.target.name if item.target else "") for item in plan] == [
        ("colorize", "in.mkv.preview.png"),
        ("skip", "a.color.png"),
    ]
    assert make_plan([film], tmp_path / "x.png", overwrite=False, preview=True)[0].target == tmp_path / "x.png"
    with pytest.raises(BadOption, match="not for a preview"):
        make_plan([film], tmp_path / "x.mp4", overwrite=False, preview=True)


def test_a_preview_by_the_command_line(tmp_path: Path, film: Path, fresh_weights: Path) -> None:
    command = [
        str(film),
        "--preview",
        "--start",
        "1",
        "--duration",
        "0.4",
        "--smoothing",
        "off",
        "--working-size",
        "64",
    ]
    assert run([*command, "--force", "--model", str(fresh_weights)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "in.mkv.preview.png"]
