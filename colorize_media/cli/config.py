"""Options from a config file (TOML), as click's defaults.

Nothing is to be done here for a new command or option: the commands themselves say what a file may name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from colorize_media.cli.group import DefaultGroup
from colorize_media.errors import BadOption


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
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadOption(
            "cannot read the config file", path=path, why=str(error), hint="correct it, or name another with --config"
        ) from error
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    tables[group.default] = {name: value for name, value in values.items() if not isinstance(value, dict)}
    return {name: _checked(group, path, name, table) for name, table in tables.items()}


def _checked(group: DefaultGroup, path: Path, name: str, table: dict[str, Any]) -> dict[str, Any]:
    """A command's values by its parameters' names. Raises BadOption."""
    command = group.commands.get(name)
    known = {parameter.name for parameter in command.params} if command else set()
    checked = {key.replace("-", "_"): value for key, value in table.items()}
    unknown = sorted(checked.keys() - known)
    if command is None or unknown:
        raise BadOption(
            "unknown name in the config file",
            path=path,
            why=f"[{name}]" if command is None else ", ".join(unknown),
            hint="colorize-media --help lists the options",
        )
    return checked


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
