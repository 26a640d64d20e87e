"""Many pictures at once: in the plan's order, within their budget, each as if alone; what fails or hangs costs only itself."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from colorize_media.archive import photo_steps
from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.manifest import read_manifest
from colorize_media.archive.outcomes import Outcome
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.photo_queue import PhotoQueue
from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.events import Done, Event, Failed, Planned, Started, Summary
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from tests.archive.runs import SMALL, do, results, save_planned, whole_pictures
from tests.made.pictures import save_grey


def test_no_thread_outlives_a_run(tmp_path: Path, fresh_weights: Path) -> None:
    """One that does is torn out of a decoder when Python ends, which aborts a run that went well."""
    for number in range(3):
        save_grey(tmp_path / "in" / f"{number}.png", number)
    code, _ = do([tmp_path / "in"], tmp_path / "out", fresh_weights)
    assert code == 0
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("photo-")]


def test_results_come_in_the_order_of_the_plan_whatever_takes_longest(tmp_path: Path, fresh_weights: Path) -> None:
    source = tmp_path / "in"
    for number in range(12):
        size = (900, 700) if number % 5 == 0 else (64 + 32 * (number % 3), 64)
        save_grey(source / f"{number:02d}.png", number, size)
    (source / "03.png").write_bytes(b"broken")
    code, events = do([source], tmp_path / "out", fresh_weights)
    assert code == 1
    assert [name for _, name in results(events)] == sorted(path.name for path in source.iterdir())
    begun: set[str] = set()
    for event in events:
        if isinstance(event, Started):
            begun.add(event.source.name)
        elif isinstance(event, Done):
            assert event.source.name in begun
    assert isinstance(events[-1], Summary)


@pytest.mark.parametrize("budget", [1, 1 << 40])
def test_the_budget_decides_how_many_are_on_the_way(tmp_path: Path, fresh_weights: Path, budget: int) -> None:
    """With room for less than one picture they go one by one: each begins after the one before it is done."""
    items = []
    for number in range(4):
        source = save_grey(tmp_path / "in" / f"{number}.png", number)
        items.append(Planned(source, tmp_path / "out" / source.name, "photo", "colorize"))
    told: list[str] = []
    colorizer = Colorizer(str(fresh_weights), "cpu")
    queue = PhotoQueue(
        lambda: colorizer, SMALL, OutputFolders(), lambda event: told.append("begin"),
        InFlight(items, OutputFolders()), workers=2, budget=budget,
    )  # fmt: skip
    try:
        queue.run(items, lambda outcome: told.append("end"))
    finally:
        queue.close()
    if budget == 1:
        assert told == ["begin", "end"] * 4
    else:
        assert told[:2] == ["begin", "begin"]
    assert len(whole_pictures(tmp_path / "out")) == 4


def test_the_network_sees_pictures_of_equal_shape_together(tmp_path: Path, fresh_weights: Path) -> None:
    colorizer = Colorizer(str(fresh_weights), "cpu", batch_size=4)
    look, seen = colorizer.distribution, []

    def count(batch: torch.Tensor) -> Any:
        seen.append(tuple(batch.shape))
        return look(batch)

    colorizer.distribution = count  # type: ignore[method-assign]
    for number in range(12):
        save_grey(tmp_path / "in" / f"{number:02d}.png", number, (96, 64) if number % 2 else (64, 96))
    plan = make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False)
    assert run_plan(plan, Running(lambda: colorizer, replace(SMALL, fast=True), lambda event: None)) == 0
    assert {shape[2:] for shape in seen} == {(64, 96), (96, 64)}  # each as it is, without borders
    assert sum(shape[0] for shape in seen) == 12
    assert 2 <= len(seen) <= 6
    assert max(shape[0] for shape in seen) >= 3


def test_a_pipe_in_a_folder_is_a_failure_and_not_waited_for(tmp_path: Path, fresh_weights: Path) -> None:
    save_grey(tmp_path / "in" / "a.png")
    os.mkfifo(tmp_path / "in" / "b.jpg")
    code, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights)
    assert (code, results(events)) == (1, [("Done", "a.png"), ("Failed", "b.jpg")])


def test_a_file_that_vanishes_midway_costs_only_itself(tmp_path: Path, fresh_weights: Path) -> None:
    source = tmp_path / "in"
    for number in range(40):
        save_grey(source / f"{number:02d}.png", number)

    def tell(event: Event) -> None:
        (source / "39.png").unlink(missing_ok=True)

    code, events = do([source], tmp_path / "out", fresh_weights, tell=tell)
    assert code == 1
    assert [name for kind, name in results(events) if kind == "Failed"] == ["39.png"]
    assert len(whole_pictures(tmp_path / "out")) == 39


def test_a_picture_that_hangs_in_a_decoder_is_given_up(
    tmp_path: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are coloured and told; the hanging one is a failure, and tried apart by the next run."""
    plan = save_planned(tmp_path, 5)
    released = threading.Event()
    prepare = photo_steps.prepare_photo

    def hang(path: Path, options: ColorizeOptions) -> object:
        if path.name == "1.png":
            released.wait(60)
        return prepare(path, options)

    monkeypatch.setattr(photo_steps, "prepare_photo", hang)
    colorizer = Colorizer(str(fresh_weights), "cpu")
    colorizer.colors(torch.zeros(1, 1, 64, 64))  # warm, so that only the hanging one is late
    folders = OutputFolders()
    watch = InFlight(plan, folders)
    queue = PhotoQueue(lambda: colorizer, SMALL, folders, lambda event: None, watch, workers=1, reading_seconds=2.0)
    told: list[Outcome] = []
    queue.run(plan, told.append)
    assert [outcome.item for outcome in told] == plan
    assert isinstance(told[1].result, Failed)
    assert told[1].result.what == "reading the file does not end"
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["0.png", "2.png", "3.png", "4.png"]
    watch.close()
    assert InFlight(plan, OutputFolders()).is_suspect(plan[1])
    released.set()
    queue.close()
    assert not (tmp_path / "out" / "1.png").exists()
    assert read_manifest(tmp_path / "out") == {}
    assert np.array_equal(np.asarray(Image.open(plan[0].source)), np.asarray(Image.open(plan[1].source)))
