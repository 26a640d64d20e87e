"""Which files of a folder are pictures or films: the walk, what it never enters, and --include and --exclude.

What it finds else is counted (`PassedOver`), but for hidden files and the waste of systems.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from colorize_media.archive.manifest import MANIFEST_NAME, Stamp, read_manifest, read_sidecars
from colorize_media.archive.sidecars import Beside, could_go_along, go_along, kind_by_name
from colorize_media.files.first_look import begins_like_media, begins_like_text
from colorize_media.files.formats import OTHER_SUFFIXES, PHOTO_SUFFIXES, TEXT_SUFFIXES, VIDEO_SUFFIXES

# Folders of systems and servers, in lower case: thumbnails, waste and snapshots, never somebody's pictures.
_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "$recycle.bin", "recycler"}
    | {"system volume information", "lost+found", "__macosx", "found.000"}
)
# Files of systems and programs, in lower case: nobody's, and not worth a word. Names with a dot in front are hidden anyway.
_SYSTEM_FILES = frozenset(
    {"thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "folder.ini", "icon\r"}
    | {"picasa.ini", "zbthumbnail.info", "iphotolock.data", "thumbsplus.td4", "digikam4.db", "recognition.db"}
    | {"similarity.db", "thumbnails-digikam.db"}
)
_WINDOWS_HIDDEN = 0x2 | 0x4  # FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM
_SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES
_ORDINARY_SUFFIX = re.compile(
    r"\.[^\W_][\w!+-]{0,11}"
)  # any other is no extension: the end of a sentence, a date, a backup's ~

# What a search passes over, beside files that are neither pictures nor films.
LEFT_OUT = "left out by --include or --exclude"
LEFT_OUT_FOLDERS = "folders left out by --exclude"
FOLDER_LINKS = "links to folders"
BROKEN_LINKS = "links that lead nowhere"
NO_FILES = "pipes, sockets or devices"
UNREADABLE = "files of unknown kinds that cannot be read"
OURS = "made by this program"
NOT_OURS_ANY_MORE = "an output of an earlier run stood here, and this is another file or was changed since"


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
    """A file, relative to the searched folder, and what goes along with it; or a folder that cannot be read, and why.

    ``note`` says why it is found where one may wonder.
    """

    relative: Path
    problem: str = ""
    sidecars: tuple[Beside, ...] = ()
    note: str = ""


@dataclass
class PassedOver:
    """What a search has found that is no input, counted.

    files   neither pictures nor films, by their extension in lower case; "" without one
    others  all else, by what it is or why it is left out
    """

    files: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)


def search(
    folder: Path,
    selection: Selection,
    avoid: Path | None = None,
    passed: PassedOver | None = None,
    *,
    sidecars: bool = True,
) -> Iterator[Found]:
    """Pictures and films below a folder, by their extensions, in the order of their names; files before folders.

    Left out without a word: hidden and system files and folders, and the folder ``avoid``. All else that is not found is
    counted in ``passed``. Links to folders are not followed, so there are no loops; links to files are, and broken ones
    are found, to be told as failures. Files of unknown extensions are found if their first bytes are a picture's or film's.
    ``sidecars``: what goes along with a picture or film is found with it, and not counted.
    """
    passed = PassedOver() if passed is None else passed
    avoided = None if avoid is None else os.path.realpath(avoid)
    made: dict[str, Stamp | None] = {}
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
            made.update(_outputs_below(here, inside, entries))
        folders, media, rest = [], [], {}
        for entry in entries:
            relative = f"{inside}/{entry.name}" if inside else entry.name
            if _is_hidden(entry):
                continue
            if _is_folder(entry):
                if not _is_to_enter(entry, avoided):
                    continue
                if selection.excludes(relative):
                    passed.others[LEFT_OUT_FOLDERS] += 1
                else:
                    folders.append(relative)
            elif relative in made and made[relative] == Stamp.if_there(Path(entry.path)):
                passed.others[OURS] += 1
            elif not selection.takes(relative):
                _count_left_out(entry, passed)
            elif _looks_like_media(entry):
                media.append(entry.name)
            else:
                rest[entry.name] = entry
        along = _along(media, rest, inside, selection) if sidecars else {}
        for name in media:
            note = NOT_OURS_ANY_MORE if f"{inside}/{name}" in made else ""
            yield Found(Path(inside, name), sidecars=along.get(name, ()), note=note)
        for name in rest.keys() - {beside.name for some in along.values() for beside in some}:
            _count(rest[name], passed)
        waiting += reversed(folders)


def sidecars_in(folder: Path, selection: Selection) -> dict[str, tuple[Beside, ...]]:
    """What goes along with each picture or film of one folder, these being known by their names alone."""
    try:
        entries = {entry.name: entry for entry in _entries(str(folder)) if not _is_hidden(entry)}
    except OSError:
        return {}
    media = [name for name in entries if os.path.splitext(name)[1].lower() not in OTHER_SUFFIXES]
    rest = {name: entry for name, entry in entries.items() if kind_by_name(name) is None}
    return _along(media, rest, "", selection)


def _along(
    media: Sequence[str], rest: Mapping[str, os.DirEntry[str]], inside: str, selection: Selection
) -> dict[str, tuple[Beside, ...]]:
    """Of the names ``media`` in the folder ``inside`` of the searched one."""
    wanted = (name for name in rest if not selection.excludes(f"{inside}/{name}" if inside else name))
    files = (name for name in wanted if could_go_along(name) and _is_file(rest[name]))
    return go_along({name: kind_by_name(name) for name in media}, files)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """By name. Raises OSError."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _outputs_below(here: str, inside: str, entries: Iterable[os.DirEntry[str]]) -> dict[str, Stamp | None]:
    """What a manifest in the folder, if there is one, calls an output: paths below the searched folder, and how it was left.

    What is not as it was left may be somebody's work, or another file altogether: an original like any other.
    """
    if not any(entry.name == MANIFEST_NAME for entry in entries):
        return {}
    made = {name: entry.made for name, entry in read_manifest(Path(here)).items() if entry.status == "done"}
    made.update({name: entry.made for name, entry in read_sidecars(Path(here)).items()})
    return {f"{inside}/{name}": stamp for name, stamp in made.items()}


def _is_to_enter(folder: os.DirEntry[str], avoided: str | None) -> bool:
    return folder.name.casefold() not in _SYSTEM_FOLDERS and os.path.realpath(folder.path) != avoided


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link to a folder is none: it is left out, as it may lead to where we came from."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    """Or nobody's."""
    if entry.name.startswith(".") or entry.name.casefold() in _SYSTEM_FILES:
        return True
    if os.name != "nt":
        return False
    try:
        return bool(getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0) & _WINDOWS_HIDDEN)
    except OSError:
        return False


def _suffix(entry: os.DirEntry[str]) -> str:
    return os.path.splitext(entry.name)[1].lower()


def _looks_like_media(entry: os.DirEntry[str]) -> bool:
    """By the extension, where it is known; else by the first bytes."""
    suffix = _suffix(entry)
    if _is_link_to_folder(entry):
        return False
    if suffix in _SUFFIXES:
        return suffix not in TEXT_SUFFIXES or not begins_like_text(Path(entry.path))
    return suffix not in OTHER_SUFFIXES and not suffix.endswith("~") and begins_like_media(Path(entry.path))


def _count(entry: os.DirEntry[str], passed: PassedOver) -> None:
    """What is no picture or film."""
    suffix = _suffix(entry)
    if _is_link_to_folder(entry):
        passed.others[FOLDER_LINKS] += 1
    elif not _is_file(entry):
        passed.others[NO_FILES if os.path.exists(entry.path) else BROKEN_LINKS] += 1
    elif suffix not in OTHER_SUFFIXES and not os.access(entry.path, os.R_OK):
        passed.others[UNREADABLE] += 1
    else:
        passed.files[suffix if _ORDINARY_SUFFIX.fullmatch(suffix) else ""] += 1


def _count_left_out(entry: os.DirEntry[str], passed: PassedOver) -> None:
    """What the patterns leave out is not looked into: only a known extension says that it would have been an input."""
    if _suffix(entry) in _SUFFIXES:
        passed.others[LEFT_OUT] += 1
    else:
        _count(entry, passed)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Or a link to one."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_link_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False
