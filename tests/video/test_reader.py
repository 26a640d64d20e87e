"""Reader and Writer on real encodes: luma, times, streams, tags, names and failures."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_media import errors
from colorize_media.color.planes import luma_plane
from colorize_media.color.spaces import YCbCrSpec
from colorize_media.video.demuxing import MAX_CONSECUTIVE_FAILURES
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Frame, Reader
from colorize_media.video.samples import sample
from colorize_media.video.writer import Writer
from tests.made.films import decode, make_video, packets, picture

LOSSLESS = EncoderSettings(encoder="ffv1")
X264_EXACT = EncoderSettings(encoder="libx264", crf=0, preset="ultrafast")
FAST = EncoderSettings(preset="ultrafast")


def chroma_for(reader: Reader, cb: int = 90, cr: int = 160) -> NDArray[np.float32]:
    geometry = reader.geometry
    shift = geometry.spec.bits - 8
    plane = np.empty((geometry.chroma_height, geometry.chroma_width, 2), np.float32)
    plane[:] = cb << shift, cr << shift
    return plane


def recolor(
    source: Path, target: Path, settings: EncoderSettings = LOSSLESS, chroma: NDArray[Any] | None = None
) -> tuple[list[Frame], list[str], Reader]:
    frames = []
    with Reader(source) as reader:
        chroma = chroma_for(reader) if chroma is None else chroma
        with Writer(target, reader, settings) as writer:
            for frame in reader:
                frames.append(frame)
                writer.write(frame, chroma)
    return frames, writer.warnings, reader


# --- luma -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pix_fmt", "output"),
    [
        ("yuv420p", "yuv420p"),
        ("yuv422p", "yuv422p"),
        ("yuv444p", "yuv444p"),
        ("yuv420p10le", "yuv420p10le"),
        ("yuv422p10le", "yuv422p10le"),
        ("yuv444p12le", "yuv444p12le"),
        ("yuv420p16le", "yuv420p16le"),
        ("yuv410p", "yuv420p"),
        ("gray", "yuv420p"),
        ("gray10le", "yuv420p10le"),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (321, 241)])
def test_the_luma_that_reaches_the_encoder_is_the_decoded_one(
    tmp_path: Path, pix_fmt: str, output: str, size: tuple[int, int]
) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=3, size=size)
    frames, _, reader = recolor(source, tmp_path / "out.mkv")
    truth, back = decode(source), decode(tmp_path / "out.mkv")
    assert reader.geometry.output_format == output
    assert len(frames) == len(back) == 3
    for ours, before, after in zip(frames, truth, back, strict=True):
        assert after.frame.format.name == output
        assert np.array_equal(ours.luma, before.planes[0])
        assert np.array_equal(after.planes[0], before.planes[0])
        assert set(np.unique(after.planes[1])) == {90 << (reader.geometry.spec.bits - 8)}
        assert set(np.unique(after.planes[2])) == {160 << (reader.geometry.spec.bits - 8)}


def test_a_film_of_ordinary_codecs_keeps_its_luma_through_lossless_x264(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=12, options={"bf": "3"})
    frames, _, _ = recolor(source, tmp_path / "out.mp4", X264_EXACT)
    back = decode(tmp_path / "out.mp4")
    assert len(back) == len(frames) == 12
    assert all(np.array_equal(a.planes[0], b.planes[0]) for a, b in zip(decode(source), back, strict=True))


@pytest.mark.parametrize("pix_fmt", ["nv12", "p010le", "yuyv422", "uyvy422", "nv16"])
def test_luma_is_taken_directly_from_other_layouts(pix_fmt: str) -> None:
    deep = pix_fmt == "p010le"
    wanted = picture(33 * 2, 17 * 2, "yuv422p10le" if deep else "yuv422p", 1)
    whole = wanted.reformat(format=pix_fmt, threads=1)  # more write past rows at times: see planes.ONE_SLICE
    got = luma_plane(whole, YCbCrSpec(bits=10 if deep else 8))
    plane = wanted.planes[0]
    kind = np.uint16 if deep else np.uint8
    assert np.array_equal(got, np.frombuffer(plane, kind).reshape(plane.height, -1)[:, :66])


@pytest.mark.parametrize(
    ("pix_fmt", "bits"), [("rgb24", 8), ("bgra", 8), ("gbrp", 8), ("rgb48le", 16), ("gbrp10le", 10)]
)
def test_the_luma_of_grey_rgb_is_its_code(pix_fmt: str, bits: int) -> None:
    deep = bits > 8
    codes = np.arange(1024, dtype=np.uint32).reshape(32, 32) * ((1 << bits) - 1) // 1023
    if pix_fmt.startswith("gbrp"):
        frame = av.VideoFrame(32, 32, pix_fmt)
        for plane in frame.planes:
            np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(32, -1)[:, :32] = codes
    else:
        frame = av.VideoFrame.from_ndarray(
            np.repeat(codes[..., None], 3, axis=2).astype(np.uint16 if deep else np.uint8),
            "rgb48le" if deep else "rgb24",
        ).reformat(format=pix_fmt)
    assert np.array_equal(luma_plane(frame, YCbCrSpec("bt601", True, bits)), codes)


def test_rgb_film_becomes_full_range_420_and_says_so(tmp_path: Path) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None], 3, axis=2)
    source = make_video(
        tmp_path / "in.mkv",
        codec="ffv1",
        pix_fmt="bgr0",
        size=(16, 16),
        frames=[av.VideoFrame.from_ndarray(grey, "rgb24").reformat(format="bgr0") for _ in range(2)],
    )
    _, _, reader = recolor(source, tmp_path / "out.mkv")
    back = decode(tmp_path / "out.mkv")[0]
    assert reader.geometry.spec.full_range
    assert back.frame.format.name in ("yuv420p", "yuvj420p")
    assert back.frame.color_range == 2
    assert np.array_equal(back.planes[0], grey[..., 0])


def test_an_encoder_of_more_bits_keeps_the_codes_shifted(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=1)
    _, warnings, _ = recolor(source, tmp_path / "out.mov", EncoderSettings(encoder="prores_ks"))
    assert any("prores_ks cannot hold yuv420p: written as yuv422p10le" in text for text in warnings)
    before, after = decode(source)[0].planes[0], decode(tmp_path / "out.mov")[0].planes[0]
    assert np.abs((before.astype(int) << 2) - after).mean() < 24  # ProRes is lossy; the scale is right


def test_chroma_of_a_wrong_shape_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=1)
    wrong = np.zeros((48, 64, 2), np.float32)
    with pytest.raises(ValueError, match="chroma must be"):
        recolor(source, tmp_path / "out.mkv", chroma=wrong)
    assert os.listdir(tmp_path) == ["in.mkv"]


# --- geometry ---------------------------------------------------------------------------------------------------------


def test_matrix_and_range_follow_the_tags_else_the_size(tmp_path: Path) -> None:
    def geometry(name: str, **more: Any) -> Any:
        with Reader(make_video(tmp_path / name, codec="libx264", frames=1, **more)) as reader:
            return reader.geometry

    small, large = geometry("a.mp4"), geometry("b.mp4", size=(64, 720))
    assert (small.spec, small.tags.matrix) == (YCbCrSpec("bt601", False, 8), 6)
    assert (large.spec, large.tags.matrix) == (YCbCrSpec("bt709", False, 8), 1)
    wide = geometry(
        "c.mp4",
        pix_fmt="yuv420p10le",
        color={"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1},
    )
    assert wide.spec == YCbCrSpec("bt2020", False, 10)
    assert (wide.tags.primaries, wide.tags.transfer, wide.tags.matrix, wide.tags.range) == (9, 16, 9, 1)
    assert geometry("d.mp4", color={"color_range": 2}).spec.full_range
    jpeg = geometry("e.mp4", pix_fmt="yuvj420p", color={"color_range": 2})
    assert jpeg.spec.full_range
    assert jpeg.output_format == "yuv420p"


def test_an_untagged_grey_film_is_limited_in_h264_and_full_elsewhere(tmp_path: Path) -> None:
    with Reader(make_video(tmp_path / "a.mp4", codec="libx264", pix_fmt="gray", frames=1)) as reader:
        assert not reader.geometry.spec.full_range
    with Reader(make_video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="gray", frames=1)) as reader:
        assert reader.geometry.spec.full_range
        assert reader.geometry.tags.range == 2


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_rotation_colour_tags_and_sar_are_kept(tmp_path: Path, rotation: int, suffix: str) -> None:
    source = make_video(
        tmp_path / "in.mp4",
        frames=2,
        rotation=rotation,
        sar=Fraction(4, 3),
        color={"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 1},
    )
    _, warnings, reader = recolor(source, tmp_path / f"out{suffix}", FAST)
    assert reader.geometry.rotation == rotation
    with Reader(tmp_path / f"out{suffix}") as back:
        assert back.geometry.rotation == rotation
        assert back.geometry.sample_aspect_ratio == Fraction(4, 3)
        assert back.geometry.tags == reader.geometry.tags
    assert warnings == []


def test_interlaced_film_stays_interlaced(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=4, size=(64, 64), interlaced=True, color={"field_order": 2})
    _, _, reader = recolor(source, tmp_path / "out.mp4", FAST)
    assert reader.geometry.interlaced
    assert all(one.frame.interlaced_frame for one in decode(tmp_path / "out.mp4"))


# --- time -------------------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm", ".avi", ".ts", ".wmv", ".flv", ".mpg", ".vob"])
def test_every_container_keeps_count_and_times_of_a_steady_film(tmp_path: Path, suffix: str) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20, size=(176, 144), options={"bf": "3"}, audio=1)
    settings = EncoderSettings() if suffix in (".webm", ".avi", ".wmv", ".mpg", ".vob") else FAST
    frames, warnings, _ = recolor(source, tmp_path / f"out{suffix}", settings)
    back = decode(tmp_path / f"out{suffix}")
    assert len(back) == len(frames) == 20
    offset = back[0].time - frames[0].pts * frames[0].time_base
    assert [one.time - offset for one in back] == [frame.pts * frame.time_base for frame in frames]
    if suffix in (".ts", ".flv", ".mpg", ".vob"):  # cannot hold decoding times before zero, or begin half a second late
        assert 0 <= offset < Fraction(3, 5)
        assert any("later, all streams alike" in text for text in warnings)
    else:
        assert offset == 0


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


def test_a_time_code_track_is_made_anew(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mov", frames=3, tags={"timecode": "01:02:03:04"})
    _, warnings, reader = recolor(source, tmp_path / "out.mov", FAST)
    assert [one.kind for one in reader.streams] == ["data"]
    assert warnings == []
    with av.open(str(tmp_path / "out.mov")) as back:
        assert [(s.type, s.metadata["timecode"]) for s in back.streams] == [
            ("video", "01:02:03:04"),
            ("data", "01:02:03:04"),
        ]


# --- everything else --------------------------------------------------------------------------------------------------


def test_other_streams_tags_and_chapters_are_copied(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mkv",
        frames=50,
        audio=2,
        subtitle="subrip",
        attachment=b"\x00\x01\x00\x00not really a font",
        tags={"title": "Ein Kürbis", "COMMENT": "free text", "DATE": "1921"},
        languages=["und", "eng", "deu", "fra"],
        chapters=[(0, 800, "Anfang"), (800, 2000, "Ende ✓")],
    )
    _, warnings, reader = recolor(source, tmp_path / "out.mkv", FAST)
    assert warnings == []
    assert [one.kind for one in reader.streams] == ["audio", "audio", "subtitle", "attachment"]
    for index in (1, 2, 3):
        assert packets(source, index)
        assert packets(tmp_path / "out.mkv", index) == packets(source, index)
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert [s.type for s in after.streams] == [s.type for s in before.streams]
        assert [s.language for s in after.streams] == [s.language for s in before.streams]
        assert [int(s.disposition) for s in after.streams] == [int(s.disposition) for s in before.streams]
        assert after.streams.attachments[0].data == before.streams.attachments[0].data
        assert [(c["start"], c["end"], c["metadata"]) for c in after.chapters()] == [
            (c["start"], c["end"], c["metadata"]) for c in before.chapters()
        ]
        for name in ("title", "COMMENT", "DATE"):
            assert after.metadata[name] == before.metadata[name]


def test_mp4_keeps_audio_subtitles_chapters_and_free_tags(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mp4",
        frames=50,
        audio=1,
        subtitle="mov_text",
        tags={
            "title": "T",
            "com.apple.quicktime.make": "Apple",
            "com.apple.quicktime.location.ISO6709": "+32.0+034.8/",
        },
        container_options={"movflags": "use_metadata_tags"},
        languages=["eng", "eng", "nor"],
        chapters=[(0, 800, "Anfang"), (800, 2000, "Ende ✓")],
    )
    _, warnings, _ = recolor(source, tmp_path / "out.mp4", FAST)
    assert warnings == []
    assert packets(tmp_path / "out.mp4", 1) == packets(source, 1)
    texts = [[one for one in packets(path, 2) if one[1] != b"\0\0"] for path in (source, tmp_path / "out.mp4")]
    assert texts[0] == texts[1] == [(Fraction(1, 25), b"\0\x05hello")]  # the muxer fills gaps with empty texts
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        assert [s.type for s in before.streams][:3] == ["video", "audio", "subtitle"]
        assert [(s.type, s.language) for s in after.streams] == [(s.type, s.language) for s in before.streams]
        assert [c["metadata"] for c in after.chapters()] == [{"title": "Anfang"}, {"title": "Ende ✓"}]
        assert after.metadata["com.apple.quicktime.location.ISO6709"] == "+32.0+034.8/"
        assert after.metadata["title"] == "T"


def test_what_the_container_cannot_hold_is_named_once(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mkv", frames=5, audio=1, subtitle="subrip", attachment=b"font", languages=["eng", "eng", "fra"]
    )
    _, warnings, _ = recolor(source, tmp_path / "out.mp4", FAST)
    named = [text for text in warnings if "cannot hold" in text]
    assert len(named) == 1
    assert "subtitle stream 2" in named[0]
    assert "fra" in named[0]
    assert "attachment stream 3" in named[0]
    assert packets(tmp_path / "out.mp4", 1)[0][1] == packets(source, 1)[0][1]


def test_further_films_are_copied_and_covers_are_no_films(tmp_path: Path) -> None:
    first = make_video(tmp_path / "one.mp4", frames=6)
    with av.open(str(first)) as source, av.open(str(tmp_path / "two.mp4"), "w") as target:
        cover: Any = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = 1 << 10
        copies = [target.add_stream_from_template(source.streams.video[0], opaque=True) for _ in range(2)]
        target.mux(cover.encode(picture(32, 32, "yuvj420p", 0)))
        target.mux(cover.encode(None))
        for number, copy in enumerate(copies):
            source.seek(0)
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = copies[number]
                    target.mux(packet)
            assert copy.index > 0
    frames, warnings, reader = recolor(tmp_path / "two.mp4", tmp_path / "out.mp4", FAST)
    with av.open(str(tmp_path / "two.mp4")) as made:
        covers = [s.index for s in made.streams if s.disposition & 1 << 10]
        films = [s.index for s in made.streams if not s.disposition & 1 << 10]
    assert len(covers) == 1
    assert reader.picture_index == films[0]
    assert len(frames) == 6
    assert [text for text in warnings if "copied as it is" in text and f"video stream {films[1]}" in text]
    assert packets(tmp_path / "out.mp4", films[1]) == packets(tmp_path / "two.mp4", films[1])
    with av.open(str(tmp_path / "out.mp4")) as back:
        assert [bool(s.disposition & 1 << 10) for s in back.streams] == [
            index in covers for index in range(len(back.streams))
        ]


# --- samples ----------------------------------------------------------------------------------------------------------


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


# --- failures ---------------------------------------------------------------------------------------------------------


def failing(path: Path) -> errors.ColorizeError:
    with pytest.raises(errors.ColorizeError) as caught:
        Reader(path)
    error = caught.value
    assert error.what
    assert error.path == path
    assert error.why
    assert error.hint
    return error


def test_missing_empty_text_and_folder(tmp_path: Path) -> None:
    assert type(failing(tmp_path / "none.mp4")) is errors.InputMissing
    (tmp_path / "empty.mp4").touch()
    assert type(failing(tmp_path / "empty.mp4")) is errors.EmptyFile
    for name in ("note.mp4", "note.txt", "note.nfo"):
        (tmp_path / name).write_text("Dear diary, today I digitised a film.\n" * 50)
        assert type(failing(tmp_path / name)) is errors.NoPicture
    error = failing(tmp_path)
    assert type(error) is errors.InputUnreadable
    assert "folder" in error.why
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "pipe" in failing(tmp_path / "pipe.mp4").why


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=1)
    source.chmod(0)
    assert type(failing(source)) is errors.InputUnreadable


def test_audio_only(tmp_path: Path) -> None:
    both = make_video(tmp_path / "both.mp4", frames=5, audio=1)
    with av.open(str(both)) as source, av.open(str(tmp_path / "sound.mp4"), "w") as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = track
                target.mux(packet)
    error = failing(tmp_path / "sound.mp4")
    assert type(error) is errors.NoPicture
    assert "audio" in error.why


def test_encrypted(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mp4",
        frames=5,
        container_options={
            "encryption_scheme": "cenc-aes-ctr",
            "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
            "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
        },
    )
    assert type(failing(source)) is errors.Encrypted


def test_transparent_film_is_refused_but_an_opaque_alpha_is_not(tmp_path: Path) -> None:
    clear = picture(64, 48, "yuva420p", 0)
    assert type(failing(make_video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuva420p", frames=[clear]))) is (
        errors.UnsupportedMedia
    )
    opaque = picture(64, 48, "yuva420p", 0)
    np.frombuffer(opaque.planes[3], np.uint8)[:] = 255
    source = make_video(tmp_path / "b.mkv", codec="ffv1", pix_fmt="yuva420p", frames=[opaque])
    recolor(source, tmp_path / "out.mkv")
    assert np.array_equal(decode(source)[0].planes[0], decode(tmp_path / "out.mkv")[0].planes[0])


def test_a_film_cut_before_its_index_is_damaged(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "in.mp4", frames=30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert type(failing(tmp_path / "cut.mp4")) is errors.DamagedMedia


def test_a_film_cut_behind_its_index_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "in.mp4", frames=30, container_options={"movflags": "faststart"}).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    frames, _, reader = recolor(tmp_path / "cut.mp4", tmp_path / "out.mp4", FAST)
    assert 0 < len(frames) < 30
    assert len(decode(tmp_path / "out.mp4")) == len(frames)
    assert reader.damaged
    assert any("ends early" in text for text in reader.warnings)


def test_damage_in_the_middle_is_counted_and_skipped(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=12)
    data = bytearray(source.read_bytes())
    middle = packets(source, 0)[6][1]
    place = data.find(middle)
    data[place : place + len(middle)] = b"\x55" * len(middle)
    source.write_bytes(data)
    frames, _, reader = recolor(source, tmp_path / "out.mkv")
    assert reader.damaged == 1
    assert [frame.pts for frame in frames] == [40 * number for number in range(12) if number != 6]
    assert len(decode(tmp_path / "out.mkv")) == 11


def test_a_ruined_stream_is_given_up(tmp_path: Path) -> None:
    count = MAX_CONSECUTIVE_FAILURES + 20
    source = make_video(tmp_path / "in.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=count, size=(16, 16))
    data = bytearray(source.read_bytes())
    for _, payload in packets(source, 0)[5:]:
        place = data.find(payload)
        data[place : place + len(payload)] = b"\x55" * len(payload)
    source.write_bytes(data)
    with pytest.raises(errors.DamagedMedia, match=f"{MAX_CONSECUTIVE_FAILURES} packets in a row"):
        recolor(source, tmp_path / "out.mkv", FAST)
    assert os.listdir(tmp_path) == ["in.mkv"]


def test_a_picture_that_changes_size_is_refused_with_its_time(tmp_path: Path) -> None:
    parts = []
    for number, size in enumerate([(64, 48), (96, 48)]):
        with av.open(str(tmp_path / f"{number}.ts"), "w", format="mpegts") as target:
            stream: Any = target.add_stream("mpeg2video", rate=25)
            stream.width, stream.height = size
            for index in range(12):
                frame = picture(*size, "yuv420p", index)
                frame.pts, frame.time_base = index + 12 * number, Fraction(1, 25)
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        parts.append((tmp_path / f"{number}.ts").read_bytes())
        (tmp_path / f"{number}.ts").unlink()
    (tmp_path / "in.ts").write_bytes(b"".join(parts))
    with pytest.raises(errors.UnsupportedMedia, match=r"64×48.*96×48"):
        recolor(tmp_path / "in.ts", tmp_path / "out.mp4", FAST)


# --- the output -------------------------------------------------------------------------------------------------------


def test_abort_leaves_nothing_and_keeps_an_older_output(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=5)
    (tmp_path / "out.mp4").write_bytes(b"older")

    def break_down() -> None:
        with Reader(source) as reader, Writer(tmp_path / "out.mp4", reader, FAST) as writer:
            for item in reader:
                writer.write(item, chroma_for(reader))
                assert len(os.listdir(tmp_path)) == 3
                assert (tmp_path / "out.mp4").read_bytes() == b"older"
                raise RuntimeError("the network broke")

    with pytest.raises(RuntimeError, match="the network broke"):
        break_down()
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"older"
    recolor(source, tmp_path / "out.mp4", FAST)
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4"]
    assert len(decode(tmp_path / "out.mp4")) == 5


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "%03d.mp4", "-leading.mp4", "http:__x.mp4", "ünï ©ode 🎬.mp4", "[x]*?.mp4", "n" * 240 + ".mp4"]
)
def test_odd_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / name
    shutil.copy(make_video(tmp_path / "plain.mp4", frames=2), source)
    target = tmp_path / "sub" / name
    target.parent.mkdir()
    recolor(source, target, FAST)
    assert len(decode(target)) == 2
    monkeypatch.chdir(tmp_path)
    target.unlink()
    recolor(Path(name), Path("sub") / name, FAST)
    assert os.listdir(tmp_path / "sub") == [name]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"latin\xe9.mp4")
    shutil.copy(make_video(tmp_path / "plain.mp4", frames=2), tmp_path / name)
    recolor(tmp_path / name, tmp_path / f"out-{name}", FAST)
    assert (tmp_path / f"out-{name}").stat().st_size


def test_destinations_that_cannot_be(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=1)
    (tmp_path / "folder.mp4").mkdir()
    cases: list[tuple[Path, type[errors.ColorizeError]]] = [
        (source, errors.InputIsOutput),
        (tmp_path / "folder.mp4" / ".." / "in.mp4", errors.InputIsOutput),
        (tmp_path / "folder.mp4", errors.OutputUnwritable),
        (tmp_path / "none" / "out.mp4", errors.OutputUnwritable),
        (tmp_path / "out.gif", errors.UnsupportedMedia),
        (tmp_path / "out.xyz", errors.UnsupportedMedia),
        (tmp_path / "out", errors.UnsupportedMedia),
        (tmp_path / "out.png", errors.UnsupportedMedia),
        (tmp_path / "out.h264", errors.UnsupportedMedia),
        (tmp_path / "out.mxf", errors.UnsupportedMedia),
    ]
    with Reader(source) as reader:
        for target, kind in cases:
            with pytest.raises(kind) as caught:
                Writer(target, reader, FAST)
            assert all((caught.value.why, caught.value.hint, caught.value.path))
    assert sorted(os.listdir(tmp_path)) == ["folder.mp4", "in.mp4"]


def test_encoders_that_cannot_be(tmp_path: Path) -> None:
    shallow = make_video(tmp_path / "a.mp4", frames=1)
    deep = make_video(tmp_path / "b.mkv", codec="ffv1", pix_fmt="yuv420p12le", frames=1)
    wrong = [
        (shallow, "out.mp4", EncoderSettings(encoder="libnothing"), errors.CodecMissing, "libnothing"),
        (shallow, "out.mp4", EncoderSettings(encoder="libvorbis"), errors.CodecMissing, "libvorbis"),
        (shallow, "out.webm", EncoderSettings(encoder="libx264"), errors.CodecMissing, "libvpx-vp9"),
        (deep, "out.mp4", EncoderSettings(encoder="libx264"), errors.CodecMissing, "12-bit"),
        (deep, "out.webm", EncoderSettings(), errors.CodecMissing, "12-bit"),
        (shallow, "out.mp4", EncoderSettings(preset="notapreset"), errors.CodecMissing, "libx264"),
        (shallow, "out.mkv", EncoderSettings(encoder="ffv1", crf=20), errors.BadOption, "ffv1 has no crf"),
    ]
    for source, name, settings, kind, text in wrong:
        with Reader(source) as reader, pytest.raises(kind, match=text) as caught:
            Writer(tmp_path / name, reader, settings)
        assert all((caught.value.why, caught.value.hint))
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "b.mkv"]


def test_the_encoder_follows_container_and_depth(tmp_path: Path) -> None:
    def chosen(pix_fmt: str, suffix: str) -> str:
        source = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=1)
        with Reader(source) as reader, Writer(tmp_path / f"out{suffix}", reader) as writer:
            for item in reader:
                writer.write(item, chroma_for(reader))
        back = decode(tmp_path / f"out{suffix}")[0].frame.format.name
        return f"{writer.encoder} {back}"

    assert chosen("yuv420p", ".mp4") == "libx264 yuv420p"
    assert chosen("yuv420p10le", ".mov") == "libx264 yuv420p10le"
    assert chosen("yuv420p12le", ".mp4") == "libx265 yuv420p12le"
    assert chosen("yuv420p", ".webm") == "libvpx-vp9 yuv420p"
    assert chosen("yuv420p10le", ".webm") == "libsvtav1 yuv420p10le"
    assert chosen("yuv420p16le", ".mkv") == "ffv1 yuv420p16le"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_films(tmp_path: Path, count: int) -> None:
    source = make_video(tmp_path / "in.mp4", frames=count)
    for encoder in ["libx264", *["libx265"] * 6]:  # x265 fails at random, so several times
        recolor(source, tmp_path / "out.mp4", EncoderSettings(encoder))
        assert [one.time for one in decode(tmp_path / "out.mp4")] == [one.time for one in decode(source)]


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1"])
def test_encoders_say_nothing(tmp_path: Path, encoder: str, capfd: pytest.CaptureFixture[str]) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=2, size=(64, 64))
    recolor(source, tmp_path / "out.mkv", EncoderSettings(encoder))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name != "posix", reason="needs a file size limit")
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    make_video(tmp_path / "in.mkv", codec="ffv1", frames=40, size=(128, 96))
    script = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from colorize_media.errors import OutputUnwritable
from colorize_media.video.reader import Reader
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.writer import Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
folder = Path(sys.argv[1])
try:
    with Reader(folder / "in.mkv") as reader, Writer(folder / "out.mkv", reader, EncoderSettings("ffv1")) as writer:
        chroma = np.full((48, 64, 2), 128, np.uint8)
        for item in reader:
            writer.write(item, chroma)
except OutputUnwritable as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert os.strerror(errno.EFBIG) in done.stdout, done.stderr
    assert "make room" in done.stdout
    assert os.listdir(tmp_path) == ["in.mkv"]


def test_reader_and_writer_in_different_threads(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=40, audio=1)
    queue: Queue[Frame | None] = Queue(4)
    with Reader(source) as reader, Writer(tmp_path / "out.mp4", reader, X264_EXACT) as writer:

        def feed() -> None:
            for item in reader:
                queue.put(item)
            queue.put(None)

        thread = threading.Thread(target=feed)
        thread.start()
        chroma = chroma_for(reader)
        while (item := queue.get()) is not None:
            writer.write(item, chroma)
        thread.join()
    before, after = decode(source), decode(tmp_path / "out.mp4")
    assert [one.time for one in before] == [one.time for one in after]
    assert all(np.array_equal(a.planes[0], b.planes[0]) for a, b in zip(before, after, strict=True))
    assert packets(tmp_path / "out.mp4", 1) == packets(source, 1)
