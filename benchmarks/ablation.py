"""Which parts of the recipe earn their place: every variant trained under one equal budget, one table.

    python benchmarks/ablation.py DATA -o RUNS [--steps 1000] [--size 96] [--limit 0] [--only NAME]...

Each variant is a recipe with one thing changed, the same pictures in the same order, the same number of steps. A finished
variant is not trained again and an interrupted one goes on, so the table can grow over several evenings. Printed for each, seen
at the size it was trained at: the plain mean (T = 1), and the accuracy at equal colour, with the chroma gain that brings every
variant to COLOR of the truth's colourfulness, since grey flatters AuC. Then the best one's temperatures, rebalancing taken
back, refinement and working sizes, in the same way.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from colorize_media.models import Network, load_weights
from colorize_media.training.augment import FilmLook
from colorize_media.training.engine import train
from colorize_media.training.evaluation import Decoding, evaluate_grey, evaluate_network
from colorize_media.training.pictures import PictureStore, load_pictures
from colorize_media.training.recipe import Recipe, load_recipe
from colorize_media.training.sources import find_sources, read_pictures

COLUMNS = {"AuC %": ("auc", ".2f"), "rebalanced %": ("auc_rebalanced", ".2f"), "ab MSE": ("ab_mse", ".5f"),
           "colour": ("colorfulness_ratio", ".2f")}  # fmt: skip
COLOR = 0.75  # of the truth's colourfulness
GAINS = (1.0, 1.2, 1.45, 1.75, 2.1)


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
        "scenes, rebalancing exponent 0.5": change(scenes, exponent=0.5),
        "scenes, rebalancing exponent 1": change(scenes, exponent=1.0),
        "scenes, no scene loss": change(scenes, scene_weight=0.0),
        "scenes, no global features": change(scenes, fuse_global=False, scene_weight=0.0),
        "scenes, residual and loss on the mean": change(scenes, residual_bound=8.0, mean_weight=0.15),
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

    equal_color = f"AuC at {COLOR} | rebalanced at {COLOR}"
    click.echo(f"| variant | {' | '.join(COLUMNS)} | {equal_color} |\n|---|" + "---|" * (len(COLUMNS) + 2))
    click.echo(_line("grey", [evaluate_grey(val)]))
    rows = {}
    for name, weights in found.items():
        rows[name] = _rows(load_weights(weights)[0].to(device), val, size, device)
        click.echo(_line(name, rows[name]))
    candidates = [name for name in rows if not name.startswith("regression")]
    if not candidates:
        return
    best = max(candidates, key=lambda name: _at_equal_color(rows[name], "auc") or 0.0)
    network = load_weights(found[best])[0].to(device)
    click.echo(f"\n| {best}, decoded | {' | '.join(COLUMNS)} | {equal_color} |\n|---|" + "---|" * (len(COLUMNS) + 2))
    for temperature in (0.25, 0.38, 0.5, 0.75):
        click.echo(_line(f"T = {temperature}", _rows(network, val, size, device, temperature=temperature)))
    for strength in (0.5, 1.0, 2.0):
        click.echo(_line(f"mean field {strength}", _rows(network, val, size, device, refine=strength)))
    click.echo(_line("looked at as photographs are", _rows(network, val, size, device, still=True)))
    for working_size in (96, 128, 160, 192, 256, 320):
        click.echo(_line(f"working size {working_size}", _rows(network, val, working_size, device)))


def _rows(network: Network, val: PictureStore, size: int, device: torch.device, **how: Any) -> list[dict[str, float]]:
    """The numbers at each gain."""
    decodings = [Decoding(gain=gain, **how) for gain in GAINS]
    return evaluate_network(network, val, decodings, working_size=size, device=device)


def _at_equal_color(rows: list[dict[str, float]], number: str) -> float | None:
    """Interpolated between gains; None where COLOR is out of their reach."""
    ratios = [row["colorfulness_ratio"] for row in rows]
    if not ratios[0] <= COLOR <= ratios[-1]:
        return None
    return float(np.interp(COLOR, ratios, [row[number] for row in rows]))


def _finished(run: Path, steps: int) -> bool:
    """Whether the run's last evaluation is that of the last step."""
    log = run / "log.jsonl"
    if not log.is_file():
        return False
    last: dict[str, Any] = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    return last["kind"] == "val" and last["step"] == steps


def _line(name: str, rows: list[dict[str, float]]) -> str:
    at_equal_color = [_at_equal_color(rows, number) for number in ("auc", "auc_rebalanced")]
    cells = [format(rows[0][key], form) for key, form in COLUMNS.values()]
    cells += ["–" if value is None else f"{value:.2f}" for value in at_equal_color]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
