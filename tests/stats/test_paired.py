"""Paired comparisons against hand computation and brute force, and the sentences they end in."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.stats import (
    compare_metric,
    compare_rates,
    holm,
    sign_flip_p,
    sign_order_interval,
    sign_test_p,
)


def outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Return successes of two settings with these counts."""
    pairs = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b + [(False, False)] * neither
    return [a for a, _ in pairs], [b for _, b in pairs]


@given(st.integers(0, 10), st.integers(0, 12), st.integers(0, 12), st.integers(0, 10))
def test_mcnemar_is_the_binomial_test_worked_by_hand(both: int, only_a: int, only_b: int, neither: int) -> None:
    result = compare_rates(*outcomes(both, only_a, only_b, neither))
    n, d = both + only_a + only_b + neither, only_a + only_b
    if n < 6:
        assert result.verdict == "no verdict"
        return
    tail = sum(math.comb(d, i) for i in range(min(only_a, only_b) + 1)) / 2**d
    assert result.p_value == pytest.approx(min(1.0, 2 * tail), rel=1e-9)
    assert result.rate_a is not None
    assert result.rate_a.rate == pytest.approx((both + only_a) / n)
    assert result.difference == pytest.approx((only_a - only_b) / n)
    assert result.interval is not None
    assert -1 <= result.interval.low <= result.interval.high <= 1


def test_rate_verdicts_and_sentences() -> None:
    names = ("Adam", "SGD")
    a = compare_rates(*outcomes(15, 13, 0, 2), names)
    assert (a.verdict, a.only_a, a.only_b) == ("a", 13, 0)
    assert a.p_value == pytest.approx(2 / 2**13)
    assert a.verdict_sentence() == (
        "Adam converged more often than SGD: 93.3 % (77.9 % to 99.2 %) against 50 % (31.3 % to 68.7 %) of "
        "30 paired seeds, 95 % intervals, p = 0.00024."
    )
    b = compare_rates(*outcomes(15, 0, 13, 2), names)
    assert b.verdict == "b"
    assert b.verdict_sentence("solved xor more often").startswith("SGD solved xor more often than Adam: 93.3 %")
    none = compare_rates(*outcomes(20, 3, 1, 6), names)
    assert none.verdict == "no difference shown"
    assert none.verdict_sentence().startswith("No difference between Adam and SGD is shown: 76.7 %")


def test_the_interval_of_the_difference_by_hand() -> None:
    """Bonett and Price: shares (13 + 1)/32 and (0 + 1)/32."""
    result = compare_rates(*outcomes(15, 13, 0, 2))
    a, b = 14 / 32, 1 / 32
    half = scipy.stats.norm.ppf(0.975) * math.sqrt((a + b - (a - b) ** 2) / 32)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((a - b - half, a - b + half), rel=1e-12)


def test_the_interval_of_the_difference_covers() -> None:
    rng = np.random.default_rng(3)
    draws = rng.multinomial(30, [0.5, 0.25, 0.1, 0.15], 400)  # true difference 0.15
    covered = 0
    for both, only_a, only_b, neither in draws:
        interval = compare_rates(*outcomes(both, only_a, only_b, neither)).interval
        assert interval is not None
        covered += interval.low <= 0.15 <= interval.high
    assert 0.93 <= covered / 400 <= 0.98


def test_equal_rates_have_p_one() -> None:
    success = [True] * 5 + [False] * 5
    assert compare_rates(success, success).p_value == 1.0
    assert compare_rates([True] * 8, [True] * 8).verdict == "no difference shown"


def test_sign_flips_equal_brute_force() -> None:
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.8, 3.0):
        d = rng.normal(shift, 1.0, 6)
        patterns = np.array(list(itertools.product([1, -1], repeat=6)))
        null = np.mean(patterns * d, axis=1)
        slack = 1e-12
        greater = np.mean(null >= np.mean(d) - slack)
        less = np.mean(null <= np.mean(d) + slack)
        assert sign_flip_p(d) == pytest.approx(min(1.0, 2 * min(greater, less)), rel=1e-12)


def test_the_sign_test_is_binomial_and_drops_ties() -> None:
    # 7 of 8 above: 2 (C(8,0) + C(8,1)) / 2^8
    assert sign_test_p([1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1.0]) == pytest.approx(2 * 9 / 256)
    assert sign_test_p([2.0] * 6 + [0.0] * 4) == pytest.approx(2 / 2**6)
    assert sign_test_p([0.0] * 8) == 1.0


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_a_constant_shift_of_six_pairs_decides(statistic: Literal["mean", "median"]) -> None:
    for d in ([1.0] * 6, [1.0, 1.01, 0.99, 1.02, 0.98, 1.03]):
        compared = compare_metric(d, [0.0] * 6, statistic=statistic, better="higher")
        assert compared.p_value == pytest.approx(2 / 2**6)
        assert compared.verdict == "a"


def test_unanimous_signs_have_the_smallest_p_there_is() -> None:
    assert sign_flip_p([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == 2 / 2**6
    assert sign_flip_p(np.arange(1.0, 31.0)) == pytest.approx(2 / 10_000)
    assert sign_flip_p([0.0] * 8) == 1.0


def test_tests_reject_a_true_null_no_more_often_than_they_say() -> None:
    draws = np.random.default_rng(5).normal(0.0, 1.0, (400, 8))
    assert 0.02 <= np.mean([sign_flip_p(d) <= 0.05 for d in draws]) <= 0.08
    assert np.mean([sign_test_p(d) <= 0.05 for d in draws]) <= 0.03  # exact: 2 / 2^8 = 0.008


def test_metric_verdicts_and_sentences() -> None:
    rng = np.random.default_rng(0)
    adam = rng.normal(500, 50, 30).round()
    sgd = adam + rng.normal(300, 50, 30).round()
    lower = compare_metric(sgd, adam, ("SGD", "Adam"), "epochs", statistic="median")
    assert lower.verdict == "b"
    assert lower.difference == np.median(sgd - adam)
    sentence = lower.verdict_sentence("reached the target in fewer epochs")
    assert sentence.startswith(
        "Adam reached the target in fewer epochs than SGD: median difference -318 (95 % interval"
    )
    assert sentence.endswith("30 seeds, p < 0.0001).")
    assert lower.interval is not None
    assert f"interval {-lower.interval.high:.0f} to {-lower.interval.low:.0f}," in sentence
    higher = compare_metric(sgd, adam, ("SGD", "Adam"), "accuracy", better="higher")
    assert higher.verdict == "a"
    assert higher.verdict_sentence().startswith("SGD had a higher accuracy than Adam: mean difference ")
    same = compare_metric(adam, adam + rng.normal(0, 1, 30))
    assert same.verdict == "no difference shown"
    assert same.verdict_sentence().startswith("No difference in loss between A and B is shown: mean difference ")


def test_identical_runs_give_a_point_and_no_warning() -> None:
    result = compare_metric([1.0] * 7, [1.0] * 7)
    assert (result.difference, result.p_value, result.verdict) == (0.0, 1.0, "no difference shown")
    assert "mean difference 0 (95 % interval 0 to 0, 7 seeds, p = 1)" in result.verdict_sentence()


def test_a_constant_shift_is_shown() -> None:
    x = np.arange(8.0)
    result = compare_metric(x, x + 1)
    assert (result.verdict, result.p_value) == ("a", 2 / 2**8)


def test_fewer_than_six_pairs_give_no_verdict_and_say_why() -> None:
    result = compare_metric([1.0] * 5, [9.0] * 5, ("Adam", "SGD"))
    assert (result.verdict, result.p_value, result.interval, result.difference) == ("no verdict", None, None, -8.0)
    assert result.verdict_sentence() == (
        "No verdict on loss between Adam and SGD: 5 paired seeds, and at least 6 are needed."
    )
    rates = compare_rates([True] * 5, [False] * 5, ("Adam", "SGD"))
    assert (rates.verdict, rates.p_value, rates.difference) == ("no verdict", None, 1.0)
    assert rates.verdict_sentence() == ("No verdict between Adam and SGD: 5 paired seeds, and at least 6 are needed.")
    assert compare_rates([], []).verdict == compare_metric([], []).verdict == "no verdict"
    assert compare_metric([1.0] * 6, [9.0] * 6).verdict == "a"


def test_pairs_without_a_finite_value_are_left_out_and_counted() -> None:
    a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, math.nan, 1.0]
    b = [2.0, 3.0, 4.5, 5.0, 6.5, 7.0, 1.0, math.inf]
    result = compare_metric(a, b)
    assert (result.n, result.dropped, result.verdict) == (6, 2, "a")
    assert "6 seeds and 2 left out without a finite value" in result.verdict_sentence()
    few = compare_metric(a[1:], b[1:])
    assert few.why == "5 paired seeds (2 without a finite value left out), and at least 6 are needed"


def test_nothing_is_claimed_where_the_interval_holds_zero() -> None:
    for seed in range(40):
        d = np.random.default_rng(seed).normal(0.7, 1.0, 9)
        result = compare_metric(d, np.zeros(9), better="higher", n_resamples=999)
        assert result.interval is not None
        assert result.p_value is not None
        claimed = result.p_value <= 0.05 and not result.interval.low <= 0 <= result.interval.high
        assert result.verdict == ("no difference shown" if not claimed else "a" if np.mean(d) > 0 else "b")


def test_order_within_pairs_by_hand() -> None:
    share = sign_order_interval([1, 2, 3, math.inf, 5, math.nan], [2, 3, 3, math.inf, math.inf, 9])
    assert (share.successes, share.n) == (3, 6)  # ties (two) and NaN are no pairs with a < b
    assert (share.low, share.high) == pytest.approx((0.1181, 0.8819), abs=5e-5)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([0.02]) == (0.02,)
    assert holm([]) == ()
    with pytest.raises(DataError, match="between 0 and 1"):
        holm([0.5, math.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.2))
def test_holm_rejects_what_its_step_down_rule_rejects(p: list[float], alpha: float) -> None:
    rejected, order = set(), sorted(range(len(p)), key=lambda i: p[i])
    for rank, index in enumerate(order):
        if p[index] * (len(p) - rank) > alpha:
            break
        rejected.add(index)
    assert {i for i, q in enumerate(holm(p)) if q <= alpha} == rejected


def test_an_adjusted_p_changes_the_verdict_and_says_so() -> None:
    plain = compare_rates(*outcomes(10, 7, 0, 13), ("Adam", "SGD"))
    assert plain.p_value == 2 / 2**7
    assert plain.verdict == "a"
    adjusted = plain.adjusted(holm([plain.p_value, 0.5, 0.6, 0.7])[0])
    assert adjusted.verdict == "no difference shown"
    assert adjusted.verdict_sentence().endswith("p = 0.062 after Holm's correction.")
    x = np.arange(8.0)
    assert compare_metric(x, x + 1).adjusted(0.2).verdict == "no difference shown"


def test_misfits() -> None:
    with pytest.raises(ShapeError, match=r"equal length, got shapes \(3,\) and \(2,\)"):
        compare_metric([1, 2, 3], [1, 2])
    with pytest.raises(ShapeError, match="equal length"):
        compare_rates([True], [True, False])
    with pytest.raises(ConfigError, match="'lower' or 'higher'"):
        compare_metric([1.0] * 6, [2.0] * 6, better="smaller")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="statistic is"):
        compare_metric([1.0] * 6, [2.0] * 6, statistic="mode")  # type: ignore[arg-type]
