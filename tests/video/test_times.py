"""Every frame keeps its time; what has none, or starts again, is given one."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from colorize_media.video.encoder import EncoderSettings
from tests.made.films import decode, make_video, packets, picture
from tests.video.rewriting import FAST, recolor

VARIABLE = [0, 1001, 2002, 5005, 5006, 9000, 20020, 60000]


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
@pytest.mark.parametrize("start", [0, 7007])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_variable_times_are_exact(tmp_path: Path, suffix: str, start: int, encoder: str) -> None:
    times = [start + time for time in VARIABLE]
    source = make_video(
        tmp_path / "in.mp4",
        pts=times,
        time_base=Fraction(1, 30000),
        frames=8,
        container_options={"movie_timescale": "30000"},
    )
    frames, warnings, _ = recolor(source, tmp_path / f"out{suffix}", EncoderSettings(encoder, preset="ultrafast"))
    wanted = [one.time for one in decode(source)]
    assert wanted == [Fraction(time, 30000) for time in times]
    assert [frame.pts * frame.time_base for frame in frames] == wanted
    assert [one.time for one in decode(tmp_path / f"out{suffix}")] == wanted
    assert warnings == []


def test_matroska_rounds_to_the_nearest_millisecond(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", pts=VARIABLE, time_base=Fraction(1, 30000), frames=8)
    recolor(source, tmp_path / "out.mkv", FAST)
    for before, after in zip(decode(source), decode(tmp_path / "out.mkv"), strict=True):
        assert abs(before.time - after.time) <= Fraction(1, 2000)


def test_frames_without_times_follow_their_predecessors(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.h264"), "w", format="h264") as raw:
        stream: Any = raw.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height = 64, 48
        for number in range(5):
            raw.mux(stream.encode(picture(64, 48, "yuv420p", number)))
        raw.mux(stream.encode(None))
    frames, _, _ = recolor(tmp_path / "in.h264", tmp_path / "out.mkv", FAST)
    times = [frame.pts * frame.time_base for frame in frames]
    assert [b - a for a, b in pairwise(times)] == [Fraction(1, 25)] * 4


def test_times_that_start_again_go_on(tmp_path: Path) -> None:
    part = make_video(tmp_path / "part.ts", codec="mpeg2video", frames=30, audio=1, audio_codec="mp2").read_bytes()
    (tmp_path / "in.ts").write_bytes(part * 3)
    frames, _, reader = recolor(tmp_path / "in.ts", tmp_path / "out.mp4", FAST)
    times = [frame.pts * frame.time_base for frame in frames]
    steps = [b - a for a, b in pairwise(times)]
    assert all(step == Fraction(1, 25) for number, step in enumerate(steps) if number not in (29, 59))
    assert all(Fraction(1, 50) < steps[number] < Fraction(1, 10) for number in (29, 59))  # the sound is a bit longer
    assert any("2 times" in text and "joined" in text for text in reader.warnings)
    assert [one.time for one in decode(tmp_path / "out.mp4")] == times
    sound = packets(tmp_path / "out.mp4", 1)
    assert len(sound) == len(packets(tmp_path / "in.ts", 1))
    assert abs(sound[-1][0] - times[-1]) < Fraction(1, 5)
