"""The mark of this program in a file, read back: who coloured it, and when. What stands there is not trusted.

A mark is taken only where version and date look like such, so whatever is shown is short and harmless.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from colorize_media.provenance.film_boxes import read_film_xmp
from colorize_media.provenance.film_tags import RECORD_TAG
from colorize_media.provenance.packet import XmpPacket
from colorize_media.provenance.record import PROGRAM

_VERSION, _DATE = r"[0-9][0-9A-Za-z.+-]{0,39}", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SENTENCE = re.compile(rf"Coloured by {PROGRAM} ({_VERSION}) on ({_DATE})\b")
_MOST_TEXT = 1 << 16  # characters of a tag that are looked at, the last ones


@dataclass(frozen=True)
class Mark:
    """This program's ``version``, and the ``date`` like 2026-05-04; empty where it is not said."""

    version: str
    date: str = ""

    @property
    def told(self) -> str:
        """One clause for people."""
        return f"coloured by {PROGRAM} {self.version}" + (f" on {self.date}" if self.date else "")


def mark_of_film(path: Path, tags: Mapping[str, str]) -> Mark | None:
    """The last colouring by this program that a film's file tells of; ``tags`` are those that FFmpeg finds in it."""
    packet = b""
    with contextlib.suppress(OSError, ValueError):
        packet = read_film_xmp(path)
    return mark_in_packet(packet) or mark_in_tags(tags)


def mark_in_packet(packet: bytes) -> Mark | None:
    """The last colouring by this program that an XMP packet's history tells of."""
    history: list[tuple[str, str]] = []
    if packet:
        with contextlib.suppress(ValueError):
            history = XmpPacket(packet).history()
    for agent, when in reversed(history):
        program, _, version = agent.partition(" ")
        if program == PROGRAM and (mark := _mark(version, when[:10])) is not None:
            return mark
    return None


def mark_in_tags(tags: Mapping[str, str]) -> Mark | None:
    """The last colouring by this program that a film's tags tell of."""
    for name, value in tags.items():
        text = value[-_MOST_TEXT:]
        if name.lower() == "comment" and (found := _SENTENCE.findall(text)):
            return _mark(*found[-1])
        if name.upper() == RECORD_TAG:
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                row = json.loads(text)
                if row["program"] == PROGRAM and (mark := _mark(row["version"], row["date"][:10])) is not None:
                    return mark
    return None


def _mark(version: str, date: str) -> Mark | None:
    if not re.fullmatch(_VERSION, version):
        return None
    return Mark(version, date if re.fullmatch(_DATE, date) else "")
