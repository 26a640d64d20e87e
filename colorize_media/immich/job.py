"""``colorize-media immich``: the black-and-white pictures of an Immich library get versions in colour, stacked with them.

Each picture is asked for alone: its preview decides, its original is downloaded, coloured and uploaded with its dates, then
put into the same albums, stacked below the original and tagged. What was done is remembered in a file of JSON lines, so the
same command goes on where it was, between an upload and its stack too. Nothing of the library is changed or removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from colorize_media.archive.naming import with_writable_suffix
from colorize_media.archive.outcomes import is_lasting, unexpected
from colorize_media.archive.running import Running
from colorize_media.errors import (
    ColorizeError,
    EnvironmentProblem,
    LibraryMissing,
    ServerRefused,
)
from colorize_media.events import Done, Failed, OnEvent, Planned, Skipped, Summary, Warned, What
from colorize_media.files.whole import append_lines
from colorize_media.immich.api import Asset, ImmichServer
from colorize_media.judge.decision import Decision, decide_photo
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import colorize_photo
from colorize_media.photo.pages import read_photo
from colorize_media.version import __version__

TAG = "colorized"
KEY = "COLORIZE_MEDIA_IMMICH_KEY"  # in the environment
SUFFIX = "_colorized"  # scan.jpg → scan_colorized.jpg
_LONGEST_STEM = 180  # bytes

Status = Literal["uploaded", "done", "left", "failed"]


@dataclass(frozen=True)
class Remembered:
    """What came of an asset. ``made`` is the new one's id; ``checksum`` the original's."""

    asset: str
    checksum: str
    status: Status
    made: str = ""
    reason: str = ""
    version: str = __version__


def find_key(url: str) -> str:
    """From the environment, else from the system's keyring. Raises LibraryMissing with what to do."""
    if key := os.environ.get(KEY, "").strip():
        return key
    with contextlib.suppress(Exception):  # no keyring on this machine, or a locked one: the message below helps as well
        import keyring

        if key := (keyring.get_password("colorize-media", url) or "").strip():
            return key
    raise LibraryMissing(
        "no key for the server",
        why=f"{KEY} is not set, and no keyring has one for {url}",
        hint=f"make an API key in Immich; then: read -rs {KEY} && export {KEY}, or: keyring set colorize-media {url}",
    )


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
) -> list[tuple[Asset, Planned]]:
    """Each asset with what will be done. Sources are named ``ID/NAME``, targets by the new name."""
    plan = []
    for asset in assets:
        source = Path(asset.id) / _file_name(asset.name)
        target = source.with_name(_new_name(source))
        entry = state.get(asset.id)
        item = Planned(source, target, "photo", "colorize")
        if entry is not None and entry.checksum == asset.checksum:
            if entry.status == "done":
                item = dataclasses.replace(item, action="skip", reason="it is in the library in colour already")
            elif entry.status == "left" and not options.force:
                reason = f"{entry.reason} (found by an earlier run)"
                item = dataclasses.replace(item, action="skip", reason=reason, earlier=True)
            elif entry.status == "failed" and entry.version == __version__ and not retry_failed:
                reason = f"{entry.reason} (in an earlier run)"
                item = dataclasses.replace(item, action="fail", reason=reason, earlier=True)
        plan.append((asset, item))
    return plan


def run_immich(
    server: ImmichServer,
    plan: Sequence[tuple[Asset, Planned]],
    state: State,
    running: Running,
    *,
    dry_run: bool = False,
) -> int:
    """Do the plan; returns the exit code, 0 or 1 if a picture failed. ``dry_run`` only looks at previews.

    Raises EnvironmentProblems: without server or network nothing can go on.
    """
    return _Run(server, state, running, dry_run).do(plan)


class State:
    """What earlier runs did, by asset: a file of JSON lines, each on the disk before the next picture is begun."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Remembered] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in path.read_bytes().splitlines():
                with contextlib.suppress(ValueError, TypeError):  # torn
                    entry = Remembered(**json.loads(line))
                    self.entries[entry.asset] = entry

    def add(self, entry: Remembered) -> None:
        """Raises OSError."""
        self.entries[entry.asset] = entry
        append_lines(self.path, json.dumps(dataclasses.asdict(entry)).encode("ascii") + b"\n")


def state_path(folder: Path, url: str) -> Path:
    """Of a server: its address is in the name, shortened."""
    return folder / f"immich-{hashlib.sha256(url.encode()).hexdigest()[:12]}.jsonl"


class _Run:
    def __init__(self, server: ImmichServer, state: State, running: Running, dry_run: bool) -> None:
        self._server, self._state, self._dry_run = server, state, dry_run
        self._get_colorizer, self._options, self._on_event = running.get_colorizer, running.options, running.on_event
        self._tag = ""

    def do(self, plan: Sequence[tuple[Asset, Planned]]) -> int:
        begun = time.monotonic()
        counts = {Done: 0, Skipped: 0, Failed: 0}
        for asset, item in plan:
            result: Done | Skipped | Failed
            try:
                result = self._settled(item) or self._do(asset, item)
            except EnvironmentProblem:
                raise
            except Exception as error:
                result = self._failed(asset, item, error)
            counts[type(result)] += 1
            self._on_event(result)
        self._on_event(Summary(counts[Done], counts[Skipped], counts[Failed], time.monotonic() - begun))
        return int(counts[Failed] > 0)

    def _settled(self, item: Planned) -> Skipped | Failed | None:
        if item.action == "fail":
            return Failed(item.source, "failed before", item.reason, "--retry-failed tries again")
        return Skipped(item.source, item.reason) if item.action == "skip" else None

    def _failed(self, asset: Asset, item: Planned, error: Exception) -> Failed:
        if isinstance(error, OSError):
            why = error.strerror or str(error)
            return Failed(item.source, "the disk gives out", why, "make room, or name another folder in TMPDIR")
        told = unexpected(item.source, error)
        trace = "" if told is error else traceback.format_exc()
        if is_lasting(told):
            self._remember(asset, "failed", reason=f"{told.what}: {told.why}")
        return Failed(item.source, told.what, told.why, told.hint, trace)

    def _do(self, asset: Asset, item: Planned) -> Done | Skipped:
        begun = time.monotonic()
        entry = self._state.entries.get(asset.id)
        if entry is not None and entry.status == "uploaded" and entry.checksum == asset.checksum and not self._dry_run:
            return self._arrange(asset, item, entry.made, begun)
        with tempfile.TemporaryDirectory(prefix="colorize-media-") as name:
            folder = Path(name)
            decision = self._judge_preview(asset, folder)
            if decision is not None and not decision.colorize:
                return self._leave(asset, item, decision.told, decision.what)
            if self._dry_run:
                would = (
                    "it would be coloured"
                    if decision
                    else "its preview says nothing, so the original would be looked at"
                )
                return Skipped(item.source, f"a dry run: {would}")
            original = folder / "original" / item.source.name
            original.parent.mkdir()
            self._server.download(asset, original)
            target = folder / _new_name(original)
            result = colorize_photo(original, target, self._get_colorizer(), self._options, self._renamed(item))
            if isinstance(result, Skipped):
                return self._leave(asset, item, result.reason, result.what)
            made = self._server.upload(target, asset)
        self._remember(asset, "uploaded", made=made)
        return self._arrange(asset, item, made, begun)

    def _renamed(self, item: Planned) -> OnEvent:
        """Events of the temporary file as those of the asset."""
        names = {"source": item.source, "target": item.target}

        def tell(event: Any) -> None:
            known = {field.name for field in dataclasses.fields(event)}
            self._on_event(dataclasses.replace(event, **{key: value for key, value in names.items() if key in known}))

        return tell

    def _judge_preview(self, asset: Asset, folder: Path) -> Decision | None:
        """None if its original has to say."""
        path = folder / "preview"
        try:
            path.write_bytes(self._server.preview(asset))
            photo = read_photo(path, max_pixels=self._options.max_pixels)
            return decide_photo(photo.preview, photo.luma, self._options)
        except EnvironmentProblem:
            raise
        except ColorizeError:  # not made yet, or of a kind that we cannot read
            return None

    def _leave(self, asset: Asset, item: Planned, reason: str, what: What | None) -> Skipped:
        self._remember(asset, "left", reason=reason)
        return Skipped(item.source, reason, what)

    def _arrange(self, asset: Asset, item: Planned, made: str, begun: float) -> Done:
        """Albums, stack, tag and what people wrote about the picture; all may be done twice without harm."""
        assert item.target is not None
        for album in self._server.albums_of(asset):
            if why := self._server.add_to_album(album, made):
                self._on_event(Warned(item.source, f"not put into one of its albums: {why}"))
        exif = asset.facts["exifInfo"]
        values = {name: exif[name] for name in ("description", "rating", "dateTimeOriginal") if exif[name]}
        if exif["latitude"] is not None and exif["longitude"] is not None:
            values |= {name: exif[name] for name in ("latitude", "longitude")}
        if asset.facts["isFavorite"]:
            values["isFavorite"] = True
        steps: list[tuple[str, Callable[[], None]]] = [("tagged", lambda: self._server.tag(self._tag_id(), made))]
        steps += [("described as the original is", lambda: self._server.update(made, values))] if values else []
        steps += [("stacked with the original", lambda: self._server.stack([asset.id, made]))]
        for what, step in steps:
            try:
                step()
            except ServerRefused as error:
                self._on_event(Warned(item.source, f"not {what}: {error.why}"))
        if asset.facts["livePhotoVideoId"]:
            self._on_event(Warned(item.source, "the moving part of the live photo is not carried over"))
        self._remember(asset, "done", made=made)
        return Done(item.source, item.target, 1, time.monotonic() - begun)

    def _tag_id(self) -> str:
        self._tag = self._tag or self._server.make_tag(TAG)
        return self._tag

    def _remember(self, asset: Asset, status: Status, *, made: str = "", reason: str = "") -> None:
        if not self._dry_run:
            self._state.add(Remembered(asset.id, asset.checksum, status, made, reason))


def _file_name(name: str) -> str:
    """The library's name for a picture as a file's name of ours: no folder, nothing that a file system refuses."""
    last = PurePosixPath(name.replace("\\", "/").replace("\0", "")).name
    stem, suffix = os.path.splitext(last)
    return (stem.encode("utf-8", "replace")[:_LONGEST_STEM].decode("utf-8", "ignore") or "picture") + suffix[:16]


def _new_name(original: Path) -> str:
    """Of the coloured picture. What the original holds counts once it is there."""
    return f"{original.stem}{SUFFIX}{with_writable_suffix(original, 'photo', original).suffix}"
