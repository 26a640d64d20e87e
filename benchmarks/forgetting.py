"""What the network gains on a user's own scenes, and what it forgets of all others.

    python benchmarks/forgetting.py DATA -o RUN --category street [--pictures 200] [--without 1500] [--keep 0.7]

Takes the first pictures of one category as a user's own, fine-tunes with the recipe `finetune`, and prints before and after on
the category's other pictures and on validation pictures of all others. The shipped weights have seen the category, so for an
honest figure ``--without`` first trains `scenes` from nothing on all other categories, so many steps at one size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import click

from colorize_media.models import find_weights, load_weights
from colorize_media.network.device import choose_device, default_batch
from colorize_media.training.engine import train
from colorize_media.training.evaluation import Decoding, evaluate_grey, evaluate_network
from colorize_media.training.pictures import load_pictures
from colorize_media.training.recipe import load_recipe
from colorize_media.training.sources import Picture, find_sources, read_pictures

OTHERS = 300  # validation pictures of all other categories


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the runs.")
@click.option("--category", required=True, help="As in the column of train.csv.")
@click.option("--pictures", default=200, show_default=True, help="How many a user has.")
@click.option(
    "--without", default=0, help="Steps of training without the category first; 0 starts from the shipped weights."
)
@click.option("--size", default=96, show_default=True, help="Picture size of that training, px.")
@click.option("--keep", type=float, help="Replace the recipe's.")
@click.option("--working-size", default=192, show_default=True)
def main(
    data: Path,
    output: Path,
    category: str,
    pictures: int,
    without: int,
    size: int,
    keep: float | None,
    working_size: int,
) -> None:
    """Train, fine-tune, then print the table."""

    def of(split: str, own: bool) -> Iterator[Picture]:
        return (item for item in read_pictures(find_sources(data, split)) if (item.category == category) == own)

    device = choose_device("auto")
    vals = {
        category: load_pictures(chain(islice(of("train", True), pictures, None), of("val", True)), 256),
        "all others": load_pictures(of("val", False), 256, limit=OTHERS),
    }
    begin = find_weights("scenes")
    tuning = dataclasses.replace(load_recipe("finetune", keep=keep), patience=0)
    if without:
        recipe = dataclasses.replace(load_recipe("scenes"), steps=without, sizes=((0.0, size),))
        tuning = dataclasses.replace(tuning, exponent=recipe.exponent)  # else it would change how vivid all is
        begin = output / "without" / "weights.safetensors"
        begun = (output / "without" / "state.safetensors").exists()
        if not begin.exists():
            others = load_pictures(of("train", False), round(1.25 * size))
            train(recipe, others, vals["all others"], begin.parent, device=device, evaluate_every=0, resume=begun)
    own = load_pictures(islice(of("train", True), pictures), round(1.25 * tuning.largest_size))
    weights = train(tuning, own, vals[category], output / "tuned", device=device, init=begin, evaluate_every=0)
    click.echo(f"{len(own)} pictures of {category}\n")
    click.echo("| pictures | network | AuC % | rebalanced % | ab MSE | colour |\n|---|---|---|---|---|---|")
    networks = {"before": load_weights(begin)[0].to(device), "after": load_weights(weights)[0].to(device)}
    for name, val in vals.items():
        rows = {"grey": evaluate_grey(val)}
        for state, network in networks.items():
            how = {"working_size": working_size, "device": device, "batch": default_batch(device)}
            rows[state] = evaluate_network(network, val, [Decoding()], **how)[0]
        for state, row in rows.items():
            click.echo(
                f"| {name} ({len(val)}) | {state} | {row['auc']:.2f} | {row['auc_rebalanced']:.2f} | {row['ab_mse']:.5f} | "
                f"{row['colorfulness_ratio']:.2f} |"
            )


if __name__ == "__main__":
    main()
