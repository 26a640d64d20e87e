"""XMP packets: what a coloured picture or film says of its making, added to what stands there; the rest stays as it was.

Every prefix and every unknown property is written back as it was, see scoped_xml.py. Entities cannot expand: XMP forbids
document types, and one is refused.

Sources: XMP part 1 and 2 (ISO 16684), IPTC Photo Metadata 2025.1 (digital source type, AI system).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from xml.etree import ElementTree

from colorize_media.provenance.record import Record
from colorize_media.provenance.scoped_xml import (
    Properties,
    name_of,
    parse_xml,
    properties_of,
    scope_of,
    with_scopes,
    xml_text,
)

MAX_XMP = 16 << 20  # bytes; real packets are under 1 MB, and the parser holds the whole tree

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
NAMESPACES = {
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
    "colorizeMedia": "urn:colorize-media:record:",  # our own: docs/formats.md
}
KEYWORD = "colorized"
EMPTY_PACKET = f'<x:xmpmeta xmlns:x="{NAMESPACES["x"]}"><rdf:RDF xmlns:rdf="{NAMESPACES["rdf"]}"/></x:xmpmeta>'.encode()
_RDF = (NAMESPACES["rdf"], "RDF")
_DESCRIPTION = (NAMESPACES["rdf"], "Description")
_SOURCE_TYPE = (NAMESPACES["Iptc4xmpExt"], "DigitalSourceType")
_TOOL = (NAMESPACES["xmp"], "CreatorTool")
_RECORD = (NAMESPACES["colorizeMedia"], "Record")
_AGENT, _WHEN = (NAMESPACES["stEvt"], "softwareAgent"), (NAMESPACES["stEvt"], "when")
_SAID_ANEW = {
    _SOURCE_TYPE,
    _TOOL,
    (NAMESPACES["xmpMM"], "DerivedFrom"),
    (NAMESPACES["Iptc4xmpExt"], "AISystemUsed"),
    (NAMESPACES["Iptc4xmpExt"], "AISystemVersionUsed"),
    _RECORD,
}


class XmpPacket:
    """An XMP packet parsed without namespace processing, so that every prefix is written back as it was.

    Raises ValueError for a packet that is not XMP, too large, or has a document type (entities could expand without bound).
    """

    def __init__(self, packet: bytes) -> None:
        if len(packet) > MAX_XMP:
            raise ValueError(f"it is larger than {MAX_XMP >> 20} MB")
        self._root = parse_xml(packet)
        found = [(element, scope) for element, scope in with_scopes(self._root) if name_of(element.tag, scope) == _RDF]
        if not found:
            raise ValueError("it has no rdf:RDF")
        self._rdf, rdf_scope = found[0]
        # Only the topmost descriptions speak about the picture; deeper ones are structures.
        self._descriptions: list[tuple[ElementTree.Element, Mapping[str, str]]] = []
        for child in self._rdf:
            scope = scope_of(child, rdf_scope)
            if name_of(child.tag, scope) == _DESCRIPTION:
                self._descriptions.append((child, scope))

    def history(self) -> list[tuple[str, str]]:
        """Of each event of xmpMM:History that names one: the program, and when; nothing where it does not say."""
        found = []
        for event in self._events():
            if _AGENT in event:
                found.append((event[_AGENT].get().strip(), event[_WHEN].get().strip() if _WHEN in event else ""))
        return found

    def record(self) -> str:
        """The JSON of a `Record`, as it stands there; empty where there is none."""
        return self._text(_RECORD)

    def describe(self, record: Record) -> None:
        """Append one description with the provenance, in place of what it says anew.

        Written: ``Iptc4xmpExt:DigitalSourceType``, ``AISystemUsed`` and ``AISystemVersionUsed``, ``xmpMM:DerivedFrom`` with
        the source's file name (if it is to be named), ``xmp:CreatorTool``, the keyword ``colorized``, an event of
        ``xmpMM:History``, and the whole record as JSON in ``colorizeMedia:Record``. What the source said of its own digital
        source type and creator tool goes into the history.
        """
        before = {name: self._text(name) for name in (_SOURCE_TYPE, _TOOL)}
        agents = {agent for agent, _ in self.history()}
        self.remove(lambda name: name in _SAID_ANEW)
        ours = self._description({"xmp", "xmpMM", "stRef", "stEvt", "dc", "Iptc4xmpExt", "colorizeMedia"})
        ours.attrib["xmp:CreatorTool"] = xml_text(record.tool)
        ours.attrib["Iptc4xmpExt:DigitalSourceType"] = DIGITAL_SOURCE_TYPE
        ours.attrib["Iptc4xmpExt:AISystemUsed"] = xml_text(record.system)
        ours.attrib["Iptc4xmpExt:AISystemVersionUsed"] = xml_text(record.system_version)
        ElementTree.SubElement(ours, "colorizeMedia:Record").text = json.dumps(record.as_json(), sort_keys=True)
        if record.source:
            derived = ElementTree.SubElement(ours, "xmpMM:DerivedFrom", {"rdf:parseType": "Resource"})
            ElementTree.SubElement(derived, "stRef:filePath").text = xml_text(record.source)
        subjects, prefix = self._array("dc", "subject", "Bag", ours)
        if KEYWORD not in {(item.text or "").strip() for item in subjects}:
            ElementTree.SubElement(subjects, f"{prefix}li").text = KEYWORD
        history, prefix = self._array("xmpMM", "History", "Seq", ours)
        type_before = "" if before[_SOURCE_TYPE] == DIGITAL_SOURCE_TYPE else before[_SOURCE_TYPE]
        tool_before = "" if before[_TOOL] in agents else before[_TOOL]
        if type_before or tool_before:
            said = f"DigitalSourceType {type_before}" if type_before else ""
            _append_event(history, prefix, action="created", softwareAgent=before[_TOOL], parameters=said)
        _append_event(
            history, prefix, action="edited", softwareAgent=record.tool, when=record.date, parameters=record.parameters
        )

    def remove(self, unwanted: Callable[[tuple[str, str]], bool]) -> None:
        """Take out properties of the picture by namespace and name."""
        for description, scope in self._descriptions:
            for key in list(description.attrib):
                if unwanted(name_of(key, scope)):
                    del description.attrib[key]
            for child in list(description):
                if unwanted(name_of(child.tag, scope_of(child, scope))):
                    description.remove(child)

    def to_bytes(self) -> bytes:
        """The packet in UTF-8, in its wrapper."""
        body = ElementTree.tostring(self._root, encoding="unicode")
        head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        return f'{head}\n{body}\n<?xpacket end="w"?>'.encode()

    def _text(self, name: tuple[str, str]) -> str:
        """Of a property that is plain text; empty where it is absent."""
        for description, scope in self._descriptions:
            if (found := properties_of(description, scope).get(name)) is not None:
                return found.get().strip()
        return ""

    def _events(self) -> Iterator[Properties]:
        """The events of the history, however RDF writes them."""
        for description, outer in self._descriptions:
            for child in description:
                scope = scope_of(child, outer)
                if name_of(child.tag, scope) != (NAMESPACES["xmpMM"], "History"):
                    continue
                for element, inner in with_scopes(child, outer):
                    if name_of(element.tag, inner) in ((NAMESPACES["rdf"], "li"), _DESCRIPTION):
                        yield properties_of(element, inner)

    def _description(self, prefixes: set[str]) -> ElementTree.Element:
        """A new description of the picture."""
        about = ""
        for description, scope in self._descriptions:
            for key, value in description.attrib.items():
                about = value if name_of(key, scope) == (NAMESPACES["rdf"], "about") else about
        spaces = {f"xmlns:{prefix}": NAMESPACES[prefix] for prefix in sorted({"rdf", *prefixes})}
        return ElementTree.SubElement(self._rdf, "rdf:Description", {"rdf:about": about, **spaces})

    def _array(self, prefix: str, local: str, kind: str, ours: ElementTree.Element) -> tuple[ElementTree.Element, str]:
        """The items' element of an array, a new one in ``ours`` where there is none; and how it writes RDF's prefix."""
        for description, outer in self._descriptions:
            for child in description:
                scope = scope_of(child, outer)
                if name_of(child.tag, scope) != (NAMESPACES[prefix], local):
                    continue
                for array in child:
                    space, found = name_of(array.tag, scope_of(array, scope))
                    if space == NAMESPACES["rdf"] and found in ("Bag", "Seq", "Alt"):
                        return array, array.tag[: -len(found)]
        property_ = ElementTree.SubElement(ours, f"{prefix}:{local}")
        return ElementTree.SubElement(property_, f"rdf:{kind}"), "rdf:"


def film_packet(packet: bytes, record: Record) -> bytes:
    """A film's packet (empty: a new one) that says how it was coloured. Raises ValueError as `XmpPacket`."""
    tree = XmpPacket(packet or EMPTY_PACKET)
    tree.remove(lambda name: name == (NAMESPACES["xmp"], "Thumbnails"))  # they show the grey picture
    tree.describe(record)
    return tree.to_bytes()


def _append_event(history: ElementTree.Element, prefix: str, **said: str) -> None:
    """An event of the history; what is empty is not said. ``prefix`` is how the history writes RDF's."""
    event = ElementTree.SubElement(history, f"{prefix}li", {f"{prefix}parseType": "Resource"})
    for local, text in said.items():
        if text:
            step = ElementTree.SubElement(event, f"stEvt:{local}", {"xmlns:stEvt": NAMESPACES["stEvt"]})
            step.text = xml_text(text)
