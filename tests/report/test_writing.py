"""``--report``: what it counts, what it says of earlier runs, and that no file name can break out of the page."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from colorize_media.report import pairs as pairs_room
from colorize_media.report.page import read_pair
from colorize_media.report.thumbnails import thumbnail
from colorize_media.report.writing import NAME
from tests.made.films import grey_frames, make_video

ODD = os.fsdecode(b'"><img src=x onerror=alert(1)>&amp;\n\xff\xe2\x80\xae.png')
INSIDE = "<"  # a folder, so that the path within it reads </script>


def make_archive(folder: Path) -> Path:
    """Two grey pictures (one with an awful name), one in colour, one broken, a film."""
    (folder / INSIDE).mkdir(parents=True)
    grey = Image.fromarray(data.camera()).resize((96, 64))
    grey.save(folder / ODD)
    grey.save(folder / INSIDE / "script>grey.png")
    Image.fromarray(data.coffee()).resize((120, 80)).save(folder / "colour.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    make_video(folder / "film.mp4", frames=grey_frames(6))
    return folder


def do(weights: Path, *arguments: object) -> int:
    return run([*map(str, arguments), "--model", str(weights), "--device", "cpu", "--working-size", "64"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, fresh_weights: Path) -> Path:
    """The output folder of a run with a report."""
    base = tmp_path_factory.mktemp("report")
    assert do(fresh_weights, make_archive(base / "in"), "-o", base / "out", "--report") == 1
    return base / "out"


class Elements(HTMLParser):
    """Every element with its attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1][2].append(data)

    def text(self, tag: str, **wanted: str) -> str:
        """Of the only element like that."""
        (text,) = ["".join(t) for name, attrs, t in self.found if name == tag and wanted.items() <= attrs.items()]
        return text


def elements(page: Path) -> Elements:
    return Elements(page.read_text(encoding="utf-8"))


def rows_of(page: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads(elements(page).text("script", id="rows"))
    return {Path(row["source"]).name: row for row in rows}


def statuses(page: Path) -> dict[str, tuple[str, str, bool]]:
    return {name: (row["status"], row["decision"], row["earlier"]) for name, row in rows_of(page).items()}


def test_every_file_has_its_outcome_and_the_totals_add_up(finished: Path) -> None:
    found = statuses(finished / NAME)
    assert found["colour.jpg"] == ("left", "color", False)
    assert found["broken.jpg"] == ("failed", "", False)
    assert found["script>grey.png"] == ("done", "neutral", False)
    assert found["film.mp4"] == ("done", "neutral", False)
    facts = json.loads((finished / NAME).with_suffix(".json").read_text())
    assert facts["totals"]["files"] == len(facts["rows"]) == len(found) == 5
    assert [facts["totals"][name] for name in ("done", "left", "present", "failed")] == [3, 1, 0, 1]
    assert sum(facts["totals"]["earlier"].values()) == 0
    assert {row["source"] for row in facts["rows"]} == {
        str(path) for path in (finished.parent / "in").rglob("*") if path.is_file()
    }
    assert facts["seconds"] > 0
    failed = next(row for row in facts["rows"] if row["status"] == "failed")
    assert "damaged" in failed["reason"]
    assert failed["hint"]


def test_no_name_becomes_an_element(finished: Path) -> None:
    text = (finished / NAME).read_bytes()
    assert b"<img" not in text
    assert b"</script>grey" not in text
    assert text.count(b"<script") == text.count(b"</script>") == 4  # one block of thumbnails, facts, rows, the script
    page = elements(finished / NAME)
    assert not [attrs for tag, attrs, _ in page.found for name in attrs if name.startswith("on")]
    shown = next(row for name, row in rows_of(finished / NAME).items() if "onerror" in name)
    assert shown["name"] == '"><img src=x onerror=alert(1)>&amp;\\n\\udcff\\u202e.png'
    for address in (shown["before"], shown["after"]):
        assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", address)


def test_the_page_fetches_nothing_and_runs_only_what_it_says(finished: Path) -> None:
    page = elements(finished / NAME)
    policy = next(attrs["content"] for tag, attrs, _ in page.found if attrs.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for kind, text in (("script", page.text("script", type="module")), ("style", page.text("style"))):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not [attrs for _, attrs, _ in page.found if "src" in attrs or "style" in attrs]
    assert b"http" not in (finished / NAME).read_bytes().replace(b"http-equiv", b"")


def blocks_of(page: Path) -> list[tuple[bytes, bytes]]:
    pairs = [read_pair(line) for line in page.read_bytes().splitlines()]
    return [(pair.before, pair.after) for pair in pairs if pair is not None]


def test_thumbnails_show_the_files(finished: Path) -> None:
    pairs = dict(zip(rows_of(finished / NAME), blocks_of(finished / NAME), strict=True))
    assert pairs["broken.jpg"] == (b"", b"")
    assert pairs["colour.jpg"][1] == b""
    before, after = (Image.open(io.BytesIO(base64.b64decode(text))) for text in pairs["film.mp4"])
    assert before.size == after.size
    with Image.open(io.BytesIO(base64.b64decode(pairs["script>grey.png"][0]))) as grey:
        shown = np.asarray(grey.convert("L"), np.float64)
    wanted = np.asarray(Image.fromarray(data.camera()).resize((96, 64)), np.float64)
    assert np.abs(shown - wanted).mean() < 8.0


def test_the_next_report_knows_what_earlier_runs_did(
    tmp_path: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_archive(tmp_path / "in"), tmp_path / "out"
    assert do(fresh_weights, source, "-o", out) == 1
    Image.fromarray(data.camera()).save(source / "new.png")
    (out / "foreign.png").write_text("somebody's own")
    Image.fromarray(data.camera()).save(source / "foreign.png")
    assert do(fresh_weights, source, "-o", out, "--report") == 4
    found = statuses(out / NAME)
    assert found["new.png"] == ("done", "neutral", False)
    assert found["foreign.png"] == ("present", "", False)
    assert found["script>grey.png"] == ("done", "neutral", True)
    assert found["film.mp4"] == ("done", "neutral", True)
    assert found["colour.jpg"] == ("left", "color", True)
    assert found["broken.jpg"] == ("failed", "", True)
    assert "damaged" in rows_of(out / NAME)["broken.jpg"]["reason"]
    # A third one makes no thumbnail again, but of what has changed; one of a part of the files knows the others too.
    before, times = blocks_of(out / NAME), out.stat().st_mtime_ns
    made: list[str] = []

    def count(path: Path, *rest: Any) -> bytes:
        made.append(path.name)
        return thumbnail(path, *rest)

    monkeypatch.setattr(pairs_room, "thumbnail", count)
    assert do(fresh_weights, source, "-o", out, "--report") == 4
    assert made == []
    assert blocks_of(out / NAME) == before
    assert out.stat().st_mtime_ns == times  # the folder mirrors another, whose times it has
    assert do(fresh_weights, source, "-o", out, "--report", "--include", "new.png") == 0
    assert statuses(out / NAME)["script>grey.png"] == ("done", "neutral", True)


def test_only_a_report_is_replaced(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(data.camera()).resize((64, 64)).save(picture)
    mine = tmp_path / "mine.html"
    mine.write_text("<p>my own page")
    assert do(fresh_weights, picture, "-o", tmp_path / "out.png", f"--report={mine}") == 2
    assert "only an earlier report" in capsys.readouterr().err
    assert (mine.read_text(), (tmp_path / "out.png").exists()) == ("<p>my own page", False)
    (tmp_path / "b.json").write_text("{}")
    assert do(fresh_weights, picture, "-o", tmp_path / "out.png", f"--report={tmp_path / 'b.html'}") == 2
    for bad in (tmp_path, picture, tmp_path / "report.json"):
        assert do(fresh_weights, picture, "-o", tmp_path / "out.png", f"--report={bad}") == 2
        assert ".html" in capsys.readouterr().err
    assert do(fresh_weights, picture, "-o", tmp_path / "out.png", "-n", f"--report={tmp_path / 'c.html'}") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.json", "mine.html"]
    assert do(fresh_weights, picture, "-o", tmp_path / "out.png", "-y", f"--report={mine}") == 0
    assert statuses(mine) == {"a.png": ("done", "neutral", False)}


def test_lines_for_programs_stay_as_they_are(
    tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(data.camera()).resize((64, 64)).save(picture)
    assert do(fresh_weights, picture, "--json", "--report") == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["planned", "started", "done", "summary"]
    assert statuses(tmp_path / NAME) == {"a.png": ("done", "neutral", False)}


def test_of_nothing(tmp_path: Path, fresh_weights: Path) -> None:
    (tmp_path / "in").mkdir()
    assert do(fresh_weights, tmp_path / "in", "-o", tmp_path / "out", f"--report={tmp_path / 'r.html'}") == 1
    assert rows_of(tmp_path / "r.html") == {}


def test_a_report_that_cannot_be_written_is_a_failure_and_costs_no_picture(
    tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(data.camera()).resize((64, 64)).save(picture)
    (tmp_path / "file").write_text("where a folder should be")
    code = do(fresh_weights, picture, "-o", tmp_path / "b.png", f"--report={tmp_path / 'file' / 'r.html'}")
    assert code == 1
    assert "cannot write the report" in capsys.readouterr().err
    assert (tmp_path / "b.png").exists()
