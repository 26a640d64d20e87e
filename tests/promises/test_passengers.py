"""Promise 4: what is not picture passes through."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from tests.made.films import make_video, packets
from tests.made.photos import exif_with, grey_picture, save
from tests.promises.conftest import Colorize


def test_sound_texts_chapters_and_tags_of_a_film_are_as_they_were(
    tmp_path: Path, film: Path, colorize: Colorize
) -> None:
    assert colorize(film, "-o", tmp_path / "out.mkv", "--force") == 0
    for index in (1, 2, 3):
        assert packets(tmp_path / "out.mkv", index) == packets(film, index)
    with av.open(str(film)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert [stream.type for stream in after.streams] == [stream.type for stream in before.streams]
        assert [s.metadata.get("language") for s in after.streams] == [
            s.metadata.get("language") for s in before.streams
        ]
        assert after.chapters() == before.chapters()
        assert after.metadata["title"] == "A street"
        own, mark = after.metadata["COMMENT"].splitlines()
        assert own == "1921"
        assert mark.startswith("Coloured by colorize-media ")
        assert [attachment.data for attachment in after.streams.attachments] == [b"letters"]


def test_a_film_taken_on_its_side_stays_on_its_side(tmp_path: Path, colorize: Colorize) -> None:
    source = make_video(tmp_path / "in.mp4", frames=3, rotation=90)
    assert colorize(source, "-o", tmp_path / "out.mp4", "--force") == 0
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        turns = [next(container.decode(video=0)).rotation for container in (before, after)]
    assert turns[0] == turns[1] != 0


def test_what_the_output_cannot_hold_is_refused_unless_it_may_be_lost(
    tmp_path: Path, film: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    assert colorize(film, "-o", tmp_path / "out.mp4", "--force") == 1
    told = capsys.readouterr().err
    assert "attachment" in told
    assert "--drop-streams" in told
    assert not (tmp_path / "out.mp4").exists()
    assert colorize(film, "-o", tmp_path / "out.mp4", "--force", "--drop-streams") == 0
    assert "left out" in capsys.readouterr().err


def test_camera_date_and_place_of_a_photograph_are_as_they_were(tmp_path: Path, colorize: Colorize) -> None:
    source = save(tmp_path / "in.jpg", grey_picture(), exif=exif_with(6), comment="Aunt Grete", dpi=(300, 300))
    assert colorize(source, "-o", tmp_path / "out.jpg") == 0
    with Image.open(source) as before, Image.open(tmp_path / "out.jpg") as after:
        for block in (0x8769, 0x8825):  # what the camera set, and where
            old, new = before.getexif().get_ifd(block), after.getexif().get_ifd(block)
            moved = {0xA002, 0xA003}  # width and height: the picture is upright now
            assert {tag: new.get(tag) for tag in old.keys() - moved} == {tag: old[tag] for tag in old.keys() - moved}
        assert after.getexif()[0x010F] == "Maker"
        assert after.info["dpi"] == before.info["dpi"]
        assert after.info["comment"] == before.info["comment"]


def test_what_lies_beside_goes_along(
    tmp_path: Path, film: Path, colorize: Colorize, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ratings, places, captions, subtitles: told before, copied under the output's name, the originals untouched."""
    folder = film.parent
    save(folder / "anna.jpg", grey_picture())
    (folder / "anna.jpg.xmp").write_bytes(_RATED)
    (folder / "anna.jpg.supplemental-metad.json").write_text('{"description": "Aunt Grete"}')
    (folder / "street.en.srt").write_text("1\n00:00:00,000 --> 00:00:00,400\nHello\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert colorize(folder, "-o", tmp_path / "out", "-n") == 0
    told = capsys.readouterr().out
    assert "  with anna.jpg.supplemental-metad.json → anna.jpg.supplemental-metadata.json" in told.splitlines()
    assert colorize(folder, "-o", tmp_path / "out", "--force") == 0
    assert "3 sidecars copied" in capsys.readouterr().err
    names = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert names == {
        "anna.jpg", "anna.jpg.xmp", "anna.jpg.supplemental-metadata.json", "street.mkv", "street.en.srt",
    }  # fmt: skip
    fitted = (tmp_path / "out" / "anna.jpg.xmp").read_bytes()
    assert b'xmp:Rating="5"' in fitted
    assert b"ConvertToGrayscale" not in fitted
    assert b"compositeWithTrainedAlgorithmicMedia" in fitted
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert colorize(folder / "anna.jpg", "--no-sidecars") == 0
    assert sorted(path.name for path in folder.glob("anna.color*")) == ["anna.color.jpg"]
    assert colorize(folder / "anna.jpg", "--overwrite") == 0
    assert sorted(path.name for path in folder.glob("anna.color*")) == [
        "anna.color.jpg", "anna.color.jpg.supplemental-metadata.json", "anna.color.jpg.xmp",
    ]  # fmt: skip


_RATED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5" '
    b'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:ConvertToGrayscale="True"/></rdf:RDF></x:xmpmeta>'
)
