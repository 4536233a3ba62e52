"""What a small study would have shown: the chance that a handful of seeds puts a before b, whatever the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.random import stream
from chainrule.stats.intervals import Interval, Sample, Values, check_level
from chainrule.stats.sequential import Better, as_worst

Shown = Literal["mean", "median", "rate"]
Chances = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chance:
    """The chance of each outcome of a study of `runs` seeds per side.

    Attributes
    ----------
    shows, reversed, ties : float
        That it shows a better than b, b better than a, or the same; they add up to 1.
    interval : Interval
        Of `shows`: how far it could be off because it rests on `n` seeds, and on drawn studies unless `exact`.
    runs, n : int
        Seeds of the study per side, and seeds that the chances were computed from.
    paired : bool
        Whether both sides of the study use the same seeds.
    exact : bool
        Whether `shows` was computed and not drawn.
    statistic : "mean", "median" or "rate"
        What the study compares.
    """

    shows: float
    reversed: float
    ties: float
    interval: Interval
    runs: int
    n: int
    paired: bool
    exact: bool
    statistic: str


def order_chance(
    a: Values,
    b: Values,
    runs: int,
    better: Better = "lower",
    statistic: Shown = "mean",
    paired: bool = True,
    level: float = 0.95,
    seed: int = 0,
    n_studies: int = 20_000,
) -> Chance:
    """Return the chance that a study of `runs` seeds shows the mean, median or success rate of a better than b's.

    The seeds at hand stand for all seeds: a study draws `runs` of them with replacement, the same for both sides if
    it is paired. For outcomes that are all 0 or 1 the chances are sums of multinomial or binomial terms; else
    `n_studies` studies are drawn.

    The interval covers that the seeds at hand are a sample. For 0/1 outcomes it has the percentiles of the chance over
    the Dirichlet posterior with Jeffreys's prior; else the percentiles over resampled seeds. Resampling never gives
    a seed unlike those at hand, so the ends are no nearer to 0 or 1 than those of the exact interval after n / runs
    separate studies that all came out the same: (alpha/2)^(runs/n).

    Parameters
    ----------
    a, b : sequence of float
        The quantity of each setting for seed 1, 2, ...; equal lengths where `paired`. A run without a value (NaN)
        is worse than any other; an infinity makes a mean infinite.
    runs : int
        Seeds per side of the study, at least 1.
    better : "lower" or "higher"
        Which values are better.
    statistic : "mean", "median" or "rate"
        What the study compares; "rate" needs values 0 and 1.
    paired : bool
        Whether both sides use the same seeds.
    level, seed, n_studies
        Confidence of the interval; seed and number of drawn studies.
    """
    check_level(level)
    x, y = _samples(a, b, better, statistic, paired)
    if runs < 1 or n_studies < 1:
        raise ConfigError(f"a study needs at least one run, got runs = {runs} and n_studies = {n_studies}")
    binary = statistic != "median" and bool(np.isin(x, (0.0, 1.0)).all() and np.isin(y, (0.0, 1.0)).all())
    if binary:
        point, draws = _rate_chances(x, y, runs, paired, seed)
    else:
        point, draws = _drawn_chances(x, y, runs, statistic, paired, seed, n_studies)
    if better == "lower":
        point, draws = point[::-1], draws[:, ::-1]
    n = min(len(x), len(y))
    shows, tied, other = (float(c) for c in point)
    tail = 0.5 - level / 2
    low, high = (float(end) for end in np.quantile(draws[:, 0], [tail, 1.0 - tail]))
    if not binary:
        agreeing = tail ** (runs / n)
        low, high = min(low, agreeing), max(high, 1.0 - agreeing)
    interval = Interval(min(low, shows), max(high, shows), level)
    return Chance(shows, other, tied, interval, runs, n, paired, binary, statistic)


def _samples(a: Values, b: Values, better: Better, statistic: str, paired: bool) -> tuple[Sample, Sample]:
    """Return both samples without NaN, checked."""
    x, y = as_worst(a, better), as_worst(b, better)
    if x.ndim != 1 or y.ndim != 1 or (paired and x.shape != y.shape):
        raise ShapeError(f"a paired study needs lists of equal length, got shapes {x.shape} and {y.shape}")
    if not len(x) or not len(y):
        raise DataError("the chance of an order needs at least one seed")
    if statistic not in ("mean", "median", "rate"):
        raise ConfigError(f"a study compares the 'mean', the 'median' or the 'rate', got '{statistic}'")
    if statistic == "rate" and not (np.isin(x, (0.0, 1.0)).all() and np.isin(y, (0.0, 1.0)).all()):
        raise DataError("a success rate needs values 0 and 1 only; use the mean or the median for other values")
    return x, y


def _rate_chances(x: Sample, y: Sample, runs: int, paired: bool, seed: int) -> tuple[Chances, Chances]:
    """Return the chances (more for x, tie, more for y) of a study of successes, and 2,000 draws of them."""
    rng = stream(seed, "bootstrap")
    if paired:
        counts = np.array([np.sum(x > y), np.sum(x == y), np.sum(x < y)], dtype=np.float64)
        shares = np.vstack([counts / len(x), rng.dirichlet(counts + 0.5, size=2000)])
        both = paired_rate_chances(shares, runs)
    else:
        rates = [np.append(z.mean(), rng.beta(z.sum() + 0.5, len(z) - z.sum() + 0.5, size=2000)) for z in (x, y)]
        both = unpaired_rate_chances(rates[0], rates[1], runs)
    return both[0], both[1:]


def paired_rate_chances(shares: Chances, runs: int) -> Chances:
    """Return the chance of more wins than losses, as many, and fewer, in `runs` trials.

    Parameters
    ----------
    shares : array (m, 3)
        Probability of a win, a tie and a loss in a trial.
    runs : int
        Number of trials.

    Returns
    -------
    array (m, 3)
    """
    m = len(shares)
    lead = np.zeros((m, 2 * runs + 1))  # distribution of wins minus losses, from -runs to runs
    lead[:, runs] = 1.0
    win, tie, loss = (shares[:, [i]] for i in range(3))
    for _ in range(runs):
        moved = tie * lead
        moved[:, 1:] += win * lead[:, :-1]
        moved[:, :-1] += loss * lead[:, 1:]
        lead = moved
    return np.stack([lead[:, runs + 1 :].sum(axis=1), lead[:, runs], lead[:, :runs].sum(axis=1)], axis=1)


def unpaired_rate_chances(rate_a: Chances, rate_b: Chances, runs: int) -> Chances:
    """Return the chance of more successes among `runs` of a than of b, as many, and fewer: (m, 3) for rates (m,)."""
    from scipy.stats import binom

    a, b = (np.asarray(binom.pmf(np.arange(runs + 1), runs, rate[:, None])) for rate in (rate_a, rate_b))
    tie = np.sum(a * b, axis=1)
    more = np.sum(a[:, 1:] * np.cumsum(b, axis=1)[:, :-1], axis=1)
    return np.stack([more, tie, np.maximum(1.0 - tie - more, 0.0)], axis=1)


def _drawn_chances(
    x: Sample, y: Sample, runs: int, statistic: str, paired: bool, seed: int, n_studies: int
) -> tuple[Chances, Chances]:
    """Return the shares (x larger, tie, y larger) among drawn studies, and among studies of resampled seeds."""
    rng = stream(seed, "bootstrap")
    point = _studies(x, y, runs, statistic, paired, rng, n_studies)
    draws = []
    for _ in range(400):
        rows = rng.integers(0, len(x), len(x))
        others = rows if paired else rng.integers(0, len(y), len(y))
        draws.append(_studies(x[rows], y[others], runs, statistic, paired, rng, 1000))
    return point, np.stack(draws)


def _studies(
    x: Sample, y: Sample, runs: int, statistic: str, paired: bool, rng: np.random.Generator, number: int
) -> Chances:
    """Return the shares of studies in which x is larger, they tie, and y is larger."""
    rows = rng.integers(0, len(x), size=(number, runs))
    others = rows if paired else rng.integers(0, len(y), size=(number, runs))
    compute = np.median if statistic == "median" else np.mean
    with np.errstate(invalid="ignore"):
        a, b = compute(x[rows], axis=1), compute(y[others], axis=1)
    slack = 1e-12 * np.maximum(np.abs(a), np.abs(b))  # equal sums may differ in their last bits
    with np.errstate(invalid="ignore"):
        tied = (a == b) | (np.abs(a - b) <= np.where(np.isfinite(slack), slack, 0.0))
    larger = ~tied & (a > b)
    return np.array([larger.mean(), tied.mean(), (~tied & ~larger).mean()])
