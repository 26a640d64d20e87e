"""Small pictures spread over a film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorize_media.judge.monochrome import may_be_noise
from colorize_media.judge.survey import survey
from colorize_media.video.opening import survey_of
from colorize_media.video.reader import Reader
from colorize_media.video.samples import sample
from tests.made.clips import SIZE, chroma_noise, cup, grey, people
from tests.made.films import make_video, picture


def test_samples_are_upright_small_and_do_not_disturb_reading(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=30, size=(640, 360), rotation=90, options={"g": "5"})
    with Reader(source) as reader:
        items = iter(reader)
        first = next(items)
        pictures = sample(reader, 4)
        rest = list(items)
    assert first.index == 0
    assert [frame.index for frame in rest] == list(range(1, 30))
    assert len(pictures) == 4
    assert {one.shape for one in pictures} == {(455, 256, 3)}
    assert all(one.dtype == np.uint8 for one in pictures)
    assert len({one.tobytes() for one in pictures}) == 4


def test_samples_between_two_key_frames_differ(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=60, options={"g": "250"})
    with Reader(source) as reader:
        pictures = sample(reader, 4)
    assert len({one.tobytes() for one in pictures}) == 4


def test_samples_of_a_film_that_cannot_seek(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.h264"), "w", format="h264") as raw:
        stream: Any = raw.add_stream("libx264", rate=25)
        stream.width, stream.height = 64, 48
        for number in range(6):
            raw.mux(stream.encode(picture(64, 48, "yuv420p", number)))
        raw.mux(stream.encode(None))
    with Reader(tmp_path / "in.h264") as reader:
        pictures = sample(reader, 3)
    assert 1 <= len(pictures) <= 3


@pytest.mark.parametrize(
    ("frames", "kind", "single"),
    [
        (chroma_noise(grey(40)), "monochrome", "color"),
        (chroma_noise(people(20) + cup(20)), "color", "color"),
        (chroma_noise(grey(20) + people(20)), "mixed", "color"),
    ],
    ids=["grey", "colour", "mixed"],
)
def test_noise_of_colour_has_no_mean_over_time(
    tmp_path: Path, frames: list[np.ndarray], kind: str, single: str
) -> None:
    """Encoded as films are; a single frame of any of them looks coloured."""
    stored = [av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p") for frame in frames]
    source = make_video(tmp_path / "in.mp4", frames=stored, size=SIZE, options={"g": "8", "crf": "16"})
    with Reader(source) as reader:
        assert survey(sample(reader, 8)).kind == single
        found = survey_of(reader)
        assert found is not None
        assert found.kind == kind, found
        assert 7 <= len(sample(reader, 8, may_be_noise)) <= 8  # behind the last one too few frames may follow
