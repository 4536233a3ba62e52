"""The reports' points against their definitions, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import load
from chainrule.errors import ConfigError, DataError

# index, x1, x2, label: the 21 rows in the reports' order
XOR = [
    (0.0, 0.0, 0),
    (0.0, 1.0, 1),
    (0.1, 0.1, 0),
    (0.1, 0.9, 1),
    (0.2, 0.2, 0),
    (0.2, 0.8, 1),
    (0.3, 0.3, 0),
    (0.3, 0.7, 1),
    (0.4, 0.4, 0),
    (0.4, 0.6, 1),
    (0.5, 0.5, 0),
    (0.6, 0.6, 0),
    (0.6, 0.4, 1),
    (0.7, 0.7, 0),
    (0.7, 0.3, 1),
    (0.8, 0.8, 0),
    (0.8, 0.2, 1),
    (0.9, 0.9, 0),
    (0.9, 0.1, 1),
    (1.0, 1.0, 0),
    (1.0, 0.0, 1),
]


def test_xor_is_the_reports_21_points() -> None:
    data = load("xor").draw(0)
    np.testing.assert_allclose(np.column_stack((data.X, data.y)), XOR, atol=1e-15)
    assert data.task == "binary"
    assert data.fingerprint == load("xor").draw(5).fingerprint


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_linear_labels_say_which_coordinate_is_larger(seed: int) -> None:
    data = load("linear").draw(seed)
    assert data.X.shape == (100, 2)
    assert [int(label) for label in data.y] == [0 if x1 > x2 else 1 for x1, x2 in data.X]


def test_linear_with_an_offset_moves_the_boundary_off_the_origin() -> None:
    data = load("linear(n=50, offset=0.3)").draw(1)
    assert np.array_equal(data.X, load("linear(n=50)").draw(1).X)
    assert np.array_equal(data.y, [0 if x1 > x2 + 0.3 else 1 for x1, x2 in data.X])
    with pytest.raises(ConfigError, match="between -1 and 1"):
        load("linear(offset=1.5)")


def test_linear_is_uniform_on_the_unit_square() -> None:
    X = load("linear(n=20000)").draw(3).X
    assert X.min() >= 0
    assert X.max() < 1
    # standard errors of mean and variance of 20,000 uniform numbers: 0.002 and 0.0005
    np.testing.assert_allclose(X.mean(axis=0), 0.5, atol=0.01)
    np.testing.assert_allclose(X.var(axis=0), 1 / 12, atol=0.0025)
    assert abs(np.mean((X[:, 0] - 0.5) * (X[:, 1] - 0.5))) < 0.003  # standard error 0.0006


def test_a_draw_with_one_label_is_an_error() -> None:
    with pytest.raises(DataError, match=r"'linear\(n=1\)': all 1 labels are '[01]'"):
        load("linear(n=1)").draw(0)


def test_ellipse_labels_follow_the_quadratic_form() -> None:
    data = load("ellipse").draw(1)
    assert data.held_out is not None
    assert (data.n, data.held_out.n, data.n_outputs) == (60_000, 10_000, 2)
    for part in (data, data.held_out):
        x1, x2 = part.X.T
        # x' [[1, 0.5], [1, 0.2]] x, multiplied out
        np.testing.assert_array_equal(part.y, x1**2 + 1.5 * x1 * x2 + 0.2 * x2**2 > 0.6)
    np.testing.assert_allclose(np.cov(data.X.T), np.eye(2), atol=0.03)
    assert not set(map(tuple, data.X[:, :])) & set(map(tuple, data.held_out.X))


def test_ellipse_without_held_out() -> None:
    assert load("ellipse(n=50, held_out=0)").draw(1).held_out is None


@pytest.mark.parametrize("spec", ["linear", "ellipse(n=40, held_out=5)"])
def test_a_seed_is_a_draw(spec: str) -> None:
    source = load(spec)
    assert source.varies
    assert source.draw(4).fingerprint == load(spec).draw(4).fingerprint
    assert source.draw(4).fingerprint != source.draw(5).fingerprint


@pytest.mark.parametrize(
    "spec", ["linear(n=0)", "linear(n=-3)", "linear(n=1000000000000)", "ellipse(held_out=-1)", "ellipse(0)", "xor(3)"]
)
def test_impossible_sizes_name_the_value(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"xor|linear|ellipse"):
        load(spec)
