"""Variance components against hand-worked analyses of variance, textbook formulas and simulated truth."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats

from chainrule.errors import DataError, ShapeError
from chainrule.stats import crossed_components


def crossing(*levels: int) -> dict[str, list[int]]:
    """Return all combinations of levels of factors a, b, c, ..."""
    rows = list(itertools.product(*(range(n) for n in levels)))
    return {"abcdef"[i]: [row[i] for row in rows] for i in range(len(levels))}


def simulated(
    design: dict[str, list[int]], scales: Sequence[float], rest: float, rng: np.random.Generator, joint: float = 0.0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return normal values with these standard deviations of the factors, of a and b jointly, and of the rest."""
    places = [np.array(levels) for levels in design.values()]
    y = rest * rng.normal(size=len(places[0]))
    for scale, place in zip(scales, places, strict=True):
        y = y + scale * rng.normal(size=place.max() + 1)[place]
    both = places[0] * (places[1].max() + 1) + places[1]
    return np.asarray(y + joint * rng.normal(size=both.max() + 1)[both])


def test_two_factors_worked_by_hand() -> None:
    # init   split: 1  2  3   mean     SS init  = 3 (1 + 1) = 6, df 1, MS 6
    #   1           1  2  6    3       SS split = 2 (4 + 1 + 9) = 28, df 2, MS 14
    #   2           3  4  8    5       SS rest  = 34 - 6 - 28 = 0
    # mean          2  3  7    4
    design: dict[str, list[object]] = {"init": [1, 1, 1, 2, 2, 2], "split": ["x", "y", "z"] * 2}
    found = crossed_components(design, [1, 2, 6, 3, 4, 8])
    init, split = found.factors
    assert found.complete
    assert (found.mean, found.n, init.name, init.levels, split.levels) == (4.0, 6, "init", 2, 3)
    assert (init.estimate, split.estimate, found.remainder.estimate) == pytest.approx((6 / 3, 14 / 2, 0.0), abs=1e-12)
    assert (init.share, split.share) == pytest.approx((2 / 9, 7 / 9))
    # With 11 in place of 8 the rest is no longer 0, and is taken off the factors' mean squares.
    y = np.array([[1.0, 2, 6], [3, 4, 11]])
    squares = {
        "init": 3 * float(np.sum((y.mean(axis=1) - y.mean()) ** 2)),
        "split": 2 * float(np.sum((y.mean(axis=0) - y.mean()) ** 2)),
    }
    rest = (float(np.sum((y - y.mean()) ** 2)) - squares["init"] - squares["split"]) / 2
    other = crossed_components(design, y.ravel())
    assert other.remainder.estimate == pytest.approx(rest)
    assert other.factors[0].estimate == pytest.approx((squares["init"] - rest) / 3)
    assert other.factors[1].estimate == pytest.approx((squares["split"] / 2 - rest) / 2)


def test_a_negative_estimate_is_shown_as_nothing_and_said() -> None:
    found = crossed_components({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]}, [0.0, 1.0, 1.0, 0.0])
    a = found.factors[0]
    assert a.estimate == pytest.approx(-0.5)
    assert (a.variance, a.truncated, a.low) == (0.0, True, 0.0)
    assert found.remainder.share == 1.0


def test_one_factor_is_the_textbooks_one_way_analysis() -> None:
    # Unequal groups: n0 = (N - sum n_i^2 / N) / (a - 1) in place of the group size (Searle et al. 1992, 3.6).
    groups = [0] * 3 + [1] * 5 + [2] * 2
    y = np.random.default_rng(0).normal(size=10)
    found = crossed_components({"g": groups}, y)
    parts = [y[np.array(groups) == g] for g in range(3)]
    f, _ = scipy.stats.f_oneway(*parts)
    within = sum(float(np.sum((p - p.mean()) ** 2)) for p in parts) / 7
    n0 = (10 - (9 + 25 + 4) / 10) / 2
    assert not found.complete
    assert found.remainder.estimate == pytest.approx(within)
    assert found.factors[0].estimate == pytest.approx((f * within - within) / n0)
    ends = [7 * within / float(scipy.stats.chi2.ppf(tail, 7)) for tail in (0.975, 0.025)]
    assert [found.remainder.low, found.remainder.high] == pytest.approx(ends, rel=0.03)


@pytest.mark.parametrize("keep", [1.0, 0.6])
def test_known_components_are_found_on_average_and_the_intervals_cover(keep: float) -> None:
    design, truth = crossing(6, 5, 4), (1.0, 0.5, 0.0, 0.3)
    estimates, covered, rounds = [], np.zeros(4), 100
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        kept = np.flatnonzero(rng.random(120) < keep)
        y = simulated(design, np.sqrt(truth[:3]).tolist(), truth[3] ** 0.5, rng)[kept]
        found = crossed_components({name: [of[i] for i in kept] for name, of in design.items()}, y, n_draws=2000)
        parts = [*found.factors, found.remainder]
        estimates.append([part.estimate for part in parts])
        covered += [part.low <= true <= part.high for part, true in zip(parts, truth, strict=True)]
        assert found.complete == (keep == 1.0)
    error = np.std(estimates, axis=0) / rounds**0.5
    assert (np.abs(np.mean(estimates, axis=0) - truth) < 3.5 * error).all()
    assert (covered >= 89).all()  # 88 or fewer of 100 would be significantly below 95 %


def test_in_a_complete_crossing_interactions_belong_to_the_remainder() -> None:
    design, estimates = crossing(4, 4, 3), []
    for seed in range(150):
        y = simulated(design, (0.5, 0.0, 0.0), 0.3, np.random.default_rng(seed), joint=1.0)
        found = crossed_components(design, y, n_draws=10)
        estimates.append([part.estimate for part in (*found.factors, found.remainder)])
    error = np.std(estimates, axis=0) / 150**0.5
    assert (np.abs(np.mean(estimates, axis=0) - [0.25, 0.0, 0.0, 1.09]) < 3.5 * error).all()


def test_repeats_are_part_of_the_remainder() -> None:
    design = crossing(3, 3)
    twice = {name: levels * 2 for name, levels in design.items()}
    y = np.random.default_rng(1).normal(size=18)
    found = crossed_components(twice, y)
    table = y.reshape(2, 3, 3)
    rows, columns, cells = table.mean((0, 2)), table.mean((0, 1)), table.mean(0)
    joint = 2 * np.sum((cells - rows[:, None] - columns + y.mean()) ** 2) / 4
    error = np.sum((table - cells) ** 2) / 9
    assert found.factors[0].estimate == pytest.approx((6 * np.sum((rows - y.mean()) ** 2) / 2 - joint) / 6)
    assert found.remainder.estimate == pytest.approx((joint - error) / 2 + error)


def test_bad_designs_are_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="single level"):
        crossed_components({"a": [1, 1]}, [1.0, 2.0])
    with pytest.raises(DataError, match="cannot be told apart"):
        crossed_components({"a": [0, 0, 1, 1, 2, 2], "b": [0, 0, 1, 1, 2, 2]}, np.arange(6.0))
    with pytest.raises(DataError, match="too few"):
        crossed_components({"a": [0, 1, 2]}, [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="finite"):
        crossed_components({"a": [0, 0, 1]}, [1.0, 2.0, np.inf])
    with pytest.raises(DataError, match="at least one factor"):
        crossed_components({}, [1.0, 2.0])
    with pytest.raises(ShapeError):
        crossed_components({"a": [0, 1]}, [1.0, 2.0, 3.0])
