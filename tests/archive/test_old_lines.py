"""Manifests of earlier versions: still read, still believed, and what they were told is known."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import colorize_media.archive.memory as memory_room
from colorize_media.archive.manifest import MANIFEST_NAME, Entry, Stamp, read_manifest
from colorize_media.archive.memory import Memory
from colorize_media.archive.old_lines import what_it_was
from colorize_media.archive.plan import make_plan
from colorize_media.events import Planned
from colorize_media.options import ColorizeOptions

# Written by a2b906e: colorize-media in -o out --working-size 64 --fast --smoothing fast --device cpu
PLAIN = """\
{"version": 1, "target": "broken.jpg", "source": "in/broken.jpg", "stamp": [10, 1795919222840802093], "made": null, "status": "failed", "options": "2421af20a8ea9e45", "reason": "the picture is damaged: it begins like JPEG, but its header cannot be read"}
{"version": 1, "target": "color.jpg", "source": "in/color.jpg", "stamp": [3042, 1795919222759485585], "made": null, "status": "left", "options": "5541cf151fe4aae9", "reason": "already in colour: its colours differ by 17.3 at equal lightness (a tone: at most 3.7)"}
{"version": 1, "target": "colored.mkv", "source": "in/colored.mkv", "stamp": [200289, 1795919235209464857], "made": null, "status": "left", "options": "5541cf151fe4aae9", "reason": "already in colour: its colours differ by 36.1 at equal lightness (a tone: at most 2.4)"}
{"version": 1, "target": "colorpages.tif", "source": "in/colorpages.tif", "stamp": [57888, 1795919222839782514], "made": null, "status": "left", "options": "5541cf151fe4aae9", "reason": "each of its 2 pages is left as it is, the first one for: already in colour: its colours differ by 16.6 at equal lightness (a tone: at most 3.7)"}
{"version": 1, "target": "empty.jpg", "source": "in/empty.jpg", "stamp": [0, 1795919222840802093], "made": null, "status": "failed", "options": "2421af20a8ea9e45", "reason": "the file is empty: it has 0 bytes"}
{"version": 1, "target": "grey.mkv", "source": "in/grey.mkv", "stamp": [67451, 1795919235221464857], "made": [7056, 1795919235221464857], "status": "done", "options": "cc32255b8bd1eb0e", "reason": "neutral: grey: 95 % of it has a chroma of at most 0.0"}
{"version": 1, "target": "grey.png", "source": "in/grey.png", "stamp": [3692, 1795919222758627047], "made": [11701, 1795919222758627047], "status": "done", "options": "9224d5253c153d94", "reason": "neutral: grey: 95 % of it has a chroma of at most 0.0"}
{"version": 1, "target": "mixed.mkv", "source": "in/mixed.mkv", "stamp": [493862, 1795919235161464857], "made": [29565, 1795919235161464857], "status": "done", "options": "cc32255b8bd1eb0e", "reason": "mixed: 5 of 8 pictures are in colour, their shots are left alone"}
{"version": 1, "target": "page.png", "source": "in/page.png", "stamp": [42704, 1795919222809464784], "made": [100664, 1795919222809464784], "status": "done", "options": "9224d5253c153d94", "reason": "neutral: grey: 95 % of it has a chroma of at most 0.0"}
{"version": 1, "target": "pages.tif", "source": "in/pages.tif", "stamp": [37152, 1795919222833464784], "made": [30118, 1795919222833464784], "status": "done", "options": "9224d5253c153d94", "reason": "page 1 of 2 is neutral: grey: 95 % of it has a chroma of at most 0.0"}
{"version": 1, "target": "sepia.mkv", "source": "in/sepia.mkv", "stamp": [77861, 1795919235257464857], "made": [6834, 1795919235257464857], "status": "done", "options": "cc32255b8bd1eb0e", "reason": "toned: evenly toned: colours differ by 1.2 at equal lightness"}
{"version": 1, "target": "sepia.png", "source": "in/sepia.png", "stamp": [9271, 1795919222761464783], "made": [11613, 1795919222761464783], "status": "done", "options": "9224d5253c153d94", "reason": "toned: evenly toned: colours differ by 0.7 at equal lightness"}
"""  # noqa: E501
# … --skip-documents
DOCUMENTS = """\
{"version": 1, "target": "color.jpg", "source": "in/color.jpg", "stamp": [3042, 1795919222759485585], "made": null, "status": "left", "options": "20748d9026943217", "reason": "already in colour: its colours differ by 17.3 at equal lightness (a tone: at most 3.7)"}
{"version": 1, "target": "colored.mkv", "source": "in/colored.mkv", "stamp": [200289, 1795919235209464857], "made": null, "status": "left", "options": "20748d9026943217", "reason": "already in colour: its colours differ by 36.1 at equal lightness (a tone: at most 2.4)"}
{"version": 1, "target": "colorpages.tif", "source": "in/colorpages.tif", "stamp": [57888, 1795919222839782514], "made": null, "status": "left", "options": "20748d9026943217", "reason": "each of its 2 pages is left as it is, the first one for: already in colour: its colours differ by 16.6 at equal lightness (a tone: at most 3.7)"}
{"version": 1, "target": "mixed.mkv", "source": "in/mixed.mkv", "stamp": [493862, 1795919235161464857], "made": [29565, 1795919235161464857], "status": "done", "options": "cc32255b8bd1eb0e", "reason": "mixed: 5 of 8 pictures are in colour, their shots are left alone"}
{"version": 1, "target": "page.png", "source": "in/page.png", "stamp": [42704, 1795919222809464784], "made": null, "status": "left", "options": "20748d9026943217", "reason": "a document: strokes on 5% of an even ground, half tones on 7%"}
"""  # noqa: E501
# … --force
FORCED = """\
{"version": 1, "target": "color.jpg", "source": "in/color.jpg", "stamp": [3042, 1795919222759485585], "made": [7133, 1795919222759485585], "status": "done", "options": "9224d5253c153d94", "reason": "color: its colours differ by 17.3 at equal lightness (a tone: at most 3.7)"}
{"version": 1, "target": "colored.mkv", "source": "in/colored.mkv", "stamp": [200289, 1795919235209464857], "made": [9449, 1795919235209464857], "status": "done", "options": "cc32255b8bd1eb0e", "reason": "color: its colours differ by 36.1 at equal lightness (a tone: at most 2.4)"}
{"version": 1, "target": "mixed.mkv", "source": "in/mixed.mkv", "stamp": [493862, 1795919235161464857], "made": [26904, 1795919235161464857], "status": "done", "options": "cc32255b8bd1eb0e", "reason": "mixed: 5 of 8 pictures are in colour, their shots are left alone"}
{"version": 1, "target": "pages.tif", "source": "in/pages.tif", "stamp": [37152, 1795919222833464784], "made": [25298, 1795919222833464784], "status": "done", "options": "9224d5253c153d94", "reason": "page 1 of 2 is neutral: grey: 95 % of it has a chroma of at most 0.0"}
"""  # noqa: E501
WEIGHTS = (
    "813b27f4754b9ae28b199f0b2ab5e64dbab46d570e023b0d55de14cac687501e"  # digest of the network that a2b906e came with
)
VERSION = "0.1.0"
OPTIONS = {"working_size": 64, "fast": True, "smoothing": "fast", "device": "cpu"}
DONE = {"grey.mkv", "grey.png", "mixed.mkv", "page.png", "pages.tif", "sepia.mkv", "sepia.png"}
LEFT = {"color.jpg", "colored.mkv", "colorpages.tif"}


@pytest.fixture(autouse=True)
def then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The network, the version and the working folder that these lines were written with."""
    monkeypatch.setattr(memory_room, "_weights_digest", lambda model: WEIGHTS)
    monkeypatch.setattr(memory_room, "__version__", VERSION)
    memory_room.options_digest.cache_clear()
    monkeypatch.chdir(tmp_path)


def stand(lines: str) -> None:
    """The files that the lines are about, as far as a plan looks at them, the manifest, and nothing else."""
    for folder in ("in", "out"):
        shutil.rmtree(folder, ignore_errors=True)
    for line in lines.splitlines():
        row = json.loads(line)
        for path, stamp in ((Path(row["source"]), row["stamp"]), (Path("out") / row["target"], row["made"])):
            if stamp is not None:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(bytes(stamp[0]))
                os.utime(path, ns=(stamp[1], stamp[1]))
    (Path("out") / MANIFEST_NAME).write_text(lines)


def planned(**options: object) -> dict[str, Planned]:
    memory = Memory(ColorizeOptions(**{**OPTIONS, **options}))  # type: ignore[arg-type]
    return {item.source.name: item for item in make_plan([Path("in")], Path("out"), overwrite=False, memory=memory)}


def done_anew(**options: object) -> set[str]:
    return {name for name, item in planned(**options).items() if item.action == "colorize"}


def test_the_same_command_does_nothing_anew_after_an_update() -> None:
    stand(PLAIN)
    found = planned()
    assert {name for name, item in found.items() if item.action == "fail"} == {"broken.jpg", "empty.jpg"}
    assert {name for name, item in found.items() if item.action == "skip"} == DONE | LEFT
    assert {name for name, item in found.items() if item.earlier} == {"broken.jpg", "empty.jpg"} | LEFT


def test_nor_does_the_one_that_skips_documents() -> None:
    stand(DOCUMENTS)
    found = planned(skip_documents=True)
    assert {item.action for item in found.values()} == {"skip"}
    assert {name for name, item in found.items() if item.earlier} == LEFT | {"page.png"}


def test_other_options_do_anew_what_they_change() -> None:
    stand(PLAIN)
    assert done_anew(vividness=1.5) == DONE
    assert done_anew(quality=50) == {name for name in DONE if not name.endswith(".mkv")}
    assert done_anew(force=True) == LEFT | {"mixed.mkv", "pages.tif"}  # of which parts may have been left
    stand(DOCUMENTS)
    assert done_anew() == {"color.jpg", "colorpages.tif", "page.png"}  # not the film, which is no document anyway


def test_what_may_have_been_forced_is_done_once_more_with_force_and_believed_without() -> None:
    """A line of theirs does not say whether it was; of whole files --force makes nothing else."""
    stand(FORCED)
    assert done_anew(force=True) == {"mixed.mkv", "pages.tif"}
    assert done_anew() == set()


def test_what_was_found_is_known() -> None:
    stand(PLAIN)
    what = {name: entry.what for name, entry in read_manifest(Path("out")).items()}
    assert what == {
        "broken.jpg": None, "color.jpg": "color", "colored.mkv": "color", "colorpages.tif": None, "empty.jpg": None,
        "grey.mkv": "neutral", "grey.png": "neutral", "mixed.mkv": "mixed", "page.png": "neutral", "pages.tif": None,
        "sepia.mkv": "toned", "sepia.png": "toned",
    }  # fmt: skip
    stand(DOCUMENTS)
    assert read_manifest(Path("out"))["page.png"].what == "document"
    assert planned(skip_documents=True)["page.png"].what == "document"
    stand(FORCED)
    assert read_manifest(Path("out"))["color.jpg"].what == "color"


@pytest.mark.parametrize("reason", ["", "no frame to judge by", "cannot decode: neutral: no"])
def test_other_sentences_say_nothing(reason: str) -> None:
    assert what_it_was(reason) is None


def test_a_line_of_today_is_not_asked_for_its_sentence() -> None:
    row = json.loads(PLAIN.splitlines()[1])
    Path("out").mkdir()
    (Path("out") / MANIFEST_NAME).write_text(json.dumps(row | {"what": None}) + "\n")
    (entry,) = read_manifest(Path("out")).values()
    assert entry == Entry(
        row["target"], row["source"], Stamp(*row["stamp"]), None, "left", row["options"], row["reason"], None
    )
