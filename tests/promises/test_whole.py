"""Promise 6: outputs are whole or absent, and a film that was interrupted goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorize_media import ColorizeOptions, Colorizer, colorize_video
from colorize_media.events import Advanced, Event, Resumed
from tests.made.films import decode, make_video
from tests.promises.conftest import Colorize
from tests.video.killed_jobs import SHORT


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
def test_a_program_that_is_killed_leaves_nothing_under_the_final_name(
    tmp_path: Path, fresh_regression: Path, colorize: Colorize
) -> None:
    source = make_video(tmp_path / "film.mkv", frames=120)
    words = [str(source), "--force", "--json", "--working-size", "64", "--model", str(fresh_regression)]
    with subprocess.Popen([sys.executable, "-m", "colorize_media", *words], stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        for line in job.stdout:
            if json.loads(line)["event"] == "advanced":
                break
        job.send_signal(signal.SIGKILL)
    assert not (tmp_path / "film.color.mkv").exists()
    assert colorize(source, "--force") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.color.mkv", "film.mkv"]
    assert len(decode(tmp_path / "film.color.mkv")) == 120


def test_an_interrupted_film_goes_on_and_becomes_the_film_it_would_have_been(
    tmp_path: Path, fresh_regression: Path
) -> None:
    source = make_video(tmp_path / "in.mkv", frames=40)
    colorizer = Colorizer(str(fresh_regression), "cpu", batch_size=4)
    options = ColorizeOptions(encoder="ffv1", working_size=64, smoothing="fast", force=True)
    colorize_video(source, tmp_path / "whole.mkv", colorizer, options, limits=SHORT)

    def interrupt(event: Event) -> None:
        if isinstance(event, Advanced) and event.frames > 24:
            raise KeyboardInterrupt

    told: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        colorize_video(source, tmp_path / "out.mkv", colorizer, options, interrupt, limits=SHORT)
    assert not (tmp_path / "out.mkv").exists()
    colorize_video(source, tmp_path / "out.mkv", colorizer, options, told.append, limits=SHORT)
    (resumed,) = [event for event in told if isinstance(event, Resumed)]
    assert resumed.frames >= 8  # what was finished is not done again
    for one, other in zip(decode(tmp_path / "whole.mkv"), decode(tmp_path / "out.mkv"), strict=True):
        assert one.time == other.time
        assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mkv", "whole.mkv"]
