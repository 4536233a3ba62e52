"""What a training command reports, as a record: text, JSON and the saved summary show the same numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.experiments.recipes.success import SuccessRule, epochs_to_success
from chainrule.metrics import for_task
from chainrule.report.records import FanSeries
from chainrule.runs import Run, Runs
from chainrule.stats import RateInterval, quantiles, success_rate

BAND = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Spread:
    """The middle of a sample: median and 5 % and 95 % quantiles of `n` finite values (NaN for none)."""

    low: float
    median: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Measure a sample, leaving out what is not finite."""
        finite = [value for value in values if math.isfinite(value)]
        low, median, high = quantiles(finite, BAND) if finite else (math.nan, math.nan, math.nan)
        return cls(low, median, high, len(finite))


@dataclass(frozen=True)
class HistoryTable:
    """Lines of a training run: the epoch, the shown seed's values and the medians over all seeds.

    A run that stopped keeps its last value in the medians; of a shown run that stopped there is None.
    """

    keys: tuple[str, ...]
    rows: tuple[tuple[int, tuple[float | None, ...], tuple[float, ...]], ...]


@dataclass(frozen=True, eq=False)
class RateSummary:
    """All runs of one learning rate, summed up.

    Attributes
    ----------
    runs : Runs
        Of all seeds.
    shown : Run
        The one whose own values are shown.
    history : HistoryTable
        What the reports print while they train.
    final : dict
        The shown run's value and the spread of each final value.
    success : RateInterval or None
        None without a rule, or if a run was interrupted.
    to_success : Spread or None
        Epochs that the successful runs needed.
    """

    runs: Runs
    shown: Run
    history: HistoryTable
    final: dict[str, tuple[float, Spread]]
    success: RateInterval | None
    to_success: Spread | None

    @property
    def rate(self) -> float:
        """The learning rate."""
        return self.shown.member.config.learning_rate

    @property
    def stop_reasons(self) -> dict[str, int]:
        """How many runs ended for each reason, the commonest first."""
        return dict(Counter(run.stop_reason for run in self.runs).most_common())

    @property
    def divergences(self) -> list[dict[str, Any]]:
        """Diverged runs by layer and cause: their seeds and the first and last epoch at which it happened."""
        groups: dict[tuple[str, str, str], list[Run]] = {}
        for run in self.runs:
            if (found := run.divergence) is not None:
                groups.setdefault((found.layer, found.quantity, found.cause), []).append(run)
        told = []
        for (layer, quantity, cause), runs in groups.items():
            epochs = [run.divergence.epoch for run in runs if run.divergence]
            told.append(
                {
                    "layer": layer,
                    "quantity": quantity,
                    "cause": cause,
                    "seeds": [run.seed for run in runs],
                    "first_epoch": min(epochs),
                    "last_epoch": max(epochs),
                }
            )
        return told

    def to_json(self) -> dict[str, Any]:
        """Return everything but the runs themselves."""
        columns = ["epoch", *self.history.keys, *(f"median_{key}" for key in self.history.keys)]
        return {
            "learning_rate": self.rate,
            "shown_seed": self.shown.seed,
            "success": asdict(self.success) if self.success else None,
            "epochs_to_success": asdict(self.to_success) if self.to_success else None,
            "stop_reasons": self.stop_reasons,
            "divergences": self.divergences,
            "final": {key: {"shown": value, **asdict(spread)} for key, (value, spread) in self.final.items()},
            "history": {"columns": columns, "rows": [[epoch, *own, *all_] for epoch, own, all_ in self.history.rows]},
        }


def by_rate(runs: Runs) -> list[Runs]:
    """Return the runs of each learning rate, in the order in which the rates were given."""
    rates = dict.fromkeys(run.member.config.learning_rate for run in runs)
    return [runs.where(lambda run, rate=rate: run.member.config.learning_rate == rate) for rate in rates]  # type: ignore[misc]


def summarize(runs: Runs, seed: int, rule: SuccessRule | None, print_every: int, task: str) -> RateSummary:
    """Sum up the runs of one learning rate.

    Parameters
    ----------
    runs : Runs
        Of one learning rate.
    seed : int
        The shown one; the first run stands in if an interrupted training has no such run.
    rule : SuccessRule or None
        What counts as success.
    print_every : int
        Epochs between two lines of the history.
    task : str
        Which metric stands beside the loss.
    """
    shown = next((run for run in runs if run.seed == seed), runs[0])
    success = to_success = None
    # Of an interrupted training those finish first that stop early, often because they succeed: a share of the
    # finished ones would flatter, so there is no rate until all have finished.
    if rule is not None and all(run.stop_reason != "interrupted" for run in runs):
        success = success_rate(int(runs.successes(rule.holds).sum()), len(runs))
        epochs = epochs_to_success(runs, rule)
        to_success = Spread.of(epochs) if epochs else None
    final = {
        key: (value, Spread.of([run.final.get(key, math.nan) for run in runs])) for key, value in shown.final.items()
    }
    return RateSummary(runs, shown, history_table(runs, shown, print_every, task), final, success, to_success)


def history_table(runs: Runs, shown: Run, print_every: int, task: str) -> HistoryTable:
    """Return a line every `print_every` epochs, one where the shown run ended, and the last one."""
    keys = [f"{part}{key}" for part in ("", "validation_") for key in ("loss", for_task(task)[0])]
    known = {name for run in runs for name in run.history}
    keys = [key for key in keys if key in known]
    if not keys:
        return HistoryTable((), ())
    epochs = runs.history(keys[0])[0]
    if not len(epochs):  # every run diverged before its first line
        return HistoryTable((), ())
    own_epochs = shown.history.get("epoch", np.zeros(0))
    ends = {int(epochs[-1]), int(own_epochs[-1])} if len(own_epochs) else {int(epochs[-1])}
    lines = np.flatnonzero((epochs % print_every == 0) | np.isin(epochs, list(ends)))
    diverged = tuple(k for k, run in enumerate(runs) if run.stop_reason == "diverged")
    medians = []
    for key in keys:
        _, table = runs.history(key)
        held = FanSeries(name=key, x=epochs, runs=table, diverged=diverged).held[:, lines]
        medians.append([Spread.of(list(column)).median for column in held.T])
    place = {int(epoch): k for k, epoch in enumerate(own_epochs)}
    rows = []
    for i, epoch in enumerate(int(epochs[line]) for line in lines):
        own = tuple(float(shown.history[key][place[epoch]]) if epoch in place else None for key in keys)
        rows.append((epoch, own, tuple(column[i] for column in medians)))
    return HistoryTable(tuple(keys), tuple(rows))


def best_rate(summaries: Sequence[RateSummary]) -> RateSummary:
    """Return the rate with the most successes, and of equal ones the lower median loss."""

    def worth(summary: RateSummary) -> tuple[int, float]:
        loss = summary.final["loss"][1].median
        return (summary.success.successes if summary.success else 0, -loss if math.isfinite(loss) else -math.inf)

    return max(summaries, key=worth)
