"""Every stream beside the picture, and how it gets into the film: as it is, else converted without loss, else refused.

Each way is tried (`trial`): no list says what a container truly takes. Refused is told before any work, unless the loss is
allowed. Sound loses samples only where ``audio`` asks for Opus.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from colorize_media.options import AudioForm
from colorize_media.video.beside import OtherStream
from colorize_media.video.clip import Clip
from colorize_media.video.copying import Copy, changes_within
from colorize_media.video.demuxing import demuxed, first_packet, first_packets, open_container
from colorize_media.video.ffmpeg_words import FFmpegWords
from colorize_media.video.reader import Reader
from colorize_media.video.refusals import begins_too_late, stream_not_kept
from colorize_media.video.sound import Sound, SoundForm, forms_for
from colorize_media.video.texts import TEXT_ENCODERS, Texts
from colorize_media.video.trial import Passage, StreamPlan, ready, try_out, twin

_EACH_PACKET_SAYS = frozenset({"mpegts"})  # what its rate and layout are
_DESCRIBED = frozenset({"video", "audio", "subtitle"})  # kinds that nobody can write without knowing their codec
_COVERS = {"mjpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}  # by codec, as Matroska wants them


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


def plan_streams(
    reader: Reader, container: str, target: Path, *, drop: bool, audio: AudioForm = "lossless"
) -> StreamPlans:
    """A way for every stream of the reader's file but its picture; ``container`` is FFmpeg's name of the format.

    Raises StreamNotKept, unless ``drop`` allows that streams are lost.
    """
    reader.look_for_streams()
    if reader.unknown_streams and not drop:
        raise begins_too_late(reader.path, reader.unknown_streams)
    found = _first_packets(reader)
    plans: dict[int, StreamPlan] = {}
    refused: dict[int, str] = {}
    warnings: list[str] = []
    for one in reader.streams:
        source = reader.container.streams[one.index]
        try:
            plans[one.index] = _plan(reader, container, one, found[one.index], audio)
        except _Refused as why:
            if _made_anew(source, reader.container.streams[reader.picture_index]):
                continue
            if one.kind != "attachment" and not found[one.index] and not _has_packets(reader, one.index):
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
            elsewhere=container != "matroska"
            and all(_is_kept(reader, "matroska", one, found[one.index]) for one in lost),
            opus=audio != "opus"
            and any(one.kind == "audio" and _is_kept(reader, container, one, found[one.index], "opus") for one in lost),
        )
    if extra := [one for one in reader.streams if _is_film(reader, one) and one.index in plans]:
        warnings.append(f"only one video track is coloured, copied as it is: {'; '.join(map(str, extra))}")
    converted = [plan for plan in plans.values() if plan.written_as]
    return StreamPlans(
        plans,
        drop,
        tuple(f"{plan.source}: written as {plan.written_as}" for plan in converted),
        (
            *(f"{one}: {refused[one.index]}" for one in lost),
            *(f"{one}: it begins late" for one in reader.unknown_streams),
        ),
        tuple(warnings),
    )


def _first_packets(reader: Reader) -> dict[int, list[av.Packet]]:
    """Of all streams but the picture; those that appear late are looked for in the whole file."""
    with open_container(reader.path, reader.probe) as container:
        found = first_packets(container, frozenset(one.index for one in reader.streams))
    late = frozenset(index for index, packets in found.items() if not packets)
    if late and reader.probe is not None:
        with open_container(reader.path, reader.probe) as container:
            for stream in container.streams:
                if stream.index not in late:
                    stream.discard = Discard.all
            found |= first_packets(container, late)
    return found


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


def _plan(
    reader: Reader, container: str, one: OtherStream, packets: list[av.Packet], audio: AudioForm = "lossless"
) -> StreamPlan:
    """The first way that a trial goes through with. Raises _Refused with what was wrong with the first."""
    source = reader.container.streams[one.index]
    if not one.codec and one.kind in _DESCRIBED:
        raise _Refused(f"the FFmpeg inside PyAV {av.__version__} does not know its codec")
    first = ""
    for plan in _ways(reader, container, one, packets, audio):
        with FFmpegWords() as words:
            try:
                try_out(container, plan, source)
                return plan
            except (FFmpegError, OSError, ValueError) as error:
                first = first or words.reason(error)
    if one.kind == "subtitle" and first and source.codec_context is not None and source.codec_context.codec.bitmap_sub:
        first = f"its texts are pictures; {first}"
    raise _Refused(first or "it has no decoder")


def _ways(
    reader: Reader, container: str, one: OtherStream, packets: list[av.Packet], audio: AudioForm
) -> Iterator[StreamPlan]:
    source = reader.container.streams[one.index]
    if (
        container in _EACH_PACKET_SAYS
        or not isinstance(source, AudioStream)
        or not changes_within(reader.path, source, reader.probe)
    ):
        yield StreamPlan(one, lambda into, stream, _: Copy(into, stream), packets)
    if isinstance(source, AudioStream) and source.codec_context is not None:
        for form in forms_for(container, source.codec_context.name, _first_sound(source, packets), audio):
            yield StreamPlan(one, partial(_sound, form=form), packets, form.name, decoded=True)
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


def _is_film(reader: Reader, one: OtherStream) -> bool:
    return one.kind == "video" and not reader.container.streams[one.index].disposition & Disposition.attached_pic


def _made_anew(source: Stream, picture: Stream) -> bool:
    """Whether the stream is a time code that the picture's own tag says too: from that the muxer makes it anew."""
    code = source.metadata.get("timecode")
    return code is not None and code == picture.metadata.get("timecode")


def _has_packets(reader: Reader, index: int) -> bool:
    """Whether the stream has anything at all. Reads the whole file, perhaps."""
    with open_container(reader.path, reader.probe) as container:
        for stream in container.streams:
            if stream.index != index:
                stream.discard = Discard.all
        try:
            return any(packet.size and packet.stream_index == index for packet in demuxed(container))
        except (FFmpegError, OSError):
            return True  # perhaps


def _is_kept(
    reader: Reader, container: str, one: OtherStream, packets: list[av.Packet], audio: AudioForm = "lossless"
) -> bool:
    try:
        _plan(reader, container, one, packets, audio)
    except _Refused:
        return False
    return True
