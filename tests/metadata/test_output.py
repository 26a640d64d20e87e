"""What an output says beside its pixels, compared tag by tag with the exiftool program where it is installed; what a format
cannot hold is named; provenance can be left out."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from colorize_media.provenance.packet import DIGITAL_SOURCE_TYPE
from colorize_media.provenance.record import Record
from tests.made.photos import (
    brown,
    color_picture,
    exif_with,
    save,
)
from tests.made.pictures import grey
from tests.made.records import BY, made_record

LIMIT = 1_000_000  # pixels
SUFFIXES = [".jpg", ".png", ".tif", ".webp", ".avif"]


def colored(source: Path, target: Path, provenance: Record | None = BY) -> tuple[str, ...]:
    photo = read_photo(source, max_pixels=LIMIT)
    return write_photo(photo, brown(photo), target, quality=95, provenance=provenance)


def stripped(source: Path, target: Path, provenance: Record | None) -> None:
    photo = read_photo(source, max_pixels=LIMIT).stripped()
    assert write_photo(photo, brown(photo), target, quality=95, provenance=provenance) == ()


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
        *("XMP-iptcExt:AISystemUsed", "XMP-iptcExt:AISystemVersionUsed", "XMP-colorizeMedia:Record"),
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
    stripped(source, tmp_path / "stripped.jpg", made_record(source=""))
    left = _tags(tmp_path / "stripped.jpg")
    ours = {"XMP-x", "XMP-dc", "XMP-xmp", "XMP-xmpMM", "XMP-iptcExt", "XMP-colorizeMedia"}
    assert {key.split(":")[0] for key in left} <= ours
    assert "XMP-xmpMM:DerivedFrom" not in left
    stripped(source, tmp_path / "bare.jpg", None)
    assert _tags(tmp_path / "bare.jpg") == {}
    with Image.open(tmp_path / "bare.jpg") as image:
        assert image.size == (96, 128), "upright all the same"


def test_provenance_is_in_every_rich_format_and_readable_by_pillow(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.png", color_picture()), max_pixels=LIMIT)
    by = made_record(source="old print.png")
    for suffix in (".jpg", ".png", ".tif", ".webp"):
        write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=90, provenance=by)
        xmp = read_photo(tmp_path / f"out{suffix}", max_pixels=LIMIT).metadata.xmp
        assert DIGITAL_SOURCE_TYPE.encode() in xmp
        assert b"old print.png" in xmp
        assert str(tmp_path).encode() not in xmp, "folders are private"


def test_comment_and_png_text_are_carried_or_named(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.jpg", color_picture(), comment="Tante Grete, Köln"), max_pixels=LIMIT)
    write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=BY)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["comment"] == "Tante Grete, Köln".encode()
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "plain")
    info.add_itxt("Author", "Ελένη")
    png = read_photo(save(tmp_path / "text.png", color_picture(), pnginfo=info), max_pixels=LIMIT)
    write_photo(png, brown(png), tmp_path / "text-out.png", quality=90, provenance=BY)
    with Image.open(tmp_path / "text-out.png") as image:
        image.load()
        assert (image.text["Title"], image.text["Author"]) == ("plain", "Ελένη")  # type: ignore[attr-defined]
    (warning,) = write_photo(png, brown(png), tmp_path / "text-out.jpg", quality=90, provenance=BY)
    assert "PNG text" in warning


def test_bmp_says_what_it_cannot_hold(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.jpg", color_picture(), exif=exif_with(1)), max_pixels=LIMIT)
    warnings = write_photo(photo, brown(photo), tmp_path / "out.bmp", quality=90, provenance=BY)
    assert any("EXIF" in warning for warning in warnings)
    assert any("coloured by a program" in warning for warning in warnings)


def test_exif_too_large_for_jpeg_is_said(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.png", color_picture()), max_pixels=LIMIT)
    exif = exif_with(1)
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    large = dataclasses.replace(photo, metadata=PhotoMetadata(exif=exif.tobytes()[6:]))
    (warning,) = write_photo(large, brown(photo), tmp_path / "out.jpg", quality=90, provenance=BY)
    assert "larger than a JPEG segment" in warning
    assert write_photo(large, brown(photo), tmp_path / "out.png", quality=90, provenance=BY) == ()
