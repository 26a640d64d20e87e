"""From what the user named to a list of jobs, checked as a whole before any work; then the run over them.

A plan holds one `Planned` per input file. Refused before any work, with exit code 2: an output that is one of the inputs,
two inputs with one output. A file that cannot be coloured is told and counted; the others go on.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from colorize_media.errors import (
    BadOption,
    ColorizeError,
    InputIsOutput,
    InputMissing,
    OutputCollision,
    OutputUnwritable,
)
from colorize_media.events import Done, Failed, OnEvent, Planned, Skipped, Summary
from colorize_media.formats import (
    PHOTO_FALLBACK,
    PHOTO_SUFFIXES,
    VIDEO_FALLBACK,
    VIDEO_SUFFIXES,
    WRITABLE_PHOTO,
    WRITABLE_VIDEO,
)
from colorize_media.options import ColorizeOptions

if TYPE_CHECKING:
    from colorize_media.colorizer import Colorizer

Kind = Literal["photo", "video"]

PREVIEW = ".preview.png"  # film.mp4 → film.mp4.preview.png
MARK = ".color"  # film.mp4 → film.color.mp4


def make_plan(inputs: Sequence[Path], output: Path | None, *, overwrite: bool, preview: bool = False) -> list[Planned]:
    """What would be done with every input, in order. Raises InputIsOutput or OutputCollision; touches nothing.

    A folder is searched recursively (hidden files and links to folders are not followed) and its tree is kept below the
    output folder. ``preview`` plans previews of films, and no photographs. A missing input is planned as ``fail``, so that
    it is told and counted like any other failure.
    """
    entries = list(_pair(inputs, output, preview))
    _refuse_overlaps(entries)
    plan = []
    for source, target, kind in entries:
        if target is None or kind is None:
            plan.append(Planned(source, target, kind or "other", "fail", "no such file or folder"))
        elif preview and kind == "photo":
            plan.append(Planned(source, target, kind, "skip", "previews are for films"))
        elif target.exists() and not overwrite:
            plan.append(Planned(source, target, kind, "skip", "the output is already there"))
        else:
            plan.append(Planned(source, target, kind, "colorize"))
    return plan


def run_plan(
    plan: Sequence[Planned],
    make_colorizer: Callable[[], Colorizer],
    options: ColorizeOptions,
    on_event: OnEvent,
    on_traceback: Callable[[str], None] = lambda text: None,
) -> int:
    """Do the plan; returns the exit code: 0, 1 if a file failed, 3 if the machine lacked something for one.

    The network is loaded on the first file that needs it. ``on_traceback`` gets the text of each failure's traceback.
    """
    from colorize_media.work_folder import remove_finished

    started = time.monotonic()
    done = skipped = failed = code = 0
    colorizer: Colorizer | None = None
    for item in plan:
        result: Done | Skipped | ColorizeError
        if item.action == "skip":
            if item.target is not None:
                remove_finished(item.target)
            result = Skipped(item.source, item.reason)
        elif item.action == "fail":
            result = InputMissing(
                "no such file or folder", path=item.source, why="the path leads nowhere", hint="check the name"
            )
        else:
            # Outside the try: a device or weights problem is every file's, not this one's.
            colorizer = colorizer or make_colorizer()
            try:
                result = _colorize(item, colorizer, options, on_event)
            except ColorizeError as error:
                on_traceback(traceback.format_exc())
                result = error
            except Exception as error:  # a bug of ours or of a decoder must not cost the other files
                on_traceback(traceback.format_exc())
                result = ColorizeError(
                    "unexpected error",
                    path=item.source,
                    why=f"{type(error).__name__}: {error}",
                    hint="-vv shows more; please report it",
                )
        if isinstance(result, ColorizeError):
            failed += 1
            code = max(code, result.exit_code if result.exit_code == 3 else 1)
            on_event(Failed(item.source, result.what, _why(result, item.source), result.hint))
        else:
            done, skipped = (done + 1, skipped) if isinstance(result, Done) else (done, skipped + 1)
            on_event(result)
    on_event(Summary(done, skipped, failed, time.monotonic() - started))
    return code


def _colorize(item: Planned, colorizer: Colorizer, options: ColorizeOptions, on_event: OnEvent) -> Done | Skipped:
    from colorize_media.pipeline import colorize_photo, colorize_video
    from colorize_media.preview import preview_video

    assert item.target is not None
    try:
        item.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputUnwritable(
            "cannot make the output folder",
            path=item.target.parent,
            why=error.strerror or str(error),
            hint="check -o and permissions",
        ) from error
    work_on_film = preview_video if options.preview else colorize_video
    work = colorize_photo if item.kind == "photo" else work_on_film
    return work(item.source, item.target, colorizer, options, on_event)


def _why(error: ColorizeError, source: Path) -> str:
    """The reason, with the file it is about when that is not the input itself."""
    other = error.path is not None and error.path != source
    return ": ".join(part for part in (str(error.path) if other else "", error.why) if part)


def _pair(
    inputs: Sequence[Path], output: Path | None, preview: bool
) -> Iterator[tuple[Path, Path | None, Kind | None]]:
    """(source, target, kind) of every file."""
    single = len(inputs) == 1
    for source in inputs:
        if source.is_dir():
            named = source if source.name not in ("", "..") else source.resolve()  # "." and ".." have no name to extend
            root = named.with_name(f"{named.name}-color") if output is None else output
            for path in _walk(source, root):
                kind = kind_of(path)
                yield path, root / _output_name(path.relative_to(source), kind, preview), kind
        elif not source.exists():
            yield source, None, None
        else:
            kind = kind_of(source)
            yield source, _target_of_file(source, output, kind, single, preview), kind


def _target_of_file(source: Path, output: Path | None, kind: Kind, single: bool, preview: bool) -> Path:
    if output is None and preview and kind == "video":
        return _output_name(source, kind, preview)
    if output is None:
        named = source.with_name(f"{source.stem}{MARK}{source.suffix}")
        return with_writable_suffix(named, kind)
    if single and not output.is_dir() and output.suffix and not str(output).endswith(os.sep):
        writable = WRITABLE_PHOTO if kind == "photo" else {".png"} if preview else WRITABLE_VIDEO
        if output.suffix.lower() not in writable:
            raise BadOption(
                "the output's format cannot be written",
                path=output,
                why=f"{output.suffix} is not for {'a preview' if preview and kind == 'video' else f'a {kind}'}",
                hint=f"use one of {' '.join(sorted(writable))}",
            )
        return output
    return output / _output_name(Path(source.name), kind, preview)


def _output_name(path: Path, kind: Kind, preview: bool) -> Path:
    return path.with_name(path.name + PREVIEW) if preview and kind == "video" else with_writable_suffix(path, kind)


def with_writable_suffix(path: Path, kind: Kind) -> Path:
    """The same name if its format can be written, else with the extension of the nearest that can."""
    if kind == "photo":
        return path if path.suffix.lower() in WRITABLE_PHOTO else path.with_name(path.name + PHOTO_FALLBACK)
    return path if path.suffix.lower() in WRITABLE_VIDEO else path.with_name(path.name + VIDEO_FALLBACK)


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    """Pictures and films below a folder, sorted, without hidden ones and without what lies in the output folder."""
    output = output.resolve()
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(root) / name).resolve() != output
        )
        for name in sorted(files):
            path = Path(root) / name
            if not name.startswith(".") and path.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES and path.is_file():
                yield path


def kind_of(path: Path) -> Kind:
    """Photo or video, by the first bytes; by the extension where they say nothing. An unreadable file is a video's worry."""
    head = b""
    try:
        if path.is_file():  # opening a pipe would wait for its other end
            with path.open("rb") as file:
                head = file.read(32)
    except OSError:
        pass
    if head.startswith(b"GIF8"):
        return "video" if _has_several_frames(path) else "photo"
    if head[4:8] == b"ftyp":
        return "photo" if head[8:12] in _STILL_BRANDS else "video"
    if head.startswith(_STILL_MAGIC) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "photo"
    return "photo" if path.suffix.lower() in PHOTO_SUFFIXES else "video"


_STILL_BRANDS = frozenset({b"heic", b"heix", b"mif1", b"msf1", b"avif", b"heim", b"heis"})
_STILL_MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"II*\0",
    b"MM\0*",
    b"BM",
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",
    b"P5",
    b"P6",
)


def _has_several_frames(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False))
    except (OSError, ValueError, SyntaxError):
        return False


def _refuse_overlaps(entries: Sequence[tuple[Path, Path | None, Kind | None]]) -> None:
    """By real path, so that links and ``..`` do not hide that two names are one file."""
    sources = {_key(source): source for source, _, _ in entries}
    targets: dict[str, Path] = {}
    for source, target, _ in entries:
        if target is None:
            continue
        key = _key(target)
        if key in sources or (target.exists() and source.exists() and os.path.samefile(source, target)):
            raise InputIsOutput(
                "the output would replace an input",
                path=target,
                why="originals are never changed",
                hint="give another name or folder with -o",
            )
        if key in targets:
            raise OutputCollision(
                "two inputs would write the same output",
                path=target,
                why=f"{targets[key]} and {source}",
                hint="colour them in two runs with different -o",
            )
        targets[key] = source


def _key(path: Path) -> str:
    """macOS and Windows do not tell ``A.jpg`` from ``a.jpg``."""
    real = os.path.realpath(path)
    return real.casefold() if sys.platform in ("darwin", "win32") else real
