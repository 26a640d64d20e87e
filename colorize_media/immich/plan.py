"""Which pictures of a library are asked for, what they are called here, and what is to be done with each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from colorize_media.archive.naming import with_writable_suffix
from colorize_media.events import Failed, Planned
from colorize_media.immich.api import Asset, ImmichServer
from colorize_media.immich.state import Remembered
from colorize_media.options import ColorizeOptions
from colorize_media.version import __version__

TAG = "colorized"
SUFFIX = "_colorized"  # scan.jpg → scan_colorized.jpg
_LONGEST_STEM = 180  # bytes


@dataclass(frozen=True)
class Picture:
    """A picture of the library. In events it is called ``source`` (ID/NAME), the coloured one ``target`` (ID/NEW NAME)."""

    asset: Asset
    source: Path
    target: Path
    item: Planned


def candidates(
    server: ImmichServer, albums: Sequence[str], tags: Sequence[str], state: Mapping[str, Remembered]
) -> list[Asset]:
    """Pictures of the albums, those with the tags, all where none is named; without what this program made.

    Raises BadOption for an album or tag that is not there.
    """
    mark = server.find_tag(TAG)
    made = {asset.id for asset in server.search(tags=[mark])} if mark else set()
    made |= {entry.made for entry in state.values() if entry.made}
    found: dict[str, Asset] = {}
    wanted = [{"albums": [album]} for album in server.album_ids(albums)] + [
        {"tags": [tag]} for tag in server.tag_ids(tags)
    ]
    for some in wanted or [{}]:
        found |= {asset.id: asset for asset in server.search(**some)}
    gone = ("isTrashed", "isOffline")
    return [asset for asset in found.values() if asset.id not in made and not any(map(asset.facts.get, gone))]


def make_plan(
    assets: Sequence[Asset], state: Mapping[str, Remembered], options: ColorizeOptions, *, retry_failed: bool = False
) -> list[Picture]:
    """Each asset with what will be done."""
    plan = []
    for asset in assets:
        source = Path(asset.id) / file_name(asset.name)
        target = source.with_name(new_name(source))
        item = Planned(source, target, "photo", "colorize")
        entry = state.get(asset.id)
        if entry is not None and entry.checksum == asset.checksum:
            item = _as_remembered(item, entry, options, retry_failed=retry_failed)
        plan.append(Picture(asset, source, target, item))
    return plan


def _as_remembered(item: Planned, entry: Remembered, options: ColorizeOptions, *, retry_failed: bool) -> Planned:
    """What is left to do with a picture that is the same as when an earlier run met it."""
    if entry.status == "done":
        return replace(item, action="skip", reason="it is in the library in colour already")
    if entry.status == "left" and not options.force:
        return replace(item, action="skip", reason=f"{entry.reason} (found by an earlier run)", earlier=True)
    if entry.status == "failed" and entry.version == __version__ and not retry_failed:
        reason = f"{entry.reason} (in an earlier run)"
        failure = Failed(item.source, "failed before", reason, "--retry-failed tries again")
        return replace(item, action="fail", reason=reason, earlier=True, failure=failure)
    return item


def file_name(name: str) -> str:
    """The library's name for a picture as a file's name of ours: no folder, nothing that a file system refuses."""
    last = PurePosixPath(name.replace("\\", "/").replace("\0", "")).name
    stem, suffix = os.path.splitext(last)
    return (stem.encode("utf-8", "replace")[:_LONGEST_STEM].decode("utf-8", "ignore") or "picture") + suffix[:16]


def new_name(original: Path) -> str:
    """Of the coloured picture. What the original holds counts once it is there."""
    return f"{original.stem}{SUFFIX}{with_writable_suffix(original, 'photo', original).suffix}"
