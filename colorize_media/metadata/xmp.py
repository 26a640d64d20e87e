"""XMP packets: read the orientation, set sizes and face regions right, say where a coloured picture came from, keep the rest.

Every prefix and every unknown property is written back as it was, see scoped_xml.py. Entities cannot expand: XMP forbids
document types, and one is refused.

Sources: XMP part 1 and 3 (ISO 16684), IPTC Photo Metadata 2023.1 (digital source type).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree

from colorize_media.metadata.regions import turn_regions
from colorize_media.metadata.scoped_xml import name_of, parse_xml, properties_of, scope_of, with_scopes, xml_text

_MAX_XMP = 16 << 20  # bytes; real packets are under 1 MB, and the parser holds the whole tree

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "x": "adobe:ns:meta/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
KEYWORD = "colorized"
# What describes data behind the picture that is not carried over.
_GAIN_MAP = ("http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/")
_CAMERA, _CONTAINER = "http://ns.google.com/photos/1.0/camera/", "http://ns.google.com/photos/1.0/container/"


def provenance_xmp(
    packet: bytes,
    *,
    size: tuple[int, int],
    source: str,
    tool: str,
    orientation: int = 1,
    mirrored: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> bytes:
    """``packet`` (or a new one) that says where the picture came from; everything else in it stays.

    Written: ``Iptc4xmpExt:DigitalSourceType``, ``xmpMM:DerivedFrom`` with the source's file name (if it is not empty),
    ``xmpMM:History``, ``xmp:CreatorTool`` and the keyword ``colorized``. Set right as by `upright_xmp`. Raises ValueError
    for a packet that is not XMP or that has a document type (entities could expand without bound).
    """
    tree = Packet(packet or _EMPTY_PACKET)
    tree.set_right(size, orientation)
    tree.mirror(mirrored or {})
    tree.describe(source=source, tool=tool)
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
    tree = Packet(packet or _EMPTY_PACKET)
    tree.set_right(size, orientation)
    tree.mirror(mirrored or {})
    return tree.to_bytes()


_EMPTY_PACKET = (
    f'<x:xmpmeta xmlns:x="{_NAMESPACES["x"]}"><rdf:RDF xmlns:rdf="{_NAMESPACES["rdf"]}"/></x:xmpmeta>'.encode()
)


class Packet:
    """An XMP packet parsed without namespace processing, so that every prefix is written back as it was."""

    def __init__(self, packet: bytes) -> None:
        if len(packet) > _MAX_XMP:
            raise ValueError(f"it is larger than {_MAX_XMP >> 20} MB")
        self._root = parse_xml(packet.strip(b"\0 \t\r\n"))
        found = [(element, scope) for element, scope in with_scopes(self._root) if name_of(element.tag, scope) == _RDF]
        if not found:
            raise ValueError("it has no rdf:RDF")
        self._rdf, rdf_scope = found[0]
        # Only the topmost descriptions speak about the photograph; deeper ones are structures.
        self._descriptions: list[tuple[ElementTree.Element, Mapping[str, str]]] = []
        for child in self._rdf:
            scope = scope_of(child, rdf_scope)
            if name_of(child.tag, scope) == _DESCRIPTION:
                self._descriptions.append((child, scope))

    def orientation(self) -> int:
        """tiff:Orientation, 1 where it is absent or nonsense."""
        wanted = (_NAMESPACES["tiff"], "Orientation")
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
        missing = {key: texts for key, texts in values.items() if (_NAMESPACES[key[0]], key[1]) not in have}
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
            (_NAMESPACES["tiff"], "Orientation"): "1",
            (_NAMESPACES["tiff"], "ImageWidth"): str(size[0]),
            (_NAMESPACES["tiff"], "ImageLength"): str(size[1]),
            (_NAMESPACES["exif"], "PixelXDimension"): str(size[0]),
            (_NAMESPACES["exif"], "PixelYDimension"): str(size[1]),
        }
        if orientation != 1:
            turn_regions(self._root, orientation)
        self._remove(lambda name: name == (_NAMESPACES["xmp"], "Thumbnails") or _is_behind(name))
        for description, scope in self._descriptions:
            for key in list(description.attrib):
                name = name_of(key, scope)
                if name in values:
                    description.attrib[key] = values[name]
            for child in list(description):
                name = name_of(child.tag, scope_of(child, scope))
                if name in values:
                    child.text = values[name]

    def describe(self, *, source: str, tool: str) -> None:
        """Append one description with the provenance, in place of what it says anew."""
        stale = {("xmp", "CreatorTool"), ("xmpMM", "DerivedFrom"), ("Iptc4xmpExt", "DigitalSourceType")}
        names = {(_NAMESPACES[prefix], local) for prefix, local in stale}
        self._remove(lambda name: name in names)
        ours = self._description({"xmp", "xmpMM", "stRef", "stEvt", "dc", "Iptc4xmpExt"})
        ours.attrib["xmp:CreatorTool"] = xml_text(tool)
        ours.attrib["Iptc4xmpExt:DigitalSourceType"] = DIGITAL_SOURCE_TYPE
        if source:
            derived = ElementTree.SubElement(ours, "xmpMM:DerivedFrom", {"rdf:parseType": "Resource"})
            ElementTree.SubElement(derived, "stRef:filePath").text = xml_text(source)
        subjects, prefix = self._array("dc", "subject", "Bag", ours)
        if KEYWORD not in {(item.text or "").strip() for item in subjects}:
            ElementTree.SubElement(subjects, f"{prefix}li").text = KEYWORD
        history, prefix = self._array("xmpMM", "History", "Seq", ours)
        event = ElementTree.SubElement(history, f"{prefix}li", {f"{prefix}parseType": "Resource"})
        for local, text in (("action", "edited"), ("softwareAgent", tool), ("parameters", "colour added by a network")):
            step = ElementTree.SubElement(event, f"stEvt:{local}", {"xmlns:stEvt": _NAMESPACES["stEvt"]})
            step.text = xml_text(text)

    def _description(self, prefixes: set[str]) -> ElementTree.Element:
        """A new description of the photograph."""
        about = ""
        for description, scope in self._descriptions:
            for key, value in description.attrib.items():
                about = value if name_of(key, scope) == (_NAMESPACES["rdf"], "about") else about
        spaces = {f"xmlns:{prefix}": _NAMESPACES[prefix] for prefix in sorted({"rdf", *prefixes})}
        return ElementTree.SubElement(self._rdf, "rdf:Description", {"rdf:about": about, **spaces})

    def _array(self, prefix: str, local: str, kind: str, ours: ElementTree.Element) -> tuple[ElementTree.Element, str]:
        """The items' element of an array, a new one in ``ours`` where there is none; and how it writes RDF's prefix."""
        for description, outer in self._descriptions:
            for child in description:
                scope = scope_of(child, outer)
                if name_of(child.tag, scope) != (_NAMESPACES[prefix], local):
                    continue
                for array in child:
                    space, found = name_of(array.tag, scope_of(array, scope))
                    if space == _NAMESPACES["rdf"] and found in ("Bag", "Seq", "Alt"):
                        return array, array.tag[: -len(found)]
        property_ = ElementTree.SubElement(ours, f"{prefix}:{local}")
        return ElementTree.SubElement(property_, f"rdf:{kind}"), "rdf:"

    def _remove(self, unwanted: Callable[[tuple[str, str]], bool]) -> None:
        for description, scope in self._descriptions:
            for key in list(description.attrib):
                if unwanted(name_of(key, scope)):
                    del description.attrib[key]
            for child in list(description):
                if unwanted(name_of(child.tag, scope_of(child, scope))):
                    description.remove(child)

    def to_bytes(self) -> bytes:
        body = ElementTree.tostring(self._root, encoding="unicode")
        head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        return f'{head}\n{body}\n<?xpacket end="w"?>'.encode()


_ARRAYS = {
    **{("dc", local): "Alt" for local in ("title", "description", "rights")},
    ("dc", "subject"): "Bag",
    ("dc", "creator"): "Seq",
}


def _is_motion(name: tuple[str, str]) -> bool:
    return name[0] == _CAMERA and name[1].startswith(("MicroVideo", "MotionPhoto"))


def _is_behind(name: tuple[str, str]) -> bool:
    return _is_motion(name) or name[0] in _GAIN_MAP or name == (_CONTAINER, "Directory")


_RDF = (_NAMESPACES["rdf"], "RDF")
_DESCRIPTION = (_NAMESPACES["rdf"], "Description")
