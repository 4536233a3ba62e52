"""Confidence sequences: intervals that stay valid however often one looks, and the decision taken from them.

An ordinary 95 % interval that is looked at after every batch of seeds will, sooner or later, exclude the truth. These
intervals do not: the probability that they *ever* exclude it is at most 1 - level, so seeds may be added until the
question is settled, and the stopping needs no plan. Each is the running intersection of the intervals at all sizes
so far and depends on the observations in their order, never on how they were cut into batches.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.stats.betting import critical_wins, log_capital, log_holdings
from chainrule.stats.intervals import Interval, Sample, Values, check_level

Better = Literal["lower", "higher"]
Decision = Literal["a", "b", "equal", "undecided"]

PRECISION = 1e-6
"""How closely the ends of a `MeanSequence` are found, as a share of its range; the rest is added to them."""


class MeanSequence:
    """A confidence sequence for the mean of bounded observations, by betting (Waudby-Smith and Ramdas 2024).

    It assumes only that each observation lies in [low, high] and that all have the same mean given those before.
    A mean is in the interval as long as no bettor against it (see `chainrule.stats.betting`) has become rich.

    Parameters
    ----------
    low, high : float
        Bounds that no observation can leave, e.g. -1 and 1 for differences of successes or of accuracies. Where the
        observations use a small part of the range, many are needed: the rest of the range cannot be ruled out.
    level : float
        Confidence that the mean is inside the interval at all times.

    Attributes
    ----------
    n : int
        Observations so far.
    interval : Interval
        The present interval, at first [low, high].
    """

    def __init__(self, low: float = -1.0, high: float = 1.0, level: float = 0.95) -> None:
        check_level(level)
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ConfigError(f"a mean sequence needs finite bounds with low < high, got {low} and {high}")
        self.low, self.high, self.level = float(low), float(high), level
        self.n = 0
        self.interval = Interval(self.low, self.high, level)
        self._seen = np.empty(0)

    def update(self, values: Values) -> Interval:
        """Take further observations, in their order, and return the interval.

        Parameters
        ----------
        values : sequence of float
            Observations in [low, high]; none is fine.

        Raises
        ------
        DataError
            If one is NaN or outside the bounds; then nothing is taken.
        """
        batch = np.asarray(values, dtype=np.float64)
        if batch.ndim != 1 or not ((batch >= self.low) & (batch <= self.high)).all():
            raise DataError(f"a mean sequence takes a list of numbers from {self.low:g} to {self.high:g}")
        if batch.size:
            units = (batch - self.low) / (self.high - self.low)
            self._narrow(units)
            self._seen = np.concatenate([self._seen, units])
            self.n = len(self._seen)
        return self.interval

    def decide(self, margin: float = 0.0, better: Better = "lower") -> Decision:
        """Return what the present interval decides, see `decide`."""
        return decide(self.interval, margin, better)

    def _narrow(self, batch: Sample) -> None:
        """Move the ends to where the capital against them reached its limit during the batch."""
        width = self.high - self.low
        left, right = (self.interval.low - self.low) / width, (self.interval.high - self.low) / width
        seen, counts = np.unique(self._seen, return_counts=True)
        limit = np.log(2.0 / (1.0 - self.level))

        def rejects(values: Sample, known: Sample, mean: float) -> bool:
            held = log_holdings(known, counts.astype(np.float64), mean)
            return bool(log_capital(values, mean, held).max() >= limit)

        new_left = _last_rejected(lambda m: rejects(batch, seen, m), left, right)
        new_right = 1.0 - _last_rejected(lambda m: rejects(1.0 - batch, 1.0 - seen, m), 1.0 - right, 1.0 - left)
        if new_left <= new_right:  # else nothing is left: a miss, or a mean that moved; the last interval stays
            self.interval = Interval(self.low + width * new_left, self.low + width * new_right, self.level)


def _last_rejected(rejects: Callable[[float], bool], left: float, right: float) -> float:
    """Return the largest mean in [left, right] that is rejected, rounded down by less than `PRECISION`.

    The capital against a mean never grows with the mean, so those rejected are an interval that begins at the left.
    """
    if right - left <= PRECISION or not rejects(left + PRECISION):
        return left
    good, bad = left + PRECISION, right
    while bad - good > PRECISION:
        middle = 0.5 * (good + bad)
        good, bad = (middle, bad) if rejects(middle) else (good, middle)
    return good


class MedianSequence:
    """A confidence sequence for the median of observations without bounds, infinities included.

    A value m is too low if more than half of all observations would lie above it: a bettor wins whenever one does
    (Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
    identification", Bernoulli 2022, with the grid of bets of `chainrule.stats.betting`). Only observations strictly
    above count as above, and only those strictly below as below, so ties widen the interval and never narrow it.
    It assumes only that each observation has the same median given those before.

    Parameters
    ----------
    level : float
        Confidence that the median is inside the interval at all times. Where the median is not one number (half of
        the observations below a gap, half above it) each of its values is inside with that confidence.

    Attributes
    ----------
    n : int
        Observations so far.
    interval : Interval
        The present interval, closed, at first from minus to plus infinity.
    """

    def __init__(self, level: float = 0.95) -> None:
        check_level(level)
        self.level = level
        self.interval = Interval(-np.inf, np.inf, level)
        self._ordered: list[float] = []

    @property
    def n(self) -> int:
        """Observations so far."""
        return len(self._ordered)

    def update(self, values: Values) -> Interval:
        """Take further observations, in their order, and return the interval.

        Parameters
        ----------
        values : sequence of float
            Numbers or infinities; none is fine.

        Raises
        ------
        DataError
            If one is NaN; then nothing is taken. See `paired_differences` for runs that diverged.
        """
        batch = np.asarray(values, dtype=np.float64)
        if batch.ndim != 1 or np.isnan(batch).any():
            raise DataError("a median sequence takes a list of numbers without NaN")
        low, high = self.interval.low, self.interval.high
        for value in batch.tolist():
            insort(self._ordered, value)
            wins = critical_wins(self.n, self.level)
            if wins <= self.n:
                new_low, new_high = max(low, self._ordered[-wins]), min(high, self._ordered[wins - 1])
                if new_low <= new_high:  # else nothing is left: a miss, or a median that moved
                    low, high = new_low, new_high
        self.interval = Interval(low, high, self.level)
        return self.interval

    def decide(self, margin: float = 0.0, better: Better = "lower") -> Decision:
        """Return what the present interval decides, see `decide`."""
        return decide(self.interval, margin, better)


class PairedSequence:
    """Confidence sequences for paired differences without bounds: who leads more often, and by how much.

    Who is better is decided by the share of seeds in which a is above b less the share in which it is below (a
    `MeanSequence` of the signs): ties bet for neither side. Whether the two are practically equal is decided by the
    median difference (a `MedianSequence`). Where the median alone excludes 0 the signs do, too, but not the other
    way round: with many ties the median is 0 although one side wins nearly all other seeds.

    All that can be said wrongly has probability at most 1 - level together: if each side is ahead equally often, that
    one is better; if the median is outside the margin, that they are equal or that the wrong one is better.

    Parameters
    ----------
    level : float
        Confidence of each of the two intervals.

    Attributes
    ----------
    n : int
        Differences so far.
    interval : Interval
        Of the median of a - b.
    lead : Interval
        Of P(a > b) - P(a < b).
    """

    def __init__(self, level: float = 0.95) -> None:
        self._median, self._signs = MedianSequence(level), MeanSequence(-1.0, 1.0, level)
        self.level = level

    @property
    def n(self) -> int:
        """Differences so far."""
        return self._median.n

    @property
    def interval(self) -> Interval:
        """The present interval of the median difference."""
        return self._median.interval

    @property
    def lead(self) -> Interval:
        """The present interval of the share of seeds with a above b less that with a below."""
        return self._signs.interval

    def update(self, differences: Values) -> Interval:
        """Take further differences a - b (see `paired_differences`) and return the interval of their median.

        Raises
        ------
        DataError
            If one is NaN; then nothing is taken.
        """
        self._median.update(differences)
        self._signs.update(np.sign(np.asarray(differences, dtype=np.float64)))
        return self.interval

    def decide(self, margin: float = 0.0, better: Better = "lower") -> Decision:
        """Return what the differences so far decide, see `decide`: equality by the median, the rest by the signs."""
        if decide(self.interval, margin, better) == "equal":
            return "equal"
        return decide(self.lead, 0.0, better)


def decide(interval: Interval, margin: float = 0.0, better: Better = "lower") -> Decision:
    """Say what an interval of the difference a - b decides.

    Parameters
    ----------
    interval : Interval
        Of the mean or median of a - b.
    margin : float
        Differences up to this size do not matter; with 0 the answer is never "equal".
    better : "lower" or "higher"
        Which values are better.

    Returns
    -------
    "a", "b", "equal" or "undecided"
        "equal" (practically) if the interval lies within [-margin, margin], even if it excludes 0; else who is
        better if it excludes 0.
    """
    check_better(better)
    if not (margin >= 0 and np.isfinite(margin)):
        raise ConfigError(f"a margin is a number of at least 0, got {margin}")
    if margin > 0 and interval.low >= -margin and interval.high <= margin:
        return "equal"
    if interval.low > 0:
        return "b" if better == "lower" else "a"
    if interval.high < 0:
        return "a" if better == "lower" else "b"
    return "undecided"


def paired_differences(a: Values, b: Values, better: Better = "lower") -> Sample:
    """Return a - b per seed; a run without a value (NaN) counts as worse than any other.

    Two runs that are both infinitely bad, or both without a value, are a tie: their difference is 0.

    Parameters
    ----------
    a, b : sequence of float
        The quantity of each setting for seed 1, 2, ...; equal lengths.
    better : "lower" or "higher"
        Which values are better.
    """
    x, y = as_worst(a, better), as_worst(b, better)
    if x.ndim != 1 or x.shape != y.shape:
        raise ShapeError(f"paired samples are lists of equal length, got shapes {x.shape} and {y.shape}")
    with np.errstate(invalid="ignore"):
        return np.where(x == y, 0.0, x - y)


def as_worst(values: npt.ArrayLike, better: Better) -> Sample:
    """Return values with the worst infinity in place of NaN."""
    check_better(better)
    x = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(x), np.inf if better == "lower" else -np.inf, x)


def check_better(better: str) -> None:
    """Refuse a direction other than "lower" and "higher"."""
    if better not in ("lower", "higher"):
        raise ConfigError(f"better must be 'lower' or 'higher', got '{better}'")
