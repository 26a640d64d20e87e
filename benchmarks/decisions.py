"""What is taken for black and white, for colour and for a document: the confusion table, and what is wrong in it.

python benchmarks/decisions.py PRINTS COLOR [--limit 1000] [--list 10]

PRINTS is a folder of black-and-white prints (neutral or toned), COLOR a folder or tar of colour pictures. Colour pictures
are also judged as documents after their colour is taken away, as a run judges what it would colour.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from colorize_media.archive.discovery import Selection
from colorize_media.archive.inspection import Inspection, inspect
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


def main() -> None:
    """Parse, judge, print Markdown and the names of what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prints", type=Path)
    parser.add_argument("color", type=Path)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--list", type=int, default=10, help="wrong ones to name, of each kind")
    arguments = parser.parse_args()
    print("| pictures | count | " + " | ".join(COLUMNS) + " | documents |")
    print("|---|---|" + "---|" * (len(COLUMNS) + 1))
    prints = row("black-and-white prints", judged(arguments.prints))
    with tempfile.TemporaryDirectory() as name:
        color = row("colour photographs", judged(unpacked(arguments.color, Path(name), arguments.limit)))
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


if __name__ == "__main__":
    main()
