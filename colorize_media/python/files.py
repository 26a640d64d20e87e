"""A photograph or film by its name: what the command does with one input, returning the output or raising."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from colorize_media.archive.plan import Memory, make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.errors import ColorizeError, FileProblem
from colorize_media.events import Advanced, Done, Event, Failed, Skipped, Started, Warned
from colorize_media.files.first_look import size_of_readable
from colorize_media.options import ColorizeOptions
from colorize_media.python.arrays import Progress
from colorize_media.python.held import held_colorizer


def color_file(
    source: Path,
    output: Path | None,
    options: ColorizeOptions,
    progress: Progress,
    tell: Callable[[str], None],
    *,
    overwrite: bool,
) -> Path:
    """The file in colour: the output, the one that is there already, or the source where that has colour itself.

    ``tell`` is told what the command would tell. Raises a FileProblem, or a UsageProblem as `make_plan`; then there is no
    output.
    """
    size_of_readable(source)
    memory = Memory(options, retry_failed=True)  # who calls again wants it tried again
    (item,) = make_plan([source], output, overwrite=overwrite, preview=options.preview, memory=memory)
    results: list[Done | Skipped | Failed] = []
    total: int | None = None

    def listen(event: Event) -> None:
        nonlocal total
        if isinstance(event, Started):
            total = event.frames
        elif isinstance(event, Advanced):
            progress(event.frames, total)
        elif isinstance(event, Warned):
            tell(f"{source}: {event.message}")
        elif isinstance(event, (Done, Skipped, Failed)):
            results.append(event)

    run_plan([item], Running(lambda: held_colorizer(options), options, listen))
    (result,) = results
    if isinstance(result, Skipped):
        tell(f"{source}: {result.reason}")
    if isinstance(result, Failed):
        raise _error_of(result)
    if isinstance(result, Done):
        progress(result.frames, result.frames)
        return result.target
    return source if item.target is None or result.what is not None else item.target


def _error_of(failure: Failed) -> ColorizeError:
    kind = failure.error or FileProblem
    return kind(failure.what, path=failure.source, why=failure.why, hint=failure.hint)
