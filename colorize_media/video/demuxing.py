"""The film's file: opened, its picture stream found, its packets one after the other.

Names are opened as ``file:NAME`` with only the file protocol allowed and only demuxers that read that one file, so no name is a
URL or a pattern, and no list of files or addresses that calls itself a film reaches other files or the network.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
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

# FFmpeg's demuxers of films, and of sound to say of it that it is none. Not here: those that open what a file names (concat,
# hls, dash, imf, sdp, avisynth, image2, vobsub and kin), devices, and those of single pictures, which `photo` reads.
_DEMUXERS = (
    "mov,mp4,matroska,webm,avi,asf,asf_o,mpeg,mpegts,mpegtsraw,mpegvideo,mpjpeg,mjpeg,mjpeg_2000,m4v,h261,h263,h264,"
    "hevc,vvc,evc,av1,obu,ivf,vc1,vc1test,cavsvideo,avs2,avs3,dirac,dnxhd,dv,mxf,gxf,lxf,ogg,flv,live_flv,swf,rm,nut,"
    "nsv,nuv,wtv,ty,yuv4mpegpipe,gif,apng,webp_anim,jpegxl_anim,bink,smk,flic,film_cpk,filmstrip,roq,ipmovie,ipu,vmd,"
    "wc3movie,4xm,ea,cdxl,iff,iv8,mtv,mv,mvi,mm,mlv,cine,r3d,rl2,rpl,siff,sol,thp,vivo,vividas,vqf,xmv,yop,amv,anm,"
    "bethsoftvid,bfi,c93,dsicin,dxa,hnm,idcin,ifv,jv,luodat,msnwctcp,paf,pmp,pva,tiertexseq,tmv,usm,ingenient,"
    "rtp_mpegts,derf,mlp,tty,bin,xbin,idf,adf,mp3,wav,w64,flac,aac,ac3,eac3,dts,dtshd,truehd,aiff,caf,au,amr,amrnb,"
    "amrwb,ape,wv,tta,mpc,mpc8,dsf,voc,loas,oma,tak"
)

# Decoders that draw text as pictures: any .txt or .nfo file would be a film.
_TEXT_ART = frozenset({"ansi", "bintext", "xbin", "idf"})
_ENCRYPTED_TAGS = frozenset({"encv", "drmi"})

_NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image | Disposition.dependent
_PACKETS_OF_THE_OTHERS = 250
"""So many packets of another stream and at most one of this: it is a still picture."""

_MOST_REORDERED = 16  # pictures, of all codecs

_TRANSPORT = ((188, 0), (192, 4), (204, 0))  # bytes of a packet, and before its sync byte: plain, m2ts, with parity
_LOOKED_AT = 8  # packets

_TS_DISCONT = 0x0200  # AVFMT_TS_DISCONT
_GEN_PTS = 0x0001  # AVFMT_FLAG_GENPTS
_ENDLESS = 2**60  # microseconds


@dataclass(frozen=True)
class Probe:
    """How much of a file FFmpeg looks through for its streams when it opens it: ``size`` bytes, which ``keep`` holds in memory.

    Without ``keep`` only MPEG transport and program streams can be read afterwards: they begin again.
    """

    size: int
    keep: bool = False

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's."""
        options = {"probesize": str(self.size), "analyzeduration": str(_ENDLESS), "scan_all_pmts": "1"}
        return options if self.keep else {**options, "fflags": "+nobuffer"}


def open_container(path: Path, probe: Probe | None = None) -> InputContainer:
    """Without a ``probe`` FFmpeg's usual one. Raises InputUnreadable, DamagedMedia, NoPicture."""
    try:
        container = av.open(
            f"file:{path}",
            "r",
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": _DEMUXERS,
                **({} if probe is None else probe.options),
            },
            metadata_errors="surrogateescape",
        )
    except (FFmpegError, OSError, ValueError) as error:
        raise not_opened(path, error) from error
    # PyAV asks FFmpeg to make up missing presentation times out of decoding times, without regard to B frames.
    container.flags &= ~_GEN_PTS
    return container


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The video stream that a player shows: of those that move the default one, the largest, the first.

    Raises NoPicture, UnsupportedMedia, Encrypted.
    """
    videos = [stream for stream in container.streams.video if not stream.disposition & _NO_FILM]
    videos = [s for s in videos if s.codec_context is None or s.codec_context.name not in _TEXT_ART]
    if not videos:
        cover = bool(container.streams.video) and "tty" not in container.format.name
        raise no_video(path, container.format.long_name, (str(one.type) for one in container.streams), cover=cover)
    stream = max(_moving(videos, path), key=_rank)  # of equals the first
    if stream.codec_context is None:
        raise no_decoder(path)
    if stream.codec_context.codec_tag in _ENCRYPTED_TAGS:
        raise encrypted(path)
    if stream.metadata.get("alpha_mode") == "1":  # Matroska: the alpha travels beside the frames and is not decoded
        raise transparent(path)
    return stream


def _rank(stream: VideoStream) -> tuple[bool, bool, int]:
    context = stream.codec_context
    size = 0 if context is None else context.width * context.height
    return context is not None, bool(stream.disposition & Disposition.default), size


def _moving(videos: list[VideoStream], path: Path) -> list[VideoStream]:
    """Those of several that are more than a still picture; all, if none is or the file cannot be read."""
    if len(videos) == 1:
        return videos
    seen: Counter[int] = Counter()
    wanted = {stream.index for stream in videos}
    try:
        with open_container(path) as container:
            for packet in demuxed(container, *(container.streams[index] for index in sorted(wanted))):
                seen[packet.stream_index] += packet.size > 0
                all_move = min(seen[index] for index in wanted) > 1
                if all_move or max(seen.values()) > _PACKETS_OF_THE_OTHERS:
                    break
    except (FFmpegError, OSError):
        pass
    return [stream for stream in videos if seen[stream.index] > 1] or videos


def demuxed(container: InputContainer, *streams: Stream) -> Iterator[av.Packet]:
    """`InputContainer.demux`, which fails at the end of some files in which further streams have appeared."""
    with contextlib.suppress(IndexError):
        yield from container.demux(*streams)


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
        packets = demuxed(self._container)
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
    path: Path, picture: int, clip: Clip, decoded: frozenset[int] = frozenset(), probe: Probe | None = None
) -> Iterator[av.Packet | None]:
    """The packets of all streams but ``picture``, the index of that one, in file order, as the clip has them; None at the end.

    Only once the clip's first frame is known. Muxing rewrites a packet's times: use it once. Those of the ``decoded`` streams
    begin a little before the clip. Their decoders can be used until the generator goes on after None.
    """
    with open_container(path, probe) as container:
        container.flags |= _GEN_PTS  # muxers want both times
        still = {stream.index for stream in container.streams if stream.disposition & Disposition.attached_pic}
        for packet in _with_first_decoding_times(Packets(container)):
            if packet.stream_index in still:
                if packet.stream_index != picture:
                    yield packet
            elif clip.is_past(packet):
                break
            elif packet.stream_index != picture and clip.cut(packet, lead_in=packet.stream_index in decoded):
                yield packet
        yield None


def first_packets(
    container: InputContainer, wanted: frozenset[int], look_ahead: int = LOOK_AHEAD
) -> dict[int, list[av.Packet]]:
    """The first packets of these streams by index, at most `FIRST_PACKETS` each; none of one that begins much later.

    Nothing beyond ``look_ahead`` bytes is read. Their times are as `other_packets` gives them.
    """
    found: dict[int, list[av.Packet]] = {index: [] for index in wanted}
    size = 0
    container.flags |= _GEN_PTS
    for packet in _with_first_decoding_times(Packets(container)):
        if size > look_ahead or all(len(one) == FIRST_PACKETS for one in found.values()):
            break
        size += packet.size
        if len(there := found.get(packet.stream_index, [])) < FIRST_PACKETS and packet.stream_index in found:
            there.append(packet)
    return found


def _with_first_decoding_times(packets: Iterable[av.Packet | None]) -> Iterator[av.Packet]:
    """Gives a picture stream's first packets the decoding times that Matroska does not store.

    They would be taken for the presentation times, behind which those of the following pictures step back.
    """
    held: dict[int, list[av.Packet]] = {}
    begun: set[int] = set()
    for packet in packets:
        if packet is None:
            break
        index = packet.stream_index
        if index not in begun and packet.stream.type == "video":
            if packet.dts is None and len(held.get(index, ())) < _MOST_REORDERED:
                held.setdefault(index, []).append(packet)
                continue
            waiting = held.pop(index, [])
            for place, early in enumerate(waiting):
                if packet.dts is not None:
                    early.dts = packet.dts - (len(waiting) - place) * (packet.duration or 1)
            yield from waiting
        begun.add(index)
        yield packet
    for waiting in held.values():
        yield from waiting


def part_of_a_packet(path: Path) -> int:
    """Bytes at the end of a transport stream that are no whole packet; 0 where there are none, or it is no such file."""
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT * 204)
        size = file.seek(0, 2)
    for length, before in _TRANSPORT:
        if head[before::length][:_LOOKED_AT] == b"\x47" * _LOOKED_AT:  # each packet's sync byte
            return size % length
    return 0


def first_packet(path: Path, index: int) -> bytes:
    """The first packet of a stream, b"" if there is none: a cover picture has but one."""
    with open_container(path) as container:
        try:
            return next((bytes(packet) for packet in container.demux(container.streams[index]) if packet.size), b"")
        except (FFmpegError, OSError):
            return b""
