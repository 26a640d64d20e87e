"""Which parts of the recipe earn their place: every variant trained under one equal budget, one table.

    python benchmarks/ablation.py DATA -o RUNS [--steps 1000] [--batch 32] [--size 96] [--limit 0] [--only NAME]...

Each variant is a recipe with one thing changed, the same pictures in the same order, the same number of steps. A finished
variant is neither trained nor measured again and an interrupted one goes on, so the table can grow over several evenings, and
several processes may each do some with ``--only`` where a GPU has room for them. Printed for each, seen at the size it was
trained at: the plain mean (T = 1), and the accuracy at equal colour, with the chroma gain that brings every variant to COLOR of
the truth's colourfulness, since grey flatters AuC. Then the best one's temperatures, refinement, looks and working sizes.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from colorize_media.models import load_weights
from colorize_media.network.device import choose_device, default_batch
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
WORKING_SIZES = (96, 128, 160, 192, 256, 320)


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
@click.option("--batch", default=32, show_default=True, help="Pictures per step.")
@click.option("--size", default=96, show_default=True, help="Picture size in training, px.")
@click.option("--limit", default=0, help="Training pictures; 0 is all.")
@click.option("--val-limit", default=0, help="Validation pictures; 0 is all.")
@click.option("--only", multiple=True, help="Names of variants; default all, and then the best one's decodings.")
@click.option("--threads", default=0, help="CPU threads.")
def main(
    data: Path,
    output: Path,
    steps: int,
    batch: int,
    size: int,
    limit: int,
    val_limit: int,
    only: tuple[str, ...],
    threads: int,
) -> None:
    """Train and measure what is missing, then print the tables."""
    if threads:
        torch.set_num_threads(threads)
    device = choose_device("auto")
    val = load_pictures(read_pictures(find_sources(data, "val")), 256, limit=val_limit)
    store: PictureStore | None = None
    rows = {}
    for name, recipe in variants().items():
        if only and name not in only:
            continue
        run = _folder(output, name)
        if not _finished(run, steps):
            if store is None:
                store = load_pictures(read_pictures(find_sources(data)), round(1.25 * size), limit=limit)
            (run / "scores.json").unlink(missing_ok=True)
            equal = dataclasses.replace(recipe, steps=steps, batch=batch, sizes=((0.0, size),))
            train(equal, store, val.part(0, max(1, len(val) // 128)), run, device=device, evaluate_every=0,
                  resume=(run / "state.safetensors").exists())  # fmt: skip
        rows |= _measured(run, {name: Decoding()}, val, size, device)

    equal_color = f"AuC at {COLOR} | rebalanced at {COLOR}"
    click.echo(f"| variant | {' | '.join(COLUMNS)} | {equal_color} |\n|---|" + "---|" * (len(COLUMNS) + 2))
    click.echo(_line("grey", [evaluate_grey(val)]))
    for name, found in rows.items():
        click.echo(_line(name, found))
    candidates = [name for name in rows if name != "regression"]
    if only or not candidates:
        return
    best = max(candidates, key=lambda name: _at_equal_color(rows[name], "auc") or 0.0)
    run = _folder(output, best)
    click.echo(f"\n| {best}, decoded | {' | '.join(COLUMNS)} | {equal_color} |\n|---|" + "---|" * (len(COLUMNS) + 2))
    decodings = {f"T = {temperature}": Decoding(temperature) for temperature in (0.25, 0.38, 0.5, 0.75)}
    decodings |= {f"mean field {strength}": Decoding(refine=strength) for strength in (0.5, 1.0, 2.0)}
    decodings |= {"looked at as photographs are": Decoding(still=True)}
    decoded = _measured(run, decodings, val, size, device)
    for working_size in WORKING_SIZES:
        decoded |= _measured(run, {f"working size {working_size}": Decoding()}, val, working_size, device)
    for name, found in decoded.items():
        click.echo(_line(name, found))


def _folder(output: Path, name: str) -> Path:
    """Of a variant's run."""
    return output / name.replace(", ", "-").replace(" ", "_")


def _measured(
    run: Path, decodings: dict[str, Decoding], val: PictureStore, working_size: int, device: torch.device
) -> dict[str, list[dict[str, float]]]:
    """The numbers at each gain, by the decoding's name; kept in the run's scores.json."""
    file = run / "scores.json"
    known: dict[str, list[dict[str, float]]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    key = {name: f"{name}, seen at {working_size} px, {len(val)} pictures" for name in decodings}
    missing = [name for name in decodings if key[name] not in known]
    if missing:
        network = load_weights(run / "weights.safetensors")[0].to(device)
        wanted = [dataclasses.replace(decodings[name], gain=gain) for name in missing for gain in GAINS]
        rows = iter(
            evaluate_network(
                network, val, wanted, working_size=working_size, device=device, batch=default_batch(device)
            )
        )
        known |= {key[name]: [next(rows) for _ in GAINS] for name in missing}
        file.write_text(json.dumps(known), encoding="utf-8")
    return {name: known[key[name]] for name in decodings}


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
