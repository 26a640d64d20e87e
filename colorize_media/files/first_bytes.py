"""What files begin with: the one table by which content is told, for photographs and films alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

from colorize_media.files.boxes import HEIC_BRANDS
from colorize_media.files.formats import FORMAT_SUFFIXES, UNREADABLE_SUFFIXES


@dataclass(frozen=True)
class FirstBytes:
    """``pattern`` of a format's first bytes.

    format  one of FORMAT_SUFFIXES or UNREADABLE_SUFFIXES, RAW, or a container of films
    sure    long enough to be believed whatever the file is called
    title   what a file is said to begin like that cannot be read; nothing where the bytes are too few to say so
    """

    format: str
    pattern: bytes
    sure: bool = True
    title: str = ""


PHOTO_FORMATS = FORMAT_SUFFIXES.keys() | UNREADABLE_SUFFIXES.keys() | {"RAW"}
MOST_BYTES = 2048  # of a file's beginning that any line looks at
# The first one that fits counts.
FIRST_BYTES = (
    FirstBytes("JPEG", rb"\xff\xd8\xff", title="JPEG"),
    FirstBytes("PNG", rb"\x89PNG", title="PNG"),
    FirstBytes("RAW", rb"II\*\0....CR"),  # Canon's, built like a TIFF
    FirstBytes("TIFF", rb"II\*\0|MM\0\*|II\+\0\x08\0\0\0|MM\0\+\0\x08\0\0", title="TIFF"),
    FirstBytes("GIF", rb"GIF8", title="GIF"),
    FirstBytes("WEBP", rb"RIFF....WEBP"),
    FirstBytes("JPEG2000", rb"\0\0\0\x0cjP  ", title="JPEG 2000"),
    FirstBytes("JPEG2000", rb"\xff\x4f\xff\x51"),  # a bare stream
    FirstBytes("BMP", rb"BM", sure=False, title="BMP"),
    FirstBytes("PPM", rb"P[1-6]\s", sure=False, title="PPM"),
    FirstBytes("PSD", rb"8BPS\0\x01", title="PSD"),
    FirstBytes("DPX", rb"SDPX....V|XPDS....V", title="DPX"),
    FirstBytes("SGI", rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]", title="SGI"),
    FirstBytes("SUN", rb"\x59\xa6\x6a\x95", title="SUN"),
    FirstBytes("PCX", rb"\x0a[\0\x02-\x05]\x01[\x01\x02\x04\x08]", sure=False, title="PCX"),
    FirstBytes("ICO", rb"\0\0\x01\0[\x01-\x40]\0", sure=False, title="ICO"),
    FirstBytes("JPEG XL", rb"\0\0\0\x0cJXL \r\n\x87\n"),
    FirstBytes("JPEG XL", rb"\xff\x0a", sure=False),  # a bare stream
    FirstBytes("JPEG XR", rb"II\xbc[\0\x01]"),
    FirstBytes("OpenEXR", rb"v/1\x01"),
    FirstBytes("Radiance HDR", rb"#\?(RADIANCE|RGBE)\n"),
    FirstBytes("floating-point PFM", rb"P[fF]\s", sure=False),
    FirstBytes("PAM", rb"P7\nWIDTH|P7\n#", sure=False),
    FirstBytes("Photoshop PSB", rb"8BPS\0\x02"),
    FirstBytes("GIMP's XCF", rb"gimp xcf "),
    FirstBytes("Cineon", rb"\x80\x2a\x5f\xd7"),
    FirstBytes("BPG", rb"BPG\xfb"),
    FirstBytes("FLIF", rb"FLIF[1-F]", sure=False),
    FirstBytes("QOI", rb"qoif"),
    FirstBytes("AVIF", rb"....ftypavif"),
    FirstBytes("HEIC", rb"....ftyp(%b)" % b"|".join(sorted(HEIC_BRANDS))),
    FirstBytes("RAW", rb"....ftypcrx "),
    FirstBytes("RAW", rb"FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\0|FOVb|\0MRM|II\x1a\0\0\0HEAPCCDR", sure=False),
    FirstBytes("MP4", rb"....ftyp"),
    FirstBytes("MP4", rb"\0...(moov|mdat|wide|free|skip|pnot)"),  # older QuickTime
    FirstBytes("MP4", rb"....(moov|mdat|wide|free|skip)", sure=False),  # … cut at its beginning
    FirstBytes("MKV", rb"\x1aE\xdf\xa3"),
    FirstBytes("AVI", rb"RIFF....(AVI |AMV )"),
    FirstBytes("MPEG", rb"RIFF....CDXA"),  # of a video CD
    FirstBytes("OGG", rb"OggS.{24,80}(\x80theora|OVP80|BBCD)"),  # others are sound
    FirstBytes("OGG", rb"OggS", sure=False),
    FirstBytes("FLV", rb"FLV\x01[\x01\x05]"),  # its flags say that there is a picture
    FirstBytes("FLV", rb"FLV\x01", sure=False),
    FirstBytes("ASF", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # WMV, and television recordings of Windows
    FirstBytes("ASF", rb"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d"),  # the later ones, WTV
    FirstBytes("MPEG", rb"\0\0\x01(\xba[\x21-\x2f\x44-\x7f]|\xb3)"),
    FirstBytes("MPEG", rb"\0\0\x01[\xb3\xba]", sure=False),
    # Packets of 188 bytes, in M2TS after 4 bytes of time, from the first whole one on.
    FirstBytes("MPEGTS", rb".{0,191}?(\x47.{187}){6}"),
    FirstBytes("MPEGTS", rb".{0,191}?(\x47.{191}){6}"),
    FirstBytes("MPEGTS", rb"\x47.{187}\x47", sure=False),
    FirstBytes("DV", rb"\x1f\x07\0[\x3f\xbf]"),
    FirstBytes("MXF", rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"),
    FirstBytes("GXF", rb"\0{4}\x01\xbc.{4}\0{4}\xe1\xe2"),
    FirstBytes("RM", rb"\.RMF\0\0\0"),
    FirstBytes("Y4M", rb"YUV4MPEG2 "),
    FirstBytes("IVF", rb"DKIF\0\0"),
    FirstBytes("NUT", rb"nut/multimedia container\0"),
    FirstBytes("BINK", rb"BIK[b-i]|KB2[a-i]|SMK[24]"),  # films of games
)


def begins_like(head: bytes) -> FirstBytes | None:
    """What a file with these first bytes is, as far as they say: 32 are enough, but for transport streams and Ogg."""
    return next((known for known in FIRST_BYTES if re.match(known.pattern, head, re.DOTALL)), None)


def is_text(head: bytes) -> bool:
    """Whether these bytes could be a text: none of them is a control character but those of lines and columns."""
    return bool(head) and not re.search(rb"[^\t\n\f\r\x20-\x7e\x80-\xff]", head)
