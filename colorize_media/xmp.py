"""XMP packets: read the orientation, set sizes right, say where a coloured picture came from, keep the rest.

A packet is parsed with expat without namespace processing, so every prefix and every unknown property is written back
as it was; names are resolved here, by scope. Entities cannot expand: XMP forbids document types, and one is refused.

Sources: XMP part 1 and 3 (ISO 16684), IPTC Photo Metadata 2023.1 (digital source type).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}


def provenance_xmp(packet: bytes, *, size: tuple[int, int], source: str, tool: str) -> bytes:
    """``packet`` (or a new one) that says where the picture came from; everything else in it stays.

    Written: ``Iptc4xmpExt:DigitalSourceType``, ``xmpMM:DerivedFrom`` with the source's file name, ``xmp:CreatorTool``.
    Set right where present: orientation and sizes. Removed: thumbnails. Raises ValueError for a packet that is not XMP
    or that has a document type (entities could expand without bound).
    """
    tree = Packet(packet or _EMPTY_PACKET)
    tree.set_right(size)
    tree.describe(source=source, tool=tool)
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

    def set_right(self, size: tuple[int, int]) -> None:
        """Make the packet true for an upright picture of ``size``, and drop what `describe` writes anew."""
        values = {
            (_NAMESPACES["tiff"], "Orientation"): "1",
            (_NAMESPACES["tiff"], "ImageWidth"): str(size[0]),
            (_NAMESPACES["tiff"], "ImageLength"): str(size[1]),
            (_NAMESPACES["exif"], "PixelXDimension"): str(size[0]),
            (_NAMESPACES["exif"], "PixelYDimension"): str(size[1]),
        }
        stale = {
            (_NAMESPACES["xmp"], "CreatorTool"),
            (_NAMESPACES["xmp"], "Thumbnails"),
            (_NAMESPACES["xmpMM"], "DerivedFrom"),
            (_NAMESPACES["Iptc4xmpExt"], "DigitalSourceType"),
        }
        for description, scope in self._descriptions:
            for key in list(description.attrib):
                name = _name(key, scope)
                if name in stale:
                    del description.attrib[key]
                elif name in values:
                    description.attrib[key] = values[name]
            for child in list(description):
                name = _name(child.tag, _scope(child, scope))
                if name in stale:
                    description.remove(child)
                elif name in values:
                    child.text = values[name]

    def describe(self, *, source: str, tool: str) -> None:
        """Append one description with the provenance."""
        about = ""
        for description, scope in self._descriptions:
            for key, value in description.attrib.items():
                about = value if _name(key, scope) == (_NAMESPACES["rdf"], "about") else about
        used = ("rdf", "xmp", "xmpMM", "stRef", "Iptc4xmpExt")
        attributes = {"rdf:about": about, **{f"xmlns:{prefix}": _NAMESPACES[prefix] for prefix in used}}
        attributes["xmp:CreatorTool"] = _xml_text(tool)
        attributes["Iptc4xmpExt:DigitalSourceType"] = DIGITAL_SOURCE_TYPE
        ours = ElementTree.SubElement(self._rdf, "rdf:Description", attributes)
        derived = ElementTree.SubElement(ours, "xmpMM:DerivedFrom", {"rdf:parseType": "Resource"})
        ElementTree.SubElement(derived, "stRef:filePath").text = _xml_text(source)

    def to_bytes(self) -> bytes:
        body = ElementTree.tostring(self._root, encoding="unicode")
        head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        return f'{head}\n{body}\n<?xpacket end="w"?>'.encode()


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
