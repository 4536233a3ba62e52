"""Joint sign flips: how large the differences between many cells grow by chance alone.

Cells that are equally good could have exchanged their values within any seed, which flips the sign of their
difference there. Flipping whole seeds at once, for all pairs of cells together, keeps how the cells hang together,
so the largest of many statistics is judged by what the largest of them does by chance (Westfall and Young 1993;
Romano and Wolf 2005). For a single pair this is the sign-flip test of the mean, or the sign test of the median, and
for successes it is the exact McNemar test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, DataError
from chainrule.random import stream
from chainrule.stats.sequential import Better, as_worst, check_better

Table = npt.NDArray[np.float64]
Centre = Literal["mean", "median"]

SLACK = 1e-9
"""Statistics closer than this are ties: equal sums may differ in their last bits by the order of their terms."""

_ALL_PATTERNS = 11
"""Up to so many seeds all sign patterns are gone through (2^11 = 2,048); beyond, some are drawn."""


def score_table(table: npt.ArrayLike, better: Better, statistic: str = "mean") -> Table:
    """Return a table (n_seeds, k) in which larger is better, checked; for the mean without infinities.

    Runs without a value are the worst. A mean cannot hold an infinity: there they count as the worst finite value
    of the whole table.
    """
    check_better(better)
    if statistic not in ("mean", "median"):
        raise ConfigError(f"the statistic of a table is 'mean' or 'median', got '{statistic}'")
    x = as_worst(table, better)
    if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] < 1:
        raise DataError(f"a table has a row a seed and a column a cell, got shape {x.shape}")
    scores = -x if better == "lower" else x.copy()
    if statistic == "mean":
        finite = scores[np.isfinite(scores)]
        worst, best = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        scores = np.clip(scores, worst, best)
    return scores


def sign_patterns(n: int, n_resamples: int, seed: int) -> tuple[Table, bool]:
    """Return sign patterns (n_patterns, n), the unflipped one first, and whether they are all there are."""
    if n <= _ALL_PATTERNS:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return np.asarray(1.0 - 2.0 * bits, dtype=np.float64), True
    signs = stream(seed, "bootstrap").integers(0, 2, size=(n_resamples, n)) * 2.0 - 1.0
    return np.vstack([np.ones((1, n)), signs]), False


def lead_statistics(scores: Table, statistic: str, signs: Table, cell: int) -> Table:
    """Return how far every cell leads `cell` under each sign pattern: (n_patterns, k).

    The statistic is the sum of the differences over the root of the sum of their squares, which flips do not
    change; where all differences are 0 it is 0. For the median the differences are replaced by their signs.
    """
    with np.errstate(invalid="ignore"):
        differences = scores - scores[:, [cell]]
    if statistic == "median":
        differences = np.sign(np.nan_to_num(differences, nan=0.0))  # two infinities are a tie
    size = np.sqrt(np.sum(differences**2, axis=0))
    return np.asarray((signs @ differences) / np.where(size > 0, size, 1.0), dtype=np.float64)


def step_down(statistics: Iterator[Table], n_tests: int, order: npt.NDArray[Any], observed: Table) -> Table:
    """Return p-values adjusted for all tests by the largest statistic among those not yet rejected.

    Parameters
    ----------
    statistics : iterator of array (n_patterns_i, n_tests)
        Statistics under sign patterns, in pieces; the observed ones are among them.
    n_tests : int
        Number of tests.
    order : array (n_tests,)
        Tests from the largest observed statistic to the smallest.
    observed : array (n_tests,)
        The observed statistics.
    """
    reached, total = np.zeros(n_tests), 0
    for piece in statistics:
        largest = np.maximum.accumulate(piece[:, order[::-1]], axis=1)[:, ::-1]
        reached += np.sum(largest >= observed[order] - SLACK, axis=0)
        total += len(piece)
    adjusted = np.empty(n_tests)
    adjusted[order] = np.maximum.accumulate(reached / total)
    return adjusted
