"""``colorize-media INPUT...``: plan it, show it or run it. The default command, which needs no name.

Its options are those of `parameters.COLORIZE_OPTIONS`: what `ColorizeOptions` has a field for goes there, the rest into
`Asked`. So a new option of the colouring needs nothing here, one of the command a field of `Asked` and what heeds it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorize_media.cli.group import cli
from colorize_media.cli.parameters import COLORIZE_OPTIONS, PATH, several, take_options
from colorize_media.cli.running import EventFan, load_colorizer, traceback_teller, use_threads
from colorize_media.cli.terminal import say, say_lines
from colorize_media.errors import ColorizeError
from colorize_media.events import Event, OnEvent, Passed, Planned
from colorize_media.options import ColorizeOptions

NOTHING_FOUND = 1  # exit code

if TYPE_CHECKING:
    from colorize_media.network.colorizer import Colorizer
    from colorize_media.report.writing import Report


@dataclass(frozen=True)
class Asked:
    """What a person asks for beside the options of the colouring."""

    inputs: tuple[Path, ...]
    output: Path | None
    overwrite: bool
    dry_run: bool
    quick: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    retry_failed: bool
    redo_older: bool
    strict: bool
    report: str | None  # "auto": beside the outputs
    threads: int
    quiet: bool
    verbose: int
    json_lines: bool


@cli.command(cli.default, hidden=True)
@click.argument("inputs", nargs=-1, type=PATH, metavar="INPUT...")
@several(COLORIZE_OPTIONS)
@click.pass_context
def colorize(context: click.Context, config: Path | None, host_batch: bool, **words: Any) -> int:
    """Colour black-and-white photographs, films and folders.

    Originals are never changed. What has colour already is left alone. The same command again goes on where it was, within a
    film too: what is done is skipped, what has changed is done anew. Everything that is not picture (sound, subtitles,
    metadata) is kept.
    """
    options = take_options(words)  # the config file has been read: its values are among the words
    asked = Asked(**words)
    if host_batch:
        if asked.inputs or asked.output or asked.dry_run or asked.json_lines:
            raise click.UsageError("--host-batch reads its pictures and outputs on standard input; give only options.")
        return _serve_host(asked, options)
    if not asked.inputs:
        raise click.UsageError("Missing argument 'INPUT...'.", context)
    passed: list[Passed] = []
    plan = _plan(asked, options, passed.append)
    if asked.dry_run:
        _show(plan, passed, asked, options)
        return 0 if plan else NOTHING_FOUND
    code = _run(plan, passed, asked, options)
    if not plan:  # each folder has said so
        return NOTHING_FOUND
    from colorize_media.archive.outcomes import FAILED, FAILED_BEFORE

    return FAILED if code == FAILED_BEFORE and asked.strict else code


def _plan(asked: Asked, options: ColorizeOptions, on_passed: Callable[[Passed], None]) -> list[Planned]:
    from colorize_media.archive.discovery import Selection
    from colorize_media.archive.memory import Memory
    from colorize_media.archive.plan import make_plan

    return make_plan(
        asked.inputs,
        asked.output,
        overwrite=asked.overwrite,
        preview=options.preview,
        selection=Selection(asked.include, asked.exclude),
        memory=Memory(options, asked.retry_failed, asked.redo_older),
        on_passed=on_passed,
    )


def _show(plan: Sequence[Planned], passed: Sequence[Passed], asked: Asked, options: ColorizeOptions) -> None:
    """To people the plan; to programs also whether it could be run here: a missing device is an error."""
    from colorize_media.archive.forecast import Foreseen, Totals, foresee
    from colorize_media.archive.sequence_hint import hints
    from colorize_media.cli.console import Count, JsonLines, lines_of
    from colorize_media.wording import orphans_text

    if asked.json_lines:
        _check_machine(plan, options)
        tell: OnEvent = JsonLines(sys.stdout)
    else:
        tell = lambda event: say_lines(lines_of(event, quiet=False, verbose=0))  # noqa: E731
    totals, quick = Totals(), asked.quick or options.preview
    looked_at = iter(map(Foreseen, plan)) if quick else foresee(plan, options, workers=asked.threads)
    on_progress = Count("files looked at")
    for number, found in enumerate(looked_at, 1):
        tell(found.item)
        totals.add(found)
        if not (quick or asked.quiet):
            on_progress(number, len(plan))
    rest: list[Event] = [*passed, *hints(plan, options), totals.expected(passed, quick=quick)]
    for event in rest:
        tell(event)
    orphaned = [path for event in passed for path in event.orphaned]
    if orphaned and not asked.json_lines:
        say(orphans_text(orphaned))


def _run(plan: Sequence[Planned], passed: Sequence[Passed], asked: Asked, options: ColorizeOptions) -> int:
    from colorize_media.archive.run import run_plan
    from colorize_media.archive.running import Running
    from colorize_media.archive.sequence_hint import hints
    from colorize_media.cli.console import make_reporter

    page = _start_report(plan, asked, options)
    if _check_machine(plan, options):
        use_threads(asked.threads)

    def make_colorizer() -> Colorizer:
        from colorize_media.network.device import describe_device

        colorizer = load_colorizer(options)
        if not asked.quiet:
            say(f"{options.model} by {colorizer.engine.name} on {describe_device(colorizer.device)}", err=True)
        return colorizer

    quiet, verbose, json_lines = asked.quiet, asked.verbose, asked.json_lines
    with closing(make_reporter(plan, quiet=quiet, verbose=verbose, json_lines=json_lines)) as reporter:
        if json_lines:
            for item in plan:
                reporter(item)
        listeners: list[OnEvent] = [traceback_teller(verbose), reporter]
        if page is not None:
            listeners.append(page)
        fan = EventFan(*listeners)
        for event in passed:
            fan(event)
        for hint in hints(plan, options):
            fan(hint)
        count = sum(sum(event.files.values()) + sum(event.others.values()) for event in passed)
        orphaned = [path for event in passed for path in event.orphaned]
        try:
            code = run_plan(plan, Running(make_colorizer, options, fan, asked.threads), passed=count, orphaned=orphaned)
        except (KeyboardInterrupt, ColorizeError):  # what is done is done, and to be told
            reporter.close()
            if page is not None:
                page.end_early()
                _write_report(page, asked)
            raise
    if page is not None:
        _write_report(page, asked)
    return code


def _check_machine(plan: Sequence[Planned], options: ColorizeOptions) -> bool:
    """Whether the network is needed at all: else torch is not loaded for nothing, nor a missing device complained of.

    Raises as `choose_engine` if it is and the device or the engine is not there, and as `load_signer`.
    """
    if not any(item.action == "colorize" for item in plan):
        return False
    from colorize_media.network.engines import choose_engine

    choose_engine(options.engine, options.device)
    if options.sign_cert:
        from colorize_media.provenance.signing import load_signer

        load_signer(options.sign_cert, options.sign_key)
    return True


def _start_report(plan: Sequence[Planned], asked: Asked, options: ColorizeOptions) -> Report | None:
    if not asked.report:
        return None
    from colorize_media.archive.naming import output_folder
    from colorize_media.report.writing import NAME, Report

    path = None if asked.report == "auto" else Path(asked.report)
    if path is None and not any(item.target for item in plan) and asked.inputs[0].is_dir():  # nothing says where
        path = output_folder(asked.inputs[0], asked.output) / NAME
    return Report(path, plan, options, overwrite=asked.overwrite)


def _write_report(page: Report, asked: Asked) -> None:
    from colorize_media.cli.console import Count
    from colorize_media.wording import shown_path

    page.write(Count("files of the report"))
    if not asked.quiet:
        say(f"report: {shown_path(page.path)}", err=True)


def _serve_host(asked: Asked, options: ColorizeOptions) -> int:
    from colorize_media.archive.running import Running
    from colorize_media.cli.host_batch import serve

    def make_colorizer() -> Colorizer:
        use_threads(asked.threads)
        return load_colorizer(options)

    running = Running(make_colorizer, options, traceback_teller(asked.verbose), asked.threads)
    return serve(sys.stdin.buffer, sys.stdout, running, overwrite=asked.overwrite)
