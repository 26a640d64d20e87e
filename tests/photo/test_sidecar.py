"""XMP files beside pictures and films: what no longer fits is gone, all else is there."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from colorize_media.photo.sidecar import fitted_xmp
from tests.made.photos import exif_with, grey_picture, save
from tests.made.records import BY

SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "x": "adobe:ns:meta/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "darktable": "http://darktable.sf.net/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
}
DECLARED = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items() if prefix not in ("rdf", "x"))
PACKET = f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="{SPACES["x"]}"><rdf:RDF xmlns:rdf="{SPACES["rdf"]}"><rdf:Description rdf:about="" {DECLARED}
 xmp:Rating="4" xmp:Label="Red" exif:GPSLatitude="38,44.0N" tiff:Orientation="6" tiff:ImageWidth="56"
 photoshop:SidecarForExtension="NEF" photoshop:City="Horta" crs:Exposure2012="+1.20" crs:ConvertToGrayscale="True"
 darktable:history_end="3" darktable:iop_order_version="4" darktable:xmp_version="5" darktable:auto_presets_applied="1"
 digiKam:ColorLabel="2" digiKam:ImageUniqueID="0815" digiKam:ImageHistory="&lt;history/&gt;">
 <dc:subject><rdf:Bag><rdf:li>harbour</rdf:li></rdf:Bag></dc:subject>
 <dc:description><rdf:Alt><rdf:li xml:lang="x-default">Aunt Grete</rdf:li></rdf:Alt></dc:description>
 <lr:hierarchicalSubject><rdf:Bag><rdf:li>places|Horta</rdf:li></rdf:Bag></lr:hierarchicalSubject>
 <digiKam:TagsList><rdf:Seq><rdf:li>places/Horta</rdf:li></rdf:Seq></digiKam:TagsList>
 <crs:ToneCurvePV2012><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurvePV2012>
 <darktable:colorlabels><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></darktable:colorlabels>
 <darktable:masks_history><rdf:Seq/></darktable:masks_history>
 <darktable:history><rdf:Seq><rdf:li darktable:operation="monochrome"/></rdf:Seq></darktable:history>
 <mwg-rs:Regions rdf:parseType="Resource">
  <mwg-rs:AppliedToDimensions stDim:w="56" stDim:h="40" stDim:unit="pixel"/>
  <mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description mwg-rs:Name="Grete" mwg-rs:Type="Face">
   <mwg-rs:Area stArea:x="0.25" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2" stArea:unit="normalized"/>
  </rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>
</rdf:Description></rdf:RDF></x:xmpmeta>""".encode()


def name(written: str) -> str:
    prefix, local = written.split(":")
    return f"{{{SPACES[prefix]}}}{local}"


@pytest.fixture
def picture(tmp_path: Path) -> tuple[Path, Path]:
    """A photograph that lies on its side, and an upright one in its place."""
    source = save(tmp_path / "a.jpg", grey_picture(40, 56), exif=exif_with(6))
    return source, save(tmp_path / "out.jpg", grey_picture(56, 40))


def test_settings_go_and_what_people_said_stays(picture: tuple[Path, Path]) -> None:
    source, target = picture
    fitted = fitted_xmp(PACKET, BY, source=source, target=target, film=False)
    root = ElementTree.fromstring(fitted)
    written = {element.tag for element in root.iter()} | {key for element in root.iter() for key in element.attrib}
    gone = ("crs:", "darktable:history", "darktable:iop_order", "darktable:masks", "darktable:auto_presets")
    gone_names = [tag for tag in written for start in gone if tag.startswith(name(start + "x")[:-1])]
    assert gone_names == []
    assert not written & {name("digiKam:ImageHistory"), name("digiKam:ImageUniqueID")}
    kept = ("xmp:Rating", "xmp:Label", "exif:GPSLatitude", "photoshop:City", "photoshop:SidecarForExtension")
    kept += (
        "lr:hierarchicalSubject",
        "digiKam:TagsList",
        "digiKam:ColorLabel",
        "darktable:colorlabels",
        "dc:description",
    )
    assert {name(one) for one in kept} <= written
    subjects = [item.text for item in root.findall(f".//{name('dc:subject')}//{name('rdf:li')}")]
    assert subjects == ["harbour", "colorized"]
    assert b"compositeWithTrainedAlgorithmicMedia" in fitted
    assert BY.tool.encode() in fitted


def test_it_is_true_for_the_upright_picture(picture: tuple[Path, Path]) -> None:
    source, target = picture
    root = ElementTree.fromstring(fitted_xmp(PACKET, None, source=source, target=target, film=False))
    description = root.find(f".//{name('rdf:Description')}")
    assert description is not None
    assert description.attrib[name("tiff:Orientation")] == "1"
    assert description.attrib[name("tiff:ImageWidth")] == "40"
    area = root.find(f".//{name('mwg-rs:Area')}")
    assert area is not None
    assert [float(area.attrib[name(f"stArea:{side}")]) for side in "xywh"] == pytest.approx([0.5, 0.25, 0.2, 0.1])


def test_without_a_record_nothing_is_said_of_the_making(picture: tuple[Path, Path]) -> None:
    source, target = picture
    assert b"colorize" not in fitted_xmp(PACKET, None, source=source, target=target, film=False)


def test_another_format_is_not_said_to_be_the_old_one(picture: tuple[Path, Path], tmp_path: Path) -> None:
    raw = tmp_path / "a.nef"
    raw.write_bytes(b"no picture that Pillow opens")
    assert b"SidecarForExtension" not in fitted_xmp(PACKET, None, source=raw, target=picture[1], film=False)


def test_a_films_packet_keeps_its_sizes(tmp_path: Path) -> None:
    film = tmp_path / "f.mp4"
    fitted = fitted_xmp(PACKET, BY, source=film, target=tmp_path / "f.color.mp4", film=True)
    assert b'tiff:ImageWidth="56"' in fitted
    assert b"crs:" not in fitted.replace(b"xmlns:crs:", b"").replace(b"xmlns:crs=", b"")


@pytest.mark.parametrize("text", [b"", b"no XML", b"<a/>", b'<!DOCTYPE x [<!ENTITY e "e">]><x/>'])
def test_what_is_no_xmp_is_refused(picture: tuple[Path, Path], text: bytes) -> None:
    with pytest.raises(ValueError, match=r"XML|RDF|document type"):
        fitted_xmp(text, None, source=picture[0], target=picture[1], film=False)
