"""Outputs whose source is gone: named, so that somebody can decide about them. Nothing removes them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from colorize_media.archive.manifest import Entry, Stamp


def orphans(
    root: Path, trees: Sequence[Path], entries: Mapping[str, Entry], planned: Collection[Path]
) -> tuple[Path, ...]:
    """Of the outputs that a manifest knows below ``root``, those that stand as they were made, but whose source is gone.

    A source is gone that is neither where the manifest says nor at its place in any of the ``trees`` that the folder mirrors.
    What cannot be looked at is not gone. ``planned`` are outputs of inputs that are there.
    """
    found = []
    for name, entry in entries.items():
        target = root / name
        if entry.status != "done" or target in planned:
            continue
        inside = os.path.join(os.path.dirname(name), os.path.basename(entry.source))
        places = [entry.source, *(os.path.join(tree, inside) for tree in trees)]
        if all(map(_is_gone, places)) and Stamp.if_there(target) == entry.made:
            found.append(target)
    return tuple(found)


def _is_gone(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
