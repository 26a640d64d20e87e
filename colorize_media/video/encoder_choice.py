"""Which encoder a film gets, and the pixel format that the encoder is given; or why there is none, in plain words."""

from __future__ import annotations

import difflib
import io
from pathlib import Path

import av
from av.codec import Codec
from av.error import FFmpegError
from av.video.stream import VideoStream

from colorize_media.color.planes import planar_format
from colorize_media.errors import BadOption, CodecMissing, ColorizeError
from colorize_media.options import Purpose
from colorize_media.video.geometry import VideoGeometry
from colorize_media.video.purposes import making_for

PREFERRED_ENCODERS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1")
"""Tried in this order; the first that the container takes and that holds the source's bit depth is used."""

_WHOLE_CELLS = frozenset({"h264", "hevc"})  # their cropping counts in chroma cells: odd sides need a finer grid
_CELLS = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}  # luma pixels of a chroma cell, across and down
OLD_CONTAINERS = {
    # One time per packet: FFmpeg guesses the other one for H.264 and shifts the film by a frame.
    "avi": ("mpeg4", "ffv1"),
    "asf": ("mpeg4",),
    # H.264 comes back from these without times.
    "mpeg": ("mpeg2video",),
    "vob": ("mpeg2video",),
    "dvd": ("mpeg2video",),
    "svcd": ("mpeg2video",),
}


def choose_encoder(
    container: str, geometry: VideoGeometry, encoder: str, purpose: Purpose | None, target: Path
) -> tuple[str, str]:
    """FFmpeg's name of the encoder, and the pixel format that it is given.

    ``container`` is FFmpeg's name of the format, ``encoder`` the one that is asked for, or empty; ``target`` is for messages.
    Raises CodecMissing, BadOption.
    """
    making = making_for(purpose)
    asked = encoder or (making.encoder if making is not None else "")
    bits = making.bits if making is not None else 0
    for name in (asked,) if asked else OLD_CONTAINERS.get(container, PREFERRED_ENCODERS):
        codec = _encoder(name)
        if codec is None or codec.type != "video" or not _takes(container, name):
            if asked:
                raise _refused(asked, codec, target)
            continue
        offered = [form.name for form in codec.video_formats or ()]
        whole = codec.canonical_name in _WHOLE_CELLS
        found = _closest_format(geometry, offered, any_depth=bool(asked), whole_cells=whole, bits=bits)
        if found is not None:
            return name, found
    what = f"--encoder {asked} cannot hold" if asked else f"{target.suffix} has no encoder here for"
    raise CodecMissing(
        f"{what} {geometry.spec.bits}-bit video",
        path=target,
        why=f"the source is {geometry.pixel_format}, and its depth is never lowered",
        hint="leave --encoder out, and name the output .mkv"
        if asked
        else "name the output .mkv, which holds all depths",
    )


def _refused(name: str, codec: Codec | None, target: Path) -> ColorizeError:
    """Why the encoder that was asked for cannot be used at all."""
    if codec is None:
        near = difflib.get_close_matches(name, av.codecs_available, 8)
        better = next((one for one in near if (found := _encoder(one)) is not None and found.type == "video"), "")
        return CodecMissing(
            f"--encoder {name}: there is no such encoder",
            path=target,
            why="the FFmpeg that is installed knows none of this name",
            hint=f"did you mean {better}? Without --encoder one is chosen" if better else "leave --encoder out",
        )
    if codec.type != "video":
        return BadOption(
            f"--encoder {name} encodes no pictures",
            path=target,
            why=f"it is for {codec.type}",
            hint="leave --encoder out, or name one for pictures",
        )
    return BadOption(
        f"--encoder {name} and the output's name contradict each other",
        path=target,
        why=f"{target.suffix} does not hold {codec.canonical_name}",
        hint="leave --encoder out, or name the output .mkv",
    )


def _closest_format(
    geometry: VideoGeometry, offered: list[str], *, any_depth: bool, whole_cells: bool, bits: int = 0
) -> str | None:
    """The wanted format, else another chroma grid of the same depth, else more depth. Less depth only if ``bits`` says so.

    More depth in limited range only: there a code of more bits is the same code shifted. ``whole_cells``: a chroma cell must
    not stand out over the picture's edge. ``bits`` is the depth that the film is made with, 0 for its own.
    """

    def fits(subsampling: str) -> bool:
        across, down = _CELLS[subsampling]
        return not whole_cells or (geometry.width % across == 0 and geometry.height % down == 0)

    depths = [bits or geometry.spec.bits]
    own = geometry.output_format[3:6]
    wanted = planar_format(own, depths[0])
    if fits(own) and (not offered or wanted in offered):
        return wanted
    if any_depth and not bits and not geometry.spec.full_range:
        depths += range(depths[0] + 1, 17)
    for depth in depths:
        for subsampling in (own, "422", "444", "420"):
            if fits(subsampling) and planar_format(subsampling, depth) in offered:
                return planar_format(subsampling, depth)
    return None


def _takes(container: str, encoder: str) -> bool:
    """Whether this format accepts the encoder's codec. It is not opened: x265 and SVT-AV1 would write to stderr."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as scratch:
            return isinstance(scratch.add_stream(encoder, rate=25), VideoStream)
    except (FFmpegError, ValueError):
        return False


def _encoder(name: str) -> Codec | None:
    try:
        return Codec(name, "w")
    except ValueError:
        return None
