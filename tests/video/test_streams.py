"""Streams that people choose by language and mark, and texts that are pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from colorize_media.errors import StreamNotKept
from colorize_media.video.encoder import EncoderSettings
from tests.made.films import make_video, packets, picture
from tests.made.sounds import tone
from tests.video.rewriting import FAST, recolor

# Two lines of 8 pixels, shown for half a second (the unit is 1024/90000 s): DVD's own format.
_DVD_TEXT = bytes.fromhex(
    "0026 0008 00ff00ff 0000 0020 01 03 3210 04 fff0 05 000007 000001 06 0004 0006 ff 002c 0020 02 ff".replace(" ", "")
)
# A page without regions and the end of its data: the shortest DVB text.
_DVB_TEXT = bytes.fromhex("0f10000100020510" + "0f8000010000")
# Composition, end of the display set: the shortest Blu-ray text.
_PGS_TEXT = bytes.fromhex("16000b0040003010000180000000" + "800000")


def pictured_texts(path: Path, codec: str, text: bytes, format: str) -> Path:
    """A film of two seconds with a text at 0.2 s and one at 1.4 s."""
    with av.open(str(path), "w", format=format) as file:
        film: Any = file.add_stream("mpeg4" if format == "matroska" else "mpeg2video", rate=25)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        texts = file.add_mux_stream(codec, time_base=Fraction(1, 1000))
        texts.metadata["language"] = "deu"
        ready = []
        for index in range(50):
            frame = picture(64, 48, "yuv420p", index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            ready += film.encode(frame)
        ready += film.encode(None)
        for begin in (200, 1400):
            packet = av.Packet(text)
            packet.stream, packet.time_base = texts, Fraction(1, 1000)
            packet.pts = packet.dts = begin
            packet.duration, packet.is_keyframe = 400 if format == "matroska" else 0, True
            ready.append(packet)
        for packet in sorted(ready, key=lambda one: one.dts * one.time_base):
            file.mux(packet)
    return path


@pytest.mark.parametrize(
    ("codec", "text", "format", "refused_by"),
    [
        ("hdmv_pgs_subtitle", _PGS_TEXT, "matroska", (".mp4", ".mov", ".webm")),
        ("dvb_subtitle", _DVB_TEXT, "matroska", (".mp4",)),
        ("dvb_subtitle", _DVB_TEXT, "mpegts", (".mp4",)),
        ("dvd_subtitle", _DVD_TEXT, "matroska", (".mov",)),
        ("dvd_subtitle", _DVD_TEXT, "vob", (".mov",)),
    ],
)
def test_texts_that_are_pictures_go_to_matroska_or_are_refused_by_name(
    tmp_path: Path, codec: str, text: bytes, format: str, refused_by: tuple[str, ...]
) -> None:
    source = pictured_texts(tmp_path / "in.film", codec, text, format)
    assert recolor(source, tmp_path / "out.mkv", FAST)[1] == []
    assert [data for _, data in packets(tmp_path / "out.mkv", 1)] == [data for _, data in packets(source, 1)]
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert after.streams[1].language == before.streams[1].language
    for suffix in refused_by:
        with pytest.raises(StreamNotKept) as caught:
            recolor(source, tmp_path / f"out{suffix}", EncoderSettings() if suffix == ".webm" else FAST)
        assert f"{suffix} cannot hold subtitle stream 1" in caught.value.why
        assert "its texts are pictures" in caught.value.why
        assert ".mkv" in caught.value.hint


def test_the_last_text_of_a_dvd_is_not_lost_in_mp4(tmp_path: Path) -> None:
    """MP4 never shows what has no duration; a DVD's texts have theirs inside."""
    source = pictured_texts(tmp_path / "in.vob", "dvd_subtitle", _DVD_TEXT, "vob")
    recolor(source, tmp_path / "out.mp4", FAST)
    shown = [data for _, data in packets(tmp_path / "out.mp4", 1) if len(data) > 2]
    assert shown == [data for _, data in packets(source, 1)]


def spoken(path: Path, tracks: list[tuple[str, str, str, Disposition]]) -> Path:
    """A film with a track of sound for each codec, language, title and mark."""
    with av.open(str(path), "w") as file:
        film: Any = file.add_stream("mpeg4", rate=25)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        sounds: list[Any] = []
        for codec, language, title, mark in tracks:
            track: Any = file.add_stream(codec, rate=48000, options={"strict": "experimental"})
            track.codec_context.layout, track.disposition = "stereo", mark
            track.metadata.update({"language": language, "title": title})
            sounds.append(track)
        for index in range(3):
            frame = picture(64, 48, "yuv420p", index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(film.encode(frame))
        file.mux(film.encode(None))
        for track in sounds:
            for piece in tone(48000, 2, 0.1):
                for ready in av.AudioResampler(track.codec_context.format.name, "stereo", 48000).resample(piece):
                    file.mux(track.encode(ready))
            file.mux(track.encode(None))
    return path


def test_languages_titles_and_marks_are_kept_or_named_copied_or_converted(tmp_path: Path) -> None:
    source = spoken(
        tmp_path / "in.mkv",
        [
            ("ac3", "deu", "Deutsch", Disposition(0)),
            ("vorbis", "nld", "Nederlands", Disposition.default),  # MOV has no Vorbis
            ("ac3", "eng", "Comments", Disposition.comment),
        ],
    )
    found = {}
    for suffix in ("mkv", "mp4", "mov"):
        _, warnings, _ = recolor(source, tmp_path / f"out.{suffix}", FAST)
        with av.open(str(tmp_path / f"out.{suffix}")) as file:
            sounds = file.streams.audio
            titles = [one.metadata.get("title", one.metadata.get("name")) for one in sounds]
            marks = [bool(one.disposition & Disposition.comment) for one in sounds]
            found[suffix] = ([one.language for one in sounds], titles, marks, warnings)
    titles = ["Deutsch", "Nederlands", "Comments"]
    assert found["mkv"] == (["deu", "nld", "eng"], titles, [False, False, True], [])
    assert found["mp4"] == (["deu", "nld", "eng"], titles, [False, False, True], [])
    lost = [".mov did not keep: stream 3's mark as comment"]
    assert found["mov"] == (["ger", "dut", "eng"], titles, [False, False, False], lost)
    recolor(tmp_path / "out.mp4", tmp_path / "back.mkv", FAST)
    with av.open(str(tmp_path / "back.mkv")) as file:
        assert [one.metadata["title"] for one in file.streams.audio] == titles


def test_texts_of_an_unknown_codec_are_refused_in_words(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", frames=3, subtitle="subrip")
    source.write_bytes(source.read_bytes().replace(b"S_TEXT/UTF8", b"S_TEXT/UTFX"))
    with pytest.raises(StreamNotKept) as caught:
        recolor(source, tmp_path / "out.mkv", FAST)
    assert caught.value.what == "the film would lose more than its picture"
    known = f"the FFmpeg inside PyAV {av.__version__} does not know its codec"
    assert caught.value.why == f".mkv cannot hold subtitle stream 1: {known}"
    assert "--drop-streams" in caught.value.hint
    assert recolor(source, tmp_path / "out.mkv", FAST, drop_streams=True)[1] == [
        f"left out, as --drop-streams allows: subtitle stream 1: {known}"
    ]
