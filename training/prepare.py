"""``colorize-media prepare``: any pictures → clean, shuffled tar shards with an index, training and validation apart.

    read (tars as streams, nothing extracted) → judge and shrink, in threads → spool file
        → drop copies → split by content hash → shuffle → shards, CSVs, index.json

The result depends on the pictures, their labels and the options alone: not on the order of sources, file times or the
number of threads. All is built in a folder ``.prepare`` inside the output and moved up at the end, ``index.json`` last;
what an interrupted run leaves is refused by `sources` and cleared by the next run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from colorize_media.errors import BadOption, ColorizeError, InputIsOutput, OutputUnwritable, TrainingProblem
from colorize_media.training import places
from colorize_media.training.duplicates import Fingerprints, group_copies
from colorize_media.training.inputs import Input
from colorize_media.training.pictures import SMALLEST_SIDE
from colorize_media.training.places import Tell
from colorize_media.training.screening import Drop, Screened, screen
from colorize_media.training.shards import Entry, write_index, write_shards, write_table
from colorize_media.training.sources import INDEX, SUFFIXES, WORK, Picture, find_sources, read_pictures

MADE_BY = "colorize-media prepare"
VERSION = 2  # of the layout and of the rules: another number may mean other pictures
VAL_PICTURES, VAL_PART = 1000, 10  # the default split: so many pictures, but at most one in so many
LABELS_SHOWN = 30
TELL_EVERY = 5.0  # seconds
WORKERS = min(8, os.cpu_count() or 1)  # threads that decode; each may need 1 GB for the largest picture allowed

_OUTPUTS = re.compile(r"(train-\d+\.tar|val\.tar|(train|val|drops)\.csv|" + re.escape(INDEX) + ")")
_DOWNLOADS = {places.NAME, places.NAME + ".part"}


@dataclass(frozen=True)
class PrepareOptions:
    """How to prepare. Raises BadOption for a value out of range.

    side        short side in px of the pictures written; smaller ones are not enlarged
    val         validation pictures: "1000", a share such as "0.05" or "5%", or "" for the sources' own val*.tar, else
                1000 or a tenth of the pictures, whichever is less
    quality     of the JPEGs written (4:4:4), 1 to 100
    shard_size  largest bytes of a tar
    seed        of the shuffling; the split does not depend on it
    places205   download the Places205 test tarball into the output folder, and prepare it too
    sha256      of that tarball or of the one archive that is prepared, hex; "" does not check
    overwrite   replace what an earlier run wrote
    """

    side: int = 256
    val: str = ""
    quality: int = 90
    shard_size: int = 256 * 2**20
    seed: int = 0
    places205: bool = False
    sha256: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        checks = {
            "side": SMALLEST_SIDE <= self.side <= 4096,
            "quality": 1 <= self.quality <= 100,
            "shard_size": self.shard_size >= 2**20,
            "sha256": re.fullmatch(r"([0-9a-fA-F]{64})?", self.sha256) is not None,
        }
        for name, holds in checks.items():
            if not holds:
                raise BadOption(
                    f"bad value for {name}", why=repr(getattr(self, name)), hint="see colorize-media prepare --help"
                )
        self.count_val(VAL_PICTURES * VAL_PART)

    def count_val(self, pictures: int) -> int:
        """How many of so many pictures are for validation, when the sources do not say it themselves."""
        text = self.val.strip()
        if not text:
            return min(VAL_PICTURES, pictures // VAL_PART)
        if re.fullmatch(r"\d+", text):
            return int(text)
        number = re.fullmatch(r"(\d*\.?\d+)(%?)", text)
        share = float(number[1]) / (100 if number[2] else 1) if number else 1.0
        if not share < 1.0:
            raise BadOption("bad value for --val", why=repr(self.val), hint="a number of pictures, 0.05, or 5%")
        return round(share * pictures)


class LeftOut(NamedTuple):
    """A row of drops.csv."""

    source: str
    reason: str
    detail: str = ""


class Source(NamedTuple):
    """One file or folder to read. ``name`` is how the index calls it; ``held_back`` if it is the source's own val*.tar.

    ``weight`` is how often its pictures are drawn in training, times what it would be.
    """

    path: Path
    name: str
    held_back: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Kept:
    """A good picture.

    entry       for the index;  digest  SHA-256 of the file it was made from, hex
    pixels      of that file;  held_back  it comes from a source's own val*.tar
    number      place of its fingerprint
    """

    entry: Entry
    digest: str
    pixels: int
    held_back: bool
    number: int


def prepare_command(inputs: Sequence[Input], output: Path, options: PrepareOptions, tell: Tell) -> dict[str, Any]:
    """Do all of it; returns what ``index.json`` holds. ``tell`` hears a line every few seconds.

    An input's weight stands in the index beside each of its pictures, for `train`.

    Raises BadOption, InputIsOutput (nothing was done), TrainingProblem (a source), OutputUnwritable.
    """
    sources = [item.path for item in inputs]
    if not sources and not options.places205:
        raise BadOption("nothing to prepare", hint="name a folder or tar of pictures, or --places205")
    with _named(OutputUnwritable, "cannot use the output folder", output, "check permissions"):
        _check_output(output, sources, options.overwrite)
    found = [source for item in inputs for source in _sources_of(item)]
    is_new = not output.exists()
    work = output / WORK
    try:
        with _named(OutputUnwritable, "cannot write the prepared pictures", output, "check space and permissions"):
            output.mkdir(parents=True, exist_ok=True)
            if not (output / INDEX).exists():
                _clear(output)  # what an interrupted run had moved up
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
        if options.places205:
            found += _sources_of(Input(_places205(output, options.sha256, tell)))
        facts = _facts(found, options)
        with _named(OutputUnwritable, "cannot write the prepared pictures", output, "check space and permissions"):
            index = _build(found, facts, work, options, tell)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):  # it holds a download to go on with
                output.rmdir()
        raise
    # From here on a failure leaves .prepare, which marks the folder as unfinished.
    with _named(OutputUnwritable, "cannot write the prepared pictures", output, "run the same command again"):
        _publish(work, output)
    return index


def format_counts(index: dict[str, Any]) -> str:
    """The table shown at the end (Markdown)."""
    rows = [("read", index["read"]), *((f"dropped: {reason}", count) for reason, count in index["dropped"].items())]
    rows += [("training", index["train"]), ("validation", index["val"])]
    lines = ["| pictures | number |", "|---|---:|", *(f"| {name} | {count:,} |" for name, count in rows)]
    labels = sorted(index["labels"].items(), key=lambda item: (-sum(item[1].values()), item[0]))
    if labels:
        lines += ["", "| scene label | training | validation |", "|---|---:|---:|"]
        lines += [
            f"| {label if label.isprintable() else ascii(label)} | {count['train']:,} | {count['val']:,} |"
            for label, count in labels[:LABELS_SHOWN]
        ]
        lines += [f"| and {len(labels) - LABELS_SHOWN} more | | |"] if len(labels) > LABELS_SHOWN else []
    return "\n".join(lines)


@contextlib.contextmanager
def _named(kind: type[ColorizeError], what: str, path: Path, hint: str) -> Iterator[None]:
    """The system's errors become this one."""
    try:
        yield
    except OSError as error:
        raise kind(what, path=path, why=error.strerror or str(error), hint=hint) from error


# --- what goes in, and where it may go


def _check_output(output: Path, sources: Sequence[Path], overwrite: bool) -> None:
    """Refuse an output folder in which something else could be lost or mistaken for data."""
    real = output.resolve()
    for source in sources:
        inside = source.resolve()
        if real == inside or real in inside.parents or (source.is_dir() and inside in real.parents):
            raise InputIsOutput(
                "the output folder and a source overlap",
                path=output,
                why=f"the source is {source}",
                hint="give another folder with -o",
            )
    if not output.exists():
        return
    if not output.is_dir():
        raise BadOption("the output is not a folder", path=output, hint="give a folder with -o")
    names = {path.name for path in output.iterdir()}
    ours = {name for name in names if _OUTPUTS.fullmatch(name)} if WORK in names or _is_ours(output / INDEX) else set()
    others = sorted(name for name in names - ours - _DOWNLOADS - {WORK} if not name.startswith("."))
    if others:
        raise BadOption(
            "the output folder holds other files", path=output, why=others[0], hint="give an empty or new folder"
        )
    if INDEX in names and not overwrite:
        raise BadOption(
            "the output folder already holds prepared pictures", path=output, hint="-y replaces them, or give another"
        )


def _is_ours(index: Path) -> bool:
    try:
        facts = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("made_by") == MADE_BY


def _sources_of(given: Input) -> list[Source]:
    """A folder of tars is its tars; its own val*.tar stay validation pictures. Raises TrainingProblem."""
    path, weight = given
    with _named(TrainingProblem, "cannot read the source", path, "check permissions"):
        train, val = find_sources(path), find_sources(path, "val")
        loose = next(_pictures_below(path), None) if path.is_dir() else None
    if loose is not None and train != [path]:
        raise TrainingProblem(
            "a folder with both tars and pictures",
            path=path,
            why=f"which are meant? There is {loose.relative_to(path)} beside {train[0].name}",
            hint="name the tars, or move them away",
        )
    if train == [path] and val and loose is None:
        train = []
    return [Source(file, file.name or file.resolve().name, False, weight) for file in train] + [
        Source(file, file.name, True, weight) for file in val
    ]


def _pictures_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _facts(sources: list[Source], options: PrepareOptions) -> list[dict[str, Any]]:
    """Names, lengths and digests of the sources, for the index; a wanted digest is compared."""
    if options.sha256 and not options.places205:
        if len(sources) != 1 or sources[0].path.is_dir():
            raise BadOption("--sha256 is for one archive", why="there are others to read", hint="leave it out")
        places.verify(sources[0].path, options.sha256)
    facts = []
    for source in sources:
        about: dict[str, Any] = {"name": _text(source.name)} | ({"weight": source.weight} if source.weight != 1 else {})
        if source.path.is_file():
            with _named(TrainingProblem, "cannot read the source", source.path, "check permissions"):
                about |= {"bytes": source.path.stat().st_size, "sha256": places.digest(source.path)}
        facts.append(about)
    return sorted(facts, key=lambda about: (about["name"], about.get("sha256", "")))


def _places205(folder: Path, sha256: str, tell: Tell) -> Path:
    target = folder / places.NAME
    if target.exists():
        if sha256:
            places.verify(target, sha256)
        return target
    places.fetch(places.URL, target, tell, size=places.SIZE, sha256=sha256)
    tell(f"{target} stays there for the next time; it is no longer needed when this is done")
    return target


# --- the first pass: every picture on its own


def _build(
    sources: list[Source], facts: list[dict[str, Any]], work: Path, options: PrepareOptions, tell: Tell
) -> dict[str, Any]:
    """Everything that is written, into ``work``; returns what index.json holds."""
    spool = work / "spool"
    drops: list[LeftOut] = []
    kept, fingerprints = _first_pass(sources, spool, drops, options, tell)
    read = len(kept) + len(drops)
    tell(f"comparing {len(kept)} pictures")
    kept = _without_copies(kept, fingerprints, drops)
    if not kept:
        reasons = Counter(drop.reason for drop in drops)
        raise TrainingProblem(
            "no pictures are left",
            path=sources[0].path,
            why=f"of {read}: " + ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())),
            hint="give colour photographs",
        )
    train, val = _split(kept, options)
    tell(f"writing {len(kept)} pictures")
    files = []
    for split, part in (("train", train), ("val", val)):
        files += write_shards(spool, part, options.shard_size, split, work)
        write_index(work / f"{split}.csv", part)
    write_table(work / "drops.csv", LeftOut._fields, sorted(drops))
    spool.unlink()
    reasons = Counter(drop.reason for drop in drops)
    counts = {"train": Counter(entry.label for entry in train), "val": Counter(entry.label for entry in val)}
    labels = sorted({entry.label for entry in train + val if entry.label})
    written = [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": places.digest(path)} for path in sorted(files)
    ]
    index = {
        "made_by": MADE_BY,
        "version": VERSION,
        "side": options.side,
        "quality": options.quality,
        "seed": options.seed,
        "sources": facts,
        "read": read,
        "dropped": {reason: reasons[reason] for reason in sorted(reasons)},
        "train": len(train),
        "val": len(val),
        "labels": {label: {split: counts[split][label] for split in counts} for label in labels},
        "files": written,
        "digest": hashlib.sha256("".join(f"{file['sha256']}\n" for file in written).encode()).hexdigest(),
    }
    (work / INDEX).write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return index


def _first_pass(
    sources: list[Source], spool: Path, drops: list[LeftOut], options: PrepareOptions, tell: Tell
) -> tuple[list[Kept], Fingerprints]:
    """Judge and shrink every picture; the good ones' new bytes are appended to ``spool``.

    At most a few pictures a thread are in memory at a time.
    """
    kept: list[Kept] = []
    fingerprints = Fingerprints()
    waiting: deque[tuple[Source, Picture, Future[Screened | Drop]]] = deque()
    begun = told = time.monotonic()

    def leave_out(source: Source, name: str, reason: str) -> None:
        drops.append(LeftOut(_text(f"{source.name}/{name}"), reason))

    with spool.open("wb") as file, ThreadPoolExecutor(WORKERS) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about odd files; here, because filters are shared among threads

        def take_one() -> None:
            source, picture, future = waiting.popleft()
            made = future.result()
            name = _text(f"{source.name}/{picture.name}")
            if isinstance(made, Drop):
                drops.append(LeftOut(name, *made))
                return
            entry = Entry(
                name=_member_name(picture.label, made.digest),
                category=_text(picture.category),
                label=_text(picture.label),
                width=made.width,
                height=made.height,
                source=name,
                weight=source.weight * picture.weight,
                offset=file.tell(),
                length=len(made.data),
            )
            file.write(made.data)
            kept.append(Kept(entry, made.digest, made.pixels, source.held_back, len(kept)))
            fingerprints.append(made.fingerprint)

        for source in sources:
            for picture in read_pictures([source.path], partial(leave_out, source)):
                waiting.append((source, picture, pool.submit(screen, picture.data, options.side, options.quality)))
                if len(waiting) > 4 * WORKERS:
                    take_one()
                if time.monotonic() - told > TELL_EVERY:
                    told = time.monotonic()
                    done = len(kept) + len(drops)
                    tell(f"{done:,} pictures read, {len(drops):,} dropped, {done / (told - begun):.0f} per second")
        while waiting:
            take_one()
    return kept, fingerprints


def _text(text: str) -> str:
    """File names need not be Unicode; an index is."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _member_name(label: str, digest: str) -> str:
    """Safe to extract anywhere: a folder named after the label and the content's hash, in ASCII."""
    folder = re.sub(r"[^A-Za-z0-9._-]+", "_", label).lstrip(".")[:60]
    return f"{folder}/{digest[:16]}.jpg" if folder else f"{digest[:16]}.jpg"


# --- then all together: copies, split, order


def _without_copies(kept: list[Kept], fingerprints: Fingerprints, drops: list[LeftOut]) -> list[Kept]:
    """One picture of each group of copies: a validation picture before others, then the largest, then one with a label."""
    kept = sorted(kept, key=lambda k: (not k.held_back, -k.pixels, k.digest, not k.entry.label, k.entry.source))
    order = [item.number for item in kept]
    signs, thumbnails = fingerprints.arrays()
    first = group_copies(signs[order], thumbnails[order])
    drops += [
        LeftOut(item.entry.source, "duplicate", f"of {kept[first[place]].entry.source}")
        for place, item in enumerate(kept)
        if first[place] != place
    ]
    return [item for place, item in enumerate(kept) if first[place] == place]


def _split(kept: list[Kept], options: PrepareOptions) -> tuple[list[Entry], list[Entry]]:
    """Training and validation pictures, shuffled. Raises BadOption if no training picture would be left."""
    kept = sorted(kept, key=lambda item: item.digest)
    held_back = {item.digest for item in kept if item.held_back}
    if options.val or not held_back:
        held_back = {item.digest for item in kept[: options.count_val(len(kept))]}
    if len(held_back) == len(kept):
        raise BadOption(
            "no training picture would be left", why=f"{len(kept)} pictures are good", hint="choose a smaller --val"
        )
    kept.sort(key=lambda item: hashlib.sha256(f"{options.seed} {item.digest}".encode()).digest())
    train = [item.entry for item in kept if item.digest not in held_back]
    return train, [item.entry for item in kept if item.digest in held_back]


def _publish(work: Path, output: Path) -> None:
    """Move the finished files up. Between the first step and the last the folder has no index.json: it is unfinished."""
    (output / INDEX).unlink(missing_ok=True)
    _clear(output)
    for path in sorted(work.iterdir(), key=lambda path: path.name == INDEX):
        path.replace(output / path.name)
    work.rmdir()


def _clear(output: Path) -> None:
    """Remove the files that `_publish` moves up."""
    for path in output.iterdir():
        if _OUTPUTS.fullmatch(path.name):
            path.unlink()
