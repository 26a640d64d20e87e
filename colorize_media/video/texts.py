"""Subtitles in text that the film's container does not take as they are: read, and written in a form that it takes."""

from __future__ import annotations

from fractions import Fraction

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.subtitles.stream import SubtitleStream

from colorize_media.video.tags import stream_tags

TEXT_ENCODERS = ("subrip", "mov_text", "webvtt")
"""FFmpeg's names, tried in this order."""
_MILLISECOND = Fraction(1, 1000)


class Texts:
    """`take` packets of the source's stream, `end`; both give packets for ``stream``."""

    def __init__(self, container: OutputContainer, source: SubtitleStream, encoder: str) -> None:
        self.stream: SubtitleStream = container.add_stream(encoder)  # type: ignore[assignment]
        source.codec_context.open(strict=False)  # only then it knows its own styles
        self.stream.codec_context.subtitle_header = source.codec_context.subtitle_header
        self.stream.time_base = source.time_base
        self.stream.metadata.update(stream_tags(source.metadata, container.format.name))
        self.stream.disposition = source.disposition
        self._lost = 0

    def take(self, packet: av.Packet) -> list[av.Packet]:
        """The same text; nothing for a packet without one. What cannot be read is left out (`warnings`)."""
        source: SubtitleStream = packet.stream
        try:
            found = source.codec_context.decode2(packet)
            if not found or packet.pts is None:
                return []
            shown = found.end_display_time - found.start_display_time
            found.start_display_time = 0
            written = self.stream.codec_context.encode_subtitle(found)
        except FFmpegError:
            self._lost += 1
            return []
        base = packet.time_base
        written.stream, written.time_base, written.is_keyframe = self.stream, base, True
        written.pts = written.dts = packet.pts
        written.duration = packet.duration or round(shown * _MILLISECOND / base)
        return [written] if written.size else []

    def end(self) -> list[av.Packet]:
        """Nothing is held back."""
        return []

    def warnings(self) -> list[str]:
        """How many texts were damaged."""
        return [f"{self._lost} texts could not be read"] if self._lost else []
