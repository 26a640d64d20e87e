"""What to do with a file, by what earlier runs remember of it and of its output."""

from __future__ import annotations

import dataclasses
import os
import re
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
from colorize_media.provenance.read_back import record_of_json
from colorize_media.provenance.record import SHORT_DIGEST, name_of_weights
from colorize_media.version import __version__
from colorize_media.wording import shown_name, shown_text

ALREADY_THERE = "the output is already there"


@dataclass(frozen=True)
class Memory:
    """What to believe of earlier runs' manifests: entries made under the same ``options`` and network.

    ``retry_failed`` forgets failures, ``redo_older`` what was made by older weights or an older version.
    """

    options: ColorizeOptions
    retry_failed: bool = False
    redo_older: bool = False

    def holds(self, entry: Entry, kind: Kind, weights: str = "") -> bool:
        """Whether the entry was made as it would be made now; or with these ``weights``, an output's digest."""
        if entry.decided == UNKNOWN and self.options.force:
            return False  # rather once too often than never
        if entry.decided not in ("", UNKNOWN, options_digest(self.options, kind, "left")):
            return False
        if weights:
            return entry.options == digest(self.options, kind, entry.status, weights, "")
        known = {options_digest(self.options, kind, entry.status)}
        if entry.status == "left" and kind == "video":  # as earlier versions wrote it of a run with --skip-documents
            known.add(options_digest(dataclasses.replace(self.options, skip_documents=True), "photo", "left"))
        return entry.options in known

    def age_of(self, entry: Entry, kind: Kind) -> str:
        """Of an output that was made with these options by the network of this name, what is older: the program or the
        weights. Nothing where neither is, or where it is not known."""
        record = record_of_json(entry.record)
        if record is None or record.model != _model_name(self.options.model):
            return ""
        if _numbers(record.version) > _numbers(__version__) or not self.holds(entry, kind, record.weights):
            return ""
        if record.version != __version__:
            return f"version {record.version} of this program"
        if record.weights != _weights_digest(self.options.model):
            return f"other weights of {shown_text(record.model)} (sha256 {record.weights[:SHORT_DIGEST]})"
        return ""


@cache
def options_digest(options: ColorizeOptions, kind: Kind, status: Status) -> str:
    """`options.digest` for this program and the network that the options name. Raises UnknownModel."""
    weights = _weights_digest(options.model) if status == "done" else ""
    return digest(options, kind, status, weights, __version__)


@cache
def _weights_digest(model: str) -> str:
    from colorize_media.models import find_weights, weights_digest

    return weights_digest(find_weights(model))


@cache
def _model_name(model: str) -> str:
    from colorize_media.models import find_weights

    return name_of_weights(find_weights(model))


def _numbers(version: str) -> tuple[int, ...]:
    """``0.10.2`` as numbers, to be compared."""
    return tuple(int(part) for part in re.findall("[0-9]{1,9}", version))


class EarlierRuns:
    """What the manifests of output folders say, each read when it is needed, and single outputs of themselves."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._remembered: dict[Path, dict[str, Entry]] = {}
        self._worked: dict[Path, frozenset[str]] = {}  # by runs that were killed
        self._singles = SingleFiles(memory.options)

    def entries(self, root: Path) -> dict[str, Entry]:
        """An output folder's manifest, by the outputs' paths below it."""
        if root not in self._remembered:
            self._remembered[root] = read_manifest(root)
            self._worked[root] = worked_on(root)
        return self._remembered[root]

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
        entry, exists = self.entries(root).get(name), os.path.lexists(target)
        made, stamp = Stamp.if_there(target), Stamp.of_input(source)
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
            if entry.status == "done" and exists and not forgotten:
                return self._of_output(item, entry, same_source=stamp == entry.stamp)
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
            reason = f"{ALREADY_THERE}, and is not known to be made by this program (-y replaces it)"
            return skip(reason=reason, foreign=True)
        made_of = Path(entry.source).name
        if made_of != source.name:
            return skip(reason=f"{ALREADY_THERE}, made of {shown_text(made_of)} (-y replaces it)", foreign=True)
        stamp = Stamp.if_there(source)
        if stamp is None:
            return skip(reason=ALREADY_THERE)
        return self._of_output(item, entry, same_source=is_same_source(source, stamp, entry))

    def _of_output(self, item: Planned, entry: Entry, *, same_source: bool) -> Planned:
        """Of one that stands, as an earlier run made it: replaced only if it is as that run left it."""
        assert item.kind != "other"
        skip = partial(dataclasses.replace, item, action="skip")
        age = self._memory.age_of(entry, item.kind) if same_source else ""
        if same_source and not age and self._memory.holds(entry, item.kind):
            return skip(reason=ALREADY_THERE)
        if Stamp.if_there(item.target) != entry.made:
            return skip(reason="the output was changed after it was made (-y replaces it)")
        if age and not self._memory.redo_older:
            return skip(reason=f"{ALREADY_THERE}, made by {age}: --redo-older does it again", older=True)
        reason = f"made by {age}" if age else "the source or the options have changed"
        return dataclasses.replace(item, reason=reason, replaces=True)


def _is_ours(made: Stamp | None, source: Stamp | None, entry: Entry | None) -> bool:
    """Whether an output that a dead run worked on is as that run left it: with its source's time. Else it may be anybody's."""
    if made is None or source is None or made.mtime_ns != source.mtime_ns:
        return False
    return entry is None or made != entry.made
