"""Reads all that a picture carries beside its pixels, with Pillow and a walk over the file's own segments."""

from __future__ import annotations

import dataclasses

from PIL import Image
from PIL.ExifTags import Base

from colorize_media.metadata.carried import PhotoMetadata, as_bytes, metadata_of_blocks
from colorize_media.metadata.directories import tag_bytes
from colorize_media.metadata.exif import EXIF_HEAD
from colorize_media.metadata.iptc import IPTC, pack_resource, resource
from colorize_media.metadata.jpeg import behind_jpeg, jpeg_blocks, trailer_kind
from colorize_media.metadata.png import left_behind, png_text, raw_profile
from colorize_media.metadata.tiff import STORAGE_TAGS, is_resolution, tiff_blocks, tiff_resolution
from colorize_media.metadata.tiff_pages import exif_of


def read_metadata(image: Image.Image, data: bytes) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """Everything that is known about the picture, and warnings about what had to be left out.

    ``image`` is open, and loaded where its format is PNG (chunks may follow the pixels); ``data`` is the whole file.
    """
    warnings: tuple[str, ...] = ()
    info = image.info
    exif, xmp = as_bytes(info.get("exif")).removeprefix(EXIF_HEAD), as_bytes(info.get("xmp"))
    photoshop = b""
    extended: tuple[bytes, ...] = ()
    comments: tuple[bytes, ...] = (as_bytes(info["comment"]),) if image.format == "GIF" and info.get("comment") else ()
    segments: tuple[tuple[int, bytes], ...] = ()
    trailer = b""
    if image.format in ("JPEG", "MPO"):
        photoshop, extended, comments, segments, warnings = jpeg_blocks(data)
        trailer = behind_jpeg(data)
    elif image.format == "TIFF":
        exif, xmp, photoshop = tiff_blocks(image, data)
    elif image.format == "PNG":
        exif, xmp = (
            exif or raw_profile(image, "exif") or raw_profile(image, "APP1"),
            xmp or raw_profile(image, "xmp"),
        )
        photoshop = raw_profile(image, "iptc")
        if photoshop and not photoshop.startswith(b"8BIM"):
            photoshop = pack_resource(IPTC, b"\0\0", photoshop)
        warnings = left_behind(data)
    elif image.format == "JPEG2000" and b"uuid" in data[:1_000_000]:
        warnings = ("the JPEG 2000 file's own metadata boxes are not carried over",)
    given = as_bytes(info.get("icc_profile"))
    blocks, more = metadata_of_blocks(exif=exif, xmp=xmp, extended_xmp=extended, icc=given)
    warnings += tuple(told for told in more if told not in warnings)
    if kind := trailer_kind(trailer):
        trailer = b""
        # Pictures and films are named by the XMP packet or by the directory of further pictures (MPO), where these are.
        if image.format != "MPO" and not any("gain map" in told or "motion photo" in told for told in warnings):
            warnings += (f"{kind} {'are' if 'pictures' in kind or 'captions' in kind else 'is'} not carried over",)
    return (
        dataclasses.replace(
            blocks,
            photoshop=photoshop,
            comments=comments,
            segments=segments,
            trailer=trailer,
            text=png_text(image),
            dpi=_resolution(image),
            gamma=info["gamma"] if isinstance(info.get("gamma"), float) and not given and "srgb" not in info else None,
        ),
        warnings,
    )


def tiff_metadata(data: bytes) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """The same of a TIFF file that Pillow does not open, or not rightly: of its first directory, byte by byte."""
    warnings: tuple[str, ...] = ()
    try:
        exif = exif_of(data, lambda tag: tag in STORAGE_TAGS)
    except ValueError as problem:
        exif, warnings = b"", (f"the EXIF tags are damaged ({problem}) and are not carried over",)
    photoshop, iptc = tag_bytes(data, Base.ImageResources), tag_bytes(data, Base.IPTCNAA)
    if iptc and not resource(photoshop, IPTC):
        photoshop += pack_resource(IPTC, b"\0\0", iptc)
    xmp, icc = tag_bytes(data, Base.XMLPacket), tag_bytes(data, Base.InterColorProfile)
    blocks, more = metadata_of_blocks(exif=exif, xmp=xmp, icc=icc)
    return dataclasses.replace(blocks, photoshop=photoshop, dpi=tiff_resolution(data)), (*warnings, *more)


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    if image.format == "TIFF" and Base.XResolution not in getattr(image, "tag_v2", {}):
        return None  # Pillow makes it (1, 1)
    try:
        x, y = (float(value) for value in image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if is_resolution(x, y) else None
