"""The training loop, read top-down: data, network, loss, optimiser, steps, evaluation.

    colorize-media train DATA... -o RUN [--recipe scenes] [--val VAL] [--resume]
    torchrun --nproc-per-node 2 -m colorize_media train DATA -o RUN ...

leaves in RUN:

    weights.safetensors   the running mean of the weights, usable with --model RUN at any time
    state.safetensors     what --resume continues from, written every few minutes
    start.safetensors     the weights begun with, if the recipe goes only part of the way from them
    log.jsonl             what a batch contains, one row per 20 steps, one per evaluation
    curves.png            loss parts, learning rate, validation numbers
    sheet-<step>.png      grey | ours | truth, per evaluation
    prior.json            how frequent each colour bin is in the data
    teacher.safetensors   whom the run learns from, if the recipe names somebody; answers/ what they said (on a CPU)

On a CPU the memory layout and the precision are measured when a run begins (`fastest`); a GPU gets channels_last. A killed run
goes on with --resume and gives the same curve: batches and augmentation depend only on (seed, step, place in the batch),
everything else is in the state; SIGTERM and Ctrl-C write it first. More pictures may be there when it goes on: then only the
deal of pictures is another from there on. Several processes share each batch out among themselves; the first writes the files.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from colorize_media.errors import TrainingProblem
from colorize_media.models import Network, build, find_weights, load_weights, save_weights
from colorize_media.network.device import mixed_precision
from colorize_media.options import ColorizeOptions
from colorize_media.training.augment import FilmLook, make_pair
from colorize_media.training.diary import Diary
from colorize_media.training.equal_color import EqualColor
from colorize_media.training.evaluation import SIZE, Decoding, measuring_device, predict_ab, squares
from colorize_media.training.fastest import Way, fastest_way, machine_mark, remembered_way
from colorize_media.training.interruption import told_to_end
from colorize_media.training.lessons import Lesson, Lessons, deal_of
from colorize_media.training.losses import BinLoss, Loss, SquaredError, measure_prior, rebalancing_weights
from colorize_media.training.memory import keep_freed_memory
from colorize_media.training.metrics import ColorMetrics
from colorize_media.training.parallel import Ranks, share_network
from colorize_media.training.pictures import PictureStore, cut_batch
from colorize_media.training.recipe import Recipe, recipe_from_dict
from colorize_media.training.report import contact_sheet, plot_curves, read_log
from colorize_media.training.schedule import learning_rate
from colorize_media.training.starting import first_network, hold_early_blocks
from colorize_media.training.state import RunState, load_state, read_notes, save_state
from colorize_media.training.teaching import Answers, Teacher

LOG_EVERY = 20  # steps
SAVE_EVERY = 180.0  # seconds; what a kill costs at most
PRIOR_PICTURES = 2048  # enough for the prior: doubling it moves no weight by more than a few percent
SHEET_PICTURES = 16
STATISTICS_BATCHES = 16  # for batch normalisation: 512 pictures at the usual batch, a chosen number, not a measured one
EVALUATION_BATCH = 8
EQUAL = 0.75  # of the truth's colourfulness, at which validations of one run can be compared
CLEAN = FilmLook(0, 0, 0, 0, 0, 0)  # what a teacher sees
WORKING_SIZE = ColorizeOptions().working_size  # validation sees what the command shows


def train(
    recipe: Recipe,
    data: PictureStore,
    val: PictureStore,
    run: Path,
    *,
    device: torch.device,
    resume: bool = False,
    steps: int | None = None,
    init: Path | str | None = None,
    evaluate_every: int = 500,
    tensorboard: bool = False,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Path:
    """Train to the recipe's end and return the weights file. ``on_row`` sees every row of the log.

    A resumed run keeps the recipe it was begun with, but for the number of ``steps`` if one is given. ``init`` is a weights
    file to start from instead of fresh weights, whose scene head is taken over only if the classes are the same, or
    "imagenet". With several processes each is given all of ``data`` and ``val`` and the same arguments but ``ranks``; ``run``
    must be a folder that all of them see, and only the first calls ``on_row``.

    Raises TrainingProblem if the loss stops being finite, if ``run`` already holds a run and ``resume`` is false, or if
    there is nothing to resume; KeyboardInterrupt if it is told to end before (`interruption`), once its state is written.
    """
    state_file = run / "state.safetensors"
    if not resume and state_file.exists():
        raise TrainingProblem(
            "this folder holds a run", path=run, why="state.safetensors is there", hint="--resume, or another -o"
        )
    run.mkdir(parents=True, exist_ok=True)
    if device.type == "cpu":
        keep_freed_memory()
    if resume:
        notes = read_notes(state_file)
        recipe, classes = recipe_from_dict(notes["recipe"]), tuple(notes["scene_classes"])
        recipe = replace(recipe, steps=steps or recipe.steps)
    else:
        classes = data.scene_classes()
        notes = {"scene_classes": classes}
    notes |= {"recipe": recipe.as_dict(), "data": describe(data), "val": describe(val)}
    ranks.wait()  # nobody writes a state before all have seen that there is none
    network = first_network(recipe, classes, init, notes)
    work = _Run(Task(recipe, data, val, run, ranks.device(device), ranks, notes), network, resume)
    return work.work(evaluate_every, tensorboard, on_row)


@dataclass(frozen=True)
class Task:
    """What a run is given: how, with what, where, on what, among whom; and the notes that go into its state."""

    recipe: Recipe
    data: PictureStore
    val: PictureStore
    run: Path
    device: torch.device
    ranks: Ranks
    notes: dict[str, Any]


def describe(store: PictureStore) -> dict[str, Any]:
    """For logs and model cards: how many pictures, and why some were dropped."""
    return {"pictures": len(store), "dropped": dict(store.dropped)}


def prior_of(data: PictureStore, recipe: Recipe, device: torch.device) -> Tensor:
    """The bins' prior over a sample of the data, as the training crops show it; on the CPU."""
    steps = range(-(-min(PRIOR_PICTURES, len(data)) // recipe.batch))
    deal, grids = deal_of(data, recipe), []
    for step in steps:
        rgb = cut_batch(data, deal, step, recipe.batch, 128, 1.0).rgb
        grids.append(make_pair(rgb.to(device), recipe.look, recipe.seed, step)[1].cpu())
    return measure_prior(grids)


class _Run:
    """One process's part of a run, from its files to the steps."""

    def __init__(self, task: Task, network: Network, resume: bool) -> None:
        recipe, ranks, device = task.recipe, task.ranks, task.device
        self.recipe, self.data, self.val, self.run, self.notes = recipe, task.data, task.val, task.run, task.notes
        self.device, self.ranks = device, ranks
        self.weights_file, self.state_file = self.run / "weights.safetensors", self.run / "state.safetensors"
        self.rows = ranks.rows(recipe.batch)
        self.start = self._write_start(network, resume)
        self.loss = self._make_loss()
        self.teacher, answers = self._ask_teacher(resume)
        self.lessons = Lessons(recipe, task.data, task.notes["scene_classes"], self.rows, device, answers)
        self.held = hold_early_blocks(network, recipe.frozen_blocks)
        self.way = self._choose_way(network)
        network = network.to(device).to(memory_format=self.way.layout)
        self.shared = share_network(network, ranks, device)
        self._training_mode()
        now = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
        self.state = RunState(
            network, _make_optimizer(network, recipe, device), {name: value.clone() for name, value in now.items()}
        )
        if resume:
            load_state(self.state_file, self.state)
        self.averaged, self.averaging = list(self.state.ema.values()), list(now.values())
        self.unchecked: list[tuple[int, dict[str, Tensor]]] = []

    def work(self, evaluate_every: int, tensorboard: bool, on_row: Callable[[dict[str, Any]], None]) -> Path:
        """All steps that are left."""
        state, recipe, first = self.state, self.recipe, self.ranks.first
        with ExitStack() as stack:
            diary = stack.enter_context(Diary(self.run, state, tensorboard, on_row, writes=first))
            told = stack.enter_context(told_to_end(listen=self.ranks.count == 1))
            diary.tell({"kind": "pace", "step": state.step, **self.notes.get("pace", {})})
            diary.tell(self.lessons.row(state.step))
            saved_at, stop, begun = time.monotonic(), False, state.step
            for lesson in self.lessons.batches(state.step):
                if state.step > begun and self.lessons.new_epoch(state.step):
                    diary.tell(self.lessons.row(state.step))
                parts = self._one_step(lesson)
                state.step += 1
                state.pictures += recipe.batch
                last, ends = state.step == recipe.steps, told()
                saving = last or ends or time.monotonic() - saved_at > SAVE_EVERY
                evaluating = last or bool(evaluate_every and state.step % evaluate_every == 0)
                if state.step % LOG_EVERY == 0 or saving or evaluating:
                    self._stop_if_not_finite()
                if state.step % LOG_EVERY == 0 or last:
                    self._log(diary, parts)
                if evaluating and not ends:
                    stop = self._evaluate_and_keep(diary)
                if first and (saving or stop):
                    save_state(self.state_file, state, self.notes)
                    saved_at = time.monotonic()
                if ends and not last:
                    raise KeyboardInterrupt
                if stop:
                    break
            self.ranks.wait()
        return self.weights_file

    def _log(self, diary: Diary, parts: dict[str, Tensor]) -> None:
        """A row of what a step lost, and how fast the steps since the last row were."""
        state = self.state
        diary.tell(
            {
                "kind": "train",
                "step": state.step,
                "size": self.recipe.size_at(state.step - 1),
                "loss": {name: float(value) for name, value in parts.items()},
                "learning_rate": learning_rate(state.step - 1, self.recipe),
                "pictures_per_second": round(diary.speed(state.pictures), 1),
            }
        )

    def _evaluate_and_keep(self, diary: Diary) -> bool:
        """Measure the mean of the weights, keep it if it is to be kept; returns whether the run should end here."""
        first, recipe, state = self.ranks.first, self.recipe, self.state
        mean = self._mean_network()
        row = {"kind": "val", "step": state.step, "pictures": state.pictures} | self._evaluate(mean)
        diary.tell(row)
        if first and (not recipe.patience or diary.since_best() == 0):
            record = self.notes | {"steps": state.step, "pictures_seen": state.pictures, "val": row}
            save_weights(self.weights_file, mean, record)
        if first:
            plot_curves(read_log(diary.file), self.run / "curves.png")
        diary.start_clock(state.pictures)
        # The first process alone remembers a resumed run's earlier rows: its word goes.
        stop = first and 0 < recipe.patience <= diary.since_best()
        if stop:
            why = f"{recipe.patience} evaluations without a better score; the best weights are kept"
            diary.tell({"kind": "end", "step": state.step, "why": why})
        return bool(self.ranks.sum(torch.tensor(float(stop), device=self.device)))

    def _write_start(self, network: Network, resume: bool) -> dict[str, Tensor] | None:
        """The weights that the run began with, if it goes only part of the way from them."""
        file = self.run / "start.safetensors"
        if self.recipe.keep == 1.0:
            return None
        if not resume and self.ranks.first:
            save_weights(file, network, {"note": "where the run began"})
        self.ranks.wait()
        return load_weights(file)[0].state_dict()

    def _ask_teacher(self, resume: bool) -> tuple[Teacher | None, Answers | None]:
        """Whom the run learns from: a copy of its own, so that it stays the same while the teacher goes on learning."""
        recipe, file = self.recipe, self.run / "teacher.safetensors"
        if not recipe.teacher:
            return None, None
        if self.ranks.first and not (resume and file.is_file()):
            shutil.copyfile(find_weights(recipe.teacher), file)
        self.ranks.wait()
        teacher = Teacher(file, self.device, softness=recipe.softness)
        # Several processes cannot share the file of answers, and a GPU is faster than a disk.
        kept = self.device.type == "cpu" and self.ranks.count == 1
        return teacher, Answers(self.run / "answers", teacher, self.data) if kept else None

    def _choose_way(self, network: Network) -> Way:
        """The first process measures, for all; a run that goes on on the same kind of machine goes on in the same way."""
        way = remembered_way(self.notes)
        if way is None:
            way, speeds = fastest_way(network, self.recipe.size_at(0), self.device, bfloat16=self.recipe.bfloat16)
            votes = torch.tensor([float(self.ranks.first and value) for value in (way.channels_last, way.bfloat16)])
            channels_last, bfloat16 = self.ranks.sum(votes.to(self.device)).bool().tolist()
            way = Way(channels_last, bfloat16)
            self.notes["pace"] = {"machine": machine_mark(), "way": way.as_dict(), "pictures_per_second": speeds}
        return way

    def _training_mode(self) -> None:
        self.shared.train()
        for module in self.shared.modules():
            if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                module.momentum = self.recipe.statistics_momentum
                module.train(not self.recipe.freeze_statistics)
        for module in self.held:
            module.eval()

    def _one_step(self, lesson: Lesson) -> dict[str, Tensor]:
        """One optimiser step; the loss parts, over the whole batch of all processes."""
        state, recipe = self.state, self.recipe
        lightness, ab = make_pair(lesson.rgb, recipe.look, recipe.seed, state.step, self.rows.start)
        answer = lesson.answer
        if self.teacher is not None and answer is None:
            answer = self.teacher.answer(make_pair(lesson.rgb, CLEAN, recipe.seed, state.step)[0])
        with mixed_precision(lightness.device, wanted=self.way.bfloat16):
            output = self.shared(lightness)
        parts = self.loss(output, ab, lesson.scene, answer)
        everywhere = self.ranks.sum(torch.stack([value.detach() for value in parts.values()])) / self.ranks.count
        shown = dict(zip(parts, everywhere, strict=True))
        self.unchecked.append((state.step, shown))
        for group in state.optimizer.param_groups:
            group["lr"] = group["share"] * learning_rate(state.step, recipe)
        state.optimizer.zero_grad(set_to_none=True)
        parts["total"].backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
        state.optimizer.step()
        # The first steps' weights are worthless, so the mean starts short and lengthens.
        decay = min(recipe.ema, (1 + state.step) / (10 + state.step))
        get_ema_multi_avg_fn(decay)(self.averaged, self.averaging, state.step)
        return shown

    def _stop_if_not_finite(self) -> None:
        """Of all losses since the last look: to look at each step's own would make a GPU wait for the next step's work.

        Called before anything is written, so that nothing comes of a loss that is not finite.
        """
        totals = torch.stack([parts["total"] for _, parts in self.unchecked]).isfinite().tolist()
        bad = [row for row, finite in zip(self.unchecked, totals, strict=True) if not finite]
        self.unchecked.clear()
        if bad:
            step, parts = bad[0]
            raise TrainingProblem(
                "the loss is not finite",
                why=f"step {step}: " + ", ".join(f"{name} {float(value):g}" for name, value in parts.items()),
                hint="lower learning_rate; --resume goes back to the last state",
            )

    def _mean_network(self) -> Network:
        """What is evaluated and saved: the running mean of the weights, or the kept share of the way to it.

        A mean of statistics is not the statistics of the mean, so batch normalisation's are taken anew, in float32, over a
        few training batches, unless they are frozen. On a run of thousands of steps that changed nothing; see
        docs/design-notes.md.
        """
        recipe = self.recipe
        weights = {name: value.cpu() for name, value in (self.state.network.state_dict() | self.state.ema).items()}
        if self.start is not None:
            weights = {
                name: torch.lerp(self.start[name], value, recipe.keep) if value.is_floating_point() else value
                for name, value in weights.items()
            }
        network = build(self.state.network.config)
        network.load_state_dict(weights, strict=True)
        if recipe.freeze_statistics:
            return network.eval()
        network = network.to(self.device).to(memory_format=self.way.layout).train()
        held = set(hold_early_blocks(network, recipe.frozen_blocks))
        for module in held:
            module.eval()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d) and module.training:
                module.reset_running_stats()
                module.momentum = None  # a plain average over the batches
        size = recipe.size_at(max(0, self.state.step - 1))
        with torch.no_grad():
            for step in range(STATISTICS_BATCHES):
                rgb = cut_batch(self.data, self.lessons.deal, step, recipe.batch, size, recipe.smallest_area).rgb
                network(make_pair(rgb.to(self.device), recipe.look, recipe.seed, step)[0])
        return network.cpu().requires_grad_(True).eval()

    def _evaluate(self, network: Network) -> dict[str, Any]:
        """One row of numbers; a sheet to look at."""
        network, started = network.to(self.device), time.monotonic()
        equal: dict[str, float] = {}
        if self.ranks.count == 1:
            same = EqualColor(network, self.val, working_size=WORKING_SIZE, device=self.device)
            metrics, equal = same.at_gain(1.0), same.row((EQUAL,))
        else:
            metrics = self._shared_metrics(network)
        if self.ranks.first:
            lab = next(squares(self.val, SIZE, min(SHEET_PICTURES, len(self.val))))
            ab = predict_ab(network, lab[:, :1], [Decoding()], WORKING_SIZE, self.device)[0]
            contact_sheet(lab, [ab], self.run / f"sheet-{self.state.step:06d}.png")
        network.cpu()
        return {**metrics.result(), **equal, "seconds": round(time.monotonic() - started, 1)}

    def _shared_metrics(self, network: Network) -> ColorMetrics:
        """Of the plain mean, over all validation pictures, each process measuring its part."""
        metrics = ColorMetrics()
        part, place = self.val.part(self.ranks.rank, self.ranks.count), measuring_device(self.device)
        for lab in squares(part, SIZE, EVALUATION_BATCH, place):
            found = predict_ab(network, lab[:, :1], [Decoding()], WORKING_SIZE, self.device)[0]
            metrics.add(lab[:, :1], found, lab[:, 1:])
        # NCCL sums on the GPU only
        return ColorMetrics.from_sums(self.ranks.sum(metrics.sums().to(self.device)).cpu())

    def _make_loss(self) -> Loss:
        recipe = self.recipe
        if recipe.network == "regression":
            return SquaredError()
        file = self.run / "prior.json"
        if self.ranks.first and not file.is_file():
            prior = prior_of(self.data, recipe, self.device)
            file.write_text(json.dumps({"prior": [round(value, 10) for value in prior.tolist()]}), encoding="utf-8")
        self.ranks.wait()
        prior = torch.tensor(json.loads(file.read_text(encoding="utf-8"))["prior"])
        weights = rebalancing_weights(prior, exponent=recipe.exponent)
        return BinLoss(
            weights,
            mean_weight=recipe.mean_weight,
            scene_weight=recipe.scene_weight,
            teacher_weight=recipe.teacher_weight,
            softness=recipe.softness,
        ).to(self.device)


def _make_optimizer(network: Network, recipe: Recipe, device: torch.device) -> torch.optim.AdamW:
    """Weight decay on matrices only: shrinking biases and batch-norm gains helps nobody. What is held is not in it."""
    groups = []
    for ours, share in ((True, recipe.encoder_rate), (False, 1.0)):
        learning = [
            value
            for name, value in network.named_parameters()
            if value.requires_grad and name.startswith("encoder.") == ours
        ]
        matrices = [value for value in learning if value.ndim > 1]
        vectors = [value for value in learning if value.ndim <= 1]
        groups += [
            {"params": matrices, "weight_decay": recipe.weight_decay, "share": share},
            {"params": vectors, "weight_decay": 0.0, "share": share},
        ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), fused=device.type == "cuda")
