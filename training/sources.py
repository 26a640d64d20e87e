"""Where training pictures come from: folders, tar shards, the Places205 tarball. Nothing is extracted to disk.

A source is
- a folder of pictures, searched recursively; the first folder below it is the scene label (``~/MyScenes/beach/1.jpg``);
- a tar or tar.gz of pictures (Places205's ``testSetPlaces205_resize.tar.gz``, or a shard); members are only read, in
  memory, never written, so no path inside an archive can reach the file system;
- a folder of such tars. If any are called ``train*``, only those; ``val*`` beside them serve as validation pictures.
  An index ``train.csv`` (columns name, category, label, weight) beside the tars gives labels.

A folder that `prepare` has not finished is refused: part of it would be taken for the whole.
"""

from __future__ import annotations

import csv
import gzip
import math
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar, cast

from colorize_media.errors import TrainingProblem

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
TARS = (".tar", ".tar.gz", ".tgz")
LARGEST_MEMBER = 64 * 2**20  # bytes; a training picture is far smaller, an archive bomb is not
LARGEST_HEADER = 2**20  # bytes of a long name or of extended headers, which tarfile reads into memory
HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
WORK = ".prepare"  # folder in the output of `prepare`, there until all is written
INDEX = "index.json"  # what `prepare` writes last

Header = TypeVar("Header", bound="_CheckedHeader")


class Picture(NamedTuple):
    """One encoded picture: a name that is unique in its source, a scene label, the file's bytes, a category of content.

    ``weight`` is how often it is drawn, times what it would be.

    Label and category are "" if unknown. Where an index gives a category but no label, the category is the label too,
    unless it is just "scene".
    """

    name: str
    label: str
    data: bytes
    category: str = ""
    weight: float = 1.0


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
    if (data / WORK).exists() and not (data / INDEX).exists():
        raise TrainingProblem(
            "unfinished training data", path=data, why="`prepare` was interrupted here", hint="run prepare again"
        )
    tars = sorted(file for file in data.iterdir() if file.name.lower().endswith(TARS))
    named = [file for file in tars if file.name.startswith(split)]
    if split == "train":
        others = [file for file in tars if not file.name.startswith("val")]
        return named or others or [data]
    return named


def pass_over(name: str, reason: str) -> None:
    """The default for what `read_pictures` leaves out: nothing is said."""


def read_pictures(sources: list[Path], on_skip: Callable[[str, str], None] = pass_over) -> Iterator[Picture]:
    """Every picture of the sources in a fixed order.

    ``on_skip`` hears the name of every other file and why it is left out: "not a picture" (by its name), "link or
    device", "too large", "unreadable". Raises TrainingProblem for an archive that is damaged or cut off.
    """
    for source in sources:
        if source.is_dir():
            yield from _read_folder(source, on_skip)
        else:
            yield from _read_tar(source, _index_beside(source), on_skip)


def _read_folder(folder: Path, on_skip: Callable[[str, str], None]) -> Iterator[Picture]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        name = "/".join(parts)
        try:
            if path.is_dir():
                continue
            reason = _why_not(path.name, path.is_file(), path.stat().st_size)
            data = b"" if reason else path.read_bytes()
        except OSError:
            reason = "unreadable"
        if reason:
            on_skip(name, reason)
        else:
            yield Picture(name, parts[0] if len(parts) > 1 else "", data)


def _read_tar(
    path: Path, index: dict[str, tuple[str, str, float]], on_skip: Callable[[str, str], None]
) -> Iterator[Picture]:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
            # What is packed is a stream; else what is left out is leapt over, be it a hole of terabytes.
            with tarfile.open(fileobj=stream, mode="r|*" if zipped else "r:*", tarinfo=_CheckedHeader) as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every header
                    if member.isdir():
                        continue
                    reason = _why_not(member.name, member.isreg(), member.size)
                    content = None if reason else archive.extractfile(member)
                    if content is None:
                        on_skip(member.name, reason)
                        continue
                    label, category, weight = index.get(member.name, ("", "", 1.0))
                    yield Picture(member.name, label, content.read(), category, weight)
            while zipped and stream.read(2**20):
                pass  # to gzip's checksum, which comes last
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise TrainingProblem(
            "cannot read training data", path=path, why=str(error), hint="fetch the file again"
        ) from error


def _why_not(name: str, regular: bool, size: int) -> str:
    """Why a file is left out, "" if it is read."""
    if not regular:
        return "link or device"
    if Path(name).suffix.lower() not in SUFFIXES:
        return "not a picture"
    return "too large" if size > LARGEST_MEMBER else ""


class _CheckedHeader(tarfile.TarInfo):
    """tarfile takes a damaged header, or the end of the file, for the end of the archive; here both are errors."""

    @classmethod
    def frombuf(cls: type[Header], buf: bytes | bytearray, encoding: str, errors: str) -> Header:
        if len(buf) == tarfile.BLOCKSIZE and not any(buf):
            return super().frombuf(buf, encoding, errors)  # the archive's end mark
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            why = f"damaged ({error})" if len(buf) == tarfile.BLOCKSIZE else "cut off: it has no end mark"
            raise tarfile.ReadError(f"the archive is {why}") from error
        if header.type in HEADERS and header.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"the archive has a header of {header.size} bytes")
        return header


def _index_beside(source: Path) -> dict[str, tuple[str, str, float]]:
    """Label, category and weight by name, from an index CSV beside a tar."""
    index = source.with_suffix(".csv")  # wide.csv beside wide.tar
    if not index.is_file():
        index = source.parent / ("val.csv" if source.name.startswith("val") else "train.csv")
    if source.is_dir() or not index.is_file():
        return {}
    found = {}
    try:
        with index.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                category = row.get("category") or ""
                label = row.get("label") or ("" if category == "scene" else category)
                weight = float(row.get("weight") or 1.0)
                if not 0.0 < weight < math.inf:
                    raise ValueError(f"a weight of {weight:g}")
                found[row.get("name") or ""] = (label, category, weight)
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingProblem(
            "cannot read the index of the pictures", path=index, why=str(error), hint="correct it or move it away"
        ) from error
    return found
