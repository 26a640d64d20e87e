"""An archive whose run is killed again and again at random moments, and must become what it would have been.

Whatever was killed: no file of the output folder is another one than that of an undisturbed run, at any time; in the end all
are there, the manifest says the same, no temporary file is left, the originals are untouched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np

import colorize_media.video.colorize as coloring
from colorize_media.archive.manifest import MANIFEST_NAME
from colorize_media.video.pipeline import Limits
from tests.fuzz import seeds
from tests.fuzz.children import Ended, in_child
from tests.fuzz.trials import run_command
from tests.fuzz.verdicts import FILMS
from tests.made.films import grey_frames, make_video

# Lossless: an encoder of films need not repeat itself, but what it is given is the same.
WORDS = ("in", "-o", "out", "--force", "--json", "--fast", "--working-size", "64", "--smoothing", "fast", "--crf", "0")
FRAMES = 24  # of the film that is longer than a segment
SHORT = Limits(least_segment=8, most_segment=16)
LONG = 300.0  # seconds until an undisturbed run counts as one that hangs
KNOWN_FAILURES = 4  # the exit code of a run in which only fails what failed before
MOST_KILLS = 12  # of one archive; then it may come to its end

_PHOTOS = ("everything.jpg", "sixteen.png", "alpha.png", "planes.tif", "pages.tif", "lossy.webp", "grey.tga")
_FILMS = ("full.mkv", "turned.mp4")


def make_archive(folder: Path) -> None:
    """Photographs, films, one of several segments among them, sidecars and broken files, in a folder and one below it."""
    below = folder / "1921"
    below.mkdir(parents=True)
    for number, name in enumerate((*_PHOTOS, *_FILMS)):
        (folder if number % 2 else below).joinpath(name).write_bytes(seeds.seed(name))
    make_video(folder / "long.mkv", frames=grey_frames(FRAMES), options={"preset": "ultrafast"}, audio=1)
    (below / "everything.jpg.xmp").write_bytes(seeds.SIDECARS[".xmp"])
    (folder / "long.srt").write_bytes(seeds.SIDECARS[".srt"])
    (folder / "broken.jpg").write_bytes(seeds.seed("everything.jpg")[:700])
    (below / "broken.mkv").write_bytes(seeds.seed("full.mkv")[:300])
    (folder / "notes.txt").write_bytes(b"a street\n")


def kill_runs(count: int, seed: int, model: Path, folder: Path, until: float) -> int:
    """So many kills, over as many archives as that takes; returns how many faults were found. Tells counts as it goes."""
    random = Random(f"{seed} kills")
    folder.mkdir()
    make_archive(folder / "in")
    (folder / "tmp").mkdir()
    sources = _bytes_of(folder / "in")
    whole = _run(model, folder, LONG)
    expected = _tree(folder, "out")
    print(f"an archive of {len(sources)} files: {whole.seconds:.1f} s undisturbed, exit code {whole.code}", flush=True)
    killed = archives = 0
    faults: Counter[str] = Counter()
    while killed < count and time.monotonic() < until:
        shutil.rmtree(folder / "out")
        kills = 0
        while True:
            last = kills == MOST_KILLS or killed == count
            ended = _run(model, folder, LONG if last else random.uniform(0, whole.seconds))
            if last or ended.code >= 0:
                break
            kills, killed = kills + 1, killed + 1
            faults.update(_differences(expected, _tree(folder, "out"), whole=False))
        archives += 1
        faults.update(_differences(expected, _tree(folder, "out"), whole=True))
        if ended.code not in (whole.code, KNOWN_FAILURES):
            faults[f"exit code {ended.code} of the resumed run: {ended.killed} {ended.said[-500:]}"] += 1
        if _bytes_of(folder / "in") != sources:
            faults["originals were touched"] += 1
        found = "; ".join(f"{number} × {fault}" for fault, number in faults.items()) or "no fault"
        print(f"{killed} kills over {archives} archives, each resumed to its end: {found}", flush=True)
    return sum(faults.values())


def _run(model: Path, folder: Path, seconds: float) -> Ended:
    return in_child(lambda: _command(model, folder), folder, seconds=seconds)


def _command(model: Path, folder: Path) -> int:
    """In the child: the command, with segments of a few frames."""
    coloring.colorize_video = partial(coloring.colorize_video, limits=SHORT)
    return run_command((*WORDS, "--model", str(model)), folder)


def _bytes_of(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): _digest(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _tree(folder: Path, name: str) -> dict[str, Any]:
    """What the output folder holds by name, read in a child: decoders have threads."""
    (folder / "judge").mkdir(exist_ok=True)
    ended = in_child(lambda: _print_tree(folder / name), folder / "judge")
    if ended.code:
        return {"unreadable": ended.said[-500:]}
    found: dict[str, Any] = json.loads(ended.told)
    return found


def _print_tree(root: Path) -> int:
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.name == MANIFEST_NAME:
            found[name] = _remembered(path)
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = _film(path) if path.suffix in FILMS and not _is_hidden(name) else _digest(path.read_bytes())
    print(json.dumps(found))
    return 0


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _remembered(manifest: Path) -> dict[str, Any]:
    """The last word on each output. A film's size is its encoder's own affair."""
    found = {}
    for line in manifest.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # torn by a kill
        if row["made"] is not None and Path(row["target"]).suffix in FILMS:
            row["made"] = "film"
        found[row["target"]] = row
    return found


def _film(path: Path) -> str:
    """A digest of its pictures and their times, the packets of all else, and what is said of it."""
    digest = hashlib.sha256()
    with av.open(f"file:{path}", metadata_errors="surrogateescape") as film:
        for frame in film.decode(video=0):
            digest.update(f"{frame.pts} {frame.width} {frame.height}".encode())
            digest.update(np.ascontiguousarray(frame.to_ndarray()).tobytes())
    with av.open(f"file:{path}", metadata_errors="surrogateescape") as film:
        told = [film.metadata, film.chapters(), *((stream.type, stream.metadata) for stream in film.streams)]
        digest.update(repr(told).encode())
        for packet in film.demux([stream for stream in film.streams if stream.type != "video"]):
            digest.update(f"{packet.stream_index} {packet.pts}".encode() + bytes(packet))
    return digest.hexdigest()[:16]


def _differences(expected: dict[str, Any], found: dict[str, Any], *, whole: bool) -> list[str]:
    """What is another than it should be; what is missing, and what is left of the work, only once it is ``whole``."""
    said = []
    for name in sorted(expected.keys() | found.keys()):
        if os.path.basename(name) == MANIFEST_NAME:
            there = found.get(name) or {}
            for target in expected[name].keys() | there.keys() if whole else ():
                if change := _otherwise(expected[name].get(target, {}), there.get(target, {})):
                    said.append(f"the manifest says otherwise of {target}: {change}")
        elif name not in expected:
            if whole or not _is_hidden(name):
                said.append(f"{name} was left")
        elif name not in found:
            if whole:
                said.append(f"{name} is missing")
        elif expected[name] != found[name]:
            said.append(f"{name} is another one")
    return said


def _otherwise(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """In what two entries differ."""
    keys = sorted(expected.keys() | found.keys())
    return ", ".join(
        f"{key}: {expected.get(key)!r} → {found.get(key)!r}" for key in keys if expected.get(key) != found.get(key)
    )
