"""What a photograph's file says in XMP, found without decoding a pixel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from PIL.ExifTags import Base

from colorize_media.errors import FileProblem
from colorize_media.metadata.carried import as_bytes
from colorize_media.metadata.directories import tag_bytes
from colorize_media.metadata.tiff_pages import pages_of
from colorize_media.photo.header import open_picture
from colorize_media.photo.quiet import quiet_decoders
from colorize_media.photo.read import read_file


def xmp_packets(path: Path, max_pixels: int) -> Iterator[bytes]:
    """The XMP packet of each page of a TIFF file, of any other picture the one that it has; none of what cannot be read."""
    with contextlib.suppress(FileProblem, OSError, ValueError, SyntaxError):
        data = read_file(path, max_pixels)
        if (pages := pages_of(data)) is not None:
            found = (tag_bytes(pages.alone(number), Base.XMLPacket) for number in range(len(pages.pages)))
            yield from (packet for packet in found if packet)
            return
        with quiet_decoders(), open_picture(path, data) as image:
            packet = as_bytes(image.info.get("xmp"))
        if packet:
            yield packet
