"""Shares of variance between places drawn at random, against functions whose shares are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.errors import DataError, ShapeError
from chainrule.stats.drawn_importance import drawn_importance

Places = list[dict[str, object]]


def drawn(k: int, seed: int) -> tuple[Places, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Return places on three axes from 0 to 1, as mappings and as numbers (k, 3)."""
    x = np.random.default_rng(seed).random((k, 3))
    return [dict(zip("abc", row.tolist(), strict=True)) for row in x], x


def test_a_step_worked_by_hand() -> None:
    # 16 places, a value each: cells 0 to 3 succeed never, all others always, so ranges have means 0 1 1 1.
    # SSB = SST = 16 * 3/16 = 3 and no range has any scatter: the share is 1.
    places: Places = [{"rate": 0.1 * k, "kind": "ab"[k % 2]} for k in range(16)]
    found, left = drawn_importance(places, np.tile(np.arange(16) >= 4, (3, 1)), better="higher")
    assert left == {}
    assert found["rate"].share == pytest.approx(1.0)
    assert (found["rate"].ranges, found["rate"].n_values) == (4, 16)
    assert found["rate"].named("rate") == "rate (in 4 ranges)"
    # Both kinds have mean 3/4: SSB = 0, MSW = 3/14, so the share is below 0 and shown as 0.
    assert (found["kind"].share, found["kind"].low, found["kind"].ranges) == (0.0, 0.0, 0)
    assert found["kind"].high > 0.1
    assert math.isnan(found["rate"].total)
    assert found["rate"].part == found["rate"].share


def test_the_luck_of_the_draw_is_taken_off_worked_by_hand() -> None:
    # Ranges of 3 places with values 0 0 3, 1 1 4, 2 2 5, 3 3 6: means 1 2 3 4, SSB = 15, SSW = 4 * 6 = 24,
    # MSW = 24 / 8 = 3, SST = 39: (15 - 3 * 3) / 39.
    values = np.array([base + more for base in range(4) for more in (0, 0, 3)], float)
    found, _ = drawn_importance([{"rate": 0.1 * k, "one": 1} for k in range(12)], np.tile(values, (4, 1)))
    assert list(found) == ["rate"]
    assert found["rate"].share == pytest.approx(6 / 39)


def test_shares_of_an_additive_function_are_found_and_covered() -> None:
    # y = 3 a + b: variances 9/12 and 1/12; ranges of a quarter hold 15/16 of them: 27/32 and 3/32.
    truth, covered, shares = {"a": 27 / 32, "b": 3 / 32, "c": 0.0}, dict.fromkeys("abc", 0), []
    for seed in range(60):
        places, x = drawn(40, seed)
        noise = 0.5 * np.random.default_rng([seed, 1]).normal(size=(6, 40))
        found, _ = drawn_importance(places, 3 * x[:, 0] + x[:, 1] + noise, n_resamples=199)
        for axis, one in found.items():
            covered[axis] += one.low <= truth[axis] <= one.high
        shares.append([one.share for one in found.values()])
    assert np.mean(shares, axis=0) == pytest.approx(list(truth.values()), abs=0.04)
    assert min(covered.values()) >= 54


def test_axes_with_too_few_places_are_left_out_with_the_reason() -> None:
    acts = ["tanh", "relu", "elu", "gelu", "silu"]
    places: Places = [{"rate": 0.1 * k, "act": acts[k % 5], "wide": k < 5} for k in range(11)]
    found, left = drawn_importance(places, np.random.default_rng(0).normal(size=(4, 11)))
    assert list(found) == ["wide"]
    assert left == {
        "rate": "11 places drawn at random are too few for 4 ranges of its 11 values",
        "act": "11 places drawn at random are too few for 5 values",
    }


def test_nothing_to_explain_is_no_knowledge() -> None:
    places, _ = drawn(20, 0)
    found, _ = drawn_importance(places, np.ones((5, 20)))
    assert {(one.share, one.low, one.high) for one in found.values()} == {(0.0, 0.0, 1.0)}


def test_bad_input_is_refused_in_one_line() -> None:
    with pytest.raises(ShapeError):
        drawn_importance([{"a": 1}], np.zeros((3, 2)))
    with pytest.raises(DataError, match="two seeds"):
        drawn_importance([{"a": 1}, {"a": 2}], np.zeros((1, 2)))
