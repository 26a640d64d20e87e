"""From what the user named to a list of jobs, checked as a whole before any work.

A plan holds one `Planned` per input file. Outputs that overlap (`collisions`) are refused at once, with exit code 2.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from colorize_media.archive.collisions import refuse_overlaps
from colorize_media.archive.discovery import Selection
from colorize_media.archive.in_flight import worked_on
from colorize_media.archive.manifest import UNKNOWN, Entry, Stamp, Status, digest, read_manifest, read_sidecars
from colorize_media.archive.naming import Pair, pairs_of, why_another_format
from colorize_media.archive.own_outputs import without_own_outputs
from colorize_media.archive.sequences import with_sequences
from colorize_media.archive.sidecar_plan import with_sidecars
from colorize_media.errors import BadOption
from colorize_media.events import Failed, Passed, Planned, ignore
from colorize_media.files.first_look import Kind, kind_of
from colorize_media.files.formats import WRITABLE_VIDEO
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.signing import can_be_signed, no_place
from colorize_media.version import __version__
from colorize_media.wording import shown_name


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


def make_plan(
    inputs: Sequence[Path],
    output: Path | None,
    *,
    overwrite: bool,
    preview: bool = False,
    selection: Selection | None = None,
    memory: Memory | None = None,
    on_passed: Callable[[Passed], None] = ignore,
) -> list[Planned]:
    """What would be done with every input, in order. Raises InputIsOutput, OutputCollision or BadOption; touches nothing.

    A folder is searched recursively (see `discovery.search`) and its tree is kept below the output folder. ``preview``
    plans previews of films, and no photographs; they are not remembered. A missing
    input, a folder that cannot be read and (without ``memory.retry_failed``) what failed before and has not changed are
    planned as ``fail``, so that they are told and counted like any other failure. ``on_passed`` gets, of each folder, what
    is no input. With the option ``image_sequence`` numbered frames stand together (`sequences.with_sequences`).
    """
    memory = memory or Memory(ColorizeOptions())
    if memory.options.image_sequence is not None and output is not None:
        _refuse_film(inputs, output)
    sidecars = memory.options.sidecars and not preview
    if memory.options.purpose and memory.options.encoder:
        from colorize_media.video.purposes import check_encoder

        check_encoder(memory.options)
    chosen, purpose = selection or Selection(), memory.options.purpose
    pairs = list(
        dict.fromkeys(pairs_of(inputs, output, chosen, preview, on_passed, sidecars=sidecars, purpose=purpose))
    )
    pairs = without_own_outputs(pairs, memory.options)
    refuse_overlaps([pair for pair in pairs if pair.made_from is None])
    roots = {pair.root for pair in pairs if pair.root is not None}
    remembered = {root: read_manifest(root) for root in roots}
    worked = {root: worked_on(root) for root in roots}  # by runs that were killed
    plan = [
        Planned(pair.source, pair.target, "photo", "skip", "previews are for films")
        if preview and pair.kind == "photo"
        else _if_signable(_decide(pair, remembered, worked, memory, overwrite=overwrite), memory.options)
        for pair in pairs
    ]
    copies = {root: read_sidecars(root) for root in roots} if sidecars else {}
    plan = with_sidecars(pairs, plan, copies, memory.options, overwrite=overwrite)
    return plan if memory.options.image_sequence is None or preview else with_sequences(plan)


def _if_signable(planned: Planned, options: ColorizeOptions) -> Planned:
    """What could not be signed when it is done fails before."""
    if planned.action != "colorize" or planned.target is None or not options.sign_cert or can_be_signed(planned.target):
        return planned
    error = no_place(planned.target)
    failure = Failed(planned.source, error.what, error.why, error.hint)
    return dataclasses.replace(planned, action="fail", reason=f"{error.what}: {error.why}", failure=failure)


def _refuse_film(inputs: Sequence[Path], output: Path) -> None:
    """Numbered frames under a film's name would become a folder that is called like a film."""
    of_frames = any(source.is_dir() or kind_of(source) == "photo" for source in inputs)
    if of_frames and output.suffix.lower() in WRITABLE_VIDEO and not output.is_dir():
        raise BadOption(
            "frames are written back as frames",
            path=output,
            why=f"{output.suffix} is a film, and --image-sequence does not write one",
            hint="give a folder with -o; FFmpeg makes a film of the frames in it",
        )


def _decide(
    pair: Pair,
    remembered: dict[Path, dict[str, Entry]],
    worked: dict[Path, frozenset[str]],
    memory: Memory,
    *,
    overwrite: bool,
) -> Planned:
    source, target, kind = pair.source, pair.target, pair.kind
    if pair.made_from is not None:
        reason = f"made by this program of {shown_name(pair.made_from)}"
        return Planned(source, None, kind or "other", "skip", reason)
    if target is None or kind is None:
        return Planned(source, None, "other", "fail", pair.problem, failure=pair.failure)

    planned = partial(Planned, source, target, kind, root=pair.root, tree=pair.tree)
    exists = os.path.lexists(target)
    if overwrite:
        return planned("colorize", why_another_format(source, target, kind), replaces=exists)
    name = None if pair.root is None else target.relative_to(pair.root).as_posix()
    entry = None if pair.root is None or name is None else remembered[pair.root].get(name)
    made, stamp = Stamp.if_there(target), Stamp.if_there(source)
    forgotten = pair.root is not None and name in worked[pair.root] and _is_ours(made, stamp, entry)
    if entry is not None:
        same = stamp == entry.stamp and memory.holds(entry, kind)
        if same and entry.status == "left":
            return planned("skip", f"{entry.reason} (found by an earlier run)", earlier=True, what=entry.what)
        if same and entry.status == "failed" and not memory.retry_failed:
            why = f"{entry.reason} (in an earlier run, and the file has not changed)"
            failure = Failed(source, "failed before", why, "--retry-failed tries again")
            return planned("fail", why, earlier=True, failure=failure)
        if entry.status == "done" and exists and not same and not forgotten:
            if made == entry.made:
                return planned("colorize", "the source or the options have changed", replaces=True)
            return planned("skip", "the output was changed after it was made")
    if forgotten:
        return planned("colorize", "an earlier run was killed before it could remember the output", replaces=True)
    if exists:
        return planned("skip", "the output is already there")
    return planned("colorize", why_another_format(source, target, kind))


def _is_ours(made: Stamp | None, source: Stamp | None, entry: Entry | None) -> bool:
    """Whether an output that a dead run worked on is as that run left it: with its source's time. Else it may be anybody's."""
    if made is None or source is None or made.mtime_ns != source.mtime_ns:
        return False
    return entry is None or made != entry.made
