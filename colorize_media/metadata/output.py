"""What of a photograph's metadata its coloured version gets: upright, with provenance, and what no format can hold named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.metadata.exif import upright_exif
from colorize_media.metadata.iptc import iptc_as_xmp, with_iptc_keyword, with_thumbnail
from colorize_media.metadata.xmp import provenance_xmp, upright_xmp
from colorize_media.provenance.packet import KEYWORD
from colorize_media.provenance.record import Record

_USUAL_GAMMA, _SAME_GAMMA = 0.45455, 0.01  # of PNG files, which need not be said


class Field(Enum):
    """What of PhotoMetadata a format may hold or not, in the words that name it when it is lost."""

    EXIF = "EXIF"
    ICC = "the colour profile"
    XMP = "XMP"
    EXTENDED_XMP = "extended XMP"
    PHOTOSHOP = "IPTC and Photoshop resources"
    COMMENT = "the comment"
    SEGMENTS = "JPEG segments of other programs"
    TRAILER = "what stands behind the JPEG's end"
    TEXT = "PNG text"
    GAMMA = "PNG gamma"


@dataclass(frozen=True)
class Container:
    """What an output format can hold: bits per channel, transparency, pixels a side, and which metadata.

    ``extras``: channels of unknown use, too. ``most_exif`` and ``most_xmp`` are the bytes that these blocks may have; None is
    any number.
    """

    name: str
    bits: int
    alpha: bool
    max_side: int
    holds: frozenset[Field] = frozenset()
    most_exif: int | None = None
    most_xmp: int | None = None
    extras: bool = False


def for_output(
    metadata: PhotoMetadata,
    container: Container,
    size: tuple[int, int],
    provenance: Record | None,
    *,
    thumbnail: bytes = b"",
) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """What goes into an upright, coloured picture of ``size`` (width, height), and warnings about what cannot.

    Orientation becomes 1, sizes and face regions are set right, thumbnails of the grey picture give way to ``thumbnail``
    (a JPEG; empty: to none), and the provenance is merged into the XMP and the keywords. None says nothing.
    """
    holds = container.holds
    repeated: Mapping[tuple[str, str], Sequence[str]] = {}
    if Field.XMP in holds and Field.PHOTOSHOP not in holds:
        repeated = iptc_as_xmp(metadata.photoshop)
    exif, exif_lost = _exif(metadata, container, size, thumbnail)
    xmp, extended_xmp, xmp_lost = _xmp(metadata, container, size, provenance, repeated)
    photoshop = with_thumbnail(metadata.photoshop, thumbnail)
    if provenance is not None:
        photoshop = with_iptc_keyword(photoshop, KEYWORD)
    written = PhotoMetadata(
        exif=exif if Field.EXIF in holds else b"",
        icc=metadata.icc if Field.ICC in holds else b"",
        xmp=xmp if Field.XMP in holds else b"",
        extended_xmp=extended_xmp if Field.EXTENDED_XMP in holds else (),
        photoshop=photoshop if Field.PHOTOSHOP in holds else b"",
        comments=metadata.comments if Field.COMMENT in holds else (),
        segments=metadata.segments if Field.SEGMENTS in holds else (),
        trailer=metadata.trailer if Field.TRAILER in holds else b"",
        text=metadata.text if Field.TEXT in holds else (),
        dpi=metadata.dpi,
        gamma=metadata.gamma if Field.GAMMA in holds else None,
    )
    lost = []
    if names := ", ".join(field.value for field in _present(metadata) if field not in holds):
        told = " (what IPTC says is repeated in XMP)" if repeated else ""
        lost.append(f"{container.name} cannot hold this metadata of the source: {names}{told}")
    if provenance is not None and Field.XMP not in holds:
        lost.append(f"{container.name} cannot hold the note that this picture was coloured by a program")
    return written, (*lost, *exif_lost, *xmp_lost)


def _exif(
    metadata: PhotoMetadata, container: Container, size: tuple[int, int], thumbnail: bytes
) -> tuple[bytes, tuple[str, ...]]:
    """The EXIF block, upright; without its thumbnail where it would be too large for the format. And what is lost."""
    if not metadata.exif:
        return b"", ()
    exif = upright_exif(metadata.exif, size, thumbnail)
    if not _fits(exif, container.most_exif):
        exif = upright_exif(metadata.exif, size)
    if not _fits(exif, container.most_exif):
        return b"", (f"the EXIF block is larger than a {container.name} segment and is not carried over",)
    return exif, ()


def _xmp(
    metadata: PhotoMetadata,
    container: Container,
    size: tuple[int, int],
    provenance: Record | None,
    repeated: Mapping[tuple[str, str], Sequence[str]],
) -> tuple[bytes, tuple[bytes, ...], tuple[str, ...]]:
    """The XMP packet, upright and with the provenance, the segments that continue it, and what is lost."""
    turned = metadata.orientation
    if provenance is None:
        xmp = upright_xmp(metadata.xmp, size=size, orientation=turned, mirrored=repeated)
    else:
        xmp = provenance_xmp(metadata.xmp, provenance, size=size, orientation=turned, mirrored=repeated)
    if _fits(xmp, container.most_xmp):
        return xmp, metadata.extended_xmp, ()
    bare = b"" if provenance is None else provenance_xmp(b"", provenance, size=size)
    return bare, (), (f"the XMP packet is larger than a {container.name} segment; only the provenance is written",)


def _fits(block: bytes, most: int | None) -> bool:
    return most is None or len(block) <= most


def _present(metadata: PhotoMetadata) -> list[Field]:
    """What the source says, in the order in which it is named."""
    there = {
        Field.EXIF: metadata.exif,
        Field.ICC: metadata.icc,
        Field.XMP: metadata.xmp,
        Field.EXTENDED_XMP: metadata.extended_xmp,
        Field.PHOTOSHOP: metadata.photoshop,
        Field.COMMENT: metadata.comments,
        Field.SEGMENTS: metadata.segments,
        Field.TRAILER: metadata.trailer,
        Field.TEXT: metadata.text,
        Field.GAMMA: metadata.gamma is not None and abs(metadata.gamma - _USUAL_GAMMA) > _SAME_GAMMA,
    }
    return [field for field, value in there.items() if value]
