"""One table says what a file begins with; every format that can be written is told by it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from colorize_media.files.first_bytes import FIRST_BYTES, PHOTO_FORMATS, begins_like
from colorize_media.files.formats import FORMAT_SUFFIXES
from tests.made.pictures import grey, pillow

WITHOUT_ENCODER = {"HEIC", "RAW", "PSD", "SUN", "DPX"}  # of Pillow
WITHOUT_MARK = {"TGA", "JPEG-LS", "JPEG XS", "Kodak Photo CD", "Macintosh PICT", "Amiga IFF", "raw fax"}  # only a name


@pytest.mark.parametrize("name", sorted(FORMAT_SUFFIXES.keys() - WITHOUT_ENCODER - WITHOUT_MARK))
def test_every_format_is_told_by_what_its_encoder_writes(name: str) -> None:
    known = begins_like(pillow(name, Image.fromarray(grey()).convert("RGB"))[:32])
    assert known is not None
    assert known.format == name


def test_every_format_has_a_line() -> None:
    assert {known.format for known in FIRST_BYTES} >= PHOTO_FORMATS - WITHOUT_MARK


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"II*\0\x10\0\0\0CR\x02\0", "RAW"),
        (b"FUJIFILMCCD-RAW 0201", "RAW"),
        (b"\0\0\0\x18ftypcrx ", "RAW"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypisom", "MP4"),
        (b"RIFF\x0a\0\0\0AVI LIST", "AVI"),
        (b"8BPS\0\x01\0\0", "PSD"),
        (b"8BPS\0\x02\0\0", "Photoshop PSB"),
        (b"\x59\xa6\x6a\x95", "SUN"),
        (b"SDPX\0\0\x08\0V1.0", "DPX"),
        (b"XPDS\0\x08\0\0V2.0", "DPX"),
        (b"II+\0\x08\0\0\0", "TIFF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"RIFF\x0a\0\0\0WEBPVP8 ", "WEBP"),
    ],
)
def test_what_shares_its_beginning_is_told_apart(head: bytes, name: str) -> None:
    known = begins_like(head)
    assert known is not None
    assert known.format == name


def test_words_are_no_format() -> None:
    for head in (b"", b"\xff\xd8", b"GIF", b"RIFF\0\0\0\0WAVE", np.random.default_rng(4).bytes(32)):
        assert begins_like(head) is None
