"""A pair of thumbnails for every row, before and after: made of the files, or taken from the report that stands there."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from colorize_media.archive.budget import default_budget, memory_needed
from colorize_media.archive.manifest import Stamp
from colorize_media.archive.workers import default_workers
from colorize_media.files.own import open_own
from colorize_media.options import ColorizeOptions
from colorize_media.report.page import Pair, encoded, read_pair
from colorize_media.report.rows import Row
from colorize_media.report.thumbnails import thumbnail

# A page of 10,000 pairs at 160 px has 80 to 115 MB; Chromium opens it from a disk in two seconds and keeps 10 MB of it in its
# script, since blocks that are not in sight stay text.
SIDES = {320: 11_000, 240: 8_000, 192: 6_800, 160: 5_700, 128: 4_000}  # px → bytes in the page
PAGE_BYTES = 120_000_000
LONGEST_LINE = 1 << 20  # bytes of an earlier page's


def pairs_of(
    rows: Sequence[Row], earlier: Path, options: ColorizeOptions, on_progress: Callable[[int, int], None]
) -> Generator[Pair, None, None]:
    """One pair per row, in order; a few at a time are in memory. ``earlier`` is where an earlier page may stand."""
    wanted = sum(len(_pictures_of(row)) for row in rows)
    side = next((side for side, size in SIDES.items() if wanted * size <= PAGE_BYTES), min(SIDES))
    workers = default_workers()
    with _EarlierPage(earlier) as known, ThreadPoolExecutor(workers, thread_name_prefix="thumbnail") as pool:
        for start in range(0, len(rows), 8 * workers):
            on_progress(max(start, 1), len(rows))
            some = rows[start : start + 8 * workers]
            keys = [_key(row, side) for row in some]
            found = [known.get(key) for key in keys]
            alone = [_needs(row, options) > default_budget() // workers for row in some]
            made = [
                pool.submit(_pair, row, key, side, options) if pair is None and not large else None
                for row, key, pair, large in zip(some, keys, found, alone, strict=True)
            ]
            for row, key, pair, work in zip(some, keys, found, made, strict=True):
                yield pair or (_pair(row, key, side, options) if work is None else work.result())


def _pair(row: Row, key: str, side: int, options: ColorizeOptions) -> Pair:
    pictures = {"before": b"", "after": b""}
    for name, path in _pictures_of(row).items():
        try:
            pictures[name] = encoded(thumbnail(path, side, options))
        except Exception:  # gone meanwhile, or beyond what can be read; the row says what there is to say
            continue
    return Pair(key, pictures["before"], pictures["after"])


class _EarlierPage:
    """Thumbnails of the report that stands where this one will, by key; only their places are held in memory."""

    def __init__(self, path: Path) -> None:
        self._places: dict[bytes, tuple[int, int]] = {}
        self._file: BinaryIO = io.BytesIO()
        with contextlib.suppress(OSError):  # there is none, or what has its name is no page of ours
            self._file = os.fdopen(open_own(path, os.O_RDONLY), "rb")
        offset = 0
        while (line := self._file.readline(LONGEST_LINE)) and offset < 4 * PAGE_BYTES:
            if line[16:17] == b",":
                self._places[line[:16]] = offset, len(line)
            offset += len(line)

    def __enter__(self) -> _EarlierPage:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def get(self, key: str) -> Pair | None:
        """None where it has none, or only an empty one."""
        if (place := self._places.get(key.encode())) is None:
            return None
        self._file.seek(place[0])
        pair = read_pair(self._file.read(place[1]))
        return pair if pair is not None and (pair.before or pair.after) else None


def _pictures_of(row: Row) -> dict[str, Path]:
    """Files of which a thumbnail is shown. What failed is not opened again."""
    pictures: dict[str, Path] = {}
    if row.status == "failed" or row.kind == "other":
        return pictures
    pictures["before"] = row.source
    if row.status in ("done", "present") and row.target is not None:
        pictures["after"] = row.target
    return pictures


def _key(row: Row, side: int) -> str:
    stamps = [(str(path), Stamp.if_there(path)) for path in _pictures_of(row).values()]
    return hashlib.sha256(repr((side, stamps)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _needs(row: Row, options: ColorizeOptions) -> int:
    return max((memory_needed(path, options.max_pixels) for path in _pictures_of(row).values()), default=0)
