"""The finished film: one container with the coloured pictures, every other stream as `streams` has planned, tags, chapters.

Whether a container can hold a tag is found out by trying it on a scratch container in memory, never by tables.

Times are exact where the container allows: MP4 and MOV take the source's time base as it is. Matroska, WebM, FLV and
ASF store whole milliseconds, MPEG-TS 1/90000 s: finer source times are rounded to the nearest tick there. AVI has one
fixed rate: steady film only, anything else ends in an error that names a better container.
"""

from __future__ import annotations

import contextlib
import errno
import io
import math
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from colorize_media.errors import OutputUnwritable, UnsupportedMedia
from colorize_media.provenance.film import FilmMark
from colorize_media.provenance.record import Record
from colorize_media.video.encoder import Encoding
from colorize_media.video.geometry import rotation_of
from colorize_media.video.reader import Reader
from colorize_media.video.streams import StreamPlans
from colorize_media.video.tags import lasting_tags, lost_tags, stream_tags
from colorize_media.video.trial import Passage

_NO_FILM = frozenset(
    {"mxf", "gxf", "image2", "image2pipe", "gif", "apng", "webp", "avif", "hls", "dash", "segment", "tee"}
)
OTHER_CONTAINER = "try another container: .mkv holds nearly everything"
# What muxers say of one packet; "not yet implemented" is what ADTS headers with flipped bits seem to be.
_DAMAGED = (av.error.ArgumentError, av.error.InvalidDataError, av.error.PatchWelcomeError)
_NO_TIMESTAMPS = 0x0080  # AVFMT_NOTIMESTAMPS: bare streams such as .h264
# Sound from an MP4 starts a little before zero. FFmpeg would move the whole film for it, but these can do without.
_BEFORE_ZERO = frozenset({"matroska", "webm", "asf", "avi"})
# What people choose a stream by.
_MARKS = (
    Disposition.dub, Disposition.original, Disposition.comment, Disposition.lyrics, Disposition.karaoke,
    Disposition.forced, Disposition.hearing_impaired, Disposition.visual_impaired, Disposition.captions,
    Disposition.descriptions,
)  # fmt: skip
_ROUNDING = Fraction(1, 1000)  # seconds; the coarsest tick of a container
_MAX_TIMESCALE = 1_000_000_000  # ISO 14496-12 stores it in 32 bits


class VideoFile:
    """A container that is being written: `picture` and `take` in order of decoding times, `end_streams`, `close`.

    ``path`` is where it grows, ``target`` what it will be called; ``encoding`` how its pictures are encoded; ``record`` what
    it says of its making. Raises FFmpeg's errors, OSError, CodecMissing, BadOption (settings that the encoder does not know).

    ``warnings`` names, after `close`, what could not be carried over.
    """

    def __init__(
        self,
        path: Path,
        target: Path,
        reader: Reader,
        encoding: Encoding,
        streams: StreamPlans,
        record: Record | None = None,
    ) -> None:
        self.warnings: list[str] = []
        self.path, self._target = path, target
        self._reader = reader
        self._pictures = 0
        self._stream_tags = {stream.index: dict(stream.metadata) for stream in reader.container.streams}
        self._marks = {stream.index: stream.disposition for stream in reader.container.streams}
        self._dropped: Counter[int] = Counter()
        self._last_dts: dict[int, int] = {}  # of copied streams, in ticks of the output
        self._muxed: set[int] = set()  # streams of which there is something in the file
        self._plans = streams
        self._start: Fraction | None = None
        self._format = encoding.container
        self._index_in_front = encoding.settings.purpose == "sharing"  # so that it plays while it is loaded
        self._mark = FilmMark(reader.path, self._format, target.suffix, record)
        self._tags = self._mark.tags(lasting_tags(reader.tags))
        options = self._muxer_options()
        self._container = av.open(
            f"file:{path}", "w", format=self._format, container_options=options, metadata_errors="surrogateescape"
        )
        try:
            self._container.metadata.update(self._tags)
            self._container.set_chapters(reader.chapters)
            self._streams = self._add_streams(encoding)
            self._container.start_encoding()
        except BaseException:
            self.abort()
            raise

    @property
    def extradata(self) -> bytes:
        """What the header tells decoders about the pictures."""
        return self._stream.codec_context.extradata or b""

    def picture(self, packet: av.Packet[Any]) -> None:
        """Take the next picture; its times must all be set."""
        assert packet.pts is not None
        assert packet.time_base
        start = packet.pts * packet.time_base
        self._start = start if self._start is None else min(self._start, start)
        packet.stream = self._stream
        self._container.mux_one(packet)
        self._pictures += 1

    def take(self, packet: av.Packet[Any]) -> None:
        """Take a packet of another stream; one that the container cannot hold is left out (`warnings` has said so)."""
        index = packet.stream_index
        if (passage := self._streams.get(index)) is not None:
            self._mux(passage.take(packet), index)

    def end_streams(self) -> None:
        """All packets of the other streams have been taken."""
        for index, passage in self._streams.items():
            self._mux(passage.end(), index)

    def _mux(self, packets: list[av.Packet[Any]], index: int) -> None:
        for packet in packets:
            try:
                self._container.mux_one(packet)
            except _DAMAGED:  # a full disk is another error
                if not self._mux_late(packet, index):
                    self._dropped[index] += 1
                    continue
            self._muxed.add(index)
            if packet.dts is not None:
                self._last_dts[index] = packet.dts

    def _mux_late(self, packet: av.Packet, index: int) -> bool:
        """Once more, one tick after its predecessor: broadcasts repeat times, and most containers refuse that."""
        last = self._last_dts.get(index)
        if last is None or packet.dts is None or packet.dts > last:
            return False
        packet.dts = last + 1
        packet.pts = max(packet.dts, packet.pts if packet.pts is not None else packet.dts)
        try:
            self._container.mux_one(packet)
        except (FFmpegError, OSError):
            return False
        return True

    def close(self) -> None:
        """Finish the file and compare its header with the source's. Raises OutputUnwritable if pictures are missing."""
        self._container.close()
        self._mark.embed(self.path)
        self._compare()
        self.warnings += self._mark.warnings

    def abort(self) -> None:
        """Leave no file."""
        with contextlib.suppress(FFmpegError, OSError, ValueError):  # a trailer that cannot be written does not matter
            self._container.close()
        self.path.unlink(missing_ok=True)

    # --- setting up -----------------------------------------------------------------------------------------------

    def _muxer_options(self) -> dict[str, str]:
        name = self._format
        if name == "mpegts":
            return {"mpegts_copyts": "1"}  # else every time moves by 1.4 s
        if name in _BEFORE_ZERO:
            return {"avoid_negative_ts": "disabled"}
        if name not in ("mp4", "mov", "ipod", "3gp", "3g2"):
            return {}
        options = {"movie_timescale": str(self._movie_timescale())}
        tags = self._tags
        plain = _kept_tags(name, tags, options)
        free = {**options, "movflags": "use_metadata_tags"}
        # Free-form tags (a phone's GPS position) replace the iTunes list that most players read: only where they save
        # something.
        chosen = free if len(_kept_tags(name, tags, free)) > len(plain) else options
        if self._index_in_front:
            chosen = {**chosen, "movflags": "+".join(filter(None, (chosen.get("movflags"), "faststart")))}
        return chosen

    def _movie_timescale(self) -> int:
        """Edit lists, which hold a late start, count in this unit: the default 1/1000 s would round it."""
        scale = _mov_timescale(self._reader.time_base)
        for stream in self._reader.container.streams:
            if stream.time_base and math.lcm(scale, stream.time_base.denominator) < _MAX_TIMESCALE:
                scale = math.lcm(scale, stream.time_base.denominator)
        return scale

    def _add_streams(self, encoding: Encoding) -> dict[int, Passage]:
        """All streams in the source's order. Returns the ways of those beside the picture by the source's index."""
        added: dict[int, Passage] = {}
        for source in self._reader.container.streams:
            if source.index == self._reader.picture_index:
                self._stream = self._add_picture(source, encoding)
            elif (plan := self._plans.plans.get(source.index)) is not None:
                added[source.index] = plan.way(self._container, source, self._reader.clip)
        return added

    def _add_picture(self, source: Stream, encoding: Encoding) -> VideoStream:
        stream = encoding.add_to(self._container)
        stream.metadata.update(stream_tags(source.metadata, self._format))
        stream.disposition = source.disposition
        geometry = self._reader.geometry
        if geometry.display_matrix is not None:
            stream.set_display_matrix(geometry.display_matrix)
        elif geometry.rotation:
            stream.set_display_rotation(-geometry.rotation)
        return stream

    # --- at the end -----------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        """Say what the finished file lacks of the source's header."""
        lost = list(self._reader.beyond_ffmpeg)
        with av.open(f"file:{self.path}", metadata_errors="surrogateescape") as written:
            if len(written.chapters()) < len(self._reader.chapters):
                lost.append("chapters")
            lost += lost_tags("tag", lasting_tags(self._reader.tags), written.metadata)
            self._mark.check(written.metadata)
            lost += self._lost_of_streams(written)
            first = (
                next(written.decode(_picture(written, self._stream.index)), None) if self._start is not None else None
            )
        if first is not None and self._start is not None:
            if rotation_of(first) != self._reader.geometry.rotation:
                lost.append(f"rotation by {self._reader.geometry.rotation} degrees")
            moved = (first.pts or 0) * (first.time_base or 0) - self._start
            if abs(moved) > _ROUNDING:
                self.warnings.append(f"{self._target.suffix} begins {float(moved):.3f} s later, all streams alike")
        if lost:
            self.warnings.append(f"{self._target.suffix} did not keep: {', '.join(lost)}")
        if self._dropped:
            self._count_pictures()
        for index, passage in self._streams.items():
            self.warnings += [f"{self._plans.plans[index].source}: {text}" for text in passage.warnings()]
        for index, count in sorted(self._dropped.items()):
            if index not in self._muxed and not self._plans.may_drop:
                raise self._refused_whole(index)
            self.warnings.append(f"{count} damaged or misplaced packets of stream {index} were left out")

    def _refused_whole(self, index: int) -> OutputUnwritable:
        """A stream that begins so late that it was not tried before."""
        return OutputUnwritable(
            "the container refused a whole stream",
            path=self._target,
            why=f"none of the {self._dropped[index]} packets of {self._plans.plans[index].source} is in it",
            hint=f"{OTHER_CONTAINER}; --drop-streams goes on without",
        )

    def _count_pictures(self) -> None:
        """A muxer's error can be about an earlier packet in its queue: make sure that it was no picture."""
        with av.open(f"file:{self.path}", metadata_errors="surrogateescape") as written:
            found = sum(packet.size > 0 for packet in written.demux(_picture(written, self._stream.index)))
        if found != self._pictures:
            raise OutputUnwritable(
                "the container refused a part of the film",
                path=self._target,
                why=f"{self._pictures - found} of {self._pictures} pictures are not in it",
                hint=OTHER_CONTAINER,
            )

    def _lost_of_streams(self, written: InputContainer) -> list[str]:
        lost: list[str] = []
        kept = sorted([*self._streams, self._reader.picture_index])
        if len(written.streams) < len(kept):
            lost.append(f"{len(kept) - len(written.streams)} empty streams")
            return lost
        for index, stream in zip(kept, written.streams, strict=False):
            wanted = {name: value for name, value in self._stream_tags[index].items() if name != "creation_time"}
            lost += lost_tags(f"stream {index}'s", stream_tags(wanted, self._format), stream.metadata)
            marks = self._marks[index] & ~stream.disposition
            lost += [f"stream {index}'s mark as {mark.name}" for mark in _MARKS if mark & marks]
        return lost


def container_format(target: Path) -> str:
    """FFmpeg's name of the format that a file name means. Raises UnsupportedMedia if that is none for film."""
    try:
        with av.open(f"file:{target.with_name('.name' + target.suffix)}", "w") as probe:  # no file yet
            name = "" if probe.format.flags & _NO_TIMESTAMPS else probe.format.name
    except ValueError:
        name = ""
    if not name or name in _NO_FILM:
        raise UnsupportedMedia(
            "no container for film",
            path=target,
            why=f"{target.suffix or 'a name without extension'} does not name one",
            hint="name the output .mp4, .mkv, .mov or .webm",
        )
    return name


def write_problem(error: BaseException, target: Path, said: str = "") -> OutputUnwritable:
    """What it means that FFmpeg or the system failed while writing; ``said`` is FFmpeg's reason, if it was heard."""
    code = getattr(error, "errno", None)
    why = said or str(getattr(error, "strerror", "") or error)
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "make room on the disk, or choose another folder with -o"
    elif code in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "check the folder's permissions, or choose another one with -o"
    else:
        hint = OTHER_CONTAINER
    return OutputUnwritable("cannot write the film", path=target, why=why, hint=hint)


def _kept_tags(container: str, tags: dict[str, str], options: dict[str, str]) -> set[str]:
    """The tags that come back from a scratch file of this format."""
    if not tags:
        return set()
    memory = io.BytesIO()
    try:
        with av.open(
            memory, "w", format=container, container_options=options, metadata_errors="surrogateescape"
        ) as scratch:
            scratch.metadata.update(tags)
            stream: Any = scratch.add_stream("mpeg4", rate=25)
            stream.width = stream.height = 16
            scratch.mux([*stream.encode(av.VideoFrame(16, 16)), *stream.encode(None)])
        memory.seek(0)
        with av.open(memory, metadata_errors="surrogateescape") as written:
            return set(tags) - {name for name in tags if name.lower() not in {key.lower() for key in written.metadata}}
    except (FFmpegError, ValueError):
        return set()


def _picture(written: InputContainer, index: int) -> VideoStream:
    """The coloured stream: there may be others before it."""
    stream = written.streams[index] if index < len(written.streams) else None
    if isinstance(stream, VideoStream):
        return stream
    return next(stream for stream in written.streams.video if not stream.disposition & Disposition.attached_pic)


def _mov_timescale(time_base: Fraction) -> int:
    """The tick rate that FFmpeg's MP4 muxer derives from a time base (it doubles small ones)."""
    scale = time_base.denominator
    while scale < 10_000:
        scale *= 2
    return scale
