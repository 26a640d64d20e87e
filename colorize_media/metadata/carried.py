"""What a photograph carries beside its pixels, whatever file it came from, and how a format's own blocks become it.

Blocks are read and edited in exif.py, icc.py, iptc.py and xmp.py; where a file keeps them is for jpeg.py, png.py and
tiff.py; reading.py reads all of it, output.py decides what an output gets.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from colorize_media.metadata.exif import EXIF_HEAD, exif_orientation, has_orientation, links_to_thumbnail
from colorize_media.metadata.icc import profile_space
from colorize_media.metadata.iptc import holds_thumbnail
from colorize_media.metadata.xmp import Packet


@dataclass(frozen=True)
class PhotoMetadata:
    """One photograph's metadata, independent of the file format it came from. Empty means absent.

    exif          a TIFF structure, without JPEG's ``Exif\\0\\0``
    icc           the colour profile
    xmp           the XMP packet;  extended_xmp  the JPEG segments that continue it, without their marker
    photoshop     Photoshop's image resources (8BIM blocks); IPTC is one of them
    comments      JPEG's or GIF's;  text  PNG's text chunks as (keyword, value)
    segments      of other programs in a JPEG, (marker, payload);  trailer  what stands behind a JPEG's end
    dpi           dots per inch, horizontal and vertical;  gamma  PNG's gAMA (0.45455 is the usual one)
    orientation   EXIF orientation 1…8 of the pixels as stored in the source; outputs are always upright
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    extended_xmp: tuple[bytes, ...] = ()
    photoshop: bytes = b""
    comments: tuple[bytes, ...] = ()
    segments: tuple[tuple[int, bytes], ...] = ()
    trailer: bytes = b""
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    gamma: float | None = None
    orientation: int = 1

    def stripped(self) -> PhotoMetadata:
        """Only what says how the pixels are to be shown."""
        return PhotoMetadata(icc=self.icc, dpi=self.dpi, gamma=self.gamma, orientation=self.orientation)

    def without_profile(self) -> PhotoMetadata:
        """The same, untagged: for pixels that were converted to sRGB."""
        return dataclasses.replace(self, icc=b"", gamma=None)


def metadata_of_blocks(
    *, exif: bytes = b"", xmp: bytes = b"", extended_xmp: tuple[bytes, ...] = (), icc: bytes = b""
) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """What these blocks say, without those that are damaged, and warnings about them."""
    warnings: list[str] = []
    exif = exif.removeprefix(EXIF_HEAD)
    extended = extended_xmp
    orientation = 1
    if exif:
        try:
            orientation = exif_orientation(exif)
        except ValueError as problem:
            warnings.append(f"the EXIF block is damaged ({problem}) and is not carried over")
            exif = b""
    if xmp:
        try:
            packet = Packet(xmp)
        except ValueError as problem:
            warnings.append(f"the XMP packet cannot be used ({problem}) and is not carried over")
            xmp, extended = b"", ()
        else:
            # EXIF decides where it says anything; Lightroom and digiKam write PNG orientation into XMP only.
            orientation = orientation if has_orientation(exif) else packet.orientation()
            warnings += [f"{what} is not carried over" for what in packet.behind()]
    space = profile_space(icc)
    if icc and not space:
        warnings.append("the colour profile is damaged and is not carried over")
    return (
        PhotoMetadata(
            exif=exif,
            icc=icc if space else b"",
            xmp=xmp,
            extended_xmp=extended,
            orientation=orientation if 1 <= orientation <= 8 else 1,
        ),
        tuple(warnings),
    )


def has_thumbnail(metadata: PhotoMetadata) -> bool:
    """Whether EXIF or Photoshop's resources hold a small copy of the picture."""
    return links_to_thumbnail(metadata.exif) or holds_thumbnail(metadata.photoshop)


def as_bytes(value: Any) -> bytes:
    """Pillow hands the same field over as bytes or text, depending on the format."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""
