"""What ``colorize-media train`` and ``colorize-media evaluate`` do, without any parsing or printing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from colorize_media.errors import TrainingProblem
from colorize_media.models import SHIPPED, find_weights, load_weights
from colorize_media.training.engine import train
from colorize_media.training.evaluation import SIZE, Decoding, evaluate_grey, evaluate_network, predict_ab, squares
from colorize_media.training.parallel import joined_ranks
from colorize_media.training.pictures import PictureStore, load_pictures
from colorize_media.training.recipe import load_recipe
from colorize_media.training.report import contact_sheet
from colorize_media.training.sources import Picture, find_sources, read_pictures

VAL_SHARE = 40  # one picture in so many is held back when there are no validation pictures of their own
SHEET_PICTURES = 24


def train_command(
    data: Path,
    run: Path,
    device: torch.device,
    on_row: Callable[[dict[str, Any]], None],
    *,
    recipe: str,
    val: Path | None,
    steps: int | None,
    batch: int | None,
    limit: int,
    val_limit: int,
    evaluate_every: int | None,
    resume: bool,
    init: str | None,
    tensorboard: bool,
) -> Path:
    """Load pictures, train, return the weights file. Under torchrun, in each of its processes.

    ``init`` names weights to start from, ``"none"`` fresh ones, None what the recipe says. Raises BadOption, TrainingProblem,
    UnknownModel.
    """
    chosen = load_recipe(recipe, steps=steps, batch=batch)
    begin = {None: chosen.init, "none": ""}.get(init, init)
    sources = find_sources(data)
    held_back = find_sources(val) if val is not None else find_sources(data, "val")
    # Crops show a part of the picture, so a little more than the largest size keeps detail without wasting memory.
    side = round(chosen.largest_size * 1.25)
    if held_back:
        store = load_pictures(read_pictures(sources), side, limit=limit)
        val_store = load_pictures(read_pictures(held_back), SIZE, limit=val_limit)
    else:
        store = load_pictures((item for item in read_pictures(sources) if not is_held_back(item)), side, limit=limit)
        val_store = load_pictures(
            (item for item in read_pictures(sources) if is_held_back(item)), SIZE, limit=val_limit
        )
    with joined_ranks(device) as ranks:
        return train(
            chosen,
            store,
            val_store,
            run,
            device=device,
            resume=resume,
            init=find_weights(begin) if begin else None,
            evaluate_every=max(1, chosen.steps // 10) if evaluate_every is None else evaluate_every,
            tensorboard=tensorboard,
            ranks=ranks,
            on_row=on_row,
        )


def is_held_back(picture: Picture) -> bool:
    """A fixed 1 in 40 by the content's hash: the same pictures whatever their order, and copies stay on one side."""
    return int.from_bytes(hashlib.sha256(picture.data).digest()[:4], "big") % VAL_SHARE == 0


def evaluate_command(
    data: Path,
    device: torch.device,
    *,
    models: tuple[str, ...],
    limit: int,
    size: int,
    working_size: int,
    vividness: float,
    sheet: Path | None,
) -> list[dict[str, Any]]:
    """Rows of the table: grey, then for each model its plain mean (T = 1) and its default output.

    Raises UnknownModel, WeightsDamaged, TrainingProblem.
    """
    names = models or tuple(
        sorted((file.stem for file in SHIPPED.glob("*.safetensors")), key=lambda name: name == "scenes")
    )
    if not names:
        raise TrainingProblem(
            "nothing to evaluate", why="no weights are shipped with this installation", hint="--model FILE"
        )
    networks = {name: load_weights(find_weights(name))[0].to(device) for name in names}
    sources = find_sources(data, "val") or find_sources(data)
    store = load_pictures(read_pictures(sources), size, limit=limit)
    rows: list[dict[str, Any]] = [{"model": "grey", "output": "ab = 0"} | evaluate_grey(store, size=size)]
    for name, network in networks.items():
        config = network.config
        decodings = [Decoding(), Decoding(config.temperature, config.chroma_gain * vividness)]
        results = evaluate_network(network, store, decodings, size=size, working_size=working_size, device=device)
        rows += [
            {"model": name, "output": output} | result
            for output, result in zip(("mean, T = 1", "default"), results, strict=True)
        ]
    if sheet is not None:
        _write_sheet(sheet, networks, store, size, working_size, device)
    return rows


def format_table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    columns = {
        "AuC %": ("auc", "{:.2f}"),
        "rebalanced %": ("auc_rebalanced", "{:.2f}"),
        "ab MSE": ("ab_mse", "{:.5f}"),
        "PSNR dB": ("psnr", "{:.2f}"),
        "colourfulness": ("colorfulness", "{:.1f}"),
        "of the truth's": ("colorfulness_ratio", "{:.2f}"),
    }
    lines = ["| model | output | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for row in rows:
        numbers = " | ".join(form.format(row[key]) for key, form in columns.values())
        lines.append(f"| {row['model']} | {row['output']} | {numbers} |")
    return "\n".join(lines)


def _write_sheet(
    path: Path, networks: dict[str, Any], store: PictureStore, size: int, working_size: int, device: torch.device
) -> None:
    lab = next(squares(store, size, min(SHEET_PICTURES, len(store))))
    predictions = [
        predict_ab(
            network,
            lab[:, :1],
            [Decoding(network.config.temperature, network.config.chroma_gain)],
            working_size,
            device,
        )[0]
        for network in networks.values()
    ]
    contact_sheet(lab, predictions, path, columns=3)
