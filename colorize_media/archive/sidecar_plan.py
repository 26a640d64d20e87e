"""What is to be done with the files that go along with inputs: copied, kept or left, without touching what is not ours.

What an output folder remembers says which copies are ours. Where nothing is remembered, beside an input, a copy is known by
its time, which is that of its source, and is replaced only if it says itself that this program wrote it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from colorize_media.archive.manifest import SidecarEntry, Stamp
from colorize_media.archive.naming import Pair
from colorize_media.archive.sidecars import Beside
from colorize_media.events import Planned, Sidecar
from colorize_media.files.first_look import open_regular
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.packet import MAX_XMP
from colorize_media.provenance.record import PROGRAM

COARSE = 2_000_000_000  # nanoseconds between two times that FAT can tell
STRIPPED = "--strip-metadata leaves out what is said of photographs"
OUT_OF_TIME = "subtitles of a whole film, which do not fit a part of it"
TAKEN = "another file has its name already"
CHANGED_TWICE = "its copy was changed, and then its source"
OF_A_FAILURE = "what they belong to failed"
TWO_OF_A_NAME = "two of them would have the same name"


def with_sidecars(
    pairs: Sequence[Pair],
    plan: Sequence[Planned],
    remembered: Mapping[Path, Mapping[str, SidecarEntry]],
    options: ColorizeOptions,
    *,
    overwrite: bool,
) -> list[Planned]:
    """The plan of these pairs, each with what goes along with it."""
    if not any(pair.sidecars for pair in pairs):
        return list(plan)
    planner = _Planner(pairs, plan, remembered, options, overwrite)
    return [planner.planned(pair, item) for pair, item in zip(pairs, plan, strict=True)]


class _Planner:
    def __init__(
        self,
        pairs: Sequence[Pair],
        plan: Sequence[Planned],
        remembered: Mapping[Path, Mapping[str, SidecarEntry]],
        options: ColorizeOptions,
        overwrite: bool,
    ) -> None:
        self._remembered, self._options, self._overwrite = remembered, options, overwrite
        self._owners: dict[Path, Path] = {}  # of the names that are given, to whose copies
        self._originals = {os.path.abspath(source) for pair in pairs for source in (pair.source, *_sources(pair))}
        self._originals |= {os.path.abspath(item.target) for item in plan if item.target is not None}

    def planned(self, pair: Pair, item: Planned) -> Planned:
        if item.action == "fail" and item.target is not None and pair.sidecars:
            return replace(item, sidecars=tuple(self._waiting(pair, item.target, beside) for beside in pair.sidecars))
        goes = item.action == "colorize" or (item.action == "skip" and item.target is not None and item.target.exists())
        if not pair.sidecars or not goes or item.foreign:  # beside somebody's picture they would speak of that one
            return item
        return replace(item, sidecars=tuple(self._one(pair, item, beside) for beside in pair.sidecars))

    def _waiting(self, pair: Pair, output: Path, beside: Beside) -> Sidecar:
        return Sidecar(pair.source.with_name(beside.name), beside.beside(output), "leave", beside.stays or OF_A_FAILURE)

    def _one(self, pair: Pair, item: Planned, beside: Beside) -> Sidecar:
        assert item.target is not None
        source = pair.source.with_name(beside.name)
        target = self._place(source, beside, item.target)
        if target is None:
            return Sidecar(source, beside.beside(item.target), "leave", TWO_OF_A_NAME)
        if stays := beside.stays or self._why_it_stays(beside, item):
            return Sidecar(source, target, "leave", stays)
        if not os.path.lexists(target):
            return Sidecar(source, target, "copy")
        entry = None
        if item.root is not None:
            entry = self._remembered[item.root].get(target.relative_to(item.root).as_posix())
        if os.path.abspath(target) in self._originals or target.is_symlink():
            return Sidecar(source, target, "leave", TAKEN)
        if entry is not None:
            return self._again(source, target, entry, renew=item.action == "colorize" and beside.is_xmp)
        return self._unremembered(source, target, renew=item.action == "colorize" and beside.is_xmp)

    def _place(self, source: Path, beside: Beside, output: Path) -> Path | None:
        """Its own name, or that with the output's whole name; None where others have both. A shared one is copied once."""
        for whole in (beside.whole, True):
            target = beside.beside(output, whole=whole)
            if self._owners.setdefault(target, source) == source:
                return target
        return None

    def _why_it_stays(self, beside: Beside, item: Planned) -> str:
        if item.kind == "photo":
            return STRIPPED if self._options.strip_metadata else ""
        cut = self._options.start > 0 or self._options.duration is not None
        return OUT_OF_TIME if cut and beside.is_timed else ""

    def _again(self, source: Path, target: Path, entry: SidecarEntry, *, renew: bool) -> Sidecar:
        """Of which the output folder remembers a copy. ``renew``: it says how the output was made, which is made anew."""
        same = entry.stamp == Stamp.if_there(source)
        if entry.made == Stamp.if_there(target):
            if same and not renew and not self._overwrite:
                return Sidecar(source, target, "keep")
            return Sidecar(source, target, "copy", replaces=True)
        if self._overwrite:
            return Sidecar(source, target, "copy", replaces=True)
        return Sidecar(source, target, "keep") if same else Sidecar(source, target, "leave", CHANGED_TWICE)

    def _unremembered(self, source: Path, target: Path, *, renew: bool) -> Sidecar:
        before, there = Stamp.if_there(source), Stamp.if_there(target)
        same = before is not None and there is not None and abs(before.mtime_ns - there.mtime_ns) <= COARSE
        if self._overwrite and (renew or not same) and _says_ours(target):
            return Sidecar(source, target, "copy", replaces=True)
        return Sidecar(source, target, "keep") if same else Sidecar(source, target, "leave", TAKEN)


def _sources(pair: Pair) -> list[Path]:
    return [pair.source.with_name(beside.name) for beside in pair.sidecars]


def _says_ours(path: Path) -> bool:
    """Whether an XMP file says that this program wrote it."""
    if path.suffix.lower() != ".xmp":
        return False
    with contextlib.suppress(OSError), open_regular(path) as file:
        return PROGRAM.encode() in file.read(MAX_XMP)
    return False
