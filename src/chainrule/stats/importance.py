"""Which axis matters: the share of the variance between cells that each axis of a sweep explains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError
from chainrule.random import stream
from chainrule.stats.flips import Table, score_table
from chainrule.stats.intervals import check_level
from chainrule.stats.sequential import Better

Codes = npt.NDArray[np.int64]

CHANCE = 0.75
"""An axis that chance alone gives a larger share than this is left out."""


@dataclass(frozen=True)
class Importance:
    """How much of the variance between cells one axis explains, with intervals over the seeds.

    Attributes
    ----------
    share, low, high : float
        By itself: of the variance of the cells' means, what the means per value of this axis have (first-order
        Sobol index).
    total, total_low, total_high : float
        With all it does together with others: what is left among cells that agree in every other axis (total Sobol
        index). It is 0 for an axis whose value follows from the others (zipped, or with one cell a combination), and
        NaN where places were drawn at random: no two of them agree in the others.
    level : float
        Confidence.
    n_values : int
        Number of values of the axis.
    why : str
        What limits the statement; empty in a complete grid.
    ranges : int
        Into how many ranges with as many cells each its values were put together; 0 if they were not.
    """

    share: float
    low: float
    high: float
    total: float
    total_low: float
    total_high: float
    level: float = 0.95
    n_values: int = 0
    why: str = ""
    ranges: int = 0

    @property
    def part(self) -> float:
        """What it has a part in, alone or together with others, as far as that is known."""
        return self.share if math.isnan(self.total) else max(self.share, self.total)

    def named(self, axis: str) -> str:
        """Return the name of the axis with the ranges that its values were put together in."""
        return f"{axis} (in {self.ranges} ranges)" if self.ranges else axis


def axis_importance(
    places: Sequence[Mapping[str, object]],
    table: npt.ArrayLike,
    level: float = 0.95,
    better: Better = "lower",
    seed: int = 0,
    n_resamples: int = 999,
) -> dict[str, Importance]:
    """Split the variance between the cells of a sweep by its axes (analysis of variance; Sobol 1993, Saltelli 2010).

    Differences between cell means are partly the luck of the seeds. What luck adds to each sum of squares is
    estimated from how the seeds scatter and taken off, so an axis without effect has a share around 0 (shown as 0 if
    it falls below) however few the seeds. The intervals are expanded percentiles (Hesterberg 2015) over resampled
    seeds, kept whole, with that correction made once more for the resampling.

    Seeds that happen to agree look certain when only they are resampled. Where values repeat (successes, accuracies of
    few samples) each resample is therefore joined by an imaginary seed, whose value in every cell is any of the table's
    with equal chance. Where all values are equal nothing is known, and the intervals are whole.

    In a complete grid the shares add up to 1 where the axes do not interact, and to less where they do. In other
    designs (zipped or conditional axes, random places) axes overlap: what two axes cannot be told apart in counts as
    the share of both. An axis that a cell does not have counts as one more value of it.

    Parameters
    ----------
    places : sequence of mapping of str to object
        Axis and value of each cell, k of them.
    table : array (n_seeds, k)
        A row a seed, a column a cell. NaN and infinities count as the worst finite value in the table.
    level : float
        Confidence of the intervals.
    better : "lower" or "higher"
        Which values are better; it only says what the worst is.
    seed, n_resamples : int
        Of the resampling of seeds.

    Returns
    -------
    dict of str to Importance
        By axis, in order of appearance; axes with a single value, and those of `no_importance`, are left out.
    """
    scores = cell_scores(places, table, level, better)
    n, k = scores.shape
    axes = {axis: codes for axis, codes in axis_codes(places).items() if codes.max() > 0}
    told = [axis for axis in axes if axis not in no_importance(places)]
    if not told:
        return {}
    groupings = [*axes.values(), *(_others(axes, axis) for axis in axes)]
    point = _shares(scores, np.ones((1, n)), None, groupings, len(axes), corrections=1)[0]
    spread = _shares(scores, *_resampled(scores, seed, n_resamples), groupings, len(axes), corrections=2)
    tail = expanded_tail(n, level)
    low, high = np.quantile(spread, [tail, 1.0 - tail], axis=0)
    low, high = np.minimum(low, point), np.maximum(high, point)
    if np.ptp(scores) == 0.0:
        low, high = np.zeros_like(point), np.ones_like(point)
    found = {}
    for axis in told:
        codes, i = axes[axis], list(axes).index(axis)
        j = i + len(axes)
        found[axis] = Importance(
            share=float(point[i]),
            low=float(low[i]),
            high=float(high[i]),
            total=float(point[j]),
            total_low=float(low[j]),
            total_high=float(high[j]),
            level=level,
            n_values=int(codes.max()) + 1,
            why=_limits(codes, groupings[j], k),
        )
    return found


def no_importance(places: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Return the axes that no share can be given, with the reason.

    Those have nearly as many values as there are cells (zipped axes, for instance): they explain everything by
    themselves whatever they do, since b values explain (b - 1) / (k - 1) of the variance between k cells by chance.
    """
    axes = {axis: codes for axis, codes in axis_codes(places).items() if codes.max() > 0}
    k = len(places)
    found = {}
    for axis, codes in axes.items():
        n_values = int(codes.max()) + 1
        if n_values - 1 > CHANCE * (k - 1) and _limits(codes, _others(axes, axis), k):
            found[axis] = f"it has {n_values} values in {k} cells, which explain nearly everything whatever they do"
    return found


def cell_scores(places: Sequence[Mapping[str, object]], table: npt.ArrayLike, level: float, better: Better) -> Table:
    """Return the scores (n_seeds, k) of cells at k places, or say why they give no importance."""
    check_level(level)
    scores = score_table(table, better)
    n, k = scores.shape
    if len(places) != k:
        raise ShapeError(f"an importance needs a place for each of the {k} cells, got {len(places)}")
    if n < 2:
        raise DataError("an importance needs at least two seeds: one cannot tell effects from luck")
    return scores


def axis_codes(places: Sequence[Mapping[str, object]]) -> dict[str, Codes]:
    """Return for each axis the number of its value in every cell, counted by appearance."""
    axes = dict.fromkeys(axis for place in places for axis in place)
    found = {}
    for axis in axes:
        values: dict[str, int] = {}
        texts = [repr(place[axis]) if axis in place else "" for place in places]
        found[axis] = np.array([values.setdefault(text, len(values)) for text in texts], dtype=np.int64)
    return found


def _resampled(scores: Table, seed: int, n_resamples: int) -> tuple[Table, Table | None]:
    """Return how often each seed is in every resample (n_resamples, n), and the imaginary seed that joins it."""
    n, k = scores.shape
    rng = stream(seed, "bootstrap")
    draws = rng.integers(0, n, size=(n_resamples, n))
    counts = np.zeros((n_resamples, n))
    np.add.at(counts, (np.arange(n_resamples)[:, None], draws), 1.0)
    ordered = np.sort(scores, axis=0)
    if not (ordered[1:] == ordered[:-1]).any():  # real numbers: how seeds scatter is seen from few of them
        return counts, None
    return counts, rng.choice(np.unique(scores), size=(n_resamples, k))


def expanded_tail(n: int, level: float) -> float:
    """Return the tail at which percentiles of a resampled mean of n values are as wide as Student's interval."""
    from scipy.stats import norm, t

    return float(norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf(0.5 + level / 2, n - 1)))


def _others(axes: Mapping[str, Codes], left_out: str) -> Codes:
    """Return the number of the combination of all axes but one in every cell."""
    rest = [codes for axis, codes in axes.items() if axis != left_out]
    if not rest:
        return np.zeros(len(axes[left_out]), dtype=np.int64)
    _, combination = np.unique(np.stack(rest, axis=1), axis=0, return_inverse=True)
    return np.asarray(combination, dtype=np.int64).reshape(-1)


def _limits(codes: Codes, others: Codes, k: int) -> str:
    """Say what keeps the shares of an axis from being told apart from those of the others."""
    n_values, n_others = int(codes.max()) + 1, int(others.max()) + 1
    if n_values * n_others == k:
        return ""
    if n_others == k:
        return "follows from the other axes: no two cells differ in it alone"
    return "not every value is combined with every other: shares of the axes overlap"


def _shares(
    scores: Table, counts: Table, imagined: Table | None, groupings: list[Codes], n_axes: int, corrections: int
) -> Table:
    """Return shares and total shares for each weighting of the seeds: (n_weightings, 2 * n_axes).

    With Q(A) the sum of squares that a projection A leaves of the vector of cell means, Q has expectation
    Q(truth) + tr(A S) / n, where S is the covariance of the cells over seeds; the second term is estimated by the
    mean of the same sum of squares over the residuals of the seeds, divided by n - 1.
    """
    whole = np.arange(scores.shape[1])
    sums = np.stack([_corrected(scores, codes, counts, imagined, corrections) for codes in [whole, *groupings]], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(sums[:, :1] > 0, sums[:, 1:] / sums[:, :1], 0.0)
    known = sums[:, :1] > 0
    part[:, n_axes:] = np.where(known, 1.0 - part[:, n_axes:], 0.0)
    return np.clip(part, 0.0, 1.0)


def _corrected(scores: Table, codes: Codes, counts: Table, imagined: Table | None, corrections: int) -> Table:
    """Return the sum of squares between groups of cells without what the seeds' luck adds: (n_weightings,)."""
    n, k = scores.shape
    sizes = np.bincount(codes)
    basis = np.zeros((k, len(sizes)))
    basis[np.arange(k), codes] = 1.0 / np.sqrt(sizes[codes])
    projected = _centred(scores) @ basis  # (n, groups): its squares sum to the sum of squares between groups
    means = counts @ projected / n
    between = np.sum(means**2, axis=1)
    luck = (counts @ np.sum(projected**2, axis=1) / n - between) / (n - 1)
    if imagined is not None:  # with its own scatter left in: where seeds agree, that is all the doubt there is
        means = (n * means + _centred(imagined) @ basis) / (n + 1)
        between, luck = np.sum(means**2, axis=1), luck * (n / (n + 1)) ** 2
    return np.asarray(between - corrections * luck, dtype=np.float64)


def _centred(scores: Table) -> Table:
    """Take off what all cells of a seed share: it is no difference of cells."""
    return np.asarray(scores - scores.mean(axis=1, keepdims=True), dtype=np.float64)
