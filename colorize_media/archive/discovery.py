"""Which files of a folder are pictures or films: the walk, what it never enters, and --include and --exclude."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from colorize_media.archive.manifest import MANIFEST_NAME, read_manifest
from colorize_media.files.first_look import begins_like_media
from colorize_media.files.formats import PHOTO_SUFFIXES, VIDEO_SUFFIXES

# Folders of systems and servers, in lower case: thumbnails, waste and snapshots, never somebody's pictures.
_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "$recycle.bin", "recycler"}
    | {"system volume information", "lost+found", "__macosx", "found.000"}
)
_WINDOWS_HIDDEN = 0x2 | 0x4  # FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM
_SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES


@dataclass(frozen=True)
class Selection:
    """Shell patterns of ``--include`` and ``--exclude``. Letter case does not count.

    A pattern with a slash is held against the path below the searched folder (``*`` matches slashes too), one without
    against each name. Exclusion wins, and what is excluded as a folder is not entered.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, relative: str) -> bool:
        """Whether a file at this path, written with slashes, is wanted."""
        return not self.excludes(relative) and (not self.include or _matches(relative, self.include))

    def excludes(self, relative: str) -> bool:
        """Whether this file or folder is left out, whatever lies in it."""
        return _matches(relative, self.exclude)


def _matches(relative: str, patterns: tuple[str, ...]) -> bool:
    relative = relative.casefold()
    name = relative.rpartition("/")[2]
    return any(
        fnmatchcase(relative if "/" in pattern.strip("/") else name, pattern.strip("/").casefold())
        for pattern in patterns
    )


@dataclass(frozen=True)
class Found:
    """A file, relative to the searched folder; or a folder that cannot be read, and why."""

    relative: Path
    problem: str = ""


def search(folder: Path, selection: Selection, avoid: Path | None = None) -> Iterator[Found]:
    """Pictures and films below a folder, by their extensions, in the order of their names; files before folders.

    Left out: hidden and system files and folders, the folder ``avoid``, and what a manifest below the folder calls an
    output of this tool. Links to folders are not followed, so there are no loops; links to files are, and broken ones are
    found, to be told as failures. Files without any extension are found if their first bytes are a picture's or film's.
    """
    avoided = None if avoid is None else os.path.realpath(avoid)
    made: set[str] = set()
    waiting = [""]  # paths below the folder, written with slashes; the next one last
    while waiting:
        inside = waiting.pop()
        here = os.path.join(folder, inside) if inside else str(folder)
        try:
            entries = _entries(here)
        except OSError as error:
            yield Found(Path(inside), error.strerror or str(error))
            continue
        if inside:
            made |= _outputs_below(here, inside, entries)
        folders = []
        for entry in entries:
            relative = f"{inside}/{entry.name}" if inside else entry.name
            if _is_hidden(entry):
                continue
            if not _is_folder(entry):
                if relative not in made and selection.takes(relative) and _looks_like_media(entry):
                    yield Found(Path(relative))
            elif _is_to_enter(entry, avoided) and not selection.excludes(relative):
                folders.append(relative)
        waiting += reversed(folders)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """By name. Raises OSError."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _outputs_below(here: str, inside: str, entries: Iterable[os.DirEntry[str]]) -> set[str]:
    """What a manifest in the folder, if there is one, calls an output: paths below the searched folder."""
    if not any(entry.name == MANIFEST_NAME for entry in entries):
        return set()
    return {f"{inside}/{entry.target}" for entry in read_manifest(Path(here)).values() if entry.status == "done"}


def _is_to_enter(folder: os.DirEntry[str], avoided: str | None) -> bool:
    return folder.name.casefold() not in _SYSTEM_FOLDERS and os.path.realpath(folder.path) != avoided


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link to a folder is none: it is left out, as it may lead to where we came from."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return True
    if os.name != "nt":
        return False
    try:
        return bool(getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0) & _WINDOWS_HIDDEN)
    except OSError:
        return False


def _looks_like_media(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix:
        return suffix in _SUFFIXES and not _is_link_to_folder(entry)
    return not _is_link_to_folder(entry) and begins_like_media(Path(entry.path))


def _is_link_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False
