"""What people and programs see of the events: a progress bar, plain lines off a terminal, JSON lines.

Human text goes to standard error, JSON to standard output, so both can be had at once.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from colorize_media.cli.progress import FilmPace, RunProgress
from colorize_media.cli.terminal import harmless, write_in_place, write_line
from colorize_media.errors import ColorizeError
from colorize_media.events import (
    Advanced,
    Done,
    Event,
    Expected,
    Failed,
    Passed,
    Planned,
    Resumed,
    Skipped,
    Started,
    Summary,
    Warned,
    as_json,
)
from colorize_media.wording import (
    MOST_SUFFIXES,
    duration_text,
    left_lines,
    names_text,
    orphans_text,
    passed_text,
    position_text,
    shown_name,
    shown_path,
    shown_text,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PLAIN_EVERY = 5.0  # seconds between a film's progress lines off a terminal
PLAIN_RUN_EVERY = 60.0  # seconds between those of the run


class Reporter(Protocol):
    """Shows events. ``close`` restores the terminal."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None:
        """End any progress display."""
        ...


def make_reporter(plan: Sequence[Planned], *, quiet: bool, verbose: int, json_lines: bool) -> Reporter:
    """The reporter of a run over this plan, for these flags and this terminal."""
    if json_lines:
        return JsonLines(sys.stdout)
    if sys.stderr.isatty() and not quiet:
        return Bar(plan, verbose)
    return PlainLines(sys.stderr, plan, quiet=quiet, verbose=verbose)


class JsonLines:
    """One JSON object per event."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        write_line(self._stream, json.dumps(as_json(event)))

    def close(self) -> None:
        """Nothing to end."""


class PlainLines:
    """One line per happening; progress every few seconds. ``quiet`` leaves only failures and warnings."""

    def __init__(self, stream: TextIO, plan: Sequence[Planned], *, quiet: bool, verbose: int) -> None:
        self._stream = stream
        self._quiet = quiet
        self._verbose = verbose
        self._progress = RunProgress(plan)
        self._told = self._told_run = time.monotonic()

    def __call__(self, event: Event) -> None:
        self._progress(event)
        now = time.monotonic()
        if isinstance(event, Started) and event.kind == "video":
            self._told = now
        if isinstance(event, Advanced):
            if now - self._told >= PLAIN_EVERY and not self._quiet:
                self._told = now
                write_line(self._stream, f"{shown_name(event.source)}: {film_text(self._progress.film)}")
        else:
            for line in lines_of(event, quiet=self._quiet, verbose=self._verbose):
                write_line(self._stream, line)
        if self._progress.files > 1 and now - self._told_run >= PLAIN_RUN_EVERY and not self._quiet:
            self._told_run = now
            write_line(self._stream, run_text(self._progress))

    def close(self) -> None:
        """Nothing to end."""


class Bar:
    """One rich progress bar over the run, n of N files with the time left; lines above it for everything else."""

    def __init__(self, plan: Sequence[Planned], verbose: int, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._verbose = verbose
        self._run = RunProgress(plan)
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[pace]}", markup=False),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task("", total=self._run.files or None, pace="")
        self._film = ""

    def __call__(self, event: Event) -> None:
        self._run(event)
        if isinstance(event, Started):
            self._film = shown_name(event.source) if event.kind == "video" else ""
        elif isinstance(event, (Done, Skipped, Failed)):
            self._film = ""
        self._show()
        for line in lines_of(event, quiet=False, verbose=self._verbose):
            self._progress.console.print(harmless(line), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def _show(self) -> None:
        parts = [f"{self._run.film.fps():.1f} fps"] if self._film else []
        if (left := self._run.left()) is not None and self._run.settled < self._run.files:
            parts.append(f"{duration_text(left)} left")
        many = f"{self._run.settled} of {self._run.files} files" if self._run.files > 1 else ""
        self._progress.update(
            self._task,
            description=": ".join(part for part in (many, self._film) if part),
            completed=self._run.done(),
            pace=", ".join(parts),
        )


class Count:
    """Tells on standard error how far a long count is: in place on a terminal, else a line now and then."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.in_place = sys.stderr.isatty()
        self.begun = self.told = time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        now = time.monotonic()
        if now - self.told < (0.5 if self.in_place else 30.0) and not (done == count and self.in_place):
            return
        self.told = now
        left = (count - done) * (now - self.begun) / done
        text = f"{done} of {count} {self.what}, {duration_text(left)} left"
        if self.in_place:
            write_in_place(text if done < count else "")
        else:
            write_line(sys.stderr, text)


def film_text(pace: FilmPace) -> str:
    """``120 of 480 frames, 24.0 fps, 15 s left``; without the unknown parts."""
    if (left := pace.left()) is None:
        return f"{pace.frames} frames, {pace.fps():.1f} fps"
    return f"{pace.frames} of {pace.total} frames, {pace.fps():.1f} fps, {duration_text(left)} left"


def run_text(progress: RunProgress) -> str:
    """``12 of 240 files, 2 h 10 min left``; without the unknown part."""
    text = f"{progress.settled} of {progress.files} files"
    return text if (left := progress.left()) is None else f"{text}, {duration_text(left)} left"


def lines_of(event: Event, *, quiet: bool, verbose: int) -> list[str]:
    """The lines that tell an event to people; none for what they need not see."""
    if isinstance(event, Failed):
        return error_lines(event.what, event.source, event.why, event.hint)
    if isinstance(event, Warned):
        return [f"warning: {shown_name(event.source)}: {event.message}"]
    if isinstance(event, Passed) and (not quiet or not event.found):
        return passed_lines(event)
    if quiet:
        return []
    if isinstance(event, Done):
        frames = f"{event.frames} frames, " if event.frames > 1 else ""
        if event.own_frames:
            shots = "1 shot" if event.own_shots == 1 else f"{event.own_shots} shots"
            frames += f"{event.own_frames} of them in {shots} left in their own colour, "
        about = f"{frames}{duration_text(event.seconds)}{_with(event.sidecars)}"
        lines = [f"{shown_name(event.source)} → {shown_path(event.target)} ({about})"]
        if event.recoded:
            lines.append(f"{shown_name(event.source)}: {event.recoded}")
        if event.converted:
            lines.append(f"{shown_name(event.source)}: {shown_text('; '.join(event.converted))}")
        return lines
    if isinstance(event, Resumed):
        return [f"{shown_name(event.source)}: resuming at {position_text(event.time)}"]
    if isinstance(event, Skipped):
        return [f"{shown_name(event.source)}: skipped, {event.reason}{_with(event.sidecars)}"]
    if isinstance(event, Summary):
        return _summary_lines(event)
    if isinstance(event, Planned):
        return plan_lines([event])
    if isinstance(event, Expected):
        return expected_lines(event)
    if isinstance(event, Started) and verbose:
        return [f"{shown_name(event.source)}: {event.note}"]
    return []


def _with(sidecars: int) -> str:
    return f", {sidecars} sidecar{'s' if sidecars > 1 else ''} copied" if sidecars else ""


def _summary_lines(event: Summary) -> list[str]:
    """The counts where there was more than one file; what of the sidecars stays behind always."""
    lines = []
    if event.done + event.skipped + event.failed > 1 or event.passed:
        passed = f", {event.passed:,} passed over" if event.passed else ""
        before = f" ({event.failed_before} of them before, and unchanged)" if event.failed_before else ""
        counts = f"{event.done} coloured, {event.skipped} skipped, {event.failed} failed{before}{passed}"
        by = f", by the network {shown_text(event.model)}" if event.model else ""
        lines.append(f"{counts} in {duration_text(event.seconds)}{by}{_with(event.sidecars)}")
    if lines:  # of one file it is said already
        lines += [f"{count:,} film{'s' * (count > 1)}: {what}" for what, count in event.recoded.items()]
    if event.toned:
        became = "colours stand in its place; --keep-tint keeps it as a light over them"
        lines.append(f"{event.toned:,} in an even tone (sepia, a film's tint): {became}")
    if event.older:
        made = "1 output was" if len(event.older) == 1 else f"{len(event.older):,} outputs were"
        lines.append(
            f"{made} made by older weights or an older version (--redo-older does it again): {names_text(event.older)}"
        )
    if event.orphaned:
        lines.append(orphans_text(event.orphaned))
    return lines + left_lines(event.sidecars_left)


def plan_lines(plan: Sequence[Planned]) -> list[str]:
    """What ``--dry-run`` prints."""
    words = {"colorize": "would colour", "skip": "would skip", "fail": "would fail on"}
    lines = []
    for item in plan:
        line = f"{words[item.action]} {shown_path(item.source)}"
        if item.action == "colorize" and item.target is not None:
            line += f" → {shown_path(item.target)}"
        lines.append(line + (f" ({item.reason})" if item.reason else ""))
        for sidecar in item.sidecars:
            if sidecar.action == "copy":
                lines.append(f"  with {shown_name(sidecar.source)} → {shown_name(sidecar.target)}")
            elif sidecar.action == "leave":
                lines.append(f"  without {shown_name(sidecar.source)} ({sidecar.reason})")
    return lines


def expected_lines(event: Expected) -> list[str]:
    """The totals of a dry run."""
    plays = f" ({duration_text(event.seconds)} of film)" if event.seconds else ""
    coloured = f"{_counted(event.photos, 'picture')} and {_counted(event.films, 'film')}{plays}"
    lines = [f"would colour {coloured}, skip {sum(event.skipped.values()):,}, fail on {event.failed:,}"]
    lines += [f"  {count:,} skipped: {why}" for why, count in sorted(event.skipped.items())]
    if passed := sum(event.passed.values()):
        most = sorted(event.passed.items(), key=lambda item: (-item[1], item[0]))
        told = ", ".join(f"{count:,} {shown_text(what) or 'without extension'}" for what, count in most[:MOST_SUFFIXES])
        lines.append(f"  {passed:,} passed over: {told}" + (" and others" if len(most) > MOST_SUFFIXES else ""))
    if event.quick:
        lines.append("  no file was looked into (--quick): what has colour already is among those to be coloured")
    return lines


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def passed_lines(event: Passed) -> list[str]:
    """The line that counts what of a folder is no input; none where there is nothing to say."""
    parts = [] if event.found else ["no pictures or films in it"]
    if text := passed_text(event.files, event.others):
        parts.append(text)
    return [f"{shown_path(event.source)}: {'; '.join(parts)}"] if parts else []


def error_lines(what: str, path: Path | str | None, why: str, hint: str) -> list[str]:
    """The four parts: what, which file, why, what to do."""
    lines = [f"error: {what}" + (f": {shown_path(Path(path))}" if path is not None else "")]
    lines += [f"  why: {why}"] if why else []
    return lines + ([f"  do:  {hint}"] if hint else [])


def show_error(error: ColorizeError) -> None:
    """An error that ended the command, on standard error."""
    write_line(sys.stderr, "\n".join(error_lines(error.what, error.path, error.why, error.hint)))
