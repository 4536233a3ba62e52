"""Batch normalisation: by hand, its running averages, training against prediction, members, and wrong values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import train
from chainrule.data import Dataset
from chainrule.errors import ConfigError, ShapeError
from chainrule.nn import (
    Array,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    Network,
    Standardize,
    fix_statistics,
)
from chainrule.random import stream

ROOT3 = np.sqrt(3.0)


def params(gamma: Any, beta: Any, mean: Any = 0.0, variance: Any = 1.0) -> dict[str, Array]:
    values = {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
    return {key: np.array(value, dtype=float) * np.ones(np.shape(gamma)) for key, value in values.items()}


def drawn(*shape: int, members: int | None = None, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    shape = shape if members is None else (members, *shape)
    return {
        "gamma": rng.normal(size=shape),
        "beta": rng.normal(size=shape),
        "mean": rng.normal(size=shape),
        "variance": rng.uniform(0.5, 2, shape),
    }


# -- by hand ---------------------------------------------------------------------------------------------


def test_forward_and_backward_by_hand() -> None:
    # 1, 3, 5 have mean 3 and variance 8/3; eps = 1/3 makes s^2 = 3
    layer, weights = BatchNorm(eps=1 / 3, axes=0), params([2.0], [10.0])
    A = np.array([[1.0], [3.0], [5.0]])
    record = layer.forward(weights, A, training=True)
    np.testing.assert_allclose(record.Z, [[10 - 4 / ROOT3], [10], [10 + 4 / ROOT3]], rtol=1e-14)
    delta = np.array([[1.0], [0.0], [0.0]])
    dA, grads = layer.backward(weights, record, delta)
    np.testing.assert_allclose(grads["gamma"], [-2 / ROOT3], rtol=1e-14)
    np.testing.assert_array_equal(grads["beta"], [1.0])
    # dx^ = (2, 0, 0), its mean 2/3; x^ = (-2, 0, 2)/sqrt 3, mean of dx^ x^ = -4/(3 sqrt 3)
    wanted = np.array([2 - 2 / 3 - (-2) * (-4) / 9, -2 / 3, -2 / 3 - 2 * (-4) / 9]) / ROOT3
    np.testing.assert_allclose(dA[:, 0], wanted, rtol=1e-13)
    np.testing.assert_array_equal([grads["mean"], grads["variance"]], [[0.0], [0.0]])


def test_a_channel_is_normalised_over_samples_and_places() -> None:
    A = np.random.default_rng(0).normal(3, 5, (4, 5, 6, 2))
    Z = BatchNorm(eps=1e-12, axes=2).forward(params([1.0, 2.0], [0.0, -1.0]), A, training=True).Z
    np.testing.assert_allclose(Z.mean(axis=(0, 1, 2)), [0, -1], atol=1e-12)
    np.testing.assert_allclose(Z.std(axis=(0, 1, 2)), [1, 2], rtol=1e-10)
    rows = BatchNorm(eps=1e-12, axes=0).forward(params([1.0, 2.0], [0.0, -1.0]), A.reshape(-1, 2), training=True).Z
    np.testing.assert_array_equal(Z.reshape(-1, 2), rows)


def test_without_scale_and_shift_it_is_standardize() -> None:
    A, delta = np.random.default_rng(1).normal(size=(2, 7, 3))
    norm, plain = BatchNorm("tanh", axes=0), Standardize("tanh")
    weights = params(np.ones(3), np.zeros(3))
    record, wanted = norm.forward(weights, A, training=True), plain.forward({}, A)
    np.testing.assert_allclose(record.A, wanted.A, rtol=1e-13)
    dA, da = norm.input_gradient(weights, record, delta), plain.input_gradient({}, wanted, delta)
    np.testing.assert_allclose(dA, da, rtol=1e-11, atol=1e-14)


def test_one_sample_gives_beta_and_no_derivative() -> None:
    layer, weights = BatchNorm(axes=0), params([2.0, 3.0], [0.5, -0.5])
    record = layer.forward(weights, np.array([[7.0, -4.0]]), training=True)
    np.testing.assert_array_equal(record.Z, [[0.5, -0.5]])
    dA, grads = layer.backward(weights, record, np.ones((1, 2)))
    np.testing.assert_array_equal(dA, [[0.0, 0.0]])
    np.testing.assert_array_equal(grads["gamma"], [0.0, 0.0])
    np.testing.assert_array_equal(grads["beta"], [1.0, 1.0])
    averages = layer.running(weights, record)
    np.testing.assert_allclose(averages["mean"], [0.7, -0.4])
    np.testing.assert_allclose(averages["variance"], [0.9, 0.9])  # no n - 1 to divide by: the variance seen is 0


# -- running averages ------------------------------------------------------------------------------------


def test_running_averages_over_three_steps_by_hand() -> None:
    layer, weights = BatchNorm(momentum=0.5, axes=0), params([1.0], [0.0])
    batches = [[0.0, 2.0], [4.0, 8.0], [1.0, 1.0]]  # means 1, 6, 1; variances n/(n - 1) times 1, 4, 0: 2, 8, 0
    seen = []
    for batch in batches:
        record = layer.forward(weights, np.array(batch)[:, None], training=True)
        weights = weights | layer.running(weights, record)
        seen.append((weights["mean"].item(), weights["variance"].item()))
    # mean: 0 -> 1/2 -> 13/4 -> 17/8; variance: 1 -> 3/2 -> 19/4 -> 19/8
    assert seen == [(0.5, 1.5), (3.25, 4.75), (2.125, 2.375)]


def test_every_member_keeps_its_own_averages() -> None:
    layer, weights = BatchNorm(momentum=0.25, axes=1), drawn(2, members=3)
    A = np.random.default_rng(3).normal(size=(3, 4, 5, 2))
    together = layer.running(weights, layer.forward(weights, A, training=True))
    for k in range(3):
        own = {key: value[k] for key, value in weights.items()}
        alone = layer.running(own, layer.forward(own, A[k], training=True))
        rows = A[k].reshape(-1, 2)
        np.testing.assert_allclose(alone["mean"], 0.75 * own["mean"] + 0.25 * rows.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(
            alone["variance"], 0.75 * own["variance"] + 0.25 * rows.var(axis=0, ddof=1), rtol=1e-13
        )
        for key in ("mean", "variance"):
            np.testing.assert_array_equal(together[key][k], alone[key])


def test_training_sets_the_averages_to_the_data_and_the_optimizer_does_not() -> None:
    X = np.random.default_rng(2).normal(3, 2, (40, 2))
    network = Network((BatchNorm(momentum=1.0), Dense(None, None)))
    data = Dataset.from_arrays(X, (X[:, 0] > X[:, 1]).astype(int))
    runs = train(network, data, seeds=2, epochs=3, optimizer="adamw(0.1)", batch_size="full", validation=0.0)
    for run in runs:
        first = run.params[0]
        np.testing.assert_allclose(first["mean"], X.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(first["variance"], X.var(axis=0, ddof=1), rtol=1e-12)
        assert not np.array_equal(first["gamma"], np.ones(2))
        outputs = run.predict(X)
        np.testing.assert_allclose(run.predict(X[:1]), outputs[:1], rtol=1e-12)


# -- training and prediction -----------------------------------------------------------------------------


def test_prediction_uses_the_running_averages() -> None:
    layer, weights = BatchNorm(eps=1.0, axes=0), params([2.0], [1.0], mean=3.0, variance=8.0)
    A = np.array([[3.0], [6.0]])
    record = layer.forward(weights, A)
    np.testing.assert_array_equal(record.Z, [[1.0], [1 + 2 * 3 / 3]])
    # a sample's output does not depend on who is asked about with it
    np.testing.assert_array_equal(layer.forward(weights, A[1:]).Z, record.Z[1:])
    dA, grads = layer.backward(weights, record, np.array([[1.0], [3.0]]))
    np.testing.assert_allclose(dA, [[2 / 3], [2.0]])
    np.testing.assert_allclose(grads["gamma"], [3.0])
    np.testing.assert_array_equal(grads["beta"], [4.0])


def test_prediction_equals_training_when_the_averages_are_the_batch() -> None:
    layer, A = BatchNorm("sigmoid", momentum=1.0, axes=2), np.random.default_rng(4).normal(2, 3, (50, 4, 4, 2))
    weights = params([1.5, 0.5], [0.1, 0.2])
    record = layer.forward(weights, A, training=True)
    seen = layer.running(weights, record)
    weights = weights | seen | {"variance": seen["variance"] * (799 / 800)}  # of 800 numbers, without n / (n - 1)
    np.testing.assert_allclose(layer.forward(weights, A).A, record.A, rtol=1e-11)


def test_a_network_predicts_without_looking_at_the_batch() -> None:
    network = Network((Conv2D(3, 2), BatchNorm("relu"), Flatten(), Dense(2)), (5, 5, 1))
    weights = network.init(stream(0, "init"))
    X = np.random.default_rng(0).normal(size=(6, 5, 5, 1))
    alone = np.concatenate([network.predict(weights, x[None]) for x in X])
    np.testing.assert_allclose(network.predict(weights, X), alone, rtol=1e-12)
    assert not np.allclose(network.forward(weights, X, training=True).A, alone)
    assert network.has_running


def test_gradients_with_the_running_averages_are_those_of_central_differences() -> None:
    layer, weights = BatchNorm("tanh", axes=1), drawn(3)
    A, delta, step = np.random.default_rng(5).normal(size=(3, 4, 5, 3))
    record = layer.forward(weights, A)
    dA = layer.input_gradient(weights, record, layer.delta(record, delta))
    h = 1e-5
    numeric = np.sum((layer.forward(weights, A + h * step).A - layer.forward(weights, A - h * step).A) * delta) / (
        2 * h
    )
    assert np.sum(dA * step) == pytest.approx(numeric, rel=1e-8)


def test_fixing_the_statistics_of_others_leaves_the_averages() -> None:
    network = Network((Dense(3), BatchNorm("relu"), Dense(2)), (2,))
    weights = network.init(stream(0, "init"))
    forward = network.forward(weights, np.random.default_rng(0).normal(size=(5, 2)), training=True)
    assert fix_statistics(weights, forward)[1] == weights[1]


# -- members and float types -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("n", [1, 9])
def test_a_member_computes_the_same_alone_and_in_company(dtype: type[np.floating], shared: bool, n: int) -> None:
    layers = (
        BatchNorm(),
        Conv1D(3, 2, bias=False),
        BatchNorm("gelu"),
        Flatten(),
        Dense(4),
        BatchNorm("tanh"),
        Dense(2),
    )
    network = Network(layers, (6, 2))
    rng = np.random.default_rng(6)
    theta = rng.normal(size=(3, network.n_parameters)).astype(dtype)
    X = rng.normal(size=(*(() if shared else (3,)), n, 6, 2)).astype(dtype)
    Y = rng.normal(size=(*X.shape[:-2], 2)).astype(dtype)
    weights = network.unpack(theta)
    value, grads, forward = network.loss_and_gradients(weights, X, Y, "mse")
    after = network.running(weights, forward)
    dtypes = {array.dtype for table in (*grads, *after) for array in table.values()}
    assert dtypes == {value.dtype} == {np.dtype(dtype)}
    for k in range(3):
        x, y = (X, Y) if shared else (X[k], Y[k])
        own = network.unpack(theta[k].copy())
        value_alone, grads_alone, forward_alone = network.loss_and_gradients(own, x, y, "mse")
        np.testing.assert_array_equal(value[k], value_alone)
        np.testing.assert_array_equal(network.pack(grads)[k], network.pack(grads_alone))
        for table, alone in zip(after, network.running(own, forward_alone), strict=True):
            for key in table:
                np.testing.assert_array_equal(table[key][k], alone[key])


def test_numpy_numbers_do_not_widen_float32() -> None:
    weights = {key: value.astype(np.float32) for key, value in drawn(2).items()}
    A = np.ones((3, 2), np.float32)
    layers: list[Layer] = [
        BatchNorm(momentum=np.float64(0.5), eps=np.float64(0.1), axes=0), BatchNorm(momentum=1, eps=1, axes=0)
    ]  # fmt: skip
    for layer in layers:
        record = layer.forward(weights, A, training=True)
        arrays = [record.Z, *layer.running(weights, record).values(), layer.input_gradient(weights, record, A)]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert Standardize(eps=np.float64(0.1)).forward({}, A).Z.dtype == np.float32


def test_a_far_mean_does_not_cost_the_variance() -> None:
    """E[x^2] - E[x]^2 would lose every digit here: centre first."""
    A = (1e6 + np.array([0.0, 1.0, 2.0, 3.0])[:, None]).astype(np.float32)
    weights = {key: value.astype(np.float32) for key, value in params([1.0], [0.0]).items()}
    Z = BatchNorm(eps=1e-6, axes=0).forward(weights, A, training=True).Z
    np.testing.assert_allclose(Z[:, 0], np.array([-1.5, -0.5, 0.5, 1.5]) / np.sqrt(1.25), rtol=1e-5)


def test_many_float32_numbers_are_added_up_without_loss() -> None:
    A = np.maximum(np.random.default_rng(0).normal(1, 1, (64, 24, 24, 3)), 0).astype(np.float32)
    layer = BatchNorm(momentum=1.0, axes=2)
    weights = {key: value.astype(np.float32) for key, value in params(np.ones(3), np.zeros(3)).items()}
    seen = layer.running(weights, layer.forward(weights, A, training=True))
    exact = A.astype(np.float64).reshape(-1, 3)
    np.testing.assert_allclose(seen["mean"], exact.mean(axis=0), rtol=2e-7)
    np.testing.assert_allclose(seen["variance"], exact.var(axis=0, ddof=1), rtol=4e-7)


# -- description, trace, wrong values --------------------------------------------------------------------


def test_description_and_summary() -> None:
    network = Network((Conv2D(3, 2), BatchNorm("elu", 0.2, 1e-3), Flatten(), Dense(2)), (5, 5, 1))
    assert Network.from_description(json.loads(json.dumps(network.describe()))) == network
    row = network.summary().splitlines()[4]
    assert row.split()[:2] == ["batch_norm", "(n,"]
    assert row.endswith("elu         12  (gamma 3 + beta 3 + mean 3 + variance 3)")
    assert network.init(stream(0, "init"))[1]["variance"].tolist() == [1, 1, 1]


def test_a_trace_shows_the_derivatives_that_there_are() -> None:
    network = Network((Dense(3), BatchNorm("relu"), Dense(2)), (2,))
    weights = network.init(stream(0, "init"))
    X, Y = np.random.default_rng(0).normal(size=(2, 5, 2))
    trace = network.trace(weights, X, Y, "mse")
    assert [name for name in trace if name.startswith("d") and "batch_norm" in name] == [
        "dA1_batch_norm", "delta1_batch_norm", "dgamma1_batch_norm", "dbeta1_batch_norm"
    ]  # fmt: skip
    _, grads, _ = network.loss_and_gradients(weights, X, Y, "mse")
    np.testing.assert_array_equal(trace["dgamma1_batch_norm"], grads[1]["gamma"])


WRONG: Any = "of another type"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchNorm("rely"), "did you mean 'relu'"),
        (lambda: BatchNorm(momentum=0), r"batch_norm: momentum must lie in \(0, 1\], got 0"),
        (lambda: BatchNorm(momentum=1.5), "momentum must lie in"),
        (lambda: BatchNorm(momentum=True), "momentum must lie in"),
        (lambda: BatchNorm(momentum=float("nan")), "momentum must lie in"),
        (lambda: BatchNorm(eps=0), "batch_norm: eps must be positive and finite, got 0"),
        (lambda: BatchNorm(eps=float("inf")), "eps must be positive and finite, got inf"),
        (lambda: BatchNorm(eps=WRONG), "eps must be positive and finite, got 'of another type'"),
        (lambda: BatchNorm(axes=-1), "batch_norm: axes must be a whole number of at least 1, got -1"),
        (lambda: BatchNorm(axes=False), "batch_norm: axes must be a whole number of at least 1, got False"),
        (lambda: BatchNorm().forward(params([1.0], [0.0]), np.ones((2, 1))), r"still open: call network\.bind"),
    ],
)
def test_impossible_values(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_other_axes_than_it_was_made_for() -> None:
    with pytest.raises(
        ShapeError, match=r"batch_norm was made for inputs with spatial axes = 1, got features \(8, 8, 1\)"
    ):
        Network((BatchNorm(axes=1), Flatten(), Dense(2)), (8, 8, 1))
    with pytest.raises(ShapeError, match=r"standardize takes inputs of shape \(n, features\).*: use batch_norm for"):
        Network((Standardize(), Flatten(), Dense(2)), (8, 8, 1))
