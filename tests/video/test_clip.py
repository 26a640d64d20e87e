"""--start, --duration and --preview: the frames, the sound, the texts and the chapters of a part, from zero on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorize_media.cli.main import run
from colorize_media.errors import BadOption, NoPicture
from colorize_media.events import Done
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.clip import Clip
from colorize_media.video.colorize import colorize_video
from colorize_media.video.reader import Reader
from colorize_media.video.writer import Writer
from tests.made.films import decode, make_video, packets
from tests.video.rewriting import FFV1


def cut(source: Path, target: Path, start: str, duration: str | None) -> list[str]:
    with Reader(source, start=Fraction(start), duration=None if duration is None else Fraction(duration)) as reader:
        neutral = np.full((reader.geometry.chroma_height, reader.geometry.chroma_width, 2), 128, np.uint8)
        with Writer(target, reader, FFV1) as writer:
            for number, frame in enumerate(reader):
                assert frame.index == number
                writer.write(frame, neutral)
        return reader.warnings + writer.warnings


def test_a_clip_is_the_whole_film_by_default() -> None:
    clip = Clip(Fraction(7))
    assert clip.whole
    assert clip.length(Fraction(3)) == 3
    assert clip.length(None) is None
    assert clip.begins(Fraction(-5))  # before the file's own beginning, too
    assert not clip.ends(Fraction(10**6))
    assert not clip.missed
    assert clip.ticks(Fraction(1, 1000)) == 0
    packet = av.Packet(b"late")
    packet.pts, packet.dts, packet.time_base = 10**9, 10**9, Fraction(1, 1000)
    assert not clip.is_past(packet)
    assert clip.cut(packet)
    assert clip.cut(av.Packet(b"without a time"))
    assert (packet.pts, packet.dts) == (10**9, 10**9)


def test_a_clip_counts_from_its_first_frame() -> None:
    clip = Clip(Fraction(7), Fraction(2), Fraction(1))
    assert (clip.begin, clip.length(Fraction(10))) == (9, 1)
    assert not clip.begins(Fraction(8))
    assert clip.missed
    assert clip.begins(Fraction(37, 4))
    assert not clip.missed
    assert clip.ticks(Fraction(1, 1000)) == 9250
    assert not clip.ends(Fraction(10))
    assert clip.ends(Fraction(41, 4))


@pytest.mark.parametrize(("start", "duration", "first", "count"),
                         [("1.6", "1", 40, 25), ("0", "0.5", 0, 13), ("1.61", "0.2", 41, 5), ("3", None, 75, 25),
                          ("3.5", "60", 88, 12), ("0.04", None, 1, 99)])  # fmt: skip
def test_the_frames_of_a_part(
    tmp_path: Path, film: Path, start: str, duration: str | None, first: int, count: int
) -> None:
    assert cut(film, tmp_path / "out.mkv", start, duration) == []
    whole, part = decode(film), decode(tmp_path / "out.mkv")
    assert len(part) == count
    for number, frame in enumerate(part):
        assert frame.time == whole[first + number].time - whole[first].time
        assert np.array_equal(frame.planes[0], whole[first + number].planes[0])


def test_sound_texts_chapters_and_tags_of_a_part(tmp_path: Path, film: Path) -> None:
    cut(film, tmp_path / "out.mkv", "1.6", "1")
    own, part = packets(film, 1), packets(tmp_path / "out.mkv", 1)
    wanted = [(time - Fraction(8, 5), content) for time, content in own if Fraction(8, 5) <= time < Fraction(13, 5)]
    assert part == wanted
    assert len(part) > 40
    with av.open(str(tmp_path / "out.mkv")) as written:
        texts = [(p.pts, p.duration, bytes(p)) for p in written.demux(written.streams.subtitles[0]) if p.size]
        assert texts == [(0, 1000, b"hello")]
        chapters = [(one["start"] * one["time_base"], one["end"] * one["time_base"]) for one in written.chapters()]
        assert chapters == [(0, 1)]
        assert written.chapters()[0]["metadata"] == {"title": "two"}
        assert written.metadata["title"] == "T"


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".avi"])
def test_parts_of_other_containers_begin_at_zero(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    source = make_video(tmp_path / f"in{suffix}", frames=60, codec=codec, options={"g": "12"})
    cut(source, tmp_path / "out.mkv", "1", "0.6")
    whole, part = decode(source), decode(tmp_path / "out.mkv")
    assert len(part) == 15
    assert part[0].time == 0
    start = whole[0].time + 1
    first = next(number for number, frame in enumerate(whole) if frame.time >= start - Fraction(1, 1000))
    assert np.array_equal(part[0].planes[0], whole[first].planes[0])
    assert np.array_equal(part[-1].planes[0], whole[first + 14].planes[0])


def test_a_start_behind_the_end_is_an_error_and_leaves_nothing(tmp_path: Path, film: Path) -> None:
    with pytest.raises(NoPicture, match="no picture from that start on") as caught:
        cut(film, tmp_path / "out.mkv", "4.5", None)
    assert "4.0 s" in caught.value.why
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


@pytest.mark.parametrize("values", [{"start": -1}, {"duration": 0}, {"duration": -2}])
def test_parts_that_cannot_be(values: dict[str, Any]) -> None:
    with pytest.raises(BadOption):
        ColorizeOptions(**values)


def test_times_on_the_command_line(
    tmp_path: Path, film: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(film), "--force", "--model", str(fresh_weights), "--encoder", "ffv1", "--smoothing", "off", "-y"]
    for start, duration in (("1.6", "0.2"), ("0:01.6", "00:00:00.2")):
        assert run([*command, "--start", start, "--duration", duration, "--working-size", "64"]) == 0
        assert len(decode(tmp_path / "in.color.mkv")) == 5
    for wrong in ("soon", "1:2:3:4", "-1", "1e3", ""):
        assert run([*command, f"--start={wrong}"]) == 2
    config = tmp_path / "settings.toml"
    config.write_text('start = 1.6\nduration = "0:00.2"\nworking-size = 64\n')
    assert run([*command, "--config", str(config)]) == 0
    assert len(decode(tmp_path / "in.color.mkv")) == 5


def test_a_part_is_coloured(tmp_path: Path, film: Path, fresh_weights: Path) -> None:
    colorizer = Colorizer(str(fresh_weights), "cpu", batch_size=4)
    options = ColorizeOptions(start=Fraction(2), duration=Fraction(1, 5), encoder="ffv1", force=True, working_size=64)
    done = colorize_video(film, tmp_path / "out.mkv", colorizer, options)
    assert isinstance(done, Done)
    assert done.frames == 5
    assert any(np.ptp(plane) for frame in decode(tmp_path / "out.mkv") for plane in frame.planes[1:])
