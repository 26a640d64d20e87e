"""What the picture stream is: size, planes, what the codes mean, how it lies; read from the first frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from av.error import FFmpegError
from av.video.format import VideoFormat
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_media.color.planes import layout_of, planar_format
from colorize_media.color.spaces import Matrix, YCbCrSpec
from colorize_media.video.demuxing import demuxed, open_container, picture_stream
from colorize_media.video.fields import field_order
from colorize_media.video.refusals import damaged, encrypted, refuse_transparency, unknown_format

Scalar = TypeVar("Scalar", bound=np.generic)

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
LIMITED, _FULL = 1, 2  # AVColorRange
_PROGRESSIVE = 1  # AVFieldOrder; 0 is unknown

# Codecs that say nothing about range when they mean limited. FFmpeg's other grey pictures (ffv1, PNG, raw) are full.
_LIMITED_BY_DEFAULT = frozenset({"h264", "hevc", "vvc", "av1", "libdav1d", "vp8", "vp9", "mpeg1video", "mpeg2video"})


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
    ``codec_aspect``            the same as the coded pictures have it, whatever the container says
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
    codec_aspect: Fraction | None = None

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


def read_geometry(path: Path) -> VideoGeometry:
    """What the first picture that can be decoded says.

    Raises InputUnreadable, NoPicture, Encrypted, DamagedMedia, UnsupportedMedia.
    """
    last = ""
    with open_container(path) as container:
        stream = picture_stream(container, path)
        packets = demuxed(container, stream)
        packet: av.Packet | None = None
        while True:  # a film may begin long before its first key frame
            try:
                packet = next(packets, None)
                if packet is not None and packet.size == 0:
                    continue
                if packet is not None and packet.has_sidedata("encryption_info"):
                    raise encrypted(path)
                frames = stream.decode(packet)
            except FFmpegError as error:
                last = str(error)
                if packet is None:
                    break
                continue
            if frames:
                refuse_transparency(frames[0], path)
                return _geometry(frames[0], stream, path)
            if packet is None:
                break
    raise damaged(path, last or "the picture stream has no decodable frame")


def _geometry(frame: av.VideoFrame, stream: VideoStream, path: Path) -> VideoGeometry:
    name = frame.format.name
    try:
        layout = layout_of(name)
    except ValueError as error:
        raise unknown_format(path, name, error) from error
    matrix, said = matrix_of(frame), frame.color_range
    full = is_full_range(frame, stream.codec_context.name)
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
        field_order=_field_order(frame, stream) if frame.interlaced_frame else 0,
        tags=ColorTags(
            frame.color_primaries,
            frame.color_trc,
            frame.colorspace if frame.colorspace in _MATRIX else _MATRIX_CODE[matrix],
            _FULL if full else said,
        ),
        display_matrix=display,
        codec_aspect=stream.codec_context.sample_aspect_ratio or None,
    )


def matrix_of(frame: av.VideoFrame) -> Matrix:
    """By the frame's tags, else BT.709 from 720 lines, BT.601 below."""
    return _MATRIX.get(frame.colorspace) or ("bt709" if frame.height >= _HD_LINES else "bt601")


def is_full_range(frame: av.VideoFrame, codec: str) -> bool:
    """Whether the codes go from 0 to the largest; ``codec`` is the decoder's name."""
    said, name = frame.color_range, frame.format.name
    grey = len([part for part in frame.format.components if not part.is_alpha]) == 1
    return (
        layout_of(name).kind == "rgb"
        or said == _FULL
        or (said != LIMITED and name.startswith("yuvj"))
        or (said != LIMITED and grey and codec not in _LIMITED_BY_DEFAULT)
    )


def _field_order(frame: av.VideoFrame, stream: VideoStream) -> int:
    """As the container has it, else as the picture itself has it; that of DV is in its pictures only."""
    said = stream.codec_context.field_order
    return said if said > _PROGRESSIVE else field_order(frame)


def rotation_of(frame: av.VideoFrame) -> int:
    """Degrees clockwise (0, 90, 180, 270) that show the frame upright; FFmpeg's angle is counter-clockwise."""
    return round(-frame.rotation / 90) * 90 % 360


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data: Any
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except (KeyError, ValueError):  # PyAV refuses the whole list when it does not know one entry's type
        data = None
    if data is None:
        return None
    return tuple(int(value) for value in np.frombuffer(data, np.int32)[:9])
