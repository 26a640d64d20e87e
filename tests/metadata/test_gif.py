"""GIF's XMP and colour profile, which stand in application extensions."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageCms

from colorize_media.metadata.gif import gif_blocks
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from tests.made.photos import neutral
from tests.made.pictures import grey, pillow

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _with(*extensions: bytes) -> bytes:
    """A GIF with application extensions in front of its picture."""
    plain = pillow("GIF", grey())
    at = 13 + (3 << (plain[10] & 7) + 1)
    return plain[:at] + b"".join(b"\x21\xff\x0b" + extension for extension in extensions) + plain[at:]


def _blocks(data: bytes) -> bytes:
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes((len(piece),)) + piece for piece in pieces) + b"\0"


MAGIC = b"\x01" + bytes(range(255, -1, -1)) + b"\0"


def test_xmp_and_profile_go_along(tmp_path: Path) -> None:
    data = _with(b"XMP DataXMP" + XMP + MAGIC, b"ICCRGBG1012" + _blocks(PROFILE), b"NETSCAPE2.0\x03\x01\0\0\0")
    assert gif_blocks(data) == (XMP, PROFILE)
    (tmp_path / "a.gif").write_bytes(data)
    photo = read_photo(tmp_path / "a.gif", max_pixels=1_000_000)
    write_photo(photo, neutral(photo), tmp_path / "b.png", quality=90, provenance=None)
    with Image.open(tmp_path / "b.png") as image:
        image.load()
        assert image.info["icc_profile"] == PROFILE
        assert b'xmp:Rating="4"' in image.info["xmp"]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_a_cut_file_has_what_is_whole(share: float) -> None:
    data = _with(b"XMP DataXMP" + XMP + MAGIC, b"ICCRGBG1012" + _blocks(PROFILE))
    assert gif_blocks(data[: int(len(data) * share)])[1] in (b"", PROFILE)
    assert gif_blocks(pillow("GIF", grey())) == (b"", b"")
