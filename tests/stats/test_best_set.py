"""The best set and rankings against exact tests, hand-worked displays, and simulated truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.stats import best_set, holm, prob_better, rank_groups, sign_flip_p, winner_scores
from chainrule.stats.ranking import _letter_groups


@given(st.integers(0, 1000), st.integers(6, 9))
def test_with_two_cells_it_is_the_two_sided_sign_flip_test(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal([0.0, 1.0], 1.0, size=(n, 2))
    result = best_set(table)
    worse = 1 - result.best
    d = table[:, worse] - table[:, result.best]
    flipped = np.array([abs(np.dot(signs, d)) for signs in itertools.product((1, -1), repeat=n)])
    assert result.p_adjusted[worse] == pytest.approx(np.mean(flipped >= d.sum() - 1e-9), abs=1e-12)
    assert result.p_adjusted[result.best] == 1.0


def test_with_two_cells_of_successes_it_is_mcnemars_exact_test() -> None:
    a = np.r_[np.ones(9), np.zeros(1)]
    b = np.r_[np.zeros(7), np.ones(3)]  # 7 seeds only a succeeded, 1 only b
    result = best_set(np.stack([a, b], axis=1), "higher")
    assert result.p_adjusted[1] == pytest.approx(scipy.stats.binomtest(7, 8).pvalue)


def test_a_median_of_two_cells_is_the_sign_test_with_infinities() -> None:
    a = np.array([1, 2, 3, 4, 5, 6, 7, math.nan])
    b = np.array([2, 3, 4, 5, 6, math.inf, math.nan, math.nan])
    result = best_set(np.stack([a, b], axis=1), statistic="median")
    assert result.best == 0
    assert result.p_adjusted[1] == pytest.approx(2 * 0.5**7)


def test_ranking_of_two_cells_is_the_two_sided_test() -> None:
    table = np.random.default_rng(2).normal([0.0, 0.8], 1.0, size=(8, 2))
    ranking = rank_groups(table, ["small", "large"])
    assert ranking.names == ("small", "large")
    assert ranking.p_adjusted[0, 1] == pytest.approx(sign_flip_p(table[:, 0] - table[:, 1]), abs=1e-12)


def test_adjustment_is_never_weaker_than_holms() -> None:
    rng = np.random.default_rng(4)
    table = rng.normal(size=(10, 5)) + np.arange(5) * 0.7
    ranking = rank_groups(table)
    pairs = list(itertools.combinations(range(5), 2))
    ordered = table[:, list(ranking.order)]
    single = [sign_flip_p(ordered[:, i] - ordered[:, j]) for i, j in pairs]
    adjusted = np.array([ranking.p_adjusted[i, j] for i, j in pairs])
    assert (adjusted >= np.array(single) - 1e-12).all()
    assert adjusted.sum() <= sum(holm(single)) + 1e-9


def test_letters_worked_by_hand() -> None:
    # Piepho (2004): A, B, C, D with A-D and B-D and A-C told apart.
    apart = np.zeros((4, 4), bool)
    for i, j in ((0, 3), (1, 3), (0, 2)):
        apart[i, j] = apart[j, i] = True
    assert _letter_groups(apart) == ((0, 1), (1, 2), (2, 3))
    assert _letter_groups(np.zeros((3, 3), bool)) == ((0, 1, 2),)
    assert _letter_groups(~np.eye(3, dtype=bool)) == ((0,), (1,), (2,))


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_two_cells_share_a_group_just_if_they_are_not_told_apart(seed: int, k: int) -> None:
    apart = np.triu(np.random.default_rng(seed).random((k, k)) < 0.5, 1)
    apart |= apart.T
    groups = _letter_groups(apart)
    for i, j in itertools.combinations(range(k), 2):
        assert any(i in g and j in g for g in groups) != apart[i, j]
    assert set().union(*groups) == set(range(k))


def test_equal_cells_stay_together_and_a_worse_one_leaves() -> None:
    rng = np.random.default_rng(5)
    rates = np.array([0.9, 0.9, 0.9, 0.5, 0.0, 1.0])
    table = (rng.random((60, 6)) < rates).astype(float)
    result = best_set(table, "higher")
    assert result.best == 5
    assert 3 not in result.members
    assert 4 not in result.members
    constant = best_set(np.ones((20, 4)), "higher")
    assert constant.members == (0, 1, 2, 3)
    assert rank_groups(np.ones((20, 4))).letters == ("a",) * 4
    split = rank_groups(np.repeat([[0.0, 0.0, 1.0]], 20, axis=0), ["x", "y", "z"], "higher")
    assert (split.names, split.letters) == (("z", "x", "y"), ("a", "b", "b"))
    assert split.separated(0, 1)
    assert not split.separated(1, 2)


def test_all_best_cells_stay_in_as_often_as_promised() -> None:
    # Four equally good cells and one worse; heavy ties. 200 tables: at least 90 % is significant at no level, the
    # promise is 95 %; the figures of many more tables are in docs/statistics.md.
    rng = np.random.default_rng(6)
    rates = np.array([0.8, 0.8, 0.8, 0.8, 0.3])
    kept = left_out = 0
    for _ in range(200):
        members = best_set((rng.random((25, 5)) < rates).astype(float), "higher", n_resamples=499).members
        kept += {0, 1, 2, 3} <= set(members)
        left_out += 4 not in members
    assert kept >= 181  # 180 or fewer of 200 would be significantly below 95 %
    assert left_out >= 140


def test_the_set_shrinks_with_more_seeds() -> None:
    rng = np.random.default_rng(7)
    table = rng.normal(size=(400, 6)) + np.arange(6) * 0.15
    sizes = [len(best_set(table[:n]).members) for n in (10, 100, 400)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_runs_that_diverged_are_the_worst() -> None:
    table = np.random.default_rng(8).uniform(0, 1, (30, 3))
    table[::2, 1] = math.nan
    table[1::2, 2] = math.inf
    assert best_set(table, statistic="mean").best == best_set(table, statistic="median").best == 0
    assert best_set(table).members == (0,)
    assert best_set(np.full((10, 2), math.nan)).members == (0, 1)


def test_few_seeds_give_no_verdict() -> None:
    result = best_set(np.repeat([[0.0, 1.0]], 5, axis=0))
    assert (result.members, result.p_adjusted) == ((0, 1), (1.0, 1.0))
    assert result.why == "5 seeds, and at least 6 are needed"
    ranking = rank_groups([[0.0, 1.0]])
    assert ranking.why == "1 seed, and at least 6 are needed"
    assert ranking.letters == ("a", "a")
    assert best_set([[0.5]] * 10).members == (0,)


def test_probability_of_being_better_worked_by_hand() -> None:
    result = prob_better([1, 2, 3, math.nan, 5], [2, 2, 4, math.nan, 4])
    assert (result.wins, result.ties, result.losses, result.rate) == (2, 2, 1, 0.6)
    swapped = prob_better([2, 2, 4, math.nan, 4], [1, 2, 3, math.nan, 5])
    assert swapped.rate == pytest.approx(0.4)
    assert (swapped.low, swapped.high) == pytest.approx((1 - result.high, 1 - result.low))
    higher = prob_better([1, 2], [0, math.nan], "higher")
    assert higher.rate == 1.0


@pytest.mark.parametrize("shares", [(0.5, 0.0, 0.5), (0.3, 0.5, 0.2), (0.05, 0.9, 0.05), (0.9, 0.05, 0.05)])
def test_the_interval_of_being_better_covers(shares: tuple[float, float, float]) -> None:
    # Every outcome of 12 seeds with its multinomial probability.
    n, truth, covered = 12, shares[0] + shares[1] / 2, 0.0
    for wins in range(n + 1):
        for ties in range(n + 1 - wins):
            a = np.r_[np.zeros(wins), np.ones(ties), np.full(n - wins - ties, 2.0)]
            interval = prob_better(a, np.ones(n))
            if interval.low <= truth <= interval.high:
                covered += scipy.stats.multinomial.pmf([wins, ties, n - wins - ties], n, shares)
    assert covered >= 0.93


def test_the_winner_is_scored_twice() -> None:
    table = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 1], [1, 0, 0.0]])
    scores = winner_scores(table, [1, 0, 0, 1], "higher")
    assert (scores.best, scores.chosen.value, scores.fresh.value, scores.optimism) == (0, 0.75, 0.5, 0.25)
    assert scores.chosen.kind == "rate"
    exact = scipy.stats.binomtest(2, 4).proportion_ci(method="exact")
    assert (scores.fresh.interval.low, scores.fresh.interval.high) == pytest.approx((exact.low, exact.high))
    losses = winner_scores([[0.3, 0.2], [0.4, 0.1]], [0.5, 0.7, math.nan], "lower", statistic="median")
    assert (losses.best, losses.chosen.value, losses.fresh.value) == (1, 0.1 / 2 + 0.2 / 2, 0.7)
    assert losses.optimism == pytest.approx(0.55)


def test_bad_tables_are_refused_in_one_line() -> None:
    for bad in ([], [1.0, 2.0], np.zeros((3, 0))):
        with pytest.raises(DataError):
            best_set(bad)
    with pytest.raises(ConfigError):
        best_set([[1.0]], better="more")  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        best_set([[1.0]], statistic="mode")  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        rank_groups(np.zeros((6, 2)), ["one"])
