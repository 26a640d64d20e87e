"""What changes within a film: the rest is made to fit, it is told when, and what fits stays as it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorize_media.color.planes import luma_plane
from colorize_media.video.reader import Reader
from tests.made.films import decode, grey_frames
from tests.video.rewriting import FFV1, recolor, write_in_segments

COUNT = 12  # frames of each part


def joined(path: Path, *parts: dict[str, Any]) -> Path:
    """A transport stream of parts, each COUNT frames: ``size``, ``codec``, ``pix_fmt``, ``sar``, ``range``, ``matrix``."""
    pieces = []
    for number, part in enumerate(parts):
        size, pix_fmt = part.get("size", (64, 48)), part.get("pix_fmt", "yuv420p")
        piece = path.with_name(f"part{number}.ts")
        with av.open(str(piece), "w", format="mpegts", container_options={"mpegts_copyts": "1"}) as target:
            stream: Any = target.add_stream(part.get("codec", "mpeg2video"), rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            stream.codec_context.sample_aspect_ratio = part.get("sar", Fraction(1))
            stream.codec_context.color_range = part.get("range", 1)
            stream.codec_context.colorspace = part.get("matrix", 2)
            stream.codec_context.max_b_frames = 0
            for index, frame in enumerate(grey_frames(COUNT, size, "yuv420p")):
                frame = frame.reformat(
                    format=pix_fmt, src_color_range="MPEG", dst_color_range="JPEG" if part.get("range") == 2 else "MPEG"
                )
                frame.pts, frame.time_base = 1 + index + COUNT * number, Fraction(1, 25)
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        pieces.append(piece.read_bytes())
        piece.unlink()
    path.write_bytes(b"".join(pieces))
    return path


def test_another_size_is_scaled_to_the_first_and_the_time_is_told(tmp_path: Path) -> None:
    source = joined(tmp_path / "in.ts", {}, {"size": (96, 72)}, {})
    _, _, reader = recolor(source, tmp_path / "out.mkv")
    before, after = decode(source), decode(tmp_path / "out.mkv")
    assert [one.time for one in after] == [one.time for one in before]
    assert len(before) >= 3 * COUNT - 2  # FFmpeg's decoder itself drops a picture at each change
    assert {(one.frame.width, one.frame.height) for one in after} == {(64, 48)}
    for place in range(COUNT - 1):
        assert np.array_equal(before[place].planes[0], after[place].planes[0])
    wanted = luma_plane(before[COUNT].frame.reformat(64, 48, interpolation="AREA"), reader.geometry.spec)
    assert np.abs(after[COUNT].planes[0].astype(int) - wanted).mean() < 4
    told = [text for text in reader.warnings if "64×48 to 96×72" in text]
    assert len(told) == 1
    begins = next(one.time for one in before if one.frame.width == 96)
    assert f"scaled to the first size (at {float(begins - before[0].time):.2f} s)" in told[0]


def test_a_picture_of_another_shape_keeps_it_between_black_bars(tmp_path: Path) -> None:
    source = joined(tmp_path / "in.ts", {}, {"size": (128, 48)})
    recolor(source, tmp_path / "out.mkv")
    wide = decode(tmp_path / "out.mkv")[-1].planes[0]
    assert wide[:11].max() <= 18
    assert wide[-11:].max() <= 18
    assert wide[14:-14].mean() > 40


def test_a_job_that_was_stopped_behind_the_change_ends_as_one_that_was_not(tmp_path: Path) -> None:
    source = joined(tmp_path / "in.ts", {}, {"size": (96, 72)})
    write_in_segments(source, tmp_path / "whole.mkv", (8, 16), FFV1)
    write_in_segments(source, tmp_path / "stopped.mkv", (8, 16), FFV1, stop=18)
    assert not (tmp_path / "stopped.mkv").exists()
    writer = write_in_segments(source, tmp_path / "stopped.mkv", (8, 16), FFV1)
    assert writer.target.exists()
    pairs = zip(decode(tmp_path / "whole.mkv"), decode(tmp_path / "stopped.mkv"), strict=True)
    assert all(a.time == b.time and np.array_equal(a.planes[0], b.planes[0]) for a, b in pairs)


@pytest.mark.parametrize(("first", "then"), [("yuv420p", "yuv420p10le"), ("yuv420p10le", "yuv420p")])
def test_another_depth_is_converted_to_the_first(tmp_path: Path, first: str, then: str) -> None:
    source = joined(tmp_path / "in.ts", {"codec": "libx264", "pix_fmt": first}, {"codec": "libx264", "pix_fmt": then})
    _, _, reader = recolor(source, tmp_path / "out.mkv")
    before, after = decode(source), decode(tmp_path / "out.mkv")
    assert {one.frame.format.name for one in after} == {first}
    assert [one.time for one in after] == [one.time for one in before]
    assert np.array_equal(before[0].planes[0], after[0].planes[0])
    deeper = first == "yuv420p10le"
    wanted = before[-1].planes[0] * (4.0 if deeper else 0.25)
    assert np.abs(after[-1].planes[0] - wanted).max() <= (0 if deeper else 1)  # fewer bits: rounded or dithered
    assert any(f"{first} to {then}: converted" in text and "0.48 s" in text for text in reader.warnings)


@pytest.mark.parametrize("ranges", [(1, 2), (2, 1)])
def test_another_range_is_converted_to_the_first(tmp_path: Path, ranges: tuple[int, int]) -> None:
    """By arithmetic on the codes; FFmpeg's scaler rounds twice and with fixed factors, which is up to two codes."""
    source = joined(tmp_path / "in.ts", *({"codec": "libx264", "range": one, "matrix": 6} for one in ranges))
    _, _, reader = recolor(source, tmp_path / "out.mkv")
    before, after = decode(source), decode(tmp_path / "out.mkv")
    assert np.array_equal(before[0].planes[0], after[0].planes[0])
    for place in (COUNT, 2 * COUNT - 1):
        codes = before[place].planes[0].astype(float)
        wanted = np.clip((codes - 16) * 255 / 219, 0, 255) if ranges == (2, 1) else 16 + codes * 219 / 255
        assert np.abs(wanted - codes).mean() > 4
        assert np.abs(after[place].planes[0] - wanted).max() <= 2
    assert any("colour range changes" in text and "0.48 s" in text for text in reader.warnings)


def test_another_aspect_ratio_is_told_with_its_time_and_the_pictures_stay(tmp_path: Path) -> None:
    """It changes at 0.48 s. Only the decoder tells, which may have read the next picture's header: one frame early."""
    source = joined(tmp_path / "in.ts", {"sar": Fraction(1)}, {"sar": Fraction(4, 3)})
    _, _, reader = recolor(source, tmp_path / "out.mkv")
    for ours, own in zip(decode(tmp_path / "out.mkv"), decode(source), strict=True):
        assert np.array_equal(ours.planes[0], own.planes[0])
    told = [text for text in reader.warnings if "aspect ratio" in text]
    assert len(told) == 1
    assert "from 1.33 to 1.78" in told[0]
    assert told[0].endswith(("(at 0.44 s)", "(at 0.48 s)"))


def test_a_film_in_which_nothing_changes_has_nothing_to_tell(tmp_path: Path) -> None:
    with Reader(joined(tmp_path / "in.ts", {}, {})) as reader:
        assert len(list(reader)) == 2 * COUNT
    assert not [text for text in reader.warnings if "changes" in text]
