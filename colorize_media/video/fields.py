"""Interlaced pictures: two fields, every second line each, from different moments.

FFmpeg keeps in each frame whether it is interlaced and which field is first; PyAV shows only the former, so its filters are
asked. What the file says beforehand comes from its first frames: a film that begins progressive is looked through.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.filter import Graph
from numpy.typing import NDArray

from colorize_media.video.clip import Clip
from colorize_media.video.demuxing import demuxed, open_container, picture_stream
from colorize_media.video.times import own_time

TOP_FIRST, BOTTOM_FIRST = 2, 3
"""AVFieldOrder of fields stored and shown in the same order: all readings of the other two values agree about these."""

BOTTOM_FIELD_FIRST = frozenset({3, 5})
"""Values of AVFieldOrder by which the bottom field is shown first."""

_ALL_LOOKED_AT = 100  # key frames from the beginning on
_STEP = Fraction(1, 2)  # seconds between those that are looked at later; a part that is shorter is no part of a film
_NEVER_INTERLACED = frozenset({"vp8", "vp9", "av1", "libdav1d", "mpeg1video", "theora", "flv", "gif", "apng"})


def through(graph: Graph, frame: av.VideoFrame) -> av.VideoFrame | None:
    """What a filter graph of one input gives for this frame; None where it leaves it out."""
    graph.push(frame)
    try:
        return graph.pull()  # type: ignore[return-value]
    except (av.error.BlockingIOError, av.error.EOFError):
        return None


def graph_for(frame: av.VideoFrame, *filters: tuple[str, str]) -> Graph:
    """Filters one after the other, for frames of this one's size and format."""
    graph = Graph()
    last = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    for name, arguments in (*filters, ("buffersink", "")):
        following = graph.add(name, arguments)
        last.link_to(following)
        last = following
    graph.configure()
    return graph


def field_order(frame: av.VideoFrame) -> int:
    """Which field of an interlaced frame is first, `TOP_FIRST` or `BOTTOM_FIRST`."""
    top = through(graph_for(frame, ("select", "eq(interlace_type,1)")), frame)
    return BOTTOM_FIRST if top is None else TOP_FIRST


def first_interlaced(path: Path, clip: Clip) -> av.VideoFrame | None:
    """The first interlaced frame among a film's key frames, after a while two a second; None if there is none.

    Goes through the file once, but decodes little of it.
    """
    with open_container(path) as container:
        stream = picture_stream(container, path)
        context = stream.codec_context
        if context.name in _NEVER_INTERLACED:
            return None
        context.thread_type = "SLICE"  # single frames are wanted
        looks, next_look = 0, None
        try:
            if not clip.whole and stream.time_base:
                container.seek(int(clip.begin / stream.time_base), stream=stream)
            for packet in demuxed(container, stream):
                time = _time(packet)
                if clip.is_behind(time):
                    return None
                if not packet.is_keyframe or not packet.size:
                    continue
                if time is not None and next_look is not None and next_look - _STEP <= time < next_look:
                    continue
                looks += 1
                next_look = None if time is None or looks < _ALL_LOOKED_AT else time + _STEP
                frame = _alone(context, packet)
                if frame is not None and frame.interlaced_frame:
                    return frame
        except (FFmpegError, OSError):
            return None
    return None


def _time(packet: av.Packet[Any]) -> Fraction | None:
    ticks = own_time(packet)
    return None if ticks is None or not packet.time_base else ticks * packet.time_base


def _alone(context: Any, packet: av.Packet[Any]) -> av.VideoFrame | None:
    """The picture of a key packet, decoded without its neighbours."""
    try:
        frames = [*context.decode(packet), *context.decode(None)]
    except FFmpegError:
        return None
    finally:
        context.flush_buffers()
    return frames[0] if frames else None


class SetFields:
    """Marks frames as interlaced, the first field as in ``order``: an encoder keeps one order for a whole film."""

    def __init__(self, order: int) -> None:
        self._mode = "bff" if order in BOTTOM_FIELD_FIRST else "tff"
        self._graph: Graph | None = None
        self._kind: tuple[int, int, str] | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The same planes, marked."""
        kind = (frame.width, frame.height, frame.format.name)
        if self._graph is None or self._kind != kind:
            self._graph, self._kind = graph_for(frame, ("setfield", f"mode={self._mode}")), kind
        marked = through(self._graph, frame)
        assert marked is not None  # setfield gives what it is given
        return marked


def shrink(plane: NDArray[Any], size: tuple[int, int], *, interlaced: bool) -> NDArray[Any]:
    """A plane ``(h, w)`` averaged down to ``size`` (width, height); the fields each by itself where they are interlaced.

    Chroma lines of an interlaced picture belong to its two fields in turn, as its luma lines do.
    """
    width, height = size
    if not interlaced or height == plane.shape[0]:
        return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    small = np.empty((height, width), plane.dtype)
    for field in (0, 1):
        lines = small[field::2]
        lines[:] = cv2.resize(
            np.ascontiguousarray(plane[field::2]), (width, lines.shape[0]), interpolation=cv2.INTER_AREA
        )
    return small
