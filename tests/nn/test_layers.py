"""Dense, Dropout and Standardize: worked numbers, laws and bad values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn import Dense, Dropout, Standardize
from chainrule.random import stream


def test_dense_forward_and_backward_by_hand() -> None:
    layer = Dense(2, "relu")
    params = {"W": np.array([[1.0, 2.0], [3.0, -4.0]]), "b": np.array([0.5, -1.0])}
    record = layer.forward(params, np.array([[1.0, 1.0], [2.0, 0.0]]))
    np.testing.assert_array_equal(record.Z, [[4.5, -3.0], [2.5, 3.0]])
    np.testing.assert_array_equal(record.A, [[4.5, 0.0], [2.5, 3.0]])
    delta = layer.delta(record, np.array([[1.0, 1.0], [-1.0, 2.0]]))
    np.testing.assert_array_equal(delta, [[1.0, 0.0], [-1.0, 2.0]])
    dA_in, grads = layer.backward(params, record, delta)
    np.testing.assert_array_equal(grads["W"], [[1 - 2, 0 + 4], [1, 0]])
    np.testing.assert_array_equal(grads["b"], [0.0, 2.0])
    np.testing.assert_array_equal(dA_in, [[1.0, 3.0], [-1 + 4, -3 - 8]])


def test_dense_penalty_by_hand() -> None:
    layer = Dense(2, l1=0.1, l2=0.4)
    params = {"W": np.array([[1.0, -2.0], [0.0, 3.0]]), "b": np.array([100.0, 100.0])}
    assert layer.penalty(params) == pytest.approx(0.1 * 6 + 0.2 * 14)
    np.testing.assert_allclose(layer.penalty_gradient(params)["W"], [[0.1 + 0.4, -0.1 - 0.8], [0.0, 0.1 + 1.2]])
    assert layer.penalised
    assert not Dense(2).penalised
    assert Dense(2).penalty(params) == 0
    assert Dense(2).penalty_gradient(params) == {}


def test_dense_penalty_has_one_value_a_member() -> None:
    layer = Dense(2, l1=0.1, l2=0.4)
    W = np.random.default_rng(0).normal(size=(3, 4, 2))
    values = np.asarray(layer.penalty({"W": W}))
    assert [layer.penalty({"W": w}) for w in W] == list(values)


def test_dense_without_bias_has_no_b() -> None:
    layer = Dense(3, bias=False)
    assert layer.parameter_shapes((2,)) == {"W": (2, 3)}
    params = layer.init(stream(0, "init"), (2,))
    assert list(params) == ["W"]
    record = layer.forward(params, np.ones((4, 2)))
    assert list(layer.parameter_gradients(params, record, np.ones((4, 3)))) == ["W"]


def test_dense_initialises_as_told() -> None:
    params = Dense(3, "relu", weight_init="constant(2)", bias_init="constant(0.1)").init(stream(0, "init"), (2,))
    np.testing.assert_array_equal(params["W"], np.full((2, 3), 2.0))
    np.testing.assert_array_equal(params["b"], np.full(3, 0.1))
    W = Dense(400, "relu").init(stream(0, "init"), (300,))["W"]
    assert W.var() == pytest.approx(2 / 300, rel=0.02)  # He, by default


def test_specs_are_kept_in_their_canonical_form() -> None:
    assert Dense(4, "leaky_relu(0.01)") == Dense(4, "leaky_relu")
    assert Dense(4, weight_init="xavier_uniform") == Dense(4, weight_init="glorot_uniform()")
    assert Dense(np.int64(4)) == Dense(4)  # type: ignore[arg-type]
    assert Standardize("elu(alpha=1)") == Standardize("elu")


def test_dropout_keeps_the_expectation() -> None:
    A = np.ones((2000, 50))
    record = Dropout(0.3).forward({}, A, stream(0, "dropout"))
    kept = record.A > 0
    np.testing.assert_allclose(record.A[kept], 1 / 0.7)
    # 100,000 units: the share kept is within 5 standard errors of 0.7
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.7 * 0.3 / kept.size)


def test_dropout_at_inference_or_with_rate_zero_changes_nothing() -> None:
    A = np.ones((3, 2))
    for layer, rng in ((Dropout(0.5), None), (Dropout(0.0), stream(0, "dropout"))):
        record = layer.forward({}, A, rng)
        assert record.A is A
        assert record.mask is None
        assert layer.input_gradient({}, record, A) is A


def test_dropout_sends_gradients_the_way_the_signal_went() -> None:
    A = np.random.default_rng(0).normal(size=(5, 4))
    layer = Dropout(0.5)
    record = layer.forward({}, A, stream(1, "dropout"))
    assert record.mask is not None
    np.testing.assert_array_equal(record.A, A * record.mask)
    np.testing.assert_array_equal(layer.input_gradient({}, record, np.ones((5, 4))), record.mask)


def test_dropout_masks_belong_to_the_member_and_not_to_the_float_type() -> None:
    A = np.ones((3, 5, 4))
    masks = Dropout(0.5).forward({}, A, [stream(s, "dropout") for s in range(3)]).mask
    assert masks is not None
    for s in range(3):
        alone = Dropout(0.5).forward({}, A[0].astype(np.float32), stream(s, "dropout")).mask
        assert alone is not None
        assert alone.dtype == np.float32
        np.testing.assert_array_equal(masks[s], alone)
    assert not np.array_equal(masks[0], masks[1])


def test_dropout_needs_a_generator_for_each_member() -> None:
    with pytest.raises(ShapeError, match=r"2 dropout generators do not fit activations of shape \(3, 5, 4\)"):
        Dropout(0.5).forward({}, np.ones((3, 5, 4)), [stream(s, "dropout") for s in range(2)])


def test_standardize_gives_mean_zero_and_variance_one() -> None:
    A = np.random.default_rng(0).normal(3, 5, (40, 3))
    Z = Standardize(eps=1e-12).forward({}, A).Z
    np.testing.assert_allclose(Z, (A - A.mean(axis=0)) / A.std(axis=0), rtol=1e-12)


def test_standardize_of_one_sample_is_zero_with_zero_derivative() -> None:
    layer = Standardize("sigmoid")
    record = layer.forward({}, np.array([[3.0, -7.0]]))
    np.testing.assert_array_equal(record.Z, [[0.0, 0.0]])
    np.testing.assert_array_equal(record.A, [[0.5, 0.5]])
    np.testing.assert_array_equal(layer.input_gradient({}, record, np.ones((1, 2))), [[0.0, 0.0]])


def test_standardize_undoes_shift_and_scale() -> None:
    A = np.random.default_rng(1).normal(size=(10, 2))
    layer = Standardize(eps=1e-12)
    np.testing.assert_allclose(layer.forward({}, 4 * A + 7).Z, layer.forward({}, A).Z, rtol=1e-9)


@pytest.mark.parametrize("layer", [Dense(3, "gelu", l1=0.1, l2=0.1), Dropout(0.5), Standardize("elu")])
def test_float32_stays_float32(layer: Dense | Dropout | Standardize) -> None:
    params = {key: value.astype(np.float32) for key, value in layer.init(stream(0, "init"), (4,)).items()}
    A_in = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    record = layer.forward(params, A_in, stream(0, "dropout"))
    delta = layer.delta(record, np.ones_like(record.A))
    dA_in, grads = layer.backward(params, record, delta)
    arrays = [record.Z, record.A, delta, dA_in, *grads.values(), *layer.penalty_gradient(params).values()]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
    if params:
        assert np.asarray(layer.penalty(params)).dtype == np.float32


WRONG: Any = "of another type"
HALF: Any = 2.5
NONE: Any = None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "units must be a whole number of at least 1, got 0"),
        (lambda: Dense(-3), "units must be"),
        (lambda: Dense(HALF), "units must be"),
        (lambda: Dense(True), "units must be"),
        (lambda: Dense(WRONG), "units must be"),
        (lambda: Dense(2, "sigmoyd"), "did you mean 'sigmoid'"),
        (lambda: Dense(1, "softmax"), "softmax over 1 unit"),
        (lambda: Dense(2, bias=WRONG), "bias must be true or false"),
        (lambda: Dense(2, weight_init="he"), "unknown initializer 'he'"),
        (lambda: Dense(2, bias_init=NONE), "initializer must be text"),
        (lambda: Dense(2, l1=-0.1), "l1 must be a finite number of at least 0"),
        (lambda: Dense(2, l2=float("nan")), "l2 must be"),
        (lambda: Dense(2, l2=WRONG), "l2 must be"),
        (lambda: Dropout(1), r"rate must lie in \[0, 1\)"),
        (lambda: Dropout(-0.1), "rate must lie in"),
        (lambda: Dropout(WRONG), "rate must lie in"),
        (lambda: Standardize(eps=0), "eps must be positive"),
        (lambda: Standardize("sigmoyd"), "did you mean 'sigmoid'"),
    ],
)
def test_impossible_values_name_the_key_and_the_range(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_dense_layer_takes_one_feature_axis() -> None:
    with pytest.raises(ShapeError, match=r"got features \(28, 28, 1\)"):
        Dense(3).output_shape((28, 28, 1))


def test_an_open_layer_says_to_bind() -> None:
    with pytest.raises(ConfigError, match=r"call network\.bind"):
        Dense(None).output_shape((2,))
    with pytest.raises(ConfigError, match=r"call network\.bind"):
        _ = Dense(3, None).act
