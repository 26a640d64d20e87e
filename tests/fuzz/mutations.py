"""What happens to files: cut by a download, flipped by a disk, spliced by a recovery program, or made so on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

Mutation: TypeAlias = Callable[[bytearray, bytes, Random], None]

_HEAD = 512  # bytes: headers and tables are here, and most of what decoders believe
_ODD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(data: bytes, others: Sequence[bytes], random: Random) -> tuple[bytes, str]:
    """The file after one to four mishaps, and their names. ``others`` are what it may be spliced with."""
    found, names = bytearray(data), []
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        name = random.choices(list(MUTATIONS), [weight for weight, _ in MUTATIONS.values()])[0]
        if found:
            MUTATIONS[name][1](found, random.choice(others), random)
            names.append(name)
    return bytes(found), ", ".join(names)


def _place(found: bytearray, random: Random) -> int:
    """Half of them in the head, a sixth in the tail, where tables and trailers are."""
    reach = random.choice(
        (min(_HEAD, len(found)), min(_HEAD, len(found)), min(_HEAD, len(found)), len(found), len(found))
    )
    if random.random() < 1 / 6:
        return len(found) - 1 - random.randrange(min(_HEAD, len(found)))
    return random.randrange(reach)


def _length(found: bytearray, random: Random) -> int:
    return int(min(len(found), 2 ** random.uniform(0, 12)))


def _cut_end(found: bytearray, other: bytes, random: Random) -> None:
    del found[random.randrange(len(found)) :]


def _cut_start(found: bytearray, other: bytes, random: Random) -> None:
    del found[: _length(found, random)]


def _cut_out(found: bytearray, other: bytes, random: Random) -> None:
    start = _place(found, random)
    del found[start : start + _length(found, random)]


def _flip_bits(found: bytearray, other: bytes, random: Random) -> None:
    for _ in range(random.choice((1, 1, 4, 32))):
        found[_place(found, random)] ^= 1 << random.randrange(8)


def _set_number(found: bytearray, other: bytes, random: Random) -> None:
    """A number that programs reckon wrongly with, in one, two, four or eight bytes of either order."""
    size = random.choice((1, 2, 4, 4, 8))
    value = (random.choice(_ODD) & (1 << 8 * size) - 1).to_bytes(size, random.choice(("big", "little")))
    start = _place(found, random)
    found[start : start + size] = value[: max(0, len(found) - start)]


def _count_up_or_down(found: bytearray, other: bytes, random: Random) -> None:
    place = _place(found, random)
    found[place] = (found[place] + random.choice((-2, -1, 1, 2))) % 256


def _noise(found: bytearray, other: bytes, random: Random) -> None:
    start, length = _place(found, random), _length(found, random)
    found[start : start + length] = random.randbytes(min(length, len(found) - start))


def _zeros(found: bytearray, other: bytes, random: Random) -> None:
    """As a download leaves what has not come, and a disk what it could not read."""
    start, length = _place(found, random), _length(found, random)
    found[start : start + length] = bytes(min(length, len(found) - start))


def _repeat(found: bytearray, other: bytes, random: Random) -> None:
    start = _place(found, random)
    piece = found[start : start + _length(found, random)]
    found[start:start] = piece * random.choice((1, 1, 3))


def _swap(found: bytearray, other: bytes, random: Random) -> None:
    length = _length(found, random)
    one, two = sorted((_place(found, random), _place(found, random)))
    first, second = found[one : one + length], found[two : two + length]
    if one + length <= two:
        found[two : two + length], found[one : one + length] = first, second


def _insert(found: bytearray, other: bytes, random: Random) -> None:
    start = random.randrange(max(1, len(other)))
    place = _place(found, random)
    found[place:place] = other[start : start + _length(found, random)]


def _head_and_tail(found: bytearray, other: bytes, random: Random) -> None:
    found[random.randrange(len(found)) :] = other[random.randrange(max(1, len(other))) :]


def _append(found: bytearray, other: bytes, random: Random) -> None:
    found += other


MUTATIONS: dict[str, tuple[int, Mutation]] = {
    "cut end": (3, _cut_end),
    "cut start": (1, _cut_start),
    "cut out": (3, _cut_out),
    "flipped bits": (5, _flip_bits),
    "odd number": (6, _set_number),
    "counted": (3, _count_up_or_down),
    "noise": (2, _noise),
    "zeros": (2, _zeros),
    "repeated": (2, _repeat),
    "swapped": (2, _swap),
    "inserted": (2, _insert),
    "head and tail": (3, _head_and_tail),
    "appended": (1, _append),
}
