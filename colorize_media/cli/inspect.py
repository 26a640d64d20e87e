"""``colorize-media inspect``: what would be coloured, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from colorize_media.cli.group import cli
from colorize_media.cli.parameters import (
    DEFAULTS,
    PATH,
    SELECTION_OPTIONS,
    option,
    several,
    skip_documents_option,
    threads_option,
)
from colorize_media.cli.terminal import say
from colorize_media.events import Passed
from colorize_media.options import ColorizeOptions


@cli.command()
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="PATH...")
@option("--force", is_flag=True, help="As if what has colour were to be coloured.")
@several([skip_documents_option, *SELECTION_OPTIONS, threads_option])
@option("--max-pixels", type=int, default=DEFAULTS.max_pixels, help="Refuse larger pictures.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table.")
def inspect(
    inputs: tuple[Path, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    threads: int,
    as_json: bool,
    **options: Any,
) -> int:
    """Say of every picture and film whether it would be coloured, and why; of outputs of this program how they were made.

    Nothing is written. `redo` shows the command that made an output.
    """
    from colorize_media.archive.discovery import Selection
    from colorize_media.archive.inspection import inspect as inspect_files
    from colorize_media.archive.inspection import table_head, table_row
    from colorize_media.cli.console import passed_lines
    from colorize_media.wording import shown_path

    if not as_json:
        say(table_head())
    failed = False
    passed: list[Passed] = []
    chosen, selection = ColorizeOptions(**options), Selection(include, exclude)
    for found in inspect_files(inputs, chosen, selection, workers=threads, on_passed=passed.append):
        say(json.dumps(found.as_json()) if as_json else table_row(found, shown_path(found.source)))
        if not as_json and found.source in inputs and found.decision == "leave" and not found.made and not found.mark:
            say(f"{'':8}  it carries no record of having been made by this program")
        failed |= found.decision == "fail"
    for line in (line for event in passed for line in passed_lines(event)):
        say(line, err=True)
    return int(failed)
