"""A stream of the source as it is, in the film's container: the same packets under the same description."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from fractions import Fraction
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Discard, Stream

from colorize_media.video.demuxing import Probe, demuxed, open_container
from colorize_media.video.tags import stream_tags

# Sound that some container's list has: what a copied stream is made from before it gets the source's description.
_LISTED = ("pcm_s16le", "aac", "mp2", "libopus")


class Copy:
    """A copied stream: `take` and `end` give all packets back, for ``stream``.

    The last packet of sound is held until the end, where it is given its duration if it has none, as in Matroska: MP4 would
    take it for nothing and never play it.
    """

    def __init__(self, container: OutputContainer, source: Stream) -> None:
        self.stream = add_copy(container, source)
        self._source = source
        self._held: av.Packet | None = None
        self._apart = 0  # ticks between the last two packets

    def take(self, packet: av.Packet) -> list[av.Packet]:
        """The packets that are ready."""
        self._source = packet.stream
        packet.stream = self.stream
        if packet.dts is None:
            packet.dts = packet.pts
        if (
            self._source.codec_context is not None
            and self._source.codec_context.name == "dvdsub"
            and not packet.duration
        ):
            packet.duration = _shown(packet)
        if not isinstance(self._source, AudioStream):
            return [packet]
        before, self._held = self._held, packet
        if before is None:
            return []
        self._apart = (packet.dts or 0) - (before.dts or 0)
        return [before]

    def end(self) -> list[av.Packet]:
        """The last packet."""
        if (last := self._held) is None:
            return []
        if not last.duration:
            last.duration = self._decoded_duration(last) or max(self._apart, 0)
        return [last]

    def warnings(self) -> list[str]:
        """Nothing is changed."""
        return []

    def _decoded_duration(self, packet: av.Packet) -> int:
        """In ticks, 0 if the packet says nothing alone."""
        decoder = self._source.codec_context
        if not isinstance(decoder, AudioCodecContext):
            return 0
        try:
            frames = [*decoder.decode(packet), *decoder.decode(None)]
        except FFmpegError:
            return 0
        return round(sum(Fraction(frame.samples, frame.sample_rate) for frame in frames) / packet.time_base)


def _shown(packet: av.Packet) -> int:
    """Ticks that a DVD's subtitle stays, as it says itself; MP4 never shows one of no duration.

    Behind its size a subtitle says where its control sequences begin: each has a date in 1024/90000 s and the place of the
    next, the last one that of itself. The last one ends it.
    """
    data = bytes(packet)
    date, at = 0, int.from_bytes(data[2:4], "big")
    while at + 4 <= len(data):
        date, following = struct.unpack_from(">HH", data, at)
        if following <= at:
            break
        at = following
    return round(Fraction(date * 1024, 90000) / packet.time_base)


def add_copy(container: OutputContainer, source: Stream) -> Stream:
    """A stream for the source's packets. Raises FFmpeg's errors and ValueError where it cannot be.

    Whether it can be written is not said with that: only a trial with packets tells.
    """
    try:
        stream = container.add_stream_from_template(source, opaque=True)
    except ValueError:
        if not isinstance(source, AudioStream):
            raise
        stream = _add_unlisted(container, source)
    if isinstance(stream, AudioStream):
        stream.codec_context.layout = known_layout(stream.codec_context.layout)
    stream.metadata.clear()
    stream.metadata.update(stream_tags(source.metadata, container.format.name))
    stream.disposition = source.disposition
    return stream


def changes_within(path: Path, source: AudioStream, probe: Probe | None = None) -> bool:
    """Whether the rate or layout of AAC changes somewhere in the file, as broadcasts' do between programmes.

    There each packet says its own, in an ADTS header. Other containers say it once: what changes would be played at a wrong
    speed. Reads the stream up to the change.
    """
    if source.codec_context is None or source.codec_context.name != "aac" or source.codec_context.extradata:
        return False
    first: tuple[int, int] | None = None
    with open_container(path, probe) as container:
        for stream in container.streams:
            if stream.index != source.index:
                stream.discard = Discard.all
        with contextlib.suppress(FFmpegError, OSError):
            for packet in demuxed(container):
                if packet.stream_index != source.index or (now := _adts_form(bytes(packet)[:4])) is None:
                    continue
                first = first or now
                if now != first:
                    return True
    return False


def _adts_form(header: bytes) -> tuple[int, int] | None:
    """Profile, rate and channels as the first bytes of an ADTS frame have them (ISO 13818-7, 6.2); None without such."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return None
    return header[2] & 0xFD, header[3] & 0xC0


def known_layout(layout: AudioLayout) -> AudioLayout:
    """The usual layout of so many channels where a source only says how many there are; MP4 takes no other."""
    count = re.fullmatch(r"(\d+) channels", layout.name)
    if count is None:
        return layout
    try:
        return AudioLayout(f"{count[1]}c")
    except ValueError:  # nobody has agreed on one
        return layout


def _add_unlisted(container: OutputContainer, source: AudioStream) -> AudioStream:
    """Sound that the muxer may take though PyAV refuses it, as Matroska does WMA, ADPCM and A-law.

    PyAV asks `avformat_query_codec`, which knows less than the muxers. A filter that changes nothing may describe any
    stream, so it describes one of a listed codec as the source is.
    """
    for codec in _LISTED:
        with av.open(io.BytesIO(), "w", format="matroska") as other:
            try:
                stream = container.add_stream_from_template(other.add_stream(codec, rate=48000), opaque=True)
            except ValueError:
                continue
        BitStreamFilterContext("null", source, stream)
        stream.codec_context.codec_tag = "\0\0\0\0"  # the source's container's; this one has its own
        stream.time_base = source.time_base
        return stream
    raise ValueError("the container's list has no sound")
