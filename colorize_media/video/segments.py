"""Segments: finished parts of a film's pictures as files, and their decoding times once they are joined.

A segment is what one encoder gave from its first frame to its last. Its file is our own, because no container would do:
NUT, FFmpeg's most general one, gave back H.264 in a 1/16000 s or 1001/30000 s time base with other ticks, changed the
durations of variable-rate film and the decoding times of all. It holds

    the packets' bytes, one after the other
    the index, JSON: extradata, and presentation time, duration, key and size of every packet in decoding order
    8 bytes: the index' length; 32 bytes: SHA-256 of everything before

Decoding times are not stored: they depend on the neighbours. Memory: one segment's index.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import av

from colorize_media.files.own_folder import OwnFolder
from colorize_media.files.whole import close_durably

_LENGTH = 8  # bytes
_DIGEST = 32  # bytes
_PIECE = 2**20  # bytes read at once
_LONGEST_INDEX = 2**28  # bytes; a segment has some thousands of packets of thirty

UNFINISHED = ".part"  # behind the name of a segment that is being written


class SegmentWriter:
    """Takes one encoder's packets; the file has its name, and is on the disk, when `finish` returns. Raises OSError."""

    def __init__(self, folder: OwnFolder, name: str) -> None:
        self.name = name
        self.index: list[tuple[int, int, bool, int]] = []
        self._folder = folder
        self._file = folder.begin(name + UNFINISHED)
        self._digest = hashlib.sha256()

    def add(self, packets: Iterable[av.Packet[Any]]) -> None:
        """The next packets in decoding order."""
        for packet in packets:
            content = bytes(packet)
            assert packet.pts is not None
            self.index.append((packet.pts, packet.duration or 0, packet.is_keyframe, len(content)))
            self._put(content)

    def finish(self, extradata: bytes, state: str) -> Segment:
        """Close the segment; ``state`` is the digest of what the film's loop needs to go on after it."""
        segment = _segment(self._folder, self.name, extradata.hex(), state, self.index)
        index = {"extradata": segment.extradata, "state": state, "packets": self.index}
        text = json.dumps(index, separators=(",", ":")).encode()
        self._put(text)
        self._put(len(text).to_bytes(_LENGTH, "little"))
        self._file.write(self._digest.digest())
        close_durably(self._file)
        self._folder.rename(self.name + UNFINISHED, self.name)
        return segment

    def abort(self) -> None:
        """Leave no file."""
        self._file.close()
        self._folder.remove(self.name + UNFINISHED)

    def _put(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)


@dataclass(frozen=True)
class Segment:
    """A finished segment.

    ``extradata``  hexadecimal, what a decoder must be told before the packets
    ``state``      the digest of what the film's loop needs to go on after it
    ``pictures``   how many there are
    ``last``       the latest presentation time, in ticks
    ``delay``      see `reorder_delay`
    """

    folder: OwnFolder
    name: str
    extradata: str
    state: str
    pictures: int
    last: int
    delay: int

    def times(self) -> list[int]:
        """Presentation times in decoding order, in ticks. Raises OSError."""
        with self.folder.read(self.name) as file:
            return [entry[0] for entry in _read_index(file)["packets"]]

    def packets(self, time_base: Fraction) -> Iterator[av.Packet[Any]]:
        """The packets in decoding order, without decoding times. Raises OSError."""
        with self.folder.read(self.name) as file:
            index = _read_index(file)["packets"]
            file.seek(0)
            for pts, duration, key, size in index:
                packet = av.Packet(file.read(size))
                packet.pts, packet.duration, packet.time_base, packet.is_keyframe = pts, duration, time_base, key
                yield packet


def read_segment(folder: OwnFolder, name: str) -> Segment | None:
    """The segment of a file; None when it is missing, no file of ours or not as it was written."""
    try:
        with folder.read(name) as file:
            if not _is_whole(file):
                return None
            index = _read_index(file)
        return _segment(folder, name, index["extradata"], index["state"], index["packets"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _segment(folder: OwnFolder, name: str, extradata: str, state: str, index: Sequence[Sequence[Any]]) -> Segment:
    times = [entry[0] for entry in index]
    return Segment(folder, name, extradata, state, len(times), max(times), reorder_delay(times))


def _is_whole(file: BinaryIO) -> bool:
    digest, left = hashlib.sha256(), file.seek(0, os.SEEK_END) - _DIGEST
    if left < _LENGTH:
        return False
    file.seek(0)
    while left and (piece := file.read(min(left, _PIECE))):
        digest.update(piece)
        left -= len(piece)
    return file.read() == digest.digest()


def _read_index(file: BinaryIO) -> Any:
    end = file.seek(-_LENGTH - _DIGEST, os.SEEK_END)
    length = int.from_bytes(file.read(_LENGTH), "little")
    if length > min(end, _LONGEST_INDEX):
        raise ValueError("no index")
    file.seek(end - length)
    return json.loads(file.read(length))


def reorder_delay(times: Sequence[int]) -> int:
    """How many packets a decoder must read ahead: ``times`` are presentation times in decoding order."""
    ranks = {pts: rank for rank, pts in enumerate(sorted(times))}
    return max((place - ranks[pts] for place, pts in enumerate(times)), default=0)


def decoding_times(segments: Iterable[Sequence[int]], delay: int) -> Iterator[int]:
    """Decoding times for the packets of all segments, given as their presentation times; ``delay`` the longest of all.

    As x264 does it: packet i is decoded when the (i − delay)-th picture is shown, the first ones as far before as the
    delay lasts. So times rise over the joints too, and none is later than its picture's. Gives ``delay`` times more than
    there are packets.
    """
    shown = itertools.chain.from_iterable(map(sorted, segments))
    first = list(itertools.islice(shown, delay + 1))
    for pts in first[:delay]:
        yield pts - (first[-1] - first[0])
    yield from first
    yield from shown
