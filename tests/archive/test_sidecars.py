"""Which files go along with a picture or film by their names, and what they are called beside its output."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorize_media.archive.sidecars import Beside, go_along, kind_by_name

LONG = "an old photograph of the harbour of Ponta Delgada"  # more than 46 letters


def along(*names: str) -> dict[str, list[str]]:
    """By picture or film, what of these names goes along."""
    media = [name for name in names if kind_by_name(name) is not None]
    found = go_along({name: kind_by_name(name) for name in media}, [name for name in names if name not in media])
    return {owner: sorted(beside.name for beside in some if not beside.stays) for owner, some in found.items()}


def beside(media: str, sidecar: str, output: str) -> str:
    """What the sidecar is called beside the output."""
    (one,) = go_along({media: kind_by_name(media)}, [sidecar])[media]
    return one.beside(Path("out") / output).name


@pytest.mark.parametrize(
    ("media", "sidecars"),
    [
        ("a.jpg", ["a.xmp", "a.jpg.xmp", "A.XMP", "a.AAE", "a.json", "a.jpg.json", "a.txt", "a.jpg.txt", "a.wav", "a.thm"]),
        ("a.tif", ["a.tfw", "a.tifw", "a.wld", "a.prj", "a.tif.aux.xml"]),
        ("IMG_1.HEIC", ["img_1.xmp", "IMG_1.heic.xmp"]),
        ("f.mp4", ["f.srt", "f.en.srt", "f.pt-BR.forced.srt", "f.ass", "f.ssa", "f.vtt", "f.sub", "f.idx", "f.nfo"]),
        ("f.mkv", ["f.xmp", "f.mkv.xmp", "f.info.json", "f.description", "f.de.vtt", "f.sup", "f.THM"]),
        ("1. of May.mp4", ["1. of May.srt", "1. of May.en.srt"]),
        ("IMG_0001", ["IMG_0001.xmp"]),
    ],
)  # fmt: skip
def test_what_goes_along(media: str, sidecars: list[str]) -> None:
    found = go_along({media: kind_by_name(media)}, sidecars)
    assert sorted(beside.name for beside in found[media]) == sorted(sidecars)


@pytest.mark.parametrize(
    "names",
    [
        ("a.jpg", "b.xmp", "ab.jpg.xmp", "a_01.jpg.xmp", "readme.txt", "a.pdf", "a.srt", "a.nfo", "a.en.json", "a"),
        ("f.mp4", "f.tfw", "f.wav", "f.a.b.c.d.srt", "f.this is a whole sentence.srt", "movie.nfo", "f2.srt"),
    ],
)
def test_what_does_not(names: tuple[str, ...]) -> None:
    assert along(*names) == {}


def test_raw_and_jpeg_share_and_the_longest_name_wins() -> None:
    assert along("a.cr2", "a.jpg", "a.xmp", "a.cr2.xmp") == {"a.cr2": ["a.cr2.xmp", "a.xmp"], "a.jpg": ["a.xmp"]}
    assert along("f.mp4", "f.part2.mp4", "f.part2.srt", "f.srt") == {"f.mp4": ["f.srt"], "f.part2.mp4": ["f.part2.srt"]}


def test_letter_case_counts_where_names_differ_by_it_alone() -> None:
    assert along("a.jpg", "A.jpg", "a.xmp", "A.xmp") == {"a.jpg": ["a.xmp"], "A.jpg": ["A.xmp"]}


@pytest.mark.parametrize(
    ("media", "sidecar", "output", "name"),
    [
        ("a.jpg", "a.jpg.xmp", "a.color.jpg", "a.color.jpg.xmp"),
        ("a.jpg", "a.xmp", "a.color.jpg", "a.color.xmp"),
        ("a.cr2", "a.xmp", "a.cr2.tif", "a.cr2.xmp"),
        ("a.heic", "a.heic.xmp", "a.heic.jpg", "a.heic.jpg.xmp"),
        ("f.wmv", "f.en.srt", "f.color.wmv.mkv", "f.color.wmv.en.srt"),
        ("m.tif", "m.tfw", "m.png", "m.pgw"),
        ("m.tif", "m.TFW", "m.tif", "m.TFW"),
        ("m.tif", "m.tifw", "m.png", "m.pngw"),
        ("m.tif", "m.wld", "m.png", "m.wld"),
        ("a(1).jpg", "a.jpg(1).json", "a(1).jpg", "a(1).jpg.json"),
        ("a(1).jpg", "a.jpg.supplemental-metadata(1).json", "b.jpg", "b.jpg.supplemental-metadata.json"),
        ("a.jpg", "a.jpg.supplemental-me.json", "b.jpg", "b.jpg.supplemental-metadata.json"),
    ],
)  # fmt: skip
def test_names_fit_the_output(media: str, sidecar: str, output: str, name: str) -> None:
    assert beside(media, sidecar, output) == name


def test_takeouts_json_is_found_whatever_was_done_to_its_name() -> None:
    cut = f"{LONG}.jpg"[:46]
    assert along(f"{LONG}.jpg", f"{cut}.json") == {f"{LONG}.jpg": [f"{cut}.json"]}
    assert along(f"{LONG}(2).jpg", f"{cut}(2).json") == {f"{LONG}(2).jpg": [f"{cut}(2).json"]}
    for tail in (".supplemental-metadata", ".supplemental-metad", ".s", "."):
        assert along("a.jpg", "b.jpg", f"a.jpg{tail}.json") == {"a.jpg": [f"a.jpg{tail}.json"]}
    assert along("a.jpg", "a(1).jpg", "a.jpg.json", "a.jpg(1).json") == {
        "a.jpg": ["a.jpg.json"], "a(1).jpg": ["a.jpg(1).json"]
    }  # fmt: skip
    assert along("a.jpg", "a-edited.jpg", "a.jpg.json") == {"a.jpg": ["a.jpg.json"], "a-edited.jpg": ["a.jpg.json"]}


def test_a_cut_name_that_may_be_that_of_two_is_nobodys() -> None:
    assert along(f"{LONG} 1.jpg", f"{LONG} 2.jpg", f"{LONG[:46]}.json") == {}


def test_develop_settings_stay() -> None:
    found = go_along({"a.nef": "photo"}, ["a.nef.pp3", "a.nef.dop"])["a.nef"]
    assert all("develop settings" in beside.stays for beside in found)
    assert len(found) == 2


def test_what_a_sidecar_is() -> None:
    assert Beside("f.en.srt", ".en.srt", False).is_timed
    assert Beside("a.XMP", ".XMP", False).is_xmp
    assert not Beside("a.aae", ".aae", False).is_xmp


def test_a_large_folder_takes_no_time_that_grows_with_its_square() -> None:
    names = [f"{LONG} {number}.jpg" for number in range(20_000)]
    found = go_along(dict.fromkeys(names, "photo"), [f"{name}.json" for name in names])
    assert len(found) == len(names)
