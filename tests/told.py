"""What the program tells on its two streams, read back."""

from __future__ import annotations

import json
from pathlib import Path


def told_in_four_parts(text: str, what: str, file: object = "", why: str = "", do: str = "") -> None:
    """Asserts that the first error in ``text`` says what went wrong, with which file, why, and what to do about it."""
    lines = text.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("error: "))
    error, reason, hint = lines[first : first + 3]
    assert what in error
    assert str(file) in error + reason
    assert reason.startswith("  why: ")
    assert why in reason
    assert hint.startswith("  do:  ")
    assert do in hint
    assert "Traceback" not in text


def outcomes(text: str) -> dict[str, str]:
    """What became of each source, by its name: the last events of ``--json``."""
    events = [json.loads(line) for line in text.splitlines()]
    return {Path(e["source"]).name: e["event"] for e in events if e["event"] in ("done", "skipped", "failed")}
