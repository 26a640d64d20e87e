"""How far a run is told to be: files counted, films by their frames, the time left by what each kind takes."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest
from rich.console import Console

from colorize_media.cli import console
from colorize_media.cli.console import Bar, PlainLines
from colorize_media.cli.progress import RunProgress
from colorize_media.events import Advanced, Done, Failed, Planned, Resumed, Skipped, Started


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def planned(name: str, kind: Literal["photo", "video"] = "photo", action: Any = "colorize") -> Planned:
    return Planned(Path(name), Path("out") / name, kind, action)


def done(item: Planned) -> Done:
    assert item.target is not None
    return Done(item.source, item.target, 1, 1.0)


def started(item: Planned, frames: int | None) -> Started:
    assert item.target is not None
    assert item.kind != "other"
    return Started(item.source, item.target, item.kind, frames)


def advance(progress: RunProgress, clock: Clock, item: Planned, frames: int, seconds: float) -> None:
    clock.now += seconds
    progress(Advanced(item.source, frames, Fraction(0)))


def test_photographs_and_films_have_a_pace_each() -> None:
    photos = [planned(f"{n}.jpg") for n in range(4)]
    films = [planned("a.mp4", "video"), planned("b.mp4", "video")]
    clock = Clock()
    progress = RunProgress([*photos, *films, planned("old.jpg", action="skip")], clock)
    assert (progress.files, progress.done(), progress.left()) == (7, 0.0, None)
    for item, result in zip(photos[:3], (done, done, lambda p: Failed(p.source, "", "", "")), strict=True):
        clock.now += 2.0
        progress(result(item))
    assert progress.left() is None  # how long a film takes, nothing says yet
    clock.now += 2.0
    progress(done(photos[3]))
    progress(started(films[0], 1000))
    advance(progress, clock, films[0], 10, 1.0)
    assert progress.left() is None  # too early for the other film
    advance(progress, clock, films[0], 250, 24.0)
    assert progress.done() == pytest.approx(4.25)
    assert progress.left() == pytest.approx(75.0 + 100.0)
    advance(progress, clock, films[0], 1000, 75.0)
    progress(done(films[0]))
    assert progress.done() == 5
    assert progress.left() == pytest.approx(100.0)
    progress(Skipped(films[1].source, "already in colour"))
    progress(Skipped(Path("old.jpg"), "there already"))
    assert (progress.done(), progress.left()) == (7, 0.0)


def test_what_an_earlier_run_finished_of_a_film_took_no_time() -> None:
    film, clock = planned("a.mp4", "video"), Clock()
    progress = RunProgress([film], clock)
    progress(started(film, 1000))
    progress(Resumed(film.source, 600, Fraction(24)))
    assert progress.done() == pytest.approx(0.6)
    advance(progress, clock, film, 700, 10.0)
    assert progress.film.fps() == pytest.approx(10.0)
    assert progress.left() == pytest.approx(30.0)


@pytest.mark.parametrize("frames", [None, 5])
def test_a_film_of_unknown_or_wrong_length_promises_nothing(frames: int | None) -> None:
    film, clock = planned("a.mp4", "video"), Clock()
    progress = RunProgress([film], clock)
    progress(started(film, frames))
    advance(progress, clock, film, 50, 5.0)
    assert progress.left() is None
    assert progress.done() <= 1.0
    assert console.film_text(progress.film) == "50 frames, 10.0 fps"


def test_lines_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stream = Clock(), io.StringIO()
    monkeypatch.setattr(console.time, "monotonic", clock)
    photos, film = [planned(f"{n}.jpg") for n in range(9)], planned("z.mp4", "video")
    monkeypatch.setattr(console, "RunProgress", lambda plan: RunProgress(plan, clock))
    lines = PlainLines(stream, [*photos, film], quiet=False, verbose=0)
    for item in photos:
        clock.now += 10.0
        lines(done(item))
    lines(started(film, 100))
    clock.now += 5.0
    lines(Advanced(film.source, 50, Fraction(0)))
    told = [line for line in stream.getvalue().splitlines() if "→" not in line]
    assert told == ["6 of 10 files", "z.mp4: 50 of 100 frames, 10.0 fps, 5.0 s left"]
    clock.now += 25.0
    lines(Advanced(film.source, 75, Fraction(0)))
    assert stream.getvalue().splitlines()[-1] == "9 of 10 files, 10 s left"


def test_one_bar_over_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stream = Clock(), io.StringIO()
    monkeypatch.setattr(console, "RunProgress", lambda plan: RunProgress(plan, clock))
    photos, film = [planned(f"{n}.jpg") for n in range(3)], planned("[b]z.mp4", "video")
    terminal = Console(file=stream, force_terminal=True, width=120, color_system=None)
    bar = Bar([*photos, film], 0, terminal)
    try:
        for item in photos:
            clock.now += 2.0
            bar(done(item))
        bar(started(film, 100))
        clock.now += 5.0
        bar(Advanced(film.source, 50, Fraction(0)))
        (task,) = bar._progress.tasks
        assert task.description == "3 of 4 files: [b]z.mp4"
        assert (task.completed, task.total) == (3.5, 4)
        assert task.fields["pace"] == "10.0 fps, 5.0 s left"
        bar._progress.refresh()
        assert "[b]z.mp4" in stream.getvalue()
        bar(done(film))
        assert task.description == "4 of 4 files"
    finally:
        bar.close()
