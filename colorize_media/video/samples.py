"""A few small pictures of a film, spread over it: to see whether it has colour, and what it looks like."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from colorize_media.video.demuxing import demuxed, open_container, picture_stream
from colorize_media.video.geometry import VideoGeometry
from colorize_media.video.reader import Reader
from colorize_media.video.times import own_time

SHORT_SIDE = 256
"""Pixels of a sample: enough to tell colour from grey."""

SEARCH = 100
"""Frames decoded at most for one sample, where several samples fall between two key frames."""


def sample(reader: Reader, count: int) -> list[NDArray[np.uint8]]:
    """Up to ``count`` frames spread over the reader's clip: ``(h, w, 3)`` R'G'B', upright, short side at most 256.

    Opens the file a second time, so a running iteration is not disturbed. A film that cannot be sought in gives its
    first frames. Damaged places are left out; the list may be shorter than asked, even empty.
    """
    with open_container(reader.path) as container:
        stream = picture_stream(container, reader.path)
        stream.thread_type = "SLICE"  # frame threads would decode several frames ahead of the one we take
        start = (stream.start_time or 0) * reader.time_base
        if not reader.clip.whole:
            start = max(start, reader.clip.begin)
        pictures: list[NDArray[np.uint8]] = []
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
            pictures.append(_small(frame, reader.geometry))
        return pictures


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


def _small(frame: av.VideoFrame, geometry: VideoGeometry) -> NDArray[np.uint8]:
    scale = min(1.0, SHORT_SIDE / min(geometry.width, geometry.height))  # all alike, whatever changes within the film
    width, height = max(1, round(geometry.width * scale)), max(1, round(geometry.height * scale))
    rgb: NDArray[Any] = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    return geometry.upright(rgb)
