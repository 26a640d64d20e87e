"""What a film carries beside its picture, and how it is stored: kinds of files that people really have, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Frame, Reader
from colorize_media.video.writer import Writer
from tests.made.films import decode, grey_frames, make_video, packets, picture

FAST = EncoderSettings(preset="ultrafast")
EXACT = EncoderSettings(encoder="libx264", crf=0, preset="ultrafast")
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Text
Dialogue: 0,0:00:00.04,0:00:00.30,Default,{\\i1}Grüße{\\i0}
"""


def recolor(source: Path, target: Path, settings: EncoderSettings = FAST) -> tuple[list[Frame], list[str]]:
    """Even chroma on every frame."""
    frames = []
    with Reader(source) as reader:
        geometry = reader.geometry
        chroma: NDArray[Any] = np.empty((geometry.chroma_height, geometry.chroma_width, 2), np.float32)
        chroma[:] = 90 << (geometry.spec.bits - 8), 160 << (geometry.spec.bits - 8)
        with Writer(target, reader, settings) as writer:
            for frame in reader:
                frames.append(frame)
                writer.write(frame, chroma)
    return frames, writer.warnings


def add_subtitles(source: Path, target: Path, streams: Sequence[tuple[str, bytes, int]]) -> Path:
    """The film of ``source`` with subtitle streams beside it: codec, one packet, disposition. ``ass`` has a file's header."""
    styled = target.with_name("styled.ass")
    styled.write_text(ASS)
    with av.open(str(source)) as film, av.open(str(target), "w") as out, av.open(str(styled)) as text:
        copies = {stream.index: out.add_stream_from_template(stream, opaque=True) for stream in film.streams}
        added: list[Any] = []
        for codec, _, disposition in streams:
            stream = (
                out.add_stream_from_template(text.streams[0], opaque=True)
                if codec == "ass"
                else out.add_mux_stream(codec, time_base=Fraction(1, 1000))
            )
            stream.disposition = disposition
            added.append(stream)
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
        for stream, (codec, payload, _) in zip(added, streams, strict=True):
            packet = next(text.demux()) if codec == "ass" else av.Packet(payload)
            packet.stream, packet.pts, packet.dts, packet.duration = stream, 40, 40, 260
            packet.time_base, packet.is_keyframe = Fraction(1, 1000), True
            out.mux(packet)
    return target


# --- colour tags ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(("name", "transfer"), [("PQ", 16), ("HLG", 18)])
def test_high_dynamic_range_keeps_its_tags_and_depth(tmp_path: Path, name: str, transfer: int, suffix: str) -> None:
    source = make_video(
        tmp_path / "in.mp4",
        codec="libx265",
        pix_fmt="yuv420p10le",
        frames=3,
        size=(128, 96),
        options={"preset": "ultrafast", "x265-params": "log-level=error"},
        color={"color_primaries": 9, "color_trc": transfer, "colorspace": 9, "color_range": 1},
    )
    recolor(source, tmp_path / f"out{suffix}", EncoderSettings(encoder="libx265", preset="ultrafast"))
    with Reader(source) as before, Reader(tmp_path / f"out{suffix}") as after:
        assert (before.geometry.tags.primaries, before.geometry.tags.transfer) == (9, transfer), name
        assert after.geometry.tags == before.geometry.tags
        assert after.geometry.spec == before.geometry.spec
        assert after.geometry.spec.matrix == "bt2020"
        assert after.geometry.spec.bits == 10


@pytest.mark.parametrize(("pix_fmt", "full"), [("yuvj420p", True), ("yuv420p", False)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_full_and_limited_range_stay_and_the_codes_with_them(
    tmp_path: Path, pix_fmt: str, full: bool, suffix: str
) -> None:
    source = make_video(tmp_path / "in.mp4", pix_fmt=pix_fmt, frames=3, color={"color_range": 2 if full else 1})
    recolor(source, tmp_path / f"out{suffix}", EXACT)
    with Reader(tmp_path / f"out{suffix}") as after:
        assert after.geometry.spec.full_range == full
    for a, b in zip(decode(source), decode(tmp_path / f"out{suffix}"), strict=True):
        assert np.array_equal(a.planes[0], b.planes[0])


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
def test_each_matrix_is_tagged_as_it_was(tmp_path: Path, matrix: int) -> None:
    source = make_video(tmp_path / "in.mp4", frames=2, color={"colorspace": matrix, "color_range": 1})
    recolor(source, tmp_path / "out.mp4")
    with Reader(source) as before, Reader(tmp_path / "out.mp4") as after:
        assert after.geometry.tags.matrix == before.geometry.tags.matrix == matrix


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
@pytest.mark.parametrize("size", [(65, 48), (64, 49), (65, 49)])
def test_odd_sizes_with_the_default_encoder(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=3, size=size)
    settings = EncoderSettings() if suffix == ".webm" else FAST
    recolor(source, tmp_path / f"out{suffix}", settings)
    after = decode(tmp_path / f"out{suffix}")
    assert len(after) == 3
    assert after[0].planes[0].shape == size[::-1]


# --- time -------------------------------------------------------------------------------------------------------------


def edited(path: Path, first: int) -> Path:
    """An MP4 whose edit list begins ``first`` frames into its stream, as a phone's or an editor's trim leaves it."""
    whole = make_video(path.with_name("whole.mp4"), frames=16, options={"bf": "0", "g": "16"})
    with av.open(str(whole)) as film, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(film.streams.video[0], opaque=True)
        ticks = round(Fraction(1, 25) / film.streams.video[0].time_base)
        for packet in film.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts - first * ticks, packet.dts - first * ticks
                packet.stream = copy
                out.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_edit_list_that_begins_inside_the_film(tmp_path: Path, suffix: str) -> None:
    """What players show is coloured, no more and no less."""
    source = edited(tmp_path / "in.mp4", 5)
    shown = decode(source)
    assert len(shown) == 11, "the edit list hides five frames"
    recolor(source, tmp_path / f"out{suffix}", EXACT)
    after = decode(tmp_path / f"out{suffix}")
    assert [frame.time for frame in after] == [frame.time for frame in shown]
    for a, b in zip(shown, after, strict=True):
        assert np.array_equal(a.planes[0], b.planes[0])


def test_an_edit_list_that_begins_late(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=6, pts=[n + 50 for n in range(6)], options={"bf": "2"}, audio=1)
    recolor(source, tmp_path / "out.mp4")
    assert [one.time for one in decode(tmp_path / "out.mp4")] == [Fraction(50 + n, 25) for n in range(6)]
    assert packets(tmp_path / "out.mp4", 1) == packets(source, 1)


@pytest.mark.parametrize(
    ("suffix", "size"),
    [(".mp4", (64, 48)), (".mkv", (64, 48)), (".webm", (65, 49)), (".mp4", (65, 49))],
)
def test_gif_in(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    """Delays of their own, a palette, often an odd size."""
    times = [0, 10, 15, 40, 44]
    grey = grey_frames(5, size, "gray")
    source = make_video(
        tmp_path / "in.gif",
        codec="gif",
        pix_fmt="gray",
        size=size,
        frames=grey,
        pts=times,
        time_base=Fraction(1, 100),
        rate=100,
    )
    before = decode(source)
    assert [one.time for one in before] == [Fraction(time, 100) for time in times]
    recolor(source, tmp_path / f"out{suffix}", EncoderSettings() if suffix == ".webm" else FAST)
    after = decode(tmp_path / f"out{suffix}")
    assert [one.time for one in after] == [one.time for one in before]
    assert after[0].planes[0].shape == size[::-1]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "mpeg2video"])
def test_frames_stored_out_of_order(tmp_path: Path, codec: str) -> None:
    options = {"x265-params": "log-level=error:bframes=3"} if codec == "libx265" else {"bf": "2"}
    source = make_video(tmp_path / "in.mkv", codec=codec, frames=14, size=(96, 64), options=options)
    with av.open(str(source)) as film:
        stored = [packet.pts for packet in film.demux(video=0) if packet.size]
    assert stored != sorted(stored), "no B-frames were made"
    recolor(source, tmp_path / "out.mkv", EXACT)
    for a, b in zip(decode(source), decode(tmp_path / "out.mkv"), strict=True):
        assert a.time == b.time
        assert np.array_equal(a.planes[0], b.planes[0])


# --- other streams ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_surround_sound_is_copied(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as out:
        video: Any = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound: Any = out.add_stream("aac", rate=48000, layout="5.1")
        for index in range(10):
            frame = picture(64, 48, "yuv420p", index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for start in range(0, 19200, 1024):
            wave = np.random.default_rng(start).normal(0, 0.1, (6, 1024)).astype(np.float32)
            piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="5.1")
            piece.sample_rate, piece.pts, piece.time_base = 48000, start, Fraction(1, 48000)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    recolor(source, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as after:
        assert after.streams.audio[0].layout.name == "5.1"
    assert [data for _, data in packets(tmp_path / f"out{suffix}", 1)] == [data for _, data in packets(source, 1)]


@pytest.mark.parametrize(
    ("codec", "payload"),
    [("ass", b""), ("hdmv_pgs_subtitle", bytes.fromhex("16000b") + bytes(11)), ("dvd_subtitle", bytes(40)), ("webvtt", b"hi")],
)  # fmt: skip
def test_subtitles_are_copied_with_their_headers(tmp_path: Path, codec: str, payload: bytes) -> None:
    plain = make_video(tmp_path / "plain.mkv", frames=20)
    source = add_subtitles(plain, tmp_path / "in.mkv", [(codec, payload, 0)])
    _, warnings = recolor(source, tmp_path / "out.mkv")
    assert warnings == []
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert after.streams[1].codec_context.name == before.streams[1].codec_context.name
        assert after.streams[1].codec_context.extradata == before.streams[1].codec_context.extradata
        assert codec != "ass" or b"V4+ Styles" in after.streams[1].codec_context.extradata
    assert packets(source, 1)
    assert packets(tmp_path / "out.mkv", 1) == packets(source, 1)


def test_subtitles_that_mp4_cannot_hold_are_named(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "plain.mkv", frames=20)
    source = add_subtitles(plain, tmp_path / "in.mkv", [("hdmv_pgs_subtitle", bytes(14), 0), ("ass", b"", 0)])
    _, warnings = recolor(source, tmp_path / "out.mp4")
    assert warnings == ["subtitle stream 1 (pgssub) is empty: left out"]  # a picture that shows nothing
    with av.open(str(tmp_path / "out.mp4")) as written:
        assert [stream.codec_context.name for stream in written.streams.subtitles] == ["mov_text"]  # of the styled text


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_dispositions_are_kept(tmp_path: Path, suffix: str) -> None:
    codec = "subrip" if suffix == ".mkv" else "mov_text"
    wanted = [Disposition.default | Disposition.forced, Disposition.hearing_impaired, Disposition.comment]
    if suffix == ".mp4":
        wanted = [Disposition.default, Disposition.hearing_impaired]
    plain = make_video(tmp_path / f"plain{suffix}", frames=20)
    payload = b"hello" if suffix == ".mkv" else b"\x00\x05hello"
    source = add_subtitles(plain, tmp_path / f"in{suffix}", [(codec, payload, int(one)) for one in wanted])
    recolor(source, tmp_path / f"out{suffix}")
    with av.open(str(source)) as before, av.open(str(tmp_path / f"out{suffix}")) as after:
        found = [int(stream.disposition) for stream in after.streams]
        assert found == [int(stream.disposition) for stream in before.streams]
        assert any(found[1:])


def test_cover_art_of_matroska_is_kept(tmp_path: Path) -> None:
    """Matroska stores it as an attachment, FFmpeg shows it as a film of one picture."""
    cover = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 32, 32, "rgb24", Fraction(1)
    cover.pts = 0
    png = b"".join(bytes(packet) for packet in [*encoder.encode(cover), *encoder.encode(None)])
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as out:
        video: Any = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        out.add_attachment("cover.png", "image/png", png)
        for index in range(5):
            frame = picture(64, 48, "yuv420p", index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    with av.open(str(source)) as made:
        assert [bool(stream.disposition & Disposition.attached_pic) for stream in made.streams] == [False, True]
    frames, warnings = recolor(source, tmp_path / "out.mkv")
    assert len(frames) == 5
    assert warnings == []
    with av.open(str(tmp_path / "out.mkv")) as after:
        assert after.streams[1].disposition & Disposition.attached_pic
        assert [bytes(packet) for packet in after.demux(after.streams[1]) if packet.size] == [png]
