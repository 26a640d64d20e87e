"""The command line: parse → options → jobs. torch and PyAV are imported inside the commands, so ``--help`` is instant.

Every option can also come from ``COLORIZE_MEDIA_<NAME>`` and from the config file, under the same name: flag before
environment before file. Human text goes to standard error, JSON lines and tables to standard output.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import click

from colorize_media.errors import BadOption, ColorizeError, FileProblem
from colorize_media.events import Event, Failed, OnEvent
from colorize_media.machine import let_cores_go
from colorize_media.options import ENGINES, SMOOTHING, ColorizeOptions
from colorize_media.version import __version__

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT = "colorize"
INTERRUPTED = 130
DEFAULTS = ColorizeOptions()
PATH = click.Path(path_type=Path)  # existence is checked by the job, which can go on with the other inputs


class Seconds(click.ParamType):
    """Seconds, or [HH:]MM:SS[.fff], as an exact number."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Raises click's usage error for anything else."""
        if isinstance(value, Fraction):
            return value
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", str(value), re.ASCII):
            self.fail(f"{value!r} is no time: give seconds, MM:SS or HH:MM:SS", param, ctx)
        seconds = Fraction(0)
        for part in str(value).split(":"):
            seconds = 60 * seconds + Fraction(part.rstrip("."))
        return seconds


class DefaultGroup(click.Group):
    """A group whose default command needs no name: ``colorize-media film.mp4``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front unless a command or the group's own option stands there."""
        own = {"--help", "-h", "--version"}
        if args and args[0] not in self.commands and args[0] not in own:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The default command's help, then the other commands."""
        command = self.commands[DEFAULT]
        inner = click.Context(command, info_name=ctx.info_name)
        formatter.write_usage(ctx.command_path, "INPUT... [-o OUT]")
        command.format_help_text(inner, formatter)
        command.format_options(inner, formatter)
        others = [(name, command) for name, command in sorted(self.commands.items()) if name != DEFAULT]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(70)) for name, command in others])


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """A click option that also reads ``COLORIZE_MEDIA_<NAME>``."""
    long = next(name for name in names if name.startswith("--"))
    envvar = "COLORIZE_MEDIA_" + long.lstrip("-").split("/")[0].replace("-", "_").upper()
    return click.option(*names, envvar=envvar, **settings)


def _add(options: list[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Several options as one decorator."""

    def decorate(function: F) -> F:
        for add in reversed(options):
            function = add(function)
        return function

    return decorate


device_option = option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
threads_option = option(
    "--threads", type=click.IntRange(0, 1024), default=0, help="CPU threads; 0 is PyTorch's choice."
)

skip_documents_option = option(
    "--skip-documents", is_flag=True, help="Leave photographed text and line drawings alone."
)
SELECTION_OPTIONS = [
    option("--include", multiple=True, metavar="GLOB", help="In folders, only files whose name (with a slash: path) fits."),
    option("--exclude", multiple=True, metavar="GLOB", help="In folders, nothing that fits. Both may be given several times."),
]  # fmt: skip

COLORIZE_OPTIONS = [
    option("-o", "--output", type=PATH, help="Output file or folder; default: beside the input, as NAME.color.EXT."),
    option("-y", "--overwrite", is_flag=True, help="Replace outputs that are already there."),
    option("-n", "--dry-run", is_flag=True, help="Show what would be done, and do nothing."),
    option("--force", is_flag=True, help="Colour inputs, and shots of films, that already have colour."),
    skip_documents_option,
    *SELECTION_OPTIONS,
    option("--report", is_flag=False, flag_value="auto", default=None, metavar="[=PATH.html]",
           help="Write a page that shows what came of every file, before and after, and the same as JSON beside it."),
    option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run and has not changed."),
    option("--model", default=DEFAULTS.model, show_default=True, help="A shipped model, a weights file or a run folder."),
    device_option,
    option("--engine", type=click.Choice(ENGINES), default=DEFAULTS.engine, show_default=True,
           help="What computes the network; openvino is for CPUs and an extra."),
    option("--vividness", type=float, default=DEFAULTS.vividness, show_default=True, help="0 is grey, 2 the most colour."),
    option("--refine", type=float, default=None, metavar="STRENGTH",
           help="How much neighbours agree on a colour, 0 (off) to 10; default: as the model says."),
    option("--smoothing", type=click.Choice(SMOOTHING), default=DEFAULTS.smoothing, show_default=True,
           help="Steady colours over time in films."),
    option("--every", type=int, default=DEFAULTS.every, show_default=True, metavar="N",
           help="The network sees every Nth frame of a film; between them colours follow the motion."),
    option("--working-size", type=int, default=DEFAULTS.working_size, show_default=True,
           help="Short side, in pixels, of what the network sees."),
    option("--fast", is_flag=True,
           help="Look at a photograph once, not at two sizes and mirrored: a quarter of the network's time."),
    option("--batch-size", type=int, default=DEFAULTS.batch_size, help="Frames per pass; 0 lets the device decide."),
    option("--start", type=Seconds(), default=DEFAULTS.start, metavar="TIME",
           help="Of films: begin here; seconds or [HH:]MM:SS[.fff]."),
    option("--duration", type=Seconds(), default=None, metavar="TIME", help="Of films: only so much."),
    option("--preview", is_flag=True, help="Of films: only a strip of frames before and after, as a picture."),
    option("--quality", type=int, default=DEFAULTS.quality, show_default=True, help="Of JPEG and WebP photographs, 1 to 100."),
    option("--encoder", default=DEFAULTS.encoder, help="FFmpeg's name of the video encoder; default by container and depth."),
    option("--crf", type=int, default=None, help="Constant quality of the video encoder; smaller is better."),
    option("--preset", default=DEFAULTS.preset, help="Speed preset of the video encoder."),
    option("--provenance/--no-provenance", default=DEFAULTS.provenance, show_default=True,
           help="Write into photographs that they were coloured, by what and from which file."),
    option("--strip-metadata", is_flag=True, help="Leave a photograph's EXIF, GPS, XMP, IPTC and texts out, not its profile."),
    option("--max-pixels", type=int, default=DEFAULTS.max_pixels, help="Refuse larger pictures."),
    threads_option,
    option("-q", "--quiet", is_flag=True, help="Only errors and warnings."),
    option("-v", "--verbose", count=True, help="More; -vv shows tracebacks."),
    option("--json", "json_lines", is_flag=True, help="JSON lines on standard output: plan, events, summary."),
    option("--config", type=PATH, help="Config file (TOML); default: config.toml in the user's config folder."),
    # Of the command line alone: set for good, it would take the plain command away.
    click.option("--host-batch", is_flag=True, help="For host programs: pictures as JSON lines on standard input."),
]  # fmt: skip


@click.group(cls=DefaultGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="colorize-media")
def cli() -> None:
    """Colour for black-and-white photographs, films and archives."""


@cli.command(DEFAULT, hidden=True)
@click.argument("inputs", nargs=-1, type=PATH, metavar="INPUT...")
@_add(COLORIZE_OPTIONS)
@click.pass_context
def colorize(
    context: click.Context,
    inputs: tuple[Path, ...],
    output: Path | None,
    overwrite: bool,
    dry_run: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    retry_failed: bool,
    report: str | None,
    quiet: bool,
    verbose: int,
    json_lines: bool,
    config: Path | None,
    threads: int,
    host_batch: bool,
    **values: Any,
) -> int:
    """Colour black-and-white photographs, films and folders.

    Originals are never changed. What has colour already is left alone. The same command again goes on where it was, within a
    film too: what is done is skipped, what has changed is done anew. Everything that is not picture (sound, subtitles,
    metadata) is kept.
    """
    options = ColorizeOptions(**values)
    if host_batch:
        if inputs or output or dry_run or json_lines:
            raise click.UsageError("--host-batch reads its pictures and outputs on standard input; give only options.")
        return _serve_host(options, overwrite=overwrite, verbose=verbose, threads=threads)
    if not inputs:
        raise click.UsageError("Missing argument 'INPUT...'.", context)
    from colorize_media.archive.discovery import Selection
    from colorize_media.archive.plan import Memory, make_plan
    from colorize_media.archive.run import run_plan
    from colorize_media.archive.running import Running
    from colorize_media.cli.console import make_reporter, plan_lines
    from colorize_media.wording import shown_path

    plan = make_plan(
        inputs,
        output,
        overwrite=overwrite,
        preview=options.preview,
        selection=Selection(include, exclude),
        memory=Memory(options, retry_failed=retry_failed),
    )
    if dry_run and not json_lines:
        click.echo("\n".join(plan_lines(plan)))
        return 0
    page = None
    if report and not dry_run:
        from colorize_media.report.rows import Report

        page = Report(None if report == "auto" else Path(report), plan, options, overwrite=overwrite)
    if any(
        item.action == "colorize" for item in plan
    ):  # torch is not loaded for nothing, nor a missing device complained of
        from colorize_media.network.engines import choose_engine

        choose_engine(options.engine, options.device)
        _use_threads(threads)
    reporter = make_reporter(plan, quiet=quiet, verbose=verbose, json_lines=json_lines)

    show_traceback = _traceback_teller(verbose)

    def on_event(event: Event) -> None:
        show_traceback(event)
        reporter(event)
        if page is not None:
            page(event)

    def make_colorizer() -> Any:
        from colorize_media.network.device import describe_device

        colorizer = _colorizer(options)
        if not quiet:
            click.echo(f"{options.model} by {colorizer.engine.name} on {describe_device(colorizer.device)}", err=True)
        return colorizer

    try:
        if json_lines:
            for item in plan:
                reporter(item)
        if dry_run:
            return 0
        code = run_plan(plan, Running(make_colorizer, options, on_event, threads))
    finally:
        reporter.close()
    if page is not None:
        page.write(_Count("files of the report"))
        if not quiet:
            click.echo(f"report: {shown_path(page.path)}", err=True)
    return code


def _serve_host(options: ColorizeOptions, *, overwrite: bool, verbose: int, threads: int) -> int:
    from colorize_media.archive.running import Running
    from colorize_media.cli.host_batch import serve

    def make_colorizer() -> Any:
        _use_threads(threads)
        return _colorizer(options)

    running = Running(make_colorizer, options, _traceback_teller(verbose), threads)
    return serve(sys.stdin.buffer, sys.stdout, running, overwrite=overwrite)


def _colorizer(options: ColorizeOptions) -> Any:
    from colorize_media.network.colorizer import Colorizer

    return Colorizer(options.model, options.device, batch_size=options.batch_size, engine=options.engine)


def _traceback_teller(verbose: int) -> OnEvent:
    """What shows failures' tracebacks, which only -vv wants to see."""

    def tell(event: Event) -> None:
        if verbose > 1 and isinstance(event, Failed) and event.trace:
            click.echo(event.trace, err=True)

    return tell


@cli.command()
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="PATH...")
@option("--force", is_flag=True, help="As if what has colour were to be coloured.")
@_add([skip_documents_option, *SELECTION_OPTIONS, threads_option])
@option("--max-pixels", type=int, default=DEFAULTS.max_pixels, help="Refuse larger pictures.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table.")
def inspect(
    inputs: tuple[Path, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    threads: int,
    as_json: bool,
    **values: Any,
) -> int:
    """Say of every picture and film whether it would be coloured, and why. Nothing is written."""
    from colorize_media.archive.discovery import Selection
    from colorize_media.archive.inspection import inspect as inspect_files
    from colorize_media.archive.inspection import table_head, table_row
    from colorize_media.wording import shown_path

    if not as_json:
        click.echo(table_head())
    failed = False
    for found in inspect_files(inputs, ColorizeOptions(**values), Selection(include, exclude), workers=threads):
        click.echo(json.dumps(found.as_json()) if as_json else table_row(found, shown_path(found.source)))
        failed |= found.decision == "fail"
    return int(failed)


_OF_PICTURES = frozenset(
    {
        "force",
        "skip_documents",
        "retry_failed",
        "model",
        "device",
        "engine",
        "vividness",
        "refine",
        "working_size",
        "fast",
    }
    | {"batch_size", "quality", "max_pixels", "threads", "quiet", "verbose", "json_lines", "dry_run"}
)


@cli.command(params=[parameter for parameter in colorize.params if parameter.name in _OF_PICTURES])
@click.option(
    "--url", envvar="COLORIZE_MEDIA_IMMICH_URL", required=True, help="Of the server: https://photos.example.org"
)
@click.option(
    "--album", "albums", multiple=True, help="Pictures of this album (name or id); may be given several times."
)
@click.option(
    "--tag", "tags", multiple=True, help="Pictures with this tag (whole name or id); may be given several times."
)
@click.option("--all-monochrome", is_flag=True, help="All pictures of the library that are black and white.")
@click.option(
    "--state", type=PATH, help="File that remembers what was done; default: in the config folder, per server."
)
def immich(
    url: str,
    albums: tuple[str, ...],
    tags: tuple[str, ...],
    all_monochrome: bool,
    state: Path | None,
    dry_run: bool,
    retry_failed: bool,
    quiet: bool,
    verbose: int,
    json_lines: bool,
    threads: int,
    **values: Any,
) -> int:
    """Colour the black-and-white pictures of an Immich library, and stack the results with them.

    The API key comes from COLORIZE_MEDIA_IMMICH_KEY or the keyring. Only the given URL is spoken to. The same command again
    goes on where it was.
    """
    if all_monochrome == bool(albums or tags):
        raise BadOption("which pictures?", why="", hint="give --album or --tag, or else --all-monochrome")
    from colorize_media.archive.running import Running
    from colorize_media.cli.console import make_reporter
    from colorize_media.immich import job as job
    from colorize_media.immich.api import ImmichServer

    options = ColorizeOptions(**values)
    server = ImmichServer(url, job.find_key(url))
    try:
        version = server.ask_version()
        remembered = job.State(state or job.state_path(Path(click.get_app_dir("colorize-media")), server.url))
        plan = job.make_plan(
            job.candidates(server, albums, tags, remembered.entries),
            remembered.entries,
            options,
            retry_failed=retry_failed,
        )
        if not quiet:
            click.echo(f"{server.url}: Immich {version}, {len(plan)} pictures to look at", err=True)
        _use_threads(threads)
        reporter = make_reporter([item for _, item in plan], quiet=quiet, verbose=verbose, json_lines=json_lines)
        show_traceback = _traceback_teller(verbose)

        def on_event(event: Event) -> None:
            show_traceback(event)
            reporter(event)

        try:
            if json_lines:
                for _, item in plan:
                    reporter(item)
            running = Running(lambda: _colorizer(options), options, on_event)
            return job.run_immich(server, plan, remembered, running, dry_run=dry_run)
        finally:
            reporter.close()
    finally:
        server.close()


@cli.command()
@click.argument("data", type=PATH)
@option("-o", "--output", "run_folder", type=PATH, required=True, help="Folder of the run.")
@option(
    "--recipe",
    default="finetune",
    show_default=True,
    help="finetune, scenes, fusion, classification, regression, or a TOML file.",
)
@option(
    "--val", type=PATH, help="Validation pictures; default: val*.tar beside the training tars, else a part of DATA."
)
@option("--steps", type=click.IntRange(1), help="Replace the recipe's number of steps.")
@option("--batch", type=click.IntRange(2), help="Replace the recipe's batch size.")
@option("--limit", type=click.IntRange(0), default=0, help="Use only the first N pictures; 0 is all.")
@option(
    "--val-limit", type=click.IntRange(1), default=128, show_default=True, help="Validation pictures per evaluation."
)
@option("--evaluate-every", type=click.IntRange(0), help="Steps; 0 is at the end only; default: ten times in the run.")
@option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@option("--init", help="Weights to start from: a shipped model, a file, a run, or none; default: as the recipe says.")
@option("--tensorboard", is_flag=True, help="Write the log for TensorBoard too.")
@device_option
@threads_option
def train(data: Path, run_folder: Path, device: str, threads: int, **settings: Any) -> int:
    """Train on colour pictures: folders, tar shards, the Places205 tarball. By default, teach the shipped network yours.

    On several GPUs: torchrun --nproc-per-node N -m colorize_media train DATA -o RUN
    """
    from colorize_media.network.device import choose_device

    chosen = choose_device(device)
    _use_threads(threads)
    from colorize_media.training.commands import train_command

    weights = train_command(data, run_folder, chosen, lambda row: click.echo(json.dumps(row)), **settings)
    if os.environ.get("RANK", "0") == "0":
        click.echo(f"use it with: colorize-media film.mp4 --model {run_folder} ({weights})", err=True)
    return 0


@cli.command()
@click.argument("sources", nargs=-1, type=PATH, metavar="SOURCE...")
@option("-o", "--output", type=PATH, required=True, help="Folder for the shards and their index.")
@option(
    "--places205", is_flag=True, help="Download the Places205 test pictures (2.3 GB) into the folder, and use them."
)
@option("--sha256", default="", help="Digest that the downloaded or the only archive must have.")
# Without environment variables: other commands give these names another meaning.
@click.option(
    "--val", default="", help="Validation pictures, 500 or 5%; default: the sources' val*.tar, else 1000 or a tenth."
)
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="Of the JPEGs written.")
@option("--side", type=click.IntRange(64, 4096), default=256, show_default=True, help="Short side, in pixels.")
@option("--shard-size", type=click.IntRange(1), default=256, show_default=True, help="Largest tar, in MiB.")
@option("--seed", type=int, default=0, show_default=True, help="Of the order in the shards.")
@option("-y", "--overwrite", is_flag=True, help="Replace what an earlier run wrote.")
@option("-q", "--quiet", is_flag=True, help="No progress.")
@option("--json", "as_json", is_flag=True, help="JSON (the index) instead of a table.")
def prepare(
    sources: tuple[Path, ...], output: Path, shard_size: int, quiet: bool, as_json: bool, **settings: Any
) -> int:
    """Make training data: folders (class folders are scene labels), tars, the Places205 tarball.

    Grey, toned, damaged, tiny and duplicate pictures are left out and counted; drops.csv names them. The same pictures and
    options give the same files, byte for byte.
    """
    from colorize_media.training.prepare import PrepareOptions, format_counts, prepare_command

    options = PrepareOptions(shard_size=shard_size * 2**20, **settings)
    tell = (lambda text: None) if quiet else (lambda text: click.echo(text, err=True))
    index = prepare_command(sources, output, options, tell)
    click.echo(json.dumps(index, indent=2) if as_json else format_counts(index))
    return 0


@cli.command()
@click.argument("data", type=PATH)
@option("--model", "models", multiple=True, help="Models to compare; default: all shipped ones.")
@option("--video", is_flag=True, help="DATA is a folder of films: compare the ways of smoothing, with one model.")
@option(
    "--limit", type=click.IntRange(0), default=0, help="Use only the first N pictures, or frames of a film; 0 is all."
)
@option("--size", type=click.IntRange(64, 1024), default=256, show_default=True, help="Pictures' side in pixels.")
@option(
    "--working-size",
    type=click.IntRange(64, 1024),
    default=DEFAULTS.working_size,
    show_default=True,
    help="Side of what the network sees.",
)
@option(
    "--vividness",
    type=click.FloatRange(0.0, 2.0),
    multiple=True,
    default=(1.0,),
    show_default=True,
    help="Of the default rows; several give a row each.",
)
@option("-o", "--output", "report", type=PATH, help="Write a report: a folder with report.html, report.json, pictures.")
@option("--sheet", type=PATH, help="Write a contact sheet (PNG) of the first pictures: grey, each model, truth.")
@option("--fid-weights", type=PATH, help="Inception weights (safetensors) of your own: FID too. Needs torchmetrics.")
@option("--lpips-weights", type=PATH, help="LPIPS weights (safetensors) of your own: LPIPS too. Needs torchmetrics.")
@option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@device_option
@threads_option
def evaluate(data: Path, video: bool, as_json: bool, device: str, threads: int, **settings: Any) -> int:
    """Measure models on colour pictures. The table always has the rows of grey and of the shipped regression."""
    from colorize_media.network.device import choose_device

    chosen = choose_device(device)
    _use_threads(threads)
    if video:
        return _evaluate_films(data, device, as_json, **settings)
    from colorize_media.training.commands import evaluate_command, format_table

    rows = evaluate_command(data, chosen, _Count("pictures"), **settings)
    click.echo(json.dumps(rows, indent=2) if as_json else format_table(rows))
    return 0


def _evaluate_films(
    data: Path,
    device: str,
    as_json: bool,
    *,
    models: tuple[str, ...],
    limit: int,
    working_size: int,
    vividness: tuple[float, ...],
    **_: Any,
) -> int:
    """Films that cannot be read are told and left out; then the exit code is 1."""
    from colorize_media.cli.console import show_error
    from colorize_media.network.colorizer import Colorizer
    from colorize_media.training.video_evaluation import format_films, score_film
    from colorize_media.video.comparison import FilmInAllWays, find_films

    if len(models) > 1:
        raise BadOption("too many models", why="--video compares ways of smoothing", hint="give one --model")
    films = find_films(data)
    colorizer = Colorizer(models[0] if models else DEFAULTS.model, device)
    rows: list[dict[str, Any]] = []
    failed, tell = False, _Count("films")
    for number, path in enumerate(films, 1):
        film = FilmInAllWays(path, colorizer, working_size=working_size, vividness=vividness[0], limit=limit)
        try:
            rows += score_film(film)
        except FileProblem as error:
            show_error(error)
            failed = True
        tell(number, len(films))
    click.echo(json.dumps(rows, indent=2) if as_json else format_films(rows))
    return int(failed)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def models(as_json: bool) -> int:
    """List the shipped networks: what they are and what they scored."""
    import dataclasses

    from colorize_media.models import SHIPPED, read_description

    found = {}
    for file in sorted(SHIPPED.glob("*.safetensors")):
        config, record = read_description(file)
        found[file.stem] = {
            "config": dataclasses.asdict(config),
            "megabytes": round(file.stat().st_size / 1e6, 1),
            **record,
        }
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return 0
    for name, facts in found.items():
        scores = facts.get("scores", {})
        told = ", ".join(f"{key} {value:.4g}" for key, value in scores.items() if isinstance(value, (int, float)))
        click.echo(f"{name}: {facts['megabytes']} MB; {told or 'no scores recorded'}")
    return 0


@cli.command()
@option("--model", default=DEFAULTS.model, show_default=True, help="A shipped model, a weights file or a run folder.")
@option("-o", "--output", type=PATH, help="File to write; default: MODEL.onnx or MODEL.xml in the current folder.")
@option("--format", "form", type=click.Choice(("onnx", "openvino")), help="Default: by the output's name, else onnx.")
@option("-y", "--overwrite", is_flag=True, help="Replace an output that is already there.")
def export(model: str, **settings: Any) -> int:
    """Write a network for other programs, as ONNX or for OpenVINO."""
    from colorize_media.network.export import export as export_model

    written = export_model(model, **settings)
    click.echo(f"wrote {written}", err=True)
    return 0


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def doctor(as_json: bool) -> int:
    """Check this installation: libraries, devices, weights, codecs."""
    from colorize_media.cli.doctor import examine

    facts, problems = examine()
    if as_json:
        click.echo(json.dumps({"facts": facts, "problems": problems}, indent=2))
    else:
        width = max(map(len, facts))
        click.echo("\n".join(f"{name:<{width}}  {value}" for name, value in facts.items()))
        click.echo("\n".join(f"problem: {text}" for text in problems) if problems else "all is well")
    return 3 if problems else 0


@cli.group()
def plugin() -> None:
    """Buttons in photo libraries and file managers: list, install, remove, status."""


FOLDER_OPTION = click.option(
    "--folder", type=PATH, help="The host's folder (darktable: its configuration), if it is not in the usual place."
)
PLUGIN_DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help="Show what would be written, and write nothing.")


@plugin.command("list")
def list_plugins() -> int:
    """The programs that there are plugins for."""
    from colorize_media.plugins.hosts import HOSTS

    for host in HOSTS:
        click.echo(f"{host.name:<10}  {host.title}: {host.does}")
    return 0


@plugin.command("install")
@click.argument("host")
@FOLDER_OPTION
@PLUGIN_DRY_RUN
def install_plugin(host: str, folder: Path | None, dry_run: bool) -> int:
    """Put the plugin into a program, or bring it up to date."""
    return _change_plugin(host, folder, install=True, dry_run=dry_run)


@plugin.command("remove")
@click.argument("host")
@FOLDER_OPTION
@PLUGIN_DRY_RUN
def remove_plugin(host: str, folder: Path | None, dry_run: bool) -> int:
    """Take the plugin out of a program again."""
    return _change_plugin(host, folder, install=False, dry_run=dry_run)


@plugin.command("status")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def plugin_status(as_json: bool) -> int:
    """Which programs are here, and which of them have the plugin."""
    from colorize_media.plugins.hosts import HOSTS, Folders, find_command
    from colorize_media.plugins.installer import find, state

    folders, command = Folders.of(os.environ), find_command()
    rows: list[tuple[str, str, str, str]] = []
    for host in HOSTS:
        found = find(host, folders, command) if host.places_here(folders) else []
        rows += [(host.name, place.place.how, str(place.place.base), state(place)) for place in found]
        rows += [] if found else [(host.name, "", "", "the program is not found")]
    if as_json:
        names = ("host", "how", "folder", "state")
        click.echo(json.dumps({"command": command, "hosts": [dict(zip(names, row, strict=True)) for row in rows]}))
        return 0
    click.echo(f"command: {command}")
    for name, how, base, told in rows:
        click.echo(f"{name:<10}  {told}" + (f" ({' '.join(filter(None, (how, base)))})" if base else ""))
    return 0


def _change_plugin(name: str, folder: Path | None, *, install: bool, dry_run: bool) -> int:
    from colorize_media.plugins.hosts import Folders, find_command, find_host
    from colorize_media.plugins.installer import apply, changes, describe, find

    host = find_host(name)
    found = find(host, Folders.of(os.environ), find_command(), folder)
    todo = changes(found, install=install)
    for change in todo:
        click.echo(("would " if dry_run else "") + "\n".join(describe(change)))
        if not dry_run:
            apply(change)
    if not todo:
        click.echo(f"{host.title}: the plugin is {'installed already' if install else 'not there'}")
    elif not dry_run:
        click.echo(f"{host.title}: the plugin is {'installed' if install else 'removed'}; {host.afterwards}")
    for place in found if install else ():
        if place.place.note:
            click.echo(f"{' '.join(filter(None, (host.title, place.place.how)))}: {place.place.note}", err=True)
    return 0


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. Renders errors; nothing below exits or prints."""
    from colorize_media.cli.console import show_error

    let_cores_go()
    if not arguments:
        with click.Context(cli, info_name="colorize-media") as context:
            click.echo(cli.get_help(context), err=True)
        return 2
    try:
        with _terminated_like_interrupted():
            result = cli.main(
                arguments, prog_name="colorize-media", standalone_mode=False, default_map=read_config(arguments)
            )
    except ColorizeError as error:
        show_error(error)
        if "-vv" in arguments:
            raise
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what was finished stays, the rest can be done by the same command", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # no second complaint when Python flushes at exit
        return 1
    return result if isinstance(result, int) else 0


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: what is being written is finished, and remembered."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def read_config(arguments: list[str]) -> dict[str, Any]:
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
    tables[DEFAULT] = {name: value for name, value in values.items() if not isinstance(value, dict)}
    config: dict[str, Any] = {}
    for name, table in tables.items():
        command = cli.commands.get(name)
        known = {parameter.name for parameter in command.params} if command else set()
        config[name] = {key.replace("-", "_"): value for key, value in table.items()}
        unknown = sorted(key for key in config[name] if key not in known)
        if command is None or unknown:
            what = f"[{name}]" if command is None else ", ".join(unknown)
            raise BadOption(
                "unknown name in the config file", path=path, why=what, hint="colorize-media --help lists the options"
            )
    return config


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


class _Count:
    """Tells on standard error how far a long count is: in place on a terminal, else a line now and then."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.in_place = sys.stderr.isatty()
        self.begun = self.told = time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        from colorize_media.wording import duration_text

        now = time.monotonic()
        if now - self.told < (0.5 if self.in_place else 30.0) and not (done == count and self.in_place):
            return
        self.told = now
        left = (count - done) * (now - self.begun) / done
        text = f"{done} of {count} {self.what}, {duration_text(left)} left"
        click.echo(f"\r\x1b[K{text if done < count else ''}" if self.in_place else text, err=True, nl=not self.in_place)


def _use_threads(threads: int) -> None:
    if threads:
        import cv2
        import torch

        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
