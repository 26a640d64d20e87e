"""Refusing a plan whose outputs would replace an input or each other, before any work.

Also where only the destination's file system takes two names for one: most of Windows' and the Mac's do not tell letter
cases apart, or Unicode's composed from its decomposed forms.
"""

from __future__ import annotations

import os
import secrets
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from colorize_media.archive.naming import Pair
from colorize_media.errors import InputIsOutput, OutputCollision

SHOWN_COLLISIONS = 5  # in the error's reason; a wrong -o makes thousands


def refuse_overlaps(pairs: Sequence[Pair]) -> None:
    """Raises InputIsOutput where an output is one of the inputs, OutputCollision where two inputs have one output.

    Names are compared by real path, so that links and ``..`` do not hide that two are one file.
    """
    real_folder = cache(os.path.realpath)

    def real(path: Path) -> str:
        return os.path.realpath(path) if os.path.islink(path) else os.path.join(real_folder(path.parent), path.name)

    inputs, outputs = _Names(), _Names()
    for pair in pairs:
        inputs.add(real(pair.source), pair.source)
    collisions: list[tuple[Path, Path, Path]] = []
    for pair in pairs:
        if pair.target is None:
            continue
        name = real(pair.target)
        if inputs.whose(name) is not None or _is_same_file(pair.source, pair.target):
            raise InputIsOutput(
                "the output would replace an input",
                path=pair.target,
                why="originals are never changed",
                hint="give another name or folder with -o",
            )
        if (other := outputs.whose(name)) is not None:
            collisions.append((pair.target, other, pair.source))
        outputs.add(name, pair.source)
    if collisions:
        shown = "; ".join(f"{one} and {two}" for _, one, two in collisions[:SHOWN_COLLISIONS])
        more = len(collisions) - SHOWN_COLLISIONS
        raise OutputCollision(
            "two inputs would write the same output",
            path=collisions[0][0],
            why=shown + (f"; and {more} more pairs" if more > 0 else ""),
            hint="colour them in two runs with different -o, or leave one out with --exclude",
        )


class _Names:
    """Absolute names and the inputs they belong to, found again under any spelling that is the same file where it lies."""

    def __init__(self) -> None:
        self._owners: dict[str, Path] = {}
        self._spelled: dict[str, str] = {}  # a name folded → the name as it was spelled last

    def add(self, name: str, owner: Path) -> None:
        self._owners[name] = owner
        self._spelled[_folded(name)] = name

    def whose(self, name: str) -> Path | None:
        if name not in self._owners:
            other = self._spelled.get(_folded(name))
            if other is None or distinguishes(Path(name), Path(other)):
                return None
            name = other
        return self._owners[name]


def _is_same_file(source: Path, target: Path) -> bool:
    """By another name: a hard link."""
    return os.path.exists(target) and os.path.samefile(source, target)


def _folded(path: str) -> str:
    """One word for all spellings that some file system takes for one: letter case, and Unicode's composed forms."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def distinguishes(one: Path, other: Path) -> bool:
    """Whether the file system keeps apart two names that differ in case or Unicode form only, in existing folders or not.

    Asked only about names that come near each other, since it makes an empty file for a moment where no such files are:
    there is no other way to know. Where it may not write, nothing else can be written either, and they are kept apart.
    """
    for first, second in zip((*reversed(one.parents), one), (*reversed(other.parents), other), strict=True):
        if first == second:
            folder = first if first.is_dir() else first.parent
            continue
        if os.path.lexists(first) or os.path.lexists(second):
            try:
                return not os.path.samefile(first, second)
            except OSError:
                return True
        while not folder.is_dir():
            folder = folder.parent
        return folder_distinguishes(folder, first.name, second.name)
    return False


def folder_distinguishes(folder: Path, one: str, other: str) -> bool:
    """Whether a folder that is there keeps apart two names that are not, by an empty file under the one for a moment."""
    mark = f".colorize-media-{secrets.token_hex(4)}-"
    first, second = folder / f"{mark}{one}", folder / f"{mark}{other}"
    try:
        first.touch(exist_ok=False)
    except OSError:
        return True
    try:
        return not second.exists()
    finally:
        first.unlink(missing_ok=True)
