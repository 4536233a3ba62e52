"""Initializers: the variances of their papers, limits, orthogonality, repeatability."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError
from chainrule.nn import ACTIVATIONS, INITIALIZERS, default_initializer, initializer
from chainrule.random import stream
from chainrule.spec import spec_of

SPECS = [name if name != "constant" else "constant(0.5)" for name in INITIALIZERS]
FAN_IN, FAN_OUT = 300, 500
VARIANCES = {
    "normal": 1.0,
    "normal(0.3)": 0.09,
    "uniform": 1 / 3,
    "uniform(0, 2)": 1 / 3,
    "glorot_uniform": 2 / 800,
    "glorot_normal": 2 / 800,
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
    "lecun_uniform": 1 / 300,
    "lecun_normal": 1 / 300,
    "orthogonal": 1 / 500,
}


@pytest.mark.parametrize(("spec", "variance"), VARIANCES.items())
def test_variance_and_mean(spec: str, variance: float) -> None:
    W = initializer(spec).sample(stream(0, "init"), FAN_IN, FAN_OUT)
    assert W.shape == (FAN_IN, FAN_OUT)
    assert W.dtype == np.float64
    mean = 1.0 if spec == "uniform(0, 2)" else 0.0
    # 150,000 draws: the mean is within 5 standard errors, the variance within 2 %
    assert abs(W.mean() - mean) < 5 * math.sqrt(variance / W.size)
    assert np.mean((W - mean) ** 2) == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize(
    ("spec", "limit"), [("glorot_uniform", math.sqrt(6 / 800)), ("he_uniform", math.sqrt(6 / 300)), ("uniform", 1.0)]
)
def test_uniform_rules_reach_their_limit_and_stop_there(spec: str, limit: float) -> None:
    W = initializer(spec).sample(stream(1, "init"), FAN_IN, FAN_OUT)
    assert 0.999 * limit < np.abs(W).max() <= limit


def test_normal_rules_have_normal_tails() -> None:
    W = initializer("he_normal").sample(stream(2, "init"), FAN_IN, FAN_OUT) / math.sqrt(2 / FAN_IN)
    assert np.mean(np.abs(W) > 1.96) == pytest.approx(0.05, abs=0.003)


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.1, 3))
def test_orthogonal_rows_or_columns(fan_in: int, fan_out: int, gain: float) -> None:
    W = initializer(f"orthogonal({gain})").sample(stream(3, "init"), fan_in, fan_out)
    product = W.T @ W if fan_in >= fan_out else W @ W.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(fan_in, fan_out)), atol=1e-12)


def test_orthogonal_signs_are_not_the_algorithms() -> None:
    corners = [initializer("orthogonal").sample(stream(s, "init"), 1, 1).item() for s in range(40)]
    assert {-1.0, 1.0} == set(np.round(corners, 12))


def test_constants() -> None:
    np.testing.assert_array_equal(initializer("zeros").sample(stream(0, "init"), 2, 3), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializer("constant(-2)").sample(stream(0, "init"), 2, 3), np.full((2, 3), -2.0))


@pytest.mark.parametrize("spec", SPECS)
def test_equal_streams_give_equal_weights(spec: str) -> None:
    draw = initializer(spec)
    W = draw.sample(stream(5, "init"), 4, 3)
    np.testing.assert_array_equal(W, draw.sample(stream(5, "init"), 4, 3))
    if spec not in ("zeros", "constant(0.5)"):
        assert not np.array_equal(W, draw.sample(stream(6, "init"), 4, 3))


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_survives_the_round_trip(spec: str) -> None:
    assert initializer(spec_of(initializer(spec))) == initializer(spec)


def test_xavier_is_glorot() -> None:
    assert initializer("xavier_uniform") == initializer("glorot_uniform")
    assert spec_of(initializer("xavier_normal")) == "glorot_normal"


def test_the_default_suits_the_activation() -> None:
    names = {act: default_initializer(act).name for act in ACTIVATIONS}
    he = {"relu", "leaky_relu", "elu", "softplus", "silu", "gelu"}
    assert names == {act: "he_normal" if act in he else "glorot_uniform" for act in ACTIVATIONS}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("normall", "did you mean 'normal'"),
        ("normal(-1)", "std must be at least 0"),
        ("uniform(2, 1)", "low <= high"),
        ("uniform(-1e308, 1.7e308)", "finite"),
        ("constant", "needs a value for 'value'"),
        ("constant(nan)", "must be finite"),
        ("orthogonal(inf)", "must be finite"),
    ],
)
def test_bad_specs_say_what_is_wrong(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        initializer(spec)
