"""XML parsed without namespace processing, so that every prefix is written back as it was; names are resolved by scope.

A scope is what prefixes stand for at an element. A name is (namespace, local name).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree import ElementTree
from xml.parsers import expat

_MAX_XMP_DEPTH = 100  # nested elements; the serialiser recurses


def parse_xml(text: bytes) -> ElementTree.Element:
    """The root. Raises ValueError for what is not well-formed, nests too deep, or has a document type (entities)."""
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
        parser.Parse(_in_utf8(text), True)
    except expat.ExpatError as problem:
        raise ValueError(f"it is not well-formed XML: {problem}") from None
    return builder.close()


def _in_utf8(text: bytes) -> bytes:
    """XMP may be UTF-16 or UTF-32 of either order, with a mark or without (XMP part 1 §7.1). Raises ValueError."""
    form = next((form for start, form in _BEGINNINGS if text.startswith(start)), "")
    if not form:
        return text.strip(b"\0 \t\r\n")
    try:
        letters = text[: len(text) // _UNIT[form] * _UNIT[form]].decode(form)
    except UnicodeDecodeError:
        raise ValueError(f"it begins like {form.upper()} but is not") from None
    return _DECLARATION.sub("", letters.lstrip("\ufeff").strip("\0 \t\r\n"), count=1).encode()


# Longer ones first: those of UTF-32 begin with those of UTF-16.
_BEGINNINGS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<\0", "utf-16-be"),
)
_UNIT = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}  # bytes of a letter, at least
_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")  # names the letters that it was written in


def scope_of(element: ElementTree.Element, outer: Mapping[str, str]) -> Mapping[str, str]:
    """What prefixes stand for at an element in the scope ``outer``."""
    own = {key[6:]: value for key, value in element.attrib.items() if key.startswith("xmlns:")}
    if "xmlns" in element.attrib:
        own[""] = element.attrib["xmlns"]
    return {**outer, **own} if own else outer


def with_scopes(
    root: ElementTree.Element, outer: Mapping[str, str] | None = None
) -> Iterator[tuple[ElementTree.Element, Mapping[str, str]]]:
    """Every element with its scope, from ``root`` on, which stands in ``outer``, in the order in which they are written."""
    open_elements: list[tuple[ElementTree.Element, Mapping[str, str]]] = [(root, scope_of(root, outer or {}))]
    while open_elements:
        element, scope = open_elements.pop()
        yield element, scope
        open_elements.extend((child, scope_of(child, scope)) for child in reversed(element))


def name_of(written: str, scope: Mapping[str, str]) -> tuple[str, str]:
    """Of a tag or attribute as it is written."""
    prefix, _, local = written.rpartition(":")
    return scope.get(prefix, ""), local


@dataclass(frozen=True)
class Property:
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


Properties: TypeAlias = dict[tuple[str, str], Property]  # by namespace and name


def properties_of(element: ElementTree.Element, scope: Mapping[str, str]) -> Properties:
    """The properties that an element has as attributes and as children, by name."""
    found = {name_of(key, scope): Property(element, key) for key in element.attrib}
    return found | {name_of(child.tag, scope_of(child, scope)): Property(child, "") for child in element}


def xml_text(text: str) -> str:
    """Replace what XML 1.0 cannot hold: control characters, and the surrogates of file names that are not UTF-8."""
    return "".join(character if _is_xml(ord(character)) else "\ufffd" for character in text)


def _is_xml(code: int) -> bool:
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code > 0xFFFF
