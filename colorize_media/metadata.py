"""What a photograph carries beside its pixels: EXIF, XMP, IPTC, ICC, resolution, text, and its provenance.

Read with Pillow and a walk over the file's own segments; written by splicing segments or chunks into an encoded
picture, so that no encoder can drop them. EXIF is edited in place, byte by byte, never re-serialised for JPEG, PNG and
WebP: offsets inside maker notes stay true. Pixel data never passes through here.

Sources: EXIF 2.32 (JEITA CP-3451E), TIFF 6.0, ICC.1:2010 §10, XMP part 3 (ISO 16684-2, storage in files), Photoshop
File Formats ("Image resource blocks"), PNG third edition.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from colorize_media.color import linear_to_srgb
from colorize_media.tiff_pages import tag_bytes
from colorize_media.xmp import KEYWORD, Packet, provenance_xmp, upright_xmp

_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_IPTC_RESOURCE = 0x0404  # of Photoshop's image resources; the two below are thumbnails of the grey picture
_THUMBNAIL_RESOURCES = frozenset({0x0409, 0x040C})
_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_ICC, _STRIP_OFFSETS = 700, 33723, 34377, 34675, 273
# TIFF tags that describe how the pixels are stored (TIFF 6.0, its supplements, and Photoshop's layer data 37724). They
# belong to the source's pixels, not to the photograph.
STORAGE_TAGS = frozenset(
    {
        254,
        255,
        256,
        257,
        258,
        259,
        262,
        263,
        264,
        265,
        266,
        273,
        277,
        278,
        279,
        280,
        281,
        284,
        288,
        289,
        290,
        291,
        292,
        293,
    }
    | {301, 317, 318, 319, 320, 321, *range(322, 326), 326, 327, 328, 330, *range(332, 344), 347, *range(512, 522)}
    | {529, 530, 531, 532, _TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_ICC, 37724, 50341}
)
# What a page needs to look as it does: its storage, orientation, resolution and profile, but no text and no history.
PLAIN_TAGS = (STORAGE_TAGS - {_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, 37724}) | {_ORIENTATION, 282, 283, 296}

_JPEG_PAYLOAD = 65533  # a segment's length field counts itself: 65535 − 2
_EXIF_HEAD = b"Exif\0\0"
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
_ICC_HEAD = b"ICC_PROFILE\0"
_PNG_XMP_KEY = "XML:com.adobe.xmp"


@dataclass(frozen=True)
class PhotoMetadata:
    """One photograph's metadata, independent of the file format it came from. Empty means absent.

    exif          a TIFF structure, without JPEG's ``Exif\\0\\0``
    icc           the colour profile
    xmp           the XMP packet;  extended_xmp  the JPEG segments that continue it, without their marker
    photoshop     Photoshop's image resources (8BIM blocks); IPTC is one of them
    comment       JPEG's or GIF's comment;  text  PNG's text chunks as (keyword, value)
    dpi           dots per inch, horizontal and vertical;  gamma  PNG's gAMA (0.45455 is the usual one)
    orientation   EXIF orientation 1…8 of the pixels as stored in the source; outputs are always upright
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    extended_xmp: tuple[bytes, ...] = ()
    photoshop: bytes = b""
    comment: bytes = b""
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    gamma: float | None = None
    orientation: int = 1

    def without_profile(self) -> PhotoMetadata:
        """The same, untagged: for pixels that were converted to sRGB."""
        return dataclasses.replace(self, icc=b"", gamma=None)


def tiff_orientation(image: Image.Image) -> int:
    """Orientation of a TIFF that is open but not loaded: Pillow turns it when it loads, and forgets the tag."""
    found = getattr(image, "tag_v2", {}).get(_ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def read_metadata(image: Image.Image, data: bytes) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """Everything that is known about the picture, and warnings about what had to be left out.

    ``image`` is open, and loaded where its format is PNG (chunks may follow the pixels); ``data`` is the whole file.
    """
    warnings: list[str] = []
    info = image.info
    exif, xmp = _bytes(info.get("exif")).removeprefix(_EXIF_HEAD), _bytes(info.get("xmp"))
    photoshop = b""
    extended: tuple[bytes, ...] = ()
    if image.format in ("JPEG", "MPO"):
        photoshop, extended = _read_jpeg_segments(data, warnings)
    elif image.format == "TIFF":
        exif, xmp, photoshop = _tiff_blocks(image, data)
    elif image.format == "PNG":
        exif, xmp = (
            exif or _raw_profile(image, "exif") or _raw_profile(image, "APP1"),
            xmp or _raw_profile(image, "xmp"),
        )
        photoshop = _raw_profile(image, "iptc")
        if photoshop and not photoshop.startswith(b"8BIM"):
            photoshop = _pack_resource(_IPTC_RESOURCE, b"\0\0", photoshop)
    elif image.format == "JPEG2000" and b"uuid" in data[:1_000_000]:
        warnings.append("the JPEG 2000 file's own metadata boxes are not carried over")
    given = _bytes(info.get("icc_profile"))
    blocks, more = metadata_of_blocks(exif=exif, xmp=xmp, extended_xmp=extended, icc=given)
    return (
        dataclasses.replace(
            blocks,
            photoshop=photoshop,
            comment=_bytes(info.get("comment")) if image.format in ("JPEG", "MPO", "GIF") else b"",
            text=_png_text(image),
            dpi=_resolution(image),
            gamma=info["gamma"] if isinstance(info.get("gamma"), float) and not given else None,
        ),
        (*warnings, *more),
    )


def metadata_of_blocks(
    *, exif: bytes = b"", xmp: bytes = b"", extended_xmp: tuple[bytes, ...] = (), icc: bytes = b""
) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """What these blocks say, without those that are damaged, and warnings about them."""
    warnings: list[str] = []
    exif = exif.removeprefix(_EXIF_HEAD)
    extended = extended_xmp
    orientation = 1
    if exif:
        try:
            orientation = exif_orientation(exif)
        except ValueError as problem:
            warnings.append(f"the EXIF block is damaged ({problem}) and is not carried over")
            exif = b""
    if xmp:
        try:
            packet = Packet(xmp)
        except ValueError as problem:
            warnings.append(f"the XMP packet cannot be used ({problem}) and is not carried over")
            xmp, extended = b"", ()
        else:
            # EXIF decides where it says anything; Lightroom and digiKam write PNG orientation into XMP only.
            orientation = orientation if _has_orientation(exif) else packet.orientation()
            warnings += [f"{what} is not carried over" for what in packet.behind()]
    space = profile_space(icc)
    if icc and not space:
        warnings.append("the colour profile is damaged and is not carried over")
    return (
        PhotoMetadata(
            exif=exif,
            icc=icc if space else b"",
            xmp=xmp,
            extended_xmp=extended,
            orientation=orientation if 1 <= orientation <= 8 else 1,
        ),
        tuple(warnings),
    )


def for_output(
    metadata: PhotoMetadata,
    holds: frozenset[str],
    format_name: str,
    size: tuple[int, int],
    source: str,
    tool: str,
    *,
    thumbnail: bytes = b"",
    provenance: bool = True,
    strip: bool = False,
) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """What goes into an upright, coloured picture of ``size`` (width, height), and warnings about what cannot.

    ``holds`` names the fields that the output's format can hold. Orientation becomes 1, sizes and face regions are set
    right, thumbnails of the grey picture give way to ``thumbnail`` (a JPEG; empty: to none), and provenance is merged into
    the XMP and the keywords: made from ``source`` (a file name) by ``tool``. ``strip`` leaves nothing of the source's
    but its profile and resolution; the provenance then names no source.
    """
    warnings: list[str] = []
    if strip:
        source = ""
        metadata = PhotoMetadata(
            icc=metadata.icc, dpi=metadata.dpi, gamma=metadata.gamma, orientation=metadata.orientation
        )
    exif = upright_exif(metadata.exif, size, thumbnail) if metadata.exif else b""
    if format_name == "JPEG" and len(exif) > _JPEG_PAYLOAD - len(_EXIF_HEAD):
        exif = upright_exif(metadata.exif, size)
    mirrored = {} if "photoshop" in holds or "xmp" not in holds else iptc_as_xmp(metadata.photoshop)
    settings: dict[str, Any] = {"size": size, "orientation": metadata.orientation, "mirrored": mirrored}
    if provenance:
        xmp = provenance_xmp(metadata.xmp, source=source, tool=tool, **settings)
    else:
        xmp = upright_xmp(metadata.xmp, **settings)
    photoshop = _with_thumbnail(metadata.photoshop, thumbnail)
    if provenance:
        photoshop = with_iptc_keyword(photoshop, KEYWORD)
    out = dataclasses.replace(metadata, exif=exif, xmp=xmp, photoshop=photoshop, orientation=1)
    lost = [name for name in _CARRIED_NAMES if getattr(metadata, name) and name not in holds]
    if metadata.gamma is not None and "gamma" not in holds and abs(metadata.gamma - 0.45455) > 0.01:
        lost.append("gamma")
    if lost:
        named = ", ".join(_CARRIED_NAMES.get(name, "PNG gamma") for name in lost)
        if mirrored:
            named += " (what IPTC says is repeated in XMP)"
        warnings.append(f"{format_name} cannot hold this metadata of the source: {named}")
    if "xmp" not in holds and provenance:
        warnings.append(f"{format_name} cannot hold the note that this picture was coloured by a program")
    if format_name == "JPEG":
        if len(out.exif) > _JPEG_PAYLOAD - len(_EXIF_HEAD):
            warnings.append("the EXIF block is larger than a JPEG segment and is not carried over")
            out = dataclasses.replace(out, exif=b"")
        if len(out.xmp) > _JPEG_PAYLOAD - len(_XMP_HEAD):
            warnings.append("the XMP packet is larger than a JPEG segment; only the provenance is written")
            bare = provenance_xmp(b"", size=size, source=source, tool=tool) if provenance else b""
            out = dataclasses.replace(out, xmp=bare, extended_xmp=())
    empty = PhotoMetadata()
    dropped = {name: getattr(empty, name) for name in (*_CARRIED_NAMES, "gamma") if name not in holds}
    return dataclasses.replace(out, **dropped), tuple(warnings)


_CARRIED_NAMES: Mapping[str, str] = {
    "exif": "EXIF",
    "icc": "the colour profile",
    "xmp": "XMP",
    "extended_xmp": "extended XMP",
    "photoshop": "IPTC and Photoshop resources",
    "comment": "the comment",
    "text": "PNG text",
}


# EXIF -----------------------------------------------------------------------------------------------------------------


def exif_orientation(exif: bytes) -> int:
    """Orientation 1…8 of a TIFF structure, 1 where it says nothing. Raises ValueError for a damaged structure."""
    order, entries, _ = _first_directory(exif)
    value = _number(exif, order, entries.get(_ORIENTATION))
    return value if value is not None and 1 <= value <= 8 else 1


def first_directory_has(tiff: bytes, tag: int) -> bool:
    """Whether the first directory of a TIFF structure has a tag; False for a damaged one."""
    try:
        return tag in _first_directory(tiff)[1]
    except ValueError:
        return False


def as_stored(tiff: bytes) -> bytes:
    """A TIFF file that says Orientation 1, for decoders that would turn it; BigTIFF is left as it is."""
    try:
        order, entries, _ = _first_directory(tiff)
    except ValueError:
        return tiff
    if _number(tiff, order, entries.get(_ORIENTATION)) in (None, 1):
        return tiff
    out = bytearray(tiff)
    _set_number(out, order, entries[_ORIENTATION], 1)
    return bytes(out)


def upright_exif(exif: bytes, size: tuple[int, int], thumbnail: bytes = b"") -> bytes:
    """The same block with Orientation 1, sizes set to ``size`` (width, height) where given, and the thumbnail replaced.

    Only these bytes change and none moves, so maker notes with absolute offsets stay readable. A thumbnail at the
    block's end (where cameras put it) is cut off, elsewhere it is blanked; the new one, a JPEG, goes to the end. Without
    one, or for an uncompressed thumbnail, its directory is unlinked. Raises ValueError for a damaged structure.
    """
    order, entries, link = _first_directory(exif)
    out = bytearray(exif)
    width, height = size
    _set_number(out, order, entries.get(_ORIENTATION), 1)
    _set_number(out, order, entries.get(0x0100), width)
    _set_number(out, order, entries.get(0x0101), height)
    try:
        nested, _ = _directory(exif, order, _number(exif, order, entries.get(_EXIF_IFD)) or len(exif))
    except ValueError:
        nested = {}  # none, or a damaged one: its bytes are kept as they are
    _set_number(out, order, nested.get(0xA002), width)
    _set_number(out, order, nested.get(0xA003), height)
    if link + 4 <= len(out):
        (second,) = struct.unpack_from(order + "L", out, link)
        if second and not _replace_thumbnail(out, order, second, thumbnail):
            struct.pack_into(order + "L", out, link, 0)
    return bytes(out)


def has_thumbnail(metadata: PhotoMetadata) -> bool:
    """Whether EXIF or Photoshop's resources hold a small copy of the picture."""
    try:
        order, _, link = _first_directory(metadata.exif)
        if link + 4 <= len(metadata.exif) and struct.unpack_from(order + "L", metadata.exif, link)[0]:
            return True
    except ValueError:
        pass
    return any(_resource(metadata.photoshop, number) for number in _THUMBNAIL_RESOURCES)


def _has_orientation(exif: bytes) -> bool:
    return bool(exif) and _ORIENTATION in _first_directory(exif)[1]


_Entry = tuple[int, int, int]  # type, count, position of the value field


def _first_directory(exif: bytes) -> tuple[str, dict[int, _Entry], int]:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        raise ValueError("no TIFF header")
    (offset,) = struct.unpack_from(order + "L", exif, 4)
    return (order, *_directory(exif, order, offset))


def _directory(exif: bytes | bytearray, order: str, offset: int) -> tuple[dict[int, _Entry], int]:
    """The entries of the directory at ``offset``, and where its link to the next directory stands."""
    entries: dict[int, _Entry] = {}
    try:
        (count,) = struct.unpack_from(order + "H", exif, offset)
        for at in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHL", exif, at)
            entries.setdefault(tag, (kind, number, at + 8))
    except struct.error:
        raise ValueError("it ends inside a directory") from None
    if entries and max(position for _, _, position in entries.values()) + 4 > len(exif):
        raise ValueError("it ends inside a directory")
    return entries, offset + 2 + 12 * count


def _number(exif: bytes | bytearray, order: str, entry: _Entry | None) -> int | None:
    if entry is None or entry[1] != 1 or entry[0] not in (3, 4):
        return None
    value: int = struct.unpack_from(order + ("H" if entry[0] == 3 else "L"), exif, entry[2])[0]
    return value


def _set_number(exif: bytearray, order: str, entry: _Entry | None, value: int) -> None:
    if entry is not None and entry[1] == 1 and entry[0] in (3, 4) and not (entry[0] == 3 and value > 0xFFFF):
        struct.pack_into(order + ("H" if entry[0] == 3 else "L"), exif, entry[2], value)


def _replace_thumbnail(exif: bytearray, order: str, directory: int, thumbnail: bytes) -> bool:
    """Whether the new thumbnail stands in the place of the old one; if not, there is none any more."""
    try:
        entries, _ = _directory(exif, order, directory)
    except ValueError:
        return False
    start = _number(exif, order, entries.get(_THUMBNAIL_OFFSET))
    length = _number(exif, order, entries.get(_THUMBNAIL_LENGTH))
    if not start or not length or start + length > len(exif):
        return False
    padding = 4  # bytes that writers leave after the last value
    if start + length + padding >= len(exif):
        del exif[start:]
    else:
        exif[start : start + length] = bytes(length)
    places = (entries[_THUMBNAIL_OFFSET], entries[_THUMBNAIL_LENGTH])
    if not thumbnail or any(kind != 4 for kind, _, _ in places) or max(place[2] for place in places) + 4 > len(exif):
        return False
    exif += b"\0" * (len(exif) % 2)
    _set_number(exif, order, places[0], len(exif))
    _set_number(exif, order, places[1], len(thumbnail))
    _set_number(exif, order, entries.get(_ORIENTATION), 1)
    exif += thumbnail
    return True


# ICC ------------------------------------------------------------------------------------------------------------------


def profile_space(icc: bytes) -> str:
    """The colour space of the pixels that a profile is for: RGB, GRAY, CMYK, Lab …; empty for no profile."""
    return icc[16:20].decode("latin-1").strip() if len(icc) >= 128 and icc[36:40] == b"acsp" else ""


def grey_codes_as_srgb(icc: bytes, bits: int) -> NDArray[Any]:
    """Table from the codes of a GRAY profile to full-range sRGB grey codes of the same lightness, ``(2^bits,)``.

    Evaluates the profile's grey curve (ICC.1:2010 §8.4, §10.5 curveType, §10.16 parametricCurveType) in double
    precision, so 16-bit pictures keep their depth. Raises ValueError where the profile has no such curve.
    """
    codes = (1 << bits) - 1
    device = np.linspace(0.0, 1.0, codes + 1)
    out = _tone_curve(icc, device)
    if icc[20:24] == b"Lab ":  # the curve gives L*/100
        f = (out * 100.0 + 16.0) / 116.0
        out = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 108 / 841)
    srgb = linear_to_srgb(torch.from_numpy(np.clip(out, 0.0, 1.0))).numpy()
    return np.rint(srgb * codes).astype(np.uint8 if bits == 8 else np.uint16)


def _tone_curve(icc: bytes, x: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        (count,) = struct.unpack_from(">L", icc, 128)
        tags = {icc[at : at + 4]: struct.unpack_from(">LL", icc, at + 4) for at in range(132, 132 + 12 * count, 12)}
        start, length = tags[b"kTRC"]
        curve = icc[start : start + length]
        if curve[:4] == b"curv":
            (points,) = struct.unpack_from(">L", curve, 8)
            if points == 0:
                return x
            table = np.array(struct.unpack_from(f">{points}H", curve, 12), np.float64)
            if points == 1:
                return np.asarray(x ** (table[0] / 256.0))
            return np.interp(x, np.linspace(0.0, 1.0, points), table / 65535.0)
        if curve[:4] == b"para":
            (kind,) = struct.unpack_from(">H", curve, 8)
            given = [value / 65536.0 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}l", curve, 12)]
            return _parametric(kind, given, x)
    except (struct.error, KeyError, IndexError):
        pass
    raise ValueError("the profile has no grey curve")


def _parametric(kind: int, given: list[float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Function types 0 to 4 of ICC.1:2010 table 65: (a·x + b)^g + e above a break d, c·x + f below."""
    g, a, b, c, d, e, f = 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 0:
        (g,) = given
    elif kind == 1:
        g, a, b = given
        d = -b / a if a else 0.0
    elif kind == 2:
        g, a, b, c = given
        d, e, f, c = (-b / a if a else 0.0), c, c, 0.0
    elif kind == 3:
        g, a, b, c, d = given
    else:
        g, a, b, c, d, e, f = given
    return np.where(x >= d, np.maximum(a * x + b, 0.0) ** g + e, c * x + f)


# Containers -----------------------------------------------------------------------------------------------------------


def embed_in_jpeg(encoded: bytes, metadata: PhotoMetadata) -> bytes:
    """``encoded`` (as Pillow writes it: SOI, JFIF, …) with the metadata spliced in behind the JFIF segment."""
    segments: list[tuple[int, bytes]] = []
    if metadata.exif:
        segments.append((0xE1, _EXIF_HEAD + metadata.exif))
    if metadata.xmp:
        segments.append((0xE1, _XMP_HEAD + metadata.xmp))
    segments += [(0xE1, payload) for payload in metadata.extended_xmp]
    chunk = _JPEG_PAYLOAD - len(_ICC_HEAD) - 2
    pieces = [metadata.icc[at : at + chunk] for at in range(0, len(metadata.icc), chunk)]
    segments += [(0xE2, _ICC_HEAD + bytes((i + 1, len(pieces))) + piece) for i, piece in enumerate(pieces)]
    chunk = _JPEG_PAYLOAD - len(_PHOTOSHOP_HEAD)
    for at in range(0, len(metadata.photoshop), chunk):
        segments.append((0xED, _PHOTOSHOP_HEAD + metadata.photoshop[at : at + chunk]))
    if metadata.comment:
        segments.append((0xFE, metadata.comment[:_JPEG_PAYLOAD]))
    at = 2
    if encoded[2:4] == b"\xff\xe0":
        at = 4 + struct.unpack_from(">H", encoded, 4)[0]
    spliced = b"".join(
        b"\xff" + bytes((marker,)) + struct.pack(">H", len(body) + 2) + body for marker, body in segments
    )
    return encoded[:at] + spliced + encoded[at:]


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
        chunks.append(_international_text(_PNG_XMP_KEY, metadata.xmp))
    if metadata.photoshop:
        digits = metadata.photoshop.hex()
        lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
        body = f"\niptc\n{len(metadata.photoshop):8}\n{lines}\n".encode()
        chunks.append((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(body)))
    text = metadata.text
    if metadata.comment:
        text += (("Comment", metadata.comment.decode("utf-8", "replace")),)
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


def tiff_directory(
    metadata: PhotoMetadata,
    storage: Mapping[int, Any],
    strip_offsets: tuple[int, ...],
    start: int,
    order: Literal["<", ">"] = "<",
) -> tuple[bytes, int]:
    """A page's directory with ``storage`` tags and metadata, to stand at ``start`` of a TIFF file in struct's ``order``.

    Also returns where in it the link to the next page is.
    """
    directory = Image.Exif()
    if metadata.exif:
        directory.load(_EXIF_HEAD + metadata.exif)
        for tag in STORAGE_TAGS & set(directory):
            del directory[tag]
    directory.endian = order
    directory[_ORIENTATION] = 1
    if metadata.dpi:
        directory[282], directory[283], directory[296] = (*metadata.dpi, 2)
    for tag, value in (
        (_TIFF_XMP, metadata.xmp),
        (_TIFF_ICC, metadata.icc),
        (_TIFF_PHOTOSHOP, _without_iptc(metadata.photoshop)),
        (_TIFF_IPTC, _resource(metadata.photoshop, _IPTC_RESOURCE)),
        (_STRIP_OFFSETS, strip_offsets),
        *storage.items(),
    ):
        if value:
            directory[tag] = value
    out = bytearray(directory.tobytes(start)[len(_EXIF_HEAD) + 8 :])  # without EXIF's and TIFF's head
    # Pillow moves the strip offsets behind the directory, where its own writer puts the pixels; ours are in front.
    entries, link = _directory(out, order, 0)
    _, count, at = entries[_STRIP_OFFSETS]
    if count > 1:
        at = struct.unpack_from(f"{order}L", out, at)[0] - start
    struct.pack_into(f"{order}{count}L", out, at, *strip_offsets)
    return bytes(out), link


def _international_text(key: str, value: bytes) -> tuple[bytes, bytes]:
    return b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + value


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, payload) of each segment before the first scan; stops where the file stops making sense."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if marker in (0xD9, 0xDA):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)


def _read_jpeg_segments(data: bytes, warnings: list[str]) -> tuple[bytes, tuple[bytes, ...]]:
    """Photoshop's resources joined over their segments, and the segments that continue the XMP."""
    photoshop, extended = b"", []
    for marker, payload in jpeg_segments(data):
        if marker == 0xED and payload.startswith(_PHOTOSHOP_HEAD):
            photoshop += payload[len(_PHOTOSHOP_HEAD) :]
        elif marker == 0xE1 and payload.startswith(_EXTENDED_XMP_HEAD):
            extended.append(payload)
        elif marker == 0xEB and b"jumb" in payload[:64]:
            notice = "the content credentials (C2PA) describe the unchanged file and are not carried over"
            if notice not in warnings:
                warnings.append(notice)
    return photoshop, tuple(extended)


def _tiff_blocks(image: Image.Image, data: bytes) -> tuple[bytes, bytes, bytes]:
    """EXIF without the storage tags, XMP and Photoshop's resources of a TIFF file."""
    source, kept = image.getexif(), Image.Exif()
    for tag, value in source.items():
        if tag not in STORAGE_TAGS and tag not in (_EXIF_IFD, _GPS_IFD):
            kept[tag] = value
    for tag in (_EXIF_IFD, _GPS_IFD):
        nested = source.get_ifd(tag)
        if nested:
            kept.get_ifd(tag).update(nested)
    exif = kept.tobytes().removeprefix(_EXIF_HEAD) if len(kept) or kept.get_ifd(_EXIF_IFD) else b""
    photoshop = _bytes(source.get(_TIFF_PHOTOSHOP))
    # Some writers call IPTC's bytes LONG, of which Pillow keeps the first one.
    iptc = tag_bytes(data, _TIFF_IPTC) or _bytes(source.get(_TIFF_IPTC))
    if iptc and not _resource(photoshop, _IPTC_RESOURCE):
        photoshop += _pack_resource(_IPTC_RESOURCE, b"\0\0", iptc)
    return exif, _bytes(source.get(_TIFF_XMP)), photoshop


def _resources(blocks: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(id, padded name, data) of Photoshop's image resources. Raises ValueError where they are damaged."""
    at = 0
    while at + 12 <= len(blocks):
        if blocks[at : at + 4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
            raise ValueError("no resource signature")
        (number,) = struct.unpack_from(">H", blocks, at + 4)
        name_end = at + 6 + (blocks[at + 6] + 2) // 2 * 2
        if name_end + 4 > len(blocks):
            raise ValueError("cut resource")
        (length,) = struct.unpack_from(">L", blocks, name_end)
        start = name_end + 4
        if start + length > len(blocks):
            raise ValueError("cut resource")
        yield number, blocks[at + 6 : name_end], blocks[start : start + length]
        at = start + length + length % 2


def _pack_resource(number: int, name: bytes, body: bytes) -> bytes:
    return b"8BIM" + struct.pack(">H", number) + name + struct.pack(">L", len(body)) + body + b"\0" * (len(body) % 2)


def _resource(blocks: bytes, wanted: int) -> bytes:
    try:
        return next((body for number, _, body in _resources(blocks) if number == wanted), b"")
    except ValueError:
        return b""


def _with_thumbnail(blocks: bytes, thumbnail: bytes) -> bytes:
    """The resources with ``thumbnail`` (a JPEG) in the place of the grey picture's; damaged ones are left as they are."""
    try:
        found = list(_resources(blocks))
    except ValueError:
        return blocks
    if not any(number in _THUMBNAIL_RESOURCES for number, _, _ in found):
        return blocks
    kept = [block for block in found if block[0] not in _THUMBNAIL_RESOURCES]
    if thumbnail:
        with Image.open(io.BytesIO(thumbnail)) as image:
            width, height = image.size
        line = (width * 24 + 31) // 32 * 4
        head = struct.pack(">LLLLLLHH", 1, width, height, line, line * height, len(thumbnail), 24, 1)
        kept.append((0x040C, b"\0\0", head + thumbnail))
    return b"".join(_pack_resource(*block) for block in kept)


def _without_iptc(blocks: bytes) -> bytes:
    """The resources for a TIFF file, which has a tag for IPTC; damaged ones are left as they are."""
    try:
        return b"".join(_pack_resource(*block) for block in _resources(blocks) if block[0] != _IPTC_RESOURCE)
    except ValueError:
        return blocks


def with_iptc_keyword(blocks: bytes, keyword: str) -> bytes:
    """The resources with one more IPTC keyword, if they hold IPTC; and IPTC's digest (0x0425) made true again."""
    iptc = _resource(blocks, _IPTC_RESOURCE)
    if not iptc or keyword in _iptc_texts(iptc).get(_IPTC_KEYWORD, ()):
        return blocks
    added = (
        iptc.rstrip(b"\0") + b"\x1c" + bytes((2, _IPTC_KEYWORD)) + struct.pack(">H", len(keyword)) + keyword.encode()
    )
    new = {_IPTC_RESOURCE: added, _IPTC_DIGEST: hashlib.md5(added, usedforsecurity=False).digest()}
    return b"".join(_pack_resource(number, name, new.get(number, body)) for number, name, body in _resources(blocks))


_IPTC_DIGEST, _IPTC_KEYWORD = 0x0425, 25
# IPTC-IIM 4.2's datasets of record 2 and the XMP properties that mean the same (IPTC Photo Metadata, appendix).
_IPTC_TO_XMP = {
    5: ("dc", "title"),
    25: ("dc", "subject"),
    40: ("photoshop", "Instructions"),
    80: ("dc", "creator"),
    90: ("photoshop", "City"),
    95: ("photoshop", "State"),
    101: ("photoshop", "Country"),
    105: ("photoshop", "Headline"),
    110: ("photoshop", "Credit"),
    115: ("photoshop", "Source"),
    116: ("dc", "rights"),
    120: ("dc", "description"),
}


def iptc_as_xmp(blocks: bytes) -> dict[tuple[str, str], list[str]]:
    """What IPTC says, as XMP properties by (prefix, name), for formats that have no place for IPTC."""
    texts = _iptc_texts(_resource(blocks, _IPTC_RESOURCE))
    return {name: texts[dataset] for dataset, name in _IPTC_TO_XMP.items() if dataset in texts}


def _iptc_texts(iptc: bytes) -> dict[int, list[str]]:
    """The texts of record 2 by dataset, up to where the block makes no sense."""
    found: dict[int, list[str]] = {}
    utf8, at = b"\x1c\x01\x5a" in iptc[:64], 0  # 1:90 names the character set; in practice UTF-8 or none
    while at + 5 <= len(iptc) and iptc[at] == 0x1C:
        record, dataset, length = struct.unpack_from(">BBH", iptc, at + 1)
        if length & 0x8000 or at + 5 + length > len(iptc):
            break
        if record == 2:
            body = iptc[at + 5 : at + 5 + length]
            try:
                text = body.decode("utf-8")
            except UnicodeDecodeError:
                text = body.decode("utf-8" if utf8 else "latin-1", "replace")
            found.setdefault(dataset, []).append(text)
        at += 5 + length
    return found


def _raw_profile(image: Image.Image, kind: str) -> bytes:
    """What ImageMagick and exiftool store as hexadecimal text in PNG: a line break, the kind, the length, the digits."""
    text = getattr(image, "text", {}).get(f"Raw profile type {kind}", "")
    try:
        return bytes.fromhex("".join(str(text).split("\n")[3:]))
    except ValueError:
        return b""


def _png_text(image: Image.Image) -> tuple[tuple[str, str], ...]:
    text = getattr(image, "text", None) if image.format == "PNG" else None
    if not isinstance(text, dict):
        return ()
    kept = ((str(key), str(value)) for key, value in text.items())
    return tuple((key, value) for key, value in kept if key != _PNG_XMP_KEY and not key.startswith("Raw profile type"))


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    if image.format == "TIFF" and 282 not in getattr(image, "tag_v2", {}):
        return None  # Pillow makes it (1, 1)
    try:
        x, y = (float(value) for value in image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    usable = all(math.isfinite(value) and 2.0 <= value <= 100_000.0 for value in (x, y))  # dots per inch; 1 is a ratio
    return (x, y) if usable else None


def _bytes(value: Any) -> bytes:
    """Pillow hands the same field over as bytes or text, depending on the format."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""
