"""Shares of variance against tables made by hand, where every share is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.errors import DataError, ShapeError
from chainrule.stats import axis_importance
from chainrule.stats.importance import no_importance

GRID = [{"rate": r, "hidden": h, "data": "xor"} for r in (0.1, 1.0, 10.0) for h in (2, 4)]


def test_an_additive_table_worked_by_hand() -> None:
    # rate gives -3, 0, 3 (mean square 6), hidden gives -1, 1 (mean square 1): shares 6/7 and 1/7, no interaction.
    cells = np.array([r + h for r in (-3, 0, 3) for h in (-1, 1)], float)
    found = axis_importance(GRID, np.tile(cells, (4, 1)))
    assert list(found) == ["rate", "hidden"]
    for axis, share in (("rate", 6 / 7), ("hidden", 1 / 7)):
        figures = found[axis]
        assert (figures.share, figures.total) == pytest.approx((share, share))
        assert figures.low < share < figures.high
        assert figures.total_low < share < figures.total_high
        assert figures.why == ""
    assert (found["rate"].n_values, found["hidden"].n_values) == (3, 2)


def test_an_interaction_worked_by_hand() -> None:
    # hidden matters only at the highest rate: cells 0 0 0 0 0 6 with mean 1, total sum of squares 30.
    # Rate means 0 0 3: 2 (1 + 1 + 4) = 12. Hidden means 0 2: 3 (1 + 1) = 6. Interaction 12.
    found = axis_importance(GRID, np.tile([0.0, 0, 0, 0, 0, 6], (3, 1)))
    assert (found["rate"].share, found["hidden"].share) == pytest.approx((12 / 30, 6 / 30))
    assert (found["rate"].total, found["hidden"].total) == pytest.approx((24 / 30, 18 / 30))


def test_what_all_cells_of_a_seed_share_does_not_count() -> None:
    cells = np.array([r + h for r in (-3, 0, 3) for h in (-1, 1)], float)
    found = axis_importance(GRID, cells + 100 * np.random.default_rng(0).normal(size=(5, 1)))
    assert found["rate"].share == pytest.approx(6 / 7)
    assert found["rate"].high - found["rate"].low < 1e-9  # no value repeats: how seeds scatter is seen


def test_seeds_that_agree_leave_doubt_that_shrinks_with_their_number() -> None:
    cells = np.array([0.0, 1, 1, 0, 1, 1])
    widths = []
    for n in (3, 10, 100):
        found = axis_importance(GRID, np.tile(cells, (n, 1)))
        widths.append([found[axis].high - found[axis].low for axis in ("rate", "hidden")])
        assert all(found[axis].total_low <= found[axis].total <= found[axis].total_high for axis in found)
    assert (np.diff(widths, axis=0) < 0).all()
    assert widths[-1][0] > 0.001
    assert widths[-1][1] > 0


@pytest.mark.parametrize("n", [6, 20])
def test_shares_of_success_rates_near_0_and_1_are_covered(n: int) -> None:
    rates = np.array([0.01, 0.15, 0.02, 0.9, 0.99, 0.99])  # means 0.08 0.46 0.99 and 0.34 0.68, their mean 0.51
    truth = 2 * (0.43**2 + 0.05**2 + 0.48**2) / np.sum((rates - 0.51) ** 2)
    covered = 0
    for seed in range(100):
        succeeded = np.random.default_rng([seed, n]).random((n, 6)) < rates
        rate = axis_importance(GRID, succeeded, better="higher", n_resamples=199)["rate"]
        covered += bool(rate.low <= truth <= rate.high)
    assert covered >= 90


def test_the_luck_of_the_seeds_is_taken_off_and_the_intervals_cover() -> None:
    # True shares 6/7 and 1/7 at a noise that would pull the plain shares visibly towards each other.
    cells = np.array([r + h for r in (-3, 0, 3) for h in (-1, 1)], float)
    shares, covered = [], 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        hidden = axis_importance(GRID, cells + 6 * rng.normal(size=(20, 6)), n_resamples=199)["hidden"]
        shares.append(hidden.share)
        covered += hidden.low <= 1 / 7 <= hidden.high
    assert np.mean(shares) == pytest.approx(1 / 7, abs=0.04)
    assert covered >= 88


def test_zipped_axes_share_and_follow_from_each_other() -> None:
    places = [{"rate": r, "decay": d, "hidden": h} for r, d in ((1, "a"), (2, "b")) for h in (2, 4)]
    found = axis_importance(places, np.tile([0.0, 1, 4, 5], (3, 1)))
    assert found["rate"].share == found["decay"].share == pytest.approx(16 / 17)
    assert found["rate"].total == found["decay"].total == 0.0
    assert "follows from the other axes" in found["rate"].why
    assert found["hidden"].total == pytest.approx(1 / 17)
    assert no_importance(places) == {}


def test_an_axis_with_a_value_a_cell_has_no_share() -> None:
    places = [{"rate": rate, "epochs": 10 * rate, "hidden": 2 + rate % 2} for rate in range(8)]
    assert list(no_importance(places)) == ["rate", "epochs"]
    assert "8 values in 8 cells" in no_importance(places)["rate"]
    assert list(axis_importance(places, np.random.default_rng(0).normal(size=(5, 8)))) == ["hidden"]
    assert no_importance([{"rate": rate} for rate in range(8)]) == {}  # one axis is a complete grid
    assert no_importance(GRID) == {}


def test_conditional_axes_and_holes() -> None:
    places: list[dict[str, object]] = [
        {"rule": "sgd"},
        {"rule": "momentum", "beta": 0.5},
        {"rule": "momentum", "beta": 0.9},
    ]
    found = axis_importance(places, np.tile([0.0, 3.0, 3.0], (4, 1)))
    assert found["rule"].share == pytest.approx(1.0)
    assert list(found) == ["rule"]
    assert "3 values in 3 cells" in no_importance(places)["beta"]
    hole = axis_importance(GRID[:-1], np.tile([0.0, 0, 1, 1, 2], (4, 1)))
    assert hole["rate"].share == pytest.approx(1.0)
    assert hole["hidden"].total == pytest.approx(0.0)
    assert "overlap" in hole["rate"].why


def test_nothing_to_explain() -> None:
    assert axis_importance([{"a": 1}, {"a": 1}], np.zeros((3, 2))) == {}
    flat = axis_importance([{"a": 1}, {"a": 2}], np.zeros((3, 2)))["a"]
    assert (flat.share, flat.low, flat.high, flat.total_low, flat.total_high) == (0.0, 0.0, 1.0, 0.0, 1.0)
    diverged = axis_importance([{"a": 1}, {"a": 2}], [[0.1, math.nan], [0.2, math.inf], [0.3, 0.5]])["a"]
    assert 0.0 <= diverged.low <= diverged.share <= diverged.high <= 1.0


def test_bad_input_is_refused_in_one_line() -> None:
    with pytest.raises(ShapeError):
        axis_importance([{"a": 1}], np.zeros((3, 2)))
    with pytest.raises(DataError, match="two seeds"):
        axis_importance([{"a": 1}, {"a": 2}], np.zeros((1, 2)))
