"""What a run learns from, step by step: crops, scenes and a teacher's kept answers, cut while earlier ones are learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor

from colorize_media.machine import usable_cores
from colorize_media.training.mixture import Deal, batch_report
from colorize_media.training.pictures import PictureStore, cut_batch
from colorize_media.training.recipe import Recipe
from colorize_media.training.teaching import Answer, Answers

AHEAD = 3  # steps cut while one runs: a slow one must not make a GPU wait


class Lesson(NamedTuple):
    """One process's part of a step: crops ``(B, H, W, 3)`` uint8, scene numbers ``(B,)``, a teacher's answer if it is kept."""

    rgb: Tensor
    scene: Tensor
    answer: Answer | None

    def on(self, device: torch.device) -> Lesson:
        """On a device, soon."""
        answer = self.answer and Answer(*(part.to(device, non_blocking=True) for part in self.answer))
        return Lesson(self.rgb.to(device, non_blocking=True), self.scene.to(device, non_blocking=True), answer)

    def pinned(self) -> Lesson:
        """In memory that a GPU reads by itself."""
        answer = self.answer and Answer(*(part.pin_memory() for part in self.answer))
        return Lesson(self.rgb.pin_memory(), self.scene.pin_memory(), answer)


def deal_of(data: PictureStore, recipe: Recipe) -> Deal:
    """Which pictures each step of a recipe sees."""
    return Deal(
        data.names,
        recipe.seed,
        of_pictures=data.weights,
        of_sources=recipe.weights,
        caps=recipe.caps,
        largest_share=recipe.largest_share,
    )


class Lessons:
    """One process's part of all steps: ``rows`` are its places in each batch."""

    def __init__(
        self,
        recipe: Recipe,
        data: PictureStore,
        scene_classes: Sequence[str],
        rows: range,
        device: torch.device,
        answers: Answers | None,
    ) -> None:
        self.recipe, self.data, self.rows, self.device, self.answers = recipe, data, rows, device, answers
        self.deal = deal_of(data, recipe)
        self._scene_number = {label: number for number, label in enumerate(scene_classes)}

    def batches(self, first: int) -> Iterator[Lesson]:
        """What is learned in all steps from ``first`` on, on the device."""
        with ExitStack() as stack:
            ahead = stack.enter_context(ThreadPoolExecutor(1))
            # A GPU must not wait for one core's resizing; on a CPU the cores are the network's.
            pool = stack.enter_context(ThreadPoolExecutor(usable_cores())) if self.device.type != "cpu" else None
            coming: deque[Future[Lesson]] = deque()
            steps = range(first, self.recipe.steps)
            asked = iter(steps)
            for _ in steps:
                for step in asked:
                    coming.append(ahead.submit(self._load, step, pool))
                    if len(coming) == AHEAD:
                        break
                yield coming.popleft().result().on(self.device)

    def new_epoch(self, step: int) -> bool:
        """Whether an epoch begins with a step."""
        return not step or self.deal.epoch_of(step, self.recipe.batch) != self.deal.epoch_of(
            step - 1, self.recipe.batch
        )

    def row(self, step: int) -> dict[str, Any]:
        """What a batch contains, for the log."""
        report = batch_report(self.deal, self.data.names, self.recipe.batch)
        epoch = self.deal.epoch_of(step, self.recipe.batch)
        return {"kind": "mixture", "step": step, "epoch": epoch, "sources": report}

    def _load(self, step: int, pool: ThreadPoolExecutor | None) -> Lesson:
        recipe = self.recipe
        size = recipe.size_at(step)
        batch = cut_batch(
            self.data, self.deal, step, recipe.batch, size, recipe.smallest_area,
            squashed=recipe.squashed, rows=self.rows, pool=pool,
        )  # fmt: skip
        scene = torch.tensor([self._scene_number.get(label, -1) for label in batch.labels])
        answer = None if self.answers is None else self.answers.of_cuts(batch.indices, batch.cuts, size // 4)
        lesson = Lesson(batch.rgb, scene, answer)
        return lesson.pinned() if self.device.type == "cuda" else lesson
