"""Which pictures a step sees: sources mixed by weight, each gone through in an order of its own.

A picture's source is the first folder of its name. An epoch has as many places as there are pictures; a source gets the
places that its share gives it, all places are shuffled, and each takes the next picture of its source. So a step's pictures
are a pure function of (seed, step, the pictures and weights): nothing has to be remembered to go on, and when pictures are
added later the deal is simply another from there on. With equal weights and no caps an epoch shows every picture once.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Cap = tuple[float, tuple[str, ...]]  # largest share of all places, and the sources that it holds together


def source_of(name: str) -> str:
    """The first folder of a picture's name, "" if it lies in none."""
    return name.split("/", 1)[0] if "/" in name else ""


class Deal:
    """The pictures of any step. ``shares`` are the sources' shares of all places, by name."""

    def __init__(
        self,
        names: Sequence[str],
        seed: int,
        *,
        of_pictures: Sequence[float] = (),
        of_sources: Mapping[str, float] | None = None,
        caps: Sequence[Cap] = (),
        largest_share: float = 1.0,
    ) -> None:
        """``of_pictures``, ``of_sources``: how often a picture is drawn, times what it would be; 1 where nothing is said.

        ``caps`` hold groups of sources down, ``largest_share`` each single one.
        """
        self.seed, self.count = seed, len(names)
        weights = of_pictures or [1.0] * len(names)
        groups: dict[tuple[str, float], list[int]] = {}
        for index, (name, weight) in enumerate(zip(names, weights, strict=True)):
            groups.setdefault((source_of(name), weight), []).append(index)
        self._groups = sorted(groups)
        self._pictures = [np.array(groups[group]) for group in self._groups]
        drawn = [
            len(pictures) * weight * (of_sources or {}).get(source, 1.0)
            for (source, weight), pictures in zip(self._groups, self._pictures, strict=True)
        ]
        sources = [source for source, _ in self._groups]
        each = [(largest_share, (source,)) for source in dict.fromkeys(sources)] if largest_share < 1.0 else []
        shares = _capped(np.array(drawn), sources, [*caps, *each])
        self._places = _whole_places(shares, self.count)
        self.shares: dict[str, float] = {}
        for (source, _), share in zip(self._groups, shares.tolist(), strict=True):
            self.shares[source] = self.shares.get(source, 0.0) + share
        self._epochs: dict[int, NDArray[np.int64]] = {}

    def indices(self, step: int, batch: int) -> list[int]:
        """Numbers of the ``batch`` pictures that step ``step`` sees."""
        chosen = []
        for position in range(step * batch, (step + 1) * batch):
            epoch, place = divmod(position, self.count)
            chosen.append(int(self._epoch(epoch)[place]))
        return chosen

    def epoch_of(self, step: int, batch: int) -> int:
        """The epoch in which a step begins."""
        return step * batch // self.count

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        """The pictures of an epoch's places."""
        if epoch not in self._epochs:
            while len(self._epochs) > 1:  # an epoch's end needs two
                self._epochs.pop(next(iter(self._epochs)))
            slots = np.repeat(np.arange(len(self._places)), self._places)
            slots = np.random.default_rng((self.seed, epoch, 1)).permutation(slots)
            pictures = np.empty(self.count, np.int64)
            for number, places in enumerate(self._places):
                positions = np.arange(epoch * places, (epoch + 1) * places)
                pictures[slots == number] = self._of_source(number, positions)
            self._epochs[epoch] = pictures
        return self._epochs[epoch]

    def _of_source(self, number: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """A source's pictures at consecutive positions of its endless sequence of shuffled rounds."""
        pictures = self._pictures[number]
        source, weight = self._groups[number]
        own = zlib.crc32(
            f"{source} {weight:g}".encode()
        )  # by name: a source that is added later shifts no other's order
        found = np.empty(len(positions), np.int64)
        rounds, places = np.divmod(positions, len(pictures))
        for one in np.unique(rounds).tolist():
            order = np.random.default_rng((self.seed, one, 6, own)).permutation(len(pictures))
            inside = rounds == one
            found[inside] = pictures[order[places[inside]]]
        return found


def _capped(drawn: NDArray[np.float64], sources: Sequence[str], caps: Sequence[Cap]) -> NDArray[np.float64]:
    """Shares that sum to 1, no group of sources above its cap; what a cap takes off goes to all that have none."""
    shares = drawn / drawn.sum()
    held = np.zeros(len(shares), bool)
    groups = [(cap, np.isin(sources, members)) for cap, members in caps]
    while True:
        over = [(cap, group) for cap, group in groups if shares[group].sum() > cap + 1e-9 and not held[group].all()]
        if not over:
            return shares
        for cap, group in over:
            shares[group] *= cap / shares[group].sum()
            held |= group
        free = ~held
        if not shares[free].sum():
            return shares / shares.sum()
        shares[free] *= (1.0 - shares[held].sum()) / shares[free].sum()


def _whole_places(shares: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Places of an epoch for each share: whole numbers, the largest remainders rounded up."""
    exact = shares * count
    places = np.floor(exact + 1e-6).astype(np.int64)
    missing = count - int(places.sum())
    places[np.argsort(places - exact, kind="stable")[:missing]] += 1
    return places


def batch_report(deal: Deal, names: Sequence[str], batch: int) -> dict[str, dict[str, float]]:
    """By source: how many pictures there are, its share of what is shown, how many a batch has, and how often each comes."""
    counts = Counter(map(source_of, names))
    return {
        source: {
            "pictures": counts[source],
            "share": round(share, 4),
            "in_a_batch": round(share * batch, 2),
            "times_an_epoch": round(share * deal.count / counts[source], 2),
        }
        for source, share in sorted(deal.shares.items(), key=lambda item: -item[1])
    }
