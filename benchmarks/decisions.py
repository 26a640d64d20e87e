"""What is taken for black and white, for colour and for a document: the confusion table, and what is wrong in it.

python benchmarks/decisions.py PRINTS COLOR [--limit 1000] [--list 10] [--overlaid 200] [--films BLACK COLOR]

PRINTS is a folder of black-and-white prints (neutral or toned), COLOR a folder or tar of colour pictures. Colour pictures
are also judged as documents after their colour is taken away, as a run judges what it would colour. Overlays and noise
(`overlaid.py`) are made on the prints that are seen as black and white, and on colour pictures made grey; beside them what
must stay in colour. Their limits were chosen on the pictures of one half; the other half is the check. ``--films`` are a folder
of
black-and-white clips and one of colour clips: joined in 28 ways, and with overlays and noise (`joined.py`).
"""

from __future__ import annotations

import argparse
import io
import itertools
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from joined import joined_rows, overlaid_film_rows, pieces
from overlaid import IN_COLOR, OVER_GREY, Maker, Picture
from PIL import Image

from colorize_media.archive.discovery import Selection
from colorize_media.archive.inspection import Inspection, inspect
from colorize_media.judge.monochrome import decide
from colorize_media.options import ColorizeOptions
from colorize_media.training.sources import read_pictures

COLUMNS = ("neutral", "toned", "color", "not read")


def judged(folder: Path) -> Iterator[Inspection]:
    """Every picture of a folder."""
    return inspect([folder], ColorizeOptions(), Selection())


def unpacked(data: Path, folder: Path, limit: int) -> Path:
    """The first pictures of the data as files of their own."""
    for number, picture in enumerate(itertools.islice(read_pictures([data]), limit)):
        (folder / f"{number:05d}-{Path(picture.name).name}").write_bytes(picture.data)
    return folder


def row(name: str, found: Iterable[Inspection]) -> list[Inspection]:
    """Print one line of the table."""
    seen = list(found)
    counts = Counter(item.verdict.kind if item.verdict else "not read" for item in seen)
    documents = sum(item.document is not None and item.document.is_document for item in seen)
    print(
        f"| {name} | {len(seen)} | " + " | ".join(str(counts[kind]) for kind in COLUMNS) + f" | {documents} |",
        flush=True,
    )
    return seen


def overlaid_rows(prints: list[Inspection], color: list[tuple[str, Picture]]) -> None:
    """Print how many of each kind are seen as what they are, on pictures that limits were chosen on and on others."""
    bases = [(item.source.name, _sized(_read(item.source), 480)) for item in prints if _is_grey(item)]
    grey = [
        (name, np.repeat(cv2.cvtColor(_sized(picture, 300), cv2.COLOR_RGB2GRAY)[..., None], 3, 2))
        for name, picture in color
    ]
    print(
        "\n| overlaid | prints: wrong of | chosen on | colour made grey: wrong of | chosen on |\n|---|---|---|---|---|"
    )
    for name, make in OVER_GREY.items():
        wrong = (_wrong(pictures, make, half) for pictures in (bases, grey) for half in (1, 0))
        print(f"| {name} | " + " | ".join(wrong) + " |", flush=True)
    print("\n| must stay in colour | wrong of | chosen on |\n|---|---|---|")
    for name, make in IN_COLOR.items():
        print(f"| {name} | {_wrong(color, make, 1, grey=False)} | {_wrong(color, make, 0, grey=False)} |", flush=True)


def _wrong(pictures: list[tuple[str, Picture]], make: Maker, half: int, *, grey: bool = True) -> str:
    """Of the pictures of one half, after JPEG and made small."""
    count = wrong = 0
    for name, picture in pictures:
        if zlib.crc32(name.encode()) & 1 == half:
            random = np.random.default_rng(zlib.crc32(f"{make.__name__} {name}".encode()))
            memory = io.BytesIO()
            Image.fromarray(make(picture, random)).save(memory, "JPEG", quality=int(random.integers(75, 96)))
            count += 1
            wrong += decide([_sized(np.asarray(Image.open(memory)), 256, larger=False)]).is_monochrome != grey
    return f"{wrong} of {count}"


def _is_grey(item: Inspection) -> bool:
    return item.verdict is not None and item.verdict.is_monochrome


def _read(path: Path) -> Picture:
    return np.asarray(Image.open(path).convert("RGB"))


def _sized(picture: Picture, side: int, *, larger: bool = True) -> Picture:
    scale = side / min(picture.shape[:2])
    if scale >= 1.0 and not larger:
        return picture
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA).astype(np.uint8)


def main() -> None:
    """Parse, judge, print Markdown and the names of what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prints", type=Path)
    parser.add_argument("color", type=Path)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--list", type=int, default=10, help="wrong ones to name, of each kind")
    parser.add_argument("--overlaid", type=int, default=200, help="colour pictures that overlays and noise are put on")
    parser.add_argument("--films", type=Path, nargs=2, metavar=("BLACK", "COLOR"), help="clips to make films of")
    arguments = parser.parse_args()
    print("| pictures | count | " + " | ".join(COLUMNS) + " | documents |")
    print("|---|---|" + "---|" * (len(COLUMNS) + 1))
    prints = row("black-and-white prints", judged(arguments.prints))
    with tempfile.TemporaryDirectory() as name:
        color = row("colour photographs", judged(unpacked(arguments.color, Path(name), arguments.limit)))
        seen_in_color = [item.source for item in color if item.verdict is not None and not _is_grey(item)]
        few = [(path.name, _read(path)) for path in seen_in_color[: arguments.overlaid]]
    wrong = [item for item in prints if item.verdict is None or not item.verdict.is_monochrome]
    wrong_color = [item for item in color if item.verdict is not None and item.verdict.is_monochrome]
    documents = [item for item in (*prints, *color) if item.document is not None and item.document.is_document]
    for text, items in (
        ("prints taken for colour", wrong),
        ("colour taken for a print", wrong_color),
        ("taken for a document", documents),
    ):
        for item in items[: arguments.list]:
            print(f"{text}: {item.source.name}: {item.reason}")
    overlaid_rows(prints, few)
    if arguments.films:
        black, in_color = (pieces(folder) for folder in arguments.films)
        joined_rows(black, in_color, arguments.list)
        overlaid_film_rows(black, in_color, arguments.list)


if __name__ == "__main__":
    main()
