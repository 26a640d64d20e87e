"""A file read, and its picture written, in a process of its own: for what may have brought down an earlier run.

A decoder that crashes takes its whole process with it, and one that hangs cannot be stopped within it. Here that costs a
child. ``python -m colorize_media.archive.trial`` is the child: a job as JSON on standard input, then a line now and then on
standard output as long as it gets on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from colorize_media.events import Planned
from colorize_media.options import ColorizeOptions

SILENCE = 600.0  # seconds without a line: the largest picture allowed takes a tenth of it on a slow machine
_EVERY = 1.0  # seconds between a film's lines
_WINDOWS_CRASH = 0xC0000000  # exit codes from here on are the system's, an access violation for one


def try_apart(item: Planned, options: ColorizeOptions, silence: float = SILENCE) -> str:
    """Why a process that works on the file does not live, in one clause; "" if it does, or if that cannot be told.

    Whether the file can be read is not the question: what is wrong with it otherwise, reading it here says.
    """
    values: dict[str, Any] = {
        name: str(value) if isinstance(value, Fraction) else value
        for name, value in dataclasses.asdict(options).items()
    }
    job = {"source": str(item.source), "target": str(item.target), "kind": item.kind, "options": values}
    child = subprocess.Popen(
        [sys.executable, "-m", "colorize_media.archive.trial"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C at the terminal is not the file's fault
    )
    assert child.stdin is not None
    assert child.stdout is not None
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_forward, args=(child.stdout, lines), daemon=True).start()
    began = False
    try:
        with contextlib.suppress(OSError):  # it is dead already
            child.stdin.write(json.dumps(job).encode("ascii"))
            child.stdin.close()
        while lines.get(timeout=silence if began else SILENCE):
            began = True
        return _crash(child.wait()) if began else ""
    except queue.Empty:
        return f"it gets no further, not in {silence:.0f} seconds" if began else ""
    finally:
        child.kill()
        child.wait()
        child.stdin.close()


def _forward(stream: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Every line, then an empty one."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(b"")


def _crash(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            more = ", perhaps for lack of memory" if name == "SIGKILL" else ""
            return f"a process that reads it ends with {name}{more}"
        return f"a process that reads it ends with signal {-code}"
    return f"a process that reads it ends with code {code:#x}" if code >= _WINDOWS_CRASH else ""


def _main() -> None:
    job = json.load(sys.stdin)
    options = ColorizeOptions(**job["options"])
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file of some gigabytes
    with contextlib.suppress(Exception):
        if job["kind"] == "photo":
            _photo(Path(job["source"]), Path(job["target"]), options)
        else:
            _film(Path(job["source"]), options)


def _photo(source: Path, target: Path, options: ColorizeOptions) -> None:
    import numpy as np

    from colorize_media.photo.colorize import PreparedPages, PreparedPhoto, finish_photo, prepare_photo
    from colorize_media.photo.pages import read_pages

    _line()  # what follows is the file's own doing
    prepared = prepare_photo(source, options)
    if isinstance(prepared, PreparedPhoto):
        height, width = prepared.shapes[0]
        grey = np.zeros((height // 4, width // 4, 2), np.float32)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            finish_photo(prepared, grey, Path(folder) / f"trial{target.suffix}", options)
    elif isinstance(prepared, PreparedPages):
        for _ in read_pages(source, max_pixels=options.max_pixels):
            _line()


def _film(source: Path, options: ColorizeOptions) -> None:
    from colorize_media.video.opening import open_video, survey_of

    _line()  # what follows is the file's own doing
    with open_video(source, options) as reader:
        survey_of(reader)
        told = time.monotonic()
        for _ in reader:
            if time.monotonic() - told > _EVERY:
                _line()
                told = time.monotonic()


def _line() -> None:
    sys.stdout.write("on it\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main()
