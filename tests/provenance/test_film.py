"""Films say how they were coloured, in whatever their container can hold; and it is found again."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from colorize_media.provenance.film_boxes import embed_film_xmp, read_film_xmp
from colorize_media.provenance.film_tags import RECORD_TAG, told_tags
from colorize_media.provenance.mark import Mark, mark_in_packet, mark_in_tags, mark_of_film
from colorize_media.provenance.packet import DIGITAL_SOURCE_TYPE, XmpPacket
from colorize_media.provenance.record import Record
from colorize_media.video.reader import Reader
from colorize_media.video.writer import Writer
from tests.made.films import make_video
from tests.made.records import made_record

BY_US = made_record(version="0.1.0")


def colored(source: Path, target: Path, record: Record | None = BY_US) -> list[str]:
    """The film in one colour; its warnings."""
    with Reader(source) as reader, Writer(target, reader, record=record) as writer:
        shape = (reader.geometry.chroma_height, reader.geometry.chroma_width, 2)
        for frame in reader:
            writer.write(frame, np.full(shape, 120))
    return writer.warnings


def tags_of(path: Path) -> dict[str, str]:
    with av.open(str(path)) as film:
        return {name.lower(): value for name, value in film.metadata.items()}


@pytest.mark.parametrize("suffix", ["mp4", "m4v", "mov", "mkv", "webm", "avi", "wmv", "flv"])
@pytest.mark.parametrize("comment", ["", "Oslo, 1921"])
def test_a_film_says_it_and_its_own_comment_stays(tmp_path: Path, suffix: str, comment: str) -> None:
    source = make_video(tmp_path / "in.mkv", frames=3, tags={"comment": comment} if comment else {})
    assert not [said for said in colored(source, tmp_path / f"out.{suffix}") if "coloured" in said or "tag" in said]
    tags = tags_of(tmp_path / f"out.{suffix}")
    assert tags["comment"] == f"{comment}\n{BY_US.sentence}".strip()
    assert mark_of_film(tmp_path / f"out.{suffix}", tags) == Mark("0.1.0", "2026-05-04")


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_matroska_says_all_of_it_in_tags(tmp_path: Path, suffix: str) -> None:
    colored(make_video(tmp_path / "in.mkv", frames=3), tmp_path / f"out.{suffix}")
    tags = tags_of(tmp_path / f"out.{suffix}")
    assert json.loads(tags[RECORD_TAG.lower()]) == BY_US.as_json()
    assert tags["digital_source_type"] == DIGITAL_SOURCE_TYPE
    assert tags["ai_system_used"] == "colorize-media (network scenes)"
    assert tags["ai_system_version_used"] == "0.1.0 (weights sha256 3f2a91c0d5e7)"


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_packet_of_the_source_is_merged(tmp_path: Path, suffix: str) -> None:
    source = make_video(tmp_path / f"in.{suffix}", frames=3)
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"'
        b' xmp:CreatorTool="Scanner 2"/></rdf:RDF></x:xmpmeta>'
    )
    embed_film_xmp(source, packet, quicktime=suffix == "mov")
    assert colored(source, tmp_path / f"out.{suffix}") == []
    written = read_film_xmp(tmp_path / f"out.{suffix}")
    assert b'xmp:Rating="4"' in written
    assert XmpPacket(written).history() == [("Scanner 2", ""), ("colorize-media 0.1.0", "2026-05-04T10:00:00Z")]
    colored(source, tmp_path / f"quiet.{suffix}", record=None)
    assert read_film_xmp(tmp_path / f"quiet.{suffix}") == packet, "without a mark it stays as it is"
    assert "comment" not in tags_of(tmp_path / f"quiet.{suffix}")
    (warning,) = colored(source, tmp_path / "out.mkv")
    assert warning == ".mkv cannot hold the source's XMP packet"


def test_a_packet_that_is_none_is_named_and_the_film_is_marked(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=3)
    embed_film_xmp(source, b"<html/>", quicktime=False)
    (warning,) = colored(source, tmp_path / "out.mp4")
    assert warning.startswith("the source's XMP packet cannot be used (it has no rdf:RDF)")
    assert mark_in_packet(read_film_xmp(tmp_path / "out.mp4")) == Mark("0.1.0", "2026-05-04")


def test_a_container_that_holds_no_mark_says_so(tmp_path: Path) -> None:
    warnings = colored(make_video(tmp_path / "in.mkv", frames=3), tmp_path / "out.ts")
    assert ".ts cannot hold the note that this film was coloured by a program" in warnings
    warnings = colored(make_video(tmp_path / "in.mkv", frames=3), tmp_path / "quiet.ts", record=None)
    assert not any("coloured" in warning for warning in warnings)


def test_a_film_coloured_twice_tells_of_both_and_the_last_one_counts(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", frames=3)
    colored(source, tmp_path / "once.mkv")
    colored(tmp_path / "once.mkv", tmp_path / "twice.mp4", made_record(version="0.2.0", date="2027-01-02T00:00:00Z"))
    tags = tags_of(tmp_path / "twice.mp4")
    assert [line[:28] for line in tags["comment"].splitlines()] == [
        "Coloured by colorize-media 0.1.0"[:28],
        "Coloured by colorize-media 0.2.0"[:28],
    ]
    assert mark_in_tags(tags) == Mark("0.2.0", "2027-01-02")
    assert RECORD_TAG.lower() not in tags, "it told of the first time"


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"comment": "Coloured by colorize-media \x1b[31m0.1 on 2026-05-04"},
        {"comment": "Coloured by colorize-media 0.1.0 on soon"},
        {"title": BY_US.sentence},
        {RECORD_TAG: "[" * 100_000},
        {RECORD_TAG: "{}"},
        {RECORD_TAG: '{"program": "colorize-media", "version": 3, "date": "2026-05-04"}'},
        {RECORD_TAG: '{"program": "colorize-media", "version": "0.1\\n\\u001b[31m", "date": "2026-05-04"}'},
    ],
)
def test_what_does_not_look_like_a_mark_is_none(tags: dict[str, str]) -> None:
    assert mark_in_tags(tags) is None


def test_marks_are_read_from_the_record_where_the_comment_is_gone() -> None:
    tags = told_tags({}, BY_US, has_xmp=False)
    del tags["comment"]
    assert mark_in_tags(tags) == Mark("0.1.0", "2026-05-04")
    assert Mark("0.1.0", "2026-05-04").told == "coloured by colorize-media 0.1.0 on 2026-05-04"
    assert Mark("0.1.0").told == "coloured by colorize-media 0.1.0"
