"""Intervals against tables, SciPy, simulation and hand-worked samples."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, DataError
from chainrule.stats import (
    Interval,
    bootstrap_interval,
    median_interval,
    percentile_of,
    quantiles,
    success_rate,
)

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (7, 10, 0.3475, 0.9333),  # textbook values of Clopper and Pearson
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
        (1, 1, 0.025, 1.0),
        (0, 30, 0.0, 1 - 0.025 ** (1 / 30)),  # closed forms at the ends
        (30, 30, 0.025 ** (1 / 30), 1.0),
    ],
)
def test_success_rate_known_values(successes: int, n: int, low: float, high: float) -> None:
    rate = success_rate(successes, n)
    assert rate.rate == successes / n
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 60), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_success_rate_inverts_the_binomial_tails(n: int, data: st.DataObject, level: float) -> None:
    """At each end of the interval the observed count is just barely believable."""
    k = data.draw(st.integers(0, n))
    rate = success_rate(k, n, level)
    tail = (1 - level) / 2
    if k > 0:
        assert scipy.stats.binom.sf(k - 1, n, rate.low) == pytest.approx(tail, rel=1e-6)
    if k < n:
        assert scipy.stats.binom.cdf(k, n, rate.high) == pytest.approx(tail, rel=1e-6)
    assert 0.0 <= rate.low <= rate.rate <= rate.high <= 1.0


def test_success_rate_covers_at_least_its_level_exactly_computed() -> None:
    n = 20
    intervals = [success_rate(k, n) for k in range(n + 1)]
    for p in np.linspace(0.01, 0.99, 50):
        chance = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
        assert sum(c for c, i in zip(chance, intervals, strict=True) if i.low <= p <= i.high) >= 0.95


def test_a_rate_reads_well() -> None:
    assert str(success_rate(7, 10)) == "7 of 10 (70 %, 95 % interval 34.8 to 93.3)"


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(DataError, match="0 <= successes <= n"):
        success_rate(successes, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_impossible_levels(level: float) -> None:
    for call in (lambda: success_rate(1, 2, level), lambda: median_interval([1.0], level)):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            call()


@pytest.mark.parametrize(
    ("n", "ranks"),
    [(5, None), (6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (10, (2, 9)), (20, (6, 15)), (30, (10, 21))],
)
def test_median_interval_has_the_tabled_ranks(n: int, ranks: tuple[int, int] | None) -> None:
    """Ranks for 95 % as in Conover's and Hollander and Wolfe's tables."""
    interval = median_interval(np.random.default_rng(0).permutation(np.arange(1.0, n + 1)))
    assert (interval.low, interval.high) == (ranks or (-math.inf, math.inf))


def test_median_interval_allows_seeds_that_never_converged() -> None:
    assert median_interval([1, 2, 3, 4, 5, math.inf]) == Interval(1, math.inf)


def test_median_interval_covers_the_median_of_any_distribution() -> None:
    rng = np.random.default_rng(7)
    for draws, truth in ((rng.exponential(1.0, (4000, 15)), math.log(2)), (rng.standard_cauchy((4000, 15)), 0.0)):
        covered = [i.low <= truth <= i.high for i in map(median_interval, draws)]
        assert np.mean(covered) == pytest.approx(0.9648, abs=0.009)  # 1 - 2 P(Bin(15, 1/2) < 4), 3 standard errors


def test_bca_equals_scipy_and_is_repeatable() -> None:
    x = np.random.default_rng(1).lognormal(size=25)
    ours = bootstrap_interval(x, "mean", 0.9, seed=3)
    theirs = scipy.stats.bootstrap(
        (x,), np.mean, confidence_level=0.9, n_resamples=50_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)
    assert bootstrap_interval(x, "mean", 0.9, seed=3) == ours
    assert bootstrap_interval(x, "mean", 0.9, seed=4) != ours


def test_bca_covers_a_skewed_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(12)
    draws = rng.exponential(1.0, (250, 30))
    covered = [i.low <= 1.0 <= i.high for i in (bootstrap_interval(x, n_resamples=999) for x in draws)]
    assert 0.88 <= np.mean(covered) <= 0.98


def test_bca_of_a_function() -> None:
    x = np.random.default_rng(2).normal(size=40)
    by_name = bootstrap_interval(x, "median")
    by_function = bootstrap_interval(x, lambda sample, axis: np.median(sample, axis=axis))
    assert by_name == by_function
    assert by_name.low < np.median(x) < by_name.high


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_degenerate_samples_give_the_point_or_the_percentile_interval(statistic: Literal["mean", "median"]) -> None:
    assert bootstrap_interval([2.5], statistic) == Interval(2.5, 2.5)
    assert bootstrap_interval([0.1] * 9, statistic) == Interval(0.1, 0.1)
    nearly = bootstrap_interval([1.0] * 9 + [2.0], statistic)
    assert 1.0 <= nearly.low <= nearly.high <= 2.0


def test_bootstrap_refuses_what_it_cannot_use() -> None:
    with pytest.raises(DataError, match="finite"):
        bootstrap_interval([1.0, math.inf])
    with pytest.raises(ConfigError, match="'mean', 'median' or a function"):
        bootstrap_interval([1.0, 2.0], "mode")  # type: ignore[arg-type]


@given(numbers, st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_quantiles_equal_numpys(values: list[float], qs: list[float]) -> None:
    np.testing.assert_allclose(quantiles(values, qs), np.quantile(values, qs), rtol=1e-9, atol=1e-6)


def test_quantiles_with_infinities() -> None:
    assert quantiles([1, 2, math.inf], [0, 0.5, 0.75, 1]) == (1, 2, math.inf, math.inf)
    assert quantiles([-math.inf, 2, 4], [0, 0.25, 0.5, 0.75]) == (-math.inf, -math.inf, 2, 3)
    assert quantiles([math.inf, math.inf], [0.3]) == (math.inf,)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        quantiles([1.0], [50.0])


@pytest.mark.parametrize(
    ("value", "values", "rounding", "expected"),
    [
        (3.0, [1, 2, 4, 5], None, 50.0),
        (2.0, [1, 2, 3, 4], None, 37.5),  # one below, one tie
        (0.0, [1, 2], None, 0.0),
        (9.0, [1, 2], None, 100.0),
        (1.0, [1, 1, 1], None, 50.0),
        (0.015, [0.0151, 0.0149, 0.02, 0.01], None, 50.0),
        (0.015, [0.0155, 0.0145, 0.0156, 0.0144], 0.0005, 50.0),  # two ties at the very edge
        (0.015, [0.0155, 0.0155, 0.0155, 0.0144], 0.0005, 62.5),
        (97.0, [96.6, 97.4, 99.0, 100.0], 0.5, 25.0),
        (100.0, [math.inf, math.inf, 50.0, 100.0], 0.5, 37.5),
        (math.inf, [math.inf, 1.0], None, 75.0),
    ],
)
def test_percentile_by_hand(value: float, values: list[float], rounding: float | None, expected: float) -> None:
    assert percentile_of(value, values, rounding) == expected


@given(st.floats(-1e6, 1e6), numbers)
def test_percentile_is_scipys_mean_rank_and_symmetric(value: float, values: list[float]) -> None:
    ours = percentile_of(value, values)
    assert ours == pytest.approx(scipy.stats.percentileofscore(values, value, kind="mean"))
    assert ours + percentile_of(-value, [-v for v in values]) == pytest.approx(100.0)


def test_samples_that_are_none() -> None:
    for call in (
        lambda: median_interval([]),
        lambda: quantiles([], [0.5]),
        lambda: bootstrap_interval(np.zeros((2, 2))),
        lambda: percentile_of(1.0, []),
    ):
        with pytest.raises(DataError, match="at least one number"):
            call()
    with pytest.raises(DataError, match="1 NaN among 3 values"):
        median_interval([1.0, math.nan, 2.0])
    with pytest.raises(DataError, match="NaN has no percentile"):
        percentile_of(math.nan, [1.0])
