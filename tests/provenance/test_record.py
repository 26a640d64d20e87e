"""The record of how an output was made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions, digest, what_changed_colors, what_made_it
from colorize_media.provenance.record import now, record_of
from colorize_media.version import __version__
from tests.made.records import made_record


def test_a_record_says_program_network_numbers_options_date_and_source(colorizer: Colorizer) -> None:
    options = ColorizeOptions(vividness=1.2, quality=40, start=Fraction(1, 2), force=True)
    said = what_made_it(options, "video", colorizer.weights_digest)
    film = record_of(colorizer, source=Path("/home/ann/films/old.mkv"), **said)
    assert film.as_json() == {
        "program": "colorize-media",
        "version": __version__,
        "model": "fresh",
        "weights": colorizer.weights_digest,
        "engine": "torch",
        "precision": str(colorizer.dtype).removeprefix("torch."),
        "options": {"vividness": 1.2, "start": "1/2", "force": True},
        "date": "2026-05-04T10:00:00Z",
        "source": "old.mkv",
        "source_sha256": "",  # the file is not there
        "source_stamp": None,
        "settings": {},  # quality is of photographs
        "made_under": digest(options, "video", "done", colorizer.weights_digest, ""),
        "decided_under": digest(options, "video", "left", "", ""),
    }
    assert what_made_it(options, "photo", "")["settings"] == {"quality": 40}
    assert json.loads(json.dumps(film.as_json())) == film.as_json()
    assert len(film.weights) == 64
    assert what_changed_colors(options, "photo") == {"vividness": 1.2, "force": True}


def test_the_original_can_be_found_again_by_its_digest(tmp_path: Path, colorizer: Colorizer) -> None:
    (tmp_path / "a.png").write_bytes(b"a" * 3_000_000)
    digest = hashlib.sha256(b"a" * 3_000_000).hexdigest()
    record = record_of(colorizer, {}, tmp_path / "a.png")
    assert record.source_sha256 == digest
    assert record.parameters.endswith(f"; of the original with sha256 {digest}")
    assert record_of(colorizer, {}, Path("b.png"), tmp_path / "a.png").source_sha256 == digest
    assert digest not in json.dumps(record.anonymous().as_json()) + record.anonymous().parameters


def test_equal_work_gives_equal_records_but_for_the_date(colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = record_of(colorizer, {}, Path("a.png"))
    assert record_of(colorizer, {}, Path("a.png")) == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    later = record_of(colorizer, {}, Path("a.png"))
    assert later.date == "1970-01-02T00:00:00Z"
    assert replace(later, date=first.date) == first


@pytest.mark.parametrize("nonsense", ["", "soon", "-5", "9" * 30, "١٢"])
def test_a_date_that_is_none_is_this_moment(nonsense: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", nonsense)
    assert now() > "2026-05-04T10:00:00Z"
    assert len(now()) == len("2026-05-04T10:00:00Z")


def test_no_folder_of_the_person_is_told(tmp_path: Path) -> None:
    """Of weights that a person trained, the run's name; the folder may have theirs."""

    class Trained:
        weights = tmp_path / "secret name" / "family" / "weights.safetensors"
        weights_digest = "0" * 64
        engine = type("Engine", (), {"name": "torch"})
        dtype = "torch.float32"

    record = record_of(Trained(), {}, tmp_path / "secret name" / "a.png")
    assert record.model == "family"
    assert "secret name" not in json.dumps(record.as_json()) + record.parameters + record.sentence


def test_people_read_a_short_digest_and_programs_the_whole() -> None:
    record = made_record(options={"vividness": 1.2, "fast": True})
    assert record.sentence == (
        "Coloured by colorize-media 0.test on 2026-05-04 with the network scenes (weights sha256 3f2a91c0d5e7)."
    )
    assert record.parameters == (
        f"colour added by the network scenes (weights sha256 {record.weights}), torch float32; fast True; vividness 1.2"
    )
    assert record.system_version == "0.test (weights sha256 3f2a91c0d5e7)"
