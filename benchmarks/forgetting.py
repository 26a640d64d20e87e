"""What the network gains on a user's own scenes, and what it forgets of all others.

    python benchmarks/forgetting.py DATA -o RUN --category street [--pictures 200] [--init WEIGHTS] [--keep 0.7]

Takes the first pictures of one category as a user's own, fine-tunes with the recipe `finetune`, and prints before and after
on validation pictures of that category and on those of all others. For an honest figure ``--init`` names weights that were
trained without the category.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import torch

from colorize_media.models import find_weights, load_weights
from colorize_media.training.engine import train
from colorize_media.training.evaluation import Decoding, evaluate_grey, evaluate_network
from colorize_media.training.pictures import load_pictures
from colorize_media.training.recipe import load_recipe
from colorize_media.training.sources import Picture, find_sources, read_pictures


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--category", required=True, help="As in the column of train.csv.")
@click.option("--pictures", default=200, show_default=True, help="How many a user has.")
@click.option("--init", default="scenes", show_default=True, help="Weights to start from.")
@click.option("--keep", type=float, help="Replace the recipe's.")
@click.option("--working-size", default=192, show_default=True)
def main(
    data: Path, output: Path, category: str, pictures: int, init: str, keep: float | None, working_size: int
) -> None:
    """Fine-tune, then print the table."""

    def of(split: str, own: bool) -> Iterator[Picture]:
        return (item for item in read_pictures(find_sources(data, split)) if (item.category == category) == own)

    recipe = load_recipe("finetune", keep=keep)
    own = load_pictures(islice(of("train", True), pictures), round(1.25 * recipe.largest_size))
    vals = {
        category: load_pictures(of("val", True), 256),
        "all others": load_pictures(of("val", False), 256, limit=300),
    }
    weights = train(dataclasses.replace(recipe, patience=0), own, vals[category], output, device=torch.device("cpu"),
                    init=find_weights(init), evaluate_every=0)  # fmt: skip
    click.echo(f"{len(own)} pictures of {category}\n")
    click.echo("| pictures | network | AuC % | rebalanced % | ab MSE | colour |\n|---|---|---|---|---|---|")
    networks = {"before": load_weights(find_weights(init))[0], "after": load_weights(weights)[0]}
    for name, val in vals.items():
        rows = {"grey": evaluate_grey(val)} | {
            state: evaluate_network(network, val, [Decoding()], working_size=working_size)[0]
            for state, network in networks.items()
        }
        for state, row in rows.items():
            click.echo(
                f"| {name} ({len(val)}) | {state} | {row['auc']:.2f} | {row['auc_rebalanced']:.2f} | {row['ab_mse']:.5f} | "
                f"{row['colorfulness_ratio']:.2f} |"
            )


if __name__ == "__main__":
    main()
