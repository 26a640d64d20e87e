"""``colorize-media immich``: the pictures of an Immich library. Options of colouring are those that photographs heed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorize_media.cli.colorize import colorize
from colorize_media.cli.group import cli
from colorize_media.cli.parameters import PATH, take_options
from colorize_media.cli.running import EventFan, load_colorizer, traceback_teller, use_threads
from colorize_media.cli.terminal import say
from colorize_media.errors import BadOption
from colorize_media.options import ColorizeOptions, that_change

if TYPE_CHECKING:
    from colorize_media.immich.api import ImmichServer

# What it shares with the plain command: all that matters to photographs, but for what is said of their metadata.
_OF_PICTURES = that_change("photo colors", "photo encoding", "photo decision", "limit", "network") | {
    *("retry_failed", "threads", "quiet", "verbose", "json_lines", "dry_run")
}


@dataclass(frozen=True)
class Asked:
    """What a person asks for beside the options of the colouring."""

    url: str
    albums: tuple[str, ...]
    tags: tuple[str, ...]
    all_monochrome: bool
    state: Path | None
    dry_run: bool
    retry_failed: bool
    threads: int
    quiet: bool
    verbose: int
    json_lines: bool


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
def immich(**words: Any) -> int:
    """Colour the black-and-white pictures of an Immich library, and stack the results with them.

    The API key comes from COLORIZE_MEDIA_IMMICH_KEY or the keyring. Only the given URL is spoken to. The same command again
    goes on where it was.
    """
    if words["all_monochrome"] == bool(words["albums"] or words["tags"]):
        raise BadOption("which pictures?", why="", hint="give --album or --tag, or else --all-monochrome")
    from colorize_media.immich.api import ImmichServer
    from colorize_media.immich.job import find_key

    options = take_options(words)
    asked = Asked(**words)
    with closing(ImmichServer(asked.url, find_key(asked.url))) as server:
        return _run(server, asked, options)


def _run(server: ImmichServer, asked: Asked, options: ColorizeOptions) -> int:
    from colorize_media.archive.running import Running
    from colorize_media.cli.console import make_reporter
    from colorize_media.immich.job import run_immich
    from colorize_media.immich.plan import candidates, make_plan
    from colorize_media.immich.state import State, state_path

    version = server.ask_version()
    state = State(asked.state or state_path(Path(click.get_app_dir("colorize-media")), server.url))
    assets = candidates(server, asked.albums, asked.tags, state.entries)
    plan = make_plan(assets, state.entries, options, retry_failed=asked.retry_failed)
    if not asked.quiet:
        say(f"{server.url}: Immich {version}, {len(plan)} pictures to look at", err=True)
    use_threads(asked.threads)
    planned = [picture.item for picture in plan]
    quiet, verbose, json_lines = asked.quiet, asked.verbose, asked.json_lines
    with closing(make_reporter(planned, quiet=quiet, verbose=verbose, json_lines=json_lines)) as reporter:
        if json_lines:
            for item in planned:
                reporter(item)
        running = Running(lambda: load_colorizer(options), options, EventFan(traceback_teller(verbose), reporter))
        return run_immich(server, plan, state, running, dry_run=asked.dry_run)
