"""`-n`: what would happen, file by file and in all; nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from colorize_media.archive.discovery import Selection
from colorize_media.archive.forecast import foresee
from colorize_media.archive.inspection import inspect
from colorize_media.archive.plan import make_plan
from colorize_media.cli.main import run
from colorize_media.options import ColorizeOptions
from tests.made.films import grey_frames, make_video


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    grey, colored = Image.fromarray(data.camera()), Image.fromarray(data.coffee())
    grey.save(folder / "a grey.jpg", quality=90)
    grey.convert("RGB").save(folder / "b grey.jpg", quality=90)
    colored.save(folder / "c colour.jpg", quality=90)
    colored.resize((2400, 1600)).save(folder / "d large.jpg", quality=90)
    Image.merge("RGB", [grey.point(lambda code, gain=gain: int(code * gain)) for gain in (1.0, 0.85, 0.6)]).resize(
        (2048, 2048)
    ).save(folder / "e sepia.jpg", quality=90)
    grey.save(folder / "f grey.png")
    (folder / "g broken.jpg").write_bytes((folder / "d large.jpg").read_bytes()[:20_000])
    make_video(folder / "h film.mp4", frames=grey_frames(6))
    (folder / "notes.txt").write_text("words")
    return folder


def test_each_file_is_decided_about_as_inspect_does(archive: Path) -> None:
    plan = make_plan([archive], archive.with_name("out"), overwrite=False)
    foreseen = {item.item.source.name: item.item for item in foresee(plan, ColorizeOptions())}
    words = {"color": "colorize", "leave": "skip", "fail": "fail"}
    decided = {item.source.name: item for item in inspect([archive], ColorizeOptions(), Selection())}
    assert {name: item.action for name, item in foreseen.items()} == {
        name: words[item.decision] for name, item in decided.items()
    }
    kinds = {name: item.verdict.kind for name, item in decided.items() if item.verdict is not None}
    assert {name: item.what for name, item in foreseen.items() if item.what is not None} == kinds
    assert set(kinds.values()) == {"neutral", "toned", "color"}


def test_the_totals_and_what_is_left_are_told(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = archive.with_name("out")
    assert run(["-n", str(archive), "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith(f"would skip {archive / 'c colour.jpg'} (already in colour: ")
    assert lines[6].startswith(f"would fail on {archive / 'g broken.jpg'} (")
    assert lines[-3:] == [
        "would colour 4 pictures and 1 film (0.2 s of film), skip 2, fail on 1",
        "  2 skipped: already in colour",
        "  1 passed over: 1 .txt",
    ]
    assert run(["-n", "--quick", "--json", str(archive), "-o", str(out)]) == 0
    *_, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert last == {
        "event": "expected", "photos": 7, "films": 1, "seconds": 0.0, "skipped": {}, "failed": 0,
        "passed": {".txt": 1}, "quick": True,
    }  # fmt: skip
    assert not out.exists()


def test_documents_and_what_is_done_are_counted_by_why(
    archive: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(data.text()).save(archive / "text.png")
    words = [str(archive / "f grey.png"), str(archive / "text.png"), "--model", str(fresh_weights), "--device", "cpu"]
    assert run([words[0], *words[2:]]) == 0
    capsys.readouterr()
    assert run(["-n", "--skip-documents", "--json", *words]) == 0
    *_, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert last["skipped"] == {"the output is already there": 1, "a document": 1}
