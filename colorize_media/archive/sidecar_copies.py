"""Copies what goes along with inputs beside their outputs, whole or not at all, when the outputs are there."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from colorize_media.archive.manifest import Entry, SidecarEntry, Stamp, read_manifest
from colorize_media.archive.outcomes import Outcome
from colorize_media.archive.sidecar_plan import CHANGED_TWICE, OF_A_FAILURE, TAKEN, TWO_OF_A_NAME
from colorize_media.events import Done, Failed, Planned, Sidecar, Skipped
from colorize_media.files.first_look import open_regular
from colorize_media.files.whole import keep_mode_and_times, whole_or_absent
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.packet import MAX_XMP
from colorize_media.provenance.read_back import record_of_json
from colorize_media.provenance.record import Record

_WORTH_A_WARNING = frozenset({TAKEN, CHANGED_TWICE, TWO_OF_A_NAME})  # a person can do something about these


class SidecarCopies:
    """Does what the plan says of sidecars. ``remember`` gets what an output folder is to know of each copy.

    ``copied`` is how many there were, ``left`` counts those that stay where they are, by why.
    """

    def __init__(self, options: ColorizeOptions, remember: Callable[[Path, SidecarEntry], None]) -> None:
        self._options, self._remember = options, remember
        self._made: dict[Path, Path] = {}  # in this run, and from what
        self._manifests: dict[Path, dict[str, Entry]] = {}
        self.copied = 0
        self.left: Counter[str] = Counter()

    def follow(self, outcome: Outcome) -> tuple[Outcome, tuple[str, ...]]:
        """The outcome with the number of its copies, and warnings; where there is no output the copies wait for it."""
        item, result = outcome.item, outcome.result
        waiting = sum(sidecar.action == "copy" or sidecar.reason == OF_A_FAILURE for sidecar in item.sidecars)
        if isinstance(result, Failed) and waiting:
            self.left[OF_A_FAILURE] += waiting
        if not item.sidecars or not (
            isinstance(result, Done) or (isinstance(result, Skipped) and item.action == "skip")
        ):
            return outcome, ()
        warnings, count = [], 0
        for sidecar in item.sidecars:
            if sidecar.action == "leave":
                self.left[sidecar.reason] += 1
                if isinstance(result, Done) and sidecar.reason in _WORTH_A_WARNING:
                    warnings.append(f"{sidecar.source.name} is not copied: {sidecar.reason}: {sidecar.target}")
            elif sidecar.action == "copy" and sidecar.target not in self._made:
                try:
                    if said := self._copy(sidecar, item, result):
                        warnings.append(f"{sidecar.source.name}: {said}")
                    self._made[sidecar.target] = sidecar.source
                    count += 1
                except OSError as error:
                    warnings.append(f"{sidecar.source.name} could not be copied: {error.strerror or error}")
        self.copied += count
        return replace(outcome, result=replace(result, sidecars=count)), tuple(warnings)

    def _copy(self, sidecar: Sidecar, item: Planned, result: Done | Skipped) -> str:
        """Returns a warning, or nothing. Raises OSError."""
        said = ""
        with open_regular(sidecar.source) as file:
            before = os.fstat(file.fileno())
            if not sidecar.replaces and os.path.lexists(sidecar.target):
                raise FileExistsError(0, TAKEN)
            data = None
            if sidecar.target.suffix.lower() == ".xmp" and before.st_size <= MAX_XMP:
                data = file.read()
                data, said = self._fitted(data, sidecar, item, result)
            with whole_or_absent(sidecar.target) as copy:
                if data is None:
                    shutil.copyfileobj(file, copy)
                else:
                    copy.write(data)
        if why := keep_mode_and_times(before, sidecar.target):
            said = said or f"permissions and times could not be kept: {why}"
        if item.root is not None:
            inside = sidecar.target.relative_to(item.root).as_posix()
            stamp = Stamp(before.st_size, before.st_mtime_ns)
            self._remember(item.root, SidecarEntry(inside, str(sidecar.source), stamp, Stamp.of(sidecar.target)))
        return said

    def _fitted(self, data: bytes, sidecar: Sidecar, item: Planned, result: Done | Skipped) -> tuple[bytes, str]:
        """An XMP packet for the output; as it is, with a warning, if it is none."""
        from colorize_media.photo.sidecar import fitted_xmp

        assert item.target is not None
        record = self._record(item, result) if self._options.provenance else None
        try:
            film = item.kind == "video"
            return fitted_xmp(data, record, source=item.source, target=item.target, film=film), ""
        except ValueError as problem:
            return data, f"copied as it is, since it is no XMP that can be read: {problem}"

    def _record(self, item: Planned, result: Done | Skipped) -> Record | None:
        """How the output was made: now, or as the output folder remembers it."""
        said = result.record if isinstance(result, Done) else None
        if said is None and isinstance(result, Skipped) and item.root is not None and item.target is not None:
            if item.root not in self._manifests:
                self._manifests[item.root] = read_manifest(item.root)
            entry = self._manifests[item.root].get(item.target.relative_to(item.root).as_posix())
            said = None if entry is None else entry.record
        return record_of_json(said)
