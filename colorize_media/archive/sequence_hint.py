"""Whether photographs of a plan look like the frames of a film: then they are told that they could be kept steady."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_media.archive.sequences import numbered
from colorize_media.events import Planned, Warned
from colorize_media.options import ColorizeOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_FRAMES = 24  # with consecutive numbers: a second of film
PAIRS = 4  # of neighbours that are looked at, spread over the sequence; a cut may fall on one of them
LEAST_ALIKE = 0.9  # correlation of two neighbours' lightness; photographs of one walk have 0 to 0.6
_SIDE = 32  # pixels


def hints(plan: Sequence[Planned], options: ColorizeOptions) -> Iterator[Warned]:
    """For each sequence of pictures to be coloured as photographs that looks like a film: what to do.

    Told only of many with consecutive numbers, equal sizes and neighbours that show nearly the same. Of other numbered
    pictures, which most cameras' are, two to four are decoded.
    """
    if options.image_sequence is not None or options.preview:
        return
    folders: dict[Path, list[str]] = defaultdict(list)
    for item in plan:
        if item.kind == "photo" and item.action == "colorize":
            folders[item.source.parent].append(item.source.name)
    for folder, names in folders.items():
        for found in numbered(names):
            numbers = [number for number, _ in found.frames]
            steady = numbers[-1] - numbers[0] == len(numbers) - 1
            if len(numbers) >= FEWEST_FRAMES and steady and _move(folder, [name for _, name in found.frames], options):
                what = f"these {len(numbers)} pictures look like frames of a film"
                yield Warned(folder / found.pattern, f"{what}: --image-sequence 24 keeps them steady")


def _move(folder: Path, names: Sequence[str], options: ColorizeOptions) -> bool:
    """Whether neighbours are alike in all the places looked at, but for one."""
    pairs = list(pairwise(names))
    places = [(2 * step + 1) * len(pairs) // (2 * PAIRS) for step in range(PAIRS)]
    unlike = 0
    for one, other in (pairs[place] for place in places):
        unlike += not _alike(folder / one, folder / other, options)
        if unlike > 1:
            return False
    return True


def _alike(one: Path, other: Path, options: ColorizeOptions) -> bool:
    import numpy as np

    try:
        first, second = (_small(path, options) for path in (one, other))
    except Exception:  # reading it in its turn says what is wrong
        return False
    (size, a), (other_size, b) = first, second
    return bool(size == other_size and a.std() > 0 and b.std() > 0 and np.corrcoef(a, b)[0, 1] >= LEAST_ALIKE)


def _small(path: Path, options: ColorizeOptions) -> tuple[tuple[int, int], NDArray[np.float64]]:
    """Width and height of a picture, and the lightness of few pixels in a row. Raises as `read_photo`."""
    import cv2
    import numpy as np

    from colorize_media.photo.pages import read_photo

    photo = read_photo(path, max_pixels=options.max_pixels)
    small = cv2.resize(photo.preview, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return photo.size, np.asarray(small, np.float64).mean(axis=2).ravel()
