"""The training loop, read top-down: data, network, loss, optimiser, steps, evaluation.

    colorize-media train DATA -o RUN [--recipe scenes] [--val VAL] [--resume]

leaves in RUN:

    weights.safetensors   the running mean of the weights, usable with --model RUN at any time
    state.safetensors     what --resume continues from, written every few minutes
    log.jsonl             one row per 20 steps, one per evaluation
    curves.png            loss parts, learning rate, validation numbers
    sheet-<step>.png      grey | ours | truth, per evaluation
    prior.json            how frequent each colour bin is in the data

On a CPU the fast layout is contiguous with bfloat16 autocast (channels_last is 5 to 10 times slower in training there); on a
GPU channels_last. A killed run goes on with --resume and gives the same curve: batches and augmentation depend only on
(seed, step), everything else is in the state.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colorize_media.errors import TrainingProblem
from colorize_media.models import (
    Config,
    Network,
    RegressionConfig,
    ScenesConfig,
    build,
    load_weights,
    save_weights,
)
from colorize_media.training.augment import make_pair
from colorize_media.training.evaluation import Decoding, evaluate_network, predict_ab, squares
from colorize_media.training.losses import BinLoss, Loss, SquaredError, measure_prior, rebalancing_weights
from colorize_media.training.memory import keep_freed_memory
from colorize_media.training.pictures import PictureStore, cut_batch
from colorize_media.training.recipe import Recipe, recipe_from_dict
from colorize_media.training.report import JsonLog, contact_sheet, plot_curves, read_log
from colorize_media.training.state import RunState, load_state, read_notes, save_state

LOG_EVERY = 20  # steps
SAVE_EVERY = 180.0  # seconds; what a kill costs at most
PRIOR_PICTURES = 2048  # enough for the prior: doubling it moves no weight by more than a few percent
SHEET_PICTURES = 16
STATISTICS_BATCHES = 16  # for batch normalisation: 512 pictures at the usual batch, a chosen number, not a measured one


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
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Path:
    """Train to the recipe's end and return the weights file. ``on_row`` sees every row of the log.

    ``init`` is a weights file to start from instead of fresh weights; its scene head is taken over only if the classes are
    the same.

    Raises TrainingProblem if the loss stops being finite, if ``run`` already holds a run and ``resume`` is false, or if
    there is nothing to resume.
    """
    state_file, weights_file, log_file = run / "state.safetensors", run / "weights.safetensors", run / "log.jsonl"
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

    torch.manual_seed(recipe.seed)  # fresh weights
    config: Config = ScenesConfig(scene_classes=classes) if recipe.network == "scenes" else RegressionConfig()
    network = build(config)
    if init is not None and not resume:
        _start_from(network, init)
    network = network.to(device).train()
    if device.type != "cpu":
        network = network.to(memory_format=torch.channels_last)
    loss = _make_loss(recipe, data, run, device)
    optimizer = _make_optimizer(network, recipe)
    state = RunState(network, optimizer, {name: value.clone() for name, value in network.state_dict().items()})
    if resume:
        load_state(state_file, state)
    log = JsonLog(log_file, upto=state.step if resume else None)
    scene_number = {label: number for number, label in enumerate(classes)}

    def load(step: int) -> tuple[Tensor, Tensor]:
        rgb, labels = cut_batch(data, step, recipe.batch, recipe.size_at(step), recipe.seed, recipe.smallest_area)
        return rgb, torch.tensor([scene_number.get(label, -1) for label in labels])

    saved_at = logged_at = time.monotonic()
    logged_pictures = state.pictures
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(load, state.step)
        while state.step < recipe.steps:
            rgb, scene = coming.result()
            if state.step + 1 < recipe.steps:
                coming = ahead.submit(load, state.step + 1)
            parts = _one_step(state, rgb.to(device), scene.to(device), recipe, loss)
            state.step += 1
            state.pictures += len(rgb)
            last = state.step == recipe.steps
            if state.step % LOG_EVERY == 0 or last:
                now = time.monotonic()
                speed = (state.pictures - logged_pictures) / max(now - logged_at, 1e-9)
                row = {
                    "kind": "train",
                    "step": state.step,
                    "size": recipe.size_at(state.step - 1),
                    "loss": {name: float(value.detach()) for name, value in parts.items()},
                    "learning_rate": learning_rate(state.step - 1, recipe),
                    "pictures_per_second": round(speed, 1),
                }
                log.write(row)
                on_row(row)
                logged_at, logged_pictures = now, state.pictures
            if last or (evaluate_every and state.step % evaluate_every == 0):
                mean = _mean_network(state, data, recipe)
                row = {"kind": "val", "step": state.step} | _evaluate(mean, state.step, val, device, run)
                log.write(row)
                on_row(row)
                _save_mean_weights(weights_file, mean, state, notes, row)
                plot_curves(read_log(log_file), run / "curves.png")
                logged_at, logged_pictures = time.monotonic(), state.pictures
            if last or time.monotonic() - saved_at > SAVE_EVERY:
                save_state(state_file, state, notes)
                saved_at = time.monotonic()
    return weights_file


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


def _start_from(network: Network, file: Path) -> None:
    """Take over the weights of a file, all but a scene head of other classes. Raises TrainingProblem for another network."""
    found, _ = load_weights(file)
    if found.config.kind != network.config.kind:
        raise TrainingProblem(
            "cannot start from these weights",
            path=file,
            why=f"they are of a {found.config.kind} network, the recipe's is {network.config.kind}",
            hint="name weights of the same network",
        )
    state = found.state_dict()
    if getattr(found.config, "scene_classes", ()) != getattr(network.config, "scene_classes", ()):
        state |= {name: value for name, value in network.state_dict().items() if name.startswith("scene_head.")}
    network.load_state_dict(state, strict=True)


def _one_step(state: RunState, rgb: Tensor, scene: Tensor, recipe: Recipe, loss: Loss) -> dict[str, Tensor]:
    lightness, ab = make_pair(rgb, recipe.look, recipe.seed, state.step)
    with torch.autocast(rgb.device.type, torch.bfloat16):
        output = state.network(lightness)
    parts = loss(output, ab, scene)
    if not torch.isfinite(parts["total"]):
        named = ", ".join(f"{name} {float(value.detach()):g}" for name, value in parts.items())
        raise TrainingProblem(
            "the loss is not finite",
            why=f"step {state.step}: {named}",
            hint="lower learning_rate; --resume goes back to the last state",
        )
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, recipe)
    state.optimizer.zero_grad(set_to_none=True)
    parts["total"].backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimizer.step()
    # The first steps' weights are worthless, so the mean starts short and lengthens.
    decay = min(recipe.ema, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for name, value in state.network.state_dict().items():
            if value.is_floating_point():
                state.ema[name].lerp_(value, 1.0 - decay)
            else:
                state.ema[name].copy_(value)
    return parts


def _make_optimizer(network: Network, recipe: Recipe) -> torch.optim.AdamW:
    """Weight decay on matrices only: shrinking biases and batch-norm gains helps nobody."""
    matrices = [value for value in network.parameters() if value.ndim > 1]
    vectors = [value for value in network.parameters() if value.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99))


def _make_loss(recipe: Recipe, data: PictureStore, run: Path, device: torch.device) -> Loss:
    if recipe.network == "regression":
        return SquaredError()
    file = run / "prior.json"
    if not file.is_file():
        prior = prior_of(data, recipe)
        file.write_text(json.dumps({"prior": [round(value, 10) for value in prior.tolist()]}), encoding="utf-8")
    prior = torch.tensor(json.loads(file.read_text(encoding="utf-8"))["prior"])
    weights = rebalancing_weights(prior, exponent=recipe.exponent)
    return BinLoss(weights, mean_weight=recipe.mean_weight, scene_weight=recipe.scene_weight).to(device)


def prior_of(data: PictureStore, recipe: Recipe) -> Tensor:
    """The bins' prior over a sample of the data, as the training crops show it."""
    steps = range(-(-min(PRIOR_PICTURES, len(data)) // recipe.batch))
    grids = []
    for step in steps:
        rgb, _ = cut_batch(data, step, recipe.batch, 128, recipe.seed, 1.0)
        grids.append(make_pair(rgb, recipe.look, recipe.seed, step)[1])
    return measure_prior(grids)


def _mean_network(state: RunState, data: PictureStore, recipe: Recipe) -> Network:
    """The running mean of the weights, with batch-norm statistics measured for exactly these weights.

    A mean of statistics is not the statistics of the mean, so they are taken anew, in float32, over a few training
    batches. On a run of thousands of steps that changed nothing; see docs/design-notes.md.
    """
    network = build(state.network.config)
    network.load_state_dict({name: value.cpu() for name, value in state.ema.items()}, strict=True)
    network = network.to(next(state.network.parameters()).device).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain average over the batches
    size = recipe.size_at(max(0, state.step - 1))
    with torch.no_grad():
        for step in range(STATISTICS_BATCHES):
            rgb, _ = cut_batch(data, step, recipe.batch, size, recipe.seed, recipe.smallest_area)
            network(make_pair(rgb.to(next(network.parameters()).device), recipe.look, recipe.seed, step)[0])
    return network.cpu().eval()


def _evaluate(network: Network, step: int, val: PictureStore, device: torch.device, run: Path) -> dict[str, Any]:
    network = network.to(device)
    started = time.monotonic()
    result = evaluate_network(network, val, [Decoding()], device=device)[0]
    lab = next(squares(val, 256, min(SHEET_PICTURES, len(val))))
    ab = predict_ab(network, lab[:, :1], [Decoding()], 256, device)[0]
    contact_sheet(lab, [ab], run / f"sheet-{step:06d}.png")
    return {**result, "seconds": round(time.monotonic() - started, 1)}


def _save_mean_weights(
    path: Path, network: Network, state: RunState, notes: dict[str, Any], row: dict[str, Any]
) -> None:
    save_weights(path, network, notes | {"steps": state.step, "pictures_seen": state.pictures, "val": row})
