"""Puts plugins in and takes them out: first what would change, then the change, each file whole or not at all."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colorize_media.errors import EnvironmentProblem, InputUnreadable, OutputUnwritable
from colorize_media.files.first_look import unreadable
from colorize_media.files.whole import whole_or_absent
from colorize_media.plugins.hosts import Folders, Host, Place
from colorize_media.plugins.parts import Element, OwnFile, Part

State = Literal["installed", "partly installed or of another version", "edited", "not installed", "not readable"]


@dataclass(frozen=True)
class Change:
    """What is to be done with one file; ``new`` None removes it, ``backup`` is where the present one goes first.

    ``start`` is what the host itself puts into a file that is not there yet.
    """

    path: Path
    old: bytes | None
    new: bytes | None
    executable: bool
    own: bool
    backup: Path | None = None
    start: bytes = b""


@dataclass(frozen=True)
class Found:
    """One installation of a host."""

    place: Place
    parts: tuple[Part, ...]


def find(host: Host, folders: Folders, command: str, base: Path | None = None) -> list[Found]:
    """The host's installations of this user, or the one that keeps its settings in ``base``. Raises EnvironmentProblem."""
    places = (Place("", base),) if base is not None else host.places_here(folders)
    if not places:
        raise EnvironmentProblem(
            f"{host.title} is not found",
            why="neither its program nor its folder is there",
            hint=f"start it once, or name its folder with --folder (usually {host.places(folders)[0].base})",
        )
    return [Found(place, host.parts(place, folders, command)) for place in places]


def changes(found: list[Found], *, install: bool) -> list[Change]:
    """What installing or removing would do; nothing where all is as it should be. Raises InputUnreadable."""
    return list(_changes(found, install))


def _changes(found: list[Found], install: bool) -> Iterator[Change]:
    for part in dict.fromkeys(part for place in found for part in place.parts):
        path = Path(os.path.realpath(part.path))  # people keep such files elsewhere, behind a link
        old = _content(path)
        new = part.installed(old) if install else part.removed(old)
        if new != old or (install and part.executable and not os.access(path, os.X_OK)):
            edited = new != old and part.holds_edits(old)
            backup = _free_name(path) if edited else None
            start = part.start if isinstance(part, Element) else b""
            yield Change(path, old, new, part.executable, isinstance(part, OwnFile), backup, start)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def _free_name(path: Path) -> Path:
    number = 1
    # Not an ending that the host would take for one of its own.
    while (backup := path.with_name(f"{path.name}.backup-{number}")).exists():
        number += 1
    return backup


def apply(change: Change) -> None:
    """Do it. Raises OutputUnwritable; then the file is as it was."""
    path = change.path
    try:
        if change.backup is not None and change.old is not None:
            with whole_or_absent(change.backup) as file:
                file.write(change.old)
        if change.new is None:
            path.unlink()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode) if change.old is not None else None
        if change.new != change.old:
            with whole_or_absent(path) as file:
                file.write(change.new)
        if mode is not None:
            path.chmod(mode)
        if change.executable:
            found = stat.S_IMODE(path.stat().st_mode)
            path.chmod(found | (found & 0o444) >> 2)  # who may read it may run it
    except OSError as error:
        raise OutputUnwritable(
            "cannot write the plugin",
            path=path,
            why=error.strerror or str(error),
            hint="check its folder's permissions",
        ) from error


def describe(change: Change) -> list[str]:
    """What it would do, for people: of own files the name, of foreign ones the lines."""
    backup = [f"  keep what you changed in it as {change.backup}"] if change.backup is not None else []
    if change.new is None:
        return [f"remove {change.path}", *backup]
    word = "write" if change.old is None else "replace" if change.own else "change"
    if change.own:
        return [f"{word} {change.path}", *backup]
    begun = " (begun as the host begins it)" if change.old is None and change.start else ""
    before = change.start if change.old is None else change.old
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (before, change.new))
    lines = [line for line in difflib.ndiff(old, new) if line[0] in "+-"]
    return [f"{word} {change.path}{begun}", *(f"  {line}" for line in lines)]


def state(found: Found) -> State:
    """How much of the plugin is in one installation."""
    try:
        contents = [(part, _content(part.path)) for part in found.parts]
        present = [part.removed(old) != old for part, old in contents]
        if any(part.holds_edits(old) for (part, old), here in zip(contents, present, strict=True) if here):
            return "edited"
        if all(part.installed(old) == old for part, old in contents):
            return "installed"
        return "partly installed or of another version" if any(present) else "not installed"
    except InputUnreadable:
        return "not readable"
