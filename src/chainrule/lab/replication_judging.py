"""Placing a reported number inside our distribution, and the verdict that follows.

Everything here is arithmetic on samples; it knows nothing of networks.

- *typical*: the number, give or take its rounding, lies in the middle 90 % of ours; or, for a claim, our 90 %
  interval lies inside the claimed range;
- *lucky*, *unlucky*: it lies outside, on the better or the worse side;
- *cannot occur*: no run of the setting can give it;
- *explained by a defect*: typical of the setting with the report's defect, but not of the correct one;
- *no verdict*: our seeds are too few to say, or our interval is partly inside and partly outside a claimed range;
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
from chainrule.stats import MIN_PAIRS, RateInterval, percentile_of, quantiles, success_rate

Values = npt.NDArray[np.float64]

VERDICTS = ("typical", "lucky", "unlucky", "cannot occur", "explained by a defect", "no verdict", "not run")
LEVEL = 0.9
MIN_SEEDS = 3
"""Fewer seeds give no verdict."""

MIN_FOR_QUANTILES = 20
"""With fewer seeds the 5 % and 95 % quantiles are not there to be read off: the range of the seeds stands in."""

ODD_SHARE = 0.05
"""A reported NaN is typical if more than this share of runs ends so: the middle 90 % leaves out 5 % a side."""

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
    verdict, why = _placed(reported, low, high, n)
    return Judgement(verdict, why, n, float(quantiles(sample, (0.5,))[0]), low, high, percentile)


def _placed(reported: Reported, low: float, high: float, n: int) -> tuple[str, str]:
    """Return verdict and reason; few seeds speak only of numbers inside their range or far outside it.

    The next of n + 1 equal runs falls outside the range of the first n in 2 of n + 1 cases (in half of them for 3), so
    being outside says little. The range widened by its own width on either side holds the next value of a normal
    sample in 87 % of cases for 3 seeds and in 94 % for 4: being beyond that says something.
    """
    averaged = f" (means over {reported.runs})" if reported.runs > 1 else ""
    verdict = _side(reported, low, high)
    if n >= MIN_FOR_QUANTILES:
        where = f"the middle 90 % of our {n} seeds{averaged}"
        words = {"typical": f"inside {where}", "lucky": f"better than {where}"}
        return verdict, words.get(verdict, f"worse than {where}")
    where, weak = f"the range of our {n} seeds{averaged}", f"{n} seeds are weak evidence"
    if verdict == "typical":
        return verdict, f"inside {where}; {weak}"
    with np.errstate(invalid="ignore"):
        width = float(np.subtract(high, low))
    if 0 < width < math.inf and _side(reported, low - width, high + width) == verdict:
        return verdict, f"{'better' if verdict == 'lucky' else 'worse'} than {where} by more than its width; {weak}"
    return "no verdict", f"outside {where}, but {n} seeds are too few to call it lucky or unlucky"


def _judge_nan(values: Values) -> Judgement:
    """Judge a reported NaN by the share of our seeds without a finite value."""
    n, broken = len(values), int((~np.isfinite(values)).sum())
    if n < MIN_SEEDS:
        return Judgement("no verdict", f"{n} of at least {MIN_SEEDS} seeds", n)
    rate = success_rate(broken, n, LEVEL)
    never = broken == 0 and n >= MIN_FOR_QUANTILES
    verdict = "unlucky" if never else _meets(rate.low, rate.high, (ODD_SHARE, 1.0), "lower")
    doubt = f"; {n} seeds leave open whether that is rare" if verdict == "no verdict" else ""
    return _of_rate(verdict, f"not finite in {broken} of {n} seeds{doubt}", rate)


def _of_rate(verdict: str, why: str, rate: RateInterval) -> Judgement:
    return Judgement(verdict, why, rate.n, rate.rate, rate.low, rate.high, share=True)


def _side(reported: Reported, low: float, high: float) -> str:
    """Return on which side of an interval a number lies, its rounding granted."""
    slack = reported.tolerance * (1 + 1e-9) + 1e-12 * abs(reported.value)
    if low - slack <= reported.value <= high + slack:
        return "typical"
    return "lucky" if (reported.value < low) == (reported.better == "lower") else "unlucky"


def central_interval(sample: Values, reported: Reported) -> tuple[float, float]:
    """Return where most of our values lie: nothing here reaches beyond what a seed of ours has shown.

    From `MIN_FOR_QUANTILES` seeds on these are the 5 % and 95 % quantiles of our sample (of means of so many of our
    seeds as the report averages). With fewer it is the range of the sample. For a mean over k runs the range is drawn
    in towards our mean as prediction intervals of normal samples are, by sqrt((1/k + 1/n) / (1 + 1/n)).
    """
    n, k = len(sample), reported.runs
    if n >= MIN_FOR_QUANTILES:
        drawn = sample if k == 1 else _means(sample, k)
        low, high = quantiles(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return low, high
    low, high = float(sample.min()), float(sample.max())
    if k == 1 or not math.isfinite(high - low):
        return low, high
    middle, share = min(max(float(sample.mean()), low), high), math.sqrt((1 / k + 1 / n) / (1 + 1 / n))
    return middle + share * (low - middle), middle + share * (high - middle)


def _means(sample: Values, k: int) -> Values:
    """Return means of k values drawn from the sample, again and again."""
    index = stream(0, "bootstrap").integers(len(sample), size=(RESAMPLES, k))
    with np.errstate(invalid="ignore"):
        means = sample[index].mean(axis=1)
    return np.asarray(np.where(np.isnan(means), np.inf, means), dtype=np.float64)


def judge_share(
    holds: npt.NDArray[np.bool_], between: tuple[float, float], better: str, what: str, min_seeds: int = MIN_SEEDS
) -> Judgement:
    """Judge a claim about the share of seeds for which something holds, by its exact 90 % interval.

    Typical if the interval lies inside the claimed range, lucky or unlucky if it lies outside, otherwise no verdict.
    """
    n = len(holds)
    if n < min_seeds:
        return Judgement("no verdict", f"{n} of at least {min_seeds} seeds", n)
    rate = success_rate(int(holds.sum()), n, LEVEL)
    verdict = _meets(rate.low, rate.high, between, better)
    doubt = f"; {_OPEN}" if verdict == "no verdict" else ""
    return _of_rate(verdict, f"{what} in {rate.successes} of {n} seeds{doubt}", rate)


_OPEN = "our 90 % interval is partly inside and partly outside the claimed range"


def _meets(low: float, high: float, between: tuple[float, float], better: str) -> str:
    """Compare our interval with the range that a report claims."""
    if between[0] <= low and high <= between[1]:
        return "typical"
    if low <= between[1] and between[0] <= high:
        return "no verdict"
    return "lucky" if (between[0] > high) == (better == "higher") else "unlucky"


def _ranged(
    what: str, n: int, median: float, ours: tuple[float, float], claimed: tuple[float, float], better: str
) -> Judgement:
    """Judge a ratio by its 90 % interval."""
    verdict = _meets(*ours, claimed, better)
    why = f"{what}; {_OPEN}" if verdict == "no verdict" else what
    return Judgement(verdict, why, n, median, *ours)


def judge_ratio(
    over: Sequence[Values], under: Sequence[Values], runs: int, between: tuple[float, float], better: str
) -> Judgement:
    """Judge a claim about a ratio of means over `runs` runs, drawn again and again from our seeds.

    Typical if the middle 90 % of such ratios lies inside the claimed range.
    """
    n = min(len(values) for values in (*over, *under))
    if n < MIN_PAIRS:
        return Judgement("no verdict", f"{n} of at least {MIN_PAIRS} seeds", n)
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
    return _ranged(f"ratio of {means}", n, median, (low, high), between, better)


def judge_spread(over: Values, under: Values, between: tuple[float, float], better: str) -> Judgement:
    """Judge a claim about a ratio of standard deviations over seeds.

    Parameters
    ----------
    over, under : ndarray (n,) or (n, T)
        With several columns (windows) the variances over seeds are averaged over them.

    Notes
    -----
    The 90 % interval is a bootstrap over seeds, paired where both sides come from the same ones.
    """
    n = min(len(over), len(under))
    if over.size == 0 or under.size == 0:
        return Judgement("no verdict", "no seed has all the values", n)
    if n < MIN_PAIRS:
        return Judgement("no verdict", f"{n} of at least {MIN_PAIRS} seeds", n)
    ratio = float(_ratio_of_deviations(over[None], under[None])[0])
    rng = stream(0, "bootstrap")
    drawn = [_ratio_of_deviations(*_resampled(over, under, rng)) for _ in range(20)]
    low, high = quantiles(np.concatenate(drawn), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return _ranged("ratio of standard deviations", n, ratio, (low, high), between, better)


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
