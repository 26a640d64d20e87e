"""Every stream beside the picture, and how it gets into the film: as it is, else converted without loss, else refused.

Each way is tried on a scratch file of the film's format, with packets of the stream and the trailer, and read back: no
list says what a container truly takes. Refused is told before any work, unless the loss is allowed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from colorize_media.video.clip import Clip
from colorize_media.video.copying import Copy
from colorize_media.video.demuxing import first_packet, first_packets, open_container
from colorize_media.video.ffmpeg_words import FFmpegWords
from colorize_media.video.reader import OtherStream, Reader
from colorize_media.video.refusals import stream_not_kept
from colorize_media.video.sound import Sound, SoundForm, forms_for
from colorize_media.video.texts import TEXT_ENCODERS, Texts

_COVERS = {"mjpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}  # by codec, as Matroska wants them
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


@dataclass(frozen=True)
class StreamPlans:
    """Those of all streams, by index; for people, what is ``converted``, and ``dropped``, which ``may_drop`` has allowed."""

    plans: dict[int, StreamPlan]
    may_drop: bool
    converted: tuple[str, ...]
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def decoded(self) -> frozenset[int]:
        """Indices of the streams whose packets are decoded."""
        return frozenset(index for index, plan in self.plans.items() if plan.decoded)


def plan_streams(reader: Reader, container: str, target: Path, *, drop: bool) -> StreamPlans:
    """A way for every stream of the reader's file but its picture; ``container`` is FFmpeg's name of the format.

    Raises StreamNotKept, unless ``drop`` allows that streams are lost.
    """
    with open_container(reader.path) as other:
        found = first_packets(other, frozenset(one.index for one in reader.streams))
    plans: dict[int, StreamPlan] = {}
    refused: dict[int, str] = {}
    warnings: list[str] = []
    for one in reader.streams:
        source = reader.container.streams[one.index]
        try:
            plans[one.index] = _plan(reader, container, one, found[one.index])
        except _Refused as why:
            if _made_anew(source, reader.container.streams[reader.picture_index]):
                continue
            if one.kind != "attachment" and not found[one.index] and not _has_packets(reader.path, one.index):
                warnings.append(f"{one} is empty: left out")
                continue
            refused[one.index] = str(why)
    lost = [one for one in reader.streams if one.index in refused]
    if lost and not drop:
        raise stream_not_kept(
            reader.path,
            target.suffix,
            [(str(one), refused[one.index]) for one in lost],
            sound=any(one.kind == "audio" for one in lost),
            elsewhere=container != "matroska" and all(_matroska_keeps(reader, one, found[one.index]) for one in lost),
        )
    if extra := [one for one in reader.streams if _is_film(reader, one) and one.index in plans]:
        warnings.append(f"only one video track is coloured, copied as it is: {'; '.join(map(str, extra))}")
    converted = [plan for plan in plans.values() if plan.written_as]
    return StreamPlans(
        plans,
        drop,
        tuple(f"{plan.source}: written as {plan.written_as}" for plan in converted),
        tuple(f"{one}: {refused[one.index]}" for one in lost),
        tuple(warnings),
    )


def first_of_all(reader: Reader, streams: StreamPlans) -> Iterator[av.Packet]:
    """The first packets of all streams, once more, in the order of their decoding times."""
    packets = []
    for index, plan in streams.plans.items():
        source = reader.container.streams[index]
        ready(source)
        packets += [twin(packet, source) for packet in plan.packets]
    yield from sorted(packets, key=lambda packet: (packet.dts or 0) * (packet.time_base or 0))


class _Refused(Exception):
    """No way was found; says why."""


def _plan(reader: Reader, container: str, one: OtherStream, packets: list[av.Packet]) -> StreamPlan:
    """The first way that a trial goes through with. Raises _Refused with what was wrong with the first."""
    source = reader.container.streams[one.index]
    first = ""
    for plan in _ways(reader, container, one, packets):
        with FFmpegWords() as words:
            try:
                _try(container, plan, source)
                return plan
            except (FFmpegError, OSError, ValueError) as error:
                first = first or words.reason(error)
    raise _Refused(first or "it has no decoder")


def _ways(reader: Reader, container: str, one: OtherStream, packets: list[av.Packet]) -> Iterator[StreamPlan]:
    source = reader.container.streams[one.index]
    yield StreamPlan(one, lambda into, stream, _: Copy(into, stream), packets)
    if isinstance(source, AudioStream) and source.codec_context is not None:
        for form in forms_for(container, source.codec_context.name, _first_sound(source, packets)):
            yield StreamPlan(one, partial(_sound, form=form), packets, form.encoder, decoded=True)
    elif (
        isinstance(source, SubtitleStream) and source.codec_context is not None and source.codec_context.codec.text_sub
    ):
        for encoder in TEXT_ENCODERS:
            yield StreamPlan(one, partial(_texts, encoder=encoder), packets, encoder)
    elif container == "matroska" and one.kind == "video" and (cover := _Cover.of(reader.path, source)) is not None:
        yield StreamPlan(one, cover, [])  # no packets are written, and an attachment alone is no file to read back


def _sound(into: OutputContainer, source: Stream, clip: Clip, *, form: SoundForm) -> Passage:
    assert isinstance(source, AudioStream)
    return Sound(into, source, form, clip)


def _texts(into: OutputContainer, source: Stream, _: Clip, *, encoder: str) -> Passage:
    assert isinstance(source, SubtitleStream)
    return Texts(into, source, encoder)


def _first_sound(source: AudioStream, packets: list[av.Packet]) -> AudioFrame | None:
    """What decoding really gives, which headers do not always say; None if the packets are not enough."""
    ready(source)
    for packet in packets:
        with contextlib.suppress(FFmpegError):
            for frame in source.decode(twin(packet, source)):
                return frame
    with contextlib.suppress(FFmpegError):
        return next(iter(source.decode(None)), None)
    return None


class _Cover:
    """Matroska has no pictures among its streams; FFmpeg shows an attached picture as one. It has no packets."""

    def __init__(self, name: str, mime: str, data: bytes) -> None:
        self._name, self._mime, self._data = name, mime, data

    @classmethod
    def of(cls, path: Path, source: Stream) -> _Cover | None:
        """None for what is no cover picture."""
        kind = _COVERS.get(source.codec_context.name) if source.codec_context is not None else None
        if kind is None or not source.disposition & Disposition.attached_pic:
            return None
        data = first_packet(path, source.index)
        return cls(source.metadata.get("filename") or f"cover{kind[0]}", kind[1], data) if data else None

    def __call__(self, into: OutputContainer, source: Stream, clip: Clip) -> Passage:
        into.add_attachment(self._name, self._mime, self._data)
        return self

    def take(self, packet: av.Packet) -> list[av.Packet]:
        return []

    def end(self) -> list[av.Packet]:
        return []

    def warnings(self) -> list[str]:
        return []


def _try(container: str, plan: StreamPlan, source: Stream) -> None:
    """Write the stream alone into a scratch file, and read it. Raises FFmpeg's errors and ValueError."""
    packets = plan.packets
    if not packets and plan.source.kind == "data":
        packets = [_made_up_packet()]
    memory = io.BytesIO()
    ready(source)
    with av.open(memory, "w", format=container, metadata_errors="surrogateescape") as scratch:
        passage = plan.way(scratch, source, Clip())
        scratch.start_encoding()
        for packet in packets:
            scratch.mux(passage.take(twin(packet, source)))
        scratch.mux(passage.end())
    if plan.packets:
        memory.seek(0)
        with av.open(memory, metadata_errors="surrogateescape") as written:
            _read_back(written, plan, source)


def _read_back(written: InputContainer, plan: StreamPlan, source: Stream) -> None:
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


def _is_film(reader: Reader, one: OtherStream) -> bool:
    return one.kind == "video" and not reader.container.streams[one.index].disposition & Disposition.attached_pic


def _made_anew(source: Stream, picture: Stream) -> bool:
    """Whether the stream is a time code that the picture's own tag says too: from that the muxer makes it anew."""
    code = source.metadata.get("timecode")
    return code is not None and code == picture.metadata.get("timecode")


def _has_packets(path: Path, index: int) -> bool:
    """Whether the stream has anything at all. Reads the whole file, perhaps."""
    with open_container(path) as container:
        for stream in container.streams:
            if stream.index != index:
                stream.discard = Discard.all
        try:
            return any(packet.size and packet.stream_index == index for packet in container.demux())
        except (FFmpegError, OSError):
            return True  # perhaps


def _matroska_keeps(reader: Reader, one: OtherStream, packets: list[av.Packet]) -> bool:
    try:
        _plan(reader, "matroska", one, packets)
    except _Refused:
        return False
    return True


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
        copy.set_sidedata(data)
    copy.stream = stream
    return copy
