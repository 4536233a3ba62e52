"""Confidence sequences against enumeration, exact crossing probabilities, closed forms, and naive peeking."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.stats import Interval, MeanSequence, MedianSequence, PairedSequence, decide, paired_differences
from chainrule.stats.betting import SHARES, critical_wins, log_capital, log_sign_capital


def test_the_capital_is_a_product_worked_by_hand() -> None:
    # Against "the mean is at most 0.4" after 1, 0.2: each share f has (1 + 1.5 f) and then times (1 - 0.5 f).
    capital = np.exp(log_capital([1.0, 0.2], 0.4))
    assert capital == pytest.approx([np.mean(1 + 1.5 * SHARES), np.mean((1 + 1.5 * SHARES) * (1 - 0.5 * SHARES))])


@given(st.floats(0.05, 0.95), st.integers(1, 6))
def test_the_capital_of_a_true_claim_is_one_on_average(mean: float, n: int) -> None:
    # All outcomes of n observations in {0, 1/2, 1} with that mean, weighted by their probabilities.
    half = min(mean, 1 - mean)
    shares = np.array([1 - mean - half / 2, half, mean - half / 2])
    outcomes = np.array(list(itertools.product(range(3), repeat=n)))
    weights = shares[outcomes].prod(axis=1)
    capital = np.exp(log_capital(outcomes / 2.0, mean)[:, -1])
    assert float(weights @ capital) == pytest.approx(1.0, rel=1e-9)


def test_signs_are_a_special_case_of_bets_on_a_mean() -> None:
    signs = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1.0])
    expected = log_capital(signs, 0.5)
    got = log_sign_capital(np.cumsum(signs), np.arange(1, 10))
    assert got == pytest.approx(expected, rel=1e-12)


def test_critical_numbers_of_wins_by_brute_force() -> None:
    for level in (0.8, 0.95, 0.99):
        for n in range(60):
            enough = [w for w in range(n + 1) if log_sign_capital(w, n) >= math.log(2 / (1 - level))]
            assert critical_wins(n, level) == min(enough, default=n + 1), (level, n)


def test_the_exact_probability_of_ever_crossing_stays_below_the_risk() -> None:
    # A random walk of fair signs, absorbed where either side has won enough: its exact law, 3,000 signs long.
    n_max, level = 3000, 0.95
    alive, crossed = np.ones(1), 0.0
    for n in range(1, n_max + 1):
        moved = np.zeros(n + 1)
        moved[:-1] += 0.5 * alive
        moved[1:] += 0.5 * alive
        need = critical_wins(n, level)
        if need <= n:
            out = np.r_[0 : n - need + 1, need : n + 1]
            crossed += float(moved[out].sum())
            moved[out] = 0.0
        alive = moved
    assert 0.02 < crossed <= 0.05


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_how_observations_are_cut_into_batches_does_not_matter(batch: int) -> None:
    rng = np.random.default_rng(3)
    values = rng.choice([-1.0, 0.0, 0.25, 1.0], p=[0.1, 0.5, 0.1, 0.3], size=200)
    whole, parts = MeanSequence(-1, 1), MeanSequence(-1, 1)
    median_whole, median_parts = MedianSequence(), MedianSequence()
    whole.update(values)
    median_whole.update(values)
    for start in range(0, 200, batch):
        parts.update(values[start : start + batch])
        median_parts.update(values[start : start + batch])
    assert parts.n == median_parts.n == 200
    assert (parts.interval.low, parts.interval.high) == pytest.approx(
        (whole.interval.low, whole.interval.high), abs=1e-5
    )
    assert median_parts.interval == median_whole.interval


def test_the_interval_of_the_mean_is_the_set_of_means_without_a_rich_bettor() -> None:
    rng = np.random.default_rng(5)
    values = rng.beta(2, 5, size=120)
    interval = MeanSequence(0, 1).update(values)
    grid = np.linspace(0.001, 0.999, 999)
    limit = math.log(2 / 0.05)
    kept = [m for m in grid if log_capital(values, m).max() < limit and log_capital(1 - values, 1 - m).max() < limit]
    assert interval.low == pytest.approx(min(kept), abs=0.0011)
    assert interval.high == pytest.approx(max(kept), abs=0.0011)
    assert interval.low < 2 / 7 < interval.high


def test_the_interval_of_the_median_is_the_set_of_medians_without_a_rich_bettor() -> None:
    rng = np.random.default_rng(6)
    values = rng.integers(-5, 8, size=150).astype(float)  # many ties
    interval = MedianSequence().update(values)
    limit, n = math.log(2 / 0.05), np.arange(1, 151)
    kept = [
        m
        for m in np.arange(-6.0, 9.0).tolist()
        if log_sign_capital(np.cumsum(values > m), n).max() < limit
        and log_sign_capital(np.cumsum(values < m), n).max() < limit
    ]
    assert (interval.low, interval.high) == (min(kept), max(kept))


def test_means_of_another_range_are_the_same_interval_moved() -> None:
    values = np.random.default_rng(8).uniform(size=80)
    unit = MeanSequence(0, 1).update(values)
    moved = MeanSequence(-3, 7).update(10 * values - 3)
    assert (moved.low, moved.high) == pytest.approx((10 * unit.low - 3, 10 * unit.high - 3), abs=1e-4)


def test_extreme_observations() -> None:
    assert MeanSequence(0, 1).update(np.zeros(500)).low == 0.0
    assert MeanSequence(0, 1).update(np.zeros(500)).high < 0.02
    assert MeanSequence(0, 1).update(np.ones(500)).high == 1.0
    assert MeanSequence(0, 1).update(np.ones(500)).low > 0.98
    assert MedianSequence().update([math.inf] * 5) == Interval(-math.inf, math.inf)
    assert MedianSequence().update([math.inf] * 20) == Interval(math.inf, math.inf)
    assert MedianSequence().update([0.0] * 20) == Interval(0.0, 0.0)
    assert MedianSequence().update([]) == Interval(-math.inf, math.inf)


def test_a_mean_that_moves_leaves_an_interval_that_holds_something() -> None:
    sequence = MeanSequence(0, 1)
    first = sequence.update(np.zeros(300))
    for _ in range(3):
        moved = sequence.update(np.ones(1000))
        assert first.low <= moved.low <= moved.high == first.high
    median = MedianSequence()
    second = median.update(np.zeros(300))
    assert median.update(np.ones(3000)) == second


def accidents(false_verdict: npt.NDArray[np.bool_]) -> int:
    """Return in how many sequences (rows) a verdict came at any time."""
    return int(false_verdict.any(axis=1).sum())


def test_peeking_is_safe_and_naive_peeking_is_caught() -> None:
    # 600 comparisons of equally good settings, looked at after each of 600 seeds. At most 5 % may be told apart;
    # 46 of 600 would be significantly more than that. The usual 95 % interval, looked at as often, fails by far.
    rng = np.random.default_rng(11)
    success = rng.integers(0, 2, (600, 600)) - rng.integers(0, 2, (600, 600))
    limit = math.log(2 / 0.05)
    units = (success + 1) / 2.0
    safe = (log_capital(units, 0.5) >= limit) | (log_capital(1 - units, 0.5) >= limit)
    assert accidents(safe) <= 45
    n = np.arange(1, 601)
    error = np.sqrt(np.maximum(np.cumsum(success**2, axis=1) / n, 1e-12) / n)
    naive = (np.abs(np.cumsum(success, axis=1) / n) > 1.96 * error) & (n >= 6)
    assert accidents(naive) > 150


def test_sequences_decide_what_capitals_decide() -> None:
    # The studies judge thousands of sequences by their capitals: here the classes say the same.
    rng = np.random.default_rng(12)
    limit = math.log(2 / 0.05)
    for shift in (0.0, 0.1, 0.3):
        success = np.clip(rng.integers(-1, 2, 400) + (rng.random(400) < shift), -1, 1).astype(float)
        units = (success + 1) / 2
        verdict = decide(MeanSequence(-1, 1).update(success), better="higher")
        a, b = (log_capital(u, 0.5).max() >= limit for u in (units, 1 - units))
        assert (verdict == "a", verdict == "b") == (a, b)


def test_power_where_the_effect_is_plain() -> None:
    rng = np.random.default_rng(13)
    decided = [
        decide(MeanSequence(-1, 1).update((rng.random(400) < 0.7) * 1.0 - (rng.random(400) < 0.5)), 0.0, "higher")
        for _ in range(20)
    ]
    assert decided.count("a") >= 18


def test_pairs_with_many_ties_are_decided_by_who_wins_the_others() -> None:
    # Of ten seeds six tie, and a (the higher) wins the other four: the median is 0, and yet a is better.
    differences = np.tile([0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 3.0, 0.0, math.inf, 0.0], 60)
    sequence = PairedSequence()
    assert sequence.update(differences) == Interval(0.0, 0.0)
    assert sequence.n == 600
    assert sequence.lead == MeanSequence(-1, 1).update(np.sign(differences))
    assert sequence.decide(0.0, "higher") == "a"
    assert sequence.decide(0.0, "lower") == "b"
    assert sequence.decide(0.5, "lower") == "equal"
    assert PairedSequence().decide() == "undecided"


@given(st.integers(0, 10_000))
def test_where_the_median_decides_who_is_better_the_signs_do_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sequence, median = PairedSequence(), MedianSequence()
    differences = np.round(rng.normal(rng.uniform(0, 2), 1, 40))
    sequence.update(differences)
    if decide(median.update(differences), 0.0) != "undecided":
        assert sequence.decide(0.0) == decide(median.interval, 0.0)


@pytest.mark.parametrize(
    ("low", "high", "margin", "better", "decision"),
    [
        (0.01, 0.2, 0.0, "lower", "b"),
        (0.01, 0.2, 0.0, "higher", "a"),
        (-0.2, -0.01, 0.0, "lower", "a"),
        (-0.2, -0.01, 0.05, "higher", "b"),
        (-0.2, 0.0, 0.0, "higher", "undecided"),
        (-0.04, 0.05, 0.05, "lower", "equal"),
        (0.01, 0.05, 0.05, "lower", "equal"),
        (-0.06, 0.05, 0.05, "lower", "undecided"),
        (0.0, 0.0, 0.0, "lower", "undecided"),
        (math.inf, math.inf, 0.1, "lower", "b"),
    ],
)
def test_decisions(low: float, high: float, margin: float, better: str, decision: str) -> None:
    assert decide(Interval(low, high), margin, better) == decision  # type: ignore[arg-type]


def test_differences_of_runs_that_diverged() -> None:
    nan, inf = math.nan, math.inf
    a, b = [1.0, nan, nan, inf, 2.0, inf], [3.0, 1.0, nan, nan, inf, 4.0]
    assert paired_differences(a, b, "lower").tolist() == [-2.0, inf, 0.0, 0.0, -inf, inf]
    assert paired_differences([nan, 0.5], [0.5, nan], "higher").tolist() == [-inf, inf]


def test_bad_input_is_refused_in_one_line() -> None:
    sequence = MeanSequence(-1, 1)
    for bad in ([2.0], [math.nan], [[0.0]]):
        with pytest.raises(DataError):
            sequence.update(bad)  # type: ignore[arg-type]
    assert sequence.n == 0
    with pytest.raises(DataError):
        MedianSequence().update([math.nan])
    for low, high in ((1, 1), (-math.inf, 1), (math.nan, 1)):
        with pytest.raises(ConfigError):
            MeanSequence(low, high)
    for level in (0.0, 1.0):
        with pytest.raises(ConfigError):
            MedianSequence(level)
    with pytest.raises(ConfigError):
        decide(Interval(0, 1), -0.1)
    with pytest.raises(ConfigError):
        decide(Interval(0, 1), 0.1, "up")  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        paired_differences([1.0], [1.0, 2.0])
