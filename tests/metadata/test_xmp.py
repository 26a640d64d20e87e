"""XMP packets: set right, provenance merged in, the rest kept as it was; hostile ones refused."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from colorize_media.metadata.xmp import Packet, provenance_xmp, upright_xmp
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from colorize_media.provenance.packet import DIGITAL_SOURCE_TYPE, KEYWORD
from tests.made.photos import (
    TURNS,
    brown,
    color_picture,
    encoded,
    grey_picture,
    save,
    written,
)
from tests.made.pictures import grey, pillow
from tests.made.records import BY, TOOL, made_record

LIMIT = 10_000_000  # pixels
OLD_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Some Tool">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="uuid:1" xmlns:weird="http://ns.adobe.com/xap/1.0/"
  xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:mine="urn:mine" weird:Rating="4" weird:CreatorTool="Old Scanner 2" mine:keep="yes">
   <dc:subject><rdf:Bag><rdf:li>Köln &amp; Bonn</rdf:li></rdf:Bag></dc:subject>
   <tiff:Orientation xmlns:tiff="http://ns.adobe.com/tiff/1.0/">6</tiff:Orientation>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def test_provenance_is_merged_and_the_rest_of_the_packet_stays() -> None:
    once = provenance_xmp(OLD_XMP.encode(), made_record(source="a & b.jpg"), size=(56, 40))
    text = once.decode()
    for kept in ('weird:Rating="4"', 'mine:keep="yes"', "Köln &amp; Bonn", 'x:xmptk="Some Tool"', "<dc:subject>"):
        assert kept in text
    assert ">1</tiff:Orientation>" in text
    assert 'CreatorTool="Old Scanner 2"' not in text
    assert DIGITAL_SOURCE_TYPE in text
    assert f'xmp:CreatorTool="{TOOL}"' in text
    assert "<stRef:filePath>a &amp; b.jpg</stRef:filePath>" in text
    assert text.count('rdf:about="uuid:1"') == 2, "both descriptions speak about the same picture"
    twice = provenance_xmp(once, made_record(source="c.jpg"), size=(56, 40)).decode()
    assert twice.count("DigitalSourceType=") == 1
    assert twice.count("stRef:filePath>") == 2
    assert "a &amp; b.jpg" not in twice


def test_extended_xmp_stays_with_its_packet(tmp_path: Path) -> None:
    data = encoded("JPEG", xmp=OLD_XMP.encode())
    extension = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">LL", 5, 0) + b"<x/>\n"
    segment = b"\xff\xe1" + struct.pack(">H", len(extension) + 2) + extension
    photo = read_photo(written(tmp_path / "in.jpg", data[:2] + segment + data[2:]), max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY) == ()
    assert segment in (tmp_path / "out.jpg").read_bytes()
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY)
    assert "extended XMP" in warning


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
MADE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (BOMB + MADE % b"&b;", "document type"),
        ((BOMB + MADE % b"&b;").decode().encode("utf-16"), "document type"),
        (MADE % (b"<a>" * 5000 + b"</a>" * 5000), "deeper"),
        (b"<html><body/></html>", "rdf:RDF"),
        (MADE[:-9] % b"", "not well-formed"),
    ],
)
def test_hostile_and_broken_xmp_is_refused_and_only_warned_about(tmp_path: Path, packet: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        provenance_xmp(packet, made_record(source="a"), size=(1, 1))
    source = save(tmp_path / "in.jpg", color_picture(), xmp=packet)
    photo = read_photo(source, max_pixels=LIMIT)
    assert any("XMP" in warning for warning in photo.warnings)
    write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    assert DIGITAL_SOURCE_TYPE.encode() in read_photo(tmp_path / "out.jpg", max_pixels=LIMIT).metadata.xmp


def test_orientation_only_in_xmp_is_applied_and_set_right(tmp_path: Path) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="3"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    upright = grey_picture()
    photo = read_photo(save(tmp_path / "in.png", np.rot90(upright, 2).copy(), pnginfo=info), max_pixels=LIMIT)
    assert np.array_equal(photo.luma, upright)
    write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY)
    assert b't:Orientation="1"' in read_photo(tmp_path / "out.png", max_pixels=LIMIT).metadata.xmp


def _packet(inside: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"{inside}</rdf:RDF></x:xmpmeta>"
    ).encode()


def test_history_and_keywords_are_appended_to_those_that_are_there() -> None:
    packet = _packet(
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:mm="http://ns.adobe.com/xap/1.0/mm/" xmlns:e="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#">'
        "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>"
        '<mm:History><rdf:Seq><rdf:li e:action="created"/></rdf:Seq></mm:History></rdf:Description>'
    )
    once = provenance_xmp(packet, made_record(source="a.jpg"), size=(1, 1))
    text = once.decode()
    assert re.search(r"<rdf:li>sea</rdf:li><rdf:li>colorized</rdf:li></rdf:Bag>", text)
    assert text.count("<mm:History>") == 1
    assert "xmpMM:History" not in text
    assert text.index('e:action="created"') < text.index("<stEvt:action")
    twice = provenance_xmp(once, made_record(source="a.jpg"), size=(1, 1)).decode()
    assert twice.count(f"<rdf:li>{KEYWORD}</rdf:li>") == 1
    assert twice.count("<stEvt:action") == 2, "each colouring is an event"
    assert twice.count("DerivedFrom rdf") == 1


def test_films_and_gain_maps_behind_the_picture_are_named_and_no_longer_promised(tmp_path: Path) -> None:
    packet = _packet(
        '<rdf:Description rdf:about="" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
        ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:C="http://ns.google.com/photos/1.0/container/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" GCamera:MotionPhoto="1" hdrgm:Version="1.0" xmp:Rating="3">'
        "<C:Directory><rdf:Seq/></C:Directory></rdf:Description>"
    )
    data = pillow("JPEG", grey(), xmp=packet)
    path = tmp_path / "in.jpg"
    path.write_bytes(data + b"\0\0\0\x18ftypmp42" + bytes(1000))
    photo = read_photo(path, max_pixels=LIMIT)
    assert any("motion photo" in warning for warning in photo.warnings)
    assert any("gain map" in warning for warning in photo.warnings)
    write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    xmp = read_photo(tmp_path / "out.jpg", max_pixels=LIMIT).metadata.xmp
    assert Packet(xmp).behind() == []
    assert b'xmp:Rating="3"' in xmp
    assert b"Directory" not in xmp


def test_no_packet_is_made_up_without_provenance() -> None:
    assert upright_xmp(b"", size=(1, 1)) == b""


def _box(picture: NDArray[Any]) -> tuple[float, float, float, float]:
    """Left, top, width, height of the white patch, in shares of the picture."""
    y, x = np.nonzero(picture > 240)
    height, width = picture.shape
    return (
        x.min() / width,
        y.min() / height,
        (x.max() + 1 - x.min()) / width,
        (y.max() + 1 - y.min()) / height,
    )


def _regions(box: tuple[float, float, float, float], size: tuple[int, int], as_elements: bool) -> str:
    left, top, w, h = box
    area = {"x": left + w / 2, "y": top + h / 2, "w": w, "h": h}
    if as_elements:
        inner = "".join(f"<a:{key}>{value}</a:{key}>" for key, value in area.items())
        face = f'<rdf:li rdf:parseType="Resource"><r:Area rdf:parseType="Resource">{inner}</r:Area></rdf:li>'
        applied = (
            f'<r:AppliedToDimensions rdf:parseType="Resource"><d:w>{size[0]}</d:w><d:h>{size[1]}</d:h>'
            "</r:AppliedToDimensions>"
        )
    else:
        inner = " ".join(f'a:{key}="{value}"' for key, value in area.items())
        face = f"<rdf:li><rdf:Description><r:Area {inner}/></rdf:Description></rdf:li>"
        applied = f'<r:AppliedToDimensions d:w="{size[0]}" d:h="{size[1]}"/>'
    rectangle = ", ".join(map(str, box))
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:r="http://www.metadataworkinggroup.com/schemas/regions/"'
        ' xmlns:a="http://ns.adobe.com/xmp/sType/Area#" xmlns:d="http://ns.adobe.com/xap/1.0/sType/Dimensions#"'
        ' xmlns:m="http://ns.microsoft.com/photo/1.2/" xmlns:mr="http://ns.microsoft.com/photo/1.2/t/Region#">'
        f'<r:Regions rdf:parseType="Resource">{applied}<r:RegionList><rdf:Bag>{face}</rdf:Bag></r:RegionList></r:Regions>'
        f'<m:RegionInfo rdf:parseType="Resource"><mr:Rectangle>{rectangle}</mr:Rectangle></m:RegionInfo>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("as_elements", [True, False])
def test_face_regions_stay_on_their_faces(tmp_path: Path, orientation: int, as_elements: bool) -> None:
    upright = grey(8, 64, 96) // 3
    upright[10:26, 50:58] = 255  # the face
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    packet = _regions(_box(stored), (stored.shape[1], stored.shape[0]), as_elements)
    Image.fromarray(stored).save(tmp_path / "in.webp", lossless=True, exif=exif, xmp=packet.encode())
    photo = read_photo(tmp_path / "in.webp", max_pixels=LIMIT)
    write_photo(
        photo, np.full((*photo.luma.shape, 2), 128, np.float32), tmp_path / "out.png", quality=90, provenance=BY
    )
    again = read_photo(tmp_path / "out.png", max_pixels=LIMIT)
    assert np.array_equal(again.luma, upright)
    left, top, w, h = _box(again.luma)
    text = again.metadata.xmp.decode()
    number = r"[>\"]([\d.e-]+)[<\"]"
    found = {key: float(re.search(rf"a:{key}=?{number}", text)[1]) for key in "xywh"}  # type: ignore[index]
    assert found == pytest.approx({"x": left + w / 2, "y": top + h / 2, "w": w, "h": h}, abs=1e-6)
    size = [float(re.search(rf"d:{key}=?{number}", text)[1]) for key in "wh"]  # type: ignore[index]
    assert size == [96, 64]
    rectangle = re.search(r"mr:Rectangle>([^<]+)<", text)
    assert rectangle is not None
    assert [float(part) for part in rectangle[1].split(",")] == pytest.approx([left, top, w, h], abs=1e-6)


@pytest.mark.parametrize("form", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("declared", [False, True])
def test_a_packet_in_wide_letters_is_read_and_written_as_utf_8(form: str, mark: str, declared: bool) -> None:
    text = (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Köln"/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    head = f'<?xml version="1.0" encoding="{form[:6].upper()}"?>' if declared else ""
    out = upright_xmp((mark + head + text).encode(form) + bytes(8), size=(10, 20))
    assert 'photoshop:City="Köln"' in out.decode("utf-8")


def test_wide_letters_that_are_cut_are_an_error() -> None:
    with pytest.raises(ValueError, match="UTF-16-LE"):
        upright_xmp("<x:xmpmeta".encode("utf-16-le") + b"\x00\xd8\x41\x00", size=(1, 1))
