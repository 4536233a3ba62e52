"""Rankings that say which places are real, how often one setting beats another, and what the winner is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError
from chainrule.stats.flips import Centre, Table, lead_statistics, score_table, sign_patterns, step_down
from chainrule.stats.intervals import Interval, Values, bootstrap_interval, check_level, median_interval, success_rate
from chainrule.stats.paired import MIN_PAIRS
from chainrule.stats.sequential import Better, as_worst, paired_differences


@dataclass(frozen=True)
class Ranking:
    """Cells from best to worst, in groups that cannot be separated.

    Attributes
    ----------
    names : tuple of str
        Of the cells, best first.
    order : tuple of int
        Their columns in the table.
    groups : tuple of tuple of int
        Places (0 is the best) of cells that cannot be separated from each other. A cell may be in several groups;
        two cells are separated, with the level for *all* pairs together, if they share none.
    letters : tuple of str
        The groups of each place as a compact letter display: "a", "ab", "b".
    p_adjusted : array (k, k)
        By place, of each pair against "equally good", adjusted for all pairs; 1 on the diagonal.
    n, level
        Seeds, and confidence.
    why : str
        Why there is no verdict (then all are in one group); empty if there is one.
    """

    names: tuple[str, ...]
    order: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    letters: tuple[str, ...]
    p_adjusted: Table
    n: int
    level: float = 0.95
    why: str = ""

    def separated(self, place: int, other: int) -> bool:
        """Return whether the cells at two places are told apart."""
        return not any(place in group and other in group for group in self.groups)


def rank_groups(
    table: npt.ArrayLike,
    names: Sequence[str] | None = None,
    better: Better = "lower",
    level: float = 0.95,
    statistic: Centre = "mean",
    seed: int = 0,
    n_resamples: int = 1999,
) -> Ranking:
    """Rank cells, and group those that cannot be separated.

    All pairs are compared by sign flips of whole seeds and adjusted together by the largest statistic among the pairs
    not yet separated (see `chainrule.stats.flips`): never weaker than Holm's correction of the same tests, which
    knows nothing of how they hang together. The groups are those of Piepho's compact letter display (2004).

    Parameters
    ----------
    table : array (n_seeds, k)
        As for `chainrule.stats.best_set.best_set`.
    names : sequence of str, optional
        A name a column; by default their numbers.
    better, level, statistic, seed, n_resamples
        As for `chainrule.stats.best_set.best_set`; a pair counts as separated at p <= 1 - level.
    """
    check_level(level)
    scores = score_table(table, better, statistic)
    n, k = scores.shape
    labels = [str(i) for i in range(k)] if names is None else list(names)
    if len(labels) != k:
        raise ShapeError(f"a ranking of {k} cells needs {k} names, got {len(labels)}")
    centre = np.mean(scores, axis=0) if statistic == "mean" else np.median(scores, axis=0)
    order = np.argsort(-centre, kind="stable")
    why = f"{n} seed{'' if n == 1 else 's'}, and at least {MIN_PAIRS} are needed" if n < MIN_PAIRS else ""
    p = np.ones((k, k)) if why else _pair_p_values(scores[:, order], statistic, n_resamples, seed)
    groups = _letter_groups(p <= (1.0 - level) * (1 + 1e-12))
    return Ranking(
        names=tuple(labels[i] for i in order),
        order=tuple(int(i) for i in order),
        groups=groups,
        letters=tuple("".join(_letter(g) for g, group in enumerate(groups) if i in group) for i in range(k)),
        p_adjusted=p,
        n=n,
        level=level,
        why=why,
    )


def _pair_p_values(scores: Table, statistic: str, n_resamples: int, seed: int) -> Table:
    """Return the two-sided p-values of all pairs, adjusted for all of them: (k, k)."""
    n, k = scores.shape
    p = np.ones((k, k))
    rows, columns = np.triu_indices(k, 1)
    if not len(rows):
        return p
    signs, _ = sign_patterns(n, n_resamples, seed)

    def statistics(patterns: Table) -> Table:
        return np.hstack([np.abs(lead_statistics(scores, statistic, patterns, i)[:, i + 1 :]) for i in range(k - 1)])

    def pieces() -> Iterator[Table]:
        size = max(1, 4_000_000 // len(rows))
        for start in range(0, len(signs), size):
            yield statistics(signs[start : start + size])

    observed = statistics(signs[:1])[0]
    adjusted = step_down(pieces(), len(rows), np.argsort(-observed, kind="stable"), observed)
    p[rows, columns] = p[columns, rows] = adjusted
    return p


def _letter_groups(separated: npt.NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
    """Return the largest groups without a separated pair, by inserting pairs and absorbing subsets (Piepho 2004)."""
    k = len(separated)
    groups = [(1 << k) - 1]  # a group is the set bits of a number
    for i, j in zip(*np.nonzero(np.triu(separated, 1)), strict=True):
        both = (1 << int(i)) | (1 << int(j))
        split = [group for group in groups if group & both == both]
        kept = [group for group in groups if group & both != both]
        for group in split:
            for part in (group & ~(1 << int(j)), group & ~(1 << int(i))):
                if not any(part & other == part for other in kept):
                    kept = [other for other in kept if other & part != other] + [part]
        groups = kept
    members = [tuple(place for place in range(k) if group >> place & 1) for group in groups]
    return tuple(sorted(members))


def _letter(number: int) -> str:
    """Return a, b, ..., z, a1, b1, ..."""
    return chr(ord("a") + number % 26) + (str(number // 26) if number >= 26 else "")


@dataclass(frozen=True)
class WinRate:
    """How often a beats b: `rate` = (wins + ties / 2) / n, with its interval."""

    wins: int
    ties: int
    losses: int
    n: int
    rate: float
    low: float
    high: float
    level: float = 0.95


def prob_better(a: Values, b: Values, better: Better = "lower", level: float = 0.95) -> WinRate:
    """Return the probability that a does better than b on the same seed, ties counted half.

    Parameters
    ----------
    a, b : sequence of float
        The quantity of each setting for seed 1, 2, ...; equal lengths. A run without a value (NaN) loses to any
        other and ties with its like.
    better : "lower" or "higher"
        Which values are better.
    level : float
        Confidence of the interval: that of Bonett and Price (2012) for the difference of wins and losses, which adds
        a seed to each, moved to the scale from 0 to 1.
    """
    from scipy.stats import norm

    check_level(level)
    d = paired_differences(a, b, better)
    n = len(d)
    if n == 0:
        raise DataError("the probability that one setting beats another needs at least one seed")
    below, above = int(np.sum(d < 0)), int(np.sum(d > 0))
    wins, losses = (below, above) if better == "lower" else (above, below)
    won, lost = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    half = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt((won + lost - (won - lost) ** 2) / (n + 2)))
    low, high = 0.5 + (won - lost - half) / 2, 0.5 + (won - lost + half) / 2
    ties = n - wins - losses
    return WinRate(wins, ties, losses, n, (wins + ties / 2) / n, max(low, 0.0), min(high, 1.0), level)


@dataclass(frozen=True)
class Score:
    """A centre of `n` values with its interval; `kind` is "mean", "median" or "rate"."""

    value: float
    interval: Interval
    n: int
    kind: str


@dataclass(frozen=True)
class WinnerScores:
    """What the winner scored on the seeds that chose it, and on seeds that had no part in that.

    The first is too good on average: of many cells, the one that chance helped is the one that wins (the winner's
    curse). `best` is its column; `optimism` says by how much the first is better, and is positive if it is.
    """

    best: int
    chosen: Score
    fresh: Score
    optimism: float


def winner_scores(
    choosing: npt.ArrayLike,
    fresh: Values,
    better: Better = "lower",
    level: float = 0.95,
    statistic: Centre = "mean",
    best: int | None = None,
) -> WinnerScores:
    """Return the winner's score on the choosing seeds beside its fair score on fresh ones.

    Parameters
    ----------
    choosing : array (n_seeds, k)
        The table that the winner was chosen from.
    fresh : sequence of float
        The winner's values on other seeds.
    better, statistic
        As for `chainrule.stats.best_set.best_set`. Values that are all 0 or 1 with ``statistic="mean"`` are successes
        and get the exact binomial interval.
    best : int, optional
        The winner's column if it was chosen otherwise than by the best mean or median.
    """
    scores = score_table(choosing, better, statistic)
    centre = np.mean(scores, axis=0) if statistic == "mean" else np.median(scores, axis=0)
    winner = int(np.argmax(centre)) if best is None else best
    old = _score(as_worst(choosing, better)[:, winner], statistic, level)
    new = _score(as_worst(fresh, better), statistic, level)
    with np.errstate(invalid="ignore"):
        gain = new.value - old.value if better == "lower" else old.value - new.value
    return WinnerScores(winner, old, new, float(gain))


def _score(values: Table, statistic: str, level: float) -> Score:
    """Return the centre of values with the interval that suits them."""
    n = len(values)
    if statistic == "median":
        return Score(float(np.median(values)), median_interval(values, level), n, "median")
    if np.isin(values, (0.0, 1.0)).all():
        rate = success_rate(int(values.sum()), n, level)
        return Score(rate.rate, Interval(rate.low, rate.high, level), n, "rate")
    if not np.isfinite(values).all():
        return Score(float(np.mean(values)), Interval(-np.inf, np.inf, level), n, "mean")
    return Score(float(np.mean(values)), bootstrap_interval(values, "mean", level), n, "mean")
