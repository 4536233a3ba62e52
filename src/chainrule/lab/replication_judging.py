"""Placing a reported number inside our distribution, and the verdict that follows.

Everything here is arithmetic on samples; it knows nothing of networks.

- *typical*: the number, give or take its rounding, lies in the middle 90 % of ours;
- *lucky*, *unlucky*: it lies outside, on the better or the worse side;
- *cannot occur*: no run of the setting can give it;
- *explained by a defect*: typical of the setting with the report's defect, but not of the correct one;
- *no verdict*: fewer than three seeds;
- *not run*: there is nothing to compare with, and the row says why.

One typical figure in ten lies outside the middle 90 % by chance alone: a single "lucky" is no accusation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from chainrule.random import stream
from chainrule.stats import RateInterval, percentile_of, quantiles, success_rate

Values = npt.NDArray[np.float64]

VERDICTS = ("typical", "lucky", "unlucky", "cannot occur", "explained by a defect", "no verdict", "not run")
LEVEL = 0.9
MIN_SEEDS = 3
"""Fewer seeds give no verdict."""

MIN_FOR_QUANTILES = 20
"""With fewer seeds the 5 % and 95 % quantiles are not there to be read off, and a prediction interval stands in."""

ODD_SHARE = 0.05
"""A reported NaN is typical if at least this share of our seeds ends so: the middle 90 % leaves out 5 % a side."""

RESAMPLES = 4000


@dataclass(frozen=True)
class Judgement:
    """What comparing with our sample gave; `median`, `low`, `high` are in the sample's own unit."""

    verdict: str
    why: str
    n_seeds: int = 0
    median: float | None = None
    low: float | None = None
    high: float | None = None
    percentile: float | None = None
    share: bool = False
    """Whether median, low and high are a share of seeds with its exact interval."""


@dataclass(frozen=True)
class Reported:
    """A reported number: value, half a unit of its last digit, which side is better, how many runs it averages."""

    value: float
    tolerance: float = 0.0
    better: str = "lower"
    runs: int = 1
    positive: bool = False
    """Whether the quantity is a positive one without upper bound (losses): its few-seed interval is multiplicative."""


def judge_figure(values: Values, reported: Reported) -> Judgement:
    """Place a reported number in our sample.

    Parameters
    ----------
    values : ndarray (n,)
        One value per seed. NaN (a diverged run) counts as worse than any number.
    reported : Reported
        The number; NaN asks how many of our seeds end so.
    """
    n = len(values)
    if math.isnan(reported.value):
        return _judge_nan(values)
    worst = math.inf if reported.better == "lower" else -math.inf
    sample = np.where(np.isnan(values), worst, values)
    if n < MIN_SEEDS:
        median = float(np.median(sample)) if n else None
        return Judgement("no verdict", f"{n} of at least {MIN_SEEDS} seeds", n, median)
    low, high = central_interval(sample, reported)
    percentile = percentile_of(reported.value, sample, reported.tolerance or None)
    verdict = _side(reported, low, high)
    where = "the middle 90 %" if n >= MIN_FOR_QUANTILES else "the 90 % prediction interval"
    seeds = f"our {n} seeds" + (f" (means over {reported.runs})" if reported.runs > 1 else "")
    words = {"typical": f"inside {where} of {seeds}", "lucky": f"better than {where} of {seeds}"}
    why = words.get(verdict, f"worse than {where} of {seeds}")
    return Judgement(verdict, why, n, float(quantiles(sample, (0.5,))[0]), low, high, percentile)


def _judge_nan(values: Values) -> Judgement:
    """Judge a reported NaN by the share of our seeds without a finite value."""
    n, broken = len(values), int((~np.isfinite(values)).sum())
    if n < MIN_SEEDS:
        return Judgement("no verdict", f"{n} of at least {MIN_SEEDS} seeds", n)
    rate = success_rate(broken, n, LEVEL)
    verdict = "typical" if rate.rate >= ODD_SHARE else "unlucky"
    return _of_rate(verdict, f"not finite in {broken} of {n} seeds", rate)


def _of_rate(verdict: str, why: str, rate: RateInterval) -> Judgement:
    return Judgement(verdict, why, rate.n, rate.rate, rate.low, rate.high, share=True)


def _side(reported: Reported, low: float, high: float) -> str:
    """Return on which side of an interval a number lies, its rounding granted."""
    slack = reported.tolerance * (1 + 1e-9) + 1e-12 * abs(reported.value)
    if low - slack <= reported.value <= high + slack:
        return "typical"
    return "lucky" if (reported.value < low) == (reported.better == "lower") else "unlucky"


def central_interval(sample: Values, reported: Reported) -> tuple[float, float]:
    """Return the interval in which a single report's number lies with probability 90 %.

    From `MIN_FOR_QUANTILES` seeds on these are the 5 % and 95 % quantiles of our sample (of means of so many of our
    seeds as the report averages). With fewer it is the prediction interval of a normal sample (Student 1908): mean
    plus or minus t s sqrt(1/k + 1/n), taken of logarithms where the quantity is positive and unbounded, and within
    the range of shares where it is not. With values that are not finite it is the range of the sample.
    """
    n, k = len(sample), reported.runs
    if n >= MIN_FOR_QUANTILES:
        drawn = sample if k == 1 else _means(sample, k)
        low, high = quantiles(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return low, high
    if not np.isfinite(sample).all():
        return float(sample.min()), float(sample.max())
    from scipy.stats import t

    logs = reported.positive and bool((sample > 0).all())
    x = np.log(sample) if logs else sample
    with np.errstate(over="ignore"):
        reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * float(x.std(ddof=1)) * math.sqrt(1 / k + 1 / n)
    low, high = float(x.mean()) - reach, float(x.mean()) + reach
    if logs:
        return math.exp(low), math.exp(min(high, 700.0))
    is_share = not reported.positive and sample.min() >= 0 and sample.max() <= 1
    return (max(low, 0.0), min(high, 1.0)) if is_share else (low, high)


def _means(sample: Values, k: int) -> Values:
    """Return means of k values drawn from the sample, again and again."""
    index = stream(0, "bootstrap").integers(len(sample), size=(RESAMPLES, k))
    with np.errstate(invalid="ignore"):
        means = sample[index].mean(axis=1)
    return np.asarray(np.where(np.isnan(means), np.inf, means), dtype=np.float64)


def judge_share(holds: npt.NDArray[np.bool_], between: tuple[float, float], better: str, what: str) -> Judgement:
    """Judge a claim about the share of seeds for which something holds.

    Typical if the exact 90 % interval of the share meets the claimed range.
    """
    n = len(holds)
    if n < MIN_SEEDS:
        return Judgement("no verdict", f"{n} of at least {MIN_SEEDS} seeds", n)
    rate = success_rate(int(holds.sum()), n, LEVEL)
    verdict = _meets(rate.low, rate.high, between, better)
    return _of_rate(verdict, f"{what} in {rate.successes} of {n} seeds", rate)


def _meets(low: float, high: float, between: tuple[float, float], better: str) -> str:
    """Compare our interval with the range that a report claims."""
    if low <= between[1] and between[0] <= high:
        return "typical"
    return "lucky" if (between[0] > high) == (better == "higher") else "unlucky"


def judge_ratio(
    over: Sequence[Values], under: Sequence[Values], runs: int, between: tuple[float, float], better: str
) -> Judgement:
    """Judge a claim about a ratio of means over `runs` runs, drawn again and again from our seeds.

    Typical if the middle 90 % of such ratios meets the claimed range.
    """
    n = min(len(values) for values in (*over, *under))
    if n < MIN_SEEDS:
        return Judgement("no verdict", f"{n} of at least {MIN_SEEDS} seeds", n)
    rng = stream(0, "bootstrap")

    def product(group: Sequence[Values]) -> Values:
        means = [values[rng.integers(len(values), size=(RESAMPLES, runs))].mean(axis=1) for values in group]
        return np.asarray(np.prod(means, axis=0), dtype=np.float64)

    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = product(over) / product(under)
    ratios = ratios[~np.isnan(ratios)]
    if len(ratios) == 0:
        return Judgement("no verdict", "the ratio is not a number in any draw", n)
    low, median, high = quantiles(ratios, ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2))
    means = f"means over {runs} of our {n} seeds" if runs > 1 else f"our {n} seeds"
    return Judgement(_meets(low, high, between, better), f"ratio of {means}", n, median, low, high)


def judge_spread(over: Values, under: Values, between: tuple[float, float], better: str) -> Judgement:
    """Judge a claim about a ratio of standard deviations over seeds.

    Parameters
    ----------
    over, under : ndarray (n,) or (n, T)
        With several columns (windows) the variances over seeds are averaged over them.

    Notes
    -----
    The 90 % interval is a bootstrap over seeds; with fewer than 6 seeds, and several columns, it is that of a ratio
    of variances of normal samples, (n - 1) T degrees of freedom each.
    """
    n = min(len(over), len(under))
    if over.size == 0 or under.size == 0:
        return Judgement("no verdict", "no seed has all the values", n)
    if n < MIN_SEEDS or (n < 6 and over.ndim == 1):
        return Judgement("no verdict", f"{n} seeds are too few for a spread", n)
    ratio = float(_ratio_of_deviations(over[None], under[None])[0])
    if n < 6:
        from scipy.stats import f

        degrees = ((len(over) - 1) * over.shape[1], (len(under) - 1) * under.shape[1])
        low, high = (ratio / math.sqrt(float(f.ppf(q, *degrees))) for q in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    else:
        rng = stream(0, "bootstrap")
        drawn = [_ratio_of_deviations(*_resampled(over, under, rng)) for _ in range(20)]
        low, high = quantiles(np.concatenate(drawn), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Judgement(_meets(low, high, between, better), "ratio of standard deviations", n, ratio, low, high)


def _resampled(over: Values, under: Values, rng: np.random.Generator, size: int = 50) -> tuple[Values, Values]:
    """Return both samples at the same resampled seeds, `size` times: the comparison is paired."""
    index = rng.integers(min(len(over), len(under)), size=(size, min(len(over), len(under))))
    return over[index], under[index]


def _ratio_of_deviations(over: Values, under: Values) -> Values:
    """Return the ratios of standard deviations over axis 1, variances averaged over further axes; 0/0 is 1."""

    def deviation(x: Values) -> Values:
        variance = x.var(axis=1, ddof=1)
        return np.asarray(np.sqrt(variance if variance.ndim == 1 else variance.mean(axis=1)), dtype=np.float64)

    a, b = deviation(over), deviation(under)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where((a == 0) & (b == 0), 1.0, a / b), dtype=np.float64)


def impossible_share(value: float, tolerance: float, n: int) -> str | None:
    """Say why a share of n samples cannot be `value`, or return None if it can.

    Parameters
    ----------
    value, tolerance : float
        The reported share and half a unit of its last digit, 0 to 1.
    n : int
        Number of samples it is a share of.
    """
    nearest = round(value * n)
    if abs(nearest / n - value) <= tolerance * (1 + 1e-9) + 1e-12:
        return None
    return f"{100 * value:g} % of {n} samples is {value * n:.4g}, not a whole number of samples"


def explained(correct: Judgement, as_written: Judgement, defect: str) -> Judgement:
    """Return the verdict on the correct setting, or that the defect explains what the correct setting does not."""
    if correct.verdict in ("lucky", "unlucky", "cannot occur") and as_written.verdict == "typical":
        return replace(correct, verdict="explained by a defect", why=defect)
    return correct
