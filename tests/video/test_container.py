"""What is in the file besides the picture: streams, tags, chapters, covers, time codes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from colorize_media.errors import StreamNotKept
from colorize_media.video.encoder import EncoderSettings
from tests.made.films import decode, make_video, packets, picture
from tests.video.rewriting import FAST, recolor


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm", ".avi", ".ts", ".wmv", ".flv", ".mpg", ".vob"])
def test_every_container_keeps_count_and_times_of_a_steady_film(tmp_path: Path, suffix: str) -> None:
    codec = {".webm": "libopus", ".mpg": "mp2", ".vob": "mp2"}.get(suffix, "aac")  # that it holds
    source = make_video(
        tmp_path / "in.mp4", frames=20, size=(176, 144), options={"bf": "3"}, audio=1, audio_codec=codec
    )
    settings = EncoderSettings() if suffix in (".webm", ".avi", ".wmv", ".mpg", ".vob") else FAST
    frames, warnings, _ = recolor(source, tmp_path / f"out{suffix}", settings)
    back = decode(tmp_path / f"out{suffix}")
    assert len(back) == len(frames) == 20
    offset = back[0].time - frames[0].pts * frames[0].time_base
    assert [one.time - offset for one in back] == [frame.pts * frame.time_base for frame in frames]
    if suffix in (".ts", ".flv", ".mpg", ".vob"):  # cannot hold decoding times before zero, or begin half a second late
        assert 0 <= offset < Fraction(3, 5)
        assert any("later, all streams alike" in text for text in warnings)
    else:
        assert offset == 0


def test_a_time_code_track_is_made_anew(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mov", frames=3, tags={"timecode": "01:02:03:04"})
    _, warnings, reader = recolor(source, tmp_path / "out.mov", FAST)
    assert [one.kind for one in reader.streams] == ["data"]
    assert warnings == []
    with av.open(str(tmp_path / "out.mov")) as back:
        assert [(s.type, s.metadata["timecode"]) for s in back.streams] == [
            ("video", "01:02:03:04"),
            ("data", "01:02:03:04"),
        ]


def test_other_streams_tags_and_chapters_are_copied(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mkv",
        frames=50,
        audio=2,
        subtitle="subrip",
        attachment=b"\x00\x01\x00\x00not really a font",
        tags={"title": "Ein Kürbis", "COMMENT": "free text", "DATE": "1921"},
        languages=["und", "eng", "deu", "fra"],
        chapters=[(0, 800, "Anfang"), (800, 2000, "Ende ✓")],
    )
    _, warnings, reader = recolor(source, tmp_path / "out.mkv", FAST)
    assert warnings == []
    assert [one.kind for one in reader.streams] == ["audio", "audio", "subtitle", "attachment"]
    for index in (1, 2, 3):
        assert packets(source, index)
        assert packets(tmp_path / "out.mkv", index) == packets(source, index)
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert [s.type for s in after.streams] == [s.type for s in before.streams]
        assert [s.language for s in after.streams] == [s.language for s in before.streams]
        assert [int(s.disposition) for s in after.streams] == [int(s.disposition) for s in before.streams]
        assert after.streams.attachments[0].data == before.streams.attachments[0].data
        assert [(c["start"], c["end"], c["metadata"]) for c in after.chapters()] == [
            (c["start"], c["end"], c["metadata"]) for c in before.chapters()
        ]
        for name in ("title", "COMMENT", "DATE"):
            assert after.metadata[name] == before.metadata[name]


def test_mp4_keeps_audio_subtitles_chapters_and_free_tags(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mp4",
        frames=50,
        audio=1,
        subtitle="mov_text",
        tags={
            "title": "T",
            "com.apple.quicktime.make": "Apple",
            "com.apple.quicktime.location.ISO6709": "+32.0+034.8/",
        },
        container_options={"movflags": "use_metadata_tags"},
        languages=["eng", "eng", "nor"],
        chapters=[(0, 800, "Anfang"), (800, 2000, "Ende ✓")],
    )
    _, warnings, _ = recolor(source, tmp_path / "out.mp4", FAST)
    assert warnings == []
    assert packets(tmp_path / "out.mp4", 1) == packets(source, 1)
    texts = [[one for one in packets(path, 2) if one[1] != b"\0\0"] for path in (source, tmp_path / "out.mp4")]
    assert texts[0] == texts[1] == [(Fraction(1, 25), b"\0\x05hello")]  # the muxer fills gaps with empty texts
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        assert [s.type for s in before.streams][:3] == ["video", "audio", "subtitle"]
        assert [(s.type, s.language) for s in after.streams] == [(s.type, s.language) for s in before.streams]
        assert [c["metadata"] for c in after.chapters()] == [{"title": "Anfang"}, {"title": "Ende ✓"}]
        assert after.metadata["com.apple.quicktime.location.ISO6709"] == "+32.0+034.8/"
        assert after.metadata["title"] == "T"


def test_what_the_container_cannot_hold_is_refused_or_named_once(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mkv", frames=5, audio=1, subtitle="subrip", attachment=b"font", languages=["eng", "eng", "fra"]
    )
    with pytest.raises(StreamNotKept) as caught:
        recolor(source, tmp_path / "out.mp4", FAST)
    assert caught.value.what == "the film would lose more than its picture"
    assert caught.value.path == source
    assert "attachment stream 3" in caught.value.why
    assert "subtitle" not in caught.value.why, "text is converted"
    assert ".mkv" in caught.value.hint
    assert "--drop-streams" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    _, warnings, _ = recolor(source, tmp_path / "out.mp4", FAST, drop_streams=True)
    assert len([text for text in warnings if "left out" in text and "attachment stream 3" in text]) == 1
    assert packets(tmp_path / "out.mp4", 1)[0][1] == packets(source, 1)[0][1]
    with av.open(str(tmp_path / "out.mp4")) as back:
        assert [(stream.type, stream.language) for stream in back.streams] == [
            ("video", "eng"), ("audio", "eng"), ("subtitle", "fra"),
        ]  # fmt: skip
    assert [text for _, text in packets(tmp_path / "out.mp4", 2) if text != b"\0\0"] == [b"\0\x05hello"]


def test_further_films_are_copied_and_covers_are_no_films(tmp_path: Path) -> None:
    first = make_video(tmp_path / "one.mp4", frames=6)
    with av.open(str(first)) as source, av.open(str(tmp_path / "two.mp4"), "w") as target:
        cover: Any = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = 1 << 10
        copies = [target.add_stream_from_template(source.streams.video[0], opaque=True) for _ in range(2)]
        target.mux(cover.encode(picture(32, 32, "yuvj420p", 0)))
        target.mux(cover.encode(None))
        for number, copy in enumerate(copies):
            source.seek(0)
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = copies[number]
                    target.mux(packet)
            assert copy.index > 0
    frames, warnings, reader = recolor(tmp_path / "two.mp4", tmp_path / "out.mp4", FAST)
    with av.open(str(tmp_path / "two.mp4")) as made:
        covers = [s.index for s in made.streams if s.disposition & 1 << 10]
        films = [s.index for s in made.streams if not s.disposition & 1 << 10]
    assert len(covers) == 1
    assert reader.picture_index == films[0]
    assert len(frames) == 6
    assert [text for text in warnings if "copied as it is" in text and f"video stream {films[1]}" in text]
    assert packets(tmp_path / "out.mp4", films[1]) == packets(tmp_path / "two.mp4", films[1])
    with av.open(str(tmp_path / "out.mp4")) as back:
        assert [bool(s.disposition & 1 << 10) for s in back.streams] == [
            index in covers for index in range(len(back.streams))
        ]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_tags_that_are_not_utf8_become_it_and_are_told(tmp_path: Path, suffix: str) -> None:
    source = make_video(tmp_path / "in.mkv", frames=2, audio=1, tags={"title": "Place1 Sof?a", "comment": "grün"})
    data = source.read_bytes()
    source.write_bytes(data.replace(b"Place1 Sof?a", b"Caf\xe9 d'\xc9t\xe9!!"))
    _, _, reader = recolor(source, tmp_path / f"out{suffix}", FAST)
    assert reader.warnings == ["tags that are not UTF-8 were read as Windows-1252: title"]
    with av.open(str(tmp_path / f"out{suffix}"), metadata_errors="strict") as file:
        tags = {name.lower(): text for name, text in file.metadata.items()}
    assert tags["title"] == "Café d'Été!!"
    assert tags["comment"].startswith("grün")
