"""Where a PNG file keeps metadata: in chunks, and as text by ImageMagick's custom. Source: PNG, third edition."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

from PIL import Image

from colorize_media.metadata.carried import PhotoMetadata

_SIGNATURE = 8  # bytes before the first chunk
_USUAL_GAMMA, _SAME_GAMMA = 0.45455, 0.01
_LEAST_GAMMA, _MOST_GAMMA = 0.1, 5.0  # beyond, it is no gamma but a mistake
_XMP_KEY = "XML:com.adobe.xmp"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_UNSPECIFIED = 2  # ISO/IEC 23091-2
_SRGB = (b"\x01\x0d", b"\x01\x01")  # primaries and transfer function of sRGB, or of BT.709, in a cICP


def raw_profile(image: Image.Image, kind: str) -> bytes:
    """What ImageMagick and exiftool store as hexadecimal text in PNG: a line break, the kind, the length, the digits."""
    text = getattr(image, "text", {}).get(f"Raw profile type {kind}", "")
    try:
        return bytes.fromhex("".join(str(text).split("\n")[3:]))
    except ValueError:
        return b""


def unusual_gamma(image: Image.Image) -> float | None:
    """gAMA where viewers heed it, and its tones are not about sRGB's (PNG, third edition, §11.3.2.2); None elsewhere.

    A profile and the sRGB chunk count more. cHRM says nothing of greys, which are grey whatever the primaries are.
    """
    gamma = image.info.get("gamma") if image.format == "PNG" else None
    if not isinstance(gamma, float) or "icc_profile" in image.info or "srgb" in image.info:
        return None
    return gamma if _LEAST_GAMMA <= gamma <= _MOST_GAMMA and abs(gamma - _USUAL_GAMMA) > _SAME_GAMMA else None


def png_transfer(data: bytes) -> int:
    """ISO/IEC 23091-2's number of the transfer function that cICP says, 2 (unspecified) where there is none."""
    return next((body[1] for name, body in _chunks(data) if name == b"cICP" and len(body) == 4), _UNSPECIFIED)


def left_behind(data: bytes) -> tuple[str, ...]:
    """Warnings of what a PNG file holds that goes nowhere.

    Texts of one key but the last, private chunks, what is behind it, and a cICP that says more than that it is sRGB.
    """
    found = list(_chunks(data))
    keys = Counter(body.split(b"\0")[0].decode("latin-1") for name, body in found if name in _TEXTS)
    again = [key for key, count in keys.items() if count > 1]
    private = sorted({name.decode("latin-1") for name, _ in found if name.isalpha() and name[1:2].islower()})
    space = [
        f"{body[0]}, {body[1]}" for name, body in found if name == b"cICP" and len(body) == 4 and body[:2] not in _SRGB
    ]
    ends = found and found[-1][0] == b"IEND" and len(data) > _SIGNATURE + sum(12 + len(body) for _, body in found)
    warnings = [f"of several texts called {', '.join(again)} only the last is carried over"] if again else []
    warnings += [f"other programs' chunks are not carried over: {', '.join(private)}"] if private else []
    warnings += [f"its colour space (cICP {one}) is taken for sRGB, and is not carried over" for one in space[:1]]
    warnings += ["what is behind the picture's end is not carried over"] if ends else []
    return tuple(warnings)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each chunk to IEND, as far as they are whole."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">L4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            return
        yield name, body
        if name == b"IEND":
            return
        at += 12 + length


def png_text(image: Image.Image) -> tuple[tuple[str, str], ...]:
    text = getattr(image, "text", None) if image.format == "PNG" else None
    if not isinstance(text, dict):
        return ()
    kept = ((str(key), str(value)) for key, value in text.items())
    return tuple((key, value) for key, value in kept if key != _XMP_KEY and not key.startswith("Raw profile type"))


def embed_in_png(encoded: bytes, metadata: PhotoMetadata) -> bytes:
    """``encoded`` PNG with the metadata's chunks spliced in behind IHDR."""
    chunks: list[tuple[bytes, bytes]] = []
    if metadata.gamma is not None and not metadata.icc:
        chunks.append((b"gAMA", struct.pack(">L", round(metadata.gamma * 100000))))
    if metadata.icc:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        chunks.append((b"pHYs", struct.pack(">LLB", *(min(round(d / 0.0254), 0x7FFFFFFF) for d in metadata.dpi), 1)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append(_international_text(_XMP_KEY, metadata.xmp))
    if metadata.photoshop:
        digits = metadata.photoshop.hex()
        lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
        body = f"\niptc\n{len(metadata.photoshop):8}\n{lines}\n".encode()
        chunks.append((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(body)))
    text = metadata.text
    text += tuple(("Comment", _as_text(comment)) for comment in metadata.comments)
    for key, value in text:
        try:
            chunks.append((b"tEXt", key.encode("latin-1") + b"\0" + value.encode("latin-1")))
        except UnicodeEncodeError:
            chunks.append(_international_text(key, value.encode("utf-8", "replace")))
    after_header = 8 + 12 + 13  # signature, and IHDR with its length, name and checksum
    spliced = b"".join(
        struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body)) for name, body in chunks
    )
    return encoded[:after_header] + spliced + encoded[after_header:]


def _as_text(comment: bytes) -> str:
    """Of a format that does not say in which letters its comments are."""
    try:
        return comment.decode("utf-8")
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _international_text(key: str, value: bytes) -> tuple[bytes, bytes]:
    return b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + value
