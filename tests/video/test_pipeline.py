"""The promises, end to end: real files in, the tool's own loop, real files out."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from colorize_media.errors import ColorizeError, DamagedMedia
from colorize_media.events import Advanced, Done, Event, Skipped, Started
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.colorize import colorize_video
from tests.made.films import decode, grey_frames, make_video, packets

LOSSLESS = ColorizeOptions(encoder="ffv1", working_size=64)


def same_lumas(one: Path, other: Path) -> None:
    before, after = decode(one), decode(other)
    assert len(before) == len(after)
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a.planes[0], b.planes[0])
        assert a.time == b.time


@pytest.mark.parametrize("smoothing", ["off", "fast"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv444p12le"])
def test_luma_times_and_count_are_the_sources_own(
    tmp_path: Path, colorizer: Colorizer, pix_fmt: str, smoothing: Any
) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=grey_frames(6, pix_fmt=pix_fmt))
    target = tmp_path / "out.mkv"
    done = colorize_video(
        source, target, colorizer, ColorizeOptions(encoder="ffv1", working_size=64, smoothing=smoothing)
    )
    assert isinstance(done, Done)
    assert done.frames == 6
    same_lumas(source, target)
    after = decode(target)[0]
    mid = 128 << (after.frame.format.components[0].bits - 8)
    assert any(np.abs(plane.astype(int) - mid).max() > 0 for plane in after.planes[1:])


def test_variable_frame_rate_and_a_late_start_are_kept(tmp_path: Path, colorizer: Colorizer) -> None:
    times = [1000, 1040, 1041, 1500, 3497, 3600]
    source = make_video(
        tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(6), pts=times, time_base=Fraction(1, 1000)
    )
    colorize_video(source, tmp_path / "out.mkv", colorizer, LOSSLESS)
    assert [frame.time for frame in decode(tmp_path / "out.mkv")] == [Fraction(time, 1000) for time in times]


@pytest.mark.parametrize("frames", [1, 3, 4, 5, 13])
def test_any_number_of_frames_against_the_batch(tmp_path: Path, colorizer: Colorizer, frames: int) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(frames))
    assert colorize_video(source, tmp_path / "out.mkv", colorizer, LOSSLESS).frames == frames  # type: ignore[union-attr]
    same_lumas(source, tmp_path / "out.mkv")


def test_batch_size_does_not_change_the_picture(tmp_path: Path, fresh_weights: Path) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(7))
    results = []
    for batch in (1, 3):
        target = tmp_path / f"{batch}.mkv"
        colorize_video(source, target, Colorizer(str(fresh_weights), "cpu", batch_size=batch), LOSSLESS)
        results.append([frame.planes for frame in decode(target)])
    for one, other in zip(*results, strict=True):
        for a, b in zip(one, other, strict=True):
            assert np.abs(a.astype(int) - b.astype(int)).max() <= 2  # bfloat16 may round in another order


def test_sound_is_copied_bit_by_bit(tmp_path: Path, colorizer: Colorizer) -> None:
    source = make_video(tmp_path / "in.mkv", frames=grey_frames(30), audio=2)
    colorize_video(source, tmp_path / "out.mkv", colorizer, ColorizeOptions())
    for index in (1, 2):
        assert packets(tmp_path / "out.mkv", index) == packets(source, index)


def test_a_turned_film_is_seen_upright(tmp_path: Path, colorizer: Colorizer) -> None:
    """The colours of a film that is stored lying are those of the same film stored upright, turned."""
    upright = grey_frames(2, (64, 96))
    lying = []
    for frame in upright:
        planes = np.ascontiguousarray(
            np.rot90(frame.reformat(format="gray", src_color_range=1, dst_color_range=1).to_ndarray())
        )
        lying.append(
            av.VideoFrame.from_ndarray(planes, format="gray").reformat(
                format="yuv420p", src_color_range=1, dst_color_range=1
            )
        )
    options = ColorizeOptions(encoder="ffv1", working_size=64, smoothing="off")
    plain = make_video(tmp_path / "plain.mkv", codec="ffv1", frames=upright, size=(64, 96))
    turned = make_video(tmp_path / "turned.mkv", codec="ffv1", frames=lying, size=(96, 64), rotation=90)
    colorize_video(plain, tmp_path / "a.mkv", colorizer, options)
    colorize_video(turned, tmp_path / "b.mkv", colorizer, options)
    for a, b in zip(decode(tmp_path / "a.mkv"), decode(tmp_path / "b.mkv"), strict=True):
        for plane in (1, 2):
            assert np.abs(a.planes[plane].astype(int) - np.rot90(b.planes[plane], -1).astype(int)).max() <= 3


def test_a_film_in_colour_is_left_alone_unless_forced(tmp_path: Path, colorizer: Colorizer) -> None:
    rgb = [
        av.VideoFrame.from_ndarray(np.ascontiguousarray(data.astronaut()[:256, n : 256 + n]), format="rgb24")
        for n in range(4)
    ]
    source = make_video(
        tmp_path / "in.mp4", frames=[frame.reformat(format="yuv420p") for frame in rgb], size=(256, 256)
    )
    result = colorize_video(source, tmp_path / "out.mp4", colorizer, ColorizeOptions())
    assert isinstance(result, Skipped)
    assert "colour" in result.reason
    assert not (tmp_path / "out.mp4").exists()
    assert isinstance(colorize_video(source, tmp_path / "out.mp4", colorizer, ColorizeOptions(force=True)), Done)


def test_vividness_zero_is_exactly_neutral(tmp_path: Path, colorizer: Colorizer) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(3))
    colorize_video(
        source, tmp_path / "out.mkv", colorizer, ColorizeOptions(encoder="ffv1", working_size=64, vividness=0)
    )
    assert all(np.all(plane == 128) for frame in decode(tmp_path / "out.mkv") for plane in frame.planes[1:])


def test_events_tell_the_story_in_order(tmp_path: Path, colorizer: Colorizer) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(9))
    told: list[Event] = []
    colorize_video(source, tmp_path / "out.mkv", colorizer, LOSSLESS, told.append)
    assert isinstance(told[0], Started)
    assert told[0].note.startswith("neutral")
    counts = [event.frames for event in told if isinstance(event, Advanced)]
    assert counts
    assert counts == sorted(counts)


class Broken(Exception):
    """Something that goes wrong in the middle."""


def test_a_failure_in_the_network_leaves_nothing_and_no_thread(
    tmp_path: Path, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(20))
    calls = []
    real = Colorizer.colors

    def fails_later(self: Colorizer, *args: Any, **kwargs: Any) -> NDArray[np.float32]:
        calls.append(1)
        if len(calls) == 3:
            raise Broken
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Colorizer, "colors", fails_later)
    with pytest.raises(Broken):
        colorize_video(source, tmp_path / "out.mkv", colorizer, LOSSLESS)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    assert not [thread for thread in threading.enumerate() if thread.name in ("decode", "encode")]


def test_an_interrupt_leaves_nothing(tmp_path: Path, colorizer: Colorizer) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(20))

    def interrupt(event: Event) -> None:
        if isinstance(event, Advanced):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        colorize_video(source, tmp_path / "out.mkv", colorizer, LOSSLESS, interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_a_film_cut_off_in_the_middle_of_a_download(tmp_path: Path, colorizer: Colorizer) -> None:
    """MP4 keeps its index at the end: what is left cannot be read, and nothing is written."""
    whole = make_video(tmp_path / "whole.mp4", frames=grey_frames(20))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(DamagedMedia):
        colorize_video(cut, tmp_path / "out.mp4", colorizer, ColorizeOptions())
    assert not list(tmp_path.glob("*out*"))


def test_too_large_a_frame_is_refused(tmp_path: Path, colorizer: Colorizer) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(1))
    with pytest.raises(ColorizeError, match="too large"):
        colorize_video(source, tmp_path / "out.mkv", colorizer, ColorizeOptions(max_pixels=1000))


# --- real files


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("bw_video/legacy_v05_pixfmt_gray.mp4", 1),
        pytest.param("bw_video/legacy_v05_pixfmt_gray.mp4", None, marks=pytest.mark.long),
        ("video/flir_vfr_thermal.mp4", None),
        ("video/odd/tc_h264_10bits.mp4", None),
        ("video/odd/tc_testsrc2_odd_height_and_width_444.mp4", None),
        ("bw_video/silent_within_our_gates.mp4", None),
    ],
)
def test_real_films_keep_luma_count_and_times(
    shared_media: Path, tmp_path: Path, fresh_regression: Path, name: str, seconds: int | None
) -> None:
    """Matroska rounds times to a millisecond; an MP4 of the same job keeps them exactly.

    Hundreds of frames, so the smaller network: neither luma nor times are its doing. Of the largest the first second; whole it
    is `long`.
    """
    colorizer = Colorizer(str(fresh_regression), "cpu")
    source = shared_media / name
    options = ColorizeOptions(force=True, working_size=64, duration=None if seconds is None else Fraction(seconds))
    colorize_video(source, tmp_path / "out.mkv", colorizer, replace(options, encoder="ffv1"))
    before, after = decode(source), decode(tmp_path / "out.mkv")
    if seconds is not None:
        before = [frame for frame in before if frame.time < before[0].time + seconds]
    assert len(before) == len(after)
    assert len(after) >= 10
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a.planes[0], b.planes[0])
        assert abs(a.time - b.time) <= Fraction(1, 1000)
    if "10bits" not in name:
        colorize_video(source, tmp_path / "out.mp4", colorizer, replace(options, preset="ultrafast"))
        start = before[0].time - decode(tmp_path / "out.mp4")[0].time
        assert [frame.time + start for frame in decode(tmp_path / "out.mp4")] == [frame.time for frame in before]
