"""What changes within a film: the rest of it is made to fit its first picture, and it is told what changed, and when.

Broadcasts change their picture size and aspect ratio between programmes, recorders their range. A file that is written has
one of each. Pictures that fit are left as they are, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.filter import Graph

from colorize_media.color.planes import COLORSPACE, ONE_SLICE, layout_of, planar_format
from colorize_media.video.fields import graph_for, through
from colorize_media.video.geometry import VideoGeometry, is_full_range, matrix_of
from colorize_media.video.refusals import unknown_format

_SAME_ASPECT = Fraction(
    1, 50
)  # share by which 4:3 of one raster differs from that of another: 720 or 704 pixels a line
_TOLD = 3  # times that are named of each change


@dataclass
class _Change:
    text: str
    times: list[Fraction] = field(default_factory=list)
    count: int = 0


class Changes:
    """Fits pictures to the film's first one, ``geometry``; ``codec`` is their decoder's name.

    ``size``, depth and range are converted by FFmpeg's scaler, the fields of interlaced pictures each by itself; a picture of
    another aspect ratio gets black bars. Another aspect ratio or matrix at the same size cannot be helped.
    """

    def __init__(self, geometry: VideoGeometry, codec: str, path: Path) -> None:
        self._geometry, self._codec, self._path = geometry, codec, path
        self._bits = layout_of(geometry.pixel_format).bits
        self._rgb = layout_of(geometry.pixel_format).kind == "rgb"
        self._changes: dict[str, _Change] = {}
        self._before: str = ""
        self._kind: tuple[object, ...] = ()
        self._graph: Graph | None = None

    @property
    def warnings(self) -> list[str]:
        """One line for each way in which pictures differ from the first."""
        return [f"{change.text} {_at(change)}" for change in self._changes.values()]

    def fitted(self, picture: av.VideoFrame, aspect: Fraction | None, time: Fraction) -> av.VideoFrame:
        """The picture as it is if it fits, else converted. ``aspect`` is its pixels' own, ``time`` for the warning.

        Raises UnsupportedMedia for a pixel format that is not handled.
        """
        geometry = self._geometry
        same_size = (picture.width, picture.height) == (geometry.width, geometry.height)
        name, full = picture.format.name, is_full_range(picture, self._codec)
        if same_size and name == geometry.pixel_format and full == geometry.spec.full_range:
            self._tell(self._what_stays_wrong(picture, aspect), time)
            return picture
        try:
            layout = layout_of(name)
        except ValueError as error:
            raise unknown_format(self._path, name, error) from error
        same_depth = layout.bits == self._bits and (layout.kind == "rgb") == self._rgb
        if same_size and same_depth and full == geometry.spec.full_range:
            return picture  # its luma is that of the film, wherever the format keeps it
        self._tell(self._what_is_converted(picture, same_size, same_depth), time)
        # First what the codes mean: the filter that scales leaves a range alone where nothing else differs.
        # And PyAV converts nothing from a format to itself.
        if name.startswith("yuvj") and not full:
            # A decoder may keep this format where the film has become limited; the scaler takes its codes for full ones.
            picture = picture.reformat(
                format=name.replace("yuvj", "yuv"), src_color_range="JPEG", dst_color_range="JPEG", threads=ONE_SLICE
            )
            name = picture.format.name
        between = planar_format("444", 16) if name == geometry.output_format else geometry.output_format
        converted = picture.reformat(
            format=between,
            src_colorspace=None if picture.format.is_rgb else COLORSPACE[matrix_of(picture)],
            dst_colorspace=COLORSPACE[geometry.spec.matrix],
            src_color_range="JPEG" if full else "MPEG",
            dst_color_range="JPEG" if geometry.spec.full_range else "MPEG",
            threads=ONE_SLICE,
        )
        if between != geometry.output_format:
            converted = converted.reformat(format=geometry.output_format, threads=ONE_SLICE)
        if same_size:
            return converted
        kind = (picture.width, picture.height, aspect)
        if self._graph is None or kind != self._kind:
            self._graph, self._kind = self._scaling(converted, aspect), kind
        scaled = through(self._graph, converted)
        assert scaled is not None  # scale and pad give a picture for each
        return scaled

    def _scaling(self, picture: av.VideoFrame, aspect: Fraction | None) -> Graph:
        geometry = self._geometry
        width, height = _inside(geometry, picture.width * (aspect or 1) / Fraction(picture.height))
        filters = [("scale", f"w={width}:h={height}:interl=-1:flags=lanczos+accurate_rnd")]
        if (width, height) != (geometry.width, geometry.height):
            left, top = (geometry.width - width) // 4 * 2, (geometry.height - height) // 8 * 4
            filters.append(("pad", f"w={geometry.width}:h={geometry.height}:x={left}:y={top}:color=black"))
        return graph_for(picture, *filters)

    def _what_is_converted(self, picture: av.VideoFrame, same_size: bool, same_depth: bool) -> str:
        geometry, name = self._geometry, picture.format.name
        if not same_size:
            return (
                f"the picture changes from {geometry.width}×{geometry.height} to {picture.width}×{picture.height}: "
                f"scaled to the first size"
            )
        if not same_depth:
            return f"the picture changes from {geometry.pixel_format} to {name}: converted to the first"
        words = ("limited", "full")
        full = geometry.spec.full_range
        return f"the colour range changes from {words[full]} to {words[not full]}: converted to the first"

    def _what_stays_wrong(self, picture: av.VideoFrame, aspect: Fraction | None) -> str:
        geometry = self._geometry
        first = geometry.codec_aspect or Fraction(1)
        if aspect is not None and aspect != first:
            shown, then = (round(geometry.width * ratio / geometry.height, 2) for ratio in (first, aspect))
            return (
                f"the aspect ratio changes from {float(shown):g} to {float(then):g}, "
                f"but the film has one only: all of it is shown in the first"
            )
        if matrix_of(picture) != geometry.spec.matrix:
            return f"the colour matrix changes from {geometry.spec.matrix} to {matrix_of(picture)}: marked as the first"
        return ""

    def _tell(self, text: str, time: Fraction) -> None:
        """Note a change where it begins."""
        if text and text != self._before:
            change = self._changes.setdefault(text, _Change(text))
            change.count += 1
            if len(change.times) < _TOLD:
                change.times.append(time)
        self._before = text


def _inside(geometry: VideoGeometry, shape: Fraction) -> tuple[int, int]:
    """The size in pixels of the film at which a picture of this display aspect ratio fits into it."""
    pixel = geometry.sample_aspect_ratio or Fraction(1)
    own = geometry.width * pixel / geometry.height
    if abs(shape / own - 1) < _SAME_ASPECT:
        return geometry.width, geometry.height
    if shape > own:
        return geometry.width, max(4, round(geometry.width * pixel / shape / 4) * 4)
    return max(2, round(geometry.height * shape / pixel / 2) * 2), geometry.height


def _at(change: _Change) -> str:
    times = ", ".join(f"{float(time):.2f} s" for time in change.times)
    more = change.count - len(change.times)
    return f"(at {times}{f' and {more} times more' if more else ''})"
