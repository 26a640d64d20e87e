"""One way of one stream, tried: written alone into a scratch file of the film's format, and read back.

Packets and the trailer are written, because headers alone say yes to what does not come back.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Stream

from colorize_media.video.beside import OtherStream
from colorize_media.video.clip import Clip

_MADE_UP = 4  # bytes of a data packet where the stream has shown none: the MOV muxer refuses a time code only with one


class Passage(Protocol):
    """A stream on its way into a container: packets of the source's in, packets for the container's out.

    ``take`` and ``end`` never raise for what is wrong with the source; ``warnings`` says it.
    """

    def take(self, packet: av.Packet) -> list[av.Packet]: ...

    def end(self) -> list[av.Packet]: ...

    def warnings(self) -> list[str]: ...


Way = Callable[[OutputContainer, Stream, Clip], Passage]
"""Adds a stream to a container. Raises FFmpeg's errors and ValueError."""


@dataclass(frozen=True)
class StreamPlan:
    """How one stream gets into the film. ``packets`` are its first ones, for trials.

    ``written_as`` names the new codec of what is converted, empty for what stays as it is; ``decoded``: see
    `demuxing.other_packets`.
    """

    source: OtherStream
    way: Way
    packets: list[av.Packet] = field(repr=False)
    written_as: str = ""
    decoded: bool = False


def try_out(container: str, plan: StreamPlan, source: Stream) -> None:
    """Write the stream alone into a scratch file, and read it. Raises FFmpeg's errors and ValueError."""
    packets = plan.packets
    if not packets and plan.source.kind == "data":
        packets = [_made_up_packet()]
    memory = io.BytesIO()
    ready(source)
    with av.open(memory, "w", format=container, metadata_errors="surrogateescape") as scratch:
        passage = plan.way(scratch, source, Clip())
        scratch.start_encoding()
        for packet in _from_zero([twin(packet, source) for packet in packets]):
            scratch.mux(passage.take(packet))
        scratch.mux(passage.end())
        encoded = scratch.streams[0].codec_context if plan.decoded else source.codec_context
    if plan.packets:
        memory.seek(0)
        with av.open(memory, metadata_errors="surrogateescape") as written:
            _read_back(written, plan, source, encoded)


def _read_back(written: InputContainer, plan: StreamPlan, source: Stream, encoded: CodecContext | None) -> None:
    """Raises FFmpeg's errors, and ValueError if the stream is not what it was."""
    kinds = [str(stream.type) for stream in written.streams]
    if plan.source.kind not in kinds:
        raise ValueError(f"it would be read as {kinds[0] if kinds else 'nothing'}")
    if not isinstance(source, AudioStream) or source.codec_context is None:
        return
    sound = written.streams.audio[0]
    packets: list[av.Packet] = []
    # PyAV ends with an empty packet for each stream, and stumbles over one that has appeared meanwhile, as FLV's do.
    with contextlib.suppress(IndexError):
        packets.extend(packet for packet in written.demux(sound) if packet.size)
    name = sound.codec_context.name
    if encoded is not None and encoded.name.startswith("pcm_") and name != encoded.name:  # as MOV's of 64-bit integers
        raise ValueError(f"it would be read as {name}")
    if len(written.streams) > 1:  # as MP2 in FLV, which has MP3 only
        raise ValueError("it would be read as several streams")
    copied = not plan.written_as and b"".join(map(bytes, packets)) == b"".join(map(bytes, plan.packets))
    ready(source)
    before = _count_samples(source, [twin(packet, source) for packet in plan.packets])
    after = _count_samples(sound, packets)
    if not after and (before or not copied):
        raise ValueError("it could not be decoded from there")
    if plan.decoded:  # its times are counted anew, and may be better than the source's
        return
    if 0 < _span(packets) < _span(plan.packets) / 2:  # MOV, of codecs that it takes for PCM
        raise ValueError("its times would be wrong")
    if after < before and not copied:  # the same packets may be played from another sample on
        raise ValueError(f"{after} of {before} samples would be there")


def _span(packets: Sequence[av.Packet]) -> Fraction:
    """Seconds."""
    first, last = packets[0], packets[-1]
    return Fraction(((last.pts or 0) + (last.duration or 0) - (first.pts or 0)) * last.time_base)


def _count_samples(stream: AudioStream, packets: Sequence[av.Packet]) -> int:
    count = 0
    for packet in (*packets, None):
        with contextlib.suppress(FFmpegError):
            count += sum(frame.samples for frame in stream.decode(packet))
    return count


def ready(source: Stream) -> None:
    """Let the stream's decoder begin anew: it may have been flushed."""
    if isinstance(source, AudioStream) and source.codec_context is not None:
        source.codec_context.flush_buffers()


def _from_zero(packets: list[av.Packet]) -> list[av.Packet]:
    """Packets moved so that none is before time zero, from where MP4 plays nothing: a trimmed film may have many such."""
    early = min([packet.pts for packet in packets if packet.pts is not None], default=0)
    for packet in packets if early < 0 else ():
        packet.pts = None if packet.pts is None else packet.pts - early
        packet.dts = None if packet.dts is None else packet.dts - early
    return packets


def _made_up_packet() -> av.Packet:
    packet = av.Packet(bytes(_MADE_UP))
    packet.pts, packet.dts, packet.duration, packet.is_keyframe = 0, 0, 1, True
    return packet


def twin(packet: av.Packet, stream: Stream) -> av.Packet:
    """A copy of a packet, for ``stream``: muxing rewrites the times of the one that it gets."""
    copy = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    copy.is_keyframe = packet.is_keyframe
    for data in packet.iter_sidedata():
        if data.data_type != "skip_samples":  # of a trimmed film nothing of the first packets might be left
            copy.set_sidedata(data)
    copy.stream = stream
    return copy
