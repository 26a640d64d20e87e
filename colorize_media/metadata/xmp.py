"""A photograph's XMP packet: the orientation read, sizes and face regions set right, the provenance said, the rest kept.

Packets as such, and what a coloured one says, are provenance/packet.py's. Source: XMP part 1 and 3 (ISO 16684).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from colorize_media.metadata.regions import turn_regions
from colorize_media.provenance.packet import EMPTY_PACKET, NAMESPACES, XmpPacket
from colorize_media.provenance.record import Record
from colorize_media.provenance.scoped_xml import name_of, properties_of, scope_of, with_scopes, xml_text

# What describes data behind the picture that is not carried over.
_GAIN_MAP = ("http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/")
_CAMERA, _CONTAINER = "http://ns.google.com/photos/1.0/camera/", "http://ns.google.com/photos/1.0/container/"


def provenance_xmp(
    packet: bytes,
    record: Record,
    *,
    size: tuple[int, int],
    orientation: int = 1,
    mirrored: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> bytes:
    """``packet`` (or a new one) that says how the picture was coloured, see `XmpPacket.describe`; everything else in it stays.

    Set right as by `upright_xmp`. Raises ValueError for a packet that is not XMP or that has a document type (entities
    could expand without bound).
    """
    tree = Packet(packet or EMPTY_PACKET)
    tree.set_right(size, orientation)
    tree.mirror(mirrored or {})
    tree.describe(record)
    return tree.to_bytes()


def upright_xmp(
    packet: bytes,
    *,
    size: tuple[int, int],
    orientation: int = 1,
    mirrored: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> bytes:
    """The packet, true for an upright picture of ``size`` that was stored in EXIF's ``orientation``.

    Set right where present: orientation, sizes, face regions. Removed: thumbnails, and what describes films and gain maps
    behind the picture. Raises ValueError as `provenance_xmp`.
    """
    if not packet and not mirrored:
        return b""
    tree = Packet(packet or EMPTY_PACKET)
    tree.set_right(size, orientation)
    tree.mirror(mirrored or {})
    return tree.to_bytes()


class Packet(XmpPacket):
    """A photograph's XMP packet."""

    def orientation(self) -> int:
        """tiff:Orientation, 1 where it is absent or nonsense."""
        wanted = (NAMESPACES["tiff"], "Orientation")
        for description, scope in self._descriptions:
            texts = [value for key, value in description.attrib.items() if name_of(key, scope) == wanted]
            texts += [child.text or "" for child in description if name_of(child.tag, scope_of(child, scope)) == wanted]
            for text in texts:
                if text.strip() in {"1", "2", "3", "4", "5", "6", "7", "8"}:
                    return int(text)
        return 1

    def behind(self) -> list[str]:
        """What the packet says stands in the file behind the picture."""
        names = set()
        for element, scope in with_scopes(self._root):
            names |= {name_of(written, scope) for written in (element.tag, *element.attrib)}
        found = []
        if any(_is_motion(name) for name in names):
            found.append("the film inside the file (motion photo)")
        if any(space in _GAIN_MAP for space, _ in names):
            found.append("the HDR gain map inside the file")
        return found

    def mirror(self, values: Mapping[tuple[str, str], Sequence[str]]) -> None:
        """Add properties, by (prefix, name), where the packet has none: texts, alternatives or bags as XMP wants them."""
        have = {name for description, scope in self._descriptions for name in properties_of(description, scope)}
        missing = {key: texts for key, texts in values.items() if (NAMESPACES[key[0]], key[1]) not in have}
        if not missing:
            return
        ours = self._description({prefix for prefix, _ in missing})
        for (prefix, local), texts in missing.items():
            property_ = ElementTree.SubElement(ours, f"{prefix}:{local}")
            kind = _ARRAYS.get((prefix, local))
            if kind is None:
                property_.text = xml_text(texts[0])
                continue
            array = ElementTree.SubElement(property_, f"rdf:{kind}")
            for text in texts:
                item = ElementTree.SubElement(array, "rdf:li", {"xml:lang": "x-default"} if kind == "Alt" else {})
                item.text = xml_text(text)

    def set_right(self, size: tuple[int, int], orientation: int = 1) -> None:
        """Make the packet true for an upright picture of ``size``."""
        values = {
            (NAMESPACES["tiff"], "Orientation"): "1",
            (NAMESPACES["tiff"], "ImageWidth"): str(size[0]),
            (NAMESPACES["tiff"], "ImageLength"): str(size[1]),
            (NAMESPACES["exif"], "PixelXDimension"): str(size[0]),
            (NAMESPACES["exif"], "PixelYDimension"): str(size[1]),
        }
        if orientation != 1:
            turn_regions(self._root, orientation)
        self.remove(lambda name: name == (NAMESPACES["xmp"], "Thumbnails") or _is_behind(name))
        for description, scope in self._descriptions:
            for key in list(description.attrib):
                name = name_of(key, scope)
                if name in values:
                    description.attrib[key] = values[name]
            for child in list(description):
                name = name_of(child.tag, scope_of(child, scope))
                if name in values:
                    child.text = values[name]


_ARRAYS = {
    **{("dc", local): "Alt" for local in ("title", "description", "rights")},
    ("dc", "subject"): "Bag",
    ("dc", "creator"): "Seq",
}


def _is_motion(name: tuple[str, str]) -> bool:
    return name[0] == _CAMERA and name[1].startswith(("MicroVideo", "MotionPhoto"))


def _is_behind(name: tuple[str, str]) -> bool:
    return _is_motion(name) or name[0] in _GAIN_MAP or name == (_CONTAINER, "Directory")
