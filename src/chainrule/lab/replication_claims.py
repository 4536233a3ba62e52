"""What the reports say in words, against the runs of the settings it speaks of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.experiments import parse_quantity, values_of
from chainrule.lab.replication_figures import better_of, report_values
from chainrule.lab.replication_judging import Judgement, Values, judge_ratio, judge_share, judge_spread
from chainrule.runs import Runs
from chainrule.stats import MIN_PAIRS

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Claim

GetRuns = Callable[..., Runs]
"""Called with a selector and the quantities needed, gives the cell's runs."""


def judge_claim(claim: Claim, runs: GetRuns) -> tuple[Judgement, float, str]:
    """Judge a claim; returns the judgement, the factor to its unit, and the unit."""
    if claim.kind == "share":
        return _share(claim, runs), 100.0, "% of seeds"
    if claim.kind in ("order", "first"):
        return _order(claim, runs), 100.0, "% of seeds"
    if claim.kind == "ratio":
        return _ratio(claim, runs), 1.0, ""
    return _spread(claim, runs), 1.0, ""


def _share(claim: Claim, runs: GetRuns) -> Judgement:
    """In what share of seeds does the test hold?"""
    values = report_values(claim.quantity, runs(claim.cells[0], claim.quantity))
    tests: list[tuple[float | None, Any, str]] = [
        (claim.at_least, np.greater_equal, ">="),
        (claim.at_most, np.less_equal, "<="),
        (claim.above, np.greater, ">"),
        (claim.below, np.less, "<"),
    ]
    bound, test, sign = next((b, t, s) for b, t, s in tests if b is not None)
    # a share computed from counts may miss its bound by rounding
    slack = 1e-12 if sign == ">=" else -1e-12 if sign == "<=" else 0.0
    holds = test(values, bound - slack)
    return judge_share(holds, claim.between, claim.better or "higher", f"{claim.quantity} {sign} {bound:g}")


def _order(claim: Claim, runs: GetRuns) -> Judgement:
    """In what share of seeds does the order hold, each seed compared with itself?"""
    tables = [runs(cell, claim.quantity) for cell in claim.cells]
    seeds = set.intersection(*({run.seed for run in table} for table in tables))
    better = better_of(parse_quantity(claim.quantity), claim.better)
    columns = [_best_first(values_of(claim.quantity, _of_seeds(table, seeds)), better) for table in tables]
    if claim.kind == "order":
        holds = np.all([left < right for left, right in itertools.pairwise(columns)], axis=0)
    else:
        holds = np.all([columns[0] < other for other in columns[1:]], axis=0)
    return judge_share(holds, (0.5, 1.0), "higher", "the order holds", MIN_PAIRS)


def _of_seeds(runs: Runs, seeds: set[int]) -> Runs:
    return runs.where(lambda run: run.seed in seeds)


def _best_first(values: Values, better: str) -> Values:
    """Turn values so that smaller is better and NaN is worst."""
    turned = values if better == "lower" else -values
    return np.where(np.isnan(turned), np.inf, turned)


def _ratio(claim: Claim, runs: GetRuns) -> Judgement:
    over, under = (
        [values_of(claim.quantity, runs(cell, claim.quantity)) for cell in cells] for cells in (claim.over, claim.under)
    )
    return judge_ratio(over, under, claim.runs, claim.between, claim.better or "higher")


def _spread(claim: Claim, runs: GetRuns) -> Judgement:
    below = claim.quantity_under or claim.quantity
    tables = [runs(claim.cells[0], claim.quantity), runs(claim.cells[-1], below)]
    seeds = set.intersection(*({run.seed for run in table} for table in tables))
    over, under = (
        values_of(text, _of_seeds(t, seeds)) for text, t in zip((claim.quantity, below), tables, strict=True)
    )
    keep = _finite(over) & _finite(under)  # a diverged seed has no spread
    return judge_spread(over[keep], under[keep], claim.between, claim.better or "higher")


def _finite(values: Values) -> npt.NDArray[np.bool_]:
    """Return which seeds have only finite values."""
    return np.asarray(np.isfinite(values).reshape(len(values), -1).all(axis=1))
