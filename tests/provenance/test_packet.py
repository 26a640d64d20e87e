"""What XMP packets say of the making: photographs' packets are tested in metadata, here what is the same for films."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from colorize_media.provenance.packet import DIGITAL_SOURCE_TYPE, XmpPacket, film_packet
from tests.made.records import TOOL, made_record

NEGATIVE = "http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm"
SCANNED = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    f' xmp:CreatorTool="VueScan 9" xmp:Rating="3" i:DigitalSourceType="{NEGATIVE}"/></rdf:RDF></x:xmpmeta>'
).encode()


def _exiftool(packet: bytes, folder: Path) -> str:
    if shutil.which("exiftool") is None:
        pytest.skip("the exiftool program is not installed (Debian: libimage-exiftool-perl)")
    (folder / "x.xmp").write_bytes(packet)
    command = ["exiftool", "-struct", "-n", "-XMP:all", str(folder / "x.xmp")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_event_says_who_when_and_how(tmp_path: Path) -> None:
    packet = film_packet(b"", made_record(options={"vividness": 1.2}))
    assert XmpPacket(packet).history() == [(TOOL, "2026-05-04T10:00:00Z")]
    said = _exiftool(packet, tmp_path)
    # exiftool has names for newer fields since its version 13; before it shows them as they are written
    for part in (
        DIGITAL_SOURCE_TYPE,
        "colorize-media (network scenes)",
        "0.test (weights sha256 3f2a91c0d5e7)",
        "When=2026:05:04 10:00:00Z",
        f"SoftwareAgent={TOOL}",
        "vividness 1.2",
    ):
        assert part in said


def test_what_the_source_said_of_its_own_making_goes_into_the_history(tmp_path: Path) -> None:
    once = film_packet(SCANNED, made_record())
    assert XmpPacket(once).history() == [("VueScan 9", ""), (TOOL, "2026-05-04T10:00:00Z")]
    text = once.decode()
    assert text.count("DigitalSourceType=") == 1
    assert (
        f'<stEvt:parameters xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#">DigitalSourceType {NEGATIVE}'
        in text
    )
    assert 'xmp:Rating="3"' in text
    twice = XmpPacket(film_packet(once, made_record(date="2027-01-01T00:00:00Z"))).history()
    assert twice == [("VueScan 9", ""), (TOOL, "2026-05-04T10:00:00Z"), (TOOL, "2027-01-01T00:00:00Z")], "told once"


@pytest.mark.parametrize(
    "event",
    [
        '<rdf:li e:softwareAgent="Old 1" e:when="2001"/>',
        '<rdf:li rdf:parseType="Resource"><e:softwareAgent>Old 1</e:softwareAgent><e:when>2001</e:when></rdf:li>',
        '<rdf:li><rdf:Description e:softwareAgent="Old 1"><e:when>2001</e:when></rdf:Description></rdf:li>',
    ],
)
def test_histories_are_read_however_rdf_writes_them(event: str) -> None:
    history = f"<m:History><rdf:Seq>{event}</rdf:Seq></m:History>"
    packet = SCANNED.decode().replace(
        '"/></rdf:RDF>',
        '" xmlns:m="http://ns.adobe.com/xap/1.0/mm/" xmlns:e="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#">'
        f"{history}</rdf:Description></rdf:RDF>",
    )
    assert XmpPacket(packet.encode()).history() == [("Old 1", "2001")]


def test_thumbnails_of_the_grey_film_go() -> None:
    packet = SCANNED.decode().replace('"/></rdf:RDF>', '"><xmp:Thumbnails/></rdf:Description></rdf:RDF>')
    assert b"Thumbnails" not in film_packet(packet.encode(), made_record())
