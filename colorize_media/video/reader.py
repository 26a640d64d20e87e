"""Read a film: frames with an untouched luma plane and their exact time, everything else as packets to be copied.

`Reader` demuxes in file order: once for the frames; `demuxing.other_packets` goes through the file once more. Times are
integers in the stream's own time base (a Fraction), never frames divided by a rate. `colorize_media.video.writer.Writer` is
the other end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_media.color.planes import Luma, chroma_planes, has_chroma, luma_plane, small_rgb
from colorize_media.files.first_look import size_of_readable
from colorize_media.video.beside import OtherStream, guessed_texts, other_streams
from colorize_media.video.changes import Changes
from colorize_media.video.clip import Clip
from colorize_media.video.demuxing import (
    MAX_CONSECUTIVE_FAILURES,
    Packets,
    Probe,
    first_packet,
    open_container,
    part_of_a_packet,
    picture_stream,
    times_start_again,
)
from colorize_media.video.dv import recording_date
from colorize_media.video.fields import field_order, first_interlaced
from colorize_media.video.geometry import VideoGeometry, read_geometry
from colorize_media.video.late import late_streams
from colorize_media.video.matroska import read_notes
from colorize_media.video.refusals import damaged, given_up, nothing_from, refuse_transparency
from colorize_media.video.tags import decoded_tags
from colorize_media.video.times import Clock, own_time

if TYPE_CHECKING:
    from av.container.core import Chapter  # exists in PyAV's stubs only

_MOST_RATE = 1000
"""Frames a second; what FFmpeg says to be more is the tick of the times (raw DV: 60000)."""

MISSING_SECONDS = 2
"""Seconds that the picture may be shorter than the file says without a warning: sound often lasts a little longer."""


@dataclass(frozen=True)
class Frame:
    """One decoded picture. ``luma`` ``(H, W)`` uint8 or uint16 holds the decoder's own codes: treat it as read-only.

    The frame's time is ``pts * time_base`` seconds, exactly. ``corrupt``: the decoder says that it is damaged.
    ``source`` gives chroma and properties; `Writer.write` reuses its buffers, so read it before.
    """

    luma: Luma
    pts: int
    time_base: Fraction
    index: int
    corrupt: bool
    source: av.VideoFrame


class Reader:
    """A film, or a clip of it, read once from beginning to end: ``for frame in reader``.

    ``start`` and ``duration`` in seconds choose the frames from ``start`` on (counted from the file's own beginning) up to
    before ``duration`` after the first of them. All times then count from that first frame. ``planes`` gives the geometry
    other planes to write than the source's own.

    Opening decodes one frame, because only that tells the real geometry. One thread may iterate while a `Writer` works
    in another. Raises InputMissing, InputUnreadable, EmptyFile, NoPicture (nothing is left from ``start`` on, too),
    Encrypted, DamagedMedia or UnsupportedMedia.

    ``damaged`` counts undecodable packets and frames that the decoder flags; ``warnings`` says what was guessed or is
    missing. Both grow during iteration. Frames get their times by the rule in `times.Clock`.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: Fraction = Fraction(0),
        duration: Fraction | None = None,
        planes: Callable[[VideoGeometry], VideoGeometry] | None = None,
    ) -> None:
        self.path = Path(path)
        size_of_readable(self.path)  # says plainly what FFmpeg would report as "invalid data"
        self.damaged = 0
        self.warnings: list[str] = []
        found = read_geometry(self.path)  # on a container of its own, so that the real one starts at its beginning
        self.geometry = planes(found) if planes is not None else found
        self._container = open_container(self.path)
        self._stream = stream = picture_stream(self._container, self.path)
        self._stream.thread_type = "AUTO"
        self._iterated = False
        # Read now: FFmpeg's memory behind these is gone once the file is closed.
        self.picture_index: int = stream.index
        """The picture stream's index among the container's streams."""
        self.codec: str = stream.codec_context.name
        """FFmpeg's name of the decoder."""
        self.time_base: Fraction = stream.time_base or Fraction(1, av.time_base)
        """Seconds per tick of frame times."""
        self.average_rate: Fraction | None = _rate(stream)
        """Frames per second as the container or FFmpeg's own look at the first frames has it."""
        self._begin: Fraction = (stream.start_time or 0) * self.time_base
        self._promised: int = stream.frames
        self._length = _length(self._container, stream)
        own = self._container.start_time
        self.clip = Clip(self._begin if own is None else Fraction(own, av.time_base), start, duration)
        """What of the film is read."""
        if not self.clip.whole and self._length is not None and start >= self._length:
            raise nothing_from(start, self.path, self._length)
        self.duration: Fraction | None = self.clip.length(self._length)
        """Seconds, of the picture stream, else of the file; None when nobody knows."""
        self.frames_estimate: int | None = (self._promised if self.clip.whole else 0) or None
        """The container's frame count, else duration times average rate: for progress only."""
        self._changes = Changes(self.geometry, stream.codec_context.name, self.path)
        if self.frames_estimate is None and self.duration and self.average_rate:
            self.frames_estimate = round(self.duration * self.average_rate)
        self.probe: Probe | None = None
        """How the file is opened so that all of its streams are known; None for FFmpeg's usual way."""
        self.unknown_streams: tuple[str, ...] = ()
        """Streams, in words, that begin later than can be looked."""
        self.streams: list[OtherStream] = other_streams(self._container, self.picture_index)
        """All streams but the picture, and but the text track that MP4 keeps chapters in (see `chapters`)."""
        self.chapters: list[Chapter] = self.clip.chapters(self._container.chapters())
        """Chapters as PyAV gives them: id, start, end, time_base, metadata."""
        for chapter in self.chapters:
            chapter["metadata"] = decoded_tags(chapter["metadata"])
        self.tags: dict[str, str] = dict(self._container.metadata)
        """The container's tags. Text that is not UTF-8 keeps its bytes as surrogate escapes (`tags.decoded`)."""
        if guessed := guessed_texts(self._container):
            self.warnings.append(f"tags that are not UTF-8 were read as Windows-1252: {', '.join(guessed)}")
        self.beyond_ffmpeg: tuple[str, ...] = ()
        """Names of what the file says and no output can say."""
        self._read_beyond_ffmpeg()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file. Not while another thread iterates."""
        self._container.close()

    @property
    def container(self) -> InputContainer:
        """The open container, for the Writer's templates and tags."""
        return self._container

    @property
    def first_index(self) -> int:
        """That of the first frame given: films are decoded from their beginning."""
        return 0

    @property
    def can_be_colored(self) -> bool:
        """Whether its frames can hold colour."""
        return has_chroma(self.geometry.pixel_format)

    def small_picture(self, frame: Frame, short_side: int) -> NDArray[np.uint8]:
        """The frame's own colours, lying as it is stored: ``(h, w, 3)`` R′G′B′ of this short side, at most its own."""
        return small_rgb(frame.source, frame.luma, self.geometry.spec, short_side)

    def own_chroma(self, frame: Frame) -> Luma:
        """The frame's own Cb and Cr ``(h, w, 2)`` as planes of the output."""
        return chroma_planes(frame.source, self.geometry.spec, self.geometry.output_format)

    def look_for_streams(self) -> None:
        """Let `streams` have those too that first appear late in the file: may go through it once. Before it is iterated."""
        late = late_streams(self.path, self._container)
        self.probe, self.unknown_streams = late.probe, late.unknown
        if self.probe is None:
            return
        self._container.close()
        self._container = open_container(self.path, self.probe)
        self._stream = next(one for one in self._container.streams.video if one.index == self.picture_index)
        self._stream.thread_type = "AUTO"
        self.streams = other_streams(self._container, self.picture_index)

    def look_for_fields(self) -> None:
        """Let `geometry` say whether a film that begins progressive is interlaced later: goes through the file once."""
        if not self.geometry.interlaced and (found := first_interlaced(self.path, self.clip)) is not None:
            self.geometry = dataclasses.replace(self.geometry, interlaced=True, field_order=field_order(found))

    def _read_beyond_ffmpeg(self) -> None:
        """What FFmpeg leaves in the file: a DV camera's clock, and some of Matroska."""
        dv = self._stream.codec_context.name == "dvvideo" and "creation_time" not in self.tags
        if dv and (date := recording_date(first_packet(self.path, self.picture_index))) is not None:
            self.tags["creation_time"] = f"{date.isoformat()}Z"  # no tag says "by the camera's clock"
        if self._container.format.name == "mpegts" and part_of_a_packet(self.path):
            self.damaged += 1
            self.warnings.append("the file ends within a packet: it is cut, and does not say how much is missing")
        if "matroska" not in self._container.format.name or (notes := read_notes(self.path)) is None:
            return
        self.beyond_ffmpeg = tuple(notes.lost())
        if notes.missing:
            whole = notes.size + notes.missing
            self.damaged += 1
            self.warnings.append(f"the file is cut: {notes.missing:,} of its {whole:,} bytes are missing")
        for name, values in notes.tags.items():
            if self.tags.get(name) in values:  # FFmpeg has the last one
                self.tags[name] = "; ".join(values)
        place = [stream.index for stream in self._container.streams.video].index(self.picture_index)
        if place < len(notes.cropping) and any(notes.cropping[place]):
            sides = zip(notes.cropping[place], ("left", "top", "right", "bottom"), strict=True)
            named = ", ".join(f"{count} px {side}" for count, side in sides if count)
            self.warnings.append(f"the file has players hide a part of the picture ({named}): it will be seen again")

    def __iter__(self) -> Iterator[Frame]:
        if self._iterated:
            raise RuntimeError("a Reader can be read only once")
        self._iterated = True
        count = itertools.count()
        try:
            for source, pts in self._decoded():
                time = pts * self.time_base
                if not self.clip.begins(time):
                    continue
                if self.clip.ends(time):
                    return
                yield self._frame(source, pts, next(count))
        finally:
            self.warnings += self._changes.warnings
        if self.clip.missed:
            raise nothing_from(self.clip.start, self.path)
        if self.clip.first is None:
            raise damaged(self.path, "not one of its frames can be decoded")

    def _decoded(self) -> Iterator[tuple[av.VideoFrame, int]]:
        """All frames and their times in ticks of the file; of a clip, perhaps from a key frame before it."""
        sought = self._seek()
        clock = Clock(self.time_base, self.average_rate, self._stream.start_time)
        packets = Packets(self._container)
        failures = count = undecodable = 0
        lead_in: list[int | None] | None = None if sought else []  # times of the packets up to the first frame
        expected: int | None = None  # time of the latest packet that should give a frame
        for packet in packets:
            if packet is None:
                self._report_packets(packets, clock.end)
            elif packet.stream_index != self.picture_index:
                continue
            else:
                count += 1
                if packet.pts is not None and not packet.is_discard and not packets.joints:
                    expected = packet.pts if expected is None else max(expected, packet.pts)
                if lead_in is not None and not packet.is_discard:
                    lead_in.append(own_time(packet))
            decoded: Iterable[av.VideoFrame]
            try:
                decoded = self._stream.decode(packet)
                if packet is None:
                    decoded = self._with_lost_ones(decoded, clock, expected, count)
            except FFmpegError as error:
                if packet is None:
                    self.damaged += 1
                    decoded = self._frames_after(clock)
                elif lead_in is not None:  # what comes before the first key frame may be long
                    undecodable += 1
                    continue
                else:
                    self.damaged += 1
                    failures += 1
                    if failures >= MAX_CONSECUTIVE_FAILURES:
                        raise given_up(self.path, failures, self._since_the_start(clock.end), error) from error
                    continue
            for source in decoded:
                failures = 0
                if lead_in is not None:
                    self._report_lead_in(lead_in, source.pts, undecodable)
                    lead_in = None
                yield source, clock.tick(source, at_the_end=packet is None)
        if not sought:
            self._report_end(clock.end * self.time_base, count)
        if clock.repaired:
            self.warnings.append(f"{clock.repaired} frames had no usable time of their own and were given one")

    def _with_lost_ones(
        self, decoded: Iterable[av.VideoFrame], clock: Clock, expected: int | None, packets: int
    ) -> Iterator[av.VideoFrame]:
        """The decoder's last frames; and where they end before the last packet's, those that its threads have lost."""
        yield from decoded
        if not self.clip.whole:
            return
        if expected is None:  # of a bare stream, which may hold a packet for each field
            missing = not clock.timed and clock.count < packets
        elif clock.last is None:
            missing = True
        else:  # a packet may hold a field, half a frame later
            missing = (expected - clock.last) * self.time_base * (self.average_rate or 1) >= Fraction(3, 4)
        if not missing:
            return
        lost = 0
        for source in self._frames_after(clock):
            lost = 1
            yield source
        self.damaged += lost

    def _frames_after(self, clock: Clock) -> Iterator[av.VideoFrame]:
        """The frames after those that ``clock`` has seen, decoded once more, without frame threads.

        These are told late of damaged packets; when a film ends in some, all the frames still in them are lost. New is what
        has a later time (many frames of a DVD have none, between others that do); of a bare stream, where none has one, what
        comes after as many.
        """
        with open_container(self.path) as container:
            stream = picture_stream(container, self.path)
            stream.thread_type = "SLICE"
            latest, given, number = clock.last if clock.timed else None, clock.count, 0
            for packet in Packets(container):
                if packet is not None and packet.stream_index != stream.index:
                    continue
                with contextlib.suppress(FFmpegError):
                    for source in stream.decode(packet):
                        time = own_time(source)
                        number += 1
                        if number > given if latest is None else time is not None and time > latest:
                            yield source

    def _seek(self) -> bool:
        """Go to a key frame before the clip, if a trial shows that decoding from there begins before it."""
        begin = self.clip.begin
        if self.clip.whole or begin <= self._begin or times_start_again(self._container):
            return False
        place = int(begin / self.time_base)
        try:
            with open_container(self.path) as trial:
                stream = picture_stream(trial, self.path)
                trial.seek(place, stream=stream)
                frame = next(trial.decode(stream), None)
            if frame is None or frame.pts is None or frame.pts > place:
                return False
            self._container.seek(place, stream=self._stream)
        except (FFmpegError, OSError):
            return False
        return True

    def _since_the_start(self, ticks: int) -> Fraction:
        """Seconds."""
        return ticks * self.time_base - self.clip.beginning

    def _report_packets(self, packets: Packets, end: int) -> None:
        if packets.broken is not None:
            self.damaged += 1
            self.warnings.append(f"the file ends early, {_at(self._since_the_start(end))}: {packets.broken}")
        if packets.joints:
            self.warnings.append(f"times start again {packets.joints} times within the file: the parts were joined")

    def _report_lead_in(self, packets: list[int | None], first: int | None, undecodable: int) -> None:
        """H.264 and others say nothing when they drop what comes before the first key frame."""
        early = sum(pts is not None and pts < first for pts in packets) if first is not None else 0
        lost = max(early, undecodable)
        if lost:
            self.damaged += lost
            self.warnings.append(f"the first {lost} frames cannot be decoded: the film begins without a key frame")

    def _report_end(self, end: Fraction, packets: int) -> None:
        """A cut file ends without any error from FFmpeg. Edit lists leave samples out too, so the time must agree."""
        missing = self._begin + self._length - end if self._length else Fraction(0)
        if packets < self._promised and missing * (self.average_rate or 1) > 2:
            lost = self._promised - packets
            self.damaged += lost
            told = _at(end - self.clip.beginning)
            self.warnings.append(f"the file ends early, {told}: {lost} of {self._promised} frames are missing")
        elif missing > MISSING_SECONDS:
            self.warnings.append(
                f"the picture ends at {float(end):.1f} s of {float(end + missing):.1f} s: perhaps it is cut"
            )

    def _frame(self, source: av.VideoFrame, pts: int, index: int) -> Frame:
        corrupt = source.is_corrupt
        self.damaged += corrupt
        refuse_transparency(source, self.path)
        time = pts * self.time_base - self.clip.beginning
        source = self._changes.fitted(source, self._stream.codec_context.sample_aspect_ratio, time)
        luma = luma_plane(source, self.geometry.spec)
        return Frame(luma, pts - self.clip.ticks(self.time_base), self.time_base, index, corrupt, source)


def _at(seconds: Fraction) -> str:
    return f"at {float(seconds):.1f} s"


def _rate(stream: VideoStream) -> Fraction | None:
    rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
    return next((rate for rate in rates if rate <= _MOST_RATE), None)


def _length(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, av.time_base) if container.duration else None
