"""A film that would not fit on its disk is refused before its first frame."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from colorize_media.archive.manifest import MANIFEST_NAME
from colorize_media.cli.main import run
from colorize_media.video import room
from colorize_media.video.encoder import EncoderSettings, plan_encoding
from colorize_media.video.reader import Reader
from tests.made.films import grey_frames, make_video
from tests.made.photos import grey_picture, save
from tests.told import told_in_four_parts


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def _free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 0, free))


def test_without_room_the_film_fails_with_what_it_needs_and_the_run_goes_on(
    tmp_path: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    film = make_video(tmp_path / "in" / "film.mkv", frames=grey_frames(3))
    save(tmp_path / "in" / "anna.png", grey_picture())
    common = ["--model", str(fresh_weights), "--device", "cpu", "--working-size", "64"]
    _free(monkeypatch, 10)
    assert run([str(film), *common]) == 1
    told = capsys.readouterr().err
    told_in_four_parts(told, "there is no room for the film", film.with_name("film.color.mkv"))
    assert "joined to a whole at the end; 0.0 MB are free" in told
    assert run([str(tmp_path / "in"), "-o", str(tmp_path / "out"), *common]) == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"anna.png", MANIFEST_NAME}
    _free(monkeypatch, 10**9)
    assert run([str(tmp_path / "in"), "-o", str(tmp_path / "out"), *common]) == 0, "it is no failure that lasts"


@pytest.mark.parametrize(
    ("codec", "settings", "share"),
    [
        ("libx264", EncoderSettings(), 1),  # no larger than its source
        ("libx264", EncoderSettings(crf=24), 0.5),
        ("mpeg2video", EncoderSettings(), 0.5),
    ],
)
def test_what_a_film_needs_at_least_is_never_more_than_it_takes(
    tmp_path: Path, codec: str, settings: EncoderSettings, share: float
) -> None:
    source = make_video(tmp_path / "film.mkv", codec=codec, frames=grey_frames(4))
    with Reader(source) as reader:
        encoding, _ = plan_encoding("matroska", reader, settings, tmp_path / "o.mkv")
        pixels = 4 * 64 * 48
        low = min(0.03 * pixels * (0.5 if settings.crf else 1), source.stat().st_size * share)
        assert room.bytes_at_least(reader, encoding) == pytest.approx(low, abs=1)
        kept, _ = plan_encoding("matroska", reader, EncoderSettings(encoder="ffv1"), tmp_path / "o.mkv")
        assert room.bytes_at_least(reader, kept) == pytest.approx(0.3 * pixels, abs=1)


def test_what_is_finished_already_and_what_is_unknown_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Reader(make_video(tmp_path / "film.mkv", frames=grey_frames(4))) as reader:
        target = tmp_path / "not" / "there" / "o.mkv"
        encoding, _ = plan_encoding("matroska", reader, EncoderSettings(), target)
        needs = 2 * room.bytes_at_least(reader, encoding)
        _free(monkeypatch, needs - 1)
        with pytest.raises(room.OutputUnwritable):
            room.check_room(reader, encoding, target)
        room.check_room(reader, encoding, target, finished=1)
        reader.frames_estimate, reader.duration = None, None
        _free(monkeypatch, 0)
        room.check_room(reader, encoding, target)
