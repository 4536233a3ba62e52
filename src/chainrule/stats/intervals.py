"""Intervals: how far a rate, a median or any statistic of a sample could be off.

All functions take plain numbers and raise `DataError` for samples that are empty or hold NaN. Infinities are
allowed where only order matters (a seed that never converged needs infinitely many epochs).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, DataError
from chainrule.random import stream

Values = Sequence[float] | npt.NDArray[Any]
Sample = npt.NDArray[np.float64]
Statistic = Literal["mean", "median"] | Callable[..., Any]


@dataclass(frozen=True)
class Interval:
    """A confidence interval from `low` to `high` at confidence `level`."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class RateInterval:
    """A share `rate` = successes / n with its exact confidence interval."""

    successes: int
    n: int
    rate: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        share = (
            f"{100 * self.rate:.3g} %, {100 * self.level:.3g} % interval {100 * self.low:.3g} to {100 * self.high:.3g}"
        )
        return f"{self.successes} of {self.n} ({share})"


def success_rate(successes: int, n: int, level: float = 0.95) -> RateInterval:
    """Return a success rate with its exact binomial interval (Clopper and Pearson 1934).

    Parameters
    ----------
    successes : int
        How many seeds converged, from 0 to n.
    n : int
        How many seeds ran, at least 1.
    level : float
        Confidence, between 0 and 1; the interval covers the true rate at least that often.

    Raises
    ------
    DataError
        If the counts are impossible.
    """
    check_level(level)
    if n < 1 or not 0 <= successes <= n:
        raise DataError(f"a success rate needs n >= 1 and 0 <= successes <= n, got {successes} of {n}")
    return _exact_rate(int(successes), int(n), float(level))


@lru_cache(maxsize=65_536)
def _exact_rate(successes: int, n: int, level: float) -> RateInterval:
    """Search the exact interval's ends, once for each count: the cells of a sweep share few of them."""
    from scipy.stats import binomtest

    ci = binomtest(successes, n).proportion_ci(confidence_level=level, method="exact")
    return RateInterval(successes, n, successes / n, float(ci.low), float(ci.high), level)


def share_interval(shares: Values, level: float = 0.95) -> Interval:
    """Return the interval of the mean of shares, one a seed: of its settings, how many succeeded.

    Exact where every share is 0 or 1. Otherwise z^2 imaginary seeds, half of them with share 0 and half with 1, join
    the sample, as Agresti and Coull (The American Statistician 52, 1998) add imaginary tries to a binomial one. Without
    them, seeds that happen to agree look certain: where settings nearly always fail, the t interval of twelve seeds
    and a bootstrap's cover the mean one time in ten. With them, six seeds and more cover it at least 92 times in a
    hundred, whatever the settings' success rates and however they go together, and mostly 95 times and more.

    Parameters
    ----------
    shares : sequence of float
        A number from 0 to 1 for each seed.
    level : float
        Confidence, between 0 and 1.
    """
    from scipy.stats import norm

    check_level(level)
    x = sample(shares)
    if x.min() < 0.0 or x.max() > 1.0:
        raise DataError(f"shares lie between 0 and 1, got {x.min():g} to {x.max():g}")
    if np.isin(x, (0.0, 1.0)).all():
        exact = success_rate(int(x.sum()), len(x), level)
        return Interval(exact.low, exact.high, level)
    z = float(norm.ppf(0.5 + level / 2))
    n = len(x) + z * z
    mean = float(x.sum() + z * z / 2) / n
    variance = float(np.sum((x - mean) ** 2) + z * z / 2 * (mean**2 + (1 - mean) ** 2)) / n
    reach = z * float(np.sqrt(variance / n))
    return Interval(max(mean - reach, 0.0), min(mean + reach, 1.0), level)


def median_interval(values: Values, level: float = 0.95) -> Interval:
    """Return a distribution-free interval of the median from order statistics.

    The median lies below the k-th smallest of n values with probability P(Bin(n, 1/2) < k), whatever the
    (continuous) distribution; k is the largest with twice that probability at most 1 - level (Conover 1999, 3.2).
    With fewer than 6 values no such k exists at 95 %, and the interval is unbounded.

    Parameters
    ----------
    values : sequence of float
        The sample; infinities are allowed.
    level : float
        Confidence, between 0 and 1; coverage is at least that.
    """
    check_level(level)
    ordered = np.sort(sample(values))
    n = len(ordered)
    k = _median_rank(n, float(level))
    if k == 0:
        return Interval(-np.inf, np.inf, level)
    return Interval(float(ordered[k - 1]), float(ordered[n - k]), level)


@lru_cache(maxsize=4096)
def _median_rank(n: int, level: float) -> int:
    """Return the largest k with 2 P(Bin(n, 1/2) < k) <= 1 - level; 0 if there is none."""
    from scipy.stats import binom

    return int(np.sum(2 * binom.cdf(np.arange(n // 2), n, 0.5) <= 1 - level))


def bootstrap_interval(
    values: Values, statistic: Statistic = "mean", level: float = 0.95, seed: int = 0, n_resamples: int = 9999
) -> Interval:
    """Return the bias-corrected and accelerated (BCa) bootstrap interval of a statistic (Efron 1987).

    Parameters
    ----------
    values : sequence of float
        The sample, finite.
    statistic : "mean", "median" or callable
        A callable takes ``(array, axis=...)`` and returns the statistic along that axis.
    level : float
        Confidence, between 0 and 1.
    seed : int
        Seed of the resampling; equal arguments give equal intervals.
    n_resamples : int
        Number of bootstrap samples.

    Returns
    -------
    Interval
        A sample of one value or of equal values gives the point. Where BCa is undefined (every value left out in
        turn gives the same statistic) the plain percentile interval takes its place.
    """
    from scipy.stats import bootstrap

    check_level(level)
    x = sample(values)
    if not np.isfinite(x).all():
        raise DataError("a bootstrap interval needs finite values; use median_interval for samples with infinities")
    compute = statistic_function(statistic)
    if x.min() == x.max():
        point = float(compute(x, axis=-1))
        return Interval(point, point, level)
    low = high = np.nan
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # a degenerate BCa is met by the percentile interval
            ci = bootstrap(
                (x,),
                compute,
                confidence_level=level,
                method=method,
                n_resamples=n_resamples,
                batch=max(1, 2_000_000 // len(x)),
                vectorized=True,
                rng=stream(seed, "bootstrap"),
            ).confidence_interval
        low, high = float(ci.low), float(ci.high)
        if np.isfinite(low) and np.isfinite(high):
            break
    return Interval(low, high, level)


def quantiles(values: Values, qs: Values) -> tuple[float, ...]:
    """Return the quantiles at the probabilities `qs` (linear interpolation, NumPy's default definition).

    Infinities are allowed: between a finite value and infinity the quantile is infinite.
    """
    ordered = np.sort(sample(values))
    probabilities = np.asarray(qs, dtype=np.float64)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ConfigError(f"quantiles need probabilities from 0 to 1, got {list(qs)}")
    at = probabilities * (len(ordered) - 1)
    below = np.floor(at).astype(int)
    left, right = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    share = at - below
    with np.errstate(invalid="ignore"):
        between = left + (right - left) * share
    flat = (share == 0) | (left == right)
    return tuple(float(v) for v in np.where(flat, left, np.where(np.isinf(left), left, between)))


def percentile_of(value: float, values: Values, rounding: float | None = None) -> float:
    """Return the percentile, from 0 to 100, at which `value` falls in a sample.

    Mid-rank: the share of values below plus half the share of ties.

    Parameters
    ----------
    value : float
        The figure to be placed, e.g. one that a report states.
    values : sequence of float
        The sample; infinities are allowed.
    rounding : float, optional
        Half a unit of the last digit that the figure was reported with (0.0005 for 0.015): values that close
        would have been reported as the same figure and count as ties.
    """
    x = sample(values)
    if np.isnan(value):
        raise DataError("NaN has no percentile")
    ties = x == value
    if rounding is not None and np.isfinite(value):
        # The slack lets 0.0155 tie with 0.015 although their difference is not exactly 0.0005 in binary.
        ties |= np.abs(x - value) <= rounding * (1 + 1e-9) + 4 * np.spacing(abs(value))
    below = (x < value) & ~ties
    return float(100.0 * (below.sum() + 0.5 * ties.sum()) / len(x))


def sample(values: Values) -> Sample:
    """Return a sample as a float64 array, or raise `DataError` if it is empty, not one-dimensional or holds NaN."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0:
        raise DataError(f"a sample is a list of at least one number, got shape {x.shape}")
    if np.isnan(x).any():
        raise DataError(f"the sample holds {int(np.isnan(x).sum())} NaN among {len(x)} values; leave them out first")
    return x


def statistic_function(statistic: Statistic) -> Callable[..., Any]:
    """Return the function of a named statistic."""
    if callable(statistic):
        return statistic
    known: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}
    if statistic not in known:
        raise ConfigError(f"a statistic is 'mean', 'median' or a function, got '{statistic}'")
    return known[statistic]


def check_level(level: float) -> None:
    """Refuse a confidence that is not strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise ConfigError(f"a confidence level lies between 0 and 1, got {level}")
