"""The verdicts on hand-made samples, where the right answer is plain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from chainrule.lab.replication_judging import (
    VERDICTS,
    Judgement,
    Reported,
    central_interval,
    explained,
    impossible_share,
    judge_figure,
    judge_ratio,
    judge_share,
    judge_spread,
)
from chainrule.stats import MIN_PAIRS

THIRTY = np.arange(1.0, 31.0)  # 5 % and 95 % quantiles: 2.45 and 28.55


@pytest.mark.parametrize(
    ("reported", "better", "verdict"),
    [
        (15.0, "lower", "typical"),
        (2.45, "lower", "typical"),
        (2.0, "lower", "lucky"),
        (2.0, "higher", "unlucky"),
        (29.0, "lower", "unlucky"),
        (29.0, "higher", "lucky"),
    ],
)
def test_a_number_is_placed_against_the_middle_90_percent(reported: float, better: str, verdict: str) -> None:
    judged = judge_figure(THIRTY, Reported(reported, 0.0, better))
    assert judged.verdict == verdict
    assert (judged.low, judged.high) == pytest.approx((2.45, 28.55))
    assert judged.median == 15.5
    assert judged.n_seeds == 30


def test_rounding_of_the_last_digit_is_granted() -> None:
    assert judge_figure(THIRTY, Reported(2.4, 0.05)).verdict == "typical"
    assert judge_figure(THIRTY, Reported(2.4, 0.04)).verdict == "lucky"
    all_equal = np.full(30, 0.0148)
    assert judge_figure(all_equal, Reported(0.015, 0.0005)).verdict == "typical"
    assert judge_figure(all_equal, Reported(0.015, 0.00005)).verdict == "unlucky"


def test_percentile_counts_equal_values_half() -> None:
    assert judge_figure(THIRTY, Reported(15.0)).percentile == pytest.approx(100 * 14.5 / 30)


def test_diverged_seeds_are_worse_than_any_number() -> None:
    sample = np.concatenate([np.full(25, 0.5), np.full(5, np.nan)])
    judged = judge_figure(sample, Reported(1e6))
    assert judged.verdict == "typical"  # the middle 90 % reaches to infinity
    assert judged.high == math.inf
    assert judge_figure(sample, Reported(0.1)).verdict == "lucky"
    assert judge_figure(sample, Reported(0.1, better="higher")).low == -math.inf


def test_a_reported_nan_is_typical_if_surely_more_than_one_run_in_twenty_ends_so() -> None:
    def with_nans(k: int, n: int = 40) -> Any:
        return np.concatenate([np.full(n - k, 0.3), np.full(k, np.nan)])

    many = judge_figure(with_nans(6), Reported(math.nan))
    assert many.verdict == "typical"
    assert many.share
    exact = stats.binomtest(6, 40).proportion_ci(0.9, "exact")
    assert exact.low > 0.05
    assert (many.median, many.low, many.high) == pytest.approx((0.15, exact.low, exact.high))
    assert judge_figure(with_nans(2), Reported(math.nan)).verdict == "no verdict"  # 0.9 to 15 %
    assert judge_figure(with_nans(0), Reported(math.nan)).verdict == "unlucky"
    assert judge_figure(with_nans(0, 4), Reported(math.nan)).verdict == "no verdict"  # 0 to 53 %
    assert judge_figure(with_nans(1, 400), Reported(math.nan)).verdict == "unlucky"  # at most 1.2 %


def test_infinite_losses_count_as_broken_too() -> None:
    assert judge_figure(np.array([np.inf] * 3 + [1.0]), Reported(math.nan)).verdict == "typical"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_seeds_give_no_verdict(n: int) -> None:
    assert judge_figure(np.ones(n), Reported(1.0)).verdict == "no verdict"
    assert judge_figure(np.ones(n), Reported(math.nan)).verdict == "no verdict"
    assert judge_share(np.ones(n, dtype=bool), (0.5, 1.0), "higher", "").verdict == "no verdict"
    assert judge_ratio([np.ones(n)], [np.ones(n)], 1, (1, 2), "higher").verdict == "no verdict"
    assert judge_spread(np.ones((n, 3)), np.ones((n, 3)), (1, 2), "higher").verdict == "no verdict"


def test_few_seeds_are_judged_by_their_range_and_say_that_they_are_weak() -> None:
    sample = np.array([1.0, 2.0, 3.0])
    assert central_interval(sample, Reported(0.0)) == (1.0, 3.0)
    inside = judge_figure(sample, Reported(2.5))
    assert (inside.verdict, inside.low, inside.high) == ("typical", 1.0, 3.0)
    assert "3 seeds are weak evidence" in inside.why
    near = judge_figure(sample, Reported(4.9))  # half of all next values of three lie outside their range
    assert near.verdict == "no verdict"
    assert "too few" in near.why
    far = judge_figure(sample, Reported(5.1))
    assert far.verdict == "unlucky"
    assert "weak evidence" in far.why
    assert judge_figure(sample, Reported(-1.1)).verdict == "lucky"
    assert judge_figure(sample, Reported(5.1, better="higher")).verdict == "lucky"


def test_few_equal_or_broken_seeds_never_call_a_number_lucky() -> None:
    assert judge_figure(np.ones(4), Reported(0.5)).verdict == "no verdict"
    assert judge_figure(np.ones(4), Reported(1.0)).verdict == "typical"
    broken = judge_figure(np.array([1.0, 2.0, np.nan]), Reported(0.1))
    assert (broken.verdict, broken.low, broken.high) == ("no verdict", 1.0, math.inf)
    assert judge_figure(np.full(4, np.nan), Reported(0.1)).verdict == "no verdict"


def test_few_seed_intervals_stay_within_what_was_seen() -> None:
    # four errors over many powers of ten: their logarithms' prediction interval would reach from 1e-17 to 6e+05
    low, high = central_interval(np.array([1e-9, 1e-7, 1e-6, 0.3]), Reported(0.0))
    assert (low, high) == (1e-9, 0.3)
    assert central_interval(np.array([0.9, 0.95, 1.0]), Reported(0.97, better="higher")) == (0.9, 1.0)


def test_a_mean_over_few_runs_gets_the_range_drawn_in() -> None:
    low, high = central_interval(np.array([1.0, 2.0, 3.0]), Reported(0.0, runs=3))
    # standard deviation of (mean of 3 - our mean of 3) over that of (one - our mean of 3): sqrt(2/3) / sqrt(4/3)
    assert (low, high) == pytest.approx((2 - math.sqrt(0.5), 2 + math.sqrt(0.5)))
    assert "means over 3" in judge_figure(np.array([1.0, 2.0, 3.0]), Reported(2.0, runs=3)).why


def test_the_widened_range_of_few_seeds_holds_most_next_values() -> None:
    rng = np.random.default_rng(5)
    for n, share in ((3, 0.867), (4, 0.941)):
        draws = rng.normal(size=(2000, n + 1))
        told = [judge_figure(draw[:n], Reported(float(draw[n]))).verdict for draw in draws]
        outside = np.isin(told, ["lucky", "unlucky"])
        assert 1 - outside.mean() == pytest.approx(share, abs=0.02)


def test_a_mean_over_runs_is_compared_with_means_over_as_many_seeds() -> None:
    single, mean = (central_interval(THIRTY, Reported(0.0, runs=k)) for k in (1, 9))
    assert mean[1] - mean[0] < 0.5 * (single[1] - single[0])
    # standard deviation of a mean of nine: 8.655 / 3
    assert mean[1] - mean[0] == pytest.approx(2 * 1.645 * THIRTY.std() / 3, rel=0.05)


def test_shares_that_no_count_of_samples_gives() -> None:
    told = impossible_share(0.9048, 0.00005, 100)
    assert told is not None
    assert "90.48" in told
    assert impossible_share(0.9048, 0.00005, 21) is None  # 19 of 21
    assert impossible_share(0.9524, 0.00005, 21) is None  # 20 of 21
    assert impossible_share(0.97, 0.005, 100) is None
    assert impossible_share(0.9383, 0.00005, 10_000) is None
    assert impossible_share(0.9383, 0.00005, 5_000) is not None


@given(k=st.integers(0, 500), n=st.integers(1, 500), digits=st.integers(2, 6))
def test_every_share_that_can_occur_is_allowed(k: int, n: int, digits: int) -> None:
    share = min(k, n) / n
    assert impossible_share(round(share, digits), 0.5 * 10.0**-digits, n) is None


@pytest.mark.parametrize(
    ("holding", "between", "better", "verdict"),
    [
        (28, (0.5, 1.0), "higher", "typical"),
        (12, (0.5, 1.0), "higher", "no verdict"),  # 12 of 30: 25 to 57 %
        (18, (0.5, 1.0), "higher", "no verdict"),  # 18 of 30: 43 to 75 %
        (20, (0.5, 1.0), "higher", "typical"),  # 20 of 30: 50.0 to 81 %
        (5, (0.5, 1.0), "higher", "lucky"),
        (5, (0.5, 1.0), "lower", "unlucky"),
        (30, (0.0, 0.1), "higher", "unlucky"),
        (0, (0.0, 0.1), "higher", "typical"),
        (1, (0.0, 0.1), "higher", "no verdict"),
        (0, (0.0, 0.0), "higher", "no verdict"),  # no number of seeds proves "never"
        (9, (0.0, 0.0), "higher", "unlucky"),
    ],
)
def test_a_claimed_share_meets_our_interval_or_not(
    holding: int, between: tuple[float, float], better: str, verdict: str
) -> None:
    judged = judge_share(np.arange(30) < holding, between, better, "it holds")
    assert judged.verdict == verdict
    assert judged.median == pytest.approx(holding / 30)
    assert f"{holding} of 30" in judged.why
    assert ("partly inside" in judged.why) == (verdict == "no verdict")


@pytest.mark.parametrize(("holding", "between"), [(0, (0.5, 1.0)), (4, (0.5, 1.0)), (0, (0.05, 1.0))])
def test_four_seeds_decide_no_claim_about_half_of_them(holding: int, between: tuple[float, float]) -> None:
    judged = judge_share(np.arange(4) < holding, between, "higher", "it holds")
    low, high = stats.binomtest(holding, 4).proportion_ci(0.9, "exact")
    assert (judged.low, judged.high) == pytest.approx((low, high))
    assert judged.verdict == ("lucky" if high < between[0] else "no verdict")


def test_an_order_needs_six_pairs() -> None:
    five = judge_share(np.ones(5, dtype=bool), (0.5, 1.0), "higher", "the order holds", MIN_PAIRS)
    assert (five.verdict, five.why) == ("no verdict", "5 of at least 6 seeds")
    six = judge_share(np.ones(6, dtype=bool), (0.5, 1.0), "higher", "the order holds", MIN_PAIRS)
    assert six.verdict == "typical"


def test_ratios_of_means() -> None:
    slow, fast = THIRTY * 10, THIRTY
    judged = judge_ratio([slow], [fast], 5, (3.0, 35.0), "higher")
    assert judged.verdict == "typical"
    assert judged.median == pytest.approx(10, rel=0.1)
    partly = judge_ratio([slow], [fast], 5, (8.0, 12.0), "higher")
    assert partly.verdict == "no verdict"
    assert "partly inside" in partly.why
    assert judge_ratio([slow], [fast], 5, (100.0, math.inf), "higher").verdict == "lucky"
    assert judge_ratio([slow], [fast], 5, (0.0, 1.0), "higher").verdict == "unlucky"
    assert judge_ratio([slow], [fast], 5, (0.0, 1.0), "lower").verdict == "lucky"
    constant = judge_ratio([np.full(6, 6.0)], [np.full(6, 2.0)], 1, (2.0, 4.0), "higher")
    assert (constant.low, constant.high) == (3.0, 3.0)
    doubled = judge_ratio([np.full(6, 6.0), np.full(6, 5.0)], [np.full(6, 2.0), np.full(6, 3.0)], 1, (1, 9), "higher")
    assert doubled.median == pytest.approx(5.0)
    never = judge_ratio([np.full(6, np.inf)], [np.full(6, np.inf)], 1, (1, 9), "higher")
    assert never.verdict == "no verdict"
    assert judge_ratio([np.full(5, 6.0)], [np.full(5, 2.0)], 1, (2.0, 4.0), "higher").verdict == "no verdict"


def test_spreads() -> None:
    rng = np.random.default_rng(3)
    wide, narrow = rng.normal(size=40) * 3, rng.normal(size=40)
    judged = judge_spread(wide, narrow, (1.0, math.inf), "higher")
    assert judged.verdict == "typical"
    assert judged.median == pytest.approx(wide.std(ddof=1) / narrow.std(ddof=1))
    assert judge_spread(narrow, wide, (1.0, math.inf), "higher").verdict == "lucky"
    assert judge_spread(np.ones(9), np.ones(9), (1.0, 1.0), "higher").median == 1.0
    assert judge_spread(wide[:4], narrow[:4], (1.0, math.inf), "higher").verdict == "no verdict"
    assert judge_spread(wide, narrow, (3.0, math.inf), "higher").verdict == "no verdict"
    few = judge_spread(rng.normal(size=(3, 200)) * 2, rng.normal(size=(3, 200)), (1.0, math.inf), "higher")
    assert (few.verdict, few.why) == ("no verdict", "3 of at least 6 seeds")


def test_only_a_defect_that_gives_the_number_explains_it() -> None:
    lucky, typical = Judgement("lucky", "better"), Judgement("typical", "inside")
    told = explained(lucky, typical, "the sign is wrong")
    assert (told.verdict, told.why) == ("explained by a defect", "the sign is wrong")
    assert explained(lucky, lucky, "x") == lucky
    assert explained(typical, typical, "x") == typical
    assert explained(Judgement("no verdict", ""), typical, "x").verdict == "no verdict"


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40),
    reported=st.floats(allow_nan=True, allow_infinity=False),
    better=st.sampled_from(["lower", "higher"]),
    runs=st.integers(1, 4),
)
def test_any_sample_gives_one_of_the_verdicts(values: list[float], reported: float, better: str, runs: int) -> None:
    with np.errstate(all="ignore"):
        judged = judge_figure(np.array(values, dtype=np.float64), Reported(reported, 0.5, better, runs))
    assert judged.verdict in VERDICTS
