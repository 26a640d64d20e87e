"""The default command: what it writes, what it tells, and every error in four parts with its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from colorize_media.cli.main import run
from tests.made.films import make_video
from tests.told import told_in_four_parts

PROGRAM = [sys.executable, "-m", "colorize_media"]


def test_inference_imports_nothing_heavy_that_it_does_not_use(photo: Path, fresh_weights: Path) -> None:
    code = (
        "import sys; from colorize_media.cli.main import run; code = run(sys.argv[1:]);"
        "heavy = {'torchvision', 'skimage', 'matplotlib', 'openvino', 'onnx'};"
        "print(code, sorted({m.partition('.')[0] for m in sys.modules} & heavy))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(photo), "--model", str(fresh_weights), "--device", "cpu"],
                            capture_output=True, text=True, check=True)  # fmt: skip
    assert result.stdout.splitlines()[-1] == "0 []"


def test_a_photograph_with_no_words_but_its_name(
    photo: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(photo), "--model", str(fresh_weights)]) == 0
    with Image.open(photo.with_name("old.color.png")) as image:
        assert np.ptp(np.asarray(image).astype(int), axis=2).max() > 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "old.png → " in told.err
    assert "cpu" in told.err or "cuda" in told.err


def test_dry_run_prints_the_plan_and_does_nothing(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-n", str(photo), str(photo.with_name("none.jpg"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"would colour {photo} → {photo.with_name('old.color.png')}"
    assert lines[1].startswith("would fail on")
    assert [path.name for path in photo.parent.iterdir()] == ["old.png"]


def test_quiet_says_nothing_when_all_is_well(
    photo: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-q", str(photo), "--model", str(fresh_weights)]) == 0
    assert capsys.readouterr() == ("", "")


def test_json_lines_begin_with_the_plan_and_end_with_the_summary(
    photo: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = make_video(photo.with_name("film.mkv"), frames=30)
    missing = photo.with_name("no\nsuch.jpg")
    assert run(["--json", str(photo), str(film), str(missing), "--force", "--model", str(fresh_weights)]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["event"] for row in rows[:3]] == ["planned"] * 3
    assert rows[-1]["event"] == "summary"
    assert (rows[-1]["done"], rows[-1]["failed"]) == (2, 1)
    assert {"started", "done", "failed"} <= {row["event"] for row in rows}


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(tmp_path / "none.mp4")]) == 1
    told_in_four_parts(capsys.readouterr().err, "no such file", tmp_path / "none.mp4")


@pytest.mark.parametrize("name", ["empty.mp4", "empty.jpg"])
def test_zero_bytes(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / name).touch()
    assert run([str(tmp_path / name), "--model", str(fresh_weights)]) == 1
    told_in_four_parts(capsys.readouterr().err, "empty", tmp_path / name)


def test_no_picture_stream(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert run([str(path), "--model", str(fresh_weights)]) == 1
    told_in_four_parts(capsys.readouterr().err, "no film", path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["song.mp4"]


def test_text_with_a_pictures_name(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_text("this is no picture")
    assert run([str(tmp_path / "a.jpg"), "--model", str(fresh_weights)]) == 1
    told_in_four_parts(capsys.readouterr().err, "error", tmp_path / "a.jpg")


def test_encrypted_stream(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """MP4 with common encryption, made by FFmpeg's own muxer; without its key nobody can see the picture."""
    path = tmp_path / "rented.mp4"
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    make_video(path, frames=10, container_options=options)
    assert run([str(path), "--model", str(fresh_weights)]) == 1
    told_in_four_parts(capsys.readouterr().err, "encrypted", path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["rented.mp4"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads and writes everything")
def test_unreadable_file_and_unwritable_destination(
    photo: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo.parent.chmod(0o500)
    try:
        assert run([str(photo), "--model", str(fresh_weights)]) == 1
        told_in_four_parts(capsys.readouterr().err, "cannot write", photo.with_name("old.color.png"))
    finally:
        photo.parent.chmod(0o700)
    photo.chmod(0)
    assert run([str(photo), "--model", str(fresh_weights)]) == 1
    told_in_four_parts(capsys.readouterr().err, "cannot read", photo)


def test_a_pipe_is_not_waited_for(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert run(["-o", str(tmp_path / "o.mp4"), str(tmp_path / "pipe.mp4"), "--model", str(fresh_weights)]) == 1
    told_in_four_parts(capsys.readouterr().err, "cannot read", tmp_path / "pipe.mp4")


@pytest.mark.parametrize("kind", ["photo", "video"])
def test_unwritable_destination(
    tmp_path: Path, photo: Path, fresh_weights: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands where the output folder should be; it stays."""
    source = photo if kind == "photo" else make_video(tmp_path / "film.mkv")
    (tmp_path / "blocked").write_text("a file")
    options = ["--force", "--model", str(fresh_weights), "-o", str(tmp_path / "blocked" / f"o{source.suffix}")]
    assert run([str(source), *options]) == 1
    told_in_four_parts(capsys.readouterr().err, "cannot make the output folder", tmp_path / "blocked")
    assert (tmp_path / "blocked").read_text() == "a file"


def test_input_equals_output(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert run([str(photo), "-y", "-o", str(photo)]) == 2
    told_in_four_parts(capsys.readouterr().err, "replace an input", photo)
    assert photo.read_bytes() == before


def test_unknown_and_missing_device(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(photo), "--device", "gpu9"]) == 2
    told_in_four_parts(capsys.readouterr().err, "unknown device", "gpu9")
    assert run([str(photo), "--device", "cuda:77"]) == 3
    told_in_four_parts(capsys.readouterr().err, "cuda:77 is missing", "CUDA")
    assert not photo.with_name("old.color.png").exists()


def test_missing_codec(photo: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = make_video(photo.with_name("film.mkv"))
    assert run([str(film), "--force", "--encoder", "libx999", "--model", str(fresh_weights)]) == 3
    told_in_four_parts(capsys.readouterr().err, "libx999", film)
    assert not list(photo.parent.glob("*color*"))


def test_damaged_and_unknown_weights(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = photo.with_name("w.safetensors")
    weights.write_bytes(b"garbage")
    assert run([str(photo), "--model", str(weights)]) == 3
    told_in_four_parts(capsys.readouterr().err, "cannot use weights", weights)
    assert run([str(photo), "--model", "monet"]) == 2
    told_in_four_parts(capsys.readouterr().err, "unknown model", "monet")
