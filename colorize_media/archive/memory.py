"""What to do with a file, by what earlier runs remember of it and of its output."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from colorize_media.archive.in_flight import worked_on
from colorize_media.archive.manifest import UNKNOWN, Entry, Stamp, read_manifest
from colorize_media.archive.naming import Pair, why_another_format
from colorize_media.archive.single_files import SingleFiles, is_same_source
from colorize_media.events import Failed, Planned
from colorize_media.files.first_look import Kind
from colorize_media.options import ColorizeOptions, Status, digest
from colorize_media.version import __version__
from colorize_media.wording import shown_name, shown_text

ALREADY_THERE = "the output is already there"


@dataclass(frozen=True)
class Memory:
    """What to believe of earlier runs' manifests: entries made under the same ``options`` and network.

    ``retry_failed`` forgets failures.
    """

    options: ColorizeOptions
    retry_failed: bool = False

    def holds(self, entry: Entry, kind: Kind) -> bool:
        """Whether the entry was made as it would be made now."""
        if entry.decided == UNKNOWN and self.options.force:
            return False  # rather once too often than never
        if entry.decided not in ("", UNKNOWN, options_digest(self.options, kind, "left")):
            return False
        known = {options_digest(self.options, kind, entry.status)}
        if entry.status == "left" and kind == "video":  # as earlier versions wrote it of a run with --skip-documents
            known.add(options_digest(dataclasses.replace(self.options, skip_documents=True), "photo", "left"))
        return entry.options in known


@cache
def options_digest(options: ColorizeOptions, kind: Kind, status: Status) -> str:
    """`manifest.digest` for this program and the network that the options name. Raises UnknownModel."""
    weights = _weights_digest(options.model) if status == "done" else ""
    return digest(options, kind, status, weights, __version__)


@cache
def _weights_digest(model: str) -> str:
    from colorize_media.models import find_weights, weights_digest

    return weights_digest(find_weights(model))


class EarlierRuns:
    """What the manifests of some output folders, the ``roots``, say, and single outputs of themselves."""

    def __init__(self, memory: Memory, roots: Collection[Path]) -> None:
        self._memory = memory
        self._remembered = {root: read_manifest(root) for root in roots}
        self._worked = {root: worked_on(root) for root in roots}  # by runs that were killed
        self._singles = SingleFiles(memory.options)

    def decide(self, pair: Pair, *, overwrite: bool) -> Planned:
        """What to do with an input. ``overwrite`` forgets everything."""
        source, target, kind = pair.source, pair.target, pair.kind
        if pair.made_from is not None:
            reason = f"made by this program of {shown_name(pair.made_from)}"
            return Planned(source, None, kind or "other", "skip", reason)
        if target is None or kind is None:
            return Planned(source, None, "other", "fail", pair.problem, failure=pair.failure)
        if overwrite:
            reason = why_another_format(source, target, kind)
            replaces = os.path.lexists(target)
            return Planned(source, target, kind, "colorize", reason, pair.root, pair.tree, replaces)
        if pair.root is None:
            return self._decide_single(Planned(source, target, kind, "colorize", tree=pair.tree))
        item = self._decide(Planned(source, target, kind, "colorize", root=pair.root, tree=pair.tree))
        return dataclasses.replace(item, reason="; ".join(filter(None, (pair.note, item.reason))))

    def _decide(self, item: Planned) -> Planned:
        """Of an output in a folder that remembers."""
        source, target, kind, root = item.source, item.target, item.kind, item.root
        assert target is not None
        assert root is not None
        assert kind != "other"
        planned = partial(dataclasses.replace, item)
        name = target.relative_to(root).as_posix()
        entry, exists = self._remembered[root].get(name), os.path.lexists(target)
        made, stamp = Stamp.if_there(target), Stamp.if_there(source)
        forgotten = name in self._worked[root] and _is_ours(made, stamp, entry)
        if entry is not None:
            same = stamp == entry.stamp and self._memory.holds(entry, kind)
            if same and entry.status == "left":
                reason = f"{entry.reason} (found by an earlier run)"
                return planned(action="skip", reason=reason, earlier=True, what=entry.what)
            if same and entry.status == "failed" and not self._memory.retry_failed:
                why = f"{entry.reason} (in an earlier run, and the file has not changed)"
                failure = Failed(source, "failed before", why, "--retry-failed tries again")
                return planned(action="fail", reason=why, earlier=True, failure=failure)
            if entry.status == "done" and exists and not same and not forgotten:
                return _anew_if_untouched(item, entry)
        if forgotten:
            reason = "an earlier run was killed before it could remember the output"
            return planned(reason=reason, replaces=True)
        if exists:
            return planned(action="skip", reason=ALREADY_THERE)
        return planned(reason=why_another_format(source, target, kind))

    def _decide_single(self, item: Planned) -> Planned:
        """Of an output that lies in no such folder: it must say itself of what it is, or the user's own memory."""
        source, target, kind = item.source, item.target, item.kind
        assert target is not None
        assert kind != "other"
        if not os.path.lexists(target):
            return dataclasses.replace(item, reason=why_another_format(source, target, kind))
        skip = partial(dataclasses.replace, item, action="skip")
        entry = self._singles.entry(target, kind)
        if entry is None:
            return skip(reason=f"{ALREADY_THERE}, and is not known to be made by this program (-y replaces it)")
        made_of = Path(entry.source).name
        if made_of != source.name:
            return skip(reason=f"{ALREADY_THERE}, made of {shown_text(made_of)} (-y replaces it)")
        stamp = Stamp.if_there(source)
        if stamp is None or (is_same_source(source, stamp, entry) and self._memory.holds(entry, kind)):
            return skip(reason=ALREADY_THERE)
        return _anew_if_untouched(item, entry)


def _anew_if_untouched(item: Planned, entry: Entry) -> Planned:
    """An output of another source or other options: replaced only if it is as the run left it."""
    if Stamp.if_there(item.target) == entry.made:
        return dataclasses.replace(item, reason="the source or the options have changed", replaces=True)
    return dataclasses.replace(item, action="skip", reason="the output was changed after it was made (-y replaces it)")


def _is_ours(made: Stamp | None, source: Stamp | None, entry: Entry | None) -> bool:
    """Whether an output that a dead run worked on is as that run left it: with its source's time. Else it may be anybody's."""
    if made is None or source is None or made.mtime_ns != source.mtime_ns:
        return False
    return entry is None or made != entry.made
