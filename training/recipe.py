"""A recipe: everything that decides a training run, as a frozen dataclass read from a TOML file of one screen."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from colorize_media.errors import BadOption
from colorize_media.models import ENCODERS, EncoderName
from colorize_media.training.augment import FilmLook
from colorize_media.training.mixture import Cap

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One training run.

    network         scenes (a distribution over colour bins) or regression
    encoder         what looks at the picture (scenes)
    decoder         channels of the decoder at 1/16, 1/8 and 1/4 (scenes)
    fuse_global     whether the whole picture's feature joins the local ones (scenes)
    residual_bound  largest residual beside the bins' mean, ab units; 0 is none (scenes)
    init            weights to start from, as for --init; "" is fresh ones, "imagenet" the encoder's (`imagenet`)
    as_begun        whether the network is that of init's weights, whatever encoder and decoder they have (scenes)
    keep            share of the way from init's weights to the trained ones that is kept (Wortsman et al. 2022, WiSE-FT):
                    below 1, what init knew survives training on a few pictures
    freeze_statistics   whether batch normalisation stays as it was in init
    frozen_blocks   of the encoder's blocks, that many of the first and the stem stay as they are in init; 0 is none
    encoder_rate    the encoder's learning rate as a share of the others'
    statistics_momentum  how much of a batch goes into batch normalisation's running statistics
    steps, batch    optimiser steps and pictures per step
    sizes           [(from this share of the steps, picture size in px)], ascending; sizes are multiples of 32
    smallest_area   smallest crop as a share of the picture
    weights         how often a picture of a source is drawn, by the first folder of its name; 1 where nothing is said
    caps            [(largest share, [sources])]: what these sources together are of all that is shown, at most
    largest_share   what a single source is of all that is shown, at most
    squashed        sources whose pictures were squashed to squares: their shape is changed at random
    schedule        one-cycle: up, then a cosine down to nothing; plateau: up, level, and a cosine over the last `tail`
                    steps, which more steps push out, so that a run can go on for as long as it likes
    learning_rate   the schedule's peak; warm_up is the share of steps that climb to it (plateau: their number)
    bfloat16        whether the network's products are taken in bfloat16 where the hardware computes it; else in float32
    patience        evaluations without a better score before the run ends early and gives its best weights; 0 is never
    ema             decay of the weights' running mean, which is what is evaluated and saved
    exponent        of the rebalancing weights (0 none, 1 Zhang et al.)
    mean_weight, scene_weight   of smooth-L1 on the mean colour and of the scene loss
    teacher         weights of a network to learn from beside the truth, as for --teacher; "" is none
    teacher_weight  the teacher's share of what is learned of colours; softness is the temperature of both distributions
    look            probabilities of the film-look effects
    seed            of everything random
    """

    network: Literal["scenes", "regression"] = "scenes"
    encoder: EncoderName = "resnet18"
    decoder: tuple[int, int, int] = (256, 128, 128)
    fuse_global: bool = True
    residual_bound: float = 8.0
    init: str = ""
    as_begun: bool = False
    keep: float = 1.0
    freeze_statistics: bool = False
    frozen_blocks: int = 0
    encoder_rate: float = 1.0
    statistics_momentum: float = 0.1
    bfloat16: bool = True
    patience: int = 0
    steps: int = 4000
    batch: int = 32
    sizes: tuple[tuple[float, int], ...] = ((0.0, 128),)
    smallest_area: float = 0.35
    weights: dict[str, float] = field(default_factory=dict)
    caps: tuple[Cap, ...] = ()
    largest_share: float = 1.0
    squashed: tuple[str, ...] = ()
    schedule: Literal["one-cycle", "plateau"] = "one-cycle"
    tail: int = 0
    learning_rate: float = 2e-3
    warm_up: float = 0.08
    weight_decay: float = 0.02
    ema: float = 0.998
    exponent: float = 0.5
    mean_weight: float = 0.15
    scene_weight: float = 0.03
    teacher: str = ""
    teacher_weight: float = 0.7
    softness: float = 1.0
    look: FilmLook = field(default_factory=FilmLook)
    seed: int = 1

    def __post_init__(self) -> None:
        checks = {
            "network": self.network in ("scenes", "regression"),
            "encoder": self.encoder in ENCODERS,
            "decoder": len(self.decoder) == 3 and min(self.decoder) > 0,
            "frozen_blocks": self.frozen_blocks >= 0,
            "encoder_rate": self.encoder_rate > 0,
            "statistics_momentum": 0.0 < self.statistics_momentum <= 1.0,
            "weights": all(weight > 0 for weight in self.weights.values()),
            "caps": all(0.0 < share <= 1.0 for share, _ in self.caps),
            "largest_share": 0.0 < self.largest_share <= 1.0,
            "schedule": self.schedule in ("one-cycle", "plateau"),
            "tail": self.tail >= 0,
            "steps": self.steps > 0,
            "batch": self.batch > 1,
            "sizes": bool(self.sizes)
            and self.sizes[0][0] == 0.0
            and list(self.sizes) == sorted(self.sizes)
            and all(size % 32 == 0 and size > 0 for _, size in self.sizes),
            "smallest_area": 0.0 < self.smallest_area <= 1.0,
            "learning_rate": self.learning_rate > 0,
            "residual_bound": self.residual_bound >= 0.0,
            "keep": 0.0 < self.keep <= 1.0,
            "teacher": not self.teacher or self.network == "scenes",
            "teacher_weight": 0.0 < self.teacher_weight <= 1.0,
            "softness": self.softness > 0,
            "patience": self.patience >= 0,
            "ema": 0.0 <= self.ema < 1.0,
        }
        for name, holds in checks.items():
            if not holds:
                raise BadOption(
                    f"bad value for {name} in the recipe", why=repr(getattr(self, name)), hint="see training/README.md"
                )

    def size_at(self, step: int) -> int:
        """Picture size in px of a step."""
        return [size for share, size in self.sizes if step >= share * self.steps][-1]

    @property
    def largest_size(self) -> int:
        """Largest picture size in px."""
        return max(size for _, size in self.sizes)

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        return dict(json.loads(json.dumps(dataclasses.asdict(self))))


def load_recipe(name: str, **changes: Any) -> Recipe:
    """A shipped recipe by name, or a TOML file; ``changes`` replace single values. Raises BadOption."""
    path = RECIPES / f"{name}.toml" if (RECIPES / f"{name}.toml").is_file() else Path(name)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        shipped = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise BadOption(
            "cannot read the recipe", path=path, why=str(error), hint=f"shipped recipes: {shipped}"
        ) from error
    return recipe_from_dict(values | {key: value for key, value in changes.items() if value is not None})


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """A recipe from TOML or JSON values. Raises BadOption for unknown names."""
    known = {item.name for item in dataclasses.fields(Recipe)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise BadOption(
            "unknown names in the recipe", why=", ".join(unknown), hint=f"known: {', '.join(sorted(known))}"
        )
    values = dict(values)
    if "sizes" in values:
        values["sizes"] = tuple((float(share), int(size)) for share, size in values["sizes"])
    if "caps" in values:
        values["caps"] = tuple((float(share), tuple(sources)) for share, sources in values["caps"])
    for name in ("squashed", "decoder"):
        if name in values:
            values[name] = tuple(values[name])
    if isinstance(values.get("look"), dict):
        values["look"] = FilmLook(**values["look"])
    return Recipe(**values)
