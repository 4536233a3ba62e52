"""Labels, numbers and axes: measured, moved apart, rounded and limited as a reader would want them."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from chainrule.report.figures._axes import drawable, limits
from chainrule.report.figures._layout import shorten, spread_out, text_width, wrap
from chainrule.report.numbers import aligned, number


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_labels_are_moved_apart_but_stay_within_and_in_order(places: list[float]) -> None:
    moved = np.array(spread_out(places, 0.1, 0.0, 1.0))
    assert (moved >= -1e-9).all()
    assert (moved <= 1 + 1e-9).all()
    assert (np.diff(np.sort(moved)) >= 0.1 - 1e-9).all()
    order = np.argsort(places, kind="stable")
    assert (np.diff(moved[order]) > 0).all()


def test_labels_with_room_do_not_move() -> None:
    assert spread_out([0.9, 0.1, 0.5], 0.1, 0.0, 1.0) == [0.9, 0.1, 0.5]


def test_text_is_measured_wrapped_and_shortened() -> None:
    assert text_width("WWW") > text_width("iii") > 0
    rows = wrap("one two three four five six seven eight nine ten", 1.0)
    assert " ".join(rows) == "one two three four five six seven eight nine ten"
    assert all(text_width(line) <= 1.0 for line in rows)
    assert len(wrap("word " * 50, 1.0, most=2)) == 2
    cut = shorten("a name that is much too long", 0.8)
    assert cut.endswith("…")
    assert text_width(cut) <= 0.8


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234.0, "1,234"),
        (15000.0, "15,000"),
        (-0.25, "−0.25"),
        (1e-4, "10⁻⁴"),
        (7.9244e-06, "7.92 × 10⁻⁶"),
        (-1e9, "−10⁹"),
        (9.9999e-5, "10⁻⁴"),
        (math.nan, "–"),
        (-math.inf, "−∞"),
    ],
)
def test_numbers_are_written_for_readers(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(width=64))
def test_any_number_can_be_written(value: float) -> None:
    assert number(value)
    assert aligned(np.array([[value, 1.0]]))[0]


def test_matrices_share_their_decimals() -> None:
    assert aligned(np.array([[1.0, -2.0]])) == ([["1", "−2"]], "")
    assert aligned(np.array([[0.5351, -1.25]])) == ([["0.535", "−1.250"]], "")
    assert aligned(np.array([[0.0123, 0.5]])) == ([["0.0123", "0.5000"]], "")
    assert aligned(np.array([[1.5e-7, -2e-8]])) == ([["1.500", "−0.200"]], "10⁻⁷")
    assert aligned(np.array([[0.0, np.nan]])) == ([["0", "–"]], "")


def test_limits_and_drawable_values() -> None:
    assert limits([np.array([np.nan])], False) == (0.0, 1.0)
    assert limits([np.array([0.0, -1.0])], True) == (0.1, 10.0)
    low, high = limits([np.array([1.0, 100.0])], True)
    assert 0.5 < low < 1.0
    assert 100.0 < high < 200.0
    np.testing.assert_array_equal(drawable(np.array([1.0, -1.0, 1e200, np.inf]), True), [1.0, np.nan, np.nan, np.nan])
