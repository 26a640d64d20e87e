"""What is known of outputs that lie in no output folder: by what they say themselves, or by the user's own memory.

A file that was named alone has its output beside it, and no manifest stands there. Most formats say how they were made: with
which options and weights, of which file. Where a format has no room for it, or it is not to be said, a manifest in the
user's cache folder remembers it, by the output's whole path. An output that says nothing and is not remembered is nobody's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from colorize_media.archive.manifest import Entry, Manifest, Stamp, read_manifest
from colorize_media.errors import FileProblem
from colorize_media.files.first_look import Kind, kind_of
from colorize_media.machine import cache_folder
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.film_boxes import read_film_xmp
from colorize_media.provenance.read_back import record_in_packet, record_in_tags, was_changed_since
from colorize_media.provenance.record import Record, sha256_of

_PARTS = (".tif", ".tiff")  # of pages, each coloured or left for itself
NO_HOME = (
    "what is done cannot be remembered for the next run: this user has no home folder (XDG_CACHE_HOME names another)"
)


class SingleFiles:
    """The memory of outputs without an output folder. Safe from one thread; the user's own is read when it is needed.

    ``on_problem`` gets, once, which file or folder is concerned, and why nothing can be remembered.
    """

    def __init__(
        self, options: ColorizeOptions, on_problem: Callable[[Path, str], None] = lambda path, why: None
    ) -> None:
        self._options = options
        self._on_problem = on_problem
        self._folder = cache_folder()
        self._entries: dict[str, Entry] | None = None
        self._manifest: Manifest | None = None
        self._told = False

    def entry(self, target: Path, kind: Kind) -> Entry | None:
        """What is known of the making of what stands there, as a line of a manifest would say it; None of anybody's file."""
        remembered = self.remembered(target)
        if remembered is not None and remembered.made == Stamp.if_there(target):
            return remembered
        said = entry_in(target, kind, self._options.max_pixels)
        return remembered if said is None else said

    def remembered(self, target: Path) -> Entry | None:
        """What the user's own memory has of it."""
        if self._entries is None:
            self._entries = {} if self._folder is None else read_manifest(self._folder)
        return self._entries.get(_name(target))

    def remember(self, entry: Entry, target: Path, kind: Kind) -> None:
        """What has just been made, unless it says so itself."""
        said = entry_in(target, kind, self._options.max_pixels)
        if said is not None and (said.made, said.options) == (entry.made, entry.options):
            return
        if self._manifest is None and self._folder is not None:
            self._manifest = Manifest(self._folder, partial(self._on_problem, self._folder))
        if self._manifest is not None:
            self._manifest.add(entry)
        elif not self._told:
            self._told = True
            self._on_problem(target, NO_HOME)

    def name(self, target: Path) -> str:
        """By which the output is remembered."""
        return _name(target)

    def close(self) -> None:
        """Wait until all is on the disk."""
        if self._manifest is not None:
            self._manifest.close()


def _name(target: Path) -> str:
    """The whole path without its beginning: a manifest's names lie below a folder."""
    return Path(os.path.realpath(target.parent), target.name).as_posix().lstrip("/")


def entry_in(target: Path, kind: Kind, max_pixels: int) -> Entry | None:
    """What an output's own file says, as a line of a manifest; None where it says too little to be known again by."""
    for record, changed in records_in(target, max_pixels):
        if record.source_stamp is None or not record.made_under:
            return None
        source = Stamp(*record.source_stamp)
        try:
            size = target.stat().st_size
        except OSError:
            return None
        made = None if changed else Stamp(size, source.mtime_ns)  # an output has its source's time
        has_parts = kind == "video" or target.suffix.lower() in _PARTS or "image_sequence" in record.options
        decided = record.decided_under if has_parts else ""
        options, said = record.made_under, record.as_json()
        return Entry(_name(target), record.source, source, made, "done", options, decided=decided, record=said)
    return None


def records_in(target: Path, max_pixels: int) -> Iterator[tuple[Record, bool]]:
    """Those that the file holds, and whether another program has written it since."""
    from colorize_media.photo.said import xmp_packets
    from colorize_media.video.opening import open_video

    if kind_of(target) == "photo":  # that of a film, too, if it is a preview
        packets = list(xmp_packets(target, max_pixels))
    else:
        try:
            packets = [read_film_xmp(target)]
        except (OSError, ValueError):
            packets = []
    for packet in packets:
        if (record := record_in_packet(packet)) is not None:
            yield record, was_changed_since(packet, record)
    if kind_of(target) == "video":
        try:
            with open_video(target, ColorizeOptions(max_pixels=max_pixels)) as reader:
                if (record := record_in_tags(reader.tags)) is not None:
                    yield record, False
        except FileProblem:  # what cannot be read says nothing
            return


def is_same_source(source: Path, stamp: Stamp | None, entry: Entry) -> bool:
    """Whether a file is the one that an output was made of: unchanged, or with another time but the same bytes."""
    if stamp is None or stamp == entry.stamp:
        return stamp is not None
    known = (entry.record or {}).get("source_sha256")
    return bool(known) and stamp.size == entry.stamp.size and sha256_of(source) == known
