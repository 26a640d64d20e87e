"""``colorize-media prepare``, ``train`` and ``evaluate``: from pictures to weights, and what these are worth.

What is asked goes as it is to `training.prepare` and `training.commands`, whose parameters have the options' names: a new
option is a line above the command here and a parameter there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from colorize_media.cli.group import cli
from colorize_media.cli.parameters import DEFAULTS, PATH, device_option, option, threads_option
from colorize_media.cli.running import use_threads
from colorize_media.cli.terminal import say
from colorize_media.errors import BadOption, FileProblem


@cli.command()
@click.argument("sources", nargs=-1, metavar="SOURCE[:WEIGHT]...")
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
    sources: tuple[str, ...], output: Path, shard_size: int, quiet: bool, as_json: bool, **settings: Any
) -> int:
    """Make training data: folders (class folders are scene labels), tars, the Places205 tarball.

    Grey, toned, damaged, tiny and duplicate pictures are left out and counted; drops.csv names them. The same pictures and
    options give the same files, byte for byte.
    """
    from colorize_media.training.inputs import parse_input
    from colorize_media.training.prepare import PrepareOptions, format_counts, prepare_command

    options = PrepareOptions(shard_size=shard_size * 2**20, **settings)
    tell = (lambda text: None) if quiet else (lambda text: say(text, err=True))
    index = prepare_command([parse_input(source) for source in sources], output, options, tell)
    say(json.dumps(index, indent=2) if as_json else format_counts(index))
    return 0


@cli.command()
@click.argument("data", nargs=-1, required=True, metavar="DATA[:WEIGHT]...")
@option("-o", "--output", "run_folder", type=PATH, required=True, help="Folder of the run.")
@option(
    "--recipe",
    default="finetune",
    show_default=True,
    help="finetune, scenes, swift, teacher, chain, fusion, classification, regression, or a TOML file.",
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
@option(
    "--init",
    help="Weights to start from: a shipped model, a file, a run, imagenet, or none; default: as the recipe says.",
)
@option("--teacher", help="Weights or run of a network to learn from beside the pictures; default: as the recipe says.")
@option("--tensorboard", is_flag=True, help="Write the log for TensorBoard too.")
@option("--memory", type=click.FloatRange(0), help="GiB for decoded pictures; default: half of the machine's.")
@device_option
@threads_option
def train(data: tuple[str, ...], run_folder: Path, device: str, threads: int, **settings: Any) -> int:
    """Train on colour pictures: folders, tar shards, the Places205 tarball. By default, teach the shipped network yours.

    ~/Scenes:3 ~/Family draws each picture of Scenes three times as often as each of Family.

    On several GPUs: torchrun --nproc-per-node N -m colorize_media train DATA -o RUN
    """
    from colorize_media.network.device import choose_device

    chosen = choose_device(device)
    use_threads(threads)
    from colorize_media.training.commands import train_command
    from colorize_media.training.inputs import parse_input

    inputs = [parse_input(text) for text in data]
    weights = train_command(inputs, run_folder, chosen, lambda row: say(json.dumps(row)), **settings)
    if os.environ.get("RANK", "0") == "0":
        say(f"use it with: colorize-media film.mp4 --model {run_folder} ({weights})", err=True)
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
@option(
    "--equal",
    type=click.FloatRange(0.0, 1.5, min_open=True),
    multiple=True,
    help="Add each model at this share of the true pictures' colourfulness, 0.75 say: what models are compared by.",
)
@option("-o", "--output", "report", type=PATH, help="Write a report: a folder with report.html, report.json, pictures.")
@option("--sheet", type=PATH, help="Write a contact sheet (PNG) of the first pictures: grey, each model, truth.")
@option("--fid-weights", type=PATH, help="Inception weights (safetensors) of your own: FID too. Needs torchmetrics.")
@option("--lpips-weights", type=PATH, help="LPIPS weights (safetensors) of your own: LPIPS too. Needs torchmetrics.")
@option(
    "--recognition",
    is_flag=True,
    help="Ask a network that recognises things (EfficientNet-Lite 1): KID, and how often it sees what it sees in the truth.",
)
@option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@device_option
@threads_option
@click.pass_context
def evaluate(
    context: click.Context,
    data: Path,
    video: bool,
    models: tuple[str, ...],
    limit: int,
    working_size: int,
    vividness: tuple[float, ...],
    as_json: bool,
    device: str,
    threads: int,
    **of_pictures: Any,
) -> int:
    """Measure models on colour pictures. The table always has the rows of grey and of the shipped regression."""
    from colorize_media.network.device import choose_device

    chosen = choose_device(device)
    use_threads(threads)
    if video:
        _refuse_for_films(context, models, vividness, of_pictures)
        model = models[0] if models else DEFAULTS.model
        return _evaluate_films(
            data, model, device, as_json, limit=limit, working_size=working_size, vividness=vividness[0]
        )
    from colorize_media.cli.console import Count
    from colorize_media.training.commands import evaluate_command, format_table

    rows = evaluate_command(
        data,
        chosen,
        Count("pictures"),
        models=models,
        limit=limit,
        working_size=working_size,
        vividness=vividness,
        **of_pictures,
    )
    say(json.dumps(rows, indent=2) if as_json else format_table(rows))
    return 0


def _refuse_for_films(
    context: click.Context, models: Sequence[str], vividness: Sequence[float], of_pictures: Iterable[str]
) -> None:
    """Raises BadOption for what would go unheard with --video. The environment and the config file may speak of pictures."""
    why = "--video compares ways of smoothing"
    if len(models) > 1:
        raise BadOption("too many models", why=why, hint="give one --model")
    if len(vividness) > 1:
        raise BadOption("too many values of vividness", why=why, hint="give one --vividness")
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in of_pictures and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = max(parameter.opts, key=len)
            raise BadOption(f"{flag} is for pictures only", why=why, hint=f"leave {flag} out, or --video")


def _evaluate_films(
    data: Path, model: str, device: str, as_json: bool, *, limit: int, working_size: int, vividness: float
) -> int:
    """Films that cannot be read are told and left out; then the exit code is 1."""
    from colorize_media.cli.console import Count, show_error
    from colorize_media.network.colorizer import Colorizer
    from colorize_media.training.video_evaluation import format_films, score_films
    from colorize_media.video.comparison import VideoInAllWays, find_videos

    paths = find_videos(data)
    colorizer = Colorizer(model, device)
    films = [
        VideoInAllWays(path, colorizer, working_size=working_size, vividness=vividness, limit=limit) for path in paths
    ]
    unread: list[FileProblem] = []

    def leave_out(error: FileProblem) -> None:
        unread.append(error)
        show_error(error)

    rows = score_films(films, leave_out, Count("films"))
    say(json.dumps(rows, indent=2) if as_json else format_films(rows))
    return int(bool(unread))
