"""A process of its own tells what brings the program down from what is only wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from colorize_media.archive.trial import try_apart
from colorize_media.events import Planned
from tests.archive.runs import SMALL
from tests.archive.traps import save_trap
from tests.made.pictures import save_grey


@pytest.mark.slow
def test_a_trial_tells_crashes_from_what_is_only_wrong(
    tmp_path: Path, trapped: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", trapped["PYTHONPATH"])

    def tried(path: Path, silence: float = 100.0) -> str:
        return try_apart(Planned(path, tmp_path / "out.png", "photo", "colorize"), SMALL, silence)

    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff broken")
    with ThreadPoolExecutor() as pool:
        hang = pool.submit(tried, save_trap(tmp_path / "hang.png", b"HANG"), 3.0)
        good = pool.submit(tried, save_grey(tmp_path / "good.png"))
        assert "SIGSEGV" in tried(save_trap(tmp_path / "crash.png", b"CRASH"))
        assert tried(broken) == ""  # an error like any other, which the run itself tells
        assert good.result() == ""
        assert "gets no further" in hang.result()
    assert not (tmp_path / "out.png").exists()
