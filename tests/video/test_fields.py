"""Interlaced film: DV's rate and fields, films that become interlaced, chroma of each field."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorize_media.video.fields import BOTTOM_FIRST, TOP_FIRST, SetFields, field_order, shrink
from colorize_media.video.reader import Reader
from tests.made.films import decode, make_video, picture
from tests.video.rewriting import FAST, recolor

NTSC = Fraction(30000, 1001)


def dv(path: Path, rate: Fraction, count: int = 5) -> Path:
    """Raw DV, in MOV or in AVI by the suffix; a name with "type1" gets AVI's type 1, one stream of everything."""
    size, pix_fmt = ((720, 480), "yuv411p") if rate == NTSC else ((720, 576), "yuv420p")
    make_video(path, codec="dvvideo", pix_fmt=pix_fmt, size=size, rate=rate, frames=count, interlaced=True)
    if "type1" in path.name:
        path.write_bytes(path.read_bytes().replace(b"vidsdvsd", b"iavsdvsd", 1))
    return path


@pytest.mark.parametrize("rate", [NTSC, Fraction(25)])
@pytest.mark.parametrize("name", ["in.dv", "type1.avi", "type2.avi", "in.mov"])
def test_dv_has_its_rate_level_and_fields(tmp_path: Path, name: str, rate: Fraction) -> None:
    source = dv(tmp_path / name, rate)
    for suffix in (".mov", ".mp4", ".mkv"):
        target = tmp_path / f"out{suffix}"
        _, _, reader = recolor(source, target, FAST)
        assert (reader.average_rate, reader.frames_estimate) == (rate, 5)
        with av.open(str(target)) as container:
            context = container.streams.video[0].codec_context
            assert (context.field_order, context.level) == (BOTTOM_FIRST, 30)
        frames = decode(target)
        assert [one.frame.interlaced_frame for one in frames] == [True] * 5
        assert {field_order(one.frame) for one in frames} == {BOTTOM_FIRST}
        assert all(abs(one.time - place / rate) < Fraction(1, 1000) for place, one in enumerate(frames))


def test_a_film_that_becomes_interlaced_is_marked_so(tmp_path: Path) -> None:
    parts = []
    for number in (0, 1):
        with av.open(str(tmp_path / f"{number}.ts"), "w", format="mpegts") as target:
            stream: Any = target.add_stream("mpeg2video", rate=25)
            stream.width, stream.height = 64, 64
            if number:
                stream.codec_context.flags |= 1 << 18 | 1 << 29
            mark = SetFields(TOP_FIRST)
            for index in range(12):
                frame = picture(64, 64, "yuv420p", index)
                frame = mark(frame) if number else frame
                frame.pts, frame.time_base = index + 12 * number, Fraction(1, 25)
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        parts.append((tmp_path / f"{number}.ts").read_bytes())
    (tmp_path / "in.ts").write_bytes(b"".join(parts))
    _, _, reader = recolor(tmp_path / "in.ts", tmp_path / "out.mkv", FAST)
    assert reader.geometry.interlaced, "so that chroma is made for each field"
    before, after = decode(tmp_path / "in.ts"), decode(tmp_path / "out.mkv")
    assert {one.frame.interlaced_frame for one in before} == {False, True}
    pairs = list(zip(before, after, strict=True))
    assert all(b.frame.interlaced_frame for a, b in pairs if a.frame.interlaced_frame)
    assert {field_order(one.frame) for one in after if one.frame.interlaced_frame} == {TOP_FIRST}
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.field_order == TOP_FIRST


def test_a_progressive_film_stays_progressive(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", options={"g": "4"})
    recolor(source, tmp_path / "out.mp4", FAST)
    assert not any(one.frame.interlaced_frame for one in decode(tmp_path / "out.mp4"))


@pytest.mark.parametrize("order", [TOP_FIRST, BOTTOM_FIRST])
def test_marking_changes_no_code(order: int) -> None:
    frame = picture(64, 48, "yuv420p", 3)
    before = frame.to_ndarray()
    marked = SetFields(order)(frame)
    assert marked.interlaced_frame
    assert field_order(marked) == order
    assert np.array_equal(marked.to_ndarray(), before)


def test_luma_of_the_two_fields_is_never_mixed() -> None:
    plane = np.zeros((8, 8), np.uint8)
    plane[1::2] = 200
    small = shrink(plane, (4, 4), interlaced=True)
    assert small[:, 0].tolist() == [0, 200, 0, 200]
    assert shrink(plane, (4, 4), interlaced=False)[:, 0].tolist() == [100] * 4


def test_the_rate_is_no_tick_of_the_clock(tmp_path: Path) -> None:
    with Reader(dv(tmp_path / "in.dv", Fraction(25))) as reader:
        assert reader.average_rate == 25
