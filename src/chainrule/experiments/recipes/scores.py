"""Scores: one number for the runs of a cell, by which samplers and halving prefer one cell to another."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.recipes.quantities import values_of
from chainrule.optim import stopping_rule
from chainrule.runs import Runs

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

SUCCESS = "success"


def quantity_of(recipe: Recipe, settings: Iterable[Setting]) -> str:
    """Return what cells are preferred by.

    It is ``success`` where the recipe or its stopping rules say what a success is. Otherwise the final loss, of the
    validation part if every cell holds one out.
    """
    configs = [setting.config for setting in settings]
    by_rules = all(any(stopping_rule(spec).converged for spec in config.stopping) for config in configs)
    if recipe.success is not None or (configs and by_rules):
        return SUCCESS
    held_out = bool(configs) and all(config.validation > 0 for config in configs)
    return "final validation_loss" if held_out else "final loss"


def successes_of(recipe: Recipe, runs: Runs) -> npt.NDArray[np.bool_]:
    """Return which runs are successes (n_runs,): by the recipe's rule, or by their own stopping rules.

    A run that diverged is none, whatever its last value.
    """
    rule = recipe.success
    if rule is None or not len(runs):
        return runs.successes()
    values = values_of(f"final {rule.metric}", runs)
    with np.errstate(invalid="ignore"):
        held = values >= rule.at_least if rule.at_least is not None else values <= (rule.at_most or 0.0)
    return np.asarray(held & ~_diverged(runs), dtype=np.bool_)


def score_of(recipe: Recipe, runs: Runs, quantity: str) -> float:
    """Return one number for the runs of a cell, higher is better; minus infinity for no runs.

    A success rate, where the median final loss decides between equal rates: it adds less than one more success would.
    A loss counts by its median, where a diverged run is infinitely bad.
    """
    if not len(runs):
        return -math.inf
    if quantity != SUCCESS:
        return -_median_loss(runs, quantity)
    rate = float(successes_of(recipe, runs).mean())
    return rate + 0.5 / len(runs) / (1.0 + max(_median_loss(runs, "final loss"), 0.0))


def _median_loss(runs: Runs, quantity: str) -> float:
    """Return the (lower) median of a loss; NaN and diverged runs count as infinite."""
    values = values_of(quantity, runs)
    return float(np.quantile(np.where(np.isnan(values) | _diverged(runs), np.inf, values), 0.5, method="lower"))


def _diverged(runs: Runs) -> npt.NDArray[np.bool_]:
    return np.array([run.stop_reason == "diverged" for run in runs], dtype=np.bool_)
