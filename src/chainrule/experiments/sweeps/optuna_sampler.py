"""Optuna as a sampler: it proposes cells, we run them in populations and keep the runs in our store.

Akiba, Sano, Yanase, Ohta and Koyama, "Optuna: a next-generation hyperparameter optimization framework", KDD 2019;
its tree-structured Parzen estimator is that of Bergstra et al., NeurIPS 2011. Proposals come in batches, so that
populations fill; trials of a batch that have no score yet count as bad ones (the constant liar), which keeps their
neighbours from being proposed again.

Proposals depend on the seed and on the scores alone. A sweep that is resumed proposes the same cells, finds their runs
in the store at once, and goes on where it ended; more trials continue it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from chainrule.errors import ChainruleError, ConfigError
from chainrule.experiments.recipes.axes import AnyAxis, Axis, Place, holds, ordered
from chainrule.experiments.recipes.grid import Cell, expand
from chainrule.experiments.sweeps.sweeper import Sweeper

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

BATCH = 8
"""Cells proposed at a time."""
DIGITS = 3
"""Significant digits of proposed numbers."""
WORST = -1e300
"""Stands for a score of minus infinity, which is no number to learn from."""


def propose(sweeper: Sweeper, seeds: Sequence[int], trials: int, seed: int, quick: bool) -> list[Cell]:
    """Let Optuna propose cells, and run them.

    Ranges of numbers are proposed at any value between their ends, lists at their values.

    Parameters
    ----------
    sweeper : Sweeper
        Runs the cells and scores them.
    seeds : sequence of int
        The seeds of every cell.
    trials : int
        Proposals; a place that is proposed twice counts twice and is run once.
    seed : int
        Of Optuna's own randomness.
    quick : bool
        Use the recipe's quick settings.

    Returns
    -------
    list of Cell
        Those tried, in the order of the proposals, with their variants.

    Raises
    ------
    ConfigError
        If Optuna is not installed.
    """
    optuna = _import_optuna()
    recipe = sweeper.recipe
    axes = ordered(recipe.all_axes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Optuna calls experimental
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    tried: dict[Cell, None] = {}
    for start in range(0, trials, BATCH):
        asked = [study.ask() for _ in range(min(BATCH, trials - start))]
        proposed = [(trial, _cells(recipe, _suggest(trial, axes), quick)) for trial in asked]
        cells = [cell for _, found in proposed for cell in found]
        end = start + len(asked)
        tried |= dict.fromkeys(cells)
        sweeper.watch((cell.setting, cell.label) for cell in tried)
        whole = sweeper.obtain([(cell.setting, seeds) for cell in cells], f"trials {start + 1} to {end} of {trials}")
        if not whole:
            break
        for trial, found in proposed:
            _tell(study, trial, found, sweeper, seeds)
    return list(tried)


def _import_optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise ConfigError("the sampler 'optuna' needs Optuna: pip install 'chainrule[sweeps]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _tell(study: Any, trial: Any, cells: Sequence[Cell], sweeper: Sweeper, seeds: Sequence[int]) -> None:
    """Tell Optuna the score of a place; one that cannot be trained has none."""
    import optuna

    if not cells or not len(sweeper.runs(cells[0].setting, seeds)):
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        (score,) = sweeper.scores([cells[0].setting], seeds)
        study.tell(trial, max(score, WORST))


def _suggest(trial: Any, axes: Sequence[AnyAxis]) -> Place:
    """Let a trial choose a value on each axis that exists at the values chosen so far."""
    place: Place = ()
    for axis in axes:
        if not holds(axis.only, dict(place)):
            continue
        name = "+".join(axis.keys)
        if isinstance(axis, Axis) and (ends := range_of(axis)) is not None:
            place = (*place, (axis.key, _number(trial, name, *ends)))
        else:
            rows = axis.rows()
            place = (*place, *rows[trial.suggest_categorical(name, list(range(len(rows))))])
    return place


def range_of(axis: Axis) -> tuple[float, float, bool] | None:
    """Return the ends of an axis that is a range, whole numbers if its values are, and whether it is logarithmic."""
    values = axis.values
    if not axis.written or len(values) < 2 or not all(_is_number(value) for value in values):
        return None
    return values[0], values[-1], "logarithmic" in axis.written or "decade" in axis.written


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(trial: Any, name: str, low: float, high: float, logarithmic: bool) -> float:
    """Let a trial choose a number, and write it with few digits."""
    if isinstance(low, int) and isinstance(high, int):
        return int(trial.suggest_int(name, low, high, log=logarithmic and low > 0))
    value = trial.suggest_float(name, float(low), float(high), log=logarithmic)
    return min(max(float(f"{value:.{DIGITS}g}"), float(low)), float(high))


def _cells(recipe: Recipe, place: Place, quick: bool) -> list[Cell]:
    """Return the cell at a place, with its variants; none if it cannot be built."""
    values = dict(place)
    case = values.pop("case", None)
    one_place = recipe.model_copy(
        update={
            "axes": {key: Axis(key, (value,)) for key, value in values.items()},
            "zipped": [],
            "cases": {} if case is None else {case: recipe.cases[case]},
        }
    )
    try:
        return expand(one_place, quick)
    except ChainruleError:
        return []
