"""Promise 7: memory does not grow with the length of a film."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.made.films import make_video, picture
from tests.promises.conftest import Colorize

SIZE, SHORT, LONG = (480, 360), 60, 240  # frames; what is held to look ahead, some 30 frames, is full in both
FRAME = SIZE[0] * SIZE[1] * 3 // 2  # bytes


def memory(field: str) -> int:
    """Bytes of this process, as the system counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory cannot be set back here")
def test_a_film_four_times_as_long_needs_no_more_memory(tmp_path: Path, colorize: Colorize) -> None:
    """The difference is 180 frames; if even half of them were held, it would show."""
    few = [picture(*SIZE, "yuv420p", number) for number in range(3)]
    peaks = []
    for name, count in (("warm up", SHORT), ("short", SHORT), ("long", LONG)):
        source = make_video(
            tmp_path / f"{name}.mkv",
            frames=[few[n % 3] for n in range(count)],
            size=SIZE,
            options={"preset": "ultrafast"},
        )
        Path("/proc/self/clear_refs").write_text("5")
        assert colorize(source, "--force", "--preset", "ultrafast") == 0
        peaks.append(memory("VmHWM"))
    assert peaks[2] - peaks[1] < (LONG - SHORT) * FRAME / 2
