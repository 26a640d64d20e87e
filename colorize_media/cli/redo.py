"""``colorize-media redo``: the command that made an output, and what is missing to give it again."""

from __future__ import annotations

import json
import shlex
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorize_media.cli.group import cli
from colorize_media.cli.parameters import DEFAULTS, PATH, Seconds
from colorize_media.cli.terminal import say
from colorize_media.errors import BadOption, NoRecord, UnknownModel
from colorize_media.options import ColorizeOptions, of_the_network
from colorize_media.version import __version__

if TYPE_CHECKING:
    from colorize_media.archive.how_made import Made

MISSING = 1  # exit code

_TIMES = ("start", "duration")


@cli.command()
@click.argument("output", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def redo(output: Path, as_json: bool) -> int:
    """Show the command that made an output, and what is missing to give it again. Nothing is done.

    The exit code is 1 where something is missing, or nobody knows how it was made.
    """
    from colorize_media.archive.how_made import HowMade, state_of_source

    made = HowMade(DEFAULTS.max_pixels).of(output)
    if made is None:
        raise NoRecord(
            "nothing says how it was made",
            path=output,
            why="it carries no record, and neither an output folder nor this user's cache remembers it",
            hint="name an output of this program, in the folder that it was made in",
        )
    command, unknown = command_of(made, output)
    missing = [*filter(None, (state_of_source(made), _state_of_weights(made))), *unknown]
    notes = ["it was changed since it was made"] if made.changed else []
    if made.record.version != __version__:
        notes.append(f"it was made by version {made.record.version}; this is {__version__}")
    if as_json:
        say(json.dumps({"command": command, "missing": missing, "notes": notes, "record": made.record.as_json()}))
    else:
        say(shlex.join(command))
        for line in (*(f"missing: {text}" for text in missing), *notes, "with -y it takes the place of what is there"):
            say(line, err=True)
    return MISSING if missing else 0


def command_of(made: Made, output: Path) -> tuple[list[str], list[str]]:
    """The words of the command, and what of the record cannot be said in this version's words.

    A record is not trusted: only options of this program with values in their ranges become words.
    """
    said: dict[str, Any] = {**made.record.options, **made.record.settings}
    words, unknown = [], []
    for name, value in sorted(said.items()):
        try:
            words += _words(name, value)
        except (BadOption, TypeError, ValueError, click.UsageError):
            unknown.append(f"an option that this version does not know: {name} {value}")
    source = made.source or Path("SOURCE")
    if "image_sequence" in said:  # frames of a folder, each of which was made with the others
        source, output = source.parent, output.parent
    model = [] if made.record.model == DEFAULTS.model else ["--model", made.record.model]
    return ["colorize-media", _as_word(source), "-o", _as_word(output), *model, *words], unknown


def _words(name: str, value: Any) -> list[str]:
    """Of an option that is not at its default. Raises TypeError, ValueError, BadOption for what is none."""
    given: Any = tuple(value) if isinstance(value, list) else value
    if isinstance(given, tuple) != isinstance(getattr(DEFAULTS, name, None), tuple):
        raise ValueError("one where there are several, or several where there is one")
    if name in of_the_network() or name.startswith("sign_"):
        raise ValueError("no option that a record has")
    if name in (*_TIMES, "image_sequence"):
        given = Fraction(value)
    if isinstance(value, (list, tuple)):
        given = tuple(value)
    if ColorizeOptions(**{name: given}) == DEFAULTS or type(given) is not type(getattr(DEFAULTS, name) or given):
        raise ValueError("no value of this option")
    flag = "--for" if name == "purpose" else f"--{name.replace('_', '-')}"
    if isinstance(given, tuple):
        return [word for one in given for word in (flag, str(one))]
    if isinstance(value, bool):
        return [flag if value else f"--no-{name.replace('_', '-')}"]
    if name in _TIMES:
        value = f"{float(given):.9f}".rstrip("0").rstrip(".")
        Seconds().convert(value, None, None)
    if isinstance(given, tuple):
        return [word for one in given for word in (flag, str(one))]
    return [flag, str(value)]


def _as_word(path: Path) -> str:
    """A name that begins like an option is none."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def _state_of_weights(made: Made) -> str:
    """What is amiss with the network; nothing where this program has the same weights."""
    from colorize_media.models import find_weights, weights_digest
    from colorize_media.provenance.record import SHORT_DIGEST

    record = made.record
    digest = record.weights[:SHORT_DIGEST]
    try:
        weights = find_weights(record.model)
    except UnknownModel:
        return f"the network {record.model} is not shipped: give --model its weights (sha256 {digest})"
    if weights_digest(weights) != record.weights:
        return f"the weights of {record.model} are others now; it was made with those of sha256 {digest}"
    return ""
