"""``colorize-media plugin``: buttons in host programs. A new host is a row of `plugins.hosts.HOSTS`; nothing here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from colorize_media.cli.group import cli
from colorize_media.cli.parameters import PATH
from colorize_media.cli.terminal import say


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
        say(f"{host.name:<10}  {host.title}: {host.does}")
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
        say(json.dumps({"command": command, "hosts": [dict(zip(names, row, strict=True)) for row in rows]}))
        return 0
    say(f"command: {command}")
    for name, how, base, told in rows:
        say(f"{name:<10}  {told}" + (f" ({' '.join(filter(None, (how, base)))})" if base else ""))
    return 0


def _change_plugin(name: str, folder: Path | None, *, install: bool, dry_run: bool) -> int:
    from colorize_media.plugins.hosts import Folders, find_command, find_host
    from colorize_media.plugins.installer import apply, changes, describe, find

    host = find_host(name)
    found = find(host, Folders.of(os.environ), find_command(), folder)
    todo = changes(found, install=install)
    for change in todo:
        say(("would " if dry_run else "") + "\n".join(describe(change)))
        if not dry_run:
            apply(change)
    if not todo:
        say(f"{host.title}: the plugin is {'installed already' if install else 'not there'}")
    elif not dry_run:
        say(f"{host.title}: the plugin is {'installed' if install else 'removed'}; {host.afterwards}")
    for place in found if install else ():
        if place.place.note:
            say(f"{' '.join(filter(None, (host.title, place.place.how)))}: {place.place.note}", err=True)
    return 0
