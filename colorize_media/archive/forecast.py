"""What a run would do: each file of a plan looked at, as `inspect` does, but quickly; and the totals."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from colorize_media.archive.outcomes import unexpected
from colorize_media.archive.sequence_reader import pictures_of
from colorize_media.archive.sequences import sequence_end
from colorize_media.archive.workers import default_workers
from colorize_media.events import Expected, Failed, Passed, Planned
from colorize_media.judge.decision import Decision, decide_film, decide_photo
from colorize_media.judge.survey import FEWEST_SAMPLES, survey
from colorize_media.options import ColorizeOptions
from colorize_media.photo.glance import glances
from colorize_media.photo.pages import read_pages
from colorize_media.video.opening import open_video, survey_of

_OF_WHICH = re.compile(r"^made by this program of .*", re.DOTALL)


class Foreseen(NamedTuple):
    """A file of the plan as it would come out; ``seconds`` a film to be coloured plays, 0 where that is unknown."""

    item: Planned
    seconds: float = 0.0


def foresee(plan: Sequence[Planned], options: ColorizeOptions, *, workers: int = 0) -> Iterator[Foreseen]:
    """Every file of the plan, in order: what would be coloured is looked at, and skipped or failed if it would be so."""
    pool = ThreadPoolExecutor(workers or default_workers())
    try:
        jobs = []
        start = 0
        while start < len(plan):
            end = sequence_end(plan, start) if plan[start].sequence else start + 1
            jobs.append(pool.submit(_looked_at, plan[start:end], options))
            start = end
        for job in jobs:
            yield from job.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _looked_at(items: Sequence[Planned], options: ColorizeOptions) -> list[Foreseen]:
    """One file, or the frames of a sequence, which are decided about together."""
    if not any(item.action == "colorize" for item in items):
        return [Foreseen(item) for item in items]
    try:
        if items[0].sequence:
            pictures = pictures_of(items, options, FEWEST_SAMPLES)
            decision, seconds = decide_film(survey(pictures) if pictures else None, options), 0.0
        elif items[0].kind == "photo":
            decision, seconds = _of_photo(items[0], options), 0.0
        else:
            decision, seconds = _of_film(items[0], options)
    except Exception as error:  # a decoder's bug must not cost the other files
        known = unexpected(items[0].source, error)
        failure = Failed(items[0].source, known.what, known.why, known.hint)
        why = f"{known.what}: {known.why}" if known.why else known.what
        return [Foreseen(dataclasses.replace(item, action="fail", reason=why, failure=failure)) for item in items]
    return [Foreseen(_decided(item, decision), seconds if decision.colorize else 0.0) for item in items]


def _decided(item: Planned, decision: Decision) -> Planned:
    if item.action != "colorize":
        return item
    if decision.colorize:
        return dataclasses.replace(item, what=decision.what)
    return dataclasses.replace(item, action="skip", reason=decision.told, what=decision.what, replaces=False)


def _of_photo(item: Planned, options: ColorizeOptions) -> Decision:
    """Of several pages, the first that would be coloured. Pages of text are told by all of their pixels."""
    if options.skip_documents:
        pages = ((photo.preview, photo.luma) for photo in read_pages(item.source, max_pixels=options.max_pixels))
        decisions = (decide_photo(preview, luma, options) for preview, luma in pages)
    else:
        decisions = (decide_photo(*page, options) for page in glances(item.source, options.max_pixels))
    for decision in decisions:
        if decision.colorize:
            break
    return decision


def _of_film(item: Planned, options: ColorizeOptions) -> tuple[Decision, float]:
    with open_video(item.source, options) as reader:
        return decide_film(survey_of(reader), options), float(reader.duration or 0)


class Totals:
    """Counts what is foreseen."""

    def __init__(self) -> None:
        self._colored: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._failed = 0
        self._seconds = 0.0

    def add(self, found: Foreseen) -> None:
        """One file more."""
        item = found.item
        if item.action == "colorize":
            self._colored[item.kind] += 1
            self._seconds += found.seconds
        elif item.action == "skip":
            self._skipped[_kind_of_reason(item.reason)] += 1
        else:
            self._failed += 1

    def expected(self, passed: Sequence[Passed], *, quick: bool) -> Expected:
        """All of it, with what the searched folders hold else."""
        others: Counter[str] = Counter()
        for event in passed:
            others.update(event.files)
            others.update(event.others)
        photos, films = self._colored["photo"], self._colored["video"]
        return Expected(photos, films, self._seconds, dict(self._skipped), self._failed, dict(others), quick)


def _kind_of_reason(reason: str) -> str:
    """Without what is of one file alone."""
    return _OF_WHICH.sub("made by this program", reason).partition(":")[0].partition(" (")[0]
