"""What a film is made for (``--for``): the encoder, how it is set, the planes, and the names that such a film may have.

archive  FFV1 version 3 in Matroska: without loss at the source's depth and chroma grid, each picture by itself, in slices with
         a checksum each, as archives ask for (RFC 9043; the Library of Congress' and the AV Preservation wiki's settings)
editing  ProRes 422 HQ in MOV: 4:2:2, 10 bits, limited range, fields as they are; with ``--encoder dnxhd`` DNxHR HQX
sharing  H.264 in MP4: 4:2:0 at 8 bits, which everything plays, and its index in front

Colours alone (``--chroma-only``) are a film for an archive with a chroma for each pixel: 4:4:4.

An encoder that is named beside it is used if it serves the same end; one that does not is told as a contradiction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from av.codec import Codec
from av.video.format import VideoFormat

from colorize_media.color.planes import planar_format
from colorize_media.errors import BadOption
from colorize_media.options import ColorizeOptions, Purpose
from colorize_media.video.geometry import VideoGeometry

_FOR_EDITING = frozenset({"prores", "dnxhd", "cfhd"})  # FFmpeg's names of codecs

_SLICED = 32  # pixels, the short side from which a picture can be cut into 16 slices


@dataclass(frozen=True)
class Making:
    """How films for a purpose are made.

    ``encoder`` FFmpeg's name; ``grid`` of the chroma ("420", "422"; empty: the source's own); ``bits`` 0 for the source's own;
    ``limited``: never full range, of which the container or programs know nothing; ``options`` by encoder.
    """

    encoder: str
    grid: str = ""
    bits: int = 0
    limited: bool = False
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


MAKINGS: Mapping[Purpose, Making] = {
    "archive": Making(
        "ffv1",
        options={
            "ffv1": {"level": "3", "g": "1", "coder": "range_def", "context": "1", "slices": "16", "slicecrc": "1"}
        },
    ),
    "editing": Making(
        "prores_ks",
        grid="422",
        bits=10,
        limited=True,
        options={"prores_ks": {"profile": "hq", "vendor": "apl0"}, "dnxhd": {"profile": "dnxhr_hqx"}},
    ),
    "sharing": Making("libx264", grid="420", bits=8),  # and see container: its index in front
}


def making_for(purpose: Purpose | None) -> Making | None:
    """None where a film is made for nothing special."""
    return None if purpose is None else MAKINGS[purpose]


def purpose_of(options: ColorizeOptions) -> Purpose | None:
    """Colours alone are made as films for an archive are."""
    return "archive" if options.chroma_only else options.purpose


def with_grid(geometry: VideoGeometry, options: ColorizeOptions) -> VideoGeometry:
    """The geometry with the chroma planes that the film is to have: they are computed at that size, never resampled."""
    making = making_for(options.purpose)
    grid = "444" if options.chroma_only else making.grid if making is not None else ""
    if grid == "420" and (geometry.width % 2 or geometry.height % 2):
        grid = "444"  # H.264 has no odd sides in 4:2:0
    if not grid:
        return geometry
    shape = VideoFormat(planar_format(grid, 8))
    return dataclasses.replace(
        geometry,
        chroma_width=shape.chroma_width(geometry.width),
        chroma_height=shape.chroma_height(geometry.height),
        output_format=planar_format(grid, geometry.spec.bits),
    )


def options_for(purpose: Purpose | None, encoder: str, geometry: VideoGeometry) -> dict[str, str]:
    """The encoder's own options for a film of this purpose; none without one."""
    making = making_for(purpose)
    options = dict(making.options.get(encoder, {})) if making is not None else {}
    if min(geometry.width, geometry.height) < _SLICED:
        options.pop("slices", None)
    return options


def check_encoder(options: ColorizeOptions) -> None:
    """Raises BadOption if the encoder that is named cannot serve the purpose. One that is not there is told elsewhere."""
    purpose = purpose_of(options)
    if purpose is None or not options.encoder:
        return
    try:
        codec = Codec(options.encoder, "w")
    except ValueError:
        return
    why = {
        "archive": "" if codec.lossless and not codec.lossy else "it can lose something of the picture",
        "editing": "" if codec.canonical_name in _FOR_EDITING else "editing suites work with ProRes, DNxHR or CineForm",
        "sharing": ""
        if codec.lossy and codec.canonical_name not in _FOR_EDITING
        else "its films are too large to share",
    }[purpose]
    if why:
        asked = "--chroma-only" if options.chroma_only else f"--for {purpose}"
        raise BadOption(
            f"--encoder {options.encoder} and {asked} contradict each other",
            why=why,
            hint=f"leave --encoder out (then it is {MAKINGS[purpose].encoder}), or {asked}",
        )
