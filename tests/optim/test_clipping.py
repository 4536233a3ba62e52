"""Clipping keeps directions, bounds lengths and lets non-finite gradients through to the divergence guard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.errors import ConfigError
from chainrule.optim import clip_by_norm, clip_by_value

finite = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-1e3, 1e3))


def test_norm_by_hand() -> None:
    grad = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(clip_by_norm(grad, 1.0), [[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], rtol=1e-15)


@given(grad=finite, bound=st.floats(1e-3, 1e3))
def test_norm_is_bounded_direction_kept_and_short_gradients_untouched(grad: np.ndarray, bound: float) -> None:
    clipped = clip_by_norm(grad, bound)
    length = np.linalg.norm(grad, axis=1)
    for row, out, long in zip(grad, clipped, length, strict=True):
        if long <= bound * (1 - 1e-12):
            assert np.array_equal(out, row)
        elif long > bound:
            np.testing.assert_allclose(out, row * (bound / long), rtol=1e-12, atol=1e-300)


def test_huge_and_tiny_gradients_neither_overflow_nor_vanish() -> None:
    grad = np.array([[3e200, 4e200], [3e-200, 4e-200]])
    np.testing.assert_allclose(clip_by_norm(grad, 1.0), [[0.6, 0.8], [3e-200, 4e-200]], rtol=1e-14)
    np.testing.assert_allclose(clip_by_norm(grad[1:], 1e-200), [[0.6e-200, 0.8e-200]], rtol=1e-14)


def test_non_finite_gradients_come_back_as_they_are() -> None:
    grad = np.array([[np.nan, 5.0], [np.inf, 5.0], [3.0, 4.0]])
    clipped = clip_by_norm(grad, 1.0)
    assert np.array_equal(clipped[:2], grad[:2], equal_nan=True)
    np.testing.assert_allclose(clipped[2], [0.6, 0.8])
    assert np.array_equal(clip_by_value(grad, 2.0), [[np.nan, 2.0], [np.inf, 2.0], [2.0, 2.0]], equal_nan=True)


def test_value_by_hand_and_dtype() -> None:
    grad = np.array([[-3.0, 0.5, 2.0]], dtype=np.float32)
    clipped = clip_by_value(grad, 1.0)
    assert np.array_equal(clipped, [[-1.0, 0.5, 1.0]])
    assert clipped.dtype == clip_by_norm(grad, 1.0).dtype == np.float32


def test_a_member_is_clipped_alone_as_in_a_population_to_the_last_bit() -> None:
    grad = np.random.default_rng(2).normal(size=(29, 133))
    together = clip_by_norm(grad, 3.0)
    assert all(np.array_equal(clip_by_norm(grad[k : k + 1], 3.0)[0], together[k]) for k in range(29))


def test_networks_without_parameters_and_populations_without_members() -> None:
    assert clip_by_norm(np.zeros((2, 0)), 1.0).shape == (2, 0)
    assert clip_by_norm(np.zeros((0, 2)), 1.0).shape == (0, 2)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_bounds_are_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match="clip_norm must be above 0"):
        clip_by_norm(np.ones((1, 1)), bad)
    with pytest.raises(ConfigError, match="clip_value must be above 0"):
        clip_by_value(np.ones((1, 1)), bad)
