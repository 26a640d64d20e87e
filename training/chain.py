"""A chain of runs, each learning from those before it: teacher, students, weights to ship; one command, gone on with anywhere.

    colorize-media train DATA... -o FOLDER --recipe chain --val VAL

A chain is a TOML file of ``[[stage]]`` tables. Each stage is a run in FOLDER/<its name>: begun, gone on with if it was cut off,
passed over if it is done. Its network is then decoded as the validation pictures want it and written to
FOLDER/<its name>.safetensors, if it is one to ship. FOLDER/chain.jsonl says what every stage came to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from colorize_media.errors import BadOption
from colorize_media.models import find_weights, read_description
from colorize_media.training.engine import train
from colorize_media.training.parallel import Ranks
from colorize_media.training.pictures import PictureStore
from colorize_media.training.recipe import RECIPES, Recipe, load_recipe
from colorize_media.training.report import JsonLog
from colorize_media.training.shipping import ship
from colorize_media.training.starting import IMAGENET

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EVALUATIONS = 4  # of each stage, the last one at its end
CHOOSING = 200  # validation pictures that a decoding is chosen on


@dataclass(frozen=True)
class Stage:
    """One run of a chain.

    name      of its folder
    recipe    a shipped recipe or a TOML file, looked for beside the chain first
    teacher   the stage that it learns from, "" is none
    init      the stage, or anything that --init takes, that it starts from; "" is as the recipe says
    ships     whether it becomes weights for the command
    share     of the truth's colourfulness that these are decoded for
    on_cpu, on_gpu  changes to the recipe, by the kind of machine: steps, batch, sizes
    """

    name: str
    recipe: str
    teacher: str = ""
    init: str = ""
    ships: bool = True
    share: float = 0.9
    on_cpu: dict[str, Any] = field(default_factory=dict)
    on_gpu: dict[str, Any] = field(default_factory=dict)

    def recipe_for(self, device: torch.device, beside: Path, folder: Path) -> Recipe:
        """Its recipe on this kind of machine, in a chain at ``beside`` whose runs are in ``folder``. Raises BadOption."""
        changes = self.on_cpu if device.type == "cpu" else self.on_gpu
        own = beside.parent / f"{self.recipe}.toml"
        name = str(own) if own.is_file() else self.recipe
        return load_recipe(name, **changes, teacher=str(folder / self.teacher) if self.teacher else None)


def is_chain(name: str) -> bool:
    """Whether a recipe's name or file is a chain's."""
    path = _path(name)
    try:
        return "stage" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False  # which is said by whoever reads it as a recipe


def read_chain(name: str) -> list[Stage]:
    """The stages in their order. Raises BadOption for unknown names, and for a teacher who comes later."""
    try:
        stages = [Stage(**table) for table in tomllib.loads(_path(name).read_text(encoding="utf-8"))["stage"]]
    except TypeError as error:
        raise BadOption(
            "bad stage in the chain", path=_path(name), why=str(error), hint="see training/README.md"
        ) from error
    known: set[str] = set()
    for stage in stages:
        wrong = [word for word in (stage.teacher,) if word and word not in known]
        if wrong or stage.name in known or Path(stage.name).name != stage.name:
            why = f"{stage.name!r}" + (f" learns from {wrong[0]!r}, which does not come before it" if wrong else "")
            raise BadOption("bad stage in the chain", path=_path(name), why=why, hint="see training/README.md")
        known.add(stage.name)
    return stages


def recipes_of(name: str, device: torch.device) -> list[Recipe]:
    """The recipes of all stages, for who loads the pictures."""
    return [stage.recipe_for(device, _path(name), Path()) for stage in read_chain(name)]


def run_chain(
    name: str,
    data: PictureStore,
    val: PictureStore,
    folder: Path,
    *,
    device: torch.device,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Path:
    """Do what is left of it; returns the folder. ``on_row`` hears every row of every run, with the stage's name."""
    stages = read_chain(name)
    folder.mkdir(parents=True, exist_ok=True)
    log = JsonLog(folder / "chain.jsonl", upto=sys.maxsize)
    for stage in stages:
        recipe = stage.recipe_for(device, _path(name), folder)
        run, shipped = folder / stage.name, folder / f"{stage.name}.safetensors"
        if not _is_done(run, recipe):
            names = {other.name for other in stages}
            init = str(folder / stage.init) if stage.init in names else stage.init or recipe.init
            started = (run / "state.safetensors").exists()
            train(
                recipe,
                data,
                val,
                run,
                device=device,
                resume=started,
                steps=recipe.steps if started else None,
                init=init if init == IMAGENET else find_weights(init) if init and init != "none" else None,
                evaluate_every=max(1, recipe.steps // EVALUATIONS),
                ranks=ranks,
                on_row=lambda row, stage=stage: on_row({"stage": stage.name} | row),  # type: ignore[misc]
            )
            shipped.unlink(missing_ok=True)
        if stage.ships and ranks.first and not shipped.is_file():
            few = val.part(0, max(1, len(val) // CHOOSING))
            scores = ship(run, shipped, val, few=few, share=stage.share, device=device)
            row = {"kind": "shipped", "stage": stage.name, "step": recipe.steps, "scores": scores}
            log.write(row)
            on_row(row)
        ranks.wait()
    return folder


def _is_done(run: Path, recipe: Recipe) -> bool:
    weights = run / "weights.safetensors"
    return weights.is_file() and int(read_description(weights)[1].get("steps", 0)) >= recipe.steps


def _path(name: str) -> Path:
    return RECIPES / f"{name}.toml" if (RECIPES / f"{name}.toml").is_file() else Path(name)
