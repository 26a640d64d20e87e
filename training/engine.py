"""The training loop, read top-down: data, network, loss, optimiser, steps, evaluation.

    colorize-media train DATA -o RUN [--recipe scenes] [--val VAL] [--resume]
    torchrun --nproc-per-node 2 -m colorize_media train DATA -o RUN ...

leaves in RUN:

    weights.safetensors   the running mean of the weights, usable with --model RUN at any time
    state.safetensors     what --resume continues from, written every few minutes
    start.safetensors     the weights begun with, if the recipe goes only part of the way from them
    log.jsonl             one row per 20 steps, one per evaluation
    curves.png            loss parts, learning rate, validation numbers
    sheet-<step>.png      grey | ours | truth, per evaluation
    prior.json            how frequent each colour bin is in the data

On a CPU the fast layout is contiguous, with bfloat16 autocast where the CPU computes bfloat16 (channels_last is 5 to 10 times
slower in training there); on a GPU channels_last. A killed run goes on with --resume and gives the same curve: batches and
augmentation depend only on (seed, step, place in the batch), everything else is in the state. Several processes share each
batch out among themselves; the first writes the files.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from colorize_media.errors import TrainingProblem
from colorize_media.machine import usable_cores
from colorize_media.models import (
    Config,
    Network,
    RegressionConfig,
    ScenesConfig,
    build,
    config_from_json,
    config_to_json,
    load_weights,
    save_weights,
)
from colorize_media.network.device import mixed_precision
from colorize_media.options import ColorizeOptions
from colorize_media.training.augment import make_pair
from colorize_media.training.evaluation import SIZE, Decoding, measuring_device, predict_ab, squares
from colorize_media.training.losses import BinLoss, Loss, SquaredError, measure_prior, rebalancing_weights
from colorize_media.training.memory import keep_freed_memory
from colorize_media.training.metrics import ColorMetrics
from colorize_media.training.parallel import Ranks, share_network
from colorize_media.training.pictures import PictureStore, cut_batch
from colorize_media.training.recipe import Recipe, recipe_from_dict
from colorize_media.training.report import JsonLog, TensorBoard, contact_sheet, plot_curves, read_log
from colorize_media.training.state import RunState, load_state, read_notes, save_state

LOG_EVERY = 20  # steps
BATCHES_AHEAD = 3  # cut while a step runs: a slow one must not make a GPU wait
SAVE_EVERY = 180.0  # seconds; what a kill costs at most
PRIOR_PICTURES = 2048  # enough for the prior: doubling it moves no weight by more than a few percent
SHEET_PICTURES = 16
STATISTICS_BATCHES = 16  # for batch normalisation: 512 pictures at the usual batch, a chosen number, not a measured one
EVALUATION_BATCH = 8
WORKING_SIZE = ColorizeOptions().working_size  # validation sees what the command shows


def train(
    recipe: Recipe,
    data: PictureStore,
    val: PictureStore,
    run: Path,
    *,
    device: torch.device,
    resume: bool = False,
    init: Path | None = None,
    evaluate_every: int = 500,
    tensorboard: bool = False,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Path:
    """Train to the recipe's end and return the weights file. ``on_row`` sees every row of the log.

    ``init`` is a weights file to start from instead of fresh weights; its scene head is taken over only if the classes are
    the same. With several processes each is given all of ``data`` and ``val`` and the same arguments but ``ranks``; ``run``
    must be a folder that all of them see, and only the first calls ``on_row``.

    Raises TrainingProblem if the loss stops being finite, if ``run`` already holds a run and ``resume`` is false, or if
    there is nothing to resume.
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
    else:
        classes = data.scene_classes()
        notes = {"recipe": recipe.as_dict(), "scene_classes": classes, "data": describe(data), "val": describe(val)}
    ranks.wait()  # nobody writes a state before all have seen that there is none
    network = _network(recipe, classes, init, notes)
    work = _Run(recipe, data, val, run, ranks.device(device), ranks, notes, network, resume)
    return work.work(evaluate_every, tensorboard, on_row)


def learning_rate(step: int, recipe: Recipe) -> float:
    """One cycle: a linear climb from 1/25 of the peak during ``warm_up``, then a cosine to 1/1000 of it."""
    climb = max(1, round(recipe.warm_up * recipe.steps))
    if step < climb:
        return recipe.learning_rate * (0.04 + 0.96 * step / climb)
    share = (step - climb) / max(1, recipe.steps - climb)
    return recipe.learning_rate * (0.001 + 0.999 * (1 + math.cos(math.pi * share)) / 2)


def describe(store: PictureStore) -> dict[str, Any]:
    """For logs and model cards: how many pictures, and why some were dropped."""
    return {"pictures": len(store), "dropped": dict(store.dropped)}


def score(row: dict[str, Any]) -> float:
    """What "better" means to a run that may end early: both accuracies count."""
    return float(row["auc"]) + float(row["auc_rebalanced"])


def prior_of(data: PictureStore, recipe: Recipe, device: torch.device) -> Tensor:
    """The bins' prior over a sample of the data, as the training crops show it; on the CPU."""
    steps = range(-(-min(PRIOR_PICTURES, len(data)) // recipe.batch))
    grids = []
    for step in steps:
        rgb, _ = cut_batch(data, step, recipe.batch, 128, recipe.seed, 1.0)
        grids.append(make_pair(rgb.to(device), recipe.look, recipe.seed, step)[1].cpu())
    return measure_prior(grids)


class _Run:
    """One process's part of a run, from its files to the steps."""

    def __init__(
        self,
        recipe: Recipe,
        data: PictureStore,
        val: PictureStore,
        run: Path,
        device: torch.device,
        ranks: Ranks,
        notes: dict[str, Any],
        network: Network,
        resume: bool,
    ) -> None:
        self.recipe, self.data, self.val, self.device, self.ranks = recipe, data, val, device, ranks
        self.run, self.notes = run, notes
        self.weights_file, self.state_file = run / "weights.safetensors", run / "state.safetensors"
        self.rows = ranks.rows(recipe.batch)
        self.scene_number = {label: number for number, label in enumerate(notes["scene_classes"])}
        start_file = run / "start.safetensors"
        if recipe.keep < 1.0 and not resume and ranks.first:
            save_weights(start_file, network, {"note": "where the run began"})
        self.loss = self._make_loss()
        ranks.wait()
        self.start = load_weights(start_file)[0].state_dict() if recipe.keep < 1.0 else None
        network = network.to(device)
        if device.type != "cpu":
            network = network.to(memory_format=torch.channels_last)
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
        log_file = self.run / "log.jsonl"
        log = JsonLog(log_file, upto=state.step or None) if first else None
        past = (
            [row for row in read_log(log_file) if row["kind"] == "val" and row["step"] <= state.step] if first else []
        )
        board = TensorBoard(self.run, state.step) if first and tensorboard else None

        def tell(row: dict[str, Any]) -> None:
            if log is not None:
                log.write(row)
                if board is not None:
                    board.write(row)
                on_row(row)

        saved_at = logged_at = time.monotonic()
        logged_pictures = state.pictures
        with ExitStack() as stack:
            ahead = stack.enter_context(ThreadPoolExecutor(1))
            # A GPU must not wait for one core's resizing; on a CPU the cores are the network's.
            pool = stack.enter_context(ThreadPoolExecutor(usable_cores())) if self.device.type != "cpu" else None
            coming: deque[Future[tuple[Tensor, Tensor]]] = deque()
            asked = state.step
            while state.step < recipe.steps:
                while asked < min(state.step + BATCHES_AHEAD, recipe.steps):
                    coming.append(ahead.submit(self._load, asked, pool))
                    asked += 1
                rgb, scene = (tensor.to(self.device, non_blocking=True) for tensor in coming.popleft().result())
                parts = self._one_step(rgb, scene)
                state.step += 1
                state.pictures += recipe.batch
                last = state.step == recipe.steps
                saving = last or time.monotonic() - saved_at > SAVE_EVERY
                evaluating = last or bool(evaluate_every and state.step % evaluate_every == 0)
                if state.step % LOG_EVERY == 0 or saving or evaluating:
                    self._stop_if_not_finite()
                if state.step % LOG_EVERY == 0 or last:
                    now = time.monotonic()
                    speed = (state.pictures - logged_pictures) / max(now - logged_at, 1e-9)
                    tell(
                        {
                            "kind": "train",
                            "step": state.step,
                            "size": recipe.size_at(state.step - 1),
                            "loss": {name: float(value) for name, value in parts.items()},
                            "learning_rate": learning_rate(state.step - 1, recipe),
                            "pictures_per_second": round(speed, 1),
                        }
                    )
                    logged_at, logged_pictures = now, state.pictures
                stop = False
                if evaluating:
                    mean = self._mean_network()
                    row = {"kind": "val", "step": state.step} | self._evaluate(mean)
                    past.append(row)
                    tell(row)
                    best = max(range(len(past)), key=lambda index: score(past[index]))
                    if first and (not recipe.patience or best == len(past) - 1):
                        record = self.notes | {"steps": state.step, "pictures_seen": state.pictures, "val": row}
                        save_weights(self.weights_file, mean, record)
                    if first:
                        plot_curves(read_log(log_file), self.run / "curves.png")
                    stop = bool(recipe.patience) and len(past) - 1 - best >= recipe.patience
                    # The first process alone remembers a resumed run's earlier rows: its word goes.
                    stop = bool(self.ranks.sum(torch.tensor(float(stop and first), device=self.device)))
                    logged_at, logged_pictures = time.monotonic(), state.pictures
                if first and (saving or stop):
                    save_state(self.state_file, state, self.notes)
                    saved_at = time.monotonic()
                if stop:
                    break
        self.ranks.wait()
        if board is not None:
            board.close()
        return self.weights_file

    def _load(self, step: int, pool: ThreadPoolExecutor | None) -> tuple[Tensor, Tensor]:
        recipe = self.recipe
        size = recipe.size_at(step)
        rgb, labels = cut_batch(
            self.data, step, recipe.batch, size, recipe.seed, recipe.smallest_area, rows=self.rows, pool=pool
        )
        scene = torch.tensor([self.scene_number.get(label, -1) for label in labels])
        return (rgb.pin_memory(), scene.pin_memory()) if self.device.type == "cuda" else (rgb, scene)

    def _training_mode(self) -> None:
        self.shared.train()
        if self.recipe.freeze_statistics:
            for module in self.shared.modules():
                if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                    module.eval()

    def _one_step(self, rgb: Tensor, scene: Tensor) -> dict[str, Tensor]:
        """One optimiser step; the loss parts, over the whole batch of all processes."""
        state, recipe = self.state, self.recipe
        lightness, ab = make_pair(rgb, recipe.look, recipe.seed, state.step, self.rows.start)
        with mixed_precision(rgb.device, wanted=recipe.bfloat16):
            output = self.shared(lightness)
        parts = self.loss(output, ab, scene)
        everywhere = self.ranks.sum(torch.stack([value.detach() for value in parts.values()])) / self.ranks.count
        shown = dict(zip(parts, everywhere, strict=True))
        self.unchecked.append((state.step, shown))
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(state.step, recipe)
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
        network = network.to(self.device).train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # a plain average over the batches
        size = recipe.size_at(max(0, self.state.step - 1))
        with torch.no_grad():
            for step in range(STATISTICS_BATCHES):
                rgb, _ = cut_batch(self.data, step, recipe.batch, size, recipe.seed, recipe.smallest_area)
                network(make_pair(rgb.to(self.device), recipe.look, recipe.seed, step)[0])
        return network.cpu().eval()

    def _evaluate(self, network: Network) -> dict[str, Any]:
        """Every process measures its part of the validation pictures; the sums are those of all."""
        network, started = network.to(self.device), time.monotonic()
        metrics = ColorMetrics()
        part, place = self.val.part(self.ranks.rank, self.ranks.count), measuring_device(self.device)
        for lab in squares(part, SIZE, EVALUATION_BATCH, place):
            found = predict_ab(network, lab[:, :1], [Decoding()], WORKING_SIZE, self.device)[0]
            metrics.add(lab[:, :1], found, lab[:, 1:])
        if self.ranks.count > 1:  # NCCL sums on the GPU only
            metrics = ColorMetrics.from_sums(self.ranks.sum(metrics.sums().to(self.device)).cpu())
        if self.ranks.first:
            lab = next(squares(self.val, SIZE, min(SHEET_PICTURES, len(self.val))))
            ab = predict_ab(network, lab[:, :1], [Decoding()], WORKING_SIZE, self.device)[0]
            contact_sheet(lab, [ab], self.run / f"sheet-{self.state.step:06d}.png")
        network.cpu()
        return {**metrics.result(), "seconds": round(time.monotonic() - started, 1)}

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
        return BinLoss(weights, mean_weight=recipe.mean_weight, scene_weight=recipe.scene_weight).to(self.device)


def _network(recipe: Recipe, classes: tuple[str, ...], init: Path | None, notes: dict[str, Any]) -> Network:
    """A resumed run's network (its weights come from the state), one that starts from ``init``, or a fresh one."""
    torch.manual_seed(recipe.seed)  # fresh weights, the same in every process
    if "config" in notes:
        return build(config_from_json(notes["config"]))
    config: Config = RegressionConfig()
    if recipe.network == "scenes":
        config = ScenesConfig(
            fuse_global=recipe.fuse_global,
            residual_bound=recipe.residual_bound,
            scene_classes=classes if recipe.fuse_global and recipe.scene_weight else (),
        )
    if init is None:
        if recipe.freeze_statistics or recipe.keep < 1.0:
            raise TrainingProblem(
                "this recipe needs weights to start from",
                why="freeze_statistics and keep hold on to what they know",
                hint="name weights with --init",
            )
        network = build(config)
    else:
        network = _started_from(init, config)
    notes["config"] = config_to_json(network.config)
    return network


def _started_from(file: Path, config: Config) -> Network:
    """The network of a weights file: its weights, its decoding, its scene head if the classes are the same.

    Raises TrainingProblem if the recipe's network is another.
    """
    found, _ = load_weights(file)
    ours = found.config
    if isinstance(ours, ScenesConfig) and isinstance(config, ScenesConfig):
        ours = replace(ours, scene_classes=config.scene_classes)
    wanted = {
        name: getattr(config, name) for name in ("kind", "fuse_global", "residual_bound") if hasattr(config, name)
    }
    brought = {name: getattr(ours, name, None) for name in wanted}
    if wanted != brought:
        raise TrainingProblem(
            "cannot start from these weights",
            path=file,
            why=f"they are of {brought}, the recipe's network is {wanted}",
            hint="name weights of the same network",
        )
    network = build(ours)
    state = found.state_dict()
    if ours != found.config:
        state |= {name: value for name, value in network.state_dict().items() if name.startswith("scene_head.")}
    network.load_state_dict(state, strict=True)
    return network


def _make_optimizer(network: Network, recipe: Recipe, device: torch.device) -> torch.optim.AdamW:
    """Weight decay on matrices only: shrinking biases and batch-norm gains helps nobody."""
    matrices = [value for value in network.parameters() if value.ndim > 1]
    vectors = [value for value in network.parameters() if value.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), fused=device.type == "cuda")
