"""Numbered frames among planned files: which of them belong together as one film, by their names alone."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from colorize_media.events import Planned

FEWEST = 2  # files: a lone one is a photograph
SHOWN_GAPS = 5  # told one by one; where there are more, their number is


@dataclass(frozen=True)
class Numbered:
    """Files of one folder that differ in one number only, in its order.

    pattern  the name with the number as FFmpeg writes it: ``scan_%06d.dpx``
    frames   the number and the name of each
    """

    pattern: str
    frames: tuple[tuple[int, str], ...]


def numbered(names: Iterable[str]) -> list[Numbered]:
    """The sequences among the names of one folder, those of at least `FEWEST` files.

    The number that counts is the one that differs most (the last of equals): others, like a reel's, tell sequences apart,
    and so does the extension. Numbers may be padded or not, begin anywhere and have gaps.
    """
    alike: dict[tuple[tuple[str, ...], str], list[tuple[str, list[str]]]] = defaultdict(list)
    for name in names:
        path = Path(name)
        parts = re.split(r"([0-9]+)", path.stem)
        if len(parts) > 1:
            alike[tuple(parts[::2]), path.suffix.lower()].append((name, parts))
    return [found for group in alike.values() for found in _sequences(group)]


def _sequences(group: Sequence[tuple[str, list[str]]]) -> Iterator[Numbered]:
    """Of files whose names are alike but for their numbers."""
    places = range(1, len(group[0][1]), 2)
    counting = max(places, key=lambda place: (len({int(parts[place]) for _, parts in group}), place))
    apart: dict[tuple[str, ...], list[tuple[int, int, str]]] = defaultdict(list)
    for name, parts in group:
        others = (*parts[:counting], *parts[counting + 1 :])
        apart[others].append((int(parts[counting]), len(parts[counting]), name))
    for others, files in apart.items():
        if len({number for number, _, _ in files}) < len(files):  # 1 and 01: one of each is another sequence
            widths = sorted({width for _, width, _ in files})
            several = [[file for file in files if file[1] == width] for width in widths]
        else:
            several = [files]
        for one in several:
            if len(one) >= FEWEST:
                padded = any(len(str(number)) < width for number, width, _ in one)
                field = f"%0{min(width for _, width, _ in one)}d" if padded else "%d"
                stem = "".join((*others[:counting], field, *others[counting:]))
                frames = tuple((number, name) for number, _, name in sorted(one))
                yield Numbered(stem + Path(frames[0][1]).suffix, frames)


def with_sequences(plan: Sequence[Planned]) -> list[Planned]:
    """The plan with the frames of each sequence together, in the order of their numbers, where its first one stood.

    Pictures that are in none stay the photographs that they are.
    """
    folders: dict[Path, dict[str, Planned]] = defaultdict(dict)
    for item in plan:
        if item.kind == "photo" and item.target is not None:
            folders[item.source.parent][item.source.name] = item
    framed: dict[Path, list[Planned]] = {}  # by the source of each frame: its whole sequence
    for pictures in folders.values():
        for found in numbered(pictures):
            frames = [
                dataclasses.replace(pictures[name], sequence=found.pattern, frame=number)
                for number, name in found.frames
            ]
            framed |= {frame.source: frames for frame in frames}
    ordered: list[Planned] = []
    told: set[int] = set()
    for item in plan:
        sequence = framed.get(item.source)
        if sequence is None:
            ordered.append(item)
        elif id(sequence) not in told:
            told.add(id(sequence))
            ordered += sequence
    return ordered


def sequence_end(plan: Sequence[Planned], start: int) -> int:
    """Where the sequence ends that begins at this place of a plan."""
    first = (plan[start].source.parent, plan[start].sequence)
    end = start
    while end < len(plan) and (plan[end].source.parent, plan[end].sequence) == first:
        end += 1
    return end


def gaps(numbers: Sequence[int]) -> list[str]:
    """What is told of numbers that are missing between the first and the last."""
    missing = [(one + 1, other - 1) for one, other in pairwise(numbers) if other - one > 1]
    if len(missing) > SHOWN_GAPS:
        count = sum(last - first + 1 for first, last in missing)
        first, last = missing[0]
        where = f"the first is {first}" + (f" to {last}" if last > first else "")
        return [f"{count} frames are missing in {len(missing)} places ({where}): gaps in the film's time"]
    return [
        f"frame {first} is missing: a gap of one frame in the film's time"
        if first == last
        else f"frames {first} to {last} are missing: a gap of {last - first + 1} frames in the film's time"
        for first, last in missing
    ]
