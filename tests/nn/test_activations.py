"""Activations against SciPy, their own definitions and differences; extremes without a warning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from chainrule.errors import ConfigError
from chainrule.nn import ACTIVATIONS, activation
from chainrule.nn.activations import log1p_exp, stable_sigmoid
from chainrule.spec import spec_of

Z = np.array([[-3.0, -1.0, -0.25], [0.5, 1.5, 4.0]])
SPECS = [*ACTIVATIONS, "leaky_relu(0.2)", "elu(1.5)"]
FLOATS = st.floats(-700, 700)


def expected(spec: str) -> np.ndarray:
    """The definition, through SciPy where it has it."""
    table = {
        "sigmoid": special.expit(Z),
        "tanh": np.tanh(Z),
        "relu": np.where(Z > 0, Z, 0),
        "leaky_relu": np.where(Z > 0, Z, 0.01 * Z),
        "leaky_relu(0.2)": np.where(Z > 0, Z, 0.2 * Z),
        "elu": np.where(Z > 0, Z, np.exp(Z) - 1),
        "elu(1.5)": np.where(Z > 0, Z, 1.5 * (np.exp(Z) - 1)),
        "softplus": np.log(1 + np.exp(Z)),
        "silu": Z * special.expit(Z),
        "gelu": Z * (1 + special.erf(Z / math.sqrt(2))) / 2,
        "identity": Z,
        "softmax": special.softmax(Z, axis=-1),
    }
    return np.asarray(table[spec])


@pytest.mark.parametrize("spec", SPECS)
def test_forward_is_the_definition(spec: str) -> None:
    np.testing.assert_allclose(activation(spec).forward(Z), expected(spec), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("spec", SPECS)
def test_backward_is_the_vector_jacobian_product(spec: str) -> None:
    act, h = activation(spec), 1e-6
    dA = np.random.default_rng(3).normal(size=Z.shape)
    numeric = np.zeros_like(Z)
    for index in np.ndindex(Z.shape):
        step = np.zeros_like(Z)
        step[index] = h
        numeric[index] = np.sum(dA * (act.forward(Z + step) - act.forward(Z - step))) / (2 * h)
    np.testing.assert_allclose(act.backward(dA, Z, act.forward(Z)), numeric, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_finite_input_gives_finite_values_without_a_warning(spec: str, dtype: type[np.floating]) -> None:
    info = np.finfo(dtype)
    big = [0.0, 1.0, 30.0, 90.0, 700.0, 750.0, 1e5, 1e30, float(info.max), float(info.tiny), float(info.eps)]
    values = np.array([*big, *(-v for v in big)], dtype=dtype)
    act = activation(spec)
    rows = np.stack([values, values[::-1], np.zeros_like(values)])
    with np.errstate(all="raise"):
        A = act.forward(rows)
        dZ = act.backward(np.ones_like(rows), rows, A)
    assert np.isfinite(A).all()
    assert np.isfinite(dZ).all()
    assert A.dtype == dZ.dtype == dtype


@pytest.mark.parametrize("spec", SPECS)
def test_leading_axes_are_independent(spec: str) -> None:
    act = activation(spec)
    stack = np.random.default_rng(5).normal(size=(4, 3, 2))
    dA = np.random.default_rng(6).normal(size=(4, 3, 2))
    A = act.forward(stack)
    dZ = act.backward(dA, stack, A)
    for k in range(4):
        np.testing.assert_array_equal(A[k], act.forward(stack[k]))
        np.testing.assert_array_equal(dZ[k], act.backward(dA[k], stack[k], A[k]))


@given(FLOATS)
def test_sigmoid_is_symmetric(z: float) -> None:
    value = np.array([z])
    np.testing.assert_allclose(stable_sigmoid(-value), 1 - stable_sigmoid(value), rtol=0, atol=2**-53)


@given(FLOATS)
def test_softplus_differs_by_z_from_its_mirror(z: float) -> None:
    value = np.array([z])
    np.testing.assert_allclose(log1p_exp(value) - log1p_exp(-value), value, rtol=1e-15, atol=1e-15)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8))
def test_softmax_is_a_distribution(row: list[float]) -> None:
    A = activation("softmax").forward(np.array([row]))
    assert np.all(A >= 0)
    np.testing.assert_allclose(A.sum(axis=-1), 1, rtol=1e-15)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=8), st.floats(-50, 50))
def test_softmax_ignores_a_common_shift(row: list[float], shift: float) -> None:
    softmax = activation("softmax")
    np.testing.assert_allclose(
        softmax.forward(np.array([row])), softmax.forward(np.array([row]) + shift), rtol=1e-12, atol=1e-300
    )


def test_sigmoid_keeps_its_precision_in_the_tail() -> None:
    np.testing.assert_allclose(stable_sigmoid(np.array([-40.0, -700.0])), np.exp([-40.0, -700.0]), rtol=1e-15)


def test_nan_stays_nan() -> None:
    for name in ACTIVATIONS:
        assert np.isnan(activation(name).forward(np.array([[np.nan, np.nan]]))).all(), name


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_survives_the_round_trip(spec: str) -> None:
    part = activation(spec)
    assert activation(spec_of(part)) == part
    assert activation(part) is part


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sigmoyd", "did you mean 'sigmoid'"),
        ("leaky_relu(-1)", r"slope must lie in \[0, 1\]"),
        ("leaky_relu(nan)", r"slope must lie in \[0, 1\]"),
        ("elu(0)", "alpha must be positive"),
        ("elu(inf)", "alpha must be positive"),
        ("relu(1)", "at most 0 values"),
    ],
)
def test_bad_specs_say_what_is_wrong(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        activation(spec)


def test_a_number_is_no_activation() -> None:
    with pytest.raises(ConfigError, match="must be text"):
        activation(3)  # type: ignore[arg-type]
