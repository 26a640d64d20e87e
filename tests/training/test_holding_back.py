"""Without validation pictures of their own some are held back, however few there are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest

from colorize_media.errors import TrainingProblem
from colorize_media.training.commands import VAL_SHARE, _hold_back
from colorize_media.training.sources import Picture
from tests.made.photos import color_picture, encoded


def by_chance(data: bytes) -> bool:
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big") % VAL_SHARE == 0


def pictures(count: int, *, chance: bool) -> list[Picture]:
    """Of which chance holds some back, or none."""
    found, quality = [], 0
    while len(found) < count:
        data = encoded("JPEG", color_picture(height=80, width=80 + quality), quality=90)
        quality += 1
        if not by_chance(data) or (chance and not found):
            found.append(Picture(f"{quality}.jpg", "", data))
    return found


def reading(found: list[Picture]) -> Callable[[], Iterator[Picture]]:
    return lambda: iter(found)


def test_of_few_pictures_one_is_held_back_at_least() -> None:
    some = [*pictures(5, chance=False), Picture("broken.jpg", "", b"\xff\xd8\xff broken")]
    for order in (some, some[::-1]):
        is_held_back, store = _hold_back(reading(order), 0)
        held = [item.name for item in some if is_held_back(item)]
        assert len(held) == len(store) == 1
        assert held != ["broken.jpg"]
    again, _ = _hold_back(reading(some[::-1]), 0)
    assert [item.name for item in some if again(item)] == held


def test_of_one_picture_none_can_be() -> None:
    with pytest.raises(TrainingProblem):
        _hold_back(reading(pictures(1, chance=False)), 0)
