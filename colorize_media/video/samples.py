"""A few small pictures of a film, spread over it: to see whether it has colour, and what it looks like."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from colorize_media.color.scaling import small_size
from colorize_media.judge.noise import FEWEST, mean_over_time
from colorize_media.motion.shots import CutDetector
from colorize_media.video.demuxing import demuxed, open_container, picture_stream
from colorize_media.video.geometry import VideoGeometry
from colorize_media.video.reader import Reader
from colorize_media.video.times import own_time

SHORT_SIDE = 256
"""Pixels of a sample: enough to tell colour from grey."""

SEARCH = 100
"""Frames decoded at most for one sample, where several samples fall between two key frames."""


NEIGHBOURS = 8
"""Frames that the mean over time is taken of: a third of a second; noise is then a third of what it was."""

Picture = NDArray[np.uint8]


def sample(reader: Reader, count: int, may_be_noise: Callable[[Picture], bool] | None = None) -> list[Picture]:
    """Up to ``count`` frames spread over the reader's clip: ``(h, w, 3)`` R'G'B', upright, short side at most 256.

    Those of which ``may_be_noise`` says so are the `mean_over_time` with the frames that follow in their shot, and smaller;
    where too few follow they are left out, unless nothing else is there.

    Opens the file a second time, so a running iteration is not disturbed. A film that cannot be sought in gives its
    first frames. Damaged places are left out; the list may be shorter than asked, even empty.
    """
    with open_container(reader.path) as container:
        stream = picture_stream(container, reader.path)
        stream.thread_type = "SLICE"  # frame threads would decode several frames ahead of the one we take
        start = (stream.start_time or 0) * reader.time_base
        if not reader.clip.whole:
            start = max(start, reader.clip.begin)
        pictures: list[Picture] = []
        doubtful: list[Picture] = []
        previous: int | None = None
        for step in range(count):
            time = start + (reader.duration or 0) * Fraction(2 * step + 1, 2 * count)
            try:
                if reader.duration:
                    container.seek(int(time / reader.time_base), stream=stream)
                frames = (frame for packet in demuxed(container, stream) for frame in stream.decode(packet))
                frame = _frame_after(frames, previous, time / reader.time_base)
            except (FFmpegError, OSError):
                continue
            if frame is None:
                continue
            previous = own_time(frame)
            picture = _small(frame, reader.geometry)
            if may_be_noise is not None and may_be_noise(picture):
                shot = _with_followers(picture, (_small(other, reader.geometry) for other in frames))
                if len(shot) < FEWEST:  # the end of a shot or of the film: noise may be all that there is
                    doubtful.append(picture)
                    continue
                picture = mean_over_time(shot)
            pictures.append(picture)
        return pictures or doubtful


def _with_followers(picture: Picture, followers: Iterator[Picture]) -> list[Picture]:
    """The frame and those behind it in its shot, `NEIGHBOURS` at most."""
    shot, cuts = [picture], CutDetector()
    cuts.is_cut(np.ascontiguousarray(picture[..., 1]))
    with contextlib.suppress(FFmpegError, OSError):  # a damaged place ends what can be looked at
        for other in itertools.islice(followers, NEIGHBOURS - 1):
            if other.shape != picture.shape or cuts.is_cut(np.ascontiguousarray(other[..., 1])):
                break
            shot.append(other)
    return shot


def _frame_after(
    frames: Iterator[av.VideoFrame], previous: int | None, target: Fraction | float
) -> av.VideoFrame | None:
    """The first frame behind a seek; where that is not later than the previous sample, one nearer to the target."""
    frame = None
    for frame in itertools.islice(frames, SEARCH):
        time = own_time(frame)
        if previous is None or time is None or (time > previous and time >= target):
            return frame
        if frame.key_frame and time > previous:
            return frame
    return frame if frame is not None and previous is not None and (own_time(frame) or 0) > previous else None


def _small(frame: av.VideoFrame, geometry: VideoGeometry) -> Picture:
    width, height = small_size(
        geometry.width, geometry.height, SHORT_SIDE
    )  # all alike, whatever changes within the film
    rgb: NDArray[Any] = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    return geometry.upright(rgb)
