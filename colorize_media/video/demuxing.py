"""The film's file: opened, its picture stream found, its packets one after the other.

Names are opened as ``file:NAME`` with only the file protocol allowed, so no name is a URL or a pattern and no playlist
inside a file can reach the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from colorize_media.video.clip import Clip
from colorize_media.video.refusals import encrypted, no_decoder, no_video, not_opened, transparent
from colorize_media.video.times import Joiner

MAX_CONSECUTIVE_FAILURES = 250
"""Undecodable packets in a row after which the stream is given up: x264's default longest distance between key frames.
A film cut in the middle or damaged in one place is whole again at the next key frame."""

LOOK_AHEAD = 64 * 2**20
"""Bytes that are read for the first packets of all streams: some seconds of the largest films, minutes of most."""
FIRST_PACKETS = 8  # of a stream: some muxers write a description only after several

# Decoders that draw text as pictures: any .txt or .nfo file would be a film.
_TEXT_ART = frozenset({"ansi", "bintext", "xbin", "idf"})
_ENCRYPTED_TAGS = frozenset({"encv", "drmi"})

_TS_DISCONT = 0x0200  # AVFMT_TS_DISCONT


def open_container(path: Path) -> InputContainer:
    """Raises InputUnreadable, DamagedMedia, NoPicture."""
    try:
        return av.open(
            f"file:{path}", "r", container_options={"protocol_whitelist": "file"}, metadata_errors="surrogateescape"
        )
    except (FFmpegError, OSError, ValueError) as error:
        raise not_opened(path, error) from error


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is no cover picture. Raises NoPicture, UnsupportedMedia, Encrypted."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    videos = [stream for stream in container.streams.video if not stream.disposition & covers]
    videos = [s for s in videos if s.codec_context is None or s.codec_context.name not in _TEXT_ART]
    if not videos:
        cover = bool(container.streams.video) and "tty" not in container.format.name
        raise no_video(path, container.format.long_name, (str(one.type) for one in container.streams), cover=cover)
    stream = videos[0]
    if stream.codec_context is None:
        raise no_decoder(path)
    if stream.codec_context.codec_tag in _ENCRYPTED_TAGS:
        raise encrypted(path)
    if stream.metadata.get("alpha_mode") == "1":  # Matroska: the alpha travels beside the frames and is not decoded
        raise transparent(path)
    return stream


def times_start_again(container: InputContainer) -> bool:
    """Whether times may step back within the file, as in MPEG transport and program streams."""
    return bool(container.format.flags & _TS_DISCONT)


class Packets:
    """A file's packets with content, in file order; None once at the end, to flush the decoder.

    PyAV ends with an empty packet per stream, and some files hold empty packets in the middle, which would flush the
    decoder for good: so size decides, and one flush is made here.

    Known at the end: ``broken``, why the file could not be read on, and ``joints``, how often times started again.
    """

    def __init__(self, container: InputContainer) -> None:
        self.broken: Exception | None = None
        self.joints = 0
        self._container = container

    def __iter__(self) -> Iterator[av.Packet | None]:
        packets = self._container.demux()
        joiner = Joiner(times_start_again(self._container))
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (FFmpegError, OSError) as error:
                self.broken = error
                break
            if packet.size:
                joiner.shift(packet)
                yield packet
        self.joints = joiner.joints
        yield None


def other_packets(
    path: Path, picture: int, clip: Clip, decoded: frozenset[int] = frozenset()
) -> Iterator[av.Packet | None]:
    """The packets of all streams but ``picture``, the index of that one, in file order, as the clip has them; None at the end.

    Only once the clip's first frame is known. Muxing rewrites a packet's times: use it once. Those of the ``decoded`` streams
    begin a little before the clip. Their decoders can be used until the generator goes on after None.
    """
    with open_container(path) as container:
        still = {stream.index for stream in container.streams if stream.disposition & Disposition.attached_pic}
        for packet in Packets(container):
            if packet is None:
                break
            if packet.stream_index in still:
                if packet.stream_index != picture:
                    yield packet
            elif clip.is_past(packet):
                break
            elif packet.stream_index != picture and clip.cut(packet, lead_in=packet.stream_index in decoded):
                yield packet
        yield None


def first_packets(container: InputContainer, wanted: frozenset[int]) -> dict[int, list[av.Packet]]:
    """The first packets of these streams by index, at most `FIRST_PACKETS` each; none of one that begins much later.

    Nothing beyond `LOOK_AHEAD` is read.
    """
    found: dict[int, list[av.Packet]] = {index: [] for index in wanted}
    size = 0
    for packet in Packets(container):
        if packet is None or size > LOOK_AHEAD or all(len(one) == FIRST_PACKETS for one in found.values()):
            break
        size += packet.size
        if len(there := found.get(packet.stream_index, [])) < FIRST_PACKETS and packet.stream_index in found:
            there.append(packet)
    return found


def first_packet(path: Path, index: int) -> bytes:
    """The first packet of a stream, b"" if there is none: a cover picture has but one."""
    with open_container(path) as container:
        try:
            return next((bytes(packet) for packet in container.demux(container.streams[index]) if packet.size), b"")
        except (FFmpegError, OSError):
            return b""
