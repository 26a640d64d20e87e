"""What files begin with: the one table by which content is told, for photographs and films alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

from colorize_media.files.boxes import HEIC_BRANDS
from colorize_media.files.formats import FORMAT_SUFFIXES


@dataclass(frozen=True)
class FirstBytes:
    """``pattern`` of a format's first bytes.

    format  one of FORMAT_SUFFIXES, RAW, or a container of films
    sure    long enough to be believed whatever the file is called
    title   what a file is said to begin like that cannot be read; nothing where the bytes are too few to say so
    """

    format: str
    pattern: bytes
    sure: bool = True
    title: str = ""


PHOTO_FORMATS = FORMAT_SUFFIXES.keys() | {"RAW"}
# The first one that fits counts.
FIRST_BYTES = (
    FirstBytes("JPEG", rb"\xff\xd8\xff", title="JPEG"),
    FirstBytes("PNG", rb"\x89PNG", title="PNG"),
    FirstBytes("RAW", rb"II\*\0....CR"),  # Canon's, built like a TIFF
    FirstBytes("TIFF", rb"II\*\0|MM\0\*", title="TIFF"),
    FirstBytes("GIF", rb"GIF8", title="GIF"),
    FirstBytes("WEBP", rb"RIFF....WEBP"),
    FirstBytes("JPEG2000", rb"\0\0\0\x0cjP  ", title="JPEG 2000"),
    FirstBytes("JPEG2000", rb"\xff\x4f\xff\x51"),  # a bare stream
    FirstBytes("BMP", rb"BM", sure=False, title="BMP"),
    FirstBytes("PPM", rb"P[56]", sure=False),
    FirstBytes("AVIF", rb"....ftypavif"),
    FirstBytes("HEIC", rb"....ftyp(%b)" % b"|".join(sorted(HEIC_BRANDS))),
    FirstBytes("RAW", rb"....ftypcrx "),
    FirstBytes("RAW", rb"FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\0|FOVb|\0MRM|II\x1a\0\0\0HEAPCCDR", sure=False),
    FirstBytes("MP4", rb"....ftyp"),
    FirstBytes("MKV", rb"\x1aE\xdf\xa3"),
    FirstBytes("AVI", rb"RIFF....AVI "),
    FirstBytes(
        "MP4", rb"....(moov|mdat|wide|free|skip)", sure=False
    ),  # older QuickTime, and files cut at their beginning
    FirstBytes("OGG", rb"OggS", sure=False),
    FirstBytes("FLV", rb"FLV\x01", sure=False),
    FirstBytes("ASF", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", sure=False),
    FirstBytes("MPEG", rb"\x00\x00\x01[\xb3\xba]", sure=False),
    FirstBytes("MPEGTS", rb"\x47.{187}\x47", sure=False),  # needs a packet of 188 bytes
)


def begins_like(head: bytes) -> FirstBytes | None:
    """What a file with these first bytes is, as far as they say; 32 of them are enough, but for MPEG transport streams."""
    return next((known for known in FIRST_BYTES if re.match(known.pattern, head, re.DOTALL)), None)
