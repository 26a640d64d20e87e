"""The command line: words → options → jobs → exit codes.

    group       the group that every command belongs to, and the default command's name
    parameters  kinds of values and options that several commands take
    config      the config file
    running     threads, network, events, signals, exit codes
    colorize inspect redo immich train tools plugin    the commands

To add a command, write ``@cli.command()`` over a function in the module of its kin, or in a new module that is imported here;
it returns an exit code and raises `ColorizeError`. torch, PyAV and the rest of the package are imported inside the commands,
so that ``--help`` is instant. Every option can also come from ``COLORIZE_MEDIA_<NAME>`` and from the config file, under the
same name: flag before environment before file. Human text goes to standard error, JSON lines and tables to standard output.
"""

from __future__ import annotations

import click

from colorize_media.cli import colorize, immich, inspect, plugin, redo, tools, train  # noqa: F401 (they add their commands)
from colorize_media.cli.config import read_config
from colorize_media.cli.group import cli
from colorize_media.cli.running import WRONG_USAGE, exit_code_of
from colorize_media.cli.terminal import say
from colorize_media.machine import let_cores_go

PROGRAM = "colorize-media"


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. Renders errors; nothing below exits or prints."""
    let_cores_go()
    if not arguments:
        with click.Context(cli, info_name=PROGRAM) as context:
            say(cli.get_help(context), err=True)
        return WRONG_USAGE

    def command() -> object:
        config = read_config(cli, arguments)
        return cli.main(arguments, prog_name=PROGRAM, standalone_mode=False, default_map=config)

    return exit_code_of(command, tracebacks="-vv" in arguments)
