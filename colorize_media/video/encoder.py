"""The picture encoder: which one, how it is set up, and from frames with new chroma to packets.

An `Encoding` is the plan, made once for a film. Each segment of the film is one `PictureEncoder` of that plan: its packets
begin with a key frame and depend on nothing outside, so segments can be put together without encoding again.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_media.color.planes import ONE_SLICE, layout_of, plane_rows
from colorize_media.errors import CodecMissing
from colorize_media.options import Purpose
from colorize_media.video.encoder_choice import OLD_CONTAINERS, choose_encoder
from colorize_media.video.encoder_trial import check_settings, said_of
from colorize_media.video.fields import BOTTOM_FIELD_FIRST, SetFields
from colorize_media.video.geometry import LIMITED, VideoGeometry
from colorize_media.video.purposes import making_for, options_for
from colorize_media.video.reader import Frame, Reader

_MADE_TO_KEEP = {
    "prores": "prores_ks",
    "dnxhd": "dnxhd",
    "cfhd": "cfhd",
    **dict.fromkeys(
        ("ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "lagarith", "v210", "v410", "rawvideo"), "ffv1"
    ),
}
"""Codecs of editing suites and archives, and the encoder that goes on with what they are for."""

DEFAULT_CRF = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libsvtav1": 24}
"""Constant quality where none is asked for: about visually transparent, since a restored film is kept, not streamed."""

_RATES = frozenset({"b", "qp", "cqp", "q", "global_quality"})  # what says in another way how much a film is to lose
_LAMBDA = 118  # FFmpeg's quality unit per step of the MPEG-4 quantiser; step 2 is the finest useful one


@dataclass(frozen=True)
class EncoderSettings:
    """``encoder`` FFmpeg's name, empty chooses; ``crf`` None is `DEFAULT_CRF`; ``preset`` the encoder's own word for
    speed; ``threads`` 0 is one per core; ``purpose`` what the film is made for; ``own`` further options of the encoder's own,
    by name; ``grey_luma``: chroma alone is written, over a luma that is grey everywhere."""

    encoder: str = ""
    crf: int | None = None
    preset: str = ""
    threads: int = 0
    purpose: Purpose | None = None
    own: tuple[tuple[str, str], ...] = ()
    grey_luma: bool = False


@dataclass(frozen=True)
class Encoding:
    """How a film's pictures are encoded.

    ``encoder``       FFmpeg's name
    ``pixel_format``  that the encoder is given; another than the geometry's where the encoder does not take that
    ``container``     FFmpeg's name of the format that the packets are for
    ``rate``          frames a second, for containers and encoders that want one
    ``time_base``     seconds per tick of the packets' times
    """

    encoder: str
    pixel_format: str
    container: str
    settings: EncoderSettings
    geometry: VideoGeometry
    rate: Fraction
    time_base: Fraction
    target: Path

    def options(self) -> dict[str, str]:
        """The encoder's own options."""
        options = options_for(self.settings.purpose, self.encoder, self.geometry)
        crf = self.settings.crf
        if crf is None and not _RATES & {name for name, _ in self.settings.own}:
            crf = DEFAULT_CRF.get(self.encoder)
        if crf is not None:
            options["crf"] = str(crf)
        if self.settings.preset:
            options["preset"] = self.settings.preset
        if self.encoder == "libx264" and self.geometry.interlaced:
            # Else its first pictures say "top field first", and readers of containers believe them.
            options["x264-params"] = "bff=1" if self.geometry.field_order in BOTTOM_FIELD_FIRST else "tff=1"
        if self.encoder == "libx265":
            options["x265-params"] = "log-level=error"  # it writes to stderr by itself
        if self.encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only; there is no option for it
        if self.encoder in ("mpeg4", "mpeg2video"):
            options.update({"flags": "+qscale", "global_quality": str(2 * _LAMBDA)})
        if self.encoder == "libvpx-vp9":
            options.update({"row-mt": "1", "cpu-used": "4", "deadline": "good"})
        for name, value in self.settings.own:
            both = name.endswith("-params") and name in options  # a list of further options
            options[name] = f"{options[name]}:{value}" if both else value
        return options

    @property
    def narrowed(self) -> bool:
        """Whether full range is written as limited range."""
        making = making_for(self.settings.purpose)
        return making is not None and making.limited and self.geometry.spec.full_range

    def describe(self) -> dict[str, Any]:
        """Everything that decides about the packets, as JSON types: packets of equal descriptions fit together."""
        return {
            "encoder": self.encoder,
            "libavcodec": list(av.library_versions["libavcodec"]),
            "container": self.container,
            "pixel format": self.pixel_format,
            "encoder options": self.options(),
            "time base": str(self.time_base),
            **({"luma": "grey"} if self.settings.grey_luma else {}),
        }

    def add_to(self, container: OutputContainer) -> VideoStream:
        """A stream of this encoding, its encoder open. Raises CodecMissing."""
        try:
            return self.started(container, self.options())
        except (FFmpegError, ValueError) as error:
            raise CodecMissing(
                f"the encoder {self.encoder} does not start",
                path=self.target,
                why=said_of(error),
                hint="choose another one with --encoder",
            ) from error

    def started(self, container: OutputContainer, options: dict[str, str]) -> VideoStream:
        """A stream whose encoder is open, under these options of its own. Raises FFmpeg's errors, ValueError."""
        stream: VideoStream = container.add_stream(  # type: ignore[assignment]
            self.encoder, rate=self.rate, options=options, time_base=self.time_base
        )
        self._set_up(stream)
        stream.codec_context.open()
        return stream

    def _set_up(self, stream: VideoStream) -> None:
        geometry, context = self.geometry, stream.codec_context
        context.width, context.height, context.pix_fmt = geometry.width, geometry.height, self.pixel_format
        context.color_primaries = geometry.tags.primaries
        context.color_trc = geometry.tags.transfer
        context.colorspace = geometry.tags.matrix
        context.color_range = LIMITED if self.narrowed else geometry.tags.range
        if geometry.sample_aspect_ratio:
            context.sample_aspect_ratio = geometry.sample_aspect_ratio
        context.thread_type = "AUTO"  # PyAV's default makes x264 cut each frame in slices, which costs quality
        context.thread_count = self.settings.threads
        context.flags |= Flags.frame_duration
        if geometry.interlaced:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
            context.field_order = geometry.field_order
        if self.container in OLD_CONTAINERS:
            context.max_b_frames = 0


def plan_encoding(
    container: str, reader: Reader, settings: EncoderSettings, target: Path
) -> tuple[Encoding, list[str]]:
    """The encoding for this film in this container (FFmpeg's name), and warnings. Raises CodecMissing, BadOption.

    ``target`` is for messages.
    """
    encoder, pixel_format = choose_encoder(container, reader.geometry, settings.encoder, settings.purpose, target)
    rate = reader.average_rate or Fraction(25)
    reader.look_for_fields()
    geometry, wanted, warnings = reader.geometry, reader.geometry.output_format, []
    steady = encoder == "mpeg2video" or container == "avi"  # they count frames of one fixed rate
    time_base = 1 / rate if steady else reader.time_base
    encoding = Encoding(encoder, pixel_format, container, settings, geometry, rate, time_base, target)
    check_settings(encoding, said_in_words(settings))
    if encoding.narrowed:
        warnings.append("its full range of codes is written as limited range, which editing suites expect")
    elif pixel_format != wanted and not settings.purpose:
        warnings.append(f"{encoder} cannot hold {wanted}: written as {pixel_format}, luma unchanged")
    return encoding, warnings


def said_in_words(settings: EncoderSettings) -> dict[str, str]:
    """The options of the encoder that somebody has set, by name, and how they are asked for."""
    said = {name: f"--encoder-option {name}={value}" for name, value in settings.own}
    if settings.crf is not None:
        said["crf"] = f"--crf {settings.crf}"
    if settings.preset:
        said["preset"] = f"--preset {settings.preset}"
    return said


def what_changed(codec: str, encoding: Encoding) -> str:
    """What the picture becomes that it was not, for people; empty where nothing does.

    A film made for editing or an archive that becomes one to look at, with what keeps its kind (who names an encoder or a
    purpose knows); another bit depth. ``codec`` is the decoder's name of the source.
    """
    parts, settings = [], encoding.settings
    keeper = _MADE_TO_KEEP.get(codec)
    if keeper is not None and not (settings.encoder or settings.purpose) and encoding.encoder in DEFAULT_CRF:
        parts.append(f"{codec} became {encoding.encoder}; --encoder {keeper} keeps it for editing and archives")
    before, after = encoding.geometry.spec.bits, layout_of(encoding.pixel_format).bits
    if before != after:
        lost = ", with its luma rounded" if after < before else ""
        parts.append(f"{before} bits became {after}{lost}")
    return "; ".join(parts)


class PictureEncoder:
    """One encoder from its first frame, a key frame, to its last. Raises FFmpeg's errors.

    It belongs to a scratch container of the film's format, which is never written: so it is set up exactly as the
    stream in the film is, whose header the packets will stand under.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._scratch = av.open(io.BytesIO(), "w", format=encoding.container)
        self._stream = encoding.add_to(self._scratch)
        self._set_fields = SetFields(encoding.geometry.field_order)

    @property
    def extradata(self) -> bytes:
        """What a decoder must be told before the packets."""
        return self._stream.codec_context.extradata or b""

    def encode(self, frame: Frame, chroma: NDArray[Any]) -> list[av.Packet[VideoStream]]:
        """The packets that are ready after this frame; see `Writer.write`."""
        marked = self._encoding.geometry.interlaced
        return self._stream.encode(_picture(frame, chroma, self._encoding, self._set_fields if marked else None))

    def blank(self) -> list[av.Packet[VideoStream]]:
        """All packets of a film of one black picture, for trials."""
        encoding = self._encoding
        picture = av.VideoFrame(encoding.geometry.width, encoding.geometry.height, encoding.pixel_format)
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        picture.pts, picture.time_base = 0, encoding.time_base
        return [*self._stream.encode(picture), *self.finish()]

    def finish(self) -> list[av.Packet[VideoStream]]:
        """The last packets."""
        return self._stream.encode(None)


def _picture(frame: Frame, chroma: NDArray[Any], encoding: Encoding, set_fields: SetFields | None) -> av.VideoFrame:
    """What the encoder is given. Where a film is interlaced, ``set_fields`` marks its progressive frames too."""
    duration = frame.source.duration
    grey = np.full_like(frame.luma, encoding.geometry.spec.chroma_mid) if encoding.settings.grey_luma else None
    picture = colored_picture(frame, chroma, encoding.geometry, grey)
    if encoding.pixel_format != encoding.geometry.output_format:
        full = "JPEG" if encoding.geometry.spec.full_range else "MPEG"
        picture = picture.reformat(
            format=encoding.pixel_format,
            src_color_range=full,
            dst_color_range="MPEG" if encoding.narrowed else full,
            threads=ONE_SLICE,
        )
    if set_fields is not None and not picture.interlaced_frame:
        picture = set_fields(picture)
    picture.pict_type = 0  # else the encoder repeats the source's I, P and B frames
    picture.duration = duration
    picture.time_base = frame.time_base
    picture.pts = frame.pts
    return picture


def colored_picture(
    frame: Frame, chroma: NDArray[Any], geometry: VideoGeometry, luma: NDArray[Any] | None = None
) -> av.VideoFrame:
    """The frame with new chroma, in the geometry's output format; see `Writer.write`. ``frame.source`` is used up.

    ``luma``: another one than the frame's own.
    """
    luma = frame.luma if luma is None else luma
    source = frame.source
    wanted = (geometry.chroma_height, geometry.chroma_width, 2)
    if chroma.shape != wanted or frame.luma.shape != (geometry.height, geometry.width):
        raise ValueError(f"luma {frame.luma.shape}, chroma {chroma.shape}: chroma must be {wanted}")
    if source.format.name == geometry.output_format:
        # Its own buffers keep the field order, captions and mastering data that a new frame would lack.
        source.make_writable()
        picture = source
    elif source.interlaced_frame:
        picture = source.reformat(format=geometry.output_format, threads=ONE_SLICE)
    else:
        picture = av.VideoFrame(geometry.width, geometry.height, geometry.output_format)
    for plane, codes in zip(picture.planes, (luma, chroma[..., 0], chroma[..., 1]), strict=True):
        if picture is not source or codes is not frame.luma:  # its own buffers hold its luma already
            _fill(plane, codes, geometry.spec.bits)
    picture.color_range = geometry.tags.range
    picture.colorspace = geometry.tags.matrix
    picture.color_primaries = geometry.tags.primaries
    picture.color_trc = geometry.tags.transfer
    return picture


def _fill(plane: av.video.plane.VideoPlane, codes: NDArray[Any], bits: int) -> None:
    plane_rows(plane, "<u2" if bits > 8 else "u1")[:, : plane.width] = codes
