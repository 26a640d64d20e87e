"""XMP packets: read the orientation, set sizes and face regions right, say where a coloured picture came from, keep the rest.

A packet is parsed with expat without namespace processing, so every prefix and every unknown property is written back
as it was; names are resolved here, by scope. Entities cannot expand: XMP forbids document types, and one is refused.

Sources: XMP part 1 and 3 (ISO 16684), IPTC Photo Metadata 2023.1 (digital source type).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree import ElementTree
from xml.parsers import expat

_MAX_XMP = 16 << 20  # bytes; real packets are under 1 MB, and the parser holds the whole tree
_MAX_XMP_DEPTH = 100  # nested elements; the serialiser recurses

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
# Face regions: Metadata Working Group 2.0 §5.9, and Microsoft's.
_AREA, _DIMENSIONS = "http://ns.adobe.com/xmp/sType/Area#", "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_APPLIED_TO = ("http://www.metadataworkinggroup.com/schemas/regions/", "AppliedToDimensions")
_MICROSOFT_RECTANGLE = ("http://ns.microsoft.com/photo/1.2/t/Region#", "Rectangle")
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
        self._root = _parse_xml(packet.strip(b"\0 \t\r\n"))
        found = [(element, scope) for element, scope in _with_scopes(self._root) if _name(element.tag, scope) == _RDF]
        if not found:
            raise ValueError("it has no rdf:RDF")
        self._rdf, rdf_scope = found[0]
        # Only the topmost descriptions speak about the photograph; deeper ones are structures.
        self._descriptions: list[tuple[ElementTree.Element, Mapping[str, str]]] = []
        for child in self._rdf:
            scope = _scope(child, rdf_scope)
            if _name(child.tag, scope) == _DESCRIPTION:
                self._descriptions.append((child, scope))

    def orientation(self) -> int:
        """tiff:Orientation, 1 where it is absent or nonsense."""
        wanted = (_NAMESPACES["tiff"], "Orientation")
        for description, scope in self._descriptions:
            texts = [value for key, value in description.attrib.items() if _name(key, scope) == wanted]
            texts += [child.text or "" for child in description if _name(child.tag, _scope(child, scope)) == wanted]
            for text in texts:
                if text.strip() in {"1", "2", "3", "4", "5", "6", "7", "8"}:
                    return int(text)
        return 1

    def behind(self) -> list[str]:
        """What the packet says stands in the file behind the picture."""
        names = set()
        for element, scope in _with_scopes(self._root):
            names |= {_name(written, scope) for written in (element.tag, *element.attrib)}
        found = []
        if any(_is_motion(name) for name in names):
            found.append("the film inside the file (motion photo)")
        if any(space in _GAIN_MAP for space, _ in names):
            found.append("the HDR gain map inside the file")
        return found

    def _turn_regions(self, orientation: int) -> None:
        """Face regions and the size that they are shares of, as they are in the upright picture."""
        for element, scope in _with_scopes(self._root):
            fields = _fields(element, scope)
            _turn_area(fields, orientation)
            _turn_rectangle(fields, orientation)
            if orientation >= 5 and _name(element.tag, scope) == _APPLIED_TO:
                _swap_dimensions(element, scope)

    def mirror(self, values: Mapping[tuple[str, str], Sequence[str]]) -> None:
        """Add properties, by (prefix, name), where the packet has none: texts, alternatives or bags as XMP wants them."""
        have = {name for description, scope in self._descriptions for name in _fields(description, scope)}
        missing = {key: texts for key, texts in values.items() if (_NAMESPACES[key[0]], key[1]) not in have}
        if not missing:
            return
        ours = self._description({prefix for prefix, _ in missing})
        for (prefix, local), texts in missing.items():
            property_ = ElementTree.SubElement(ours, f"{prefix}:{local}")
            kind = _ARRAYS.get((prefix, local))
            if kind is None:
                property_.text = _xml_text(texts[0])
                continue
            array = ElementTree.SubElement(property_, f"rdf:{kind}")
            for text in texts:
                item = ElementTree.SubElement(array, "rdf:li", {"xml:lang": "x-default"} if kind == "Alt" else {})
                item.text = _xml_text(text)

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
            self._turn_regions(orientation)
        self._remove(lambda name: name == (_NAMESPACES["xmp"], "Thumbnails") or _is_behind(name))
        for description, scope in self._descriptions:
            for key in list(description.attrib):
                name = _name(key, scope)
                if name in values:
                    description.attrib[key] = values[name]
            for child in list(description):
                name = _name(child.tag, _scope(child, scope))
                if name in values:
                    child.text = values[name]

    def describe(self, *, source: str, tool: str) -> None:
        """Append one description with the provenance, in place of what it says anew."""
        stale = {("xmp", "CreatorTool"), ("xmpMM", "DerivedFrom"), ("Iptc4xmpExt", "DigitalSourceType")}
        names = {(_NAMESPACES[prefix], local) for prefix, local in stale}
        self._remove(lambda name: name in names)
        ours = self._description({"xmp", "xmpMM", "stRef", "stEvt", "dc", "Iptc4xmpExt"})
        ours.attrib["xmp:CreatorTool"] = _xml_text(tool)
        ours.attrib["Iptc4xmpExt:DigitalSourceType"] = DIGITAL_SOURCE_TYPE
        if source:
            derived = ElementTree.SubElement(ours, "xmpMM:DerivedFrom", {"rdf:parseType": "Resource"})
            ElementTree.SubElement(derived, "stRef:filePath").text = _xml_text(source)
        subjects, prefix = self._array("dc", "subject", "Bag", ours)
        if KEYWORD not in {(item.text or "").strip() for item in subjects}:
            ElementTree.SubElement(subjects, f"{prefix}li").text = KEYWORD
        history, prefix = self._array("xmpMM", "History", "Seq", ours)
        event = ElementTree.SubElement(history, f"{prefix}li", {f"{prefix}parseType": "Resource"})
        for local, text in (("action", "edited"), ("softwareAgent", tool), ("parameters", "colour added by a network")):
            step = ElementTree.SubElement(event, f"stEvt:{local}", {"xmlns:stEvt": _NAMESPACES["stEvt"]})
            step.text = _xml_text(text)

    def _description(self, prefixes: set[str]) -> ElementTree.Element:
        """A new description of the photograph."""
        about = ""
        for description, scope in self._descriptions:
            for key, value in description.attrib.items():
                about = value if _name(key, scope) == (_NAMESPACES["rdf"], "about") else about
        spaces = {f"xmlns:{prefix}": _NAMESPACES[prefix] for prefix in sorted({"rdf", *prefixes})}
        return ElementTree.SubElement(self._rdf, "rdf:Description", {"rdf:about": about, **spaces})

    def _array(self, prefix: str, local: str, kind: str, ours: ElementTree.Element) -> tuple[ElementTree.Element, str]:
        """The items' element of an array, a new one in ``ours`` where there is none; and how it writes RDF's prefix."""
        for description, outer in self._descriptions:
            for child in description:
                scope = _scope(child, outer)
                if _name(child.tag, scope) != (_NAMESPACES[prefix], local):
                    continue
                for array in child:
                    space, found = _name(array.tag, _scope(array, scope))
                    if space == _NAMESPACES["rdf"] and found in ("Bag", "Seq", "Alt"):
                        return array, array.tag[: -len(found)]
        property_ = ElementTree.SubElement(ours, f"{prefix}:{local}")
        return ElementTree.SubElement(property_, f"rdf:{kind}"), "rdf:"

    def _remove(self, unwanted: Callable[[tuple[str, str]], bool]) -> None:
        for description, scope in self._descriptions:
            for key in list(description.attrib):
                if unwanted(_name(key, scope)):
                    del description.attrib[key]
            for child in list(description):
                if unwanted(_name(child.tag, _scope(child, scope))):
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


def turned(x: float, y: float, orientation: int) -> tuple[float, float]:
    """Where a point of the stored picture, in shares of its width and height, is in the upright one."""
    if orientation >= 5:
        x, y = y, x
    if orientation in (2, 3, 6, 7):
        x = 1.0 - x
    if orientation in (3, 4, 7, 8):
        y = 1.0 - y
    return x, y


def _turn_area(fields: _Fields, orientation: int) -> None:
    """Of the Metadata Working Group: the centre, width and height, in shares of the picture."""
    if not {(_AREA, "x"), (_AREA, "y")} <= fields.keys():
        return
    numbers = [_float(fields[_AREA, key].get()) if (_AREA, key) in fields else 0.0 for key in "xywh"]
    if None in numbers:
        return
    x, y, w, h = (number or 0.0 for number in numbers)
    x, y = turned(x, y, orientation)
    w, h = (h, w) if orientation >= 5 else (w, h)
    for key, value in zip("xywh", (x, y, w, h), strict=True):
        if (_AREA, key) in fields:
            fields[_AREA, key].set(f"{value:.8g}")


def _turn_rectangle(fields: _Fields, orientation: int) -> None:
    """Of Microsoft: left, top, width and height in one text, in shares of the picture."""
    if _MICROSOFT_RECTANGLE not in fields:
        return
    sides = [_float(part) for part in fields[_MICROSOFT_RECTANGLE].get().split(",")]
    if len(sides) != 4 or None in sides:
        return
    left, top, w, h = (side or 0.0 for side in sides)
    (x1, y1), (x2, y2) = turned(left, top, orientation), turned(left + w, top + h, orientation)
    box = (min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))
    fields[_MICROSOFT_RECTANGLE].set(", ".join(f"{value:.8g}" for value in box))


def _swap_dimensions(element: ElementTree.Element, scope: Mapping[str, str]) -> None:
    """Width and height of the picture that the regions were drawn on, in the element or in one below it."""
    for holder in (element, *element):
        sizes = _fields(holder, _scope(holder, scope))
        if {(_DIMENSIONS, "w"), (_DIMENSIONS, "h")} <= sizes.keys():
            width, height = sizes[_DIMENSIONS, "w"], sizes[_DIMENSIONS, "h"]
            was_width = width.get()
            width.set(height.get())
            height.set(was_width)
            return


def _is_motion(name: tuple[str, str]) -> bool:
    return name[0] == _CAMERA and name[1].startswith(("MicroVideo", "MotionPhoto"))


def _is_behind(name: tuple[str, str]) -> bool:
    return _is_motion(name) or name[0] in _GAIN_MAP or name == (_CONTAINER, "Directory")


@dataclass(frozen=True)
class _Field:
    """A property's text, however it is written: as an attribute or as an element."""

    element: ElementTree.Element
    key: str  # the attribute's name; empty for the element's own text

    def get(self) -> str:
        return self.element.attrib[self.key] if self.key else self.element.text or ""

    def set(self, text: str) -> None:
        if self.key:
            self.element.attrib[self.key] = text
        else:
            self.element.text = text


_Fields: TypeAlias = dict[tuple[str, str], _Field]  # by namespace and name


def _fields(element: ElementTree.Element, scope: Mapping[str, str]) -> _Fields:
    found = {_name(key, scope): _Field(element, key) for key in element.attrib}
    return found | {_name(child.tag, _scope(child, scope)): _Field(child, "") for child in element}


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_RDF = (_NAMESPACES["rdf"], "RDF")
_DESCRIPTION = (_NAMESPACES["rdf"], "Description")


def _parse_xml(text: bytes) -> ElementTree.Element:
    builder = ElementTree.TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_XMP_DEPTH:
            raise ValueError(f"it nests deeper than {_MAX_XMP_DEPTH} elements")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type, which XMP forbids")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as problem:
        raise ValueError(f"it is not well-formed XML: {problem}") from None
    return builder.close()


def _scope(element: ElementTree.Element, outer: Mapping[str, str]) -> Mapping[str, str]:
    own = {key[6:]: value for key, value in element.attrib.items() if key.startswith("xmlns:")}
    if "xmlns" in element.attrib:
        own[""] = element.attrib["xmlns"]
    return {**outer, **own} if own else outer


def _with_scopes(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, Mapping[str, str]]]:
    open_elements: list[tuple[ElementTree.Element, Mapping[str, str]]] = [(root, _scope(root, {}))]
    while open_elements:
        element, scope = open_elements.pop()
        yield element, scope
        open_elements.extend((child, _scope(child, scope)) for child in reversed(element))


def _name(written: str, scope: Mapping[str, str]) -> tuple[str, str]:
    prefix, _, local = written.rpartition(":")
    return scope.get(prefix, ""), local


def _xml_text(text: str) -> str:
    """Replace what XML 1.0 cannot hold: control characters, and the surrogates of file names that are not UTF-8."""
    return "".join(character if _is_xml(ord(character)) else "\ufffd" for character in text)


def _is_xml(code: int) -> bool:
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code > 0xFFFF
