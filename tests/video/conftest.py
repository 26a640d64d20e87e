"""Films that several tests of this chapter read."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.made.films import make_video


@pytest.fixture(scope="session")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds at 25 frames a second, a key frame in ten; a text from 1.0 to 3.0 s."""
    folder = tmp_path_factory.mktemp("film")
    path = make_video(
        folder / "plain.mkv", frames=100, options={"g": "10"}, audio=1, tags={"title": "T"},
        chapters=[(0, 1500, "one"), (1500, 3500, "two"), (3500, 4000, "three")],
    )  # fmt: skip
    with av.open(str(path)) as source, av.open(str(folder / "in.mkv"), "w") as target:
        streams = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        text: Any = target.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        target.metadata.update(source.metadata)
        target.set_chapters(source.chapters())
        for packet in source.demux():
            if not packet.size:
                continue
            if packet.stream_index == 0 and packet.pts == 1000:
                line = av.Packet(b"hello")
                line.stream, line.pts, line.dts, line.duration, line.time_base = (
                    text,
                    1000,
                    1000,
                    2000,
                    Fraction(1, 1000),
                )
                target.mux(line)
            packet.stream = streams[packet.stream_index]
            target.mux(packet)
    return folder / "in.mkv"


@pytest.fixture
def film(tmp_path: Path, encoded: Path) -> Path:
    """The same in the test's own folder, alone."""
    return Path(shutil.copy(encoded, tmp_path / "in.mkv"))


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Forty frames, lossless, with sound."""
    return make_video(tmp_path / "in.mkv", codec="ffv1", frames=40, audio=1)
