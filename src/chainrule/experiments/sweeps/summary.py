"""The summary of a sweep: what every cell showed, which cells cannot be told from the best, which axes matter.

A summary holds numbers and text; tables, figures and sentences are made from it in `chainrule.report.sweeps`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import ConfigError, unknown_name
from chainrule.experiments.sweeps.choice import (
    BY_SUCCESS,
    Choice,
    Criterion,
    WinnerScore,
    axis_importances,
    choose,
    criterion_of,
    criterion_values,
    place_of,
    values_by_seed,
    winner_score,
)
from chainrule.experiments.sweeps.metrics import (
    MetricSummary,
    Middle,
    Values,
    median_of,
    metric_keys,
    middle,
    summarise_metric,
)
from chainrule.experiments.sweeps.result import CellResult, SweepResult
from chainrule.stats import Interval, RateInterval
from chainrule.stats.intervals import check_level, share_interval
from chainrule.stats.sequential import as_worst

if TYPE_CHECKING:
    from chainrule.stats.importance import Importance


@dataclass(frozen=True)
class CellSummary:
    """What one cell showed.

    Attributes
    ----------
    number : int
        Its number in the grid, from 0.
    label : str
        The cell in words.
    place : mapping of str to value
        Its value on each axis, with ``variant`` as one more.
    n : int
        Finished runs.
    success : RateInterval or None
        Share of successes with its interval; None without runs.
    metrics : mapping of str to MetricSummary
        By recorded metric.
    epochs : Middle
        Epochs trained.
    diverged : int
        Runs that met a value that is not finite.
    merit : Middle or None
        The quantity that cells are compared by, where that is not success.
    pruned_after : int or None
        Epochs after which halving gave the cell up.
    missing : str
        Why runs are lacking; empty if none is.
    """

    number: int
    label: str
    place: Mapping[str, Any]
    n: int
    success: RateInterval | None
    metrics: Mapping[str, MetricSummary]
    epochs: Middle
    diverged: int
    merit: Middle | None = None
    pruned_after: int | None = None
    missing: str = ""


@dataclass(frozen=True)
class GroupSummary:
    """All cells with one value on an axis, seed by seed.

    Attributes
    ----------
    value : object
        The value; None for cells without that axis.
    cells, n, seeds : int
        Cells, and the runs and distinct seeds that count: those that all cells with runs share.
    rate : float
        Mean over seeds of the share of the group's cells that succeeded from that seed.
    success : Interval
        Interval of that mean. Cells share seeds, so runs are no independent tries and seeds are what is counted.
    merit : Middle or None
        Median over seeds of each seed's median over cells, of the quantity that cells are compared by.
    """

    value: Any
    cells: int
    n: int
    seeds: int
    rate: float
    success: Interval
    merit: Middle | None = None


@dataclass(frozen=True)
class SweepSummary:
    """What a sweep showed.

    Attributes
    ----------
    result : SweepResult
        Whose summary it is.
    level : float
        Confidence of all intervals and of the best set.
    cells : tuple of CellSummary
        In the order of the grid.
    axes : mapping of str to tuple
        The axes along which cells differ, with their values.
    constant : mapping of str to value
        The axes that have one value only.
    criterion : Criterion
        What makes one cell better than another.
    choice : Choice
        The best cells.
    winner : WinnerScore or None
        The best cell on the seeds that chose it and on fresh ones.
    importance : mapping of str to Importance
        By axis: the share of the variance between cells that goes with it, with its interval.
    parts : mapping of str to float
        By axis: what it has a part in, for putting them in order; also from seeds that are too few for an importance.
    no_importance : mapping of str to str
        The axes that no share can be given, with the reason.
    """

    result: SweepResult = field(repr=False)
    level: float
    cells: tuple[CellSummary, ...]
    axes: Mapping[str, tuple[Any, ...]]
    constant: Mapping[str, Any]
    criterion: Criterion
    choice: Choice
    winner: WinnerScore | None
    importance: Mapping[str, Importance]
    parts: Mapping[str, float] = field(default_factory=dict)
    no_importance: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """Finished runs of all cells."""
        return sum(cell.n for cell in self.cells)

    @property
    def diverged(self) -> int:
        """Runs that met a value that is not finite."""
        return sum(cell.diverged for cell in self.cells)

    @property
    def pruned(self) -> tuple[CellSummary, ...]:
        """Cells that halving gave up."""
        return tuple(cell for cell in self.cells if cell.pruned_after is not None)

    @property
    def missing(self) -> tuple[CellSummary, ...]:
        """Cells that lack runs."""
        return tuple(cell for cell in self.cells if cell.missing or not cell.n)

    def ranked(self) -> list[CellSummary]:
        """Return the cells by merit: by success rate (or by the criterion's median), then by the loss.

        The best cell comes first; cells that were given up follow those that were not, and cells without runs come
        last.
        """
        return sorted(self.cells, key=self._rank)

    def _rank(self, cell: CellSummary) -> tuple[bool, bool, bool, float, float, int]:
        first = cell.number != self.choice.winner
        merit = -cell.success.rate if cell.success else 1.0
        if cell.merit is not None:
            merit = cell.merit.median if self.criterion.better == "lower" else -cell.merit.median
        loss = next(
            (cell.metrics[key].last.median for key in ("validation_loss", "loss") if key in cell.metrics), np.inf
        )
        return cell.n == 0, cell.pruned_after is not None, first, merit, float(loss), cell.number

    def by_importance(self) -> list[str]:
        """Return the axes by what they have a part in, alone or together; those without a figure come last."""
        order = list(self.axes)
        return sorted(order, key=lambda axis: (-self.parts.get(axis, -1.0), order.index(axis)))

    def group_by(self, axis: str) -> list[GroupSummary]:
        """Return the cells put together by their value on one axis, whatever the others.

        Cells that halving gave up are left out: after fewer epochs they would make their group look worse than it is.

        Raises
        ------
        ConfigError
            For an axis that the sweep does not have, or the seed: runs of one seed are no sample of anything.
        """
        if axis == "seed":
            raise ConfigError("cannot group by the seed: group by what varies: " + (", ".join(self.axes) or "nothing"))
        known = [*self.axes, *self.constant]
        if axis not in known:
            raise ConfigError(unknown_name("axis", axis, known))
        groups: dict[Any, list[int]] = {value: [] for value in self.axes.get(axis, ())}
        for cell in self.cells:
            if cell.pruned_after is None:
                groups.setdefault(cell.place.get(axis), []).append(cell.number)
        return [summarise_group(self, value, numbers) for value, numbers in groups.items() if numbers]


def summarise(result: SweepResult, level: float = 0.95, quantity: str | None = None) -> SweepSummary:
    """Summarise a sweep.

    Parameters
    ----------
    result : SweepResult
        Finished or interrupted; cells may lack runs.
    level : float
        Confidence of the intervals and of the best set.
    quantity : str, optional
        What cells are compared by, see `experiments.recipes.quantities`; by default their success rates, or their
        final loss where success tells none apart.

    Raises
    ------
    ConfigError
        For an impossible level, or a quantity that the runs do not have.
    """
    check_level(level)
    criterion = criterion_of(result, quantity)
    axes, constant = varied_axes(result.cells)
    choice = choose(result, criterion, level)
    importance, no_importance = axis_importances(result, criterion, list(axes), level)
    return SweepSummary(
        result=result,
        level=level,
        cells=tuple(_cell(k, one, result, criterion, level) for k, one in enumerate(result)),
        axes=axes,
        constant=constant,
        criterion=criterion,
        choice=choice,
        winner=winner_score(result, choice, criterion, level),
        importance={axis: one for axis, one in importance.items() if axis not in no_importance},
        parts={axis: one.part for axis, one in importance.items()},
        no_importance=no_importance,
    )


def varied_axes(cells: Iterable[CellResult]) -> tuple[dict[str, tuple[Any, ...]], dict[str, Any]]:
    """Return the axes along which cells differ, with their values in order, and the constant ones.

    An axis that only some cells have (a conditional one) varies; cells without it have the value None.
    """
    places = [place_of(cell) for cell in cells]
    names = dict.fromkeys(axis for place in places for axis in place)
    values = {axis: tuple(dict.fromkeys(place.get(axis) for place in places)) for axis in names}
    varied = {axis: found for axis, found in values.items() if len(found) > 1}
    constant = {axis: found[0] for axis, found in values.items() if len(found) == 1}
    if constant.get("variant") == "as it stands":
        del constant["variant"]
    return varied, constant


def _cell(number: int, one: CellResult, result: SweepResult, criterion: Criterion, level: float) -> CellSummary:
    """Summarise one cell."""
    runs, anytime = one.runs, one.adaptive
    merit = None
    if not criterion.is_success and len(runs):
        merit = middle(criterion_values(result, one, criterion), criterion.better, level, anytime)
    return CellSummary(
        number=number,
        label=one.label,
        place=place_of(one),
        n=len(runs),
        success=result.success_rate(one, level),
        metrics={key: summarise_metric(key, runs, level, anytime) for key in metric_keys(runs)},
        epochs=middle(np.array([run.epochs for run in runs], dtype=np.float64), "lower", level, anytime),
        diverged=sum(run.stop_reason == "diverged" for run in runs),
        merit=merit,
        pruned_after=one.pruned_after,
        missing=one.missing,
    )


def summarise_group(summary: SweepSummary, value: Any, numbers: Sequence[int]) -> GroupSummary:
    """Put some cells together, seed by seed.

    Where cells have different seeds, those count that all have (if that is at least one): seeds added by need are
    those of the undecided cells, and would pull every group towards them.
    """
    result, level = summary.result, summary.level
    cells = [result.cells[k] for k in numbers if len(result.cells[k].runs)]
    shared = set.intersection(*(set(cell.seeds) for cell in cells)) if cells else set()
    means = _by_seed([values_by_seed(result, cell, BY_SUCCESS) for cell in cells], shared, np.mean)
    merit = None
    if not summary.criterion.is_success:
        columns = [values_by_seed(result, cell, summary.criterion) for cell in cells]
        better = summary.criterion.better
        merit = middle(_by_seed(columns, shared, lambda v: median_of(as_worst(v, better))), better, level)
    runs = sum(len(shared or cell.seeds) for cell in cells)
    rate = float(means.mean()) if len(means) else float("nan")
    interval = share_interval(means, level) if len(means) else Interval(np.nan, np.nan, level)
    if len(cells) == 1:
        alone = result.success_rate(cells[0], level)
        assert alone is not None, "the cell has runs"
        interval = Interval(alone.low, alone.high, level)
    return GroupSummary(value, len(numbers), runs, len(means), rate, interval, merit)


def _by_seed(columns: Sequence[Mapping[int, float]], shared: set[int], reduce: Any) -> Values:
    """Return one value per seed: `reduce` of what the cells have for it; of `shared` seeds only, if there are any."""
    found: dict[int, list[float]] = {}
    for column in columns:
        for seed, value in column.items():
            if not shared or seed in shared:
                found.setdefault(seed, []).append(value)
    return np.array([float(reduce(np.array(values))) for _, values in sorted(found.items())], dtype=np.float64)
