"""Options from a config file (TOML), as click's defaults.

Nothing is to be done here for a new command or option: the commands themselves say what a file may name.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

from colorize_media.cli.group import DefaultGroup
from colorize_media.errors import BadOption
from colorize_media.files.first_look import open_regular

LONGEST = 1 << 20  # bytes of a config file


def read_config(group: DefaultGroup, arguments: list[str]) -> dict[str, Any]:
    """click's default map from the config file: the one that --config names, else config.toml in the user's folder.

    Keys are option names, with dashes or underscores; they stand for the default command, tables for the others. Raises
    BadOption for a file that is not TOML or names an option that does not exist.
    """
    named = _named_config(arguments)
    path = named or Path(click.get_app_dir("colorize-media")) / "config.toml"
    if named is None and not path.is_file():
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values = tomllib.loads(_text(path))
    except (OSError, ValueError, RecursionError) as error:  # a wrong TOML, too
        raise BadOption(
            "cannot read the config file", path=path, why=str(error), hint="correct it, or name another with --config"
        ) from error
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    tables[group.default] = {name: value for name, value in values.items() if not isinstance(value, dict)}
    return {name: _checked(group, path, name, table) for name, table in tables.items()}


def _text(path: Path) -> str:
    """Of a file that a person names, so it may be a link. Raises OSError, UnicodeDecodeError."""
    with open_regular(path) as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise OSError(errno.EFBIG, f"it has more than {LONGEST:,} bytes")
    return content.decode("utf-8")


def _checked(group: DefaultGroup, path: Path, name: str, table: dict[str, Any]) -> dict[str, Any]:
    """A command's values by its parameters' names. Raises BadOption."""
    command = group.commands.get(name)
    known = _parameters(command) if command else {}
    unknown = sorted(key for key in (key.replace("-", "_") for key in table) if key not in known)
    if command is None or unknown:
        raise BadOption(
            "unknown name in the config file",
            path=path,
            why=f"[{name}]" if command is None else ", ".join(unknown),
            hint="colorize-media --help lists the options",
        )
    checked = {}
    for key, value in table.items():
        parameter = known[key.replace("-", "_")]
        _check_value(path, key, parameter, value)
        checked[str(parameter.name)] = value
    return checked


def _parameters(command: click.Command) -> dict[str, click.Parameter]:
    """By their own names, and as they are typed: --for is called otherwise, as Python has a "for" of its own."""
    typed = {name.lstrip("-").replace("-", "_"): one for one in command.params for name in one.opts}
    return {**typed, **{str(one.name): one for one in command.params}}


def _check_value(path: Path, key: str, parameter: click.Parameter, value: Any) -> None:
    """Raises BadOption, with the key's name: click would tell of a flag that nobody has typed."""
    try:
        if isinstance(value, (list, dict)) and not parameter.multiple and parameter.nargs == 1:
            raise click.BadParameter("it takes one value")
        parameter.type_cast_value(click.Context(click.Command("config")), value)
    except (click.UsageError, TypeError, ValueError) as error:
        why = error.format_message() if isinstance(error, click.UsageError) else str(error)
        raise BadOption(
            f"wrong value of {key} in the config file", path=path, why=f"{value!r}: {why}", hint="correct it"
        ) from error


def _named_config(arguments: list[str]) -> Path | None:
    """--config must be known before click parses, because it feeds click's defaults."""
    for place, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--config" and place + 1 < len(arguments):
            return Path(arguments[place + 1])
        if word.startswith("--config="):
            return Path(word.partition("=")[2])
    named = os.environ.get("COLORIZE_MEDIA_CONFIG")
    return Path(named) if named else None
