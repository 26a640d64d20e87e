"""The one door through which text leaves for a terminal.

Names, tags of films, reasons out of manifests and words of servers are shown; any of them may hold sequences that drive a
terminal. So nothing in `cli` but this writes text; a test looks for other ways.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

import click

from colorize_media.wording import shown_text


def say(text: str, *, err: bool = False) -> None:
    """Lines on standard output, or standard error, without control characters."""
    click.echo(harmless(text), err=err)


def say_lines(lines: Iterable[str]) -> None:
    """Each as `say` does."""
    for line in lines:
        say(line)


def write_line(stream: TextIO, text: str) -> None:
    """The same on a stream that is held, at once."""
    stream.write(harmless(text) + "\n")
    stream.flush()


def write_in_place(text: str) -> None:
    """One line on the terminal behind standard error, in place of the one before; nothing takes it away."""
    sys.stderr.write(f"\r\x1b[K{harmless(text)}")
    sys.stderr.flush()


def harmless(text: str) -> str:
    """Its lines, each without control characters but tabs."""
    return "\n".join("\t".join(map(shown_text, line.split("\t"))) for line in text.split("\n"))
