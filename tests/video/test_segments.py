"""Segments: their files, and that they join in every container with the times that the film had."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from colorize_media.files.own_folder import OwnFolder
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.segments import SegmentWriter, decoding_times, read_segment, reorder_delay
from tests.made.films import decode, make_video
from tests.video.rewriting import FFV1, contents, write_in_segments


@pytest.mark.parametrize(
    ("suffix", "settings"),
    [(".mp4", EncoderSettings()), (".mov", EncoderSettings("libx265", preset="ultrafast")), (".mkv", EncoderSettings()),
     (".webm", EncoderSettings()), (".webm", EncoderSettings("libsvtav1", preset="12")), (".mkv", FFV1),
     (".avi", EncoderSettings()), (".ts", EncoderSettings()), (".mpg", EncoderSettings()), (".flv", EncoderSettings())],
)  # fmt: skip
def test_segments_join_in_every_container(tmp_path: Path, suffix: str, settings: EncoderSettings) -> None:
    sound = {".webm": "libopus", ".mpg": "mp2"}.get(suffix, "aac")  # that it holds
    source = make_video(tmp_path / "in.mp4", frames=40, size=(176, 144), audio=1, audio_codec=sound)
    target = tmp_path / f"out{suffix}"
    writer = write_in_segments(source, target, (7, 8, 25), settings)
    assert not [text for text in writer.warnings if "packets" in text]
    before, after = decode(source), decode(target)
    offset = after[0].time - before[0].time
    assert [frame.time - offset for frame in after] == [frame.time for frame in before]
    for one, other in zip(before, after, strict=True):
        assert np.abs(one.planes[0].astype(int) - other.planes[0].astype(int)).mean() < 6
    if suffix not in (".mpg", ".ts"):  # they wrap it
        assert [packet[4] for packet in contents(target)[1]] == [packet[4] for packet in contents(source)[1]]


@pytest.mark.parametrize("base", [Fraction(1, 16000), Fraction(1, 90000), Fraction(1001, 30000)])
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_variable_times_with_b_frames_are_exact_over_the_joints(tmp_path: Path, base: Fraction, encoder: str) -> None:
    chance, times = random.Random(4), [3]
    step = max(1, round(Fraction(1, 30) / base))
    for _ in range(59):
        times.append(times[-1] + chance.choice([1, step, step, step + 1, 5 * step]))
    source = make_video(tmp_path / "in.mp4", frames=60, pts=times, time_base=base,
                        container_options={"movie_timescale": "90000"})  # fmt: skip
    write_in_segments(source, tmp_path / "out.mp4", (1, 2, 20, 41), EncoderSettings(encoder))
    assert [frame.time for frame in decode(tmp_path / "out.mp4")] == [frame.time for frame in decode(source)]
    found = contents(tmp_path / "out.mp4")[0]
    assert any(pts != dts for pts, dts, *_ in found)  # there are B-frames
    assert all(dts <= pts for pts, dts, *_ in found)
    assert all(one[1] < other[1] for one, other in pairwise(found))
    assert sum(packet[3] for packet in found) >= 5  # each segment begins with a key frame


def test_decoding_times_rise_and_are_never_late() -> None:
    chance = random.Random(1)
    for _ in range(200):
        shown = sorted(chance.sample(range(500), chance.randint(1, 40)))
        borders = sorted(chance.sample(range(1, len(shown)), min(len(shown) - 1, 3)))
        parts = [shown[a:b] for a, b in pairwise([0, *borders, len(shown)])]
        coded = [sorted(part, key=lambda pts: pts + chance.randint(0, 60)) for part in parts]
        delay = max(map(reorder_delay, coded))
        times = list(decoding_times(coded, delay))[: len(shown)]
        order = [pts for part in coded for pts in part]
        assert all(a < b for a, b in pairwise(times))
        assert all(dts <= pts for dts, pts in zip(times, order, strict=True))
        if delay == 0:
            assert times == order


def test_a_segment_gives_its_packets_back(tmp_path: Path) -> None:
    packets = []
    for number in range(5):
        packet = av.Packet(bytes([number]) * (number * 1000))
        packet.pts, packet.duration, packet.is_keyframe = 10 * number, 7 + number, number == 0
        packets.append(packet)
    folder = OwnFolder(tmp_path)
    writer = SegmentWriter(folder, "segment")
    writer.add(packets)
    assert [path.name for path in tmp_path.iterdir()] == ["segment.part"]
    made = writer.finish(b"\x01\x02", "digest")
    found = read_segment(folder, "segment")
    assert found == made
    assert (found.extradata, found.state, found.pictures, found.last, found.delay) == ("0102", "digest", 5, 40, 0)
    for before, after in zip(packets, found.packets(Fraction(1, 16000)), strict=True):
        assert bytes(before) == bytes(after)
        assert (after.pts, after.duration, after.is_keyframe) == (before.pts, before.duration, before.is_keyframe)
        assert after.time_base == Fraction(1, 16000)
    assert read_segment(folder, "none") is None
