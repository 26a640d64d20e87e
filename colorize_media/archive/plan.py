"""From what the user named to a list of jobs, checked as a whole before any work.

A plan holds one `Planned` per input file. Refused at once, with exit code 2: an output that is one of the inputs, two
inputs with one output, also where only the destination's file system takes their names for one.
"""

from __future__ import annotations

import os
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from colorize_media.archive.discovery import Selection, search
from colorize_media.archive.manifest import Entry, Stamp, Status, digest, read_manifest
from colorize_media.errors import BadOption, InputIsOutput, OutputCollision
from colorize_media.events import Planned
from colorize_media.files.first_look import Kind, kind_of, nearest_suffix
from colorize_media.files.formats import (
    FORMAT_SUFFIXES,
    NOT_WRITABLE,
    PHOTO_FALLBACK,
    RAW_FALLBACK,
    RAW_SUFFIXES,
    VIDEO_FALLBACK,
    WRITABLE_PHOTO,
    WRITABLE_VIDEO,
)
from colorize_media.options import ColorizeOptions
from colorize_media.version import __version__

MARK = ".color"  # film.mp4 → film.color.mp4
PREVIEW = ".preview.png"  # film.mp4 → film.mp4.preview.png
SHOWN_COLLISIONS = 5  # in the error's reason; a wrong -o makes thousands


@dataclass(frozen=True)
class Memory:
    """What to believe of earlier runs' manifests: entries made under the same ``options`` and network.

    ``retry_failed`` forgets failures.
    """

    options: ColorizeOptions
    retry_failed: bool = False

    def holds(self, entry: Entry, kind: Kind) -> bool:
        """Whether the entry was made as it would be made now."""
        return entry.options == options_digest(self.options, kind, entry.status)


@cache
def options_digest(options: ColorizeOptions, kind: Kind, status: Status) -> str:
    """`manifest.digest` for this program and the network that the options name. Raises UnknownModel."""
    weights = _weights_digest(options.model) if status == "done" else ""
    return digest(options, kind, status, weights, __version__)


@cache
def _weights_digest(model: str) -> str:
    from colorize_media.models import find_weights, weights_digest

    return weights_digest(find_weights(model))


@dataclass(frozen=True)
class _Pair:
    """An input file and where its output would be; without a kind, there is nothing at the source but a problem."""

    source: Path
    target: Path | None = None
    kind: Kind | None = None
    root: Path | None = None
    tree: Path | None = None
    problem: str = ""


def make_plan(
    inputs: Sequence[Path],
    output: Path | None,
    *,
    overwrite: bool,
    preview: bool = False,
    selection: Selection | None = None,
    memory: Memory | None = None,
) -> list[Planned]:
    """What would be done with every input, in order. Raises InputIsOutput, OutputCollision or BadOption; touches nothing.

    A folder is searched recursively (see `discovery.search`) and its tree is kept below the output folder. ``preview``
    plans previews of films, and no photographs; they are not remembered. A missing
    input, a folder that cannot be read and (without ``memory.retry_failed``) what failed before and has not changed are
    planned as ``fail``, so that they are told and counted like any other failure.
    """
    memory = memory or Memory(ColorizeOptions())
    pairs = list(dict.fromkeys(_pair(inputs, output, selection or Selection(), preview)))
    _refuse_overlaps(pairs)
    remembered = {root: read_manifest(root) for root in {pair.root for pair in pairs} if root is not None}
    return [
        Planned(pair.source, pair.target, "photo", "skip", "previews are for films")
        if preview and pair.kind == "photo"
        else _decide(pair, remembered, memory, overwrite=overwrite)
        for pair in pairs
    ]


def _decide(pair: _Pair, remembered: dict[Path, dict[str, Entry]], memory: Memory, *, overwrite: bool) -> Planned:
    source, target, kind = pair.source, pair.target, pair.kind
    if target is None or kind is None:
        return Planned(source, None, "other", "fail", pair.problem)

    def planned(action: Literal["colorize", "skip", "fail"], reason: str = "", *, replaces: bool = False) -> Planned:
        return Planned(source, target, kind, action, reason, pair.root, pair.tree, replaces)

    exists = os.path.lexists(target)
    if overwrite:
        return planned("colorize", why_another_format(source, target, kind), replaces=exists)
    entry = None if pair.root is None else remembered[pair.root].get(target.relative_to(pair.root).as_posix())
    made = None
    if entry is not None:
        same, made = _stamp(source) == entry.stamp and memory.holds(entry, kind), _stamp(target)
        if same and entry.status == "left":
            return planned("skip", f"{entry.reason} (found by an earlier run)")
        if same and entry.status == "failed" and not memory.retry_failed:
            return planned("fail", f"{entry.reason} (in an earlier run, and the file has not changed)")
        if entry.status == "done" and exists and not same:
            if made == entry.made:
                return planned("colorize", "the source or the options have changed", replaces=True)
            return planned("skip", "the output was changed after it was made")
    if exists:
        return planned("skip", "the output is already there")
    return planned("colorize", why_another_format(source, target, kind))


def _stamp(path: Path) -> Stamp | None:
    try:
        return Stamp.of(path)
    except OSError:
        return None


def _pair(inputs: Sequence[Path], output: Path | None, selection: Selection, preview: bool) -> Iterator[_Pair]:
    """Every file of the inputs with its output. That of a preview belongs to no remembered run."""
    single = len(inputs) == 1
    for source in inputs:
        if source.is_dir():
            named = source if source.name not in ("", "..") else source.resolve()  # "." and ".." have no name to extend
            root = named.with_name(f"{named.name}-color") if output is None else output
            for found in search(source, selection, root):
                path = source / found.relative
                if found.problem:
                    yield _Pair(path, problem=f"cannot read the folder: {found.problem}")
                    continue
                kind = kind_of(path)
                target = root / _output_name(found.relative, kind, preview, path)
                yield _Pair(path, target, kind, None if preview else root, source)
        elif not source.exists():
            yield _Pair(source, problem="no such file or folder")
        else:
            kind = kind_of(source)
            target, named_root = _target_of_file(source, output, kind, single, preview)
            yield _Pair(source, target, kind, None if preview else named_root)


def _target_of_file(
    source: Path, output: Path | None, kind: Kind, single: bool, preview: bool
) -> tuple[Path, Path | None]:
    """The output, and the output folder that the user named."""
    if output is None and preview and kind == "video":
        return _output_name(source, kind, preview, source), None
    if output is None:
        named = source.with_name(f"{source.stem}{MARK}{source.suffix}")
        return with_writable_suffix(named, kind, source), None
    if single and not output.is_dir() and output.suffix and not str(output).endswith(os.sep):
        writable = WRITABLE_PHOTO if kind == "photo" else {".png"} if preview else WRITABLE_VIDEO
        if output.suffix.lower() not in writable:
            raise BadOption(
                "the output's format cannot be written",
                path=output,
                why=f"{output.suffix} is not for {'a preview' if preview and kind == 'video' else f'a {kind}'}",
                hint=f"use one of {' '.join(sorted(writable))}",
            )
        return output, None
    return output / _output_name(Path(source.name), kind, preview, source), output


def _output_name(path: Path, kind: Kind, preview: bool, source: Path) -> Path:
    if preview and kind == "video":
        return path.with_name(path.name + PREVIEW)
    return with_writable_suffix(path, kind, source)


def with_writable_suffix(path: Path, kind: Kind, source: Path) -> Path:
    """The same name if its format can be written and holds what ``source`` has, else with the nearest one's extension."""
    if kind == "photo":
        suffix = path.suffix.lower()
        if suffix in RAW_SUFFIXES:
            return path.with_name(path.name + RAW_FALLBACK)
        if suffix in (*FORMAT_SUFFIXES["HEIC"], ".avif") and (nearest := nearest_suffix(source)):
            return path.with_name(path.name + nearest)
        return path if path.suffix.lower() in WRITABLE_PHOTO else path.with_name(path.name + PHOTO_FALLBACK)
    return path if path.suffix.lower() in WRITABLE_VIDEO else path.with_name(path.name + VIDEO_FALLBACK)


def why_another_format(source: Path, target: Path, kind: Kind) -> str:
    """Why `with_writable_suffix` gave the output another extension than its source's; nothing where it did not."""
    suffix = source.suffix.lower()
    if not suffix or target.suffix.lower() == suffix or not target.stem.lower().endswith(suffix):
        return ""  # the same, or the user's own choice
    if kind == "video":
        why = f"films are not written as {suffix}"
    else:
        why = NOT_WRITABLE.get(suffix, f"{suffix} is written with 8 bits per channel, and this has more")
    return f"{why}; the nearest format is {target.suffix.lower()}"


def _refuse_overlaps(pairs: Sequence[_Pair]) -> None:
    """By real path, so that links and ``..`` do not hide that two names are one file."""
    real_folder = cache(os.path.realpath)

    def key(path: Path) -> str:
        return os.path.realpath(path) if path.is_symlink() else os.path.join(real_folder(path.parent), path.name)

    sources = {key(pair.source) for pair in pairs}
    folded_sources = {_folded(source): source for source in sources}
    targets: dict[str, Path] = {}
    folded: dict[str, str] = {}
    collisions: list[tuple[Path, Path, Path]] = []
    for pair in pairs:
        target = pair.target
        if target is None:
            continue
        own = key(target)
        same_file = os.path.lexists(target) and target.exists() and os.path.samefile(pair.source, target)
        if own in sources or same_file or _is_one_file(own, folded_sources.get(_folded(own), own)):
            raise InputIsOutput(
                "the output would replace an input",
                path=target,
                why="originals are never changed",
                hint="give another name or folder with -o",
            )
        other = own if own in targets else folded.get(_folded(own), own)
        if own in targets or _is_one_file(own, other):
            collisions.append((target, targets[other], pair.source))
        targets[own] = pair.source
        folded[_folded(own)] = own
    if collisions:
        shown = "; ".join(f"{one} and {two}" for _, one, two in collisions[:SHOWN_COLLISIONS])
        more = len(collisions) - SHOWN_COLLISIONS
        raise OutputCollision(
            "two inputs would write the same output",
            path=collisions[0][0],
            why=shown + (f"; and {more} more pairs" if more > 0 else ""),
            hint="colour them in two runs with different -o, or leave one out with --exclude",
        )


def _folded(path: str) -> str:
    """One word for all spellings that some file system takes for one: letter case, and Unicode's composed forms."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _is_one_file(one: str, other: str) -> bool:
    """Whether two different absolute names that fold to one word would be one file where they lie."""
    return one != other and not distinguishes(Path(one), Path(other))


def distinguishes(one: Path, other: Path) -> bool:
    """Whether the file system keeps apart two names that differ in case or Unicode form only, in existing folders or not.

    Asked only about names that come near each other, since it makes an empty file for a moment where no such files are:
    there is no other way to know. Where it may not write, nothing else can be written either, and they are kept apart.
    """
    for first, second in zip((*reversed(one.parents), one), (*reversed(other.parents), other), strict=True):
        if first == second:
            folder = first if first.is_dir() else first.parent
            continue
        if os.path.lexists(first) or os.path.lexists(second):
            try:
                return not os.path.samefile(first, second)
            except OSError:
                return True
        while not folder.is_dir():
            folder = folder.parent
        return _probe(folder, first.name, second.name)
    return False


def _probe(folder: Path, one: str, other: str) -> bool:
    mark = f".colorize-media-{secrets.token_hex(4)}-"
    first, second = folder / f"{mark}{one}", folder / f"{mark}{other}"
    try:
        first.touch(exist_ok=False)
    except OSError:
        return True
    try:
        return not second.exists()
    finally:
        first.unlink(missing_ok=True)
