"""Whether the encoder takes what it is told, found by starting it once: else told with the name of what is wrong."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import av
import av.logging
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from colorize_media.errors import BadOption

_LISTS = "-params"  # x264-params and its like are lists of the encoder's own, of which a wrong one is only logged
_WRONG = re.compile(r"unknown option|error parsing option|invalid value|bad value", re.IGNORECASE)


class Startable(Protocol):
    """What is tried: an `encoder.Encoding`."""

    @property
    def encoder(self) -> str: ...
    @property
    def container(self) -> str: ...
    @property
    def target(self) -> Path: ...

    def options(self) -> dict[str, str]: ...

    def started(self, container: OutputContainer, options: dict[str, str]) -> VideoStream: ...


def check_settings(encoding: Startable, said: Mapping[str, str]) -> None:
    """``said`` has, by name, how each of the encoder's options was asked for. Raises BadOption for the one that is wrong.

    An encoder that does not start for another reason is not told here.
    """
    if not said:
        return
    left, problem = _start(encoding)
    for name, words in said.items():
        if name in left:  # what the encoder did not take stays there
            raise BadOption(
                f"{words}: {encoding.encoder} has no {name}",
                path=encoding.target,
                why="the encoder does not know this option",
                hint=f"leave it out, or choose another encoder; ffmpeg -h encoder={encoding.encoder} lists its options",
            )
    if problem is None:
        return
    for name, words in said.items():
        _, without = _start(encoding, name)
        if without is None:
            raise BadOption(
                f"{words}: {encoding.encoder} does not take this",
                path=encoding.target,
                why=problem,
                hint=f"leave it out; ffmpeg -h encoder={encoding.encoder} lists what it takes",
            )


def _start(encoding: Startable, leave_out: str = "") -> tuple[frozenset[str], str | None]:
    """Names of the options that the encoder has not taken; and why it does not start, or what it says against one, if so."""
    options = {name: value for name, value in encoding.options().items() if name != leave_out}
    lists = any(name.endswith(_LISTS) for name in options)
    level, skipped = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.WARNING if lists else av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # a second start may fail for the same reason
    try:
        with av.logging.Capture(local=False) as heard, av.open(io.BytesIO(), "w", format=encoding.container) as scratch:
            try:
                context = encoding.started(scratch, options).codec_context
            except (FFmpegError, ValueError) as error:
                return frozenset(), said_of(error)
    finally:
        av.logging.set_skip_repeated(skipped)
        av.logging.set_level(level)
    wrong = [text.strip() for _, _, text in heard if _WRONG.search(text)]
    return frozenset(context.options), wrong[0] if wrong else None


def said_of(error: BaseException) -> str:
    """FFmpeg's own words of a failure, without the call that PyAV names."""
    _, found, last = str(error).partition("last error log: ")
    return last if found else str(getattr(error, "strerror", "") or error)
