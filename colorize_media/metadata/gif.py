"""Where a GIF file keeps XMP and a profile: in application extensions. Sources: GIF89a, XMP part 3 §1.1.2, ICC.1 on GIF."""

from __future__ import annotations

from collections.abc import Iterator

_XMP, _ICC = b"XMP DataXMP", b"ICCRGBG1012"
_EXTENSION, _APPLICATION = 0x21, 0xFF
_TRAILER = b"\x01\xff\xfe\xfd"  # where the 258 bytes begin that lead readers from any place in the XMP to its end


def gif_blocks(data: bytes) -> tuple[bytes, bytes]:
    """XMP and ICC profile, up to the first picture; nothing where there is none, or the file makes no sense before."""
    xmp = icc = b""
    try:
        for name, start, end in _applications(data):
            if name == _XMP:  # stored as it is, not in blocks
                xmp = data[start:end].rpartition(_TRAILER)[0]
            elif name == _ICC:
                icc = _joined(data, start)
    except IndexError:
        pass
    return xmp, icc


def _applications(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name of each application extension, where its blocks begin and where they end. Raises IndexError."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)  # behind the header and the palette
    while data[at] == _EXTENSION:
        label, start = data[at + 1], at + 2
        at = _behind(data, start)
        if label == _APPLICATION and data[start] == len(_XMP):
            yield data[start + 1 : start + 1 + len(_XMP)], start + 1 + len(_XMP), at


def _behind(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _joined(data: bytes, at: int) -> bytes:
    out = b""
    while data[at]:
        out += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return out
