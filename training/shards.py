"""Pictures into tar shards and their index, byte for byte the same for the same pictures."""

from __future__ import annotations

import csv
import dataclasses
import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("name", "category", "label", "width", "height", "weight", "source")


@dataclass(frozen=True)
class Entry:
    """One prepared picture: what the index says of it, and where its bytes lie in the spool file.

    name      of the tar member: unique, ASCII, at most 100 letters;  source  what it was made from
    width, height   in px;  weight  how often it is drawn in training, times what it would be
    offset, length  in bytes
    """

    name: str
    category: str
    label: str
    width: int
    height: int
    source: str
    offset: int
    length: int
    weight: float = 1.0


def write_shards(spool: Path, entries: Sequence[Entry], largest: int, split: str, folder: Path) -> list[Path]:
    """``train-00.tar`` …, each at most ``largest`` bytes (but at least one picture), or one ``val.tar``; [] for no entry.

    Times, owners and rights are the same for all members, so that the bytes depend on the pictures alone.
    """
    parts = _split(entries, largest) if split == "train" else [entries]
    digits = max(2, len(str(len(parts) - 1)))
    written = []
    with spool.open("rb") as pictures:
        for number, part in enumerate(filter(None, parts)):
            path = folder / (f"{split}-{number:0{digits}d}.tar" if split == "train" else f"{split}.tar")
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT, encoding="utf-8") as archive:
                for entry in part:
                    pictures.seek(entry.offset)
                    header = tarfile.TarInfo(entry.name)
                    header.size = entry.length
                    archive.addfile(header, io.BytesIO(pictures.read(entry.length)))
            written.append(path)
    return written


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def write_index(path: Path, entries: Sequence[Entry]) -> None:
    """The CSV that `sources` reads labels from, in the order of the shards."""
    write_table(path, COLUMNS, (_row(entry) for entry in entries))


def _row(entry: Entry) -> list[str | int]:
    values = dataclasses.asdict(entry) | {"weight": f"{entry.weight:g}"}
    return [values[column] for column in COLUMNS]


def _split(entries: Sequence[Entry], largest: int) -> list[list[Entry]]:
    """Consecutive parts, filled one after the other."""
    parts: list[list[Entry]] = [[]]
    room = _capacity(largest)
    for entry in entries:
        size = tarfile.BLOCKSIZE + -(-entry.length // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        if parts[-1] and size > room:
            parts.append([])
            room = _capacity(largest)
        parts[-1].append(entry)
        room -= size
    return parts


def _capacity(largest: int) -> int:
    """Bytes for members: a tar ends in two empty blocks and is filled up to whole records."""
    return largest // tarfile.RECORDSIZE * tarfile.RECORDSIZE - 2 * tarfile.BLOCKSIZE
