"""``colorize-media immich``: the black-and-white pictures of an Immich library get versions in colour, stacked with them.

Each picture is asked for alone: its preview decides, its original is downloaded, coloured and uploaded with its dates, then
put into the same albums, stacked below the original and tagged. What was done is remembered in a file of JSON lines, so the
same command goes on where it was, between an upload and its stack too. Nothing of the library is changed or removed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from colorize_media.archive.outcomes import Outcome, Tally, failed, settled
from colorize_media.archive.running import Running
from colorize_media.errors import ColorizeError, EnvironmentProblem, LibraryMissing, ServerRefused
from colorize_media.events import Done, Failed, Skipped, Warned, What
from colorize_media.immich.api import Asset, ImmichServer
from colorize_media.immich.plan import TAG, Picture, new_name
from colorize_media.immich.state import Remembered, State, Status
from colorize_media.judge.decision import Decision, decide_photo
from colorize_media.photo.colorize import colorize_photo
from colorize_media.photo.pages import read_photo

KEY = "COLORIZE_MEDIA_IMMICH_KEY"  # in the environment


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


def run_immich(
    server: ImmichServer, plan: Sequence[Picture], state: State, running: Running, *, dry_run: bool = False
) -> int:
    """Do the plan; returns the exit code, 0 or 1 if a picture failed. ``dry_run`` only looks at previews.

    Raises EnvironmentProblems: without server or network nothing can go on.
    """
    run = _Run(server, state, running, dry_run)
    tally = Tally(running.on_event)
    for picture in plan:
        tally.settle(run.outcome(picture))
    tally.close()
    return tally.code


class _Run:
    def __init__(self, server: ImmichServer, state: State, running: Running, dry_run: bool) -> None:
        self._server, self._state, self._running, self._dry_run = server, state, running, dry_run
        self._tag = ""

    def outcome(self, picture: Picture) -> Outcome:
        """What comes of one picture. Raises EnvironmentProblems."""
        if picture.item.action != "colorize":
            return settled(picture.item)
        try:
            return Outcome(picture.item, self._do(picture))
        except EnvironmentProblem:
            raise
        except OSError as error:
            why, hint = error.strerror or str(error), "make room, or name another folder in TMPDIR"
            return Outcome(picture.item, Failed(picture.source, "the disk gives out", why, hint), exit_code=1)
        except Exception as error:
            if isinstance(error, ColorizeError):
                error.path = picture.source  # nobody knows its copy in a temporary folder
            outcome = failed(picture.item, error)
            if outcome.lasting and isinstance(outcome.result, Failed):
                self._remember(picture.asset, "failed", reason=f"{outcome.result.what}: {outcome.result.why}")
            return outcome

    def _do(self, picture: Picture) -> Done | Skipped:
        begun, asset = time.monotonic(), picture.asset
        entry = self._state.entries.get(asset.id)
        if entry is not None and entry.status == "uploaded" and entry.checksum == asset.checksum and not self._dry_run:
            return self._arrange(picture, entry.made, begun)
        with tempfile.TemporaryDirectory(prefix="colorize-media-") as name:
            folder = Path(name)
            decision = self._judge_preview(asset, folder)
            if decision is not None and not decision.colorize:
                return self._leave(picture, decision.told, decision.what)
            if self._dry_run:
                unseen = "its preview says nothing, so the original would be looked at"
                return Skipped(picture.source, f"a dry run: {'it would be coloured' if decision else unseen}")
            original = folder / "original" / picture.source.name
            original.parent.mkdir()
            self._server.download(asset, original)
            target = folder / new_name(original)
            colorizer, options, on_event = self._running.get_colorizer(), self._running.options, self._running.on_event
            names = picture.source, picture.target
            result = colorize_photo(original, target, colorizer, options, on_event, named=names)
            if isinstance(result, Skipped):
                return self._leave(picture, result.reason, result.what)
            made = self._server.upload(target, asset)
        self._remember(asset, "uploaded", made=made)
        return self._arrange(picture, made, begun)

    def _judge_preview(self, asset: Asset, folder: Path) -> Decision | None:
        """None if its original has to say."""
        path, options = folder / "preview", self._running.options
        try:
            path.write_bytes(self._server.preview(asset))
            photo = read_photo(path, max_pixels=options.max_pixels)
            return decide_photo(photo.preview, photo.luma, options)
        except EnvironmentProblem:
            raise
        except ColorizeError:  # not made yet, or of a kind that we cannot read
            return None

    def _leave(self, picture: Picture, reason: str, what: What | None) -> Skipped:
        self._remember(picture.asset, "left", reason=reason)
        return Skipped(picture.source, reason, what)

    def _arrange(self, picture: Picture, made: str, begun: float) -> Done:
        """Albums, stack, tag and what people wrote about the picture; all may be done twice without harm."""
        asset = picture.asset
        for album in self._server.albums_of(asset):
            if why := self._server.add_to_album(album, made):
                self._warn(picture, f"not put into one of its albums: {why}")
        values = _written_by_people(asset)
        steps: list[tuple[str, Callable[[], None]]] = [("tagged", lambda: self._server.tag(self._tag_id(), made))]
        steps += [("described as the original is", lambda: self._server.update(made, values))] if values else []
        steps += [("stacked with the original", lambda: self._server.stack([asset.id, made]))]
        for what, step in steps:
            try:
                step()
            except ServerRefused as error:
                self._warn(picture, f"not {what}: {error.why}")
        if asset.facts["livePhotoVideoId"]:
            self._warn(picture, "the moving part of the live photo is not carried over")
        self._remember(asset, "done", made=made)
        return Done(picture.source, picture.target, 1, time.monotonic() - begun)

    def _warn(self, picture: Picture, message: str) -> None:
        self._running.on_event(Warned(picture.source, message))

    def _tag_id(self) -> str:
        self._tag = self._tag or self._server.make_tag(TAG)
        return self._tag

    def _remember(self, asset: Asset, status: Status, *, made: str = "", reason: str = "") -> None:
        if not self._dry_run:
            self._state.add(Remembered(asset.id, asset.checksum, status, made, reason))


def _written_by_people(asset: Asset) -> dict[str, Any]:
    """What they say about the original, as the server takes it for the new picture."""
    exif = asset.facts["exifInfo"]
    values = {name: exif[name] for name in ("description", "rating", "dateTimeOriginal") if exif[name]}
    if exif["latitude"] is not None and exif["longitude"] is not None:
        values |= {name: exif[name] for name in ("latitude", "longitude")}
    if asset.facts["isFavorite"]:
        values["isFavorite"] = True
    return values
