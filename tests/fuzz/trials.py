"""One input: made, given to the command in a child, judged."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz import seeds
from tests.fuzz.children import Ended, in_child
from tests.fuzz.mutations import mutated
from tests.fuzz.verdicts import Run, faults_of

# What every run is given: the least work for the network, and pictures that a wrong number makes huge are refused.
ALWAYS = ("--json", "--fast", "--working-size", "64", "--max-pixels", "400000")
_SOMETIMES: tuple[tuple[str, ...], ...] = (
    ("--smoothing", "off"), ("--smoothing", "fast"), ("--every", "3"), ("--strip-metadata",), ("--no-provenance",),
    ("--no-sidecars",), ("--drop-streams",), ("--crf", "0"), ("--start", "0.05"), ("--duration", "0.1"), ("--skip-documents",),
    ("--report",), ("--preview",), ("--threads", "1"),
)  # fmt: skip
_OUTPUTS = {True: (".mkv", ".mp4", ".mov", ".webm"), False: (".jpg", ".png", ".tif", ".webp", ".jp2", ".bmp", ".avif")}


@dataclass(frozen=True)
class Input:
    """Files in a folder ``in``, by name, and the words of the command. ``about`` says what was done to what."""

    number: int
    about: str
    files: Mapping[str, bytes]
    words: tuple[str, ...]


def make_input(seed: int, number: int) -> Input:
    """Always the same of a seed and a number, as far as encoders repeat themselves."""
    random = Random(f"{seed}/{number}")
    own = [name for name in seeds.names() if not name.startswith("shared-")]
    shared = [name for name in seeds.names() if name.startswith("shared-")]
    chosen = random.choice(shared) if shared and number % 7 == 3 else random.choice(own)
    if random.random() < 0.04:
        return _with_sidecars(number, random)
    suffix = Path(chosen).suffix
    others = [seeds.seed(name) for name in (*_of_suffix(own, suffix), random.choice(own), random.choice(own))]
    data, mishaps = mutated(seeds.seed(chosen), others, random)
    name = chosen if random.random() < 0.9 else f"{Path(chosen).stem}{Path(random.choice(own)).suffix}"
    about = f"{chosen}: {mishaps}" + ("" if name == chosen else f", called {name}")
    if random.random() < 0.03 and chosen in seeds.PICTURES:
        frames = {f"scan_{n:04}{suffix}": data if n == 1 else seeds.seed(chosen) for n in range(3)}
        words = ("in", "-o", "out", "--force", "--image-sequence", "24", *ALWAYS)
        return Input(number, f"a sequence with {about}", frames, words)
    if random.random() < 0.06:
        return Input(number, f"inspect {about}", {name: data}, ("inspect", "in", "--json"))
    return Input(number, about, {name: data}, (*_places(name, chosen in seeds.FILMS, random), *_options(random)))


def _of_suffix(names: list[str], suffix: str) -> list[str]:
    return [name for name in names if name.endswith(suffix)]


def _places(name: str, is_film: bool, random: Random) -> tuple[str, ...]:
    """In and out: a folder, beside the input, a name of another format."""
    way = random.random()
    if way < 0.5:
        return "in", "-o", "out"
    return (f"in/{name}",) if way < 0.8 else (f"in/{name}", "-o", f"out/result{random.choice(_OUTPUTS[is_film])}")


def _options(random: Random) -> tuple[str, ...]:
    words = () if random.random() < 0.2 else ("--force",)
    for more in random.sample(_SOMETIMES, random.choice((0, 0, 1, 2))):
        words += more
    return (*words, *ALWAYS)


def _with_sidecars(number: int, random: Random) -> Input:
    """A whole photograph and broken sidecars."""
    files, told = {"photo.jpg": seeds.seed("everything.jpg")}, []
    for suffix in random.sample(sorted(seeds.SIDECARS), random.choice((1, 2))):
        files[f"photo{suffix}"], mishaps = mutated(seeds.SIDECARS[suffix], list(seeds.SIDECARS.values()), random)
        told.append(f"photo{suffix}: {mishaps}")
    return Input(number, "; ".join(told), files, ("in", "-o", "out", "--force", *ALWAYS))


@dataclass(frozen=True)
class Tried:
    """What came of an input. ``outcome`` counts: done, skipped, failed, passed over or told (inspect)."""

    input: Input
    ended: Ended
    outcome: str
    faults: tuple[str, ...]


def try_input(given: Input, model: Path, folder: Path) -> Tried:
    """Run the command over it in an empty folder, which is removed again."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("in", "out", "tmp"):
        (folder / name).mkdir(parents=True)
    for name, data in given.files.items():
        (folder / "in" / name).write_bytes(data)
    network = () if given.words[0] == "inspect" else ("--model", str(model))
    ended = in_child(lambda: run_command((*given.words, *network), folder), folder)
    run = Run(folder, given.files, given.words, ended)
    faults = tuple(faults_of(run))
    shutil.rmtree(folder, ignore_errors=True)
    return Tried(given, ended, run.outcome, faults)


def run_command(words: tuple[str, ...], folder: Path) -> int:
    """The command line itself, in this process, which is a child."""
    from colorize_media.cli.main import run

    os.chdir(folder)
    tempfile.tempdir = str(folder / "tmp")
    return run(list(words))
