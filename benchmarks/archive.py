"""How fast an archive goes: planning many small files, and photographs end to end against their codecs alone.

python benchmarks/archive.py DATA [--plan 50000] [--count 1000] [--megapixels 2] [--workers 0] [--model scenes]

DATA is a folder or tar of colour pictures, or a folder of tars (its validation part, if it has one); they are made grey, and
a mosaic of several makes one of the wanted size, as JPEG at quality 90. Three ways read and write the same files on the same
disk, in as many threads and in one run, so their ratios do not depend on the machine's speed:

- Pillow alone: decode to R'G'B', encode at the run's own quality without chroma subsampling; it does not ask whether a file
  is whole, and keeps no metadata;
- own codecs alone: the run's own reading and writing, nothing between;
- end to end, looked at once (--fast) and as by default (two sizes, mirrored).

The last table says where a picture's CPU time goes: each stage by itself, in one thread, the least of several tries. The
share of reading and writing is what end to end can reach of the codecs' speed when nothing waits.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command has it; only heard before PyTorch is loaded

import torch

from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.archive.workers import default_workers
from colorize_media.errors import TrainingProblem
from colorize_media.events import Event, Failed
from colorize_media.judge.decision import decide_photo
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import working_luma, working_shape
from colorize_media.options import ColorizeOptions, still_sizes
from colorize_media.photo.colorize import PreparedPhoto, chroma_rows, photo_colors, photo_record
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from colorize_media.training.sources import find_sources, read_pictures

PER_FOLDER = 100  # files, as in a family's year
TILE = 500  # pixels, side of one picture in the mosaic
TIMED_PICTURES, TRIES = 4, 7  # for the stages; one batch of the network
STAGES = ("read", "decide", "shrink", "network", "agree", "chroma", "write")
PLAN = """
import re, sys, time
from pathlib import Path
from colorize_media.archive.plan import make_plan
begun, cpu = time.perf_counter(), time.process_time()
plan = make_plan([Path(sys.argv[1])], Path(sys.argv[2]), overwrite=False)
taken, cpu = time.perf_counter() - begun, time.process_time() - cpu
# Not getrusage: its peak is inherited from the process that started this one.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(len(plan), sum(item.action == "skip" for item in plan), taken, cpu, peak)
"""


def plan_many(folder: Path, count: int) -> None:
    """Print time and peak memory of a first plan, and of one that a manifest answers."""
    memory = io.BytesIO()
    Image.new("L", (16, 16), 128).save(memory, "JPEG")
    for number in range(count):
        path = (
            folder
            / "in"
            / f"{number // (10 * PER_FOLDER):03d}"
            / f"{number // PER_FOLDER:05d}"
            / f"IMG_{number:06d}.jpg"
        )
        if number % PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(memory.getvalue())
    print("| planning | files | skipped | seconds | of the CPU | peak MB |")
    print("|---|---|---|---|---|---|")
    _print_plan("first time", folder)
    _remember_all(folder)
    _print_plan("all known to the manifest", folder)


def _print_plan(name: str, folder: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PLAN, str(folder / "in"), str(folder / "out")],
        capture_output=True,
        text=True,
        check=True,
    )
    count, skipped, seconds, cpu, megabytes = told.stdout.split()
    print(
        f"| {name} | {count} | {skipped} | {float(seconds):.1f} | {float(cpu):.1f} | {float(megabytes):.0f} |",
        flush=True,
    )


def _remember_all(folder: Path) -> None:
    """A manifest that says of every file that it is in colour."""
    from colorize_media.archive.manifest import Entry, Manifest, Stamp
    from colorize_media.archive.memory import options_digest

    digest = options_digest(ColorizeOptions(), "photo", "left")
    with Manifest(folder / "out", print) as manifest:
        for path in (folder / "in").rglob("*.jpg"):
            target = path.relative_to(folder / "in").as_posix()
            manifest.add(
                Entry(target, str(path), Stamp.of(path), None, "left", digest, "already in colour: a test", "color")
            )


def make_photos(data: Path, folder: Path, count: int, megapixels: float) -> int:
    """Grey mosaics of about this many megapixels each, ``count`` of them; returns the exact number of pixels of one."""
    columns = max(1, round((megapixels * 1e6 * 1.5) ** 0.5 / TILE))
    rows = max(1, round(megapixels * 1e6 / (columns * TILE * TILE)))
    folder.mkdir()
    pictures = itertools.cycle(some_pictures(data))
    for number in range(count):
        mosaic = Image.new("L", (columns * TILE, rows * TILE))
        for column, row in itertools.product(range(columns), range(rows)):
            with Image.open(io.BytesIO(next(pictures).data)) as picture:
                mosaic.paste(picture.convert("L").resize((TILE, TILE)), (column * TILE, row * TILE))
        mosaic.save(folder / f"{number:05d}.jpg", quality=90)
    return mosaic.width * mosaic.height


def some_pictures(data: Path) -> list[Any]:
    """The first 200; ends the program with a message where there is none."""
    try:
        found = list(itertools.islice(read_pictures(find_sources(data, "val") or find_sources(data)), 200))
    except TrainingProblem as problem:
        raise SystemExit(str(problem)) from problem
    if not found:
        raise SystemExit(f"{data}: no pictures in it; give a folder or tar of pictures, or a folder of such tars")
    return found


def codecs_alone(source: Path, target: Path, quality: int) -> None:
    """One picture through Pillow."""
    with Image.open(source) as image:
        image.convert("RGB").save(target, quality=quality, subsampling=0)


def own_codecs(source: Path, target: Path, quality: int) -> None:
    """One picture through the run's own reading and writing, without colour."""
    photo = read_photo(source, max_pixels=500_000_000)
    width = photo.luma.shape[1]
    write_photo(
        photo,
        lambda top, bottom: np.full((bottom - top, width, 2), photo.spec.chroma_mid, photo.luma.dtype),
        target,
        quality=quality,
        provenance=None,
    )


class Stages:
    """CPU seconds by stage. ``timed`` makes a function whose time is added up under a name."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            begun = time.process_time()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds[name] += time.process_time() - begun

        return wrapped


def time_stages(sources: list[Path], folder: Path, colorizer: Colorizer, options: ColorizeOptions) -> dict[str, float]:
    """CPU seconds a picture in each stage, in one thread; the network sees the pictures as one batch."""
    stages = Stages()
    sizes = (options.working_size,) if options.fast else still_sizes(options.working_size)
    prepared = []
    for source in sources:
        photo = stages.timed("read", read_photo)(source, max_pixels=options.max_pixels)
        decision = stages.timed("decide", decide_photo)(photo.preview, photo.luma, options)
        shapes = [working_shape(*photo.luma.shape, size) for size in sizes]
        views = tuple(stages.timed("shrink", working_luma)(photo.luma, shape) for shape in shapes)
        prepared.append(PreparedPhoto(photo, views, decision.told, decision.what))
    record = photo_record(colorizer, options, Path("benchmark"))
    look = colorizer.distribution
    colorizer.distribution = stages.timed("network", look)  # type: ignore[method-assign]
    colors = stages.timed("agree", photo_colors)(prepared, colorizer, options)
    colorizer.distribution = look  # type: ignore[method-assign]
    for item, ab in zip(prepared, colors, strict=True):
        rows = stages.timed("chroma", chroma_rows)(item.photo, ab)
        target = folder / item.photo.path.name
        write = stages.timed("write", write_photo)
        before = stages.seconds["chroma"]
        write(
            item.photo,
            stages.timed("chroma", rows),
            target,
            quality=options.quality,
            provenance=record,
        )
        stages.seconds["write"] -= stages.seconds["chroma"] - before
        target.unlink()
    stages.seconds["agree"] -= stages.seconds["network"]
    return {name: taken / len(sources) for name, taken in stages.seconds.items()}


def print_stages(sources: list[Path], folder: Path, colorizer: Colorizer, options: ColorizeOptions) -> None:
    """The table of stages, for one look and for the default."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder.mkdir()
    print("\n| CPU ms a picture | " + " | ".join(STAGES) + " | all | codecs' share |")
    print("|---|" + "---|" * (len(STAGES) + 2))
    for name, way in (("--fast", replace(options, fast=True)), ("default", options)):
        tries = [time_stages(sources, folder, colorizer, way) for _ in range(TRIES)]
        least = {stage: min(found[stage] for found in tries) for stage in STAGES}
        whole = sum(least.values())
        cells = [f"{1000 * least[stage]:.1f}" for stage in STAGES]
        print(
            f"| {name} | "
            + " | ".join(cells)
            + f" | {1000 * whole:.0f} | {(least['read'] + least['write']) / whole:.2f} |"
        )
    torch.set_num_threads(threads)


def measure(folder: Path, pixels: int, workers: int, model: str) -> None:
    """Print all ways in pictures and megapixels per second; codecs before and after, for the machine's own drift."""
    options = ColorizeOptions(model=model, device="cpu")
    sources = sorted((folder / "photos").iterdir())
    colorizer = Colorizer(model, "cpu")
    seconds: dict[str, float] = {}

    def alone(name: str, codecs: Callable[[Path, Path, int], None]) -> None:
        out = folder / name
        out.mkdir()
        begun = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda path: codecs(path, out / path.name, options.quality), sources))
        seconds[name] = time.perf_counter() - begun
        shutil.rmtree(out)

    cv2.setNumThreads(1)
    print_stages(sources[:TIMED_PICTURES], folder / "stages", colorizer, options)
    alone("Pillow alone", codecs_alone)
    alone("own codecs alone", own_codecs)
    for name, way in (("end to end, --fast", replace(options, fast=True)), ("end to end, default", options)):
        seconds[name] = end_to_end(folder, colorizer, way, workers)
    alone("own codecs alone, again", own_codecs)
    alone("Pillow alone, again", codecs_alone)
    print(f"\n{len(sources)} pictures of {pixels / 1e6:.1f} MP, {workers} workers, {os.cpu_count()} cores")
    print("| | pictures/s | MP/s | of own codecs' speed | of Pillow's |")
    print("|---|---|---|---|---|")
    own, pillow = (
        (seconds[f"{name} alone"] + seconds[f"{name} alone, again"]) / 2 for name in ("own codecs", "Pillow")
    )
    for name, taken in seconds.items():
        speed = f"{len(sources) / taken:.2f} | {len(sources) * pixels / 1e6 / taken:.1f}"
        print(f"| {name} | {speed} | {own / taken:.2f} | {pillow / taken:.2f} |")
    print(f"\npeak memory of it all: {peak_megabytes():.0f} MB")


def end_to_end(folder: Path, colorizer: Colorizer, options: ColorizeOptions, workers: int) -> float:
    """Seconds that the run takes; ends the program if a picture failed."""
    failed: list[Event] = []
    out = folder / "color"
    plan = make_plan([folder / "photos"], out, overwrite=False)
    begun = time.perf_counter()
    hear = lambda event: failed.append(event) if isinstance(event, Failed) else None  # noqa: E731
    run_plan(plan, Running(lambda: colorizer, options, hear, workers))
    taken = time.perf_counter() - begun
    if failed or len(list(out.glob("*.jpg"))) != len(plan):
        raise SystemExit(f"not all were coloured: {failed[:3]}")
    shutil.rmtree(out)
    return taken


def peak_megabytes() -> float:
    """Of this process, without what its parent had (see PLAN)."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    """Parse, make the files, measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--plan", type=int, default=50_000, help="files to plan; 0 leaves this out")
    parser.add_argument("--count", type=int, default=1000, help="photographs to colour; 0 leaves this out")
    parser.add_argument("--megapixels", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--model", default="scenes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.plan:
            plan_many(Path(name), arguments.plan)
        if arguments.count:
            pixels = make_photos(arguments.data, Path(name) / "photos", arguments.count, arguments.megapixels)
            measure(Path(name), pixels, arguments.workers or default_workers(), arguments.model)


if __name__ == "__main__":
    main()
