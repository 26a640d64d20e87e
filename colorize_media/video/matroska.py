"""What a Matroska file says that FFmpeg does not hand on: cropping, editions, languages of chapters, repeated tags.

FFmpeg has no place for these, so an output cannot keep them: they are read here to be named, and values of repeated tags are
joined. A reader of our own, because no library here has one; it looks at the header's parts only and is bounded.

Source: RFC 9559 (Matroska), RFC 8794 (EBML).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_TRACKS, _CHAPTERS, _TAGS = 0x1654AE6B, 0x1043A770, 0x1254C367
_TRACK, _VIDEO = 0xAE, 0xE0
_CROP = {"left": 0x54CC, "top": 0x54BB, "right": 0x54DD, "bottom": 0x54AA}
_EDITION, _ORDERED, _CHAPTER, _DISPLAY = 0x45B9, 0x45DD, 0xB6, 0x80
_CHAPTER_LANGUAGE, _CHAPTER_LANGUAGE_BCP47 = 0x437C, 0x437D
_TAG, _TARGETS, _SIMPLE_TAG, _TAG_NAME, _TAG_STRING = 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487
_UIDS = frozenset({0x63C5, 0x63C9, 0x63C4, 0x63C6})  # of a track, edition, chapter or attachment that a tag is about

_MOST_ELEMENTS = 200_000  # looked at on the top level: a film of a day has so many clusters of half a second
_MOST_BYTES = 16 << 20  # of tracks, chapters or tags that are read
_DEEPEST = 8  # chapters within chapters


@dataclass
class MatroskaNotes:
    """``cropping`` of each video track in the file's order, as (left, top, right, bottom) pixels; ``editions``, how many.

    ``ordered``    whether one of them is played in an order of its own
    ``languages``  of chapters' titles, without "und"; ``titles`` in more than one language
    ``tags``       of the whole file: by name all values that differ, where there are several
    ``missing``    bytes that the file should have by its own account, beside the ``size`` that it has
    """

    cropping: list[tuple[int, int, int, int]] = field(default_factory=list)
    editions: int = 0
    ordered: bool = False
    languages: set[str] = field(default_factory=set)
    titles: int = 0
    tags: dict[str, list[str]] = field(default_factory=dict)
    size: int = 0
    missing: int = 0

    def lost(self) -> list[str]:
        """Names of what no output can keep, but for the cropping."""
        found = []
        if self.editions > 1:
            found.append(f"{self.editions} editions of its chapters (all of them are in one)")
        if self.ordered:
            found.append("the order of its chapters")
        if self.titles:
            found.append(f"{self.titles} titles of chapters in further languages")
        if self.languages - {"eng"}:  # which a reader takes for granted where nothing is said
            found.append(f"the language of its chapters ({', '.join(sorted(self.languages))})")
        return found


def read_notes(path: Path) -> MatroskaNotes | None:
    """None for what is no Matroska or WebM file, or cannot be read. What is damaged or cut is left out."""
    notes = MatroskaNotes()
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            head = _header(file)
            if head is None or head[0] != _EBML or head[1] is None:
                return None
            file.seek(head[1], 1)
            segment = _header(file)
            if segment is None or segment[0] != _SEGMENT:
                return None
            notes.size = size
            notes.missing = max(0, file.tell() + (segment[1] or 0) - size)
            for kind, content in _parts(file, size):
                _READ[kind](notes, content)
    except OSError:
        return None
    notes.tags = {name: values for name, values in notes.tags.items() if len(values) > 1}
    return notes


def _parts(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Tracks, chapters and tags on the segment's top level; all else is passed over."""
    for _ in range(_MOST_ELEMENTS):
        head = _header(file)
        if head is None:
            return
        kind, length = head
        if length is None or file.tell() + length > size:  # a live stream's cluster, or the file is cut
            return
        if kind in _READ and length <= _MOST_BYTES:
            yield kind, file.read(length)
        else:
            file.seek(length, 1)


def _header(file: BinaryIO) -> tuple[int, int | None] | None:
    """An element's id and length (None: unknown) at the file's place; None where there is none."""
    first = file.read(1)
    width = _width(first[0], 4) if first else 0
    rest = file.read(width - 1) if width else b""
    length = file.read(1)
    if not width or len(rest) < width - 1 or not length or not (bytes_ := _width(length[0], 8)):
        return None
    more = file.read(bytes_ - 1)
    if len(more) < bytes_ - 1:
        return None
    value = int.from_bytes(length + more, "big") & ((1 << 7 * bytes_) - 1)
    unknown = value == (1 << 7 * bytes_) - 1
    return int.from_bytes(first + rest, "big"), None if unknown else value


def _width(first: int, most: int) -> int:
    """How many bytes a number has whose first byte this is; 0 if that is no beginning of one."""
    width = 9 - first.bit_length()
    return width if width <= most else 0


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements that stand one after the other, as far as they are whole."""
    place = 0
    while place < len(data):
        width = _width(data[place], 4)
        at = place + width
        if not width or at >= len(data) or not (long := _width(data[at], 8)):
            return
        size = int.from_bytes(data[at : at + long], "big") & ((1 << 7 * long) - 1)
        end = at + long + size
        if end > len(data):
            return
        yield int.from_bytes(data[place:at], "big"), data[at + long : end]
        place = end


def _number(content: bytes) -> int:
    return int.from_bytes(content[:8], "big")


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode("utf-8", "replace")


def _read_tracks(notes: MatroskaNotes, data: bytes) -> None:
    for kind, track in _elements(data):
        video = [content for inner, content in _elements(track) if inner == _VIDEO] if kind == _TRACK else []
        if video:
            said = dict(_elements(video[0]))
            left, top, right, bottom = (_number(said.get(code, b"")) for code in _CROP.values())
            notes.cropping.append((left, top, right, bottom))


def _read_chapters(notes: MatroskaNotes, data: bytes) -> None:
    for kind, edition in _elements(data):
        if kind == _EDITION:
            notes.editions += 1
            notes.ordered |= any(_number(content) for inner, content in _elements(edition) if inner == _ORDERED)
            _read_titles(notes, edition, 0)


def _read_titles(notes: MatroskaNotes, data: bytes, depth: int) -> None:
    for kind, chapter in _elements(data):
        if kind != _CHAPTER or depth > _DEEPEST:
            continue
        titles = [dict(_elements(content)) for inner, content in _elements(chapter) if inner == _DISPLAY]
        notes.titles += max(0, len(titles) - 1)
        for title in titles:
            language = title.get(_CHAPTER_LANGUAGE_BCP47) or title.get(_CHAPTER_LANGUAGE) or b"eng"
            if (name := _text(language)) not in ("", "und"):
                notes.languages.add(name)
        _read_titles(notes, chapter, depth + 1)


def _read_tags(notes: MatroskaNotes, data: bytes) -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for kind, tag in _elements(data):
        if kind != _TAG:
            continue
        targets = [content for inner, content in _elements(tag) if inner == _TARGETS]
        if any(_number(content) for target in targets for inner, content in _elements(target) if inner in _UIDS):
            continue
        for inner, content in _elements(tag):
            said = dict(_elements(content)) if inner == _SIMPLE_TAG else {}
            name, value = _text(said.get(_TAG_NAME, b"")), _text(said.get(_TAG_STRING, b""))
            if name and value and value not in found[name]:
                found[name].append(value)
    notes.tags.update(found)


_READ = {_TRACKS: _read_tracks, _CHAPTERS: _read_chapters, _TAGS: _read_tags}
