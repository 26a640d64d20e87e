"""What of a run's outcome is no fault, and what is one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import tifffile
from PIL import Image, ImageOps

from colorize_media.archive.manifest import MANIFEST_NAME
from tests.fuzz.children import Ended, in_child

EXIT_CODES = (0, 1, 3)
"""Of a right command: all done, a file failed, the machine lacks something."""
FILMS = (".mkv", ".mp4", ".mov", ".webm", ".m4v")


@dataclass(frozen=True)
class Run:
    """A run that has ended: ``files`` lay in ``in`` below the folder before."""

    folder: Path
    files: Mapping[str, bytes]
    words: tuple[str, ...]
    ended: Ended

    @property
    def inspect(self) -> bool:
        return self.words[0] == "inspect"

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """What it told as JSON lines; of what ended badly, as far as they are whole."""
        found = []
        for line in self.ended.told.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"event": "no JSON", "line": line})
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return [event for event in self.events if event.get("event") == kind]

    @property
    def outcome(self) -> str:
        """The worst that came of its files."""
        if self.inspect:
            return "told"
        if self.refused:
            return "refused"
        return next((kind for kind in ("failed", "done", "skipped") if self.of(kind)), "passed over")

    @property
    def refused(self) -> bool:
        """A name of an output that does not fit what the input was found to be; before any work."""
        return self.ended.code == 2 and "the output's format cannot be written" in self.ended.said and not self.events


def faults_of(run: Run) -> Iterator[str]:
    """All that is wrong, each in a line whose first word is its kind."""
    ended = run.ended
    for name, data in run.files.items():
        path = run.folder / "in" / name
        if not path.is_file() or path.read_bytes() != data:
            yield f"original: {name} is not what it was"
    if ended.killed or ended.crash:
        yield f"hang: {ended.killed}" if ended.killed else f"crash: {ended.crash}"
        return
    if ended.code not in EXIT_CODES and not run.refused:
        yield f"code: it ends with {ended.code}"
    if "Traceback (most recent call last)" in ended.said:
        yield f"traceback: {ended.said.strip().splitlines()[-1]}"
    yield from _left_behind(run)
    if not run.inspect and not run.refused:
        yield from _accounts(run)
        yield from _outputs(run)


def _accounts(run: Run) -> Iterator[str]:
    """What was told, against itself."""
    failed = run.of("failed")
    for event in failed:
        if event["what"] == "unexpected error":
            yield f"unexpected: {event['why']}"
        if "memory" in event["why"].lower():
            yield f"memory: {event['why']}"
        if not (event["what"] and event["why"] and event["hint"]):
            yield f"words: a failure without its reason or what to do: {event}"
    yield from (f"json: {event['line']!r}" for event in run.of("no JSON"))
    results = len(failed) + len(run.of("done")) + len(run.of("skipped"))
    if run.ended.code == 0 and failed:
        yield "success: a file failed and the exit code is 0"
    nothing_found = not run.of("planned") and bool(run.ended.said.strip())  # told, and no success
    if run.ended.code != 0 and not failed and not (run.ended.code == 1 and nothing_found):
        yield f"silence: exit code {run.ended.code} and no failure told: {run.ended.said.strip()[-300:]}"
    if run.ended.code in (0, 1) and len(run.of("planned")) != results:
        yield f"silence: {len(run.of('planned'))} planned, {results} with a result"


def _left_behind(run: Run) -> Iterator[str]:
    """Files that nobody was told of."""
    told = {str(Path(event["target"])) for event in run.of("done")}
    for event in run.of("planned"):
        told |= {sidecar["target"] for sidecar in event.get("sidecars", ()) if sidecar["action"] != "leave"}
        if event.get("sequence") and event["target"]:
            told.add(event["target"])
    told |= {str(Path("in", name)) for name in run.files} | {"stdout", "stderr"}
    for path in sorted(run.folder.rglob("*")):
        relative = str(path.relative_to(run.folder))
        is_ours = path.name == MANIFEST_NAME or path.name.startswith("colorize-media-report.")
        if (path.is_dir() and path.name.startswith(".")) or not (path.is_dir() or relative in told or is_ours):
            yield f"left: {relative}"


def _outputs(run: Run) -> Iterator[str]:
    """What counts as done is opened and decoded to its end, in a child of its own: it may be what crashes."""
    done = run.of("done")
    if not done:
        return
    source = run.folder / "in" / next(iter(run.files))
    (run.folder / "judge").mkdir()
    whole = not {"--start", "--duration", "--preview"} & set(run.words)
    ended = in_child(
        lambda: _print_all(_fault(event, run.folder, source, whole) for event in done), run.folder / "judge"
    )
    if ended.killed or ended.crash or ended.code:
        yield f"output: judging it: {ended.killed or ended.crash or ended.said.strip()[-500:]}"
    yield from ended.told.splitlines()


def _print_all(lines: Iterator[str]) -> int:
    for line in lines:
        if line:
            print(line)
    return 0


def _fault(event: Mapping[str, Any], folder: Path, source: Path, whole: bool) -> str:
    """Empty if the output is what its event says; ``whole``: of the whole source."""
    target = folder / event["target"]
    try:
        if target.suffix in FILMS:
            return _film_fault(target, source, event["frames"], whole)
        return _picture_fault(target, source if whole else None)
    except Exception as error:
        return f"output: {target.name} does not open: {type(error).__name__}: {error}"


def _film_fault(target: Path, source: Path, frames: int, whole: bool) -> str:
    with av.open(f"file:{target}", metadata_errors="surrogateescape") as film:
        tracks = len(film.streams.video)
    of_tracks = [_sizes(target, track) for track in range(tracks)]
    # Other tracks are copied, and may hold as many frames as their damage has left.
    track = next((track for track, sizes in enumerate(of_tracks) if len(sizes) == frames), 0)
    found = of_tracks[track] if of_tracks else []
    with av.open(f"file:{target}", metadata_errors="surrogateescape") as film:
        for _ in film.demux():
            pass
    if len(found) != frames:
        return f"output: {len(found)} frames, and {frames} were told"
    if not found:
        return "output: a film without frames"
    width, height, count = _decoded(source, track)
    if (width, height) != found[0]:
        return f"output: {found[0]} of a source of {(width, height)}"
    if whole and frames < count:
        return f"output: {frames} frames of a source of {count}"
    return ""


def _sizes(film: Path, track: int) -> list[tuple[int, int]]:
    with av.open(f"file:{film}", metadata_errors="surrogateescape") as container:
        return [(frame.width, frame.height) for frame in container.decode(video=track)]


def _decoded(source: Path, track: int) -> tuple[int, int, int]:
    """Size of the first frame, and how many frames FFmpeg gives whatever it is told of damage."""
    size, count = (0, 0), 0
    with av.open(f"file:{source}", metadata_errors="surrogateescape") as film:
        packets = film.demux(video=track)
        while True:
            try:
                packet = next(packets)
                for frame in packet.decode():
                    size, count = (frame.width, frame.height) if not count else size, count + 1
            except (StopIteration, IndexError):  # this is PyAV's, of a stream that begins after its look at the file
                return *size, count
            except av.error.FFmpegError:
                continue


def _picture_fault(target: Path, source: Path | None) -> str:
    if target.suffix == ".tif":
        with tifffile.TiffFile(target) as file:
            for page in file.pages:
                page.asarray()
    with Image.open(target) as image:
        image.load()
        size = image.size
    expected = None if source is None else _pillow_size(source)
    if expected and size not in (expected, expected[::-1]):
        return f"output: {size} of a source of {expected}"
    return ""


def _pillow_size(source: Path) -> tuple[int, int] | None:
    """As Pillow has it, where nobody else could have it otherwise."""
    try:
        with Image.open(source) as image:
            if image.format not in ("JPEG", "PNG", "WEBP", "BMP", "PPM", "TGA", "PCX", "SGI", "TIFF"):
                return None
            return ImageOps.exif_transpose(image).size
    except Exception:
        return None
