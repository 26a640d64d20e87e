"""What the first frame says: matrix, range, rotation, pixel aspect, fields."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.video.reader import Reader
from tests.made.films import decode, make_video
from tests.video.rewriting import FAST, recolor


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
