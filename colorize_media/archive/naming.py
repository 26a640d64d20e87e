"""Which output an input gets: beside it or below the output folder, with an extension that can be written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from colorize_media.archive.discovery import PassedOver, Selection, search, sidecars_in
from colorize_media.archive.sidecars import Beside
from colorize_media.errors import BadOption
from colorize_media.events import Failed, Passed, ignore
from colorize_media.files.first_look import Kind, content_suffix, kind_of, nearest_suffix
from colorize_media.files.formats import (
    FALLBACKS,
    FORMAT_SUFFIXES,
    NOT_WRITABLE,
    PHOTO_FALLBACK,
    PHOTO_SUFFIXES,
    PURPOSE_SUFFIXES,
    RAW_FALLBACK,
    RAW_SUFFIXES,
    VIDEO_FALLBACK,
    WRITABLE_PHOTO,
    WRITABLE_VIDEO,
)
from colorize_media.options import ColorizeOptions

MARK = ".color"  # film.mp4 → film.color.mp4
CHROMA_ONLY, CHROMA_MARK = "--chroma-only", ".chroma"  # film.mp4 → film.chroma.mkv
MOST_NAME_BYTES = 255  # of one name, on all usual file systems
PREVIEW = ".preview.png"  # film.mp4 → film.mp4.preview.png


@dataclass(frozen=True)
class Pair:
    """An input file and where its output would be; without a kind, there is nothing at the source but a ``failure``.

    ``problem`` is what the plan says of it, ``note`` what else, ``sidecars`` go along with it. What this program made has no
    target, but the input that it was ``made_from``.
    """

    source: Path
    target: Path | None = None
    kind: Kind | None = None
    root: Path | None = None
    tree: Path | None = None
    problem: str = ""
    failure: Failed | None = None
    sidecars: tuple[Beside, ...] = ()
    made_from: Path | None = None
    note: str = ""


def made_for(options: ColorizeOptions) -> str:
    """What films are made for, as it is asked for; empty where a film stays what it is."""
    return CHROMA_ONLY if options.chroma_only else f"--for {options.purpose}" if options.purpose else ""


def output_folder(source: Path, output: Path | None) -> Path:
    """Where what is made of a folder's files goes: the folder that the user named, or the one beside it."""
    named = source if source.name not in ("", "..") else source.resolve()  # "." and ".." have no name to extend
    return named.with_name(f"{named.name}-color") if output is None else output


def pairs_of(
    inputs: Sequence[Path],
    output: Path | None,
    selection: Selection,
    preview: bool,
    on_passed: Callable[[Passed], None] = ignore,
    *,
    sidecars: bool = False,
    purpose: str = "",
) -> Iterator[Pair]:
    """Every file of the inputs with its output. That of a preview belongs to no remembered run. Raises BadOption.

    ``on_passed`` gets what of a searched folder is no input. With ``sidecars`` what goes along with inputs is looked for.
    ``purpose`` is what films are made for (`made_for`), which says their format.
    """
    single = len(inputs) == 1
    _refuse_file_for_several(inputs, output)
    goes_along = cache(partial(sidecars_in, selection=selection))
    for source in inputs:
        try:
            there, is_folder = source.exists(), source.is_dir()
        except OSError as error:  # a name that is too long, above all
            failure = Failed(source, "cannot read the input", error.strerror or str(error), "check the name")
            yield Pair(source, problem=f"{failure.what}: {failure.why}", failure=failure)
            continue
        if is_folder:
            root = output_folder(source, output)
            passed, inputs_found = PassedOver(), 0
            for found in search(source, selection, root, passed, sidecars=sidecars):
                path = source / found.relative
                if found.problem:
                    failure = Failed(path, "cannot read the folder", found.problem, "check its permissions")
                    yield Pair(path, problem=f"{failure.what}: {failure.why}", failure=failure)
                    continue
                inputs_found += 1
                kind = kind_of(path)
                target = root / _output_name(found.relative, kind, preview, path, purpose)
                pair = Pair(
                    path, target, kind, None if preview else root, source, sidecars=found.sidecars, note=found.note
                )
                yield _if_named(pair)
            on_passed(Passed(source, inputs_found, passed.files, passed.others))
        elif not there:
            failure = Failed(source, "no such file or folder", "the path leads nowhere", "check the name")
            yield Pair(source, problem=failure.what, failure=failure)
        else:
            kind = kind_of(source)
            target, named_root = _target_of_file(source, output, kind, single, preview, purpose)
            beside = goes_along(source.parent).get(source.name, ()) if sidecars else ()
            yield _if_named(Pair(source, target, kind, None if preview else named_root, sidecars=beside))


def _refuse_file_for_several(inputs: Sequence[Path], output: Path | None) -> None:
    """Raises BadOption where several files, or a folder, would have a file's name for their folder."""
    if output is None or os.path.isdir(output) or str(output).endswith(os.sep):
        return
    if output.suffix.lower() in WRITABLE_PHOTO | WRITABLE_VIDEO and (len(inputs) > 1 or inputs[0].is_dir()):
        raise BadOption(
            "several files cannot become one",
            path=output,
            why="with several inputs, or a folder, -o names the folder of the outputs",
            hint=f"name a folder, or {output}{os.sep} if it shall be called so",
        )


def _if_named(pair: Pair) -> Pair:
    """What would get a name that the system does not take fails before any work."""
    target = pair.target
    if target is None or len(os.fsencode(target.name)) <= MOST_NAME_BYTES:
        return pair
    failure = Failed(
        pair.source,
        "the output's name would be too long",
        f"{target.name} has {len(os.fsencode(target.name))} bytes, and file systems take {MOST_NAME_BYTES}",
        "give the source a shorter name, or a name of its own with -o",
    )
    return Pair(pair.source, problem=f"{failure.what}: {failure.why}", failure=failure)


def _target_of_file(
    source: Path, output: Path | None, kind: Kind, single: bool, preview: bool, purpose: str
) -> tuple[Path, Path | None]:
    """The output, and the output folder that the user named."""
    if output is None and preview and kind == "video":
        return _output_name(source, kind, preview, source, purpose), None
    if output is None:
        special = purpose if kind == "video" else ""
        suffix = PURPOSE_SUFFIXES[special][0] if special else source.suffix
        named = source.with_name(f"{source.stem}{CHROMA_MARK if special == CHROMA_ONLY else MARK}{suffix}")
        return with_writable_suffix(named, kind, source), None
    if single and not os.path.isdir(output) and output.suffix and not str(output).endswith(os.sep):
        writable = WRITABLE_PHOTO if kind == "photo" else {".png"} if preview else WRITABLE_VIDEO
        if kind == "video" and not preview and purpose and output.suffix.lower() not in PURPOSE_SUFFIXES[purpose]:
            raise BadOption(
                f"the output's name and {purpose} contradict each other",
                path=output,
                why=f"such a film is a {PURPOSE_SUFFIXES[purpose][0]}, not a {output.suffix}",
                hint=f"name it {output.with_suffix(PURPOSE_SUFFIXES[purpose][0]).name}, or leave {purpose} out",
            )
        if output.suffix.lower() not in writable:
            raise BadOption(
                "the output's format cannot be written",
                path=output,
                why=f"{output.suffix} is not for {'a preview' if preview and kind == 'video' else f'a {kind}'}",
                hint=f"use one of {' '.join(sorted(writable))}",
            )
        return output, None
    return output / _output_name(Path(source.name), kind, preview, source, purpose), output


def _output_name(path: Path, kind: Kind, preview: bool, source: Path, purpose: str) -> Path:
    if preview and kind == "video":
        return path.with_name(path.name + PREVIEW)
    if purpose == CHROMA_ONLY and kind == "video":  # not called as the coloured film is: both may be wanted
        return path.with_name(f"{path.name}{CHROMA_MARK}{PURPOSE_SUFFIXES[purpose][0]}")
    if purpose and kind == "video" and path.suffix.lower() not in PURPOSE_SUFFIXES[purpose]:
        return path.with_name(path.name + PURPOSE_SUFFIXES[purpose][0])  # added, so that no two films become one
    return with_writable_suffix(path, kind, source)


def with_writable_suffix(path: Path, kind: Kind, source: Path) -> Path:
    """The same name if its format can be written and holds what ``source`` has, else with the nearest one's extension."""
    if kind == "photo":
        suffix = path.suffix.lower()
        if suffix in RAW_SUFFIXES:
            return path.with_name(path.name + RAW_FALLBACK)
        if suffix in (*FORMAT_SUFFIXES["HEIC"], ".avif") and (nearest := nearest_suffix(source)):
            return path.with_name(path.name + nearest)
        if suffix in WRITABLE_PHOTO:
            return path
        named = suffix in PHOTO_SUFFIXES and suffix not in FORMAT_SUFFIXES["HEIC"]  # phones call JPEG so, too
        known = FALLBACKS.get(suffix, "") if named else content_suffix(source)
        return path.with_name(path.name + (known if known in WRITABLE_PHOTO else PHOTO_FALLBACK))
    return path if path.suffix.lower() in WRITABLE_VIDEO else path.with_name(path.name + VIDEO_FALLBACK)


def why_another_format(source: Path, target: Path, kind: Kind) -> str:
    """Why `with_writable_suffix` gave the output another extension than its source's; nothing where it did not."""
    suffix = source.suffix.lower()
    if not suffix or target.suffix.lower() == suffix or not target.stem.lower().endswith(suffix):
        return ""  # the same, or the user's own choice
    if kind == "video" and suffix in WRITABLE_VIDEO:
        return f"what it is made for asks for {target.suffix.lower()}"
    if kind == "video":
        why = f"films are not written as {suffix}"
    elif suffix not in PHOTO_SUFFIXES:
        why = "the extension says nothing of the picture's format"
    else:
        why = NOT_WRITABLE.get(suffix, f"{suffix} is written with 8 bits per channel, and this has more")
    return f"{why}; the nearest format is {target.suffix.lower()}"
