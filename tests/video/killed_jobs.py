"""Colours a film again and again in processes that are killed with SIGKILL, then once to the end. Run as a program.

Arguments, as one JSON object: source, target, weights, options, and either ``frames``: after how many finished frames each
process is killed, or ``renames``: 3 kills each process before its third renaming of a file, as long as there is one: the
first is that of the job's note, the others are of segments and of the film. Prints a JSON object of what happened.

It forks, so it must not be imported where threads run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import torch

from colorize_media.events import Advanced, Event, Resumed
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.colorize import colorize_video
from colorize_media.video.pipeline import Limits

SHORT = Limits(least_segment=8, most_segment=16, advance_every=0.0)
"""Segments of a few frames, told one by one."""


def main(job: dict[str, Any]) -> dict[str, Any]:
    """All the processes, one after the other."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    colorizer = Colorizer(job["weights"], "cpu", batch_size=3)  # it has computed nothing yet, so it can be forked
    killed, resumed = 0, []
    plans = [("frames", count) for count in job.get("frames", [])] or [("renames", job["renames"])] * 100
    for kind, count in [*plans, ("", 0)]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                run_one(job, colorizer, kind, count, writer)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as told:
            resumed += [int(line) for line in told]
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            killed += 1
        elif status != 0:
            raise SystemExit(f"a process ended with status {status}")
        else:
            break  # it was quicker than its killer, or ran to the end
    return {"killed": killed, "resumed": resumed}


def run_one(job: dict[str, Any], colorizer: Colorizer, kind: str, count: int, report: int) -> None:
    """One process: kills itself as said."""
    done = 0

    def on_event(event: Event) -> None:
        nonlocal done
        if isinstance(event, Resumed):
            os.write(report, f"{event.frames}\n".encode())
        if isinstance(event, Advanced):
            done += 1
            if kind == "frames" and done >= count:
                os.kill(os.getpid(), signal.SIGKILL)

    if kind == "renames":
        rename, left = os.replace, count

        def replace(source: Any, target: Any, **folders: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(source, target, **folders)

        os.replace = replace  # type: ignore[assignment]
    values = {
        name: Fraction(value) if name in ("start", "duration") else value for name, value in job["options"].items()
    }
    colorize_video(Path(job["source"]), Path(job["target"]), colorizer, ColorizeOptions(**values), on_event, SHORT)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
