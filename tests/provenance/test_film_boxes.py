"""XMP packets in MP4 and MOV files: added behind what is there, found again, and nothing else moved."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import av
import pytest

from colorize_media.provenance.film_boxes import embed_film_xmp, read_film_xmp
from colorize_media.provenance.packet import MAX_XMP, film_packet
from tests.made.films import make_video
from tests.made.records import made_record

PACKET = film_packet(b"", made_record())
UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]


def kinds(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    assert at == len(data), "whole boxes up to the end"
    return found


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("faststart", [False, True])
@pytest.mark.parametrize("tags", [{}, {"title": "A street", "comment": "1921"}])
def test_what_is_added_is_read_and_the_film_is_the_same(
    tmp_path: Path, suffix: str, faststart: bool, tags: dict[str, str]
) -> None:
    path = make_video(tmp_path / f"film.{suffix}", audio=1, tags=tags)
    if faststart:
        put_tables_first(path)
    before, size = path.read_bytes(), path.stat().st_size
    frames = pictures(path)
    assert read_film_xmp(path) == b""
    assert embed_film_xmp(path, PACKET, quicktime=suffix == "mov")
    after = path.read_bytes()
    assert read_film_xmp(path) == PACKET
    assert pictures(path) == frames
    in_moov = suffix == "mov" and not faststart
    assert kinds(after) == kinds(before) + ([] if in_moov else [b"uuid"])
    if not in_moov:
        assert after[:size] == before, "only appended"
    with av.open(str(path)) as film:
        assert tags.items() <= dict(film.metadata).items()


def put_tables_first(path: Path) -> None:
    """The same film with its tables before its pictures, as FFmpeg's faststart leaves it."""
    moved = path.with_name(f"moved{path.suffix}")
    with av.open(str(path)) as source, av.open(str(moved), "w", options={"movflags": "faststart"}) as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        target.metadata.update(source.metadata)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    moved.replace(path)
    order = kinds(path.read_bytes())
    assert order.index(b"moov") < order.index(b"mdat")


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_exiftool_finds_it_without_a_warning(tmp_path: Path, suffix: str) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("the exiftool program is not installed (Debian: libimage-exiftool-perl)")
    path = make_video(tmp_path / f"film.{suffix}", tags={"comment": "Oslo 1921"})
    embed_film_xmp(path, PACKET, quicktime=suffix == "mov")
    command = ["exiftool", "-j", "-G1", "-n", "-validate", "-warning", "-XMP:all", "-comment", str(path)]
    (said,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert said["XMP-xmp:CreatorTool"] == "colorize-media 0.test"
    assert said["XMP-iptcExt:DigitalSourceType"].endswith("compositeWithTrainedAlgorithmicMedia")
    assert said["ItemList:Comment" if suffix == "mp4" else "UserData:Comment"] == "Oslo 1921"
    assert "ExifTool:Warning" not in said


@pytest.mark.parametrize("tool_puts_it", [["mp4"], ["mov"]])
def test_what_exiftool_wrote_is_read(tmp_path: Path, tool_puts_it: list[str]) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("the exiftool program is not installed (Debian: libimage-exiftool-perl)")
    path = make_video(tmp_path / f"film.{tool_puts_it[0]}")
    subprocess.run(["exiftool", "-q", "-XMP-dc:Title=Street", str(path)], check=True)
    assert b"Street" in read_film_xmp(path)


def test_other_files_have_none(tmp_path: Path) -> None:
    for name, content in (("a.mkv", b"\x1aE\xdf\xa3" + bytes(100)), ("b.mp4", b""), ("c.mp4", b"\0\0\0\x08ftyp")):
        (tmp_path / name).write_bytes(content)
        assert read_film_xmp(tmp_path / name) == b""


@pytest.mark.parametrize("cut", [1, 7, 9, 20])
def test_a_file_that_ends_within_a_box_is_left_alone(tmp_path: Path, cut: int) -> None:
    path = make_video(tmp_path / "film.mp4")
    data = path.read_bytes()[:-cut]
    path.write_bytes(data)
    assert not embed_film_xmp(path, PACKET, quicktime=False)
    assert path.read_bytes() == data


def test_a_last_box_without_a_size_would_swallow_what_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    data = box(b"ftyp", b"isom" + bytes(4)) + bytes(4) + b"mdat" + bytes(50)
    path.write_bytes(data)
    assert not embed_film_xmp(path, PACKET, quicktime=False)
    assert path.read_bytes() == data


def test_lying_sizes_cost_nothing_and_large_packets_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    head = box(b"ftyp", b"isom" + bytes(4))
    path.write_bytes(head + b"\xff\xff\xff\xffuuid" + UUID + PACKET)
    assert read_film_xmp(path) == b""
    path.write_bytes(head + b"\0\0\0\x01mdat" + (2**63).to_bytes(8, "big"))
    assert read_film_xmp(path) == b""
    path.write_bytes(head + box(b"free", b"") * 20_000 + box(b"uuid", UUID + PACKET))
    assert read_film_xmp(path) == b"", "nobody counts boxes for ever"
    with path.open("wb") as file:
        file.write(head + (24 + MAX_XMP + 1).to_bytes(4, "big") + b"uuid" + UUID)
        file.truncate(file.tell() + MAX_XMP + 1)
    with pytest.raises(ValueError, match="larger than 16 MB"):
        read_film_xmp(path)
