"""The recorded metrics of a cell's runs: last, best and best-validation values kept apart, medians with intervals.

Which of the three a figure shows decides what it says: the *last* value is what training ended with, the *best* is the
best row that was kept (of noise, the luckiest), and the *best-validation* value is that of the row at which the
held-out loss was lowest, which is what early stopping would have kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from chainrule.metrics import METRICS, higher_is_better
from chainrule.optim import stopping_rule
from chainrule.runs import Run, Runs
from chainrule.stats import median_interval
from chainrule.stats.sequential import Better, MedianSequence, as_worst

Values = npt.NDArray[np.float64]

MONITOR = "validation_loss"
"""What decides the best-validation row."""


@dataclass(frozen=True)
class Middle:
    """The median of a value over runs, with its distribution-free interval.

    Attributes
    ----------
    median, low, high : float
        Runs without a value count as worse than all others, so any of the three can be infinite. Without runs all
        are NaN; from fewer runs than an interval needs, its ends are infinite.
    n : int
        Runs.
    lost : int
        How many of them have no finite value.
    level : float
        Confidence of the interval.
    """

    median: float
    low: float
    high: float
    n: int
    lost: int = 0
    level: float = 0.95

    @property
    def bounded(self) -> bool:
        """Whether the interval says anything."""
        return math.isfinite(self.low) or math.isfinite(self.high)


@dataclass(frozen=True)
class MetricSummary:
    """One recorded metric of a cell.

    Attributes
    ----------
    key : str
        As in `Run.final`, e.g. ``validation_accuracy``.
    better : "lower" or "higher"
        Which direction is better.
    last : Middle
        Of the weights that training ended with.
    best : Middle or None
        Of each run's best kept row; None where no history is at hand.
    best_validation : Middle or None
        Of the row with the lowest held-out loss; None without a held-out part or a history.
    """

    key: str
    better: Better
    last: Middle
    best: Middle | None = None
    best_validation: Middle | None = None


def better_of(key: str) -> Better:
    """Return which direction of a recorded value is better; all that is no score is better when lower."""
    name = key.removeprefix("validation_").removeprefix("test_")
    if name.split("(")[0] not in METRICS:
        return "lower"
    return "higher" if higher_is_better(name) else "lower"


def metric_keys(runs: Sequence[Run]) -> list[str]:
    """Return the metrics that the runs ended with, in the order in which they first appear."""
    return list(dict.fromkeys(key for run in runs for key in run.final))


def summarise_metric(key: str, runs: Runs, level: float = 0.95, anytime: bool = False) -> MetricSummary:
    """Summarise one metric over the runs of a cell; `anytime` makes intervals safe where seeds were added by need."""
    better = better_of(key)
    last = middle(last_values(key, runs), better, level, anytime)
    best = chosen = None
    if any(key in run.history for run in runs):
        best = middle(best_values(key, runs), better, level, anytime)
        if any(MONITOR in run.history for run in runs):
            chosen = middle(best_validation_values(key, runs), better, level, anytime)
    return MetricSummary(key, better, last, best, chosen)


def last_values(key: str, runs: Sequence[Run]) -> Values:
    """Return the value (n_runs,) with which training ended; NaN where there is none.

    A patience rule puts the weights of its best epoch back, and `Run.final` is theirs; what training ended with is
    then the last row of the history. A run that diverged has no loss or error, however it was measured.
    """
    return np.array([_last(key, run) for run in runs], dtype=np.float64)


def _last(key: str, run: Run) -> float:
    if run.stop_reason == "diverged" and better_of(key) == "lower":
        return math.nan
    column = run.history.get(key)
    if column is not None and len(column) and run.stop_reason != "diverged" and _restores(run):
        return float(column[-1])
    return float(run.final.get(key, math.nan))


def _restores(run: Run) -> bool:
    """Whether the run may have ended with other weights than it had in its last epoch."""
    return not run.converged and any(_restoring(spec) for spec in run.member.config.stopping)


@lru_cache(maxsize=1024)
def _restoring(spec: object) -> bool:
    return bool(stopping_rule(spec).restore_best)  # type: ignore[arg-type]


def best_values(key: str, runs: Sequence[Run]) -> Values:
    """Return each run's best kept value (n_runs,); NaN where no row holds a finite one."""
    choose = np.max if better_of(key) == "higher" else np.min
    out = np.full(len(runs), np.nan)
    for place, run in enumerate(runs):
        column = np.asarray(run.history.get(key, ()), dtype=np.float64)
        finite = column[np.isfinite(column)]
        if finite.size:
            out[place] = choose(finite)
    return out


def best_validation_values(key: str, runs: Sequence[Run]) -> Values:
    """Return each run's value (n_runs,) in the row with its lowest held-out loss, the first of equals."""
    out = np.full(len(runs), np.nan)
    for place, run in enumerate(runs):
        monitor = np.asarray(run.history.get(MONITOR, ()), dtype=np.float64)
        column = np.asarray(run.history.get(key, ()), dtype=np.float64)
        if monitor.size and column.size == monitor.size and np.isfinite(monitor).any():
            out[place] = column[np.nanargmin(np.where(np.isfinite(monitor), monitor, np.nan))]
    return out


def middle(values: Values, better: Better = "lower", level: float = 0.95, anytime: bool = False) -> Middle:
    """Return the median of values (n,) with its interval; values that are not finite count as the worst there is."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return Middle(math.nan, math.nan, math.nan, 0, 0, level)
    filled = as_worst(values, better)
    interval = MedianSequence(level).update(filled) if anytime else median_interval(filled, level)
    lost = int((~np.isfinite(values)).sum())
    return Middle(median_of(filled), interval.low, interval.high, len(values), lost, level)


def median_of(values: Values) -> float:
    """Return the median when some values are infinite: the middle one, or the mean of the middle two."""
    ordered = np.sort(values)
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    return low if low == high else (low + high) / 2
