"""Runs for tests: planned, carried out in this process, told as lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from colorize_media.archive.manifest import MANIFEST_NAME
from colorize_media.archive.memory import Memory
from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.events import Done, Event, Failed, Planned, Skipped, ignore
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from tests.made.pictures import save_grey

SMALL = ColorizeOptions(working_size=64)


def carry_out(
    plan: Sequence[Planned],
    weights: Path,
    options: ColorizeOptions = SMALL,
    *,
    tell: Callable[[Event], None] = ignore,
) -> tuple[int, list[Event]]:
    """The exit code, and what was told; ``tell`` is told it too."""
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        tell(event)

    return run_plan(plan, Running(lambda: Colorizer(str(weights), "cpu"), options, on_event)), events


def do(
    inputs: Sequence[Path],
    output: Path | None,
    weights: Path,
    options: ColorizeOptions = SMALL,
    *,
    overwrite: bool = False,
    retry: bool = False,
    tell: Callable[[Event], None] = ignore,
) -> tuple[int, list[Event]]:
    """Plan and carry out."""
    plan = make_plan(inputs, output, overwrite=overwrite, memory=Memory(options, retry_failed=retry))
    return carry_out(plan, weights, options, tell=tell)


def results(events: list[Event]) -> list[tuple[str, str]]:
    """What came of each file, and its name."""
    return [(type(e).__name__, e.source.name) for e in events if isinstance(e, (Done, Skipped, Failed))]


def whole_pictures(folder: Path) -> list[str]:
    """The names below a folder but for what a run remembers there; fails where one is no whole picture."""
    names = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST_NAME]
    for path in names:
        with Image.open(path) as image:
            image.load()
    return [path.name for path in names]


def save_planned(tmp_path: Path, count: int) -> list[Planned]:
    """Grey photographs in ``in``, planned to be coloured into ``out``."""
    out = tmp_path / "out"
    return [
        Planned(
            save_grey(tmp_path / "in" / f"{n}.png"), out / f"{n}.png", "photo", "colorize", "", out, tmp_path / "in"
        )
        for n in range(count)
    ]
