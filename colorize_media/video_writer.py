"""Write the coloured film: the source's luma, new chroma, the source's times, and every other stream as it is.

The output grows under a hidden name in the destination folder and gets its own name when it is whole. Whether a
container can hold a stream or a tag is found out by trying it on a scratch container in memory, never by tables.

Times are exact where the container allows: MP4 and MOV take the source's time base as it is. Matroska, WebM, FLV and
ASF store whole milliseconds, MPEG-TS 1/90000 s: finer source times are rounded to the nearest tick there. AVI has one
fixed rate: steady film only, anything else ends in an error that names a better container.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import io
import math
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.codec import Codec
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_media.errors import BadOption, CodecMissing, InputIsOutput, OutputUnwritable, UnsupportedMedia
from colorize_media.outputs import is_alive
from colorize_media.planes import planar_format, plane_rows
from colorize_media.video import Frame, Passthrough, Reader, VideoGeometry, rotation_of

PREFERRED_ENCODERS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1")
"""Tried in this order; the first that the container takes and that holds the source's bit depth is used."""

_OLD_CONTAINERS = {
    # One time per packet: FFmpeg guesses the other one for H.264 and shifts the film by a frame.
    "avi": ("mpeg4", "ffv1"),
    "asf": ("mpeg4",),
    # H.264 comes back from these without times.
    "mpeg": ("mpeg2video",),
    "vob": ("mpeg2video",),
    "dvd": ("mpeg2video",),
    "svcd": ("mpeg2video",),
}

DEFAULT_CRF = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libsvtav1": 24}
"""Constant quality where none is asked for: about visually transparent, since a restored film is kept, not streamed."""

# Tags that describe the old file or its encoding and would be untrue of the new one. Compared in lower case.
_STALE_TAGS = ("encoder", "duration", "bps", "number_of_frames", "number_of_bytes", "_statistics_")
_CONTAINER_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "vendor_id", "numberofframes"})

_NO_FILM = frozenset(
    {"mxf", "gxf", "image2", "image2pipe", "gif", "apng", "webp", "avif", "hls", "dash", "segment", "tee"}
)
_MAX_NAME_BYTES = 255  # of one file name, on every common file system
_LAMBDA = 118  # FFmpeg's quality unit per step of the MPEG-4 quantiser; step 2 is the finest useful one
_OTHER_CONTAINER = "try another container: .mkv holds nearly everything"
_NO_TIMESTAMPS = 0x0080  # AVFMT_NOTIMESTAMPS: bare streams such as .h264
# Sound from an MP4 starts a little before zero. FFmpeg would move the whole film for it, but these can do without.
_BEFORE_ZERO = frozenset({"matroska", "webm", "asf", "avi"})
_ROUNDING = Fraction(1, 1000)  # seconds; the coarsest tick of a container
_MAX_TIMESCALE = 1_000_000_000  # ISO 14496-12 stores it in 32 bits


@dataclass(frozen=True)
class EncoderSettings:
    """``encoder`` FFmpeg's name, empty chooses; ``crf`` None is `DEFAULT_CRF`; ``preset`` the encoder's own word for
    speed; ``threads`` 0 is one per core."""

    encoder: str = ""
    crf: int | None = None
    preset: str = ""
    threads: int = 0


class Writer:
    """Encodes frames and copies packets into ``target``.

    Use as a context manager: on an exception nothing is left behind; otherwise leaving the block closes and the file
    appears under its name. Call from one thread; the `Reader` may be iterated in another, but must stay open.

    Raises CodecMissing, BadOption (settings that the encoder does not know), OutputUnwritable, UnsupportedMedia (a
    container that cannot hold film), InputIsOutput.

    ``warnings`` names what could not be carried over: streams at once, tags and the like after `close`.
    """

    def __init__(self, target: Path, reader: Reader, settings: EncoderSettings | None = None) -> None:
        self.target = Path(target)
        self.warnings: list[str] = []
        self._reader = reader
        self._geometry = reader.geometry
        self._settings = settings or EncoderSettings()
        self._packets = 0
        self._stream_tags = {stream.index: dict(stream.metadata) for stream in reader.container.streams}
        self._dropped: Counter[int] = Counter()
        self._last_dts: dict[int, int] = {}  # of copied streams, in ticks of the output
        self._start: Fraction | None = None
        self._finished = False
        _check_target(self.target, reader.path)
        self._part = _part_path(self.target, os.getpid())
        _remove_stale_parts(self.target)
        self._container = self._create()
        try:
            self._format = self._container.format.name
            self._streams = self._add_streams()
            self._container.start_encoding()
        except BaseException as error:
            self.abort()
            if isinstance(error, (FFmpegError, OSError, ValueError)):
                raise self._problem(error) from error
            raise

    @property
    def encoder(self) -> str:
        """The encoder in use, FFmpeg's name."""
        return self._encoder

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def write(self, frame: Frame, chroma: NDArray[Any]) -> None:
        """Encode one frame. Frames come in the order of their times; ``frame.source`` is used up.

        ``chroma`` ``(chroma_height, chroma_width, 2)``: Cb and Cr codes of the geometry's depth, whole-valued, any
        numeric type. Raises ValueError for another shape, OutputUnwritable.
        """
        picture = self._picture(frame, chroma)
        try:
            self._mux_picture(self._stream.encode(picture))
        except (FFmpegError, OSError) as error:
            raise self._problem(error) from error
        if self._start is None:
            self._start = frame.pts * frame.time_base

    def pass_through(self, item: Passthrough) -> None:
        """Copy a packet; one of a stream that the container cannot hold is left out (`warnings` has said so)."""
        packet = item.packet
        index = packet.stream_index
        stream = self._streams.get(index)
        if stream is None:
            return
        packet.stream = stream
        if packet.dts is None:
            packet.dts = packet.pts
        try:
            self._container.mux_one(packet)
        except (av.error.ArgumentError, av.error.InvalidDataError):  # a full disk is another error
            self._mux_late(packet, index)
        except (FFmpegError, OSError) as error:
            raise self._problem(error) from error
        if packet.dts is not None:
            self._last_dts[index] = packet.dts

    def _mux_picture(self, packets: list[av.Packet[VideoStream]]) -> None:
        self._container.mux(packets)
        self._packets += len(packets)

    def _mux_late(self, packet: av.Packet, index: int) -> None:
        """Once more, one tick after its predecessor: broadcasts repeat times, and most containers refuse that."""
        last = self._last_dts.get(index)
        try:
            if last is None or packet.dts is None or packet.dts > last:
                raise av.error.InvalidDataError(0, "the packet itself is refused")
            packet.dts = last + 1
            packet.pts = max(packet.dts, packet.pts if packet.pts is not None else packet.dts)
            self._container.mux_one(packet)
        except (FFmpegError, OSError):
            self._dropped[index] += 1

    def close(self) -> None:
        """Finish the file, compare its header with the source's, and give it its name. Again: does nothing."""
        if self._finished:
            return
        try:
            last = self._stream.encode(None)
            if self._encoder == "libx265" and self._packets + len(last) <= 2:
                for packet in last:  # x265 leaves decoding times unset in films shorter than its delay
                    packet.dts = packet.pts
            self._mux_picture(last)
            self._container.close()
            self._compare()
            os.replace(self._part, self.target)
        except (FFmpegError, OSError) as error:
            self.abort()
            raise self._problem(error) from error
        except BaseException:
            self.abort()
            raise
        self._finished = True

    def abort(self) -> None:
        """Leave nothing behind. After `close` it does nothing."""
        if self._finished:
            return
        self._finished = True
        with contextlib.suppress(FFmpegError, OSError, ValueError):  # a trailer that cannot be written does not matter
            self._container.close()
        self._part.unlink(missing_ok=True)

    # --- setting up -----------------------------------------------------------------------------------------------

    def _create(self) -> OutputContainer:
        reader = self._reader
        try:
            with av.open(f"file:{self._part}", "w") as probe:
                name = "" if probe.format.flags & _NO_TIMESTAMPS else probe.format.name
        except ValueError:
            name = ""
        if not name or name in _NO_FILM:
            raise UnsupportedMedia(
                "no container for film",
                path=self.target,
                why=f"{self.target.suffix or 'a name without extension'} does not name one",
                hint="name the output .mp4, .mkv, .mov or .webm",
            )
        options = self._muxer_options(name)
        container = av.open(f"file:{self._part}", "w", container_options=options, metadata_errors="surrogateescape")
        container.metadata.update(_lasting_tags(reader.tags))
        container.set_chapters(reader.chapters)
        return container

    def _muxer_options(self, name: str) -> dict[str, str]:
        if name == "mpegts":
            return {"mpegts_copyts": "1"}  # else every time moves by 1.4 s
        if name in _BEFORE_ZERO:
            return {"avoid_negative_ts": "disabled"}
        if name not in ("mp4", "mov", "ipod", "3gp", "3g2"):
            return {}
        options = {"movie_timescale": str(self._movie_timescale())}
        tags = _lasting_tags(self._reader.tags)
        plain = _kept_tags(name, tags, options)
        free = {**options, "movflags": "use_metadata_tags"}
        # Free-form tags (a phone's GPS position) replace the iTunes list that most players read: only where they save
        # something.
        return free if len(_kept_tags(name, tags, free)) > len(plain) else options

    def _movie_timescale(self) -> int:
        """Edit lists, which hold a late start, count in this unit: the default 1/1000 s would round it."""
        scale = _mov_timescale(self._reader.time_base)
        for stream in self._reader.container.streams:
            if stream.time_base and math.lcm(scale, stream.time_base.denominator) < _MAX_TIMESCALE:
                scale = math.lcm(scale, stream.time_base.denominator)
        return scale

    def _add_streams(self) -> dict[int, Stream]:
        """All streams in the source's order. Returns the copied ones by the source's index."""
        copied: dict[int, Stream] = {}
        refused, extra = [], []
        described = {other.index: str(other) for other in self._reader.streams}
        for source in self._reader.container.streams:
            if source.index == self._reader.picture_index:
                self._stream = self._add_picture(source)
            elif source.index not in described:
                continue
            elif not _can_hold(self._format, source):
                if not self._has_timecode(source):
                    refused.append(described[source.index])
            else:
                copied[source.index] = _add_copy(self._container, source)
                if source.type == "video" and not source.disposition & Disposition.attached_pic:
                    extra.append(described[source.index])
        if refused:
            self.warnings.append(f"{self.target.suffix} cannot hold, left out: {'; '.join(refused)}")
        if extra:
            self.warnings.append(f"only the first picture is coloured, copied as it is: {'; '.join(extra)}")
        return copied

    def _has_timecode(self, source: Stream) -> bool:
        """Whether the stream is a time code that the picture's own tag says too: from that the muxer makes it anew."""
        code = source.metadata.get("timecode")
        return code is not None and code == self._stream_tags[self._reader.picture_index].get("timecode")

    def _add_picture(self, source: Stream) -> VideoStream:
        geometry, reader = self._geometry, self._reader
        self._encoder, self._encoder_format = self._choose()
        rate = reader.average_rate or Fraction(25)
        steady = self._encoder == "mpeg2video" or self._format == "avi"  # they count frames of one fixed rate
        time_base = 1 / rate if steady else reader.time_base
        stream: VideoStream = self._container.add_stream(  # type: ignore[assignment]
            self._encoder, rate=rate, options=self._encoder_options(), time_base=time_base
        )
        self._set_up(stream, self._encoder_format)
        stream.metadata.update(_lasting_tags(source.metadata))
        stream.disposition = source.disposition
        if geometry.display_matrix is not None:
            stream.set_display_matrix(geometry.display_matrix)
        elif geometry.rotation:
            stream.set_display_rotation(-geometry.rotation)
        try:
            stream.codec_context.open()
        except (FFmpegError, ValueError) as error:
            raise _codec_missing(
                f"the encoder {self._encoder} does not start", self.target, str(error), self._format
            ) from error
        for name, asked in (("crf", self._settings.crf is not None), ("preset", bool(self._settings.preset))):
            if asked and name in stream.codec_context.options:  # what the encoder did not take stays there
                raise BadOption(
                    f"{self._encoder} has no {name}",
                    path=self.target,
                    why="the encoder does not know this option",
                    hint=f"leave {name} out, or choose another encoder",
                )
        return stream

    def _set_up(self, stream: VideoStream, pixel_format: str) -> None:
        geometry, context = self._geometry, stream.codec_context
        context.width, context.height, context.pix_fmt = geometry.width, geometry.height, pixel_format
        context.color_primaries = geometry.tags.primaries
        context.color_trc = geometry.tags.transfer
        context.colorspace = geometry.tags.matrix
        context.color_range = geometry.tags.range
        if geometry.sample_aspect_ratio:
            context.sample_aspect_ratio = geometry.sample_aspect_ratio
        context.thread_type = "AUTO"  # PyAV's default makes x264 cut each frame in slices, which costs quality
        context.thread_count = self._settings.threads
        context.flags |= Flags.frame_duration
        if geometry.interlaced:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
            context.field_order = geometry.field_order
        if self._format in _OLD_CONTAINERS:
            context.max_b_frames = 0

    def _encoder_options(self) -> dict[str, str]:
        options: dict[str, str] = {}
        crf = self._settings.crf if self._settings.crf is not None else DEFAULT_CRF.get(self._encoder)
        if crf is not None:
            options["crf"] = str(crf)
        if self._settings.preset:
            options["preset"] = self._settings.preset
        if self._encoder == "libx265":
            options["x265-params"] = "log-level=error"  # it writes to stderr by itself
        if self._encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only; there is no option for it
        if self._encoder in ("mpeg4", "mpeg2video"):
            options.update({"flags": "+qscale", "global_quality": str(2 * _LAMBDA)})
        if self._encoder == "libvpx-vp9":
            options.update({"row-mt": "1", "cpu-used": "4", "deadline": "good"})
        return options

    def _choose(self) -> tuple[str, str]:
        """The encoder, and the pixel format that it is given."""
        geometry, asked = self._geometry, self._settings.encoder
        for name in (asked,) if asked else _OLD_CONTAINERS.get(self._format, PREFERRED_ENCODERS):
            try:
                codec = Codec(name, "w")
            except ValueError as error:
                if asked:
                    raise _codec_missing(f"no encoder {name}", self.target, str(error), self._format) from error
                continue
            if not _takes(self._format, name):
                if asked:
                    raise _codec_missing(
                        f"{self.target.suffix} cannot hold {name}",
                        self.target,
                        "the container refuses it",
                        self._format,
                    )
                continue
            found = _closest_format(geometry, [form.name for form in codec.video_formats or ()], any_depth=bool(asked))
            if found is None:
                continue
            if found != geometry.output_format:
                self.warnings.append(f"{name} cannot hold {geometry.output_format}: written as {found}, luma unchanged")
            return name, found
        what = f"{asked} cannot hold" if asked else f"{self.target.suffix} has no encoder here for"
        raise _codec_missing(
            f"{what} {geometry.spec.bits}-bit video",
            self.target,
            f"the source is {geometry.pixel_format}, and its depth is never lowered",
            self._format,
        )

    # --- frames ---------------------------------------------------------------------------------------------------

    def _picture(self, frame: Frame, chroma: NDArray[Any]) -> av.VideoFrame:
        geometry, source = self._geometry, frame.source
        wanted = (geometry.chroma_height, geometry.chroma_width, 2)
        if chroma.shape != wanted or frame.luma.shape != (geometry.height, geometry.width):
            raise ValueError(f"luma {frame.luma.shape}, chroma {chroma.shape}: chroma must be {wanted}")
        if source.format.name == geometry.output_format:
            # Its own buffers keep the field order, captions and mastering data that a new frame would lack.
            source.make_writable()
            picture = source
        elif source.interlaced_frame:
            picture = source.reformat(format=geometry.output_format)
        else:
            picture = av.VideoFrame(geometry.width, geometry.height, geometry.output_format)
        for plane, codes in zip(picture.planes, (frame.luma, chroma[..., 0], chroma[..., 1]), strict=True):
            if picture is not source or codes is not frame.luma:  # its own buffers hold its luma already
                _fill(plane, codes, geometry.spec.bits)
        picture.color_range = geometry.tags.range
        picture.colorspace = geometry.tags.matrix
        picture.color_primaries = geometry.tags.primaries
        picture.color_trc = geometry.tags.transfer
        if self._encoder_format != geometry.output_format:
            picture = picture.reformat(format=self._encoder_format)
        picture.pict_type = 0  # else the encoder repeats the source's I, P and B frames
        picture.duration = source.duration
        picture.time_base = frame.time_base
        picture.pts = frame.pts
        return picture

    # --- at the end -----------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        """Say what the finished file lacks of the source's header."""
        lost: list[str] = []
        with av.open(f"file:{self._part}", metadata_errors="surrogateescape") as written:
            if len(written.chapters()) < len(self._reader.chapters):
                lost.append("chapters")
            lost += _lost_tags("tag", _lasting_tags(self._reader.tags), written.metadata)
            lost += self._lost_of_streams(written)
            first = next(written.decode(_film(written)), None) if self._start is not None else None
        if first is not None and self._start is not None:
            if rotation_of(first) != self._geometry.rotation:
                lost.append(f"rotation by {self._geometry.rotation} degrees")
            moved = (first.pts or 0) * (first.time_base or 0) - self._start
            if abs(moved) > _ROUNDING:
                self.warnings.append(f"{self.target.suffix} begins {float(moved):.3f} s later, all streams alike")
        if lost:
            self.warnings.append(f"{self.target.suffix} did not keep: {', '.join(lost)}")
        if self._dropped:
            self._count_pictures()
        for index, count in sorted(self._dropped.items()):
            self.warnings.append(f"{count} damaged or misplaced packets of stream {index} were left out")

    def _count_pictures(self) -> None:
        """A muxer's error can be about an earlier packet in its queue: make sure that it was no picture."""
        with av.open(f"file:{self._part}", metadata_errors="surrogateescape") as written:
            found = sum(packet.size > 0 for packet in written.demux(_film(written)))
        if found != self._packets:
            raise OutputUnwritable(
                "the container refused a part of the film",
                path=self.target,
                why=f"{self._packets - found} of {self._packets} pictures are not in it",
                hint=_OTHER_CONTAINER,
            )

    def _lost_of_streams(self, written: InputContainer) -> list[str]:
        lost: list[str] = []
        kept = sorted([*self._streams, self._reader.picture_index])
        if len(written.streams) < len(kept):
            lost.append(f"{len(kept) - len(written.streams)} empty streams")
            return lost
        for index, stream in zip(kept, written.streams, strict=False):
            wanted = {name: value for name, value in self._stream_tags[index].items() if name != "creation_time"}
            lost += _lost_tags(f"stream {index}'s", _lasting_tags(wanted), stream.metadata)
        return lost

    def _problem(self, error: BaseException) -> Exception:
        code = getattr(error, "errno", None)
        why = str(getattr(error, "strerror", "") or error)
        if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            hint = "make room on the disk, or choose another folder with -o"
        elif code in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "check the folder's permissions, or choose another one with -o"
        else:
            hint = _OTHER_CONTAINER
        return OutputUnwritable("cannot write the film", path=self.target, why=why, hint=hint)


def _fill(plane: av.video.plane.VideoPlane, codes: NDArray[Any], bits: int) -> None:
    plane_rows(plane, "<u2" if bits > 8 else "u1")[:, : plane.width] = codes


def _closest_format(geometry: VideoGeometry, offered: list[str], *, any_depth: bool) -> str | None:
    """The wanted format, else another chroma grid of the same depth, else more depth. Never less depth.

    More depth in limited range only: there a code of more bits is the same code shifted.
    """
    if not offered or geometry.output_format in offered:
        return geometry.output_format
    bits = geometry.spec.bits
    own = geometry.output_format[3:6]
    depths = [bits]
    if any_depth and not geometry.spec.full_range:
        depths += range(bits + 1, 17)
    for depth in depths:
        for subsampling in (own, "422", "444", "420"):
            if planar_format(subsampling, depth) in offered:
                return planar_format(subsampling, depth)
    return None


def _takes(container: str, encoder: str) -> bool:
    """Whether this format accepts the encoder's codec. It is not opened: x265 and SVT-AV1 would write to stderr."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as scratch:
            return isinstance(scratch.add_stream(encoder, rate=25), VideoStream)
    except (FFmpegError, ValueError):
        return False


def _can_hold(container: str, source: Stream) -> bool:
    """Whether a scratch container of this format can be finished with a copy of the stream in it.

    A data stream is given a packet: the MOV muxer finds out only in the end that it cannot write a time code track.
    """
    try:
        with av.open(io.BytesIO(), "w", format=container, metadata_errors="surrogateescape") as scratch:
            copy = _add_copy(scratch, source)
            scratch.start_encoding()
            if source.type == "data":
                packet = av.Packet(bytes(4))
                packet.stream, packet.pts, packet.dts, packet.duration, packet.is_keyframe = copy, 0, 0, 1, True
                scratch.mux(packet)
    except (FFmpegError, OSError, ValueError):
        return False
    return True


def _add_copy(container: OutputContainer, source: Stream) -> Stream:
    stream = container.add_stream_from_template(source, opaque=True)
    stream.metadata.clear()
    stream.metadata.update(_lasting_tags(source.metadata))
    stream.disposition = source.disposition
    return stream


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


def _lost_tags(owner: str, wanted: dict[str, str], written: dict[str, str]) -> list[str]:
    have = {name.lower() for name in written}
    return [
        f"{owner} {name}".strip()
        for name, value in wanted.items()
        if name.lower() not in have and not _is_nothing(name, value)
    ]


def _is_nothing(name: str, value: str) -> bool:
    """Whether nobody misses the tag: MP4's bookkeeping, and "undetermined", which MOV says by saying nothing."""
    return name == "handler_name" or (name, value) == ("language", "und")


def _lasting_tags(tags: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in tags.items()
        if name.lower() not in _CONTAINER_OWN_TAGS and not name.lower().startswith(_STALE_TAGS)
    }


def _film(written: InputContainer) -> VideoStream:
    return next(stream for stream in written.streams.video if not stream.disposition & Disposition.attached_pic)


def _mov_timescale(time_base: Fraction) -> int:
    """The tick rate that FFmpeg's MP4 muxer derives from a time base (it doubles small ones)."""
    scale = time_base.denominator
    while scale < 10_000:
        scale *= 2
    return scale


def _codec_missing(what: str, path: Path, why: str, container: str) -> CodecMissing:
    there = [name for name in PREFERRED_ENCODERS if _is_encoder(name) and _takes(container, name)]
    return CodecMissing(
        what,
        path=path,
        why=why,
        hint=f"for this container there are {', '.join(there)}; .mkv holds all depths" if there else "use .mkv or .mp4",
    )


def _is_encoder(name: str) -> bool:
    try:
        Codec(name, "w")
    except ValueError:
        return False
    return True


# --- names ------------------------------------------------------------------------------------------------------------


def _check_target(target: Path, source: Path) -> None:
    if target.exists() and os.path.samefile(target, source):
        raise InputIsOutput(
            "the output is the input",
            path=target,
            why="originals are never changed",
            hint="give another name or folder with -o",
        )
    if target.is_dir():
        raise OutputUnwritable(
            "cannot write the film", path=target, why="a folder has this name", hint="give another name with -o"
        )
    folder = target.parent
    if not folder.is_dir():
        raise OutputUnwritable(
            "cannot write the film", path=target, why=f"there is no folder {folder}", hint="make the folder first"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputUnwritable(
            "cannot write the film",
            path=target,
            why=f"no permission to write in {folder}",
            hint="check the folder's permissions, or choose another one with -o",
        )


def _part_affixes(target: Path) -> tuple[str, str]:
    before, after = f".{target.name}.colorize-media-", f".part{target.suffix}"
    if len(os.fsencode(before + after)) + 10 > _MAX_NAME_BYTES:  # 10 digits of a process id
        before = f".{hashlib.sha1(os.fsencode(target.name), usedforsecurity=False).hexdigest()[:16]}.colorize-media-"
    return before, after


def _part_path(target: Path, pid: int) -> Path:
    before, after = _part_affixes(target)
    return target.with_name(f"{before}{pid}{after}")


def _remove_stale_parts(target: Path) -> None:
    """Remove what killed runs left of this very target. Parts of living processes stay."""
    before, after = _part_affixes(target)
    for path in _siblings(target.parent, before, after):
        pid = path.name[len(before) : len(path.name) - len(after)]
        if pid.isdigit() and not is_alive(int(pid)):
            path.unlink(missing_ok=True)


def _siblings(folder: Path, before: str, after: str) -> Iterable[Path]:
    return folder.glob(f"{glob.escape(before)}*{glob.escape(after)}")
