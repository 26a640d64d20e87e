"""No film loses its sound: whatever codec it has, in every container it is kept to the sample, or the film is refused."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from colorize_media.errors import StreamNotKept
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Reader
from colorize_media.video.writer import Writer
from tests.made.films import packets
from tests.made.sounds import CONTAINERS, encodable, film_with_sound, heard, shared_films, verdict, write_film
from tests.video.rewriting import FAST, X264_EXACT, chroma_for, contents, recolor, write_in_segments

CONVERTED = frozenset({"flac", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"})
IN_WEBM = frozenset({"libopus", "vorbis"})


@pytest.mark.parametrize("codec", encodable())
def test_every_codec_is_copied_or_converted_without_loss(tmp_path: Path, codec: str) -> None:
    film = film_with_sound(tmp_path, codec)
    if film is None:
        pytest.skip(f"no container here holds {codec} beside a picture")
    for container in CONTAINERS:
        found = verdict(film, container)
        if container == "webm":
            assert found == ("copied" if codec in IN_WEBM else "refused"), container
        elif codec.startswith("pcm_s64"):  # FFmpeg reads and writes them in few places
            assert found in {"refused", "copied"}, container
        else:
            assert found in CONVERTED | {"copied"}, container


@pytest.mark.parametrize("name", ["A01.vob", "A03.wmv", "A04.avi", "A07.3gp", "A08.ts", "C01.avi"])
def test_films_that_people_reported(tmp_path: Path, name: str) -> None:
    films = [path for path in shared_films() if path.name == name]
    if not films:
        pytest.skip(f"{name} is not among this machine's media")
    film = Path(shutil.copy(films[0], tmp_path))
    for container in ("mkv", "mp4", "mov"):
        assert verdict(film, container) in CONVERTED | {"copied"}, container
    assert verdict(film, "webm") == "refused"


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    """Copied packets keep their times; between converted samples there is silence, and it is told."""
    film = write_film(tmp_path / "in.wmv", "wmav2", container="asf", without=range(5, 17), pictures=range(25))
    recolor(film, tmp_path / "out.mkv", FAST)
    assert [time for time, _ in packets(tmp_path / "out.mkv", 1)] == [time for time, _ in packets(film, 1)]
    _, warnings, _ = recolor(film, tmp_path / "out.mp4", FAST)
    assert warnings == ["audio stream 1 (wmav2): gaps of 0.51 s are silent"]
    before, after = heard(film), heard(tmp_path / "out.mp4")
    assert after.begin == before.begin
    silent = np.flatnonzero(~after.samples.any(axis=1))
    assert len(silent) == 12 * 2048
    assert np.array_equal(np.delete(after.samples, silent, axis=0), before.samples)


@pytest.mark.parametrize("then", [(44100, 2), (48000, 1)])
def test_aac_that_changes_within_a_broadcast_keeps_its_speed(tmp_path: Path, then: tuple[int, int]) -> None:
    """Only in a transport stream each packet says its rate: copied into Matroska, 44.1 kHz would be played as 48 kHz."""
    parts = []
    for number, (rate, channels) in enumerate(((48000, 2), then)):
        part = write_film(
            tmp_path / "part.ts", "aac", container="mpegts", rate=rate, channels=channels,
            pictures=range(25 * number, 25 * number + 25), begin=rate * number,
        )  # fmt: skip
        parts.append(part.read_bytes())
    film = tmp_path / "in.ts"
    film.write_bytes(b"".join(parts))
    with av.open(str(film)) as file:
        length = sum(Fraction(frame.samples, frame.sample_rate) for frame in file.decode(audio=0))
    for suffix in ("mkv", "mp4"):
        _, warnings, _ = recolor(film, tmp_path / f"out.{suffix}", FAST)
        assert warnings == ["audio stream 1 (aac): it changes 1 times and was fitted to its beginning"]
        after = heard(tmp_path / f"out.{suffix}")
        assert (after.codec, after.rate) == ("pcm_f32le", 48000)
        assert abs(len(after.samples) - length * 48000) < 40  # what a resampler's filter holds
    recolor(film, tmp_path / "out.ts", FAST)
    assert [data for _, data in packets(tmp_path / "out.ts", 1)] == [data for _, data in packets(film, 1)]


@pytest.mark.parametrize(("begin", "pictures"), [(12000, range(5)), (0, range(10, 15)), (-30000, range(-20, 5))])
def test_sound_that_begins_before_or_after_the_picture_stays_there(tmp_path: Path, begin: int, pictures: range) -> None:
    film = write_film(
        tmp_path / "in.mov", "pcm_mulaw", container="mov", begin=begin, pictures=pictures, seconds=1.0
    )  # fmt: skip
    for suffix in ("mkv", "mp4", "mov"):
        assert verdict(film, suffix) in CONVERTED | {"copied"}


@pytest.mark.parametrize("duration", [None, Fraction(4, 5)])
def test_a_part_of_a_film_has_its_converted_sound_to_the_sample(tmp_path: Path, duration: Fraction | None) -> None:
    film = write_film(tmp_path / "in.mov", "pcm_mulaw", container="mov", seconds=1.9, pictures=range(50))
    with Reader(film, start=Fraction(1, 2), duration=duration) as reader:
        with Writer(tmp_path / "out.mp4", reader, FAST) as writer:
            for frame in reader:
                writer.write(frame, chroma_for(reader))
        first = reader.clip.first
    assert writer.converted == ("audio stream 1 (pcm_mulaw): written as flac",)
    assert first == Fraction(13, 25)
    wanted = heard(film).samples[round(first * 48000) :]
    after = heard(tmp_path / "out.mp4")
    assert after.begin == 0
    assert np.array_equal(after.samples, wanted[: None if duration is None else round(duration * 48000)])


def test_a_film_that_was_interrupted_has_the_converted_sound_of_one_that_was_not(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mov", "pcm_mulaw", container="mov", pictures=range(20))
    write_in_segments(film, tmp_path / "whole.mp4", (8, 16), X264_EXACT)
    write_in_segments(film, tmp_path / "stopped.mp4", (8, 16), X264_EXACT, stop=12)
    assert not (tmp_path / "stopped.mp4").exists()
    write_in_segments(film, tmp_path / "stopped.mp4", (8, 16), X264_EXACT)
    assert contents(tmp_path / "stopped.mp4")[1] == contents(tmp_path / "whole.mp4")[1]
    assert np.array_equal(heard(tmp_path / "stopped.mp4").samples, heard(film).samples)


@pytest.mark.parametrize(("suffix", "rate"), [("webm", 48000), ("webm", 44100), ("mp4", 48000)])
def test_opus_is_encoded_where_it_is_asked_for_and_in_time(tmp_path: Path, suffix: str, rate: int) -> None:
    film = write_film(tmp_path / "in.wmv", "wmav2", container="asf", rate=rate)
    settings = EncoderSettings() if suffix == "webm" else FAST
    with Reader(film) as reader, Writer(tmp_path / f"out.{suffix}", reader, settings, audio="opus") as writer:
        for frame in reader:
            writer.write(frame, chroma_for(reader))
    assert writer.converted == ("audio stream 1 (wmav2): written as Opus, which loses a little",)
    before, after = heard(film), heard(tmp_path / f"out.{suffix}")
    assert (after.codec, after.rate) == ("opus", 48000)
    assert abs(after.begin - before.begin) <= Fraction(1, 1000)
    assert 0 <= after.seconds - before.seconds < 0.02  # a packet
    times = np.arange(int(before.seconds * 48000) - 200) / 48000
    wanted = np.interp(times, np.arange(len(before.samples)) / before.rate, before.samples[:, 0])
    assert np.corrcoef(wanted, after.samples[: len(times), 0])[0, 1] > 0.98


def test_what_webm_cannot_hold_is_refused_with_all_ways_out(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.wmv", "wmav2", container="asf", seconds=0.3)
    with pytest.raises(StreamNotKept) as caught:
        recolor(film, tmp_path / "out.webm", EncoderSettings())
    assert caught.value.what == "the film would lose its sound"
    assert caught.value.why.startswith(".webm cannot hold audio stream 1 (wmav2): Only VP8 or VP9 or AV1 video and")
    assert caught.value.hint == (
        "name the output .mkv, which holds all of it; --audio opus encodes the sound as Opus, with a small loss; "
        "--drop-streams goes on without what cannot be kept"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.wmv"]


def test_a_sound_packet_that_a_muxer_cannot_take_does_not_cost_the_film(tmp_path: Path) -> None:
    """Flipped bits in an ADTS header look like several blocks with a checksum, which FFmpeg has "not yet implemented"."""
    film = write_film(tmp_path / "in.ts", "aac", container="mpegts", pictures=range(25))
    data = bytearray(film.read_bytes())
    heads = [
        at for at in range(len(data) - 7) if data[at : at + 2] == b"\xff\xf1" and data[at + 2] == data[at + 2] & 0x7F
    ]
    hurt = heads[len(heads) // 2]
    data[hurt + 1] &= 0xFE
    data[hurt + 6] |= 1
    film.write_bytes(data)
    _, warnings, _ = recolor(film, tmp_path / "out.mkv", FAST)
    assert warnings == ["1 damaged or misplaced packets of stream 1 were left out"]
    before = [bytes_ for _, bytes_ in packets(film, 1)]
    assert len(packets(tmp_path / "out.mkv", 1)) == len(before) - 1
