"""From what the user named to a list of jobs, checked as a whole before any work.

A plan holds one `Planned` per input file. Outputs that overlap (`collisions`) are refused at once, with exit code 2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from colorize_media.archive.collisions import refuse_overlaps
from colorize_media.archive.discovery import Selection
from colorize_media.archive.manifest import read_sidecars
from colorize_media.archive.memory import EarlierRuns, Memory
from colorize_media.archive.naming import Pair, made_for, output_folder, pairs_of
from colorize_media.archive.orphans import orphans
from colorize_media.archive.own_outputs import without_own_outputs
from colorize_media.archive.sequences import with_sequences
from colorize_media.archive.sidecar_plan import with_sidecars
from colorize_media.errors import BadOption
from colorize_media.events import Failed, Passed, Planned, ignore
from colorize_media.files.first_look import kind_of
from colorize_media.files.formats import WRITABLE_VIDEO
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.signing import can_be_signed, no_place

_NO_CHROMA_OF_PHOTOS = (
    "no colours alone of a photograph",
    "--chroma-only is for films",
    "leave it out, and lay the coloured picture over the original in the blend mode Color; --include chooses films",
)


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
    searched: list[Passed] = []
    if memory.options.image_sequence is not None and output is not None:
        _refuse_film(inputs, output)
    sidecars = memory.options.sidecars and not preview
    if memory.options.encoder and made_for(memory.options):
        from colorize_media.video.purposes import check_encoder

        check_encoder(memory.options)
    chosen, purpose = selection or Selection(), made_for(memory.options)
    pairs = list(
        dict.fromkeys(pairs_of(inputs, output, chosen, preview, searched.append, sidecars=sidecars, purpose=purpose))
    )
    pairs = without_own_outputs(pairs, memory.options)
    refuse_overlaps([pair for pair in pairs if pair.made_from is None])
    roots = {pair.root for pair in pairs if pair.root is not None}
    earlier = EarlierRuns(memory)
    plan = [
        Planned(pair.source, pair.target, "photo", "skip", "previews are for films")
        if preview and pair.kind == "photo"
        else _if_possible(earlier.decide(pair, overwrite=overwrite), memory.options)
        for pair in pairs
    ]
    for event in searched:
        on_passed(event if preview else _with_orphans(event, searched, output, pairs, earlier))
    copies = {root: read_sidecars(root) for root in roots} if sidecars else {}
    plan = with_sidecars(pairs, plan, copies, memory.options, overwrite=overwrite)
    return plan if memory.options.image_sequence is None or preview else with_sequences(plan)


def _with_orphans(
    event: Passed, searched: Sequence[Passed], output: Path | None, pairs: Sequence[Pair], earlier: EarlierRuns
) -> Passed:
    """Those of an output folder are told with the first of the folders that it mirrors."""
    root = output_folder(event.source, output)
    trees = [other.source for other in searched if output_folder(other.source, output) == root]
    if trees[0] != event.source:
        return event
    planned = {pair.target for pair in pairs if pair.root == root and pair.target is not None}
    return dataclasses.replace(event, orphaned=orphans(root, trees, earlier.entries(root), planned))


def _if_possible(planned: Planned, options: ColorizeOptions) -> Planned:
    """What could not be done, or not be signed when it is done, fails before."""
    if options.chroma_only and planned.action == "colorize" and planned.kind == "photo":
        failure = Failed(planned.source, *_NO_CHROMA_OF_PHOTOS)
        return dataclasses.replace(planned, action="fail", reason=f"{failure.what}: {failure.why}", failure=failure)
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
