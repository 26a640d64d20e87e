"""The door for host programs: a line in, a line out, whatever the line; and an end when the host is gone."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media import __version__
from colorize_media.archive.running import Running
from colorize_media.cli.host_batch import LONGEST_REQUEST, serve
from colorize_media.cli.main import run
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from tests.made.films import make_video

PROGRAM = [sys.executable, "-m", "colorize_media", "--host-batch"]
GREY = Image.fromarray(data.camera()[::8, ::8])
COLOR = Image.fromarray(data.astronaut()[::8, ::8])


class Host:
    """Sends lines to the door and counts how often the network is loaded."""

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer
        self.loads = 0
        self.code = 0

    def load(self) -> Colorizer:
        self.loads += 1
        return self.colorizer

    def send(self, *lines: object, **settings: Any) -> list[dict[str, Any]]:
        """The answers, without the greeting."""
        raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        answers = io.StringIO()
        options = ColorizeOptions(fast=True)
        running = Running(self.load, options, workers=1)
        self.code = serve(io.BytesIO(b"\n".join(raw) + b"\n"), answers, running, **settings)
        greeting, *rest = map(json.loads, answers.getvalue().splitlines())
        assert greeting == {"ready": __version__, "protocol": 1, "pid": os.getpid()}
        return rest


@pytest.fixture
def host(colorizer: Colorizer) -> Host:
    return Host(colorizer)


def statuses(answers: Sequence[dict[str, Any]]) -> list[str]:
    return [answer["status"] for answer in answers]


# --- answers


def test_pictures_are_answered_in_their_order_by_a_network_loaded_once(host: Host, tmp_path: Path) -> None:
    names = ["plain.png", "two words.png", "quo'te\".png", "grün ☂.png"]
    for name in names:
        GREY.save(tmp_path / name)
    requests = [
        {"in": str(tmp_path / name), "out": str(tmp_path / f"out {number}.png"), "id": number}
        for number, name in enumerate(names)
    ]
    answers = host.send(*requests)
    assert statuses(answers) == ["done"] * 4
    assert [(answer["in"], answer["out"], answer["id"]) for answer in answers] == [
        (request["in"], request["out"], request["id"]) for request in requests
    ]
    for answer in answers:
        with Image.open(answer["out"]) as image:
            assert np.ptp(np.asarray(image).astype(int), axis=2).max() > 0
    assert (host.loads, host.code) == (1, 0)


def test_without_an_output_the_result_stands_beside_the_input(host: Host, tmp_path: Path) -> None:
    GREY.save(tmp_path / "old.png")
    (answer,) = host.send({"in": str(tmp_path / "old.png")})
    assert answer["out"] == str(tmp_path / "old.color.png")
    assert (tmp_path / "old.color.png").is_file()


def test_what_has_colour_is_an_answer_and_no_failure(host: Host, tmp_path: Path) -> None:
    COLOR.save(tmp_path / "now.png")
    request = {"in": str(tmp_path / "now.png"), "out": str(tmp_path / "out.png")}
    left, forced = host.send(request, {**request, "options": {"force": True}})
    assert (left["status"], forced["status"]) == ("skipped", "done")
    assert left["reason"].startswith("already in colour")
    assert host.code == 0


def test_an_output_that_is_there_is_left_unless_the_request_overwrites(host: Host, tmp_path: Path) -> None:
    GREY.save(tmp_path / "old.png")
    (tmp_path / "out.png").write_bytes(b"mine")
    request = {"in": str(tmp_path / "old.png"), "out": str(tmp_path / "out.png")}
    (left,) = host.send(request)
    why = "the output is already there, and is not known to be made by this program (-y replaces it)"
    assert (left["status"], left["reason"]) == ("skipped", why)
    assert (tmp_path / "out.png").read_bytes() == b"mine"
    (done,) = host.send({**request, "options": {"overwrite": True}})
    assert done["status"] == "done"
    (kept,) = host.send({**request, "options": {"overwrite": False}}, overwrite=True)
    assert kept["status"] == "skipped"


def test_options_of_a_line_hold_for_it_alone(host: Host, tmp_path: Path) -> None:
    GREY.save(tmp_path / "old.png")
    first, grey, last = (tmp_path / f"{name}.png" for name in ("first", "grey", "last"))
    line = {"in": str(tmp_path / "old.png")}
    answers = host.send(
        {**line, "out": str(first)},
        {**line, "out": str(grey), "options": {"vividness": 0, "refine": None}},
        {**line, "out": str(last)},
    )
    assert statuses(answers) == ["done"] * 3
    pictures = [np.asarray(Image.open(path)) for path in (first, grey, last)]
    assert np.array_equal(pictures[0], pictures[2])
    assert np.ptp(pictures[1].astype(int), axis=2).max() == 0


def test_a_film_is_coloured_too(host: Host, tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mkv", frames=4)
    (answer,) = host.send({"in": str(film), "out": str(tmp_path / "out.mkv"), "options": {"force": True}})
    assert answer["status"] == "done", answer
    assert (tmp_path / "out.mkv").is_file()


BAD_LINES: list[tuple[object, str]] = [
    (b"{nonsense", "no JSON"),
    (b"\xff\xfe", "no JSON"),
    (b"[" * 100_000, "no JSON"),
    (b'{"in": "' + b"x" * LONGEST_REQUEST + b'"}', "longer than"),
    ([1, 2], "no JSON object"),
    ({}, "'in' must be a path"),
    ({"in": 3}, "'in' must be a path"),
    ({"in": "{old}", "out": ["x"]}, "'out' must be a path"),
    ({"in": "{old}", "options": "all"}, "'options' must be"),
    ({"in": "{old}", "size": 3}, "unknown name 'size'"),
    ({"in": "{old}", "options": {"brightness": 2}}, "unknown option: brightness"),
    ({"in": "{old}", "options": {"vividness": 3}}, "3.0 is not 0 to 2"),
    ({"in": "{old}", "options": {"vividness": "much"}}, "'much' is not a number"),
    ({"in": "{old}", "options": {"vividness": float("nan")}}, "nan is not a number"),
    ({"in": "{old}", "options": {"quality": 90.5}}, "not a whole number"),
    ({"in": "{old}", "options": {"force": 1}}, "1 is not true or false"),
    ({"in": "{old}", "options": {"overwrite": "yes"}}, "not true or false"),
    ({"in": "{old}", "options": {"encoder": None}}, "None is not text"),
    ({"in": "{old}", "options": {"model": "regression"}}, "model holds for the whole run"),
    ({"in": "{old}", "out": "{old}"}, "originals are never changed"),
    ({"in": "{old}", "out": "{folder}/x.xyz"}, "format cannot be written"),
    ({"in": "{folder}"}, "a folder is no picture"),
    ({"in": "{folder}/none.png"}, "no such file"),
    ({"in": "{folder}/nul\0.png"}, "no such file"),
    ({"in": "{folder}/text.jpg"}, "no picture in the file"),
]


def test_a_line_that_cannot_be_done_is_answered_and_the_door_stays_open(host: Host, tmp_path: Path) -> None:
    old = tmp_path / "old.png"
    GREY.save(old)
    before = old.read_bytes()
    (tmp_path / "text.jpg").write_text("this is no picture")

    def filled(value: object) -> object:
        if isinstance(value, str):
            return value.replace("{old}", str(old)).replace("{folder}", str(tmp_path))
        return {name: filled(part) for name, part in value.items()} if isinstance(value, dict) else value

    answers = host.send(*(filled(line) for line, _ in BAD_LINES), b"  ", {"in": str(old)})
    assert statuses(answers) == ["failed"] * len(BAD_LINES) + ["done"]
    for answer, (line, reason) in zip(answers, BAD_LINES, strict=False):
        assert reason in answer["reason"], (line, answer)
        assert answer["hint"], answer
    assert host.code == 1
    assert old.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.color.png", "old.png", "text.jpg"]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode")
def test_a_name_that_is_no_utf8_comes_through(host: Host, tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    with open(raw + b".png", "wb") as file:
        GREY.save(file, "PNG")
    (answer,) = host.send(b'{"in": "' + raw + b'.png"}')
    assert answer["status"] == "done", answer
    assert os.path.exists(raw + b".color.png")
    assert os.fsencode(answer["out"]) == raw + b".color.png"


def test_a_network_that_cannot_be_loaded_fails_every_line_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    GREY.save(tmp_path / "old.png")
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"garbage")
    lines = json.dumps({"in": str(tmp_path / "old.png")}) + "\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(2 * lines.encode())))
    assert run(["--host-batch", "--model", str(weights), "--device", "cpu"]) == 3
    _, *answers = map(json.loads, capsys.readouterr().out.splitlines())
    assert statuses(answers) == ["failed", "failed"]
    assert "cannot use weights" in answers[0]["reason"]


@pytest.mark.parametrize("more", [["a.jpg"], ["-o", "x"], ["-n"], ["--json"]])
def test_the_door_takes_no_pictures_on_the_command_line(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--host-batch", *more]) == 2
    assert "standard input" in capsys.readouterr().err


def test_without_the_door_an_input_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--force"]) == 2
    assert "INPUT" in capsys.readouterr().err


# --- as a program


def start(**settings: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings)


def greeted(door: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert door.stdout is not None
    greeting: dict[str, Any] = json.loads(door.stdout.readline())
    return greeting


def test_the_end_of_the_requests_ends_the_program_with_nothing_but_answers() -> None:
    with start() as door:
        assert greeted(door)["pid"] == door.pid
        out, err = door.communicate(b'{"in": "/nowhere.png"}\n', timeout=120)
    assert json.loads(out)["status"] == "failed"
    assert (door.returncode, err) == (1, b"")


def test_an_answer_comes_as_soon_as_it_is_known() -> None:
    with start() as door:
        greeted(door)
        assert door.stdin is not None
        assert door.stdout is not None
        for _ in range(2):
            door.stdin.write(b'{"in": "/nowhere.png"}\n')
            door.stdin.flush()
            assert json.loads(door.stdout.readline())["in"] == "/nowhere.png"  # while the requests stay open
        door.stdin.close()
        assert door.wait(120) == 1


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_sigterm_ends_it_while_it_waits() -> None:
    with start() as door:
        greeted(door)
        door.terminate()
        _, err = door.communicate(timeout=120)
    assert door.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_it_ends_when_nobody_reads_the_answers_any_more() -> None:
    with start() as door:
        greeted(door)
        assert door.stdin is not None
        assert door.stdout is not None
        assert door.stderr is not None
        door.stdout.close()  # the requests stay open: it has nothing to answer, and ends all the same
        door.wait(120)
        assert b"Traceback" not in door.stderr.read()


def ends(pid: int, seconds: float = 120) -> bool:
    """Whether a process that is not our child ends in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def orphan(tmp_path: Path, fresh_weights: Path) -> Iterator[tuple[int, Path]]:
    """A door whose host is killed in the midst of a long film; its requests and answers are files, which stay."""
    film = make_video(tmp_path / "film.mkv", frames=600)
    request = {"in": str(film), "out": str(tmp_path / "out.mkv"), "options": {"force": True}}
    (tmp_path / "requests").write_text(json.dumps(request) + "\n")
    answers = tmp_path / "answers"
    command = '"$0" -m colorize_media --host-batch --device cpu --model "$1" < requests > answers; true'
    with subprocess.Popen(["sh", "-c", command, sys.executable, str(fresh_weights)], cwd=tmp_path) as host:
        while not (answers.is_file() and answers.read_text().endswith("\n")):
            time.sleep(0.1)
        while not (tmp_path / ".out.mkv.colorize-media").exists():  # begun
            time.sleep(0.1)
        pid = json.loads(answers.read_text())["pid"]
        host.kill()
    yield pid, tmp_path
    if not ends(pid, 0.1):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_a_long_film_is_not_coloured_for_a_dead_host(orphan: tuple[int, Path]) -> None:
    pid, folder = orphan
    assert ends(pid)
    assert not (folder / "out.mkv").exists()
    assert len((folder / "answers").read_text().splitlines()) == 1


def test_files_beside_a_picture_are_the_hosts_own_unless_it_asks(host: Host, tmp_path: Path) -> None:
    GREY.save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a caption")
    request = {"in": str(tmp_path / "a.png"), "out": str(tmp_path / "b.png")}
    assert statuses(host.send(request)) == ["done"]
    assert not (tmp_path / "b.txt").exists()
    assert statuses(host.send(request | {"options": {"sidecars": True}})) == ["skipped"]
    assert (tmp_path / "b.txt").read_text() == "a caption"
