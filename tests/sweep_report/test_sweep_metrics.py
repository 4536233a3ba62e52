"""Metrics of a cell: medians by hand, intervals from order statistics, three kinds of values kept apart."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import binom, norm

from chainrule.errors import DataError
from chainrule.experiments.sweeps.metrics import (
    best_validation_values,
    best_values,
    better_of,
    last_values,
    median_of,
    middle,
    summarise_metric,
)
from chainrule.runs import Runs
from chainrule.stats import success_rate
from chainrule.stats.intervals import share_interval
from tests.sweep_report.made_up import Outcome, make_sweep, recipe_text

NOISY = {
    "loss": [0.9, 0.5, 0.1, 0.3],
    "accuracy": [0.4, 0.8, 0.9, 0.7],
    "validation_loss": [0.9, 0.4, 0.6, 0.8],
    "validation_accuracy": [0.3, 0.6, 0.95, 0.5],
}
FINAL = {"validation_loss": 0.8, "validation_accuracy": 0.5}


def one_cell(training: str = "", **more: object) -> Runs:
    """The runs of a single cell."""
    outcome = Outcome(accuracy=0.7, loss=0.3, history=NOISY, final=FINAL)
    text = recipe_text({}, training=training)
    return make_sweep(lambda place, seed: outcome, {}, range(6), text=text).cells[0].runs


def test_last_best_and_best_validation_are_kept_apart() -> None:
    runs = one_cell("validation = 0.25")
    assert set(last_values("validation_accuracy", runs)) == {0.5}
    assert set(best_values("validation_accuracy", runs)) == {0.95}
    assert set(best_validation_values("validation_accuracy", runs)) == {0.6}  # where the held-out loss was 0.4
    assert set(best_values("loss", runs)) == {0.1}
    assert set(best_validation_values("loss", runs)) == {0.5}
    told = summarise_metric("validation_accuracy", runs)
    assert told.better == "higher"
    assert told.best is not None
    assert told.best_validation is not None
    assert (told.last.median, told.best.median, told.best_validation.median) == (0.5, 0.95, 0.6)


def test_with_patience_the_last_value_is_the_last_row_not_that_of_the_weights_put_back() -> None:
    training = 'validation = 0.25\nstopping = ["patience(2)"]'
    text = recipe_text({}, training=training)
    outcome = Outcome(accuracy=0.8, loss=0.5, history=NOISY)
    runs = make_sweep(lambda place, seed: outcome, {}, [0], text=text).cells[0].runs
    assert runs[0].final["loss"] == 0.5
    assert last_values("loss", runs).tolist() == [0.3]


def test_without_a_history_there_is_only_the_last_value() -> None:
    runs = make_sweep(lambda place, seed: Outcome(), {}, [0, 1]).cells[0].runs
    told = summarise_metric("accuracy", runs)
    assert told.best is None
    assert told.best_validation is None


def test_a_diverged_run_has_no_loss_even_if_one_was_measured() -> None:
    outcome = Outcome(accuracy=0.5, diverged=True, final={"validation_loss": 1e300, "validation_accuracy": 0.5})
    runs = make_sweep(lambda place, seed: outcome, {}, [0]).cells[0].runs
    assert math.isnan(last_values("validation_loss", runs)[0])
    assert last_values("validation_accuracy", runs)[0] == 0.5


@pytest.mark.parametrize(
    ("key", "better"),
    [("loss", "lower"), ("validation_loss", "lower"), ("accuracy", "higher"), ("test_r2", "higher"), ("mae", "lower")],
)
def test_directions(key: str, better: str) -> None:
    assert better_of(key) == better


def test_the_interval_of_ten_values_is_the_second_smallest_to_the_second_largest() -> None:
    told = middle(np.arange(10.0)[::-1])
    assert (told.median, told.low, told.high, told.n, told.lost) == (4.5, 1.0, 8.0, 10, 0)
    assert 2 * binom.cdf(1, 10, 0.5) < 0.05 < 2 * binom.cdf(2, 10, 0.5)


def test_values_that_are_no_numbers_are_the_worst_there_is() -> None:
    values = np.array([0.1, 0.2, np.nan, np.nan, np.nan, np.nan])
    assert middle(values, "lower").median == math.inf
    assert middle(values, "higher").median == -math.inf
    assert middle(values, "lower").lost == 4
    assert middle(np.array([]), "lower").n == 0


def test_few_values_have_no_interval() -> None:
    assert not middle(np.arange(5.0)).bounded
    assert middle(np.arange(6.0)).bounded


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
def test_the_median_lies_among_the_values(values: list[float]) -> None:
    with np.errstate(over="ignore"):
        median = median_of(np.array(values))
    assert min(values) <= median <= max(values) or math.isnan(median) or math.isinf(median)


def test_intervals_where_seeds_were_added_by_need_are_wider() -> None:
    values = np.random.default_rng(3).permutation(np.linspace(0, 1, 40))
    plain, safe = middle(values), middle(values, anytime=True)
    assert safe.low < plain.low < plain.high < safe.high


def agresti_coull(successes: int, n: int) -> tuple[float, float]:
    """The binomial interval, as its authors write it."""
    z = norm.ppf(0.975)
    tries = n + z**2
    p = (successes + z**2 / 2) / tries
    return p - z * math.sqrt(p * (1 - p) / tries), p + z * math.sqrt(p * (1 - p) / tries)


def test_the_interval_of_shares_is_exact_for_single_tries_and_agresti_and_coulls_otherwise() -> None:
    exact = success_rate(7, 10)
    one = share_interval([1.0] * 7 + [0.0] * 3)
    assert (one.low, one.high) == (exact.low, exact.high)
    nearly = share_interval([1.0 - 1e-9] * 7 + [0.0] * 3)
    assert (nearly.low, nearly.high) == pytest.approx(agresti_coull(7, 10), abs=1e-6)
    with pytest.raises(DataError, match="between 0 and 1"):
        share_interval([0.5, 1.5])


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("rates", [(0.01,) * 4, (0.02, 0.02, 0.98), (0.9, 0.95, 0.99), (0.5,) * 3, (0.0, 0.0, 0.3)])
@pytest.mark.parametrize("n", [6, 12, 30])
def test_the_interval_of_shares_covers_the_mean(n: int, rates: tuple[float, ...], together: bool) -> None:
    """Cells of one seed succeed together or by themselves: the interval holds in both cases."""
    rng = np.random.default_rng(n)
    tries = rng.random((1000, n, 1 if together else len(rates)))
    shares = (tries < np.array(rates)).mean(axis=2)
    found = [share_interval(row) for row in shares]
    covered = np.mean([one.low <= np.mean(rates) <= one.high for one in found])
    assert covered >= 0.91
