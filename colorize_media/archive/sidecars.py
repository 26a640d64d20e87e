"""Which files go along with a picture or film, by their names alone: what other programs keep beside it.

A sidecar has the picture's whole name with something behind it (``a.jpg.xmp``), or its stem (``a.xmp``, ``film.en.srt``).
Both may belong to several: ``a.xmp`` to ``a.cr2`` and ``a.jpg``. Google's Takeout cuts long names and moves numbers, see
`_Takeout`. Letter case does not count unless names differ by it alone.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from colorize_media.files.first_look import Kind
from colorize_media.files.formats import PHOTO_SUFFIXES, VIDEO_SUFFIXES

# Six lines that say where on the earth a picture lies: the first and the last letter of its extension, or all of it, and w.
_WORLD = frozenset({".tfw", ".jgw", ".pgw", ".gfw", ".bpw", ".j2w", ".wpw"})
_WORLD_LONG = frozenset({".tifw", ".tiffw", ".jpgw", ".jpegw", ".pngw", ".gifw", ".bmpw", ".jp2w", ".webpw"})
_PHOTO_TAILS = (
    frozenset({".xmp", ".aae", ".json", ".txt", ".thm", ".wav", ".prj", ".wld", ".aux.xml"}) | _WORLD | _WORLD_LONG
)
_FILM_TAILS = frozenset({".xmp", ".aae", ".json", ".info.json", ".txt", ".description", ".nfo", ".thm"})
TIMED = frozenset({".srt", ".ass", ".ssa", ".vtt", ".sub", ".idx", ".smi", ".sup", ".ttml", ".dfxp", ".sbv", ".lrc"})
_SUBTITLE_WORDS = 3  # between the stem and the extension: ``film.pt.forced.sdh.srt``
_LONGEST_WORD = 20
DEVELOP = frozenset({".pp3", ".dop", ".arp", ".cos", ".on1", ".rwz", ".vrd"})
DEVELOP_STAYS = "develop settings of another program, which do not fit a coloured picture"
_LAST = {tail[tail.rindex(".") :] for tail in _PHOTO_TAILS | _FILM_TAILS | TIMED | DEVELOP}


@dataclass(frozen=True)
class Beside:
    """A file in the folder of a picture or film that goes along with it.

    name   its own;  tail  what of it follows the picture's whole name (``whole``), or else its stem, for the new picture
    stays  why it does not go along after all
    """

    name: str
    tail: str
    whole: bool
    stays: str = ""

    @property
    def is_xmp(self) -> bool:
        """Whether it is a packet that is fitted to the new picture."""
        return self.tail.lower() == ".xmp"

    @property
    def is_timed(self) -> bool:
        """Whether it speaks of moments of a film."""
        return os.path.splitext(self.tail)[1].lower() in TIMED

    def beside(self, output: Path, *, whole: bool | None = None) -> Path:
        """Its place beside the output; ``whole`` instead of its own way of naming."""
        by_name = self.whole if whole is None else whole
        return output.with_name((output.name if by_name else output.stem) + _world_tail(self.tail, output))


def _world_tail(tail: str, output: Path) -> str:
    """A world file's extension follows that of its picture."""
    suffix = output.suffix.lower()
    if tail.lower() in _WORLD_LONG:
        return f"{suffix}w"
    if tail.lower() not in _WORLD or len(suffix) < 3:
        return tail
    fitted = f".{suffix[1]}{suffix[-1]}w"
    return tail if tail.lower() == fitted else fitted


def could_go_along(name: str) -> bool:
    """Whether a file's extension is one of those that go along."""
    return os.path.splitext(name)[1].lower() in _LAST


def go_along(kinds: Mapping[str, Kind | None], others: Iterable[str]) -> dict[str, tuple[Beside, ...]]:
    """Of the pictures and films of one folder, by their names, what of its other files goes along with each.

    A kind is None where the name does not say.
    """
    by_name, by_stem = _by(kinds, lambda name: name), _by(kinds, lambda name: os.path.splitext(name)[0])
    takeout: _Takeout | None = None
    found: dict[str, list[Beside]] = defaultdict(list)
    for other in others:
        if not could_go_along(other):
            continue
        owners = _named_like(other, kinds, by_name, by_stem)
        if other.lower().endswith(".json"):
            takeout = takeout or _Takeout(kinds)
            owners |= {owner: beside for owner, beside in takeout.owners(other) if owner not in owners}
        for owner, beside in owners.items():
            found[owner].append(beside)
    return {owner: tuple(some) for owner, some in found.items()}


def kind_by_name(name: str) -> Kind | None:
    """As far as the extension says it."""
    suffix = os.path.splitext(name)[1].lower()
    return "photo" if suffix in PHOTO_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else None


def _by(kinds: Mapping[str, Kind | None], part: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in kinds:
        found[part(name).casefold()].append(name)
    return found


def _named_like(
    other: str, kinds: Mapping[str, Kind | None], by_name: dict[str, list[str]], by_stem: dict[str, list[str]]
) -> dict[str, Beside]:
    """The owners with the longest name that ``other`` begins with."""
    for match in reversed(list(re.finditer(r"\.", other))):
        head, tail = other[: match.start()], other[match.start() :]
        for whole, table in ((True, by_name), (False, by_stem)):
            owners = [name for name in table.get(head.casefold(), ()) if _fits(tail.lower(), kinds[name])]
            same_case = [name for name in owners if (name if whole else os.path.splitext(name)[0]) == head]
            if owners:
                stays = DEVELOP_STAYS if tail.lower() in DEVELOP else ""
                return {name: Beside(other, tail, whole, stays) for name in same_case or owners}
    return {}


def _fits(tail: str, kind: Kind | None) -> bool:
    if tail in DEVELOP:
        return True
    if kind != "video" and tail in _PHOTO_TAILS:
        return True
    if kind == "photo":
        return False
    *words, last = tail[1:].split(".")
    is_subtitle = (
        f".{last}" in TIMED and len(words) <= _SUBTITLE_WORDS and all(len(word) <= _LONGEST_WORD for word in words)
    )
    return tail in _FILM_TAILS or is_subtitle


class _Takeout:
    """The names that Google's Takeout gives to the JSON files of pictures.

    ``a.jpg.json`` (until 2024) or ``a.jpg.supplemental-metadata.json``, where all before ``.json`` has at most 46 letters:
    ``….jpg.supplemental-me.json``, ``….jp.json``. Of ``a(1).jpg`` it is ``a.jpg(1).json`` or
    ``a.jpg.supplemental-metadata(1).json``, and ``a-edited.jpg`` has none of its own.
    """

    _NEW = ".supplemental-metadata"
    _LETTERS = range(
        43, 52
    )  # 46 in most archives; numbers and letters outside the basic plane are counted in several ways
    _NUMBER = re.compile(r"(.*)(\(\d+\))")
    _EDITED = re.compile(r"(.*)-(?:edited|bearbeitet|modifié|editado|bewerkt|modificato|edytowane|redigerad)")

    def __init__(self, kinds: Iterable[str]) -> None:
        self._whole: dict[tuple[str, str], list[str]] = defaultdict(list)  # by name without its number, and the number
        self._cut: dict[tuple[str, str], set[str]] = defaultdict(set)  # by its first letters: such names, whole
        for name in kinds:
            stem, suffix = os.path.splitext(name)
            stem, number = self._split(stem)
            if edited := self._EDITED.fullmatch(stem):
                stem = edited[1]
            self._whole[stem + suffix, number].append(name)
            for letters in self._LETTERS:
                if len(stem + suffix) > letters:
                    self._cut[(stem + suffix)[:letters], number].add(stem + suffix)

    def owners(self, other: str) -> list[tuple[str, Beside]]:
        """Whose file it is; nobody's, where its name was cut so that it may be that of several."""
        head, number = self._split(other[: -len(".json")])
        names = self._whole.get((head, number))
        tail = ".json"
        if names is None:
            dot = head.rfind(".")
            if dot > 0 and self._NEW.startswith(head[dot:]):
                names, tail = self._whole.get((head[:dot], number)), f"{self._NEW}.json"
        if names is None and len(cut := self._cut.get((head, number), set())) == 1:
            names = self._whole[next(iter(cut)), number]
        return [(name, Beside(other, tail, True)) for name in names or ()]

    def _split(self, text: str) -> tuple[str, str]:
        found = self._NUMBER.fullmatch(text)
        return (found[1], found[2]) if found else (text, "")
