"""What a photograph says beside its pixels, before and after: compared tag by tag with the exiftool program where it is
installed; face regions that stay on their faces; provenance that can be left out.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_media.metadata.carried import PhotoMetadata, has_thumbnail
from colorize_media.metadata.exif import upright_exif
from colorize_media.metadata.iptc import iptc_as_xmp, with_iptc_keyword
from colorize_media.metadata.output import Provenance
from colorize_media.metadata.xmp import KEYWORD, Packet, provenance_xmp, upright_xmp
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from tests.made.photos import TURNS, brown
from tests.made.pictures import grey, pillow

LIMIT = 1_000_000  # pixels
TOOL = "colorize-media 0.test"
BY = Provenance(TOOL)
SUFFIXES = [".jpg", ".png", ".tif", ".webp", ".avif"]


def colored(source: Path, target: Path, provenance: Provenance | None = BY) -> tuple[str, ...]:
    photo = read_photo(source, max_pixels=LIMIT)
    return write_photo(photo, brown(photo), target, quality=95, provenance=provenance)


def stripped(source: Path, target: Path, provenance: Provenance | None) -> None:
    photo = read_photo(source, max_pixels=LIMIT).stripped()
    assert write_photo(photo, brown(photo), target, quality=95, provenance=provenance) == ()


# With exiftool --------------------------------------------------------------------------------------------------------


def _exiftool(*arguments: str) -> str:
    if shutil.which("exiftool") is None:
        pytest.skip("the exiftool program is not installed (Debian: libimage-exiftool-perl)")
    return subprocess.run(["exiftool", *arguments], capture_output=True, text=True, check=False).stdout


def _rich(path: Path) -> Path:
    """A grey picture, stored lying, with what cameras and catalogue programs write."""
    stored = Image.fromarray(grey(8, 96, 128))
    stored.convert("RGB" if path.suffix in (".jpg", ".avif") else "L").save(path, quality=95)
    small = path.with_name("thumb.jpg")
    stored.resize((64, 48)).save(small)
    _exiftool(
        "-q",
        "-overwrite_original",
        "-Make=Maker",
        "-Model=Camera",
        "-Orientation#=6",
        "-DateTimeOriginal=1921:05:04 10:00:00",
        "-GPSLatitude=59.9",
        "-GPSLatitudeRef=N",
        "-GPSLongitude=10.7",
        "-GPSLongitudeRef=E",
        "-UserComment=grandmother",
        "-Artist=Ann",
        "-ISO=100",
        "-FNumber=5.6",
        "-LensModel=L",
        "-IPTC:Keywords=family",
        "-IPTC:Keywords=oslo",
        "-IPTC:Caption-Abstract=At the sea",
        "-IPTC:City=Oslo",
        "-XMP-dc:Subject=family",
        "-XMP-dc:Title=Sea",
        "-XMP-xmp:Rating=4",
        "-XMP-lr:HierarchicalSubject=people|family|Ann",
        "-XMP-digiKam:TagsList=people/Ann",
        "-XMP-mwg-rs:RegionInfo={AppliedToDimensions={W=128,H=96,Unit=pixel},RegionList=[{Area={X=0.25,Y=0.3,W=0.2,H=0.1,"
        "Unit=normalized},Name=Ann,Type=Face}]}",
        "-XMP-MP:RegionInfoMP={Regions=[{Rectangle=0.1|, 0.2|, 0.3|, 0.15,PersonDisplayName=Ann}]}",
        f"-ThumbnailImage<={small}",
        str(path),
    )
    return path


def _tags(path: Path) -> dict[str, Any]:
    (found,) = json.loads(_exiftool("-j", "-G1", "-a", "-struct", "-n", str(path)))
    pixels = (
        "System",
        "Composite",
        "File",
        "SourceFile",
        "PNG",
        "PNG-pHYs",
        "JFIF",
        "RIFF",
        "VP8L",
        "QuickTime",
        "Meta",
    )
    groups = {key: value for key, value in found.items() if key.split(":")[0] not in pixels}
    return {key: value for key, value in groups.items() if key != "ExifTool:ExifToolVersion"}


STORAGE = {
    f"IFD0:{name}"
    for name in (
        *("BitsPerSample", "Compression", "ImageHeight", "ImageWidth", "PhotometricInterpretation", "Predictor"),
        *("RowsPerStrip", "SamplesPerPixel", "StripByteCounts", "StripOffsets", "PlanarConfiguration"),
    )
}
THUMBNAIL = {f"IFD1:Thumbnail{name}" for name in ("Image", "Length", "Offset")}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_exiftool_finds_all_tags_again(tmp_path: Path, suffix: str) -> None:
    source = _rich(tmp_path / f"in{suffix}")
    warnings = colored(source, tmp_path / f"out{suffix}")
    before, after = _tags(source), _tags(tmp_path / f"out{suffix}")
    assert len(before) > 25, "exiftool has written the tags"
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    named = {
        *("XMP-dc:Subject", "XMP-iptcExt:DigitalSourceType", "XMP-xmp:CreatorTool"),
        *("XMP-xmpMM:DerivedFrom", "XMP-xmpMM:History", "IFD0:Orientation"),
    }
    assert {"XMP-iptcExt:DigitalSourceType", "XMP-xmpMM:DerivedFrom", "XMP-xmpMM:History"} <= changed
    if suffix in (".jpg", ".png", ".tif"):
        named |= {"IPTC:Keywords"}
        assert after["IPTC:Keywords"] == ["family", "oslo", "colorized"]
        assert after["IPTC:City"] == "Oslo"
    if suffix == ".avif":  # irot alone turns it, whatever EXIF says; Pillow's EXIF there has no thumbnail
        named |= {key for key in before if key.startswith("IFD1:")}
    else:
        named |= THUMBNAIL | {"XMP-mwg-rs:RegionInfo", "XMP-MP:RegionInfoMP"}
        assert after["IFD0:Orientation"] == 1
        region = after["XMP-mwg-rs:RegionInfo"]
        assert region["AppliedToDimensions"] == {"W": 96, "H": 128, "Unit": "pixel"}
        assert region["RegionList"][0]["Area"] == {"X": 0.7, "Y": 0.25, "W": 0.1, "H": 0.2, "Unit": "normalized"}
        assert after["XMP-MP:RegionInfoMP"]["Regions"][0]["Rectangle"] == "0.65, 0.1, 0.15, 0.3"
    if suffix == ".tif":
        named |= STORAGE
    assert changed <= named
    assert after["XMP-dc:Subject"] == ["family", "colorized"]
    assert warnings == ()


def test_iptc_is_repeated_in_xmp_where_it_has_no_place(tmp_path: Path) -> None:
    source = _rich(tmp_path / "in.jpg")
    (warning,) = colored(source, tmp_path / "out.webp")
    assert "repeated in XMP" in warning
    after = _tags(tmp_path / "out.webp")
    assert after["XMP-photoshop:City"] == "Oslo"
    assert after["XMP-dc:Description"] == "At the sea"
    assert after["XMP-dc:Title"] == "Sea", "what XMP says already stays"


def test_thumbnail_shows_the_coloured_upright_picture(tmp_path: Path) -> None:
    colored(_rich(tmp_path / "in.jpg"), tmp_path / "out.jpg")
    _exiftool("-b", "-ThumbnailImage", "-W", f"{tmp_path}/small.%s", str(tmp_path / "out.jpg"))
    with Image.open(tmp_path / "small.jpg") as small, Image.open(tmp_path / "out.jpg") as whole:
        assert small.size == whole.size == (96, 128)
        one, two = (np.asarray(picture.convert("RGB")).astype(int) for picture in (small, whole))
    assert np.abs(one - two).mean() < 3
    assert (one[..., 0] - one[..., 2]).mean() > 10


def test_strip_and_no_provenance(tmp_path: Path) -> None:
    source = _rich(tmp_path / "in.jpg")
    colored(source, tmp_path / "plain.jpg", provenance=None)
    before, after = _tags(source), _tags(tmp_path / "plain.jpg")
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed <= THUMBNAIL | {"IFD0:Orientation", "XMP-mwg-rs:RegionInfo", "XMP-MP:RegionInfoMP"}
    stripped(source, tmp_path / "stripped.jpg", Provenance(TOOL, names_source=False))
    left = _tags(tmp_path / "stripped.jpg")
    assert {key.split(":")[0] for key in left} <= {"XMP-x", "XMP-dc", "XMP-xmp", "XMP-xmpMM", "XMP-iptcExt"}
    assert "XMP-xmpMM:DerivedFrom" not in left
    stripped(source, tmp_path / "bare.jpg", None)
    assert _tags(tmp_path / "bare.jpg") == {}
    with Image.open(tmp_path / "bare.jpg") as image:
        assert image.size == (96, 128), "upright all the same"


# Face regions ---------------------------------------------------------------------------------------------------------


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


# Parts ----------------------------------------------------------------------------------------------------------------


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
    once = provenance_xmp(packet, size=(1, 1), source="a.jpg", tool=TOOL)
    text = once.decode()
    assert re.search(r"<rdf:li>sea</rdf:li><rdf:li>colorized</rdf:li></rdf:Bag>", text)
    assert text.count("<mm:History>") == 1
    assert "xmpMM:History" not in text
    assert text.index('e:action="created"') < text.index("<stEvt:action")
    twice = provenance_xmp(once, size=(1, 1), source="a.jpg", tool=TOOL).decode()
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


def test_iptc_parts() -> None:
    def resource(body: bytes) -> bytes:
        return b"8BIM\x04\x04\0\0" + len(body).to_bytes(4, "big") + body + b"\0" * (len(body) % 2)

    iptc = b"\x1c\x02\x19\x00\x03sea\x1c\x02\x5a\x00\x06Troms\xf8"
    assert iptc_as_xmp(resource(iptc)) == {("dc", "subject"): ["sea"], ("photoshop", "City"): ["Tromsø"]}
    once = with_iptc_keyword(resource(iptc), "colorized")
    assert iptc_as_xmp(once)["dc", "subject"] == ["sea", "colorized"]
    assert with_iptc_keyword(once, "colorized") == once
    assert with_iptc_keyword(b"", "colorized") == b""
    assert iptc_as_xmp(resource(b"\x1c\x02\x19\xff\xff")) == {}
    assert iptc_as_xmp(b"8BIM\x04\x04\0\0\0\0\0\x99") == {}


@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnail_of_any_size_takes_the_old_ones_place(order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "Maker"
    plain = exif.tobytes()[6:]
    old = b"\xff\xd8old\xff\xd9"
    start = len(plain)
    entries = [(0x0103, 3, 6), (0x0201, 4, start + 2 + 36 + 4), (0x0202, 4, len(old))]
    body = struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        body += struct.pack(f"{order}HHL", tag, kind, 1)
        body += struct.pack(f"{order}HH" if kind == 3 else f"{order}L", *((value, 0) if kind == 3 else (value,)))
    (first,) = struct.unpack_from(f"{order}L", plain, 4)
    (count,) = struct.unpack_from(f"{order}H", plain, first)
    link = first + 2 + 12 * count
    whole = plain[:link] + struct.pack(f"{order}L", start) + plain[link + 4 :] + body + bytes(4) + old
    assert has_thumbnail(PhotoMetadata(exif=whole))
    new = b"\xff\xd8" + bytes(range(200)) + b"\xff\xd9"
    for tail in (b"", b"maker note behind the thumbnail"):
        out = upright_exif(whole + tail, (9, 9), new)
        assert out.endswith(new)
        assert old not in out
        assert tail in out
        place, length = (struct.unpack_from(f"{order}L", out, start + 2 + 12 * entry + 8)[0] for entry in (1, 2))
        assert out[place : place + length] == new
    assert not has_thumbnail(PhotoMetadata(exif=upright_exif(whole, (9, 9))))
