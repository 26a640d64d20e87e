"""Streams that first appear where nobody looks any more when a file is opened."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from colorize_media.errors import StreamNotKept
from colorize_media.video import late
from colorize_media.video.demuxing import Probe, open_container
from colorize_media.video.reader import Reader
from tests.made.films import picture
from tests.made.sounds import tone
from tests.video.rewriting import FAST, recolor

# What is between two parts of a file and nothing in it: null packets, padding streams. FFmpeg looks through 5 MB at most.
_PADDING = {
    "mpegts": (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 32_000,
    "vob": (b"\x00\x00\x01\xbe\xff\xf0" + b"\xff" * 0xFFF0) * 100,
}


def part(path: Path, format: str, pictures: range, *, sound: bool = False, rate: int = 25) -> bytes:
    """A film of these pictures, by their numbers; ``sound`` begins with the last of them but 25."""
    options = {"mpegts_copyts": "1"} if format == "mpegts" else {}
    with av.open(str(path), "w", format=format, container_options=options) as file:
        film: Any = file.add_stream("flv1" if format == "flv" else "mpeg2video", rate=rate)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        packets = []
        if sound:
            track: Any = file.add_stream("libmp3lame" if format == "flv" else "ac3", rate=44100)
            track.codec_context.layout = "stereo"
            for frame in tone(44100, 2, 1.0, 44100 * (pictures.stop - 25) // rate):
                packets += track.encode(frame)
            packets += track.encode(None)
        for number in pictures:
            frame = picture(64, 48, "yuv420p", number)
            frame.pts, frame.time_base = number, Fraction(1, rate)
            packets += film.encode(frame)
        for packet in sorted([*packets, *film.encode(None)], key=lambda one: one.dts * one.time_base):
            file.mux(packet)
    return path.read_bytes()


def with_late_sound(path: Path, format: str) -> Path:
    """Sound in the middle only, 7.6 s from the beginning and from the end, where FFmpeg looks too."""
    if format == "flv":  # of which it looks through a minute and a half
        part(path, format, range(125), sound=True, rate=1)
        return path
    ends = (0, 190, 215, 405)
    parts = [part(path, format, range(*ends[n : n + 2]), sound=n == 1) for n in range(3)]
    path.write_bytes(_PADDING[format].join(parts))
    return path


def sounds(path: Path, probe: Probe | None = None) -> list[tuple[Fraction, bytes]]:
    with open_container(path, probe) as file:
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in file.demux(file.streams.audio)
            if packet.size and packet.pts is not None
        ]


@pytest.mark.parametrize("format", ["mpegts", "vob", "flv"])
def test_sound_that_begins_late_is_kept_in_time(tmp_path: Path, format: str) -> None:
    source = with_late_sound(tmp_path / "in.film", format)
    with open_container(source) as file:
        known = late.late_streams(source, file)
    assert known.probe is not None
    before = sounds(source, known.probe)
    assert len(before) > 25
    frames, warnings, _ = recolor(source, tmp_path / "out.mkv", FAST)
    assert len(frames) == (125 if format == "flv" else 405)
    assert not [one for one in warnings if "stream" in one]
    after = sounds(tmp_path / "out.mkv")
    assert [data for _, data in after] == [data for _, data in before]
    assert max(abs(a - b) for (a, _), (b, _) in zip(before, after, strict=True)) <= Fraction(1, 1000)


def test_what_begins_too_late_is_refused_by_name_unless_it_may_be_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = with_late_sound(tmp_path / "in.flv", "flv")
    monkeypatch.setattr(late, "MOST_KEPT", 16 * 1024)
    with pytest.raises(StreamNotKept) as caught:
        recolor(source, tmp_path / "out.mkv", FAST)
    assert caught.value.what == "the film would lose streams that begin late in it"
    assert "audio stream 1 (mp3float): too far into the file" in caught.value.why
    assert "--drop-streams" in caught.value.hint
    assert list(tmp_path.iterdir()) == [source]
    _, warnings, _ = recolor(source, tmp_path / "out.mkv", FAST, drop_streams=True)
    assert "left out, as --drop-streams allows: audio stream 1 (mp3float): it begins late" in warnings


def test_files_that_list_their_streams_are_not_gone_through(tmp_path: Path) -> None:
    part(tmp_path / "in.mkv", "matroska", range(2))
    with open_container(tmp_path / "in.mkv") as file:
        assert late.late_streams(tmp_path / "in.mkv", file) == late.Late()


def test_a_transport_stream_that_ends_within_a_packet_is_told_of(tmp_path: Path) -> None:
    data = part(tmp_path / "in.ts", "mpegts", range(30))
    with Reader(tmp_path / "in.ts") as reader:
        assert not [one for one in reader.warnings if "cut" in one]
    (tmp_path / "in.ts").write_bytes(data[:-500])
    with Reader(tmp_path / "in.ts") as reader:
        assert "the file ends within a packet: it is cut, and does not say how much is missing" in reader.warnings
    assert reader.damaged
