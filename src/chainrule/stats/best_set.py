"""Not one winner: the set of cells that cannot be told from the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.stats.flips import Centre, Table, lead_statistics, score_table, sign_patterns, step_down
from chainrule.stats.intervals import check_level
from chainrule.stats.paired import MIN_PAIRS
from chainrule.stats.sequential import Better


@dataclass(frozen=True)
class BestSet:
    """The cells that cannot be told from the best.

    Attributes
    ----------
    best : int
        The cell with the best mean or median, the first of them if several tie.
    members : tuple of int
        The cells that cannot be told from the best, `best` among them, in the order of the table. Each of
        the others is shown to be worse than another cell; the chance that any cell that is truly (one of) the best is
        left out is at most 1 - level.
    p_adjusted : tuple of float
        Of every cell, against "it is as good as any", adjusted for all cells and for the choice of the best.
    n, level
        Seeds, and confidence.
    why : str
        Why there is no verdict (then all cells are members); empty if there is one.
    """

    best: int
    members: tuple[int, ...]
    p_adjusted: tuple[float, ...]
    n: int
    level: float = 0.95
    why: str = ""


def best_set(
    table: npt.ArrayLike,
    better: Better = "lower",
    level: float = 0.95,
    statistic: Centre = "mean",
    seed: int = 0,
    n_resamples: int = 1999,
) -> BestSet:
    """Return the cells that cannot be told from the best, on the same seeds that the best was chosen from.

    A cell is left out if another one leads it by more than the largest such lead that sign flips of whole seeds give
    to any of the cells still in question (see `chainrule.stats.flips`): one-sided comparisons with the best of the
    others (Hsu 1981), all cells at once, by stepping down (Romano and Wolf 2005). The set is what the model
    confidence set (Hansen, Lunde and Nason 2011) is, with sign flips in place of a bootstrap, which hold for few
    seeds too.

    Parameters
    ----------
    table : array (n_seeds, k)
        A row a seed, a column a cell; only seeds that every cell has. Successes are 1 and 0 with
        ``better="higher"``. NaN (a run that diverged) is worse than any number; under ``statistic="mean"`` NaN and
        infinities count as the worst finite value in the table.
    better : "lower" or "higher"
        Which values are better.
    level : float
        Confidence that no truly best cell is left out.
    statistic : "mean" or "median"
        What makes a cell good; "median" compares cells by the signs of their differences within seeds.
    seed : int
        Seed of the flips; equal arguments give equal results.
    n_resamples : int
        Sign patterns to draw where there are too many to go through them all.
    """
    check_level(level)
    scores = score_table(table, better, statistic)
    n, k = scores.shape
    best = int(np.argmax(np.mean(scores, axis=0) if statistic == "mean" else np.median(scores, axis=0)))
    if n < MIN_PAIRS:
        why = f"{n} seed{'' if n == 1 else 's'}, and at least {MIN_PAIRS} are needed"
        return BestSet(best, tuple(range(k)), (1.0,) * k, n, level, why)
    leads = _largest_leads(scores, statistic, sign_patterns(n, n_resamples, seed)[0])
    order = np.argsort(-leads[0], kind="stable")
    p = step_down(iter([leads]), k, order, leads[0])
    p[best] = 1.0
    members = tuple(int(i) for i in np.flatnonzero(p > (1.0 - level) * (1 + 1e-12)))
    return BestSet(best, members, tuple(float(value) for value in p), n, level)


def _largest_leads(scores: Table, statistic: str, signs: Table) -> Table:
    """Return the largest lead that any cell has over each cell, under each sign pattern: (n_patterns, k)."""
    return np.stack([lead_statistics(scores, statistic, signs, i).max(axis=1) for i in range(scores.shape[1])], axis=1)
