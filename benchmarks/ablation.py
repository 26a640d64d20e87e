"""Which parts of the recipe earn their place: every variant trained under one equal budget, one table.

    python benchmarks/ablation.py DATA -o RUNS [--steps 1000] [--size 96] [--limit 0] [--only NAME]...

Each variant is a recipe with one thing changed, the same pictures in the same order, the same number of steps. A finished
variant is not trained again and an interrupted one goes on, so the table can grow over several evenings. Printed for each:
the numbers of `colorize-media evaluate` at its best-known decoding (mean, T = 1), then the best one's temperatures, working
sizes and refinement.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click
import torch

from colorize_media.models import load_weights
from colorize_media.training.augment import FilmLook
from colorize_media.training.engine import score, train
from colorize_media.training.evaluation import Decoding, evaluate_grey, evaluate_network
from colorize_media.training.pictures import PictureStore, load_pictures
from colorize_media.training.recipe import Recipe, load_recipe
from colorize_media.training.sources import find_sources, read_pictures

COLUMNS = {"AuC %": ("auc", ".2f"), "rebalanced %": ("auc_rebalanced", ".2f"), "ab MSE": ("ab_mse", ".5f"),
           "colour": ("colorfulness_ratio", ".2f")}  # fmt: skip


def variants() -> dict[str, Recipe]:
    """What is compared: name → recipe."""
    scenes = load_recipe("scenes")
    change = dataclasses.replace
    return {
        "regression": load_recipe("regression"),
        "classification": load_recipe("classification"),
        "fusion": load_recipe("fusion"),
        "scenes": scenes,
        "scenes, rebalancing exponent 0": change(scenes, exponent=0.0),
        "scenes, rebalancing exponent 0.25": change(scenes, exponent=0.25),
        "scenes, rebalancing exponent 1": change(scenes, exponent=1.0),
        "scenes, no scene loss": change(scenes, scene_weight=0.0),
        "scenes, no global features": change(scenes, fuse_global=False, scene_weight=0.0),
        "scenes, no loss on the mean": change(scenes, mean_weight=0.0),
        "scenes, no film look": change(scenes, look=FilmLook(0, 0, 0, 0, 0, 0)),
        "scenes, crops down to a third": change(scenes, smallest_area=0.35),
    }


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the runs.")
@click.option("--steps", default=1000, show_default=True, help="The equal budget.")
@click.option("--size", default=96, show_default=True, help="Picture size in training, px.")
@click.option("--limit", default=0, help="Training pictures; 0 is all.")
@click.option("--val-limit", default=0, help="Validation pictures; 0 is all.")
@click.option("--only", multiple=True, help="Names of variants; default all.")
@click.option("--threads", default=0, help="CPU threads.")
def main(
    data: Path, output: Path, steps: int, size: int, limit: int, val_limit: int, only: tuple[str, ...], threads: int
) -> None:
    """Train what is missing, then print the tables."""
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    val = load_pictures(read_pictures(find_sources(data, "val")), 256, limit=val_limit)
    store: PictureStore | None = None
    found: dict[str, Path] = {}
    for name, recipe in variants().items():
        if only and name not in only:
            continue
        run = output / name.replace(", ", "-").replace(" ", "_")
        if not _finished(run, steps):
            if store is None:
                store = load_pictures(read_pictures(find_sources(data)), round(1.25 * size), limit=limit)
            equal = dataclasses.replace(recipe, steps=steps, sizes=((0.0, size),))
            train(equal, store, val.part(0, max(1, len(val) // 128)), run, device=device, evaluate_every=0,
                  resume=(run / "state.safetensors").exists())  # fmt: skip
        found[name] = run / "weights.safetensors"

    click.echo("| variant | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    click.echo(_line("grey", evaluate_grey(val)))
    rows = {}
    for name, weights in found.items():
        rows[name] = evaluate_network(load_weights(weights)[0].to(device), val, [Decoding()], device=device)[0]
        click.echo(_line(name, rows[name]))
    scores = {name: score(row) for name, row in rows.items() if name != "regression"}
    if not scores:
        return
    best = max(scores, key=lambda name: scores[name])
    network = load_weights(found[best])[0].to(device)
    click.echo(f"\n| {best}, decoded | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    temperatures = [0.25, 0.38, 0.5, 0.75, 1.0]
    decodings = [Decoding(temperature) for temperature in temperatures]
    for temperature, row in zip(temperatures, evaluate_network(network, val, decodings, device=device), strict=True):
        click.echo(_line(f"T = {temperature}", row))
    for working_size in (128, 192, 256, 320):
        row = evaluate_network(network, val, [Decoding()], working_size=working_size, device=device)[0]
        click.echo(_line(f"working size {working_size}", row))


def _finished(run: Path, steps: int) -> bool:
    """Whether the run's last evaluation is that of the last step."""
    log = run / "log.jsonl"
    if not log.is_file():
        return False
    last: dict[str, Any] = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    return last["kind"] == "val" and last["step"] == steps


def _line(name: str, row: dict[str, float]) -> str:
    return f"| {name} | " + " | ".join(format(row[key], form) for key, form in COLUMNS.values()) + " |"


if __name__ == "__main__":
    main()
