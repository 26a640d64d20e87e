"""Pictures decoded once into memory as uint8, and the batches cut from them.

A batch is a pure function of (seed, step): which pictures (`mixture`), which crops, which flips. That makes ``--resume``
exact without storing any sampler state, lets any step be looked at again, and lets several processes share a batch: each cuts
its rows.

Pictures that do not fit into the memory set aside stay as they came (a tenth of the size) and are decoded at each use.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from colorize_media.errors import TrainingProblem
from colorize_media.machine import memory_bytes
from colorize_media.training.mixture import Deal, source_of
from colorize_media.training.sources import Picture

SMALLEST_SIDE = 64  # px; smaller pictures have no scene to learn from
LARGEST_PIXELS = 100_000_000
_CUT_TOGETHER = 16  # crops in one thread's task


@dataclass
class PictureStore:
    """Pictures with short side at most ``side``; their names, scene labels and categories of content beside them.

    ``pictures[i]`` is (H, W, 3) uint8 R'G'B', or the file's bytes where memory did not suffice: use `pixels`. ``weights[i]``
    is how often it is drawn, times what it would be.
    """

    side: int = 256
    pictures: list[NDArray[np.uint8] | bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    categories: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pictures)

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 R'G'B' of one picture, decoded now if it is not yet."""
        picture = self.pictures[index]
        if isinstance(picture, np.ndarray):
            return picture
        decoded = decode(picture, self.side)
        # Only its header was read when it was loaded. What is damaged behind it is as good as not there: it is the
        # picture before it, which is the same at every try.
        return self.pixels(index - 1) if isinstance(decoded, str) else decoded

    def digest(self, index: int) -> str:
        """What identifies a picture as it is kept here: two of one name may come from two folders."""
        picture = self.pictures[index]
        return hashlib.sha1(
            picture if isinstance(picture, bytes) else picture.tobytes(), usedforsecurity=False
        ).hexdigest()

    @property
    def bytes(self) -> int:
        """Memory of all pictures."""
        return sum(len(picture) if isinstance(picture, bytes) else picture.nbytes for picture in self.pictures)

    @property
    def decoded(self) -> int:
        """How many pictures are kept as pixels."""
        return sum(not isinstance(picture, bytes) for picture in self.pictures)

    def part(self, rank: int, count: int) -> PictureStore:
        """Every ``count``-th picture from ``rank`` on: disjoint parts that together are all, none of them padded."""
        chosen = slice(rank, None, count)
        return PictureStore(
            self.side,
            self.pictures[chosen],
            self.names[chosen],
            self.labels[chosen],
            Counter(self.dropped),
            self.categories[chosen],
            self.weights[chosen],
        )

    def scene_classes(self, smallest: int = 30) -> tuple[str, ...]:
        """Labels that at least ``smallest`` pictures carry, in alphabetical order."""
        counts = Counter(label for label in self.labels if label)
        return tuple(sorted(label for label, count in counts.items() if count >= smallest))


def decode(data: bytes, side: int) -> NDArray[np.uint8] | str:
    """R'G'B' as a viewer shows it, upright and in sRGB, short side at most ``side`` px, or why the picture is dropped."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > LARGEST_PIXELS:
                return "too large"
            if min(image.size) < SMALLEST_SIDE:
                return "too small"
            return shrink(upright_srgb(image, side), side)
    except Image.DecompressionBombError:
        return "too large"
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Warning):
        return "not readable"


def why_unusable(data: bytes) -> str:
    """What `decode` would drop a picture for by its header alone, "" if it looks good: 0.04 to 0.2 ms instead of 1.3 to 2.1."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > LARGEST_PIXELS:
                return "too large"
            return "too small" if min(image.size) < SMALLEST_SIDE else ""
    except Image.DecompressionBombError:
        return "too large"
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Warning):
        return "not readable"


def upright_srgb(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """(H, W, 3) R'G'B': turned by the EXIF orientation, converted by the embedded profile where there is a usable one.

    A JPEG may come reduced by a power of two, to no less than 2 ``side`` px. Raises what Pillow raises.
    """
    image.draft("RGB", (2 * side, 2 * side))  # JPEG: let the decoder shrink
    return np.asarray(_in_srgb(ImageOps.exif_transpose(image)))


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def shrink(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture with a short side of at most ``side`` px, averaged down."""
    scale = side / min(rgb.shape[:2])
    if scale < 1:
        height, width = (max(side, round(length * scale)) for length in rgb.shape[:2])
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return np.ascontiguousarray(rgb)


def load_pictures(
    pictures: Iterable[Picture], side: int, *, limit: int = 0, workers: int = 4, memory: int | None = None
) -> PictureStore:
    """Decode all (or the first ``limit``) pictures. What cannot be used is counted by reason in ``dropped``.

    ``memory`` bounds the bytes of decoded pictures; None is `memory_for_pictures`. Raises TrainingProblem if
    nothing is left.
    """
    store = PictureStore(side)
    room = memory_for_pictures() if memory is None else memory
    with ThreadPoolExecutor(workers) as pool:
        batch: list[Picture] = []
        for picture in pictures:
            batch.append(picture)
            if len(batch) == 256:
                room = _decode_into(store, batch, room, pool)
                batch = []
            if limit and len(store) + len(batch) >= limit:
                break
        _decode_into(store, batch, room, pool)
    if not store.pictures:
        raise TrainingProblem(
            "no pictures to train on",
            why=f"dropped: {dict(store.dropped)}",
            hint="give a folder or tar of colour pictures",
        )
    return store


def _decode_into(store: PictureStore, batch: list[Picture], room: int, pool: ThreadPoolExecutor) -> int:
    """Adds a batch; returns how many bytes are left for decoded pictures."""
    full = room <= 0

    def look(item: Picture) -> NDArray[np.uint8] | str:
        return why_unusable(item.data) if full else decode(item.data, store.side)

    for picture, found in zip(batch, pool.map(look, batch), strict=True):
        if isinstance(found, str) and found:
            store.dropped[found] += 1
            continue
        fits = not isinstance(found, str) and found.nbytes <= room
        # Once a picture did not fit, no other is tried: to decode all that will not stay would only take time.
        room = room - found.nbytes if fits and not isinstance(found, str) else 0
        store.pictures.append(found if fits and not isinstance(found, str) else picture.data)
        store.names.append(picture.name)
        store.labels.append(picture.label)
        store.categories.append(picture.category)
        store.weights.append(picture.weight)
    return room


def memory_for_pictures() -> int:
    """Bytes: half of the machine's memory, shared among the processes that torchrun started on it; 4 GiB if unknown."""
    return (memory_bytes() or 8 * 2**30) // 2 // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


class Cut(NamedTuple):
    """Where a crop lies in its picture, as shares of the picture's height and width, and whether it is mirrored."""

    top: float
    left: float
    height: float
    width: float
    mirrored: bool


class Batch(NamedTuple):
    """The crops ``(rows, size, size, 3)`` uint8 R'G'B' of a step; of each its picture's label and number, and where it lies."""

    rgb: Tensor
    labels: list[str]
    indices: list[int]
    cuts: list[Cut]


def cut_batch(
    store: PictureStore,
    deal: Deal,
    step: int,
    batch: int,
    size: int,
    smallest_area: float,
    *,
    squashed: Collection[str] = (),
    rows: range | None = None,
    pool: Executor | None = None,
) -> Batch:
    """The crops of one step.

    Random crop of ``smallest_area`` to 1 of the picture, aspect 3:4 to 4:3, enlarged or reduced to ``size``; half are
    mirrored. Pictures of the ``squashed`` sources are stretched by up to a third more, either way. ``rows`` are the places
    in the batch to cut, all by default; a row does not depend on which others are cut. ``pool`` cuts several rows at once.
    """
    rows = range(batch) if rows is None else rows
    seed = deal.seed
    indices = deal.indices(step, batch)[rows.start : rows.stop]
    # Numbers come row by row, so the first places' are the same however many follow.
    chances = np.random.default_rng((seed, step, 2)).random((rows.stop, 5))[rows.start :].tolist()
    stretches = _stretches(store, indices, squashed, seed, step, rows)
    out = np.empty((len(rows), size, size, 3), np.uint8)
    cuts: list[Cut] = [Cut(0.0, 0.0, 1.0, 1.0, False)] * len(rows)

    def cut(places: range) -> None:
        for place in places:
            picture = store.pixels(indices[place])
            cuts[place] = _random_crop(picture, smallest_area, chances[place], out[place], stretches[place])

    parts = [range(start, min(start + _CUT_TOGETHER, len(rows))) for start in range(0, len(rows), _CUT_TOGETHER)]
    list((map if pool is None else pool.map)(cut, parts))
    return Batch(torch.from_numpy(out), [store.labels[index] for index in indices], indices, cuts)


def _stretches(
    store: PictureStore, indices: Sequence[int], squashed: Collection[str], seed: int, step: int, rows: range
) -> list[float]:
    """Width over height, times what it is, that each picture is given beside its crop's own: 3/4 to 4/3 if it was squashed."""
    if not squashed:
        return [1.0] * len(indices)
    chances = np.random.default_rng((seed, step, 5)).random(rows.stop)[rows.start :]
    return [
        float(3 / 4 * (16 / 9) ** chance) if source_of(store.names[index]) in squashed else 1.0
        for index, chance in zip(indices, chances, strict=True)
    ]


def _random_crop(
    picture: NDArray[np.uint8],
    smallest_area: float,
    chances: Sequence[float],
    out: NDArray[np.uint8],
    stretch: float = 1.0,
) -> Cut:
    """Fill ``out (size, size, 3)``; five chances in [0, 1) decide."""
    height, width = picture.shape[:2]
    size = len(out)
    share, shape, down, across, mirror = chances
    area = height * width * (smallest_area + (1.0 - smallest_area) * share)
    aspect = stretch * 3 / 4 * (16 / 9) ** shape
    crop_w = min(width, max(1, round(math.sqrt(area * aspect))))
    crop_h = min(height, max(1, round(math.sqrt(area / aspect))))
    top, left = int(down * (height - crop_h + 1)), int(across * (width - crop_w + 1))
    crop = picture[top : top + crop_h, left : left + crop_w]
    shrinking = crop_h > size and crop_w > size
    cv2.resize(crop, (size, size), dst=out, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    if mirror < 0.5:
        cv2.flip(out, 1, dst=out)
    return Cut(top / height, left / width, crop_h / height, crop_w / width, mirror < 0.5)


def center_square(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Short side to ``size`` px, then the middle ``size × size``: how evaluation sees a picture."""
    height, width = picture.shape[:2]
    scale = size / min(height, width)
    height, width = max(size, round(height * scale)), max(size, round(width * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(picture, (width, height), interpolation=interpolation)
    top, left = (height - size) // 2, (width - size) // 2
    return np.ascontiguousarray(resized[top : top + size, left : left + size])
