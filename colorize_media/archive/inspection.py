"""What the tool would decide about a picture or film, and the numbers that decide it: ``colorize-media inspect``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from colorize_media.archive.discovery import PassedOver, Selection, search
from colorize_media.archive.how_made import HowMade
from colorize_media.archive.workers import default_workers
from colorize_media.errors import ColorizeError
from colorize_media.events import Passed, ignore
from colorize_media.files.first_look import Kind, kind_of
from colorize_media.judge.decision import Decision, decide_film, decide_photo
from colorize_media.judge.documents import DocumentVerdict, judge_document
from colorize_media.judge.monochrome import Verdict
from colorize_media.options import ColorizeOptions
from colorize_media.photo.pages import read_pages
from colorize_media.provenance.mark import Mark, mark_in_packet, mark_of_film
from colorize_media.video.opening import open_video, survey_of

NUMBERS = ("chroma", "hue", "residual", "across", "stray")


@dataclass(frozen=True)
class Inspection:
    """The decision about one file.

    ``decision``: color (it would be coloured), leave or fail. ``verdict`` and ``document`` are None where nothing could be
    judged; films are not asked whether they are documents. ``mark`` says who coloured it, if this program did; ``record`` how
    (`provenance.record.Record`), ``recorded`` where that is said, as in `Made`, and ``made`` the same in lines for people.
    """

    source: Path
    kind: Literal["photo", "video", "other"]
    decision: Literal["color", "leave", "fail"]
    reason: str
    verdict: Verdict | None = None
    document: DocumentVerdict | None = None
    mark: str = ""
    record: dict[str, Any] | None = None
    recorded: str = ""
    made: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON types."""
        return dataclasses.asdict(self) | {"source": str(self.source)}


def inspect(
    inputs: Sequence[Path],
    options: ColorizeOptions,
    selection: Selection,
    *,
    workers: int = 0,
    on_passed: Callable[[Passed], None] = ignore,
) -> Iterator[Inspection]:
    """Every picture and film of the inputs, in order; nothing is written. What cannot be read is told as ``fail``.

    ``on_passed`` gets, of each folder, what is no input.
    """
    how_made = HowMade(options.max_pixels)
    pool = ThreadPoolExecutor(workers or default_workers())
    try:
        yield from pool.map(
            lambda found: _inspect(found, options, how_made), list(_files(inputs, selection, on_passed))
        )
    finally:
        pool.shutdown(cancel_futures=True)


def _files(
    inputs: Sequence[Path], selection: Selection, on_passed: Callable[[Passed], None]
) -> Iterator[tuple[Path, str, str]]:
    """Each with what is already known to be wrong with it, and what is to be said of it."""
    for path in inputs:
        if path.is_dir():
            passed, count = PassedOver(), 0
            for found in search(path, selection, passed=passed):
                count += not found.problem
                problem = found.problem and f"cannot read the folder: {found.problem}"
                yield path / found.relative, problem, found.note
            on_passed(Passed(path, count, passed.files, passed.others))
        else:
            yield path, "", ""


def _inspect(asked: tuple[Path, str, str], options: ColorizeOptions, how_made: HowMade) -> Inspection:
    """Of a file, as `_files` gives it."""
    path, problem, note = asked
    found = _judged(path, problem, options)
    if found.decision != "fail" and (made := how_made.of(path)) is not None:
        said, lines = made.record.as_json(), tuple(made.lines)
        found = dataclasses.replace(found, record=said, recorded=made.where, made=lines)
    return dataclasses.replace(found, reason=f"{found.reason}; {note}") if note else found


def _judged(path: Path, problem: str, options: ColorizeOptions) -> Inspection:
    kind = kind_of(path)
    if problem:
        return Inspection(path, "other", "fail", problem)
    try:
        return _inspect_photo(path, options) if kind == "photo" else _inspect_film(path, options)
    except ColorizeError as error:
        return Inspection(path, kind, "fail", f"{error.what}: {error.why}" if error.why else error.what)
    except Exception as error:  # a decoder's bug must not cost the other files
        return Inspection(path, kind, "fail", f"unexpected error: {type(error).__name__}: {error}")


def _inspect_photo(path: Path, options: ColorizeOptions) -> Inspection:
    """Of several pages, the first that would be coloured."""
    for number, photo in enumerate(read_pages(path, max_pixels=options.max_pixels), 1):
        found = _of(path, "photo", decide_photo(photo.preview, photo.luma, options, judge_document(photo.luma)))
        found = _marked(found, mark_in_packet(photo.metadata.xmp))
        if photo.pages > 1:
            found = dataclasses.replace(found, reason=f"page {number} of {photo.pages}: {found.reason}")
        if found.decision == "color":
            break
    return found


def _inspect_film(path: Path, options: ColorizeOptions) -> Inspection:
    with open_video(path, options) as reader:
        found = _of(path, "video", decide_film(survey_of(reader), options))
        return _marked(found, mark_of_film(path, reader.tags))


def _of(path: Path, kind: Kind, found: Decision) -> Inspection:
    return Inspection(path, kind, "color" if found.colorize else "leave", found.doubted, found.verdict, found.document)


def _marked(found: Inspection, mark: Mark | None) -> Inspection:
    return found if mark is None else dataclasses.replace(found, mark=mark.told)


def table_head() -> str:
    """The names of `table_row`'s columns."""
    names = " ".join(f"{name:>8}" for name in NUMBERS)
    return f"{'decision':8}  {'is':8} {names}  file: reason"


def table_row(inspection: Inspection, name: str) -> str:
    """A line of text, numbers as in `monochrome.Verdict`; where this program coloured it, more lines say how."""
    verdict, document = inspection.verdict, inspection.document
    if verdict is None:
        what, numbers = "", " ".join([" " * 8] * len(NUMBERS))
    else:
        what = "document" if document is not None and document.is_document else verdict.kind
        numbers = " ".join(f"{getattr(verdict, name):8.2f}" for name in NUMBERS)
    told = inspection.made or ((inspection.mark,) if inspection.mark else ())
    made = "".join(f"\n{'':8}  {line}" for line in told)
    return f"{inspection.decision:8}  {what:8} {numbers}  {name}: {inspection.reason}{made}"
