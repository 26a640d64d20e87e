"""Where training pictures come from: folders, tar shards, the Places205 tarball. Nothing is extracted to disk.

A source is
- a folder of pictures, searched recursively; the first folder below it is the scene label (``~/MyScenes/beach/1.jpg``);
- a tar or tar.gz of pictures (Places205's ``testSetPlaces205_resize.tar.gz``, or a shard); members are only read, in
  memory, never written, so no path inside an archive can reach the file system;
- a folder of such tars. If any are called ``train*``, only those; ``val*`` beside them serve as validation pictures.
  An index ``train.csv`` (columns name, category, label) beside the tars gives labels.
"""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from colorize_media.errors import TrainingProblem

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
TARS = (".tar", ".tar.gz", ".tgz")
LARGEST_MEMBER = 64 * 2**20  # bytes; a training picture is far smaller, an archive bomb is not


class Picture(NamedTuple):
    """One encoded picture: a name that is unique in its source, a scene label, the file's bytes, a category of content.

    Label and category are "" if unknown. Where an index gives a category but no label, the category is the label too,
    unless it is just "scene".
    """

    name: str
    label: str
    data: bytes
    category: str = ""


def find_sources(data: Path, split: str = "train") -> list[Path]:
    """The files or the folder to read for one split of ``data``; [] for a ``val`` split that is not there.

    Raises TrainingProblem if there is nothing to read.
    """
    if not data.exists():
        raise TrainingProblem(
            "no training data", path=data, why="there is no such file or folder", hint="check the path"
        )
    if data.is_file():
        return [data] if split == "train" else []
    tars = sorted(file for file in data.iterdir() if file.name.lower().endswith(TARS))
    named = [file for file in tars if file.name.startswith(split)]
    if split == "train":
        others = [file for file in tars if not file.name.startswith("val")]
        return named or others or [data]
    return named


def read_pictures(sources: list[Path]) -> Iterator[Picture]:
    """Every picture of the sources in a fixed order. Files that are no pictures by name are passed over."""
    for source in sources:
        yield from _read_folder(source) if source.is_dir() else _read_tar(source, _index_beside(source))


def _read_folder(folder: Path) -> Iterator[Picture]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and path.stat().st_size <= LARGEST_MEMBER:
            parts = path.relative_to(folder).parts
            yield Picture("/".join(parts), parts[0] if len(parts) > 1 else "", path.read_bytes())


def _read_tar(path: Path, index: dict[str, tuple[str, str]]) -> Iterator[Picture]:
    try:
        with tarfile.open(path, "r|*") as archive:  # a stream: one pass, no seeking, no index in memory
            for member in archive:
                suffix = Path(member.name).suffix.lower()
                if member.isreg() and suffix in SUFFIXES and member.size <= LARGEST_MEMBER:
                    file = archive.extractfile(member)
                    if file is not None:
                        label, category = index.get(member.name, ("", ""))
                        yield Picture(member.name, label, file.read(), category)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise TrainingProblem(
            "cannot read training data", path=path, why=str(error), hint="fetch the file again"
        ) from error


def _index_beside(source: Path) -> dict[str, tuple[str, str]]:
    """Label and category by name, from an index CSV beside a tar."""
    index = source.parent / ("val.csv" if source.name.startswith("val") else "train.csv")
    if source.is_dir() or not index.is_file():
        return {}
    found = {}
    with index.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            category = row.get("category") or ""
            label = row.get("label") or ("" if category == "scene" else category)
            found[row.get("name") or ""] = (label, category)
    return found
