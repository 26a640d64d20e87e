"""The learning rate of each step."""

from __future__ import annotations

import math

from colorize_media.training.recipe import Recipe

_FIRST, _LAST = 0.04, 0.001  # shares of the peak that a climb begins with and a cosine ends at


def learning_rate(step: int, recipe: Recipe) -> float:
    """One cycle: a linear climb from 1/25 of the peak during ``warm_up``, then a cosine to 1/1000 of it.

    Plateau: the climb takes ``warm_up`` steps, and the cosine only the last ``tail`` ones. Between them the rate stands, so a
    run that is given more steps goes on as if it had had them from the start.
    """
    plateau = recipe.schedule == "plateau"
    climb = max(1, round(recipe.warm_up * (1 if plateau else recipe.steps)))
    if step < climb:
        return recipe.learning_rate * (_FIRST + (1 - _FIRST) * step / climb)
    begin = max(climb, recipe.steps - recipe.tail) if plateau else climb
    share = max(0, step - begin) / max(1, recipe.steps - begin)
    return recipe.learning_rate * (_LAST + (1 - _LAST) * (1 + math.cos(math.pi * share)) / 2)
