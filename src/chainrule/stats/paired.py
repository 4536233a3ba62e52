"""Paired comparisons: two settings on the same seeds, and a sentence that says what may be said.

Seeds share data, split and batch order whatever the setting, so the differences within seeds carry the
comparison. Fewer than `MIN_PAIRS` pairs give no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.random import stream
from chainrule.stats.intervals import (
    Interval,
    RateInterval,
    Values,
    bootstrap_interval,
    check_level,
    statistic_function,
    success_rate,
)
from chainrule.stats.sentences import number, p_text, pairs_text, percent

MIN_PAIRS = 6
"""With 5 pairs even unanimous signs have p = 2 / 2^5 = 0.06: no two-sided verdict at 95 % is possible."""

Verdict = Literal["a", "b", "no difference shown", "no verdict"]


@dataclass(frozen=True)
class RateComparison:
    """Success rates of two settings on the same seeds.

    `verdict` is "a" or "b" (who succeeds more often), "no difference shown" or "no verdict" (then `why` says why
    and the test's figures are None). `difference` is rate_a - rate_b. Set `p_adjusted` (see `holm`) with
    `adjusted` when several comparisons are made.
    """

    name_a: str
    name_b: str
    n: int
    rate_a: RateInterval | None
    rate_b: RateInterval | None
    only_a: int
    only_b: int
    difference: float | None
    interval: Interval | None
    p_value: float | None
    level: float
    p_adjusted: float | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Who succeeds more often, if anything may be said."""
        return _verdict(self.p_value, self.p_adjusted, self.level, self.only_a - self.only_b)

    def adjusted(self, p_adjusted: float) -> RateComparison:
        """Return the comparison judged by a p-value that is adjusted for several comparisons."""
        return replace(self, p_adjusted=p_adjusted)

    def verdict_sentence(self, claim: str = "converged more often") -> str:
        """Say the verdict in one sentence that carries rates, intervals, n and p."""
        if self.verdict == "no verdict":
            return f"No verdict between {self.name_a} and {self.name_b}: {self.why}."
        assert self.rate_a is not None
        assert self.rate_b is not None
        first, second = (self.name_a, self.rate_a), (self.name_b, self.rate_b)
        if self.verdict == "b":
            first, second = second, first
        figures = (
            f"{percent(first[1].rate)} ({percent(first[1].low)} to {percent(first[1].high)}) against "
            f"{percent(second[1].rate)} ({percent(second[1].low)} to {percent(second[1].high)}) of "
            f"{self.n} paired seeds, {percent(self.level)} intervals, {p_text(self.p_value, self.p_adjusted)}"
        )
        if self.verdict == "no difference shown":
            return f"No difference between {self.name_a} and {self.name_b} is shown: {figures}."
        return f"{first[0]} {claim} than {second[0]}: {figures}."


@dataclass(frozen=True)
class MetricComparison:
    """A metric of two settings on the same seeds.

    `difference` is the statistic of a - b over the pairs, `interval` its BCa interval, `p_value` that of the
    sign-flip test. `verdict` is "a" or "b" (who is better), "no difference shown" or "no verdict" (then `why`
    says why and the test's figures are None). A difference is claimed only if the test rejects and the interval
    excludes 0. `dropped` pairs had a value that is not finite.
    """

    name_a: str
    name_b: str
    quantity: str
    better: Literal["lower", "higher"]
    statistic: str
    n: int
    dropped: int
    difference: float | None
    interval: Interval | None
    p_value: float | None
    level: float
    p_adjusted: float | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Who is better, if anything may be said."""
        lead = self.difference or 0.0
        if self.interval is not None and self.interval.low <= 0.0 <= self.interval.high:
            lead = 0.0  # the test may reject where the interval still holds 0: then nothing is claimed
        if self.better == "lower":
            lead = -lead
        return _verdict(self.p_value, self.p_adjusted, self.level, lead)

    def adjusted(self, p_adjusted: float) -> MetricComparison:
        """Return the comparison judged by a p-value that is adjusted for several comparisons."""
        return replace(self, p_adjusted=p_adjusted)

    def verdict_sentence(self, claim: str | None = None) -> str:
        """Say the verdict in one sentence that carries difference, interval, n and p.

        Parameters
        ----------
        claim : str, optional
            What the better one did, e.g. "reached the target in fewer epochs"; by default
            "had a lower (or higher) <quantity>".
        """
        if self.verdict == "no verdict":
            return f"No verdict on {self.quantity} between {self.name_a} and {self.name_b}: {self.why}."
        assert self.difference is not None
        assert self.interval is not None
        swap = self.verdict == "b"  # the sentence begins with the better one, and so does its difference
        first, second = (self.name_b, self.name_a) if swap else (self.name_a, self.name_b)
        low, high = (-self.interval.high, -self.interval.low) if swap else (self.interval.low, self.interval.high)
        figures = (
            f"{self.statistic} difference {number(-self.difference if swap else self.difference)} "
            f"({percent(self.level)} interval {number(low)} to {number(high)}, {pairs_text(self.n, self.dropped)}, "
            f"{p_text(self.p_value, self.p_adjusted)})"
        )
        if self.verdict == "no difference shown":
            return f"No difference in {self.quantity} between {first} and {second} is shown: {figures}."
        return f"{first} {claim or f'had a {self.better} {self.quantity}'} than {second}: {figures}."


def compare_rates(
    success_a: Sequence[bool] | npt.NDArray[Any],
    success_b: Sequence[bool] | npt.NDArray[Any],
    names: tuple[str, str] = ("A", "B"),
    level: float = 0.95,
) -> RateComparison:
    """Compare two success rates, paired by seed, with the exact McNemar test.

    Only seeds on which exactly one setting succeeded tell the two apart; if the settings are equally good, each
    such seed favours either with probability 1/2, so the test is binomial (McNemar 1947, exact form).

    Parameters
    ----------
    success_a, success_b : sequence of bool
        Success of each setting for seed 1, 2, ...; equal lengths.
    names : tuple of str
        What to call the two.
    level : float
        Confidence of the intervals; a verdict needs p <= 1 - level.

    Returns
    -------
    RateComparison
        Both rates with exact intervals, and the difference with the interval of Bonett and Price (2012).
    """
    from scipy.stats import binomtest

    check_level(level)
    a, b = _pairs(np.asarray(success_a, dtype=bool), np.asarray(success_b, dtype=bool))
    n = len(a)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    rate_a = success_rate(int(a.sum()), n, level) if n else None
    rate_b = success_rate(int(b.sum()), n, level) if n else None
    difference = (only_a - only_b) / n if n else None
    if n < MIN_PAIRS:
        return RateComparison(
            *names, n, rate_a, rate_b, only_a, only_b, difference, None, None, level, why=_too_few(n, 0)
        )
    p_value = float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0
    interval = _bonett_price(only_a, only_b, n, level)
    return RateComparison(*names, n, rate_a, rate_b, only_a, only_b, difference, interval, p_value, level)


def compare_metric(
    a: Values,
    b: Values,
    names: tuple[str, str] = ("A", "B"),
    quantity: str = "loss",
    better: Literal["lower", "higher"] = "lower",
    statistic: Literal["mean", "median"] = "mean",
    level: float = 0.95,
    seed: int = 0,
    n_resamples: int = 9999,
) -> MetricComparison:
    """Compare a metric of two settings, paired by seed: BCa interval, and the test that belongs to the statistic.

    If the settings are equally good, each seed's difference could as well have had the other sign. For the mean the
    p-value is the share of sign patterns whose mean is at least as extreme (two-sided): of all 2^n patterns if they
    are at most `n_resamples`, else of that many drawn ones (Fisher 1935; Good 2005). For the median it is the exact
    sign test (Conover 1999, 3.4): flipping signs around a median hardly moves it when the differences are alike, so
    that permutation test would see nothing in exactly the clearest cases.

    Parameters
    ----------
    a, b : sequence of float
        The metric of each setting for seed 1, 2, ...; equal lengths. Pairs with NaN or an infinity are left out
        and counted.
    names : tuple of str
        What to call the two.
    quantity : str
        What the metric is, for the sentence.
    better : "lower" or "higher"
        Which values are better.
    statistic : "mean" or "median"
        What is taken over the paired differences.
    level : float
        Confidence of the interval; a verdict needs p <= 1 - level.
    seed : int
        Seed of the resampling; equal arguments give equal results.
    n_resamples : int
        Number of bootstrap samples and of drawn sign patterns.
    """
    check_level(level)
    if better not in ("lower", "higher"):
        raise ConfigError(f"better must be 'lower' or 'higher', got '{better}'")
    compute = statistic_function(statistic)
    x, y = _pairs(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    kept = np.isfinite(x) & np.isfinite(y)
    d = x[kept] - y[kept]
    n, dropped = len(d), int(np.sum(~kept))
    difference = float(compute(d)) if n else None
    if n < MIN_PAIRS:
        return MetricComparison(
            *names, quantity, better, statistic, n, dropped, difference, None, None, level, why=_too_few(n, dropped)
        )
    interval = bootstrap_interval(d, statistic, level, seed, n_resamples)
    p_value = sign_test_p(d) if statistic == "median" else sign_flip_p(d, seed, n_resamples)
    return MetricComparison(*names, quantity, better, statistic, n, dropped, difference, interval, p_value, level)


def sign_flip_p(differences: Values, seed: int = 0, n_resamples: int = 9999) -> float:
    """Return the two-sided p-value of the sign-flip permutation test of the mean paired difference around 0."""
    from scipy.stats import permutation_test

    d = np.asarray(differences, dtype=np.float64)
    if not d.any():
        return 1.0  # every sign pattern gives the same statistic
    result = permutation_test(
        (d,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_resamples,
        batch=max(1, 2_000_000 // len(d)),
        rng=stream(seed, "bootstrap"),
    )
    return float(result.pvalue)


def sign_test_p(differences: Values) -> float:
    """Return the two-sided p-value of the exact sign test of the median paired difference around 0; zeros drop out."""
    from scipy.stats import binomtest

    d = np.asarray(differences, dtype=np.float64)
    above, below = int(np.sum(d > 0)), int(np.sum(d < 0))
    return float(binomtest(above, above + below, 0.5).pvalue) if above + below else 1.0


def sign_order_interval(a: Values, b: Values, level: float = 0.95) -> RateInterval:
    """Return the share of pairs in which a < b, with its exact binomial interval.

    It asks only for the order within each seed, so infinities (a seed that never converged) are welcome. Ties and
    pairs with NaN count as pairs in which a is not below b.
    """
    x, y = _pairs(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return success_rate(int(np.sum(x < y)), len(x), level)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted for making several comparisons (Holm 1979).

    The i-th smallest of k (i = 0, 1, ...) is multiplied by k - i; each is at least as large as those before it, and
    at most 1. Judged by them, the chance of any false verdict stays below 1 - level.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"p-values lie between 0 and 1, got {list(p_values)}")
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    result = np.empty_like(p)
    result[order] = scaled
    return tuple(float(v) for v in result)


def _pairs(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Refuse samples that are not paired."""
    if a.ndim != 1 or a.shape != b.shape:
        raise ShapeError(f"paired samples are lists of equal length, got shapes {a.shape} and {b.shape}")
    return a, b


def _verdict(p_value: float | None, p_adjusted: float | None, level: float, lead_of_a: float) -> Verdict:
    """Return who wins: needs p at most 1 - level (with a hair for rounding) and a difference."""
    if p_value is None:
        return "no verdict"
    p = p_value if p_adjusted is None else p_adjusted
    if p > (1 - level) * (1 + 1e-12) or lead_of_a == 0:
        return "no difference shown"
    return "a" if lead_of_a > 0 else "b"


def _too_few(n: int, dropped: int) -> str:
    """Say why there is no verdict."""
    left_out = f" ({dropped} without a finite value left out)" if dropped else ""
    return f"{n} paired seed{'' if n == 1 else 's'}{left_out}, and at least {MIN_PAIRS} are needed"


def _bonett_price(only_a: int, only_b: int, n: int, level: float) -> Interval:
    """Return the interval of a difference of paired rates (Bonett and Price 2012).

    Wald's interval after adding one seed to each kind of disagreement, which keeps its coverage for small n.
    """
    from scipy.stats import norm

    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = share_a - share_b
    half = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt((share_a + share_b - centre**2) / (n + 2)))
    return Interval(max(centre - half, -1.0), min(centre + half, 1.0), level)
