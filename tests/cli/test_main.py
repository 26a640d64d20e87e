"""The command line: words, exit codes, streams. Most tests run it in this process; some as a program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media import __version__
from colorize_media.cli.main import run
from colorize_media.wording import duration_text, shown_name
from tests.made.films import make_video
from tests.told import told_in_four_parts

PROGRAM = [sys.executable, "-m", "colorize_media"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "old.png"
    Image.fromarray(data.camera()[::4, ::4]).save(path)
    return path


# --- help and facts


def test_help_is_instant_and_imports_no_torch() -> None:
    code = (
        "import sys; from colorize_media.cli.main import run; run(['--help']);"
        "print('torch' in sys.modules, 'av' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False False"
    for word in ("INPUT... [-o OUT]", "--vividness", "--engine", "train", "evaluate", "export", "models", "doctor"):
        assert word in result.stdout


@pytest.mark.parametrize(("named", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_leave_their_core_to_others(named: str | None, expected: str) -> None:
    """As OpenMP itself understood it when PyTorch was loaded."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    environment |= {"OMP_DISPLAY_ENV": "TRUE"} | ({"OMP_WAIT_POLICY": named} if named else {})
    told = subprocess.run([*PROGRAM, "doctor"], env=environment, capture_output=True, text=True, check=True).stderr
    if "OMP_WAIT_POLICY" not in told:
        pytest.skip("this PyTorch has no OpenMP that tells its settings")
    assert re.search(rf"OMP_WAIT_POLICY ?= ?'{expected}'", told)


def test_inference_imports_nothing_heavy_that_it_does_not_use(photo: Path, fresh_weights: Path) -> None:
    code = (
        "import sys; from colorize_media.cli.main import run; code = run(sys.argv[1:]);"
        "heavy = {'torchvision', 'skimage', 'matplotlib', 'openvino', 'onnx'};"
        "print(code, sorted({m.partition('.')[0] for m in sys.modules} & heavy))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(photo), "--model", str(fresh_weights), "--device", "cpu"],
                            capture_output=True, text=True, check=True)  # fmt: skip
    assert result.stdout.splitlines()[-1] == "0 []"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_no_arguments_show_the_help_and_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "INPUT..." in capsys.readouterr().err


def test_models_lists_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 0
    listed = capsys.readouterr().out
    assert "scenes:" in listed
    assert "regression:" in listed
    assert run(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scenes"]["config"]["kind"] == "scenes"


def test_doctor_finds_this_installation_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    told = capsys.readouterr().out
    for word in ("torch", "libx264", "auto device", "all is well"):
        assert word in told


# --- colouring


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


def test_options_may_stand_before_the_input(photo: Path, fresh_weights: Path) -> None:
    assert run(["-o", str(photo.with_name("x.jpg")), "--model", str(fresh_weights), str(photo)]) == 0
    assert photo.with_name("x.jpg").is_file()


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


def test_plain_progress_lines_off_a_terminal(
    photo: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import colorize_media.cli.console as console

    monkeypatch.setattr(console, "PLAIN_EVERY", 0.0)
    film = make_video(photo.with_name("film.mkv"), frames=12)
    assert run([str(film), "--force", "--model", str(fresh_weights)]) == 0
    told = capsys.readouterr().err
    assert "fps" in told
    assert "left" in told
    assert "\x1b" not in told


def test_a_bar_with_fps_and_time_left_on_a_terminal(photo: Path, fresh_weights: Path) -> None:
    """In a pseudo-terminal, as a person runs it."""
    import pty

    film = make_video(photo.with_name("film.mkv"), frames=60)
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [*PROGRAM, str(film), "--force", "--working-size", "64", "--model", str(fresh_weights)],
        stderr=slave,
        env=environment,
    ) as job:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        assert job.wait(60) == 0
    assert b"fps" in shown
    assert b"film.mkv" in shown


def test_environment_and_config_file_give_the_same_options(
    photo: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = photo.with_name("settings.toml")
    config.write_text(f'model = "{fresh_weights}"\nvividness = 0.0\n')
    grey = photo.with_name("grey.png")
    assert run([str(photo), "-o", str(grey), "--config", str(config)]) == 0
    assert np.ptp(np.asarray(Image.open(grey)).astype(int), axis=2).max() == 0
    monkeypatch.setenv("COLORIZE_MEDIA_VIVIDNESS", "2")  # environment before file
    vivid = photo.with_name("vivid.png")
    assert run([str(photo), "-o", str(vivid), "--config", str(config)]) == 0
    assert np.ptp(np.asarray(Image.open(vivid)).astype(int), axis=2).max() > 0
    flag = photo.with_name("flag.png")
    assert (
        run([str(photo), "-o", str(flag), "--config", str(config), "--vividness", "0"]) == 0
    )  # flag before environment
    assert np.ptp(np.asarray(Image.open(flag)).astype(int), axis=2).max() == 0


def test_the_users_own_config_file(
    photo: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "colorize-media").mkdir(parents=True)
    (tmp_path / "home" / "colorize-media" / "config.toml").write_text(
        f'model = "{fresh_weights}"\nquiet = true\n[evaluate]\nlimit = 3\n'
    )
    assert run([str(photo)]) == 0


@pytest.mark.parametrize("text", ["vividnes = 1", "= 3", "[nonsense]\nx = 1"])
def test_a_wrong_config_file_is_named(photo: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = photo.with_name("settings.toml")
    config.write_text(text)
    assert run([str(photo), "--config", str(config)]) == 2
    assert str(config) in capsys.readouterr().err


# --- every error: what, which file, why, what to do; and its exit code


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


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--vividness", "3"), ("--crf", "99"), ("--quality", "0"), ("--working-size", "5"), ("--every", "0")],
)
def test_values_out_of_range(photo: Path, flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(photo), flag, value]) == 2
    told_in_four_parts(capsys.readouterr().err, "bad value", value)


def test_unknown_flag_is_wrong_usage(photo: Path) -> None:
    assert run([str(photo), "--colour"]) == 2


def test_tracebacks_only_with_vv(tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_text("this is no picture")
    assert run(["-vv", str(tmp_path / "a.jpg"), "--model", str(fresh_weights)]) == 1
    assert "Traceback" in capsys.readouterr().err


# --- as a program


@pytest.fixture
def long_film(tmp_path: Path) -> Path:
    """Long enough to be stopped after the first word of progress, which comes 0.2 s after the first frame."""
    return make_video(tmp_path / "film.mkv", frames=120)


def test_interrupt_is_130_and_leaves_nothing(tmp_path: Path, long_film: Path, fresh_weights: Path) -> None:
    options = ["--force", "--working-size", "64", "--model", str(fresh_weights)]
    with subprocess.Popen([*PROGRAM, "--json", str(long_film), *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as job:  # fmt: skip
        assert job.stdout is not None
        for line in job.stdout:
            if json.loads(line)["event"] == "advanced":
                break
        job.send_signal(signal.SIGINT)
        _, told = job.communicate(timeout=60)
        assert job.returncode == 130
    assert "interrupted" in told
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


def test_a_reader_that_goes_away_is_no_traceback(photo: Path) -> None:
    command = f"{sys.executable} -m colorize_media --help | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in result.stderr


# --- small words


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (42, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_names_cannot_garble_a_terminal() -> None:
    assert shown_name(Path("a\x1b[2J\nb\udce9.jpg")) == "a\\x1b[2J\\nb\\udce9.jpg"


# --- training


def test_train_on_a_folder_says_what_it_left_out_and_its_weights_colour(
    tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = tmp_path / "scenes" / "beach"
    scenes.mkdir(parents=True)
    for number in range(60):  # one in forty or so is held back to choose by
        Image.fromarray(data.astronaut()[number : number + 96, number : number + 96]).save(scenes / f"{number}.png")
    (scenes / "broken.jpg").write_bytes(b"no picture")
    (scenes / "notes.txt").write_text("holidays")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text('network = "regression"\nsteps = 2\nbatch = 2\nsizes = [[0.0, 64]]\n')
    run_folder = tmp_path / "mine"
    assert run(["train", str(tmp_path / "scenes"), "-o", str(run_folder), "--recipe", str(recipe)]) == 0
    first, *rows = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["kind"] == "data"
    assert first["pictures"] + first["val_pictures"] == 60
    assert first["val_pictures"] > 0
    assert first["dropped"] == {"not a picture": 1, "not readable": 1}
    assert {row["kind"] for row in rows} == {"train", "val"}
    assert run([str(photo), "-o", str(tmp_path / "color.png"), "--model", str(run_folder)]) == 0
    with Image.open(tmp_path / "color.png") as colored:
        assert colored.mode == "RGB"
