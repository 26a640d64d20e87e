"""The XMP file beside a picture or film, fitted to the one in colour: what no longer fits is taken out, the provenance added.

Kept: ratings, labels, tags, captions, places, persons and their regions, and whatever is unknown. Taken out: how a program
developed the grey picture. Applied to the coloured one it would crop it twice or turn it grey again.

Sources: XMP part 2 (camera raw), darktable 4.2 src/common/exif.cc, digiKam 8 core/libs/dmetadata.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from PIL import ExifTags, Image

from colorize_media.metadata.xmp import Packet
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.provenance.packet import NAMESPACES
from colorize_media.provenance.record import Record

# Of these namespaces everything is about developing.
_DEVELOP = frozenset(
    {
        "http://ns.adobe.com/camera-raw-settings/1.0/",
        "http://ns.adobe.com/camera-raw-saved-settings/1.0/",
        "http://ns.adobe.com/camera-raw-defaults/1.0/",
        "http://ns.adobe.com/camera-raw-embedded-lens-profile/1.0/",
        "http://ns.dxo.com/photolab/1.0/",
        "http://ns.acdsee.com/sidecar/1.0/",
        "http://ns.on1.com/on1/1.0/",
    }
)
_DARKTABLE, _DIGIKAM = "http://darktable.sf.net/", "http://www.digikam.org/ns/1.0/"
_DARKTABLE_DEVELOP = ("history", "iop_order", "mask", "num_masks", "blendop", "multi_", "raw_params", "auto_presets")
_DIGIKAM_DEVELOP = frozenset({"ImageHistory", "LensCorrectionSettings", "ImageUniqueID"})  # the last finds duplicates
_STALE = frozenset({(NAMESPACES["photoshop"], "SidecarForExtension"), (NAMESPACES["dc"], "format")})


def fitted_xmp(packet: bytes, record: Record | None, *, source: Path, target: Path, film: bool) -> bytes:
    """The packet of ``source``'s sidecar for that of its coloured version ``target``, which is there.

    ``record`` is what it says of the making; None says nothing. Orientation, sizes and regions are set right as in the
    picture itself. Raises ValueError for what is no XMP.
    """
    tree = Packet(packet)
    changes_format = source.suffix.lower() != target.suffix.lower()
    tree.remove(lambda name: _develops(name) or (changes_format and name in _STALE))
    if film:
        tree.remove(lambda name: name == (NAMESPACES["xmp"], "Thumbnails"))
    elif (size := _size(target)) is not None:
        tree.set_right(size, _orientation(source) or tree.orientation())
    if record is not None:
        tree.describe(record)
    return tree.to_bytes()


def _develops(name: tuple[str, str]) -> bool:
    space, local = name
    if space == _DARKTABLE:
        return local.startswith(_DARKTABLE_DEVELOP)
    return space in _DEVELOP or (space == _DIGIKAM and local in _DIGIKAM_DEVELOP)


@quiet_decoders()
def _size(picture: Path) -> tuple[int, int] | None:
    with contextlib.suppress(Exception), Image.open(picture) as image:
        return image.size
    return None


@quiet_decoders()
def _orientation(picture: Path) -> int:
    """EXIF's, 0 where it does not say; it counts more than that of the packet."""
    with contextlib.suppress(Exception), Image.open(picture) as image:
        said = image.getexif().get(ExifTags.Base.Orientation, 0)
        return said if isinstance(said, int) and 1 <= said <= 8 else 0
    return 0
