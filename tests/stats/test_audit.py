"""Chances of what a small study shows, against enumeration of every study."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.stats import order_chance


def enumerated(a: list[float], b: list[float], runs: int, statistic: str, paired: bool) -> tuple[float, float, float]:
    """Return the chances (a lower, b lower, tie) over every possible study."""
    compute = np.median if statistic == "median" else np.mean
    rows = list(itertools.product(range(len(a)), repeat=runs))
    studies = ((r, r) for r in rows) if paired else itertools.product(rows, rows)
    counts = [0, 0, 0]
    for left, right in studies:
        x, y = compute([a[i] for i in left]), compute([b[i] for i in right])
        counts[2 if math.isclose(x, y, abs_tol=1e-12) else 0 if x < y else 1] += 1
    total = sum(counts)
    return counts[0] / total, counts[1] / total, counts[2] / total


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=4), st.integers(1, 3), st.booleans())
def test_success_rates_are_exact(pairs: list[tuple[bool, bool]], runs: int, paired: bool) -> None:
    a, b = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    chance = order_chance(a, b, runs, "higher", "rate", paired)
    lower, higher, tie = enumerated(a, b, runs, "mean", paired)
    assert chance.exact
    assert (chance.shows, chance.reversed, chance.ties) == pytest.approx((higher, lower, tie), abs=1e-9)
    assert chance.interval.low <= chance.shows <= chance.interval.high


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("paired", [True, False])
def test_drawn_studies_agree_with_enumeration(statistic: str, paired: bool) -> None:
    a, b = [0.1, 0.4, 0.35, 2.0, 0.2], [0.3, 0.3, 0.6, 0.4, 0.1]
    chance = order_chance(a, b, 3, "lower", statistic, paired, n_studies=40_000)  # type: ignore[arg-type]
    lower, higher, tie = enumerated(a, b, 3, statistic, paired)
    assert not chance.exact
    assert (chance.shows, chance.reversed, chance.ties) == pytest.approx((lower, higher, tie), abs=0.01)
    assert chance.shows + chance.reversed + chance.ties == pytest.approx(1.0)


def test_turning_the_claim_or_the_direction_round_exchanges_the_outcomes() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=50), rng.normal(0.3, 1, size=50)
    claim, turned = order_chance(a, b, 5), order_chance(b, a, 5)
    assert (claim.shows, claim.reversed) == pytest.approx((turned.reversed, turned.shows), abs=1e-12)
    higher = order_chance(-a, -b, 5, "higher")
    assert (claim.shows, claim.ties) == pytest.approx((higher.shows, higher.ties), abs=1e-12)


def test_more_runs_show_the_truth_more_often() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=300), rng.normal(0.3, 1, size=300)
    chances = [order_chance(a, b, runs).shows for runs in (1, 5, 25, 100)]
    assert chances == sorted(chances)
    assert chances[0] < 0.75
    assert chances[-1] > 0.9


def test_what_was_never_seen_is_not_ruled_out() -> None:
    # 100 seeds on which both always succeeded: the share of others has Beta(1/2, 101) as its posterior.
    chance = order_chance(np.ones(100), np.ones(100), 5, "higher", "rate")
    assert (chance.shows, chance.ties) == (0.0, 1.0)
    assert chance.interval.low == pytest.approx(0.0, abs=1e-4)
    upper = float(scipy.stats.beta.ppf(0.975, 0.5, 101))
    assert chance.interval.high == pytest.approx(1 - (1 - upper) ** 5, rel=0.2)
    # A loss that was lower on all of 100 seeds: 20 separate studies, all alike.
    certain = order_chance(np.zeros(100), np.linspace(1, 2, 100), 5)
    assert (certain.shows, certain.interval.high) == (1.0, 1.0)
    assert certain.interval.low == pytest.approx(0.025 ** (1 / 20))


def test_the_interval_covers_the_true_chance() -> None:
    # Normal values, a better by 0.5 on average, unpaired, 5 runs: the truth is Phi(0.5 sqrt(5 / 2)) = 0.785.
    truth, covered = 0.5 * (1 + math.erf(0.5 * math.sqrt(5 / 2) / math.sqrt(2))), 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=60), rng.normal(0.5, 1, size=60)
        interval = order_chance(a, b, 5, paired=False, seed=seed, n_studies=2000).interval
        covered += interval.low <= truth <= interval.high
    assert covered >= 35  # 34 or fewer of 40 would be significantly below 95 %


def test_runs_that_diverged() -> None:
    nan, inf = math.nan, math.inf
    chance = order_chance([nan, nan], [inf, inf], 3)
    assert (chance.shows, chance.reversed, chance.ties) == (0.0, 0.0, 1.0)
    assert order_chance([0.1, 0.2], [nan, inf], 2).shows == 1.0
    assert order_chance([nan, 0.2], [0.5, 0.4], 1, statistic="median").shows == pytest.approx(0.5, abs=0.02)


def test_bad_input_is_refused_in_one_line() -> None:
    with pytest.raises(ShapeError):
        order_chance([1.0], [1.0, 2.0], 3)
    with pytest.raises(DataError):
        order_chance([], [], 3)
    with pytest.raises(DataError, match="0 and 1"):
        order_chance([0.5], [1.0], 3, statistic="rate")
    with pytest.raises(ConfigError):
        order_chance([1.0], [1.0], 0)
    with pytest.raises(ConfigError):
        order_chance([1.0], [1.0], 3, statistic="mode")  # type: ignore[arg-type]
