"""Streams that first appear late in a file: behind what FFmpeg looks through when it opens one, and that PyAV so never shows.

Transport and program streams, FLV and a few others have no list of their streams: a second language, a subtitle or all of the
sound is known only once its first packet has been read. So such a file is gone through once, packets only (about 400 MB a
second), and if there is more in it than was known, it is opened with a look that is long enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream

from colorize_media.video.demuxing import Probe, open_container

_REWINDING = frozenset({"mpeg", "mpegts"})  # go back to their beginning after the look, so that it keeps nothing
_WITHOUT_LIST = _REWINDING | {"flv", "live_flv", "nsv", "swf", "wtv", "pva", "ty", "nuv"}

SHORTEST = 8 * 2**20  # bytes; FFmpeg's own look takes 5 MB, or 7 seconds
MOST_KEPT = 256 * 2**20
"""Bytes that a look may keep in memory, where what was read for it cannot be read again."""
_ALL = 2**62


@dataclass(frozen=True)
class Late:
    """What a file has beside what its usual opening shows.

    ``probe`` opens it with all streams, or all but the ``unknown`` ones, which begin later than can be looked; None if the
    usual look is enough.
    """

    probe: Probe | None = None
    unknown: tuple[str, ...] = ()


def late_streams(path: Path, known: InputContainer) -> Late:
    """Look for more streams than ``known``, the file as it was opened, shows. Raises InputUnreadable, DamagedMedia."""
    names = set(known.format.name.split(","))
    if not names & _WITHOUT_LIST:
        return Late()
    keep = not names & _REWINDING
    # Nothing is kept of this one, so that it can be of any size.
    with open_container(path, Probe(_ALL)) as whole:
        wanted = _described(whole)
        if wanted == _described(known):
            return Late()
        size, most = path.stat().st_size, MOST_KEPT if keep else _ALL
        length = SHORTEST
        while True:
            probe = Probe(min(length, most), keep=keep)
            with open_container(path, probe) as opened:
                if _described(opened) == wanted:
                    return Late(probe)
                if length >= min(size, most):
                    return Late(probe, tuple(_told(stream) for stream in list(whole.streams)[len(opened.streams) :]))
            length *= 2


def _described(container: InputContainer) -> list[tuple[int, bool]]:
    """Each stream's own number, and whether enough of it was seen."""
    return [(stream.id, not isinstance(stream, AudioStream) or _rate(stream) > 0) for stream in container.streams]


def _rate(stream: AudioStream) -> int:
    return stream.codec_context.sample_rate if stream.codec_context is not None else 0


def _told(stream: Stream) -> str:
    codec = f" ({stream.codec_context.name})" if stream.codec_context is not None else ""
    return f"{stream.type} stream {stream.index}{codec}"
