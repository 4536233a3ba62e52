"""Choosing among the cells of a sweep: by what, which cannot be told from the best, and what the best is worth.

Everything here works on a table (seeds, cells) of values from seeds that the compared cells share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.experiments.recipes.scores import SUCCESS, quantity_of, score_of
from chainrule.experiments.recipes.words import metric_word
from chainrule.experiments.sweeps.metrics import Middle, Values, better_of, middle
from chainrule.experiments.sweeps.result import CellResult, SweepResult
from chainrule.stats import MIN_PAIRS, RateInterval
from chainrule.stats.sequential import Better

if TYPE_CHECKING:
    from chainrule.stats.flips import Centre
    from chainrule.stats.importance import Importance


@dataclass(frozen=True)
class Criterion:
    """What makes one cell better than another.

    Attributes
    ----------
    quantity : str
        ``success`` or a quantity such as ``final validation_loss``.
    better : "lower" or "higher"
        Which direction.
    words : str
        For sentences: ``success rate``, ``final held-out loss``.
    why : str
        Why it is not the success rate, as a sentence; empty if it is.
    """

    quantity: str
    better: Better
    words: str
    why: str = ""

    @property
    def is_success(self) -> bool:
        """Whether cells are compared by their success rates."""
        return self.quantity == SUCCESS


LARGEST = 1e300
"""Beyond this a loss is as bad as any."""

BY_SUCCESS = Criterion(SUCCESS, "higher", "success rate")


@dataclass(frozen=True)
class Choice:
    """The cells that cannot be told from the best.

    Attributes
    ----------
    winner : int or None
        Number of the cell that did best; None if no two cells could be compared and there is no single one.
    members : tuple of int
        The winner and all that cannot be told from it, in the order of the grid.
    p_adjusted : mapping of int to float
        By cell: how easily chance alone could make it fall so far behind the best, corrected for all cells.
    seeds : tuple of int
        The seeds that the compared cells share.
    left_out : tuple of int
        Cells with runs that were not compared: given up early, or with too few seeds.
    why : str
        Why nothing was decided; empty if something was.
    """

    winner: int | None
    members: tuple[int, ...] = ()
    p_adjusted: Mapping[int, float] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    why: str = ""

    @property
    def decided(self) -> bool:
        """Whether the cells were compared at all."""
        return not self.why


@dataclass(frozen=True)
class WinnerScore:
    """The best cell on the seeds that chose it, and on seeds that played no part in choosing it.

    The first flatters: the best of many cells owes part of its lead to luck (the winner's curse).
    """

    label: str
    choosing: RateInterval | Middle
    fresh: RateInterval | Middle | None


def criterion_of(result: SweepResult, quantity: str | None = None) -> Criterion:
    """Return what the cells of a sweep are compared by: its objective, if nothing else is asked for.

    Where every run succeeded, or none did, success tells no cell from another, and the final loss decides.
    """
    wanted = quantity or quantity_of(result.recipe, [one.cell.setting for one in result])
    if wanted != SUCCESS:
        why = "" if quantity else "The recipe has no rule for success"
        return _by_metric(wanted, why)
    seen = {bool(met) for one in result for met in result.successes(one.runs)}
    if quantity == SUCCESS or len(seen) != 1:
        return BY_SUCCESS
    return _by_metric(
        "final loss", f"{'Every' if seen.pop() else 'No'} run succeeded, which tells no cell from another"
    )


def _by_metric(quantity: str, why: str) -> Criterion:
    """Compare by a metric, and say why."""
    words = metric_word(quantity)
    told = f"{why}, so cells are compared by their {words}." if why else ""
    return Criterion(quantity, better_of(quantity.removesuffix(" (all data)").split()[-1]), words, told)


def values_by_seed(result: SweepResult, cell: CellResult, criterion: Criterion) -> dict[int, float]:
    """Return a cell's value for each seed."""
    if not len(cell.runs):
        return {}
    return dict(zip(cell.seeds, criterion_values(result, cell, criterion).tolist(), strict=True))


def criterion_values(result: SweepResult, cell: CellResult, criterion: Criterion) -> Values:
    """Return what a cell's runs (n_runs,) are compared by; of a run that diverged there is no loss or error."""
    values = result.values(cell.runs, criterion.quantity)
    if criterion.better == "higher":
        return values
    return np.where([run.stop_reason == "diverged" for run in cell.runs], np.nan, values)


def shared_table(
    columns: Mapping[int, Mapping[int, float]], keep_all: bool = False
) -> tuple[list[int], tuple[int, ...], Values]:
    """Return cells, seeds and their values (seeds, cells), on the seeds that all these cells have.

    Cells that lack many seeds (interrupted, added late) would leave few to compare the others on; they are dropped,
    fewest seeds first, until those that stay share `MIN_PAIRS` seeds and half of the most that any has. With
    `keep_all` none is: where seeds were added by need, cells with few seeds are the sure ones, good or bad.
    """
    cells = sorted((k for k in columns if columns[k]), key=lambda k: (-len(columns[k]), k))
    if not cells:
        return [], (), np.zeros((0, 0))
    most = len(columns[cells[0]])
    wanted = 0.0 if keep_all else max(MIN_PAIRS if most >= MIN_PAIRS else 0, 0.5 * most)
    while len(shared := set.intersection(*(set(columns[k]) for k in cells))) < wanted and len(cells) > 1:
        cells.pop()
    seeds = tuple(sorted(shared))
    cells.sort()
    return cells, seeds, np.array([[columns[k][seed] for k in cells] for seed in seeds], dtype=np.float64)


def choose(result: SweepResult, criterion: Criterion, level: float = 0.95) -> Choice:
    """Find the best cell and those that cannot be told from it."""
    open_cells = {k: one for k, one in enumerate(result) if one.pruned_after is None}
    columns = {k: values_by_seed(result, one, criterion) for k, one in open_cells.items()}
    cells, seeds, table = shared_table(columns, any(one.adaptive for one in result))
    with_runs = [k for k, one in enumerate(result) if len(one.runs)]
    left_out = tuple(k for k in with_runs if k not in cells)
    if not cells:
        return Choice(None, left_out=left_out, why="No cell has a finished run.")
    if len(cells) == 1:
        return Choice(cells[0], (cells[0],), {}, seeds, left_out, _alone(result, len(with_runs)))
    if not seeds:
        return Choice(None, (), {}, seeds, left_out, "No seed is shared by the cells.")
    if not np.isfinite(table).any():
        return Choice(None, (), {}, seeds, left_out, f"No run has a finite {criterion.words}.")
    from chainrule.stats.best_set import best_set

    # Losses spread over orders of magnitude, so their mean would be that of the worst run: medians, pair by pair.
    statistic: Centre = "mean" if criterion.is_success else "median"
    found = best_set(table, better=criterion.better, level=level, statistic=statistic)
    best = _winner(result, criterion, cells, cells[found.best])
    members = tuple(sorted({best, *(cells[k] for k in found.members)}))
    p_values = {cells[k]: float(p) for k, p in enumerate(found.p_adjusted)} if not found.why else {}
    why = f"Too little to tell cells apart: {found.why}." if found.why else ""
    return Choice(best, members, p_values, seeds, left_out, why)


def _alone(result: SweepResult, with_runs: int) -> str:
    """Say why one cell has no others to be compared with."""
    if len(result) == 1:
        return "There is only one cell to choose from."
    if with_runs == 1:
        return f"It is the only one of {len(result):,} cells that has runs."
    return f"Of {with_runs:,} cells with runs no other has enough of its seeds to be compared with it."


def _winner(result: SweepResult, criterion: Criterion, cells: Sequence[int], leader: int) -> int:
    """Return the cell that samplers and halving would prefer too, who settle ties of success by the loss."""
    if not (criterion.is_success or is_loss(criterion.quantity)):
        return leader
    return max(cells, key=lambda k: score_of(result.recipe, result.cells[k].runs, criterion.quantity))


def score(result: SweepResult, cell: CellResult, criterion: Criterion, level: float) -> RateInterval | Middle | None:
    """Return the success rate, or the median of the quantity, of a cell's runs."""
    if not len(cell.runs):
        return None
    if criterion.is_success:
        return result.success_rate(cell, level)
    return middle(criterion_values(result, cell, criterion), criterion.better, level, cell.adaptive)


def winner_score(result: SweepResult, choice: Choice, criterion: Criterion, level: float) -> WinnerScore | None:
    """Score the best cell on the seeds that chose it and on fresh ones."""
    if choice.winner is None:
        return None
    cell = result.cells[choice.winner]
    wanted = set(choice.seeds)
    choosing = score(result, replace(cell, runs=cell.runs.where(lambda run: run.seed in wanted)), criterion, level)
    fresh = result.fresh.get(cell.cell.setting.key)
    again = None if fresh is None else score(result, replace(cell, runs=fresh, adaptive=False), criterion, level)
    return None if choosing is None else WinnerScore(cell.label, choosing, again)


def importance_table(result: SweepResult, criterion: Criterion) -> tuple[list[int], Values]:
    """Return cells and the table (seeds, cells) whose variance is divided among the axes.

    Losses enter as their logarithms, so that one diverged cell is not all there is; values that are no number count
    as the worst finite one. Cells that halving gave up are left out: theirs are values of fewer epochs.
    """
    columns = {k: values_by_seed(result, one, criterion) for k, one in enumerate(result) if one.pruned_after is None}
    cells, _, table = shared_table(columns, any(one.adaptive for one in result))
    return cells, table if criterion.is_success else on_scale(table, criterion.quantity, criterion.better)


def on_scale(table: Values, quantity: str, better: Better) -> Values:
    """Return finite values on the scale on which their variance is divided: losses by their logarithms."""
    finite = table[np.isfinite(table)]
    if not finite.size:
        return np.zeros((0, 0))
    worst = float(finite.max() if better == "lower" else finite.min())
    table = np.clip(np.where(np.isfinite(table), table, worst), -LARGEST, LARGEST)
    if is_loss(quantity) and (table > 0).all():
        table = np.log10(table)
    return table / max(float(np.abs(table).max()), 1e-300)  # shares have no unit; squares of losses may overflow


def is_loss(quantity: str) -> bool:
    """Whether a quantity is a loss, which is read on a logarithmic scale."""
    return quantity.split()[-1].removeprefix("validation_").removeprefix("test_") == "loss"


def axis_importances(
    result: SweepResult, criterion: Criterion, axes: Sequence[str], level: float
) -> tuple[dict[str, Importance], dict[str, str]]:
    """Return the importance of several axes for the criterion, and why axes are left out.

    Both are empty where cells do not differ. From fewer than `MIN_PAIRS` seeds shares are only good for putting the
    axes in order: all are named with the reason then, too.
    """
    cells, table = importance_table(result, criterion)
    if len(cells) < 2 or not len(table) or len(axes) < 2 or math.isclose(float(np.ptp(table)), 0.0):
        return {}, {}
    if len(table) < 2:
        return {}, dict.fromkeys(axes, too_few_seeds(len(table)))
    places = []
    for k in cells:
        place = place_of(result.cells[k])
        places.append({axis: place.get(axis) for axis in axes})
    found, left = importances(places, table, criterion.better, result, level)
    return found, left if len(table) >= MIN_PAIRS else dict.fromkeys(axes, too_few_seeds(len(table)))


def too_few_seeds(n: int) -> str:
    """Say why no importance is given."""
    return f"{n} seed{'' if n == 1 else 's'}, and at least {MIN_PAIRS} are needed"


def importances(
    places: Sequence[Mapping[str, Any]], table: Values, better: Better, result: SweepResult, level: float
) -> tuple[dict[str, Importance], dict[str, str]]:
    """Return the importance of each axis over a table (seeds, cells) from a sweep, and why axes are left out.

    Where cells were chosen by their results all are left out; what is found then only puts axes in order.
    """
    from chainrule.stats.drawn_importance import drawn_importance
    from chainrule.stats.importance import axis_importance, no_importance

    if result.sampler == "grid":
        found, left = axis_importance(places, table, level, better), no_importance(places)
    else:
        found, left = drawn_importance(places, table, level, better)
    why = ""
    if result.sampler == "optuna":
        why = "the sampler chose its values by their results, which makes some look important and hides others"
    elif any(one.pruned_after is not None for one in result):
        why = "halving gave cells up by their results, and those that are left are no fair sample"
    axes = dict.fromkeys(axis for place in places for axis in place)
    return found, dict.fromkeys(axes, why) if why else left


def place_of(cell: CellResult) -> dict[str, Any]:
    """Return where a cell lies: its axes, and its variant as one more axis."""
    return {**dict(cell.cell.place), "variant": cell.cell.variant or "as it stands"}
