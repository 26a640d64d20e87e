"""Small films made with PyAV, and an independent way to read them back. Shared by the tests of several rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import skimage.data
from av.video.format import VideoFormat
from numpy.typing import NDArray

from tests.made.clips import pan


@dataclass(frozen=True)
class Decoded:
    """A frame as PyAV gives it: ``planes`` without padding, ``time`` in seconds."""

    time: Fraction
    planes: tuple[NDArray[Any], ...]
    frame: av.VideoFrame


def picture(width: int, height: int, pix_fmt: str, index: int) -> av.VideoFrame:
    """A frame of reproducible content: a moving ramp under noise, over the format's whole code range."""
    frame = av.VideoFrame(width, height, pix_fmt)
    form = VideoFormat(pix_fmt, width, height)
    noise = np.random.default_rng(index)
    for number, plane in enumerate(frame.planes):
        bits = next(part.bits for part in form.components if part.plane == number)
        kind = np.dtype(np.uint8) if bits <= 8 else np.dtype("<u2")
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
        ramp = np.add.outer(np.arange(rows.shape[0]) * 3, np.arange(rows.shape[1]) * 2 + 5 * index) << (bits - 8)
        rows[:] = (ramp + noise.integers(0, 24, rows.shape)) & ((1 << bits) - 1)
    return frame


def grey_frames(count: int, size: tuple[int, int] = (64, 48), pix_fmt: str = "yuv420p") -> list[av.VideoFrame]:
    """Photographs' lightness, drifting, without chroma."""
    width, height = size
    made = []
    for grey in pan(cv2.resize(skimage.data.camera(), (width + 2 * count, height)), count, width):
        frame = av.VideoFrame.from_ndarray(grey, format="gray")
        made.append(frame.reformat(format=pix_fmt, src_color_range="JPEG", dst_color_range="MPEG"))
    return made


def make_video(
    path: Path,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    frames: int | Sequence[av.VideoFrame] = 8,
    size: tuple[int, int] = (64, 48),
    rate: int | Fraction = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    audio: int = 0,
    audio_codec: str = "aac",
    attachment: bytes = b"",
    subtitle: str = "",
    rotation: int = 0,
    sar: Fraction | None = None,
    color: dict[str, int] | None = None,
    tags: dict[str, str] | None = None,
    languages: Sequence[str] = (),
    chapters: Sequence[tuple[int, int, str]] = (),
    interlaced: bool = False,
    container_options: dict[str, str] | None = None,
    format: str | None = None,
) -> Path:
    """Write a film and return its path.

    ``size`` is width, height; ``pts`` (in ``time_base``) makes it variable; ``audio`` is a number of tracks;
    ``rotation`` is degrees clockwise to be turned by a player; ``color`` sets codec attributes such as ``color_range``;
    ``languages`` are of the streams in order; ``chapters`` are (start, end, title) in milliseconds; ``subtitle`` is a
    codec's name, for one event of text.
    """
    rate = Fraction(rate)
    base = time_base or 1 / rate
    with av.open(f"file:{path}", "w", format=format, container_options=container_options or {}) as container:
        container.metadata.update(tags or {})
        if chapters:
            container.set_chapters(
                [
                    {"id": n, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                    for n, (a, b, title) in enumerate(chapters)
                ]
            )
        video: Any = container.add_stream(codec, rate=rate, options=options or {}, time_base=base)
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        for name, value in (color or {}).items():
            setattr(video.codec_context, name, value)
        if sar:
            video.codec_context.sample_aspect_ratio = sar
        if rotation:
            video.set_display_rotation(-rotation)
        if interlaced:
            video.codec_context.flags |= 1 << 18
        tracks = [container.add_stream(audio_codec, rate=48000) for _ in range(audio)]
        texts = [container.add_mux_stream(subtitle, time_base=Fraction(1, 1000))] if subtitle else []
        if attachment:
            container.add_attachment("font.ttf", "font/ttf", attachment)
        for stream, language in zip(container.streams, languages, strict=False):
            stream.metadata["language"] = language
        pictures = [picture(*size, pix_fmt, n) for n in range(frames)] if isinstance(frames, int) else list(frames)
        times = list(pts) if pts is not None else list(range(len(pictures)))
        for frame, time in zip(pictures, times, strict=True):
            frame.pts, frame.time_base, frame.pict_type = time, base, 0
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        seconds = float((times[-1] + 1) * base)
        for number, track in enumerate(tracks):
            _beep(container, track, seconds, 220 * (number + 1))
        for stream in texts:
            packet = av.Packet(b"\x00\x05hello" if subtitle == "mov_text" else b"hello")
            packet.stream, packet.pts, packet.dts, packet.duration = stream, 40, 40, 200
            packet.time_base, packet.is_keyframe = Fraction(1, 1000), True
            container.mux(packet)
    return path


def _beep(container: av.container.OutputContainer, track: Any, seconds: float, pitch: float) -> None:
    wave = 0.3 * np.sin(np.arange(int(48000 * seconds) // 1024 * 1024 + 1024) * (2 * np.pi * pitch / 48000))
    layout = track.codec_context.format.name
    for start in range(0, len(wave), 1024):
        piece = np.stack([wave[start : start + 1024]] * 2).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        for ready in av.AudioResampler(format=layout, layout="stereo", rate=48000).resample(frame):
            container.mux(track.encode(ready))
    container.mux(track.encode(None))


def decode(path: Path) -> list[Decoded]:
    """All frames of the first film stream, read without the project's code."""
    with av.open(f"file:{path}") as container:
        stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        return [
            Decoded(frame.pts * stream.time_base, tuple(_plane(plane, frame) for plane in frame.planes), frame)
            for frame in container.decode(stream)
        ]


def _plane(plane: Any, frame: av.VideoFrame) -> NDArray[Any]:
    bits = frame.format.components[0].bits
    kind = np.dtype(np.uint8) if bits <= 8 else np.dtype("<u2")
    return np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width].copy()


def packets(path: Path, index: int) -> list[tuple[Fraction, bytes]]:
    """Time and payload of every packet of one stream."""
    with av.open(f"file:{path}") as container:
        stream = container.streams[index]
        return [(p.pts * stream.time_base, bytes(p)) for p in container.demux(stream) if p.size]
