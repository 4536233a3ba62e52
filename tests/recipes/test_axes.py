"""Axes: ranges as a person would write them, conditions, keys that move together, and limits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.axes import MAX_CELLS, Axis, Cases, Zipped, holds, linear_range, log_range, places

LINEAR = [
    ((0.1, 0.5), {"step": 0.1}, [0.1, 0.2, 0.3, 0.4, 0.5]),
    ((0.1, 0.35), {"step": 0.1}, [0.1, 0.2, 0.3]),
    ((1, 10), {"count": 4}, [1, 4, 7, 10]),
    ((0.0, 1.0), {"count": 5}, [0.0, 0.25, 0.5, 0.75, 1.0]),
    ((-1.0, 1.0), {"count": 3}, [-1.0, 0.0, 1.0]),
    ((100, 500), {"step": 200}, [100, 300, 500]),
    ((0.7, 1.0), {"step": 0.1}, [0.7, 0.8, 0.9, 1.0]),
]


@pytest.mark.parametrize(("ends", "how", "values"), LINEAR)
def test_linear_ranges_are_the_decimal_numbers(ends: tuple[float, float], how: Any, values: list[float]) -> None:
    assert linear_range(*ends, **how) == values


LOGARITHMIC = [
    ((0.001, 1.0), {"per_decade": 1}, [0.001, 0.01, 0.1, 1.0]),
    ((0.001, 1.0), {"per_decade": 2}, [0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0]),
    ((0.01, 50.0), {"per_decade": 1}, [0.01, 0.1, 1.0, 10.0]),
    ((0.001, 1.0), {"count": 4}, [0.001, 0.01, 0.1, 1.0]),
    ((1, 64), {"count": 7}, [1, 2, 4, 8, 16, 32, 64]),
    ((1e-5, 3.0), {"count": 2}, [1e-5, 3.0]),
]


@pytest.mark.parametrize(("ends", "how", "values"), LOGARITHMIC)
def test_logarithmic_ranges_have_round_values(ends: tuple[float, float], how: Any, values: list[float]) -> None:
    assert log_range(*ends, **how) == values


ENDS = st.tuples(st.floats(1e-6, 1e6), st.floats(1.01, 1e6)).map(lambda pair: (pair[0], pair[0] * pair[1]))


@given(ends=ENDS, count=st.integers(2, 60))
def test_ranges_by_count_hold_their_ends_and_rise(ends: tuple[float, float], count: int) -> None:
    low, high = ends
    even = linear_range(low, high, count=count)
    assert len(even) == count
    assert even[0] == pytest.approx(low, rel=1e-11)
    assert even[-1] == pytest.approx(high, rel=1e-11)
    gaps = [b - a for a, b in itertools.pairwise(even)]
    assert max(gaps) == pytest.approx(min(gaps), rel=1e-4, abs=1e-11 * high)
    ratios = log_range(low, high, count=count)
    assert (ratios[0], ratios[-1], len(ratios)) == (low, high, count)
    wanted = (high / low) ** (1 / (count - 1))
    for k, value in enumerate(ratios):
        assert math.log(value) == pytest.approx(math.log(low) + k * math.log(wanted), abs=max(0.006, 1e-9))


@given(low=st.floats(1e-6, 1.0), decades=st.floats(0.5, 6.0), per_decade=st.integers(1, 20))
def test_a_wider_range_per_decade_keeps_the_values_it_had(low: float, decades: float, per_decade: int) -> None:
    """Widening an axis must ask for the same settings again, or nothing would be found in a store."""
    high = low * 10**decades
    if math.log10(high / low) * per_decade < 1:
        return
    narrow = log_range(low, high, per_decade=per_decade)
    wide = log_range(low, 20 * high, per_decade=per_decade)
    between = narrow[1:-1] if abs(narrow[-1] - high) < 1e-9 * high else narrow[1:]
    assert set(between) <= set(wide)


BAD = [
    ((1.0, 1.0), {"step": 0.1}, "from must be below to"),
    ((2.0, 1.0), {"count": 3}, "from must be below to"),
    ((0.0, math.inf), {"count": 3}, "finite"),
    ((0.0, 1.0), {"step": 0.0}, "step must be a number above 0"),
    ((0.0, 1.0), {"step": math.nan}, "step must be a number above 0"),
    ((0.0, 1.0), {"step": 5.0}, "single value"),
    ((0.0, 1.0), {"step": 1e-300}, "values; at most"),
    ((0.0, 1.0), {"count": 10**9}, "values; at most"),
]


@pytest.mark.parametrize(("ends", "how", "told"), BAD)
def test_impossible_ranges_say_why(ends: tuple[float, float], how: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        linear_range(*ends, **how)


def test_logarithmic_ranges_begin_above_zero() -> None:
    for low in (0.0, -1.0):
        with pytest.raises(ConfigError, match="begins above 0"):
            log_range(low, 1.0, count=3)
    with pytest.raises(ConfigError, match="values; at most"):
        log_range(1e-290, 1e290, per_decade=9999)


def test_values_too_close_for_three_digits_get_more() -> None:
    values = log_range(1.0, 1.01, count=11)
    assert values == sorted(set(values))
    assert len(values) == 11


def brute_force(axes: list[Axis], conditions: Mapping[str, Any]) -> set[frozenset[tuple[str, Any]]]:
    """The product of all axes, with what does not exist taken out of each place: another way to the same set."""
    found = set()
    for combination in itertools.product(*[axis.values for axis in axes]):
        place = dict(zip([axis.key for axis in axes], combination, strict=True))
        for axis in axes:  # later axes depend on earlier ones only
            if axis.only and not all(place.get(key) in wanted for key, wanted in axis.only.items()):
                del place[axis.key]
        found.add(frozenset(place.items()))
    return found


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    conditions=st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 15)), min_size=5, max_size=5),
)
def test_conditional_axes_agree_with_brute_force(sizes: list[int], conditions: list[tuple[bool, int, int]]) -> None:
    axes: list[Axis] = []
    for number, (size, (conditional, on, mask)) in enumerate(zip(sizes, conditions, strict=False)):
        only: dict[str, Any] = {}
        if conditional and axes:
            other = axes[on % len(axes)]
            wanted = [value for k, value in enumerate(other.values) if mask >> k & 1]
            only = {other.key: wanted} if wanted else {}
        axes.append(Axis(f"k{number}", tuple(f"k{number}v{k}" for k in range(size)), only))
    made = places(axes)
    assert len(made) == len(set(made))
    assert {frozenset(place) for place in made} == brute_force(axes, {})
    if not any(axis.only for axis in axes):
        assert len(made) == math.prod(sizes)


def test_without_conditions_the_last_axis_moves_fastest() -> None:
    made = places([Axis("a", (1, 2)), Zipped({"b": (3, 4), "c": ([5], [6])}), Cases(("x", "y"))])
    assert made[0] == (("a", 1), ("b", 3), ("c", (5,)), ("case", "x"))
    assert made[1] == (("a", 1), ("b", 3), ("c", (5,)), ("case", "y"))
    assert made[2][1:3] == (("b", 4), ("c", (6,)))
    assert len(made) == 2 * 2 * 2


def test_conditions_may_name_later_axes_and_the_case() -> None:
    made = places([Axis("beta", (0.5, 0.9), {"optimizer": "momentum"}), Axis("optimizer", ("sgd", "momentum"))])
    assert [dict(place).get("beta") for place in made] == [None, 0.5, 0.9]
    made = places([Axis("a", (1, 2), {"case": "x"}), Cases(("x", "y"))])
    assert len(made) == 3


CONDITIONS = [
    ([Axis("a", (1,), {"b": 2})], "unknown axis 'b'"),
    ([Axis("a", (1,), {"a": 1})], "cannot depend on itself"),
    ([Axis("a", (1, 2)), Axis("b", (1,), {"a": 3})], "3 is no value of that axis"),
    ([Axis("a", (1, 2)), Axis("b", (1,), {"a": [1, 3]})], "3 is no value of that axis"),
    ([Axis("a", (1,), {"b": 1}), Axis("b", (1,), {"a": 1})], "wait for one another"),
]


@pytest.mark.parametrize(("axes", "told"), CONDITIONS)
def test_conditions_that_cannot_hold_say_why(axes: list[Axis], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        places(axes)


def test_too_many_places_are_refused_before_they_are_made() -> None:
    long = Axis("a", tuple(range(MAX_CELLS)))
    assert len(places([long])) == MAX_CELLS
    with pytest.raises(ConfigError, match=f"{2 * MAX_CELLS:,} cells or more; at most {MAX_CELLS:,}"):
        places([long, Axis("b", (1, 2)), Axis("c", tuple(range(MAX_CELLS)))])


def test_a_selector_may_list_values() -> None:
    place = {"rate": 0.1, "hidden": (4, 4), "case": "x"}
    assert holds({}, place)
    assert holds({"rate": 0.1, "hidden": [4, 4]}, place)
    assert holds({"rate": [0.01, 0.1], "case": ["x"]}, place)
    assert not holds({"rate": [0.01, 1.0]}, place)
    assert not holds({"other": 1}, place)
