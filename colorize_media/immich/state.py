"""What earlier runs did with a library's pictures: a file of JSON lines, one for each step of a picture."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colorize_media.files.own import append_lines, own_lines
from colorize_media.version import __version__

Status = Literal["uploaded", "done", "left", "failed"]

LONGEST_LINE, LONGEST = 1 << 16, 1 << 30  # bytes of a line, of the file


@dataclass(frozen=True)
class Remembered:
    """What came of an asset. ``made`` is the new one's id; ``checksum`` the original's."""

    asset: str
    checksum: str
    status: Status
    made: str = ""
    reason: str = ""
    version: str = __version__


class State:
    """What earlier runs did, by asset: a file of JSON lines, each on the disk before the next picture is begun."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Remembered] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in own_lines(path, LONGEST_LINE, LONGEST):
                with contextlib.suppress(ValueError, TypeError):  # torn
                    entry = Remembered(**json.loads(line))
                    self.entries[entry.asset] = entry

    def add(self, entry: Remembered) -> None:
        """Raises OSError."""
        self.entries[entry.asset] = entry
        append_lines(self.path, json.dumps(dataclasses.asdict(entry)).encode("ascii") + b"\n", LONGEST)


def state_path(folder: Path, url: str) -> Path:
    """Of a server: its address is in the name, shortened."""
    return folder / f"immich-{hashlib.sha256(url.encode()).hexdigest()[:12]}.jsonl"
