"""How an output was made, asked afterwards: the file itself says it, or whoever remembers it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from colorize_media.archive.manifest import MANIFEST_NAME, Entry, Stamp, read_manifest
from colorize_media.archive.single_files import SingleFiles, records_in
from colorize_media.files.first_look import size_of_readable
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.read_back import record_of_json
from colorize_media.provenance.record import SHORT_DIGEST, Record, sha256_of
from colorize_media.wording import shown_path, shown_text

_MOST_PARENTS = 64  # folders above an output that are asked

Where = Literal["file", "manifest", "memory"]


@dataclass(frozen=True)
class Made:
    """How one output was made, and who says so: the file, the ``manifest`` of an output folder, or the user's own memory.

    ``source`` is where the original was, or would be beside the output; None where not even its name is known.
    ``changed``: the file is not as it was made.
    """

    record: Record
    where: Where
    source: Path | None
    changed: bool = False

    @property
    def lines(self) -> list[str]:
        """For people."""
        record = self.record
        when = f"{record.date[:10]} {record.date[11:16]} UTC"
        network = f"network {record.model} (weights sha256 {record.weights[:SHORT_DIGEST]})"
        set_to = {**record.options, **record.settings}
        chosen = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(set_to.items()))
        digest = f" (sha256 {record.source_sha256[:SHORT_DIGEST]})" if record.source_sha256 else ""
        source = shown_path(self.source) if self.where != "file" and self.source else shown_text(record.source)
        said = {
            "file": "the file says so",
            "manifest": "its output folder remembers it",
            "memory": "this user's cache remembers it",
        }
        lines = [f"made on {when} by {record.tool}, {network}, {record.engine} in {record.precision}"]
        lines += [f"of {source}{digest}"] if source else []
        lines += [f"with {shown_text(chosen)}" if chosen else "with the options as they are by default"]
        return [*lines, said[self.where] + ("; it was changed since" if self.changed else "")]


class HowMade:
    """Answers about many files; manifests are read once. Safe from several threads."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._manifest = cache(read_manifest)
        self._singles = SingleFiles(ColorizeOptions(max_pixels=max_pixels))

    def of(self, path: Path) -> Made | None:
        """None where neither the file nor anybody else knows. Raises FileProblems for what is no readable file."""
        size_of_readable(path)
        line, now = self._in_a_manifest(path), Stamp.if_there(path)
        for record, changed in records_in(path, self._max_pixels):
            beside = path.with_name(record.source) if record.source else None
            new_time = record.source_stamp is not None and now is not None and now.mtime_ns != record.source_stamp[1]
            return Made(record, "file", beside if line is None else Path(line.source), changed or new_time)
        where: Where = "memory" if line is None else "manifest"
        line = line or self._singles.remembered(path)
        if line is None or (said := record_of_json(line.record)) is None:
            return None
        return Made(said, where, Path(line.source), line.made != now)

    def _in_a_manifest(self, path: Path) -> Entry | None:
        """The line about it in the manifest of a folder above it."""
        whole = Path(os.path.abspath(path))
        for folder in whole.parents[:_MOST_PARENTS]:
            if os.path.lexists(folder / MANIFEST_NAME):
                entry = self._manifest(folder).get(whole.relative_to(folder).as_posix())
                if entry is not None and entry.status == "done":
                    return entry
        return None


def state_of_source(made: Made) -> str:
    """What is amiss with the original; nothing where it is there and unchanged, as far as that is known."""
    if made.source is None:
        return "which file it was made of is not said"
    stamp = Stamp.if_there(made.source)
    if stamp is None:
        return f"the source is not there: {shown_path(made.source)}"
    known = made.record.source_stamp
    if known == (stamp.size, stamp.mtime_ns):
        return ""
    if made.record.source_sha256 and sha256_of(made.source) != made.record.source_sha256:
        return f"the source was changed since, or is another file: {shown_path(made.source)}"
    return ""
