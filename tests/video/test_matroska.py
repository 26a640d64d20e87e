"""What a Matroska file says that FFmpeg does not hand on: named, never lost in silence."""

from __future__ import annotations

import random
from pathlib import Path

import av
import pytest

from colorize_media.video.matroska import read_notes
from colorize_media.video.reader import Reader
from tests.made.films import make_video
from tests.video.rewriting import FAST, recolor

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675


def element(identity: int, content: bytes | int | str, *more: bytes) -> bytes:
    """An EBML element; a size of eight bytes."""
    if isinstance(content, int):
        content = content.to_bytes(2, "big")
    data = (content.encode() if isinstance(content, str) else content) + b"".join(more)
    return identity.to_bytes((identity.bit_length() + 7) // 8, "big") + (len(data) | 1 << 56).to_bytes(8, "big") + data


def edition(*chapters: bytes) -> bytes:
    return element(0x45B9, b"".join(chapters))


def chapter(start: int, *titles: tuple[str, str], uid: int = 1) -> bytes:
    """``start`` in seconds, titles with their languages."""
    shown = b"".join(element(0x80, element(0x85, text), element(0x437C, language)) for text, language in titles)
    return element(0xB6, element(0x73C4, uid), element(0x91, (start * 10**9).to_bytes(8, "big")), shown)


def grown(data: bytes, path: tuple[int, ...], more: bytes) -> bytes:
    """Elements, with ``more`` at the end of the innermost one of ``path``; within the segment before its first cluster.

    The film must be muxed live: nothing in it says at which byte something stands.
    """
    out, place = b"", 0
    while place < len(data):
        width = 9 - data[place].bit_length()
        long = 9 - data[place + width].bit_length()
        identity = int.from_bytes(data[place : place + width], "big")
        size = int.from_bytes(data[place + width : place + width + long], "big") & ((1 << 7 * long) - 1)
        begin = place + width + long
        end = len(data) if size == (1 << 7 * long) - 1 else begin + size
        if identity == _CLUSTER:
            return out + (more if not path else b"") + data[place:]
        if path and identity == path[0]:
            inside = grown(data[begin:end], path[1:], more)
            head = identity.to_bytes(width, "big")
            size_told = (1 << 57) - 1 if identity == _SEGMENT else 1 << 56 | len(inside)
            out += head + size_told.to_bytes(8, "big") + inside
        else:
            out += data[place:end]
        place = end
    return out + (more if not path else b"")


def live(path: Path) -> Path:
    return make_video(path, frames=5, container_options={"live": "1"})


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_editions_languages_and_repeated_tags_are_named_or_kept(tmp_path: Path, suffix: str) -> None:
    parts = element(
        0x1043A770,
        edition(chapter(0, ("Anfang", "ger"), ("Start", "eng"), uid=1)),
        edition(chapter(0, ("Ganz", "ger"), uid=2)),
    ) + element(
        0x1254C367,
        element(
            0x7373,
            element(0x63C0, b""),
            *(element(0x67C8, element(0x45A3, "ARTIST"), element(0x4487, name)) for name in ("Anna", "Ben", "Anna")),
        ),
    )
    source = live(tmp_path / "in.mkv")
    source.write_bytes(grown(source.read_bytes(), (_SEGMENT,), parts))
    notes = read_notes(source)
    assert notes is not None
    assert (notes.editions, notes.languages, notes.titles) == (2, {"ger", "eng"}, 1)
    assert notes.tags == {"ARTIST": ["Anna", "Ben"]}
    _, warnings, _ = recolor(source, tmp_path / f"out{suffix}", FAST)
    (told,) = [text for text in warnings if "did not keep" in text]
    assert "2 editions of its chapters (all of them are in one)" in told
    assert "1 titles of chapters in further languages" in told
    assert "the language of its chapters (eng, ger)" in told
    with av.open(str(tmp_path / f"out{suffix}")) as file:
        tags = {name.lower(): value for name, value in file.metadata.items()}
    assert tags["artist"] == "Anna; Ben"


def test_cropping_is_told(tmp_path: Path) -> None:
    source = live(tmp_path / "in.mkv")
    crop = element(0x54BB, 4) + element(0x54AA, 8)
    source.write_bytes(grown(source.read_bytes(), (_SEGMENT, 0x1654AE6B, 0xAE, 0xE0), crop))
    notes = read_notes(source)
    assert notes is not None
    assert notes.cropping == [(0, 4, 0, 8)]
    with Reader(source) as reader:
        assert len(list(reader)) == 5
    told = "the file has players hide a part of the picture (4 px top, 8 px bottom): it will be seen again"
    assert told in reader.warnings


def test_a_plain_film_has_nothing_to_tell_and_other_files_are_none(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "in.mkv", frames=3, chapters=[(0, 80, "Anfang")], tags={"title": "T"})
    notes = read_notes(plain)
    assert notes is not None
    assert (notes.lost(), notes.tags, notes.cropping) == ([], {}, [(0, 0, 0, 0)])
    assert read_notes(make_video(tmp_path / "in.mp4", frames=3)) is None
    assert read_notes(tmp_path / "none.mkv") is None


def test_damage_ends_the_reading_and_nothing_else(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "in.mkv", frames=3, chapters=[(0, 80, "Anfang")], tags={"title": "T"}).read_bytes()
    chance = random.Random(4)
    for _ in range(300):
        data = bytearray(whole[: chance.randrange(1, len(whole))])
        for _ in range(4):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "damaged.mkv").write_bytes(data)
        read_notes(tmp_path / "damaged.mkv")


def test_a_file_that_is_cut_says_how_much_is_missing(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", frames=40, options={"g": "5"})
    with Reader(source) as reader:
        assert sum(1 for _ in reader) == 40
    assert not reader.warnings
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    missing = len(data) - len(data) * 2 // 3
    _, _, reader = recolor(source, tmp_path / "out.mkv", FAST)
    assert reader.warnings.count(f"the file is cut: {missing:,} of its {len(data):,} bytes are missing") == 1
    assert reader.damaged
