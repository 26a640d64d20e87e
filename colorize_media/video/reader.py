"""Read a film: frames with an untouched luma plane and their exact time, everything else as packets to be copied.

`Reader` demuxes in file order: once for the frames, once more for the packets of the other streams. Times are integers
in the stream's own time base (a Fraction), never frames divided by a rate. `colorize_media.video.writer.Writer` is the
other end.

Names are opened as ``file:NAME`` with only the file protocol allowed, so no name is a URL or a pattern and no playlist
inside a file can reach the network.
"""

from __future__ import annotations

import errno
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream
from av.video.format import VideoFormat
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_media.color.planes import Luma, has_alpha, layout_of, luma_plane, planar_format, plane_rows
from colorize_media.color.spaces import Matrix, YCbCrSpec
from colorize_media.errors import (
    DamagedMedia,
    Encrypted,
    FileProblem,
    InputUnreadable,
    NoPicture,
    UnsupportedMedia,
)
from colorize_media.files.first_look import size_of_readable
from colorize_media.video.clip import Part

if TYPE_CHECKING:
    from av.container.core import Chapter  # exists in PyAV's stubs only

Scalar = TypeVar("Scalar", bound=np.generic)

MAX_CONSECUTIVE_FAILURES = 250
"""Undecodable packets in a row after which the stream is given up: x264's default longest distance between key frames.
A film cut in the middle or damaged in one place is whole again at the next key frame."""

MISSING_SECONDS = 2
"""Seconds that the picture may be shorter than the file says without a warning: sound often lasts a little longer."""

SAMPLE_SEARCH = 100
"""Frames decoded at most for one sample, where several samples fall between two key frames."""

SAMPLE_SHORT_SIDE = 256
"""Pixels of `Reader.sample` pictures: enough to tell colour from grey."""

# H.273 matrix codes. What is not listed (RGB, unspecified, YCgCo, ICtCp, …) is guessed from the size, as players do.
_MATRIX: dict[int, Matrix] = {
    1: "bt709",
    4: "bt601",  # FCC, nearly BT.601
    5: "bt601",
    6: "bt601",
    7: "bt709",  # SMPTE 240M, nearly BT.709
    9: "bt2020",
    10: "bt2020",
}
_MATRIX_CODE: dict[Matrix, int] = {"bt601": 6, "bt709": 1, "bt2020": 9}
_HD_LINES = 720
_LIMITED, _FULL = 1, 2  # AVColorRange
_TS_DISCONT = 0x0200  # AVFMT_TS_DISCONT: times may start again within a file (MPEG transport and program streams)

# Codecs that say nothing about range when they mean limited. FFmpeg's other grey pictures (ffv1, PNG, raw) are full.
_LIMITED_BY_DEFAULT = frozenset({"h264", "hevc", "vvc", "av1", "libdav1d", "vp8", "vp9", "mpeg1video", "mpeg2video"})

# Decoders that draw text as pictures: any .txt or .nfo file would be a film.
_TEXT_ART = frozenset({"ansi", "bintext", "xbin", "idf"})
_ENCRYPTED_TAGS = frozenset({"encv", "drmi"})

# First bytes of containers: tells a damaged film from a file that never was one.
_MAGIC = re.compile(
    rb"....(ftyp|moov|mdat|wide|free|skip)|\x1aE\xdf\xa3|RIFF....AVI |OggS|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11"
    rb"|\x00\x00\x01[\xb3\xba]|GIF8[79]a|\x47.{187}\x47",
    re.DOTALL,
)


@dataclass(frozen=True)
class ColorTags:
    """H.273 numbers as FFmpeg uses them: 2 is "unspecified" (range: 0); range 1 is limited, 2 full."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0


@dataclass(frozen=True)
class VideoGeometry:
    """What the picture stream is, and the planes that will be written.

    ``width``, ``height``       of a decoded frame in pixels, not rotated
    ``pixel_format``            of decoded frames
    ``spec``                    what the luma codes mean. Matrix by the tags, else BT.709 from 720 lines, BT.601 below
    ``chroma_width``, ``chroma_height``  of the planes to write; an odd side rounds up
    ``output_format``           planar Y'CbCr of the same depth; 4:2:0 where the source has no such chroma of its own
    ``rotation``                degrees clockwise (0, 90, 180, 270) that a player turns the frame by to show it upright
    ``sample_aspect_ratio``     None when pixels are square or nothing is said
    ``interlaced``, ``field_order``  the latter as FFmpeg's AVFieldOrder
    ``tags``                    for the output: the source's own, and the matrix if unsaid, since chroma depends on it
    ``display_matrix``          nine integers as FFmpeg stores them, None when there is none
    """

    width: int
    height: int
    pixel_format: str
    spec: YCbCrSpec
    chroma_width: int
    chroma_height: int
    output_format: str
    rotation: int = 0
    sample_aspect_ratio: Fraction | None = None
    interlaced: bool = False
    field_order: int = 0
    tags: ColorTags = ColorTags()
    display_matrix: tuple[int, ...] | None = None

    @property
    def frame_bytes(self) -> int:
        """What one waiting frame holds: the decoder's picture and our copy of its luma, at most 4:4:4."""
        return self.width * self.height * (4 if self.spec.bits == 8 else 8)

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width of the film as it is shown: turned upright, with square pixels; in pixels of its lines."""
        width = round(self.width * (self.sample_aspect_ratio or 1))
        return self.lying_size((self.height, width))

    def lying_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Between the two sides of an upright picture and those of the frame as it is stored: either way."""
        return size if self.rotation % 180 == 0 else size[::-1]

    def upright(self, picture: NDArray[Scalar]) -> NDArray[Scalar]:
        """A picture or plane ``(h, w, …)`` of the stored frame as it is shown."""
        return np.ascontiguousarray(np.rot90(picture, -(self.rotation // 90)))

    def lying(self, picture: NDArray[Scalar]) -> NDArray[Scalar]:
        """A picture or plane ``(h, w, …)`` as it is shown, turned to lie as the stored frame does."""
        return np.ascontiguousarray(np.rot90(picture, self.rotation // 90))


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


@dataclass(frozen=True)
class OtherStream:
    """A stream that is not the picture. ``kind``: video, audio, subtitle, data or attachment."""

    index: int
    kind: str
    codec: str
    language: str
    title: str

    def __str__(self) -> str:
        extra = ", ".join(part for part in (self.codec, self.language, self.title) if part)
        return f"{self.kind} stream {self.index}" + (f" ({extra})" if extra else "")


class Reader:
    """A film, or a part of it, read once from beginning to end: ``for frame in reader``; then `copies`.

    ``start`` and ``duration`` in seconds choose the frames from ``start`` on (counted from the file's own beginning) up to
    before ``duration`` after the first of them. All times then count from that first frame.

    Opening decodes one frame, because only that tells the real geometry. One thread may iterate while a `Writer` works
    in another. Raises InputMissing, InputUnreadable, EmptyFile, NoPicture (nothing is left from ``start`` on, too),
    Encrypted, DamagedMedia or UnsupportedMedia.

    ``damaged`` counts undecodable packets and frames that the decoder flags; ``warnings`` says what was guessed or is
    missing. Both grow during iteration.

    Times: a frame's own pts. A frame without one starts where its predecessor ends (duration, else the average rate),
    the first at the stream's start. A frame that is not later than its predecessor is moved to one tick after it:
    containers hold no two frames of one time.
    """

    def __init__(self, path: Path, *, start: Fraction = Fraction(0), duration: Fraction | None = None) -> None:
        self.path = Path(path)
        size_of_readable(self.path)  # says plainly what FFmpeg would report as "invalid data"
        self.damaged = 0
        self.warnings: list[str] = []
        self.geometry = self._peek()
        self._container = _open(self.path)
        self._stream = _picture_stream(self._container, self.path)
        self._stream.thread_type = "AUTO"
        self._iterated = False
        # Read now: FFmpeg's memory behind these is gone once the file is closed.
        stream = self._stream
        self.picture_index: int = stream.index
        """The picture stream's index among the container's streams."""
        self.time_base: Fraction = stream.time_base or Fraction(1, av.time_base)
        """Seconds per tick of frame times."""
        self.average_rate: Fraction | None = stream.average_rate or stream.guessed_rate or None
        """Frames per second as the container or FFmpeg's own look at the first frames has it."""
        whole = _duration(self._container, stream)
        self._span = ((stream.start_time or 0) * self.time_base, stream.frames, whole)
        self._part: Part | None = None
        if start or duration is not None:
            own = self._container.start_time
            self._part = Part(self._span[0] if own is None else Fraction(own, av.time_base), start, duration)
            if whole is not None and start >= whole:
                raise _nothing_from(start, self.path, whole)
        self.duration: Fraction | None = self._part.length(whole) if self._part else whole
        """Seconds, of the picture stream, else of the file; None when nobody knows."""
        self.frames_estimate: int | None = (stream.frames or None) if self._part is None else None
        """The container's frame count, else duration times average rate: for progress only."""
        if self.frames_estimate is None and self.duration and self.average_rate:
            self.frames_estimate = round(self.duration * self.average_rate)
        self.streams: list[OtherStream] = [
            _describe(one)
            for one in self._container.streams
            if one.index != stream.index and one.discard != Discard.all
        ]
        """All streams but the picture, and but the text track that MP4 keeps chapters in (see `chapters`)."""
        self.chapters: list[Chapter] = self._container.chapters()
        """Chapters as PyAV gives them: id, start, end, time_base, metadata."""
        if self._part is not None:
            self.chapters = self._part.chapters(self.chapters)
        self.tags: dict[str, str] = dict(self._container.metadata)
        """The container's tags. Text that is not UTF-8 keeps its bytes as surrogate escapes."""

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

    def __iter__(self) -> Iterator[Frame]:
        if self._iterated:
            raise RuntimeError("a Reader can be read only once")
        self._iterated = True
        count = itertools.count()
        part = self._part
        for source, pts in self._decoded():
            if part is not None and not part.begins(pts * self.time_base):
                continue
            if part is not None and part.ends(pts * self.time_base):
                return
            yield self._frame(source, pts - (part.ticks(self.time_base) if part else 0), next(count))
        if part is not None and part.first is None:
            raise _nothing_from(part.start, self.path)

    def _decoded(self) -> Iterator[tuple[av.VideoFrame, int]]:
        """All frames and their times in ticks of the file; with a part, perhaps from a key frame before it."""
        sought = self._part is not None and self._seek(self._part.begin)
        clock = _Clock(self.time_base, self.average_rate, self._stream.start_time)
        failures = packets = 0
        lead_in: list[int] | None = None if sought else []  # times of the packets up to the first frame
        for packet in self._packets(self._container):
            if packet is not None and packet.stream_index != self._stream.index:
                continue
            packets += packet is not None
            try:
                decoded = self._stream.decode(packet)
            except FFmpegError as error:
                self.damaged += 1
                failures += 1
                if failures >= MAX_CONSECUTIVE_FAILURES:
                    raise _damaged(self.path, f"{failures} packets in a row could not be decoded: {error}") from error
                continue
            if lead_in is not None and packet is not None and packet.pts is not None and not packet.is_discard:
                lead_in.append(packet.pts)
            for source in decoded:
                failures = 0
                if lead_in is not None:
                    self._report_lead_in(lead_in, source.pts)
                    lead_in = None
                yield source, clock.tick(source)
        if not sought:
            self._report_end(clock.end * self.time_base, packets)
        if clock.repaired:
            self.warnings.append(f"{clock.repaired} frames had no usable time of their own and were given one")

    def _seek(self, time: Fraction) -> bool:
        """Go to a key frame before a time in the file, if a trial shows that decoding from there begins before it."""
        if time <= self._span[0] or self._container.format.flags & _TS_DISCONT:
            return False
        place = int(time / self.time_base)
        try:
            with _open(self.path) as trial:
                stream = _picture_stream(trial, self.path)
                trial.seek(place, stream=stream)
                frame = next(trial.decode(stream), None)
            if frame is None or frame.pts is None or frame.pts > place:
                return False
            self._container.seek(place, stream=self._stream)
        except (FFmpegError, OSError):
            return False
        return True

    def copies(self) -> Iterator[av.Packet]:
        """The packets of the other streams in file order, to be copied; only once all frames have been read.

        Opens the file again. Muxing rewrites a packet's times: use it once.
        """
        with _open(self.path) as container:
            still = {stream.index for stream in container.streams if stream.disposition & Disposition.attached_pic}
            for packet in self._packets(container, again=True):
                if packet is None:
                    return
                if self._part is None or packet.stream_index in still:
                    if packet.stream_index != self.picture_index:
                        yield packet
                elif self._part.is_past(packet):
                    return
                elif packet.stream_index != self.picture_index and self._part.cut(packet):
                    yield packet

    def first_packet(self, index: int) -> bytes:
        """The first packet of a stream, b"" if there is none: a cover picture has but one. Opens the file again."""
        with _open(self.path) as container:
            try:
                return next((bytes(packet) for packet in container.demux(container.streams[index]) if packet.size), b"")
            except (FFmpegError, OSError):
                return b""

    def sample(self, count: int) -> list[NDArray[np.uint8]]:
        """Up to ``count`` frames spread over the film: ``(h, w, 3)`` R'G'B', upright, short side at most 256.

        Opens the file a second time, so a running iteration is not disturbed. A film that cannot be sought in gives its
        first frames. Damaged places are left out; the list may be shorter than asked, even empty.
        """
        with _open(self.path) as container:
            stream = _picture_stream(container, self.path)
            stream.thread_type = "SLICE"  # frame threads would decode several frames ahead of the one we take
            start = (stream.start_time or 0) * self.time_base
            if self._part is not None:
                start = max(start, self._part.begin)
            pictures: list[NDArray[np.uint8]] = []
            previous: int | None = None
            for step in range(count):
                time = start + (self.duration or 0) * Fraction(2 * step + 1, 2 * count)
                try:
                    if self.duration:
                        container.seek(int(time / self.time_base), stream=stream)
                    frame = _frame_after(container.decode(stream), previous, time / self.time_base)
                except (FFmpegError, OSError):
                    continue
                if frame is None:
                    continue
                previous = frame.pts
                pictures.append(_thumbnail(frame, self.geometry))
            return pictures

    def _packets(self, container: InputContainer, *, again: bool = False) -> Iterator[av.Packet | None]:
        """Packets with content in file order; None once at the end, to flush the decoder. ``again`` reports nothing.

        PyAV ends with an empty packet per stream, and some files hold empty packets in the middle, which would flush
        the decoder for good: so size decides, and one flush is made here.
        """
        packets = container.demux()
        joiner = _Joiner(bool(container.format.flags & _TS_DISCONT))
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (FFmpegError, OSError) as error:
                self.damaged += not again
                self.warnings += [] if again else [f"the file ends early: {error}"]
                break
            if packet.size:
                joiner.shift(packet)
                yield packet
        if joiner.joints and not again:
            self.warnings.append(f"times start again {joiner.joints} times within the file: the parts were joined")
        yield None

    def _report_lead_in(self, packets: list[int], first: int | None) -> None:
        """H.264 and others say nothing when they drop what comes before the first key frame."""
        lost = sum(pts < first for pts in packets) if first is not None else 0
        if lost:
            self.damaged += lost
            self.warnings.append(f"the first {lost} frames cannot be decoded: the film begins without a key frame")

    def _report_end(self, end: Fraction, packets: int) -> None:
        """A cut file ends without any error from FFmpeg. Edit lists leave samples out too, so the time must agree."""
        start, promised, duration = self._span
        missing = start + duration - end if duration else Fraction(0)
        if packets < promised and missing * (self.average_rate or 1) > 2:
            self.damaged += promised - packets
            self.warnings.append(f"the file ends early: {promised - packets} of {promised} frames are missing")
        elif missing > MISSING_SECONDS:
            self.warnings.append(
                f"the picture ends at {float(end):.1f} s of {float(end + missing):.1f} s: perhaps it is cut"
            )

    def _frame(self, source: av.VideoFrame, pts: int, index: int) -> Frame:
        geometry = self.geometry
        found = (source.width, source.height, source.format.name)
        if found != (geometry.width, geometry.height, geometry.pixel_format):
            raise UnsupportedMedia(
                "the picture changes within the film",
                path=self.path,
                why=f"from {geometry.width}×{geometry.height} {geometry.pixel_format} to "
                f"{found[0]}×{found[1]} {found[2]} at {float(pts * self.time_base):.2f} s",
                hint="cut the film there and colour the parts",
            )
        if source.is_corrupt:
            self.damaged += 1
        _refuse_transparency(source, self.path)
        luma = luma_plane(source, geometry.spec)
        return Frame(luma, pts, self.time_base, index, source.is_corrupt, source)

    def _peek(self) -> VideoGeometry:
        """Decode the first picture on a container of its own, so that the real one starts at its beginning."""
        failures, last = 0, ""
        with _open(self.path) as container:
            stream = _picture_stream(container, self.path)
            packets = container.demux(stream)
            packet: av.Packet | None = None
            while failures < MAX_CONSECUTIVE_FAILURES:
                try:
                    packet = next(packets, None)
                    if packet is not None and packet.size == 0:
                        continue
                    if packet is not None and packet.has_sidedata("encryption_info"):
                        raise _encrypted(self.path)
                    frames = stream.decode(packet)
                except FFmpegError as error:
                    failures, last = failures + 1, str(error)
                    if packet is None:
                        break
                    continue
                if frames:
                    _refuse_transparency(frames[0], self.path)
                    return _geometry(frames[0], stream, self.path)
                if packet is None:
                    break
        raise _damaged(self.path, last or "the picture stream has no decodable frame")


class _Clock:
    """Gives each frame its time by the rule in `Reader`."""

    def __init__(self, time_base: Fraction, rate: Fraction | None, start: int | None) -> None:
        self._default = max(1, round(1 / (rate * time_base))) if rate else 1
        self.end = start or 0
        self._last: int | None = None
        self.repaired = 0

    def tick(self, source: av.VideoFrame) -> int:
        pts = source.pts
        if pts is None or (self._last is not None and pts <= self._last):
            self.repaired += 1
            pts = self.end if pts is None else (self._last or 0) + 1
        self._last = pts
        self.end = pts + (source.duration or self._default)
        return pts


class _Joiner:
    """Makes time go on where a broadcast or DVD file, which may be several put together, starts again.

    The first stream whose decoding time steps back says by how much the new part is to be moved; the others, which step
    back a little earlier or later in the file, follow it into that part.
    """

    STEP_BACK = Fraction(1, 10)
    """Seconds; decoding times never go back within one part, but sloppy muxers repeat one."""

    def __init__(self, active: bool) -> None:
        self._active = active
        self._offsets = [Fraction(0)]  # seconds, of each part
        self._part: dict[int, int] = {}
        self._last: dict[int, tuple[Fraction, Fraction]] = {}  # seconds of each stream in the file: time, end

    @property
    def joints(self) -> int:
        return len(self._offsets) - 1

    def shift(self, packet: av.Packet) -> None:
        if not self._active or packet.dts is None:
            return
        index, base = packet.stream_index, packet.time_base
        time = packet.dts * base
        part = self._part.get(index, 0)
        last, end = self._last.get(index, (time, time))
        if time < last - self.STEP_BACK:
            if part == self.joints:
                self._offsets.append(self._offsets[part] + end - time)
            part += 1
        self._part[index] = part
        self._last[index] = (time, time + (packet.duration or 0) * base)
        ticks = round(self._offsets[part] / base)
        packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks


def _geometry(frame: av.VideoFrame, stream: VideoStream, path: Path) -> VideoGeometry:
    name = frame.format.name
    try:
        layout = layout_of(name)
    except ValueError as error:
        raise UnsupportedMedia(
            "this pixel format is not handled",
            path=path,
            why=f"{name}: {error}",
            hint="convert the film to 10-bit or 12-bit video first",
        ) from error
    matrix = _MATRIX.get(frame.colorspace) or ("bt709" if frame.height >= _HD_LINES else "bt601")
    said = frame.color_range
    grey = len([part for part in frame.format.components if not part.is_alpha]) == 1
    full = (
        layout.kind == "rgb"
        or said == _FULL
        or (said != _LIMITED and name.startswith("yuvj"))
        or (said != _LIMITED and grey and stream.codec_context.name not in _LIMITED_BY_DEFAULT)
    )
    shape = VideoFormat(planar_format(layout.subsampling, 8))
    display = _display_matrix(frame)
    aspect = stream.sample_aspect_ratio
    return VideoGeometry(
        width=frame.width,
        height=frame.height,
        pixel_format=name,
        spec=YCbCrSpec(matrix, full, layout.bits),
        chroma_width=shape.chroma_width(frame.width),
        chroma_height=shape.chroma_height(frame.height),
        output_format=planar_format(layout.subsampling, layout.bits),
        rotation=rotation_of(frame),
        sample_aspect_ratio=aspect if aspect and aspect != 1 else None,
        interlaced=frame.interlaced_frame,
        field_order=stream.codec_context.field_order if frame.interlaced_frame else 0,
        tags=ColorTags(
            frame.color_primaries,
            frame.color_trc,
            frame.colorspace if frame.colorspace in _MATRIX else _MATRIX_CODE[matrix],
            _FULL if full else said,
        ),
        display_matrix=display,
    )


def rotation_of(frame: av.VideoFrame) -> int:
    """Degrees clockwise (0, 90, 180, 270) that show the frame upright; FFmpeg's angle is counter-clockwise."""
    return round(-frame.rotation / 90) * 90 % 360


def _frame_after(
    frames: Iterator[av.VideoFrame], previous: int | None, target: Fraction | float
) -> av.VideoFrame | None:
    """The first frame behind a seek; where that is not later than the previous sample, one nearer to the target."""
    frame = None
    for frame in itertools.islice(frames, SAMPLE_SEARCH):
        if previous is None or frame.pts is None or (frame.pts > previous and frame.pts >= target):
            return frame
        if frame.key_frame and frame.pts > previous:
            return frame
    return frame if frame is not None and previous is not None and (frame.pts or 0) > previous else None


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, av.time_base) if container.duration else None


def _describe(stream: Stream) -> OtherStream:
    return OtherStream(
        index=stream.index,
        kind=str(stream.type),
        codec=stream.codec_context.name if stream.codec_context is not None else "",
        language=stream.language or "",
        title=stream.metadata.get("title", ""),
    )


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data: Any
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except (KeyError, ValueError):  # PyAV refuses the whole list when it does not know one entry's type
        data = None
    if data is None:
        return None
    return tuple(int(value) for value in np.frombuffer(data, np.int32)[:9])


def _thumbnail(frame: av.VideoFrame, geometry: VideoGeometry) -> NDArray[np.uint8]:
    scale = min(1.0, SAMPLE_SHORT_SIDE / min(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    rgb: NDArray[Any] = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    return geometry.upright(rgb)


def _refuse_transparency(frame: av.VideoFrame, path: Path) -> None:
    """Transparent pixels would be lost; a wholly opaque alpha channel, as GIF and screen grabs have, is nothing."""
    if not has_alpha(frame.format.name):
        return
    alpha = plane_rows(frame.reformat(format="yuva444p").planes[3], "u1")[:, : frame.width]
    if alpha.min() < 255:
        raise _transparent(path)


def _open(path: Path) -> InputContainer:
    try:
        return av.open(
            f"file:{path}", "r", container_options={"protocol_whitelist": "file"}, metadata_errors="surrogateescape"
        )
    except (FFmpegError, OSError, ValueError) as error:
        raise _open_problem(path, error) from error


def _open_problem(path: Path, error: Exception) -> FileProblem:
    """What it means that FFmpeg could not open a file which is there, readable and not empty."""
    why = str(getattr(error, "strerror", "") or error)
    if getattr(error, "errno", None) in (errno.EACCES, errno.EIO, errno.EPERM):
        return InputUnreadable("cannot read the file", path=path, why=why, hint="check its permissions and the disk")
    with path.open("rb") as file:
        head = file.read(512)
    if _MAGIC.match(head):
        return _damaged(path, f"its beginning is that of a film, but the rest does not fit: {why}")
    return NoPicture(
        "not a picture or film",
        path=path,
        why=f"FFmpeg does not recognise the content: {why}",
        hint="give a video or picture file",
    )


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is no cover picture."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    films = [stream for stream in container.streams.video if not stream.disposition & covers]
    films = [s for s in films if s.codec_context is None or s.codec_context.name not in _TEXT_ART]
    if not films:
        kinds = ", ".join(sorted({str(stream.type) for stream in container.streams})) or "nothing"
        cover = " (a cover picture only)" if container.streams.video and "tty" not in container.format.name else ""
        raise NoPicture(
            "no film in the file",
            path=path,
            why=f"it is {container.format.long_name} with {kinds}{cover}",
            hint="give a file with a video stream",
        )
    stream = films[0]
    if stream.codec_context is None:
        raise UnsupportedMedia(
            "no decoder for the picture",
            path=path,
            why=f"the FFmpeg inside PyAV {av.__version__} does not know its codec",
            hint="convert the film to H.264 first",
        )
    if stream.codec_context.codec_tag in _ENCRYPTED_TAGS:
        raise _encrypted(path)
    if stream.metadata.get("alpha_mode") == "1":  # Matroska: the alpha travels beside the frames and is not decoded
        raise _transparent(path)
    return stream


def _damaged(path: Path, why: str) -> DamagedMedia:
    return DamagedMedia(
        "the film is damaged", path=path, why=why, hint="get another copy, or repair it with a remuxing tool"
    )


def _nothing_from(start: Fraction, path: Path, whole: Fraction | None = None) -> NoPicture:
    return NoPicture(
        "no picture from that start on",
        path=path,
        why=f"the film lasts {float(whole):.1f} s"
        if whole is not None
        else f"no frame is {float(start):.1f} s in or later",
        hint="give an earlier --start",
    )


def _encrypted(path: Path) -> Encrypted:
    return Encrypted(
        "the picture is encrypted",
        path=path,
        why="its packets are protected and there is no key",
        hint="give a copy without copy protection",
    )


def _transparent(path: Path) -> UnsupportedMedia:
    return UnsupportedMedia(
        "the film has transparency",
        path=path,
        why="its alpha channel would be lost",
        hint="flatten it onto a background first",
    )
