"""Reader and Writer on real encodes: luma, times, streams, tags, names and failures."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import av
import numpy as np
import pytest

from colorize_media import errors
from colorize_media.video.demuxing import MAX_CONSECUTIVE_FAILURES, Packets, open_container
from colorize_media.video.reader import Frame, Reader
from colorize_media.video.writer import Writer
from tests.made.films import decode, make_video, packets
from tests.video.rewriting import FAST, X264_EXACT, chroma_for, recolor

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


# --- failures ---------------------------------------------------------------------------------------------------------


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


def test_damage_at_the_end_costs_no_frame_before_it(tmp_path: Path) -> None:
    """Frame threads are told of it when the film has ended, and then give nothing any more."""
    source = make_video(tmp_path / "in.mkv", frames=12, options={"bf": "2"})
    data = bytearray(source.read_bytes())
    for _, payload in packets(source, 0)[-2:]:
        place = data.find(payload)
        data[place : place + len(payload)] = b"\x55" * len(payload)
    source.write_bytes(data)
    with av.open(str(source)) as film:
        stream = film.streams.video[0]
        stream.thread_type = "NONE"
        expected = []
        for packet in film.demux(stream):
            try:
                expected += [frame.pts for frame in stream.decode(packet)]
            except av.error.InvalidDataError:
                continue
    with Reader(source) as reader:
        assert [frame.pts for frame in reader] == expected
        assert reader.damaged >= 1
    assert len(expected) == 10


@pytest.mark.parametrize("count", [4, 5, 12])
def test_frames_that_threads_lose_without_a_word_are_found(tmp_path: Path, count: int) -> None:
    """Only the last packet is damaged: frame threads give less than there is, and raise nothing."""
    source = make_video(tmp_path / "in.mkv", frames=count)
    assert len(decode(source)) == count
    data = bytearray(source.read_bytes())
    last = packets(source, 0)[-1][1]
    place = data.find(last)
    data[place : place + len(last)] = bytes(len(last))
    source.write_bytes(data)
    with Reader(source) as reader:
        assert len(list(reader)) == count - 1
        assert reader.damaged >= 1


def test_nor_those_of_a_bare_stream_whose_frames_say_no_time(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.h264", frames=8)
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as film:
        payloads = [bytes(packet) for packet in film.demux() if packet.size]
    for payload in payloads[-2:]:
        place = data.find(payload)
        data[place + 5 : place + len(payload)] = b"\x55" * (len(payload) - 5)
    source.write_bytes(data)
    with av.open(str(source)) as film:
        stream = film.streams.video[0]
        stream.thread_type = "NONE"
        expected = 0
        for packet in film.demux(stream):
            with contextlib.suppress(av.error.InvalidDataError):
                expected += len(stream.decode(packet))
    with Reader(source) as reader:
        assert len(list(reader)) == expected
        assert reader.damaged >= 1
    assert expected == 6


def test_a_film_that_gives_no_frame_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the disk gives nothing any more once the film is open."""

    class Nothing(Packets):
        def __iter__(self) -> Iterator[av.Packet | None]:
            yield None

    monkeypatch.setattr("colorize_media.video.reader.Packets", Nothing)
    with (
        Reader(make_video(tmp_path / "in.mkv")) as reader,
        pytest.raises(errors.DamagedMedia, match="not one of its frames can be decoded"),
    ):
        list(reader)


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


def test_a_film_without_its_first_key_frame_begins_with_what_can_be_decoded(tmp_path: Path) -> None:
    """More packets are lost than a damaged film may have in a row."""
    lost, count = MAX_CONSECUTIVE_FAILURES + 50, MAX_CONSECUTIVE_FAILURES + 60
    whole = make_video(
        tmp_path / "whole.mkv",
        codec="libvpx-vp9",
        frames=count,
        size=(16, 16),
        options={"g": str(lost), "deadline": "realtime"},
    )
    with av.open(str(whole)) as source, av.open(str(tmp_path / "in.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for number, packet in enumerate(one for one in source.demux() if one.size):
            if number:
                packet.stream = stream
                target.mux(packet)
    frames, _, reader = recolor(tmp_path / "in.mkv", tmp_path / "out.mkv", FAST)
    assert [frame.pts for frame in frames] == [40 * number for number in range(lost, count)]
    assert reader.damaged == lost - 1
    assert f"the first {lost - 1} frames cannot be decoded: the film begins without a key frame" in reader.warnings


def test_a_film_that_stores_decoding_times_only_has_no_hole(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.avi", frames=24, options={"bf": "3"})
    frames, _, reader = recolor(source, tmp_path / "out.mkv", FAST)
    times = [frame.pts for frame in frames]
    assert times == list(range(times[0], times[0] + 24))
    assert reader.warnings == []


# --- the output -------------------------------------------------------------------------------------------------------


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


def test_frames_of_a_dvd_come_once_though_few_say_their_time(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.vob", codec="mpeg2video", frames=30, options={"bf": "2"}, format="vob")
    with open_container(source) as file:
        assert any(packet.pts is None for packet in file.demux(video=0) if packet.size)
    with Reader(source) as reader:
        assert sum(1 for _ in reader) == 30
    assert reader.damaged == 0
