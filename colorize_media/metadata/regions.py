"""Face regions in XMP: turned with the picture. Sources: Metadata Working Group 2.0 §5.9, and Microsoft's Region schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.etree import ElementTree

from colorize_media.provenance.scoped_xml import Properties, name_of, properties_of, scope_of, with_scopes

_AREA, _DIMENSIONS = "http://ns.adobe.com/xmp/sType/Area#", "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_APPLIED_TO = ("http://www.metadataworkinggroup.com/schemas/regions/", "AppliedToDimensions")
_MICROSOFT_RECTANGLE = ("http://ns.microsoft.com/photo/1.2/t/Region#", "Rectangle")


def turn_regions(root: ElementTree.Element, orientation: int) -> None:
    """Regions, and the size that they are shares of, as they are in the upright picture."""
    for element, scope in with_scopes(root):
        properties = properties_of(element, scope)
        _turn_area(properties, orientation)
        _turn_rectangle(properties, orientation)
        if orientation >= 5 and name_of(element.tag, scope) == _APPLIED_TO:
            _swap_dimensions(element, scope)


def turned(x: float, y: float, orientation: int) -> tuple[float, float]:
    """Where a point of the stored picture, in shares of its width and height, is in the upright one."""
    if orientation >= 5:
        x, y = y, x
    if orientation in (2, 3, 6, 7):
        x = 1.0 - x
    if orientation in (3, 4, 7, 8):
        y = 1.0 - y
    return x, y


def _turn_area(properties: Properties, orientation: int) -> None:
    """Of the Metadata Working Group: the centre, width and height, in shares of the picture."""
    if not {(_AREA, "x"), (_AREA, "y")} <= properties.keys():
        return
    numbers = [_float(properties[_AREA, key].get()) if (_AREA, key) in properties else 0.0 for key in "xywh"]
    if None in numbers:
        return
    x, y, w, h = (number or 0.0 for number in numbers)
    x, y = turned(x, y, orientation)
    w, h = (h, w) if orientation >= 5 else (w, h)
    for key, value in zip("xywh", (x, y, w, h), strict=True):
        if (_AREA, key) in properties:
            properties[_AREA, key].set(f"{value:.8g}")


def _turn_rectangle(properties: Properties, orientation: int) -> None:
    """Of Microsoft: left, top, width and height in one text, in shares of the picture."""
    if _MICROSOFT_RECTANGLE not in properties:
        return
    sides = [_float(part) for part in properties[_MICROSOFT_RECTANGLE].get().split(",")]
    if len(sides) != 4 or None in sides:
        return
    left, top, w, h = (side or 0.0 for side in sides)
    (x1, y1), (x2, y2) = turned(left, top, orientation), turned(left + w, top + h, orientation)
    box = (min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))
    properties[_MICROSOFT_RECTANGLE].set(", ".join(f"{value:.8g}" for value in box))


def _swap_dimensions(element: ElementTree.Element, scope: Mapping[str, str]) -> None:
    """Width and height of the picture that the regions were drawn on, in the element or in one below it."""
    for holder in (element, *element):
        sizes = properties_of(holder, scope_of(holder, scope))
        if {(_DIMENSIONS, "w"), (_DIMENSIONS, "h")} <= sizes.keys():
            width, height = sizes[_DIMENSIONS, "w"], sizes[_DIMENSIONS, "h"]
            was_width = width.get()
            width.set(height.get())
            height.set(was_width)
            return


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
