"""What of a photograph's metadata its coloured version gets: upright, with provenance, and what no format can hold named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.metadata.exif import upright_exif
from colorize_media.metadata.iptc import iptc_as_xmp, with_iptc_keyword, with_thumbnail
from colorize_media.metadata.jpeg import MOST_EXIF, MOST_XMP
from colorize_media.metadata.xmp import KEYWORD, provenance_xmp, upright_xmp

_CARRIED_NAMES: Mapping[str, str] = {
    "exif": "EXIF",
    "icc": "the colour profile",
    "xmp": "XMP",
    "extended_xmp": "extended XMP",
    "photoshop": "IPTC and Photoshop resources",
    "comment": "the comment",
    "text": "PNG text",
}


def for_output(
    metadata: PhotoMetadata,
    holds: frozenset[str],
    format_name: str,
    size: tuple[int, int],
    source: str,
    tool: str,
    *,
    thumbnail: bytes = b"",
    provenance: bool = True,
    strip: bool = False,
) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """What goes into an upright, coloured picture of ``size`` (width, height), and warnings about what cannot.

    ``holds`` names the fields that the output's format can hold. Orientation becomes 1, sizes and face regions are set
    right, thumbnails of the grey picture give way to ``thumbnail`` (a JPEG; empty: to none), and provenance is merged into
    the XMP and the keywords: made from ``source`` (a file name) by ``tool``. ``strip`` leaves nothing of the source's
    but its profile and resolution; the provenance then names no source.
    """
    warnings: list[str] = []
    if strip:
        source = ""
        metadata = PhotoMetadata(
            icc=metadata.icc, dpi=metadata.dpi, gamma=metadata.gamma, orientation=metadata.orientation
        )
    exif = upright_exif(metadata.exif, size, thumbnail) if metadata.exif else b""
    if format_name == "JPEG" and len(exif) > MOST_EXIF:
        exif = upright_exif(metadata.exif, size)
    mirrored = {} if "photoshop" in holds or "xmp" not in holds else iptc_as_xmp(metadata.photoshop)
    settings: dict[str, Any] = {"size": size, "orientation": metadata.orientation, "mirrored": mirrored}
    if provenance:
        xmp = provenance_xmp(metadata.xmp, source=source, tool=tool, **settings)
    else:
        xmp = upright_xmp(metadata.xmp, **settings)
    photoshop = with_thumbnail(metadata.photoshop, thumbnail)
    if provenance:
        photoshop = with_iptc_keyword(photoshop, KEYWORD)
    out = dataclasses.replace(metadata, exif=exif, xmp=xmp, photoshop=photoshop, orientation=1)
    lost = [name for name in _CARRIED_NAMES if getattr(metadata, name) and name not in holds]
    if metadata.gamma is not None and "gamma" not in holds and abs(metadata.gamma - 0.45455) > 0.01:
        lost.append("gamma")
    if lost:
        named = ", ".join(_CARRIED_NAMES.get(name, "PNG gamma") for name in lost)
        if mirrored:
            named += " (what IPTC says is repeated in XMP)"
        warnings.append(f"{format_name} cannot hold this metadata of the source: {named}")
    if "xmp" not in holds and provenance:
        warnings.append(f"{format_name} cannot hold the note that this picture was coloured by a program")
    if format_name == "JPEG":
        if len(out.exif) > MOST_EXIF:
            warnings.append("the EXIF block is larger than a JPEG segment and is not carried over")
            out = dataclasses.replace(out, exif=b"")
        if len(out.xmp) > MOST_XMP:
            warnings.append("the XMP packet is larger than a JPEG segment; only the provenance is written")
            bare = provenance_xmp(b"", size=size, source=source, tool=tool) if provenance else b""
            out = dataclasses.replace(out, xmp=bare, extended_xmp=())
    empty = PhotoMetadata()
    dropped = {name: getattr(empty, name) for name in (*_CARRIED_NAMES, "gamma") if name not in holds}
    return dataclasses.replace(out, **dropped), tuple(warnings)
