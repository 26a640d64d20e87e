"""Films read and written again with made-up colours, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from colorize_media.options import AudioForm
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Frame, Reader
from colorize_media.video.writer import Writer

FFV1 = EncoderSettings(encoder="ffv1")  # lossless
X264_EXACT = EncoderSettings(encoder="libx264", crf=0, preset="ultrafast")
FAST = EncoderSettings(preset="ultrafast")


def chroma_for(reader: Reader, cb: int = 90, cr: int = 160) -> NDArray[np.float32]:
    """One colour everywhere, in 8-bit codes; ``(chroma_height, chroma_width, 2)``."""
    geometry = reader.geometry
    shift = geometry.spec.bits - 8
    plane = np.empty((geometry.chroma_height, geometry.chroma_width, 2), np.float32)
    plane[:] = cb << shift, cr << shift
    return plane


def recolor(
    source: Path,
    target: Path,
    settings: EncoderSettings = FFV1,
    chroma: NDArray[Any] | None = None,
    *,
    drop_streams: bool = False,
    audio: AudioForm = "lossless",
) -> tuple[list[Frame], list[str], Reader]:
    """Write all frames with the same chroma; gives them, the writer's warnings and the closed reader."""
    frames = []
    with Reader(source) as reader:
        chroma = chroma_for(reader) if chroma is None else chroma
        with Writer(target, reader, settings, drop_streams=drop_streams, audio=audio) as writer:
            for frame in reader:
                frames.append(frame)
                writer.write(frame, chroma)
    return frames, writer.warnings, reader


def contents(path: Path) -> list[list[Any]]:
    """Everything that is in a film: of each stream the packets with all their times."""
    with av.open(str(path)) as container:
        found: list[list[Any]] = [[] for _ in container.streams]
        for packet in container.demux():
            if packet.size:
                entry = (packet.pts, packet.dts, packet.duration, packet.is_keyframe, bytes(packet))
                found[packet.stream_index].append(entry)
    return found


def neutral(reader: Reader) -> NDArray[np.uint8]:
    """No colour; ``(chroma_height, chroma_width, 2)``."""
    return np.full((reader.geometry.chroma_height, reader.geometry.chroma_width, 2), 128, np.uint8)


def write_in_segments(
    source: Path, target: Path, ends: tuple[int, ...], settings: EncoderSettings, stop: int | None = None
) -> Writer:
    """A film in segments that end before these frames; ``stop`` interrupts. Goes on with what is there."""
    with Reader(source) as reader:
        writer = Writer(target, reader, settings, {"test": 1})
        try:
            with writer:
                for frame in reader:
                    if frame.index < writer.frames:
                        continue
                    if frame.index in ends:
                        writer.end_segment({"at": np.array([frame.index])})
                    if frame.index == stop:
                        raise KeyboardInterrupt
                    writer.write(frame, neutral(reader))
        except KeyboardInterrupt:
            pass
    return writer
