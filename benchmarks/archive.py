"""How fast an archive goes: planning many small files, and photographs end to end against their codecs alone.

python benchmarks/archive.py DATA [--plan 50000] [--count 1000] [--megapixels 2] [--workers 0] [--model scenes]

DATA is a folder or tar of colour pictures; they are made grey, and a mosaic of several makes one of the wanted size, as
JPEG at quality 90. Codecs alone, in as many threads: Pillow (decode to R'G'B', encode at the run's own quality without
chroma subsampling; it does not ask whether a file is whole, and keeps no metadata), and the run's own reading and writing
without colour. All read and write the same disk, in one run, so their ratios do not depend on the machine's speed.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from colorize_media.archive import run_plan
from colorize_media.colorizer import Colorizer
from colorize_media.events import Event, Failed
from colorize_media.options import ColorizeOptions
from colorize_media.photo import read_photo, write_photo
from colorize_media.photo_queue import default_workers
from colorize_media.plan import make_plan
from colorize_media.training.sources import read_pictures

PER_FOLDER = 100  # files, as in a family's year
TILE = 500  # pixels, side of one picture in the mosaic
PLAN = """
import re, sys, time
from pathlib import Path
from colorize_media.plan import make_plan
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
    from colorize_media.manifest import Entry, Manifest, Stamp
    from colorize_media.plan import options_digest

    digest = options_digest(ColorizeOptions(), "photo", "left")
    with Manifest(folder / "out", print) as manifest:
        for path in (folder / "in").rglob("*.jpg"):
            target = path.relative_to(folder / "in").as_posix()
            manifest.add(Entry(target, str(path), Stamp.of(path), None, "left", digest, "already in colour: a test"))


def make_photos(data: Path, folder: Path, count: int, megapixels: float) -> int:
    """Grey mosaics of about this many megapixels each, ``count`` of them; returns the exact number of pixels of one."""
    columns = max(1, round((megapixels * 1e6 * 1.5) ** 0.5 / TILE))
    rows = max(1, round(megapixels * 1e6 / (columns * TILE * TILE)))
    folder.mkdir()
    pictures = itertools.cycle(list(itertools.islice(read_pictures([data]), 200)))
    for number in range(count):
        mosaic = Image.new("L", (columns * TILE, rows * TILE))
        for column, row in itertools.product(range(columns), range(rows)):
            with Image.open(io.BytesIO(next(pictures).data)) as picture:
                mosaic.paste(picture.convert("L").resize((TILE, TILE)), (column * TILE, row * TILE))
        mosaic.save(folder / f"{number:05d}.jpg", quality=90)
    return mosaic.width * mosaic.height


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
        lambda top, bottom: np.full((bottom - top, width, 2), photo.spec.chroma_mid, np.float32),
        target,
        quality=quality,
        tool="benchmark",
    )


def measure(folder: Path, pixels: int, workers: int, model: str) -> None:
    """Print both ways in pictures and megapixels per second; codecs before and after, for the machine's own drift."""
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

    failed: list[Event] = []
    cv2.setNumThreads(1)
    alone("Pillow alone", codecs_alone)
    alone("own codecs alone", own_codecs)
    plan = make_plan([folder / "photos"], folder / "color", overwrite=False)
    begun = time.perf_counter()
    run_plan(
        plan, lambda: colorizer, options, lambda e: failed.append(e) if isinstance(e, Failed) else None, workers=workers
    )
    seconds["end to end"] = time.perf_counter() - begun
    alone("own codecs alone, again", own_codecs)
    alone("Pillow alone, again", codecs_alone)
    if failed or len(list((folder / "color").glob("*.jpg"))) != len(sources):
        raise SystemExit(f"not all were coloured: {failed[:3]}")
    print(f"\n{len(sources)} pictures of {pixels / 1e6:.1f} MP, {workers} workers, {os.cpu_count()} cores")
    print("| | pictures/s | MP/s |")
    print("|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {len(sources) / taken:.2f} | {len(sources) * pixels / 1e6 / taken:.1f} |")
    for name in ("Pillow", "own codecs"):
        codecs = (seconds[f"{name} alone"] + seconds[f"{name} alone, again"]) / 2
        print(f"end to end at {codecs / seconds['end to end']:.2f} of {name} alone")


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
