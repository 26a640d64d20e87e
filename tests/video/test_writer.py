"""The output: whole or absent, whatever its name and the disk."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorize_media import errors
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Reader
from colorize_media.video.writer import Writer
from tests.made.films import decode, make_video
from tests.video.rewriting import FAST, chroma_for, neutral, recolor


def test_chroma_of_a_wrong_shape_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=1)
    wrong = np.zeros((48, 64, 2), np.float32)
    with pytest.raises(ValueError, match="chroma must be"):
        recolor(source, tmp_path / "out.mkv", chroma=wrong)
    assert os.listdir(tmp_path) == ["in.mkv"]


def test_abort_leaves_nothing_and_keeps_an_older_output(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=5)
    (tmp_path / "out.mp4").write_bytes(b"older")

    def break_down() -> None:
        with Reader(source) as reader, Writer(tmp_path / "out.mp4", reader, FAST) as writer:
            for item in reader:
                writer.write(item, chroma_for(reader))
                assert len(os.listdir(tmp_path)) == 3
                assert (tmp_path / "out.mp4").read_bytes() == b"older"
                raise RuntimeError("the network broke")

    with pytest.raises(RuntimeError, match="the network broke"):
        break_down()
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"older"
    recolor(source, tmp_path / "out.mp4", FAST)
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4"]
    assert len(decode(tmp_path / "out.mp4")) == 5


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "%03d.mp4", "-leading.mp4", "http:__x.mp4", "ünï ©ode 🎬.mp4", "[x]*?.mp4", "n" * 240 + ".mp4"]
)
def test_odd_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / name
    shutil.copy(make_video(tmp_path / "plain.mp4", frames=2), source)
    target = tmp_path / "sub" / name
    target.parent.mkdir()
    recolor(source, target, FAST)
    assert len(decode(target)) == 2
    monkeypatch.chdir(tmp_path)
    target.unlink()
    recolor(Path(name), Path("sub") / name, FAST)
    assert os.listdir(tmp_path / "sub") == [name]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"latin\xe9.mp4")
    shutil.copy(make_video(tmp_path / "plain.mp4", frames=2), tmp_path / name)
    recolor(tmp_path / name, tmp_path / f"out-{name}", FAST)
    assert (tmp_path / f"out-{name}").stat().st_size


def test_destinations_that_cannot_be(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=1)
    (tmp_path / "folder.mp4").mkdir()
    cases: list[tuple[Path, type[errors.ColorizeError]]] = [
        (source, errors.InputIsOutput),
        (tmp_path / "folder.mp4" / ".." / "in.mp4", errors.InputIsOutput),
        (tmp_path / "folder.mp4", errors.OutputUnwritable),
        (tmp_path / "none" / "out.mp4", errors.OutputUnwritable),
        (tmp_path / "out.gif", errors.UnsupportedMedia),
        (tmp_path / "out.xyz", errors.UnsupportedMedia),
        (tmp_path / "out", errors.UnsupportedMedia),
        (tmp_path / "out.png", errors.UnsupportedMedia),
        (tmp_path / "out.h264", errors.UnsupportedMedia),
        (tmp_path / "out.mxf", errors.UnsupportedMedia),
    ]
    with Reader(source) as reader:
        for target, kind in cases:
            with pytest.raises(kind) as caught:
                Writer(target, reader, FAST)
            assert all((caught.value.why, caught.value.hint, caught.value.path))
    assert sorted(os.listdir(tmp_path)) == ["folder.mp4", "in.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="needs a file size limit")
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    make_video(tmp_path / "in.mkv", codec="ffv1", frames=40, size=(128, 96))
    script = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from colorize_media.errors import OutputUnwritable
from colorize_media.video.reader import Reader
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.writer import Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
folder = Path(sys.argv[1])
try:
    with Reader(folder / "in.mkv") as reader, Writer(folder / "out.mkv", reader, EncoderSettings("ffv1")) as writer:
        chroma = np.full((48, 64, 2), 128, np.uint8)
        for item in reader:
            writer.write(item, chroma)
except OutputUnwritable as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert os.strerror(errno.EFBIG) in done.stdout, done.stderr
    assert "make room" in done.stdout
    assert os.listdir(tmp_path) == ["in.mkv"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc, which is not there")
def test_a_finished_segment_leaves_no_encoder_behind(tmp_path: Path, short: Path) -> None:
    """Threads are counted, because they are the part of an encoder that can be seen. Nothing else may collect them."""
    alive = []
    gc.collect()
    gc.disable()
    try:
        with Reader(short) as reader, Writer(tmp_path / "out.mp4", reader, EncoderSettings(threads=2)) as writer:
            for index, frame in enumerate(reader):
                writer.write(frame, neutral(reader))
                if index % 5 == 4:
                    writer.end_segment({})
                    alive.append(len(list(Path("/proc/self/task").iterdir())))
    finally:
        gc.enable()
    assert len(alive) == 8
    assert alive[-1] - alive[0] < 7  # an encoder kept by each would be two more each time; other threads come and go
