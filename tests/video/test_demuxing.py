"""Which video track is coloured, and what becomes of the others."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from colorize_media.errors import NoPicture
from colorize_media.video.demuxing import demuxed, open_container, picture_stream
from colorize_media.video.reader import Reader
from tests.made.films import decode, make_video, packets, picture
from tests.video.rewriting import FAST, X264_EXACT, recolor


def tracks(path: Path, *, sizes: list[tuple[int, int]], counts: list[int], default: int | None = None) -> Path:
    """A film of several video tracks and two of sound; only the track ``default`` is marked so, if any."""
    with av.open(str(path), "w") as target:
        videos: list[Any] = []
        for index, (width, height) in enumerate(sizes):
            stream: Any = target.add_stream("libx264", rate=25, options={"bf": "3", "preset": "fast"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = Disposition.default if index == default else Disposition(0)
            videos.append(stream)
        sounds: list[Any] = [target.add_stream("aac", rate=48000) for _ in range(2)]
        for stream, size, count in zip(videos, sizes, counts, strict=True):
            for index in range(count):
                frame = picture(*size, "yuv420p", index)
                frame.pts, frame.time_base = index, Fraction(1, 25)
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        for stream in sounds:
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
            target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
    return path


SMALL, LARGE = (64, 48), (128, 96)


@pytest.mark.parametrize(
    ("sizes", "counts", "default", "wanted"),
    [
        ([SMALL, LARGE], [24, 24], 1, 1),  # the default one
        ([LARGE, SMALL], [24, 24], 1, 1),  # the default one, though it is smaller
        ([SMALL, LARGE], [24, 24], None, 1),  # the largest
        ([SMALL, SMALL], [24, 24], None, 0),  # of equals the first
        ([LARGE, SMALL], [1, 24], None, 1),  # never a still
        ([LARGE, SMALL], [1, 24], 0, 1),  # not even as the default one
    ],
)
def test_the_track_that_a_player_shows_is_coloured(
    tmp_path: Path, sizes: list[tuple[int, int]], counts: list[int], default: int | None, wanted: int
) -> None:
    source = tracks(tmp_path / "in.mkv", sizes=sizes, counts=counts, default=default)
    frames, warnings, reader = recolor(source, tmp_path / "out.mkv", X264_EXACT)
    assert reader.picture_index == wanted
    assert len(frames) == counts[wanted]
    assert any(f"video stream {1 - wanted}" in text for text in warnings)
    for index in range(4):
        before, after = packets(source, index), packets(tmp_path / "out.mkv", index)
        assert [one[0] for one in sorted(before)] == [one[0] for one in sorted(after)]
        if index != wanted:
            assert [one[1] for one in before] == [one[1] for one in after]


def test_the_compared_picture_is_the_coloured_one(tmp_path: Path) -> None:
    source = tracks(tmp_path / "in.mkv", sizes=[SMALL, LARGE], counts=[24, 24], default=1)
    _, warnings, _ = recolor(source, tmp_path / "out.mp4", FAST)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [(one.width, one.height) for one in container.streams.video] == [SMALL, LARGE]
        times = [one.pts for one in container.decode(container.streams.video[0])]
    assert times == sorted(times)
    assert len(decode(tmp_path / "out.mp4")) == 24
    assert not any("begins" in text for text in warnings)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
        "\n\n ffconcat version 1.0\nfile secret.mp4",
    ],
)
def test_a_list_of_other_files_is_no_film_whatever_it_is_called(tmp_path: Path, text: str) -> None:
    make_video(tmp_path / "secret.mp4", frames=3)
    (tmp_path / "film.mp4").write_text(text)
    with pytest.raises(NoPicture) as caught:
        open_container(tmp_path / "film.mp4")
    assert caught.value.why
    with pytest.raises(NoPicture, match="a list of other files"):
        Reader(tmp_path / "film.mp4")


@pytest.mark.parametrize(
    "suffix", [".mp4", ".mov", ".mkv", ".avi", ".ts", ".mpg", ".flv", ".nut", ".3gp", ".asf", ".ogv"]
)
def test_every_container_of_films_is_opened(tmp_path: Path, suffix: str) -> None:
    codec = {".ogv": "libtheora", ".mpg": "mpeg2video", ".3gp": "mpeg4", ".asf": "mpeg4"}.get(suffix, "libx264")
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec}")
    with open_container(make_video(tmp_path / f"film{suffix}", codec=codec, frames=3)) as container:
        assert picture_stream(container, tmp_path / f"film{suffix}").type == "video"


def test_what_pyav_stumbles_over_at_the_end_is_the_end(tmp_path: Path) -> None:
    """Where streams have appeared in a file meanwhile, it asks for what it does not have; when, is chance."""

    class Late:
        def demux(self, *streams: Any) -> Any:
            yield from ("first", "second")
            raise IndexError("list index out of range")

    late: Any = Late()
    assert list(demuxed(late)) == ["first", "second"]
