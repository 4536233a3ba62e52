"""Networks: binding, packing, forward and backward, description, and errors that name both shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn import Dense, Dropout, Layer, LayerRecord, Network, Standardize, mlp
from chainrule.random import stream

ARCHITECTURES = st.builds(
    mlp,
    hidden=st.lists(st.integers(1, 5), max_size=3),
    activation=st.sampled_from(["sigmoid", "tanh", "relu", "leaky_relu(0.2)", "gelu"]),
    output=st.sampled_from([None, "sigmoid", "identity"]),
    bias=st.booleans(),
    l2=st.sampled_from([0.0, 0.01]),
    dropout=st.sampled_from([0.0, 0.25]),
    normalize=st.booleans(),
)


def xor_network() -> Network:
    return mlp([2], activation="relu", output="identity", units=1).bind(2)


def xor_params() -> tuple[dict[str, np.ndarray], ...]:
    """The classical exact solution of xor: h = relu(x1 + x2), relu(x1 + x2 - 1); y = h1 - 2 h2."""
    return (
        {"W": np.array([[1.0, 1.0], [1.0, 1.0]]), "b": np.array([0.0, -1.0])},
        {"W": np.array([[1.0], [-2.0]]), "b": np.array([0.0])},
    )


def test_a_network_computes_what_its_weights_say() -> None:
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_array_equal(xor_network().predict(xor_params(), X), [[0.0], [1.0], [1.0], [0.0]])


def test_loss_and_gradients_by_hand() -> None:
    # one sample (1, 1) with target 1: h = (2, 1), z = 2 - 2 = 0, residual -1
    value, grads, forward = xor_network().loss_and_gradients(xor_params(), [[1.0, 1.0]], [[1.0]], "mse")
    assert value == 1.0
    np.testing.assert_array_equal(forward.Z, [[0.0]])
    np.testing.assert_array_equal(grads[1]["W"], [[-4.0], [-2.0]])  # 2 r h
    np.testing.assert_array_equal(grads[1]["b"], [-2.0])
    np.testing.assert_array_equal(grads[0]["W"], [[-2.0, 4.0], [-2.0, 4.0]])  # 2 r v x
    np.testing.assert_array_equal(grads[0]["b"], [-2.0, 4.0])


def test_penalties_are_added_to_loss_and_gradient() -> None:
    plain, penalised = mlp([3]).bind(2, 1, "sigmoid"), mlp([3], l1=0.1, l2=0.2).bind(2, 1, "sigmoid")
    params = plain.init(stream(0, "init"))
    X, Y = np.array([[0.2, 0.4], [-1.0, 2.0]]), np.array([[1.0], [0.0]])
    value, grads, _ = plain.loss_and_gradients(params, X, Y, "mse")
    value_p, grads_p, _ = penalised.loss_and_gradients(params, X, Y, "mse")
    W = [params[0]["W"], params[1]["W"]]
    assert value_p == pytest.approx(value + sum(0.1 * np.abs(w).sum() + 0.1 * (w**2).sum() for w in W))
    for i in (0, 1):
        np.testing.assert_allclose(grads_p[i]["W"], grads[i]["W"] + 0.1 * np.sign(W[i]) + 0.2 * W[i])
        np.testing.assert_array_equal(grads_p[i]["b"], grads[i]["b"])


def test_gradients_of_a_forward_pass_already_made() -> None:
    network = mlp([3], dropout=0.5, l2=0.1).bind(2, 1, "sigmoid")
    params = network.init(stream(0, "init"))
    X, Y = np.array([[0.2, 0.4], [-1.0, 2.0]]), np.array([[1.0], [0.0]])
    value, grads, _ = network.loss_and_gradients(params, X, Y, "mse", dropout=stream(1, "dropout"))
    again, same = network.gradients(params, network.forward(params, X, stream(1, "dropout")), Y, "mse")
    assert again == value
    np.testing.assert_array_equal(network.pack(same), network.pack(grads))
    assert network.has_dropout
    assert not mlp([3]).has_dropout


def test_binding_fills_what_was_left_open() -> None:
    network = mlp([4, 3])
    assert not network.bound
    bound = network.bind(2, 1, "sigmoid")
    assert bound.bound
    assert bound.layers[-1] == Dense(1, "sigmoid")
    assert bound.shapes == ((2,), (4,), (3,), (1,))
    assert bound.n_parameters == (2 * 4 + 4) + (4 * 3 + 3) + (3 * 1 + 1)
    assert bound.bind(2, 1, "softmax") == bound  # nothing is open any more
    assert mlp([4], output="tanh", units=2).bind(3).output_activation.name == "tanh"


def test_binding_to_other_data_names_both_shapes() -> None:
    bound = mlp([4]).bind(2, 1, "sigmoid")
    with pytest.raises(ShapeError, match=r"inputs of shape \(2,\), the data have \(3,\)"):
        bound.bind(3, 1)
    with pytest.raises(ShapeError, match=r"outputs of shape \(1,\), the targets have \(2,\)"):
        bound.bind(2, 2)


def test_an_unbound_network_says_to_bind() -> None:
    for use in (
        lambda: mlp([4]).n_parameters,
        lambda: mlp([4]).init(stream(0, "init")),
        lambda: mlp([4]).summary(),
        lambda: mlp([4]).bind(2).n_parameters,
        lambda: mlp([4]).output_activation,
    ):
        with pytest.raises(ConfigError, match="bind"):
            use()


def test_mlp_builds_what_it_says() -> None:
    assert mlp([3, 2], "tanh", "sigmoid", units=1, bias=False, weight_init="normal").layers == (
        Dense(3, "tanh", bias=False, weight_init="normal"),
        Dense(2, "tanh", bias=False, weight_init="normal"),
        Dense(1, "sigmoid", bias=False, weight_init="normal"),
    )
    assert mlp([3], "relu", dropout=0.5).layers == (Dense(3, "relu"), Dropout(0.5), Dense(None, None))
    assert mlp([3], "relu", normalize=True).layers == (
        Dense(3, "identity", weight_init="he_normal"),  # the draw still suits the activation that follows
        Standardize("relu"),
        Dense(None, None),
    )
    assert mlp().layers == (Dense(None, None),)


@given(ARCHITECTURES, st.integers(1, 3), st.integers(1, 2), st.integers(0, 10**6))
def test_pack_and_unpack_are_inverse(network: Network, d: int, k: int, seed: int) -> None:
    bound = network.bind(d, k, "identity")
    params = bound.init(stream(seed, "init"))
    theta = bound.pack(params)
    assert theta.shape == (bound.n_parameters,)
    again = bound.unpack(theta)
    for layer, copy in zip(params, again, strict=True):
        assert list(layer) == list(copy)
        for key, array in layer.items():
            np.testing.assert_array_equal(array, copy[key])
    population = np.stack([theta, -theta, 2 * theta])
    views = bound.unpack(population)
    np.testing.assert_array_equal(bound.pack(views), population)
    for slot in bound.slots:
        view = views[slot.layer][slot.key]
        assert view.shape == (3, *slot.shape)
        assert np.shares_memory(view, population)


def test_writing_to_theta_writes_to_the_weights() -> None:
    network = mlp([2]).bind(2, 1, "sigmoid")
    theta = np.zeros((3, network.n_parameters), dtype=np.float32)
    params = network.unpack(theta)
    theta += 1
    assert all((array == 1).all() and array.dtype == np.float32 for layer in params for array in layer.values())


def test_slots_cover_theta_once_in_order() -> None:
    network = mlp([4, 3], dropout=0.1).bind(2, 1, "sigmoid")
    assert [(s.layer, s.key, s.shape) for s in network.slots] == [
        (0, "W", (2, 4)), (0, "b", (4,)), (2, "W", (4, 3)), (2, "b", (3,)), (4, "W", (3, 1)), (4, "b", (1,))
    ]  # fmt: skip
    covered = np.concatenate([np.arange(network.n_parameters)[s.slice] for s in network.slots])
    np.testing.assert_array_equal(covered, np.arange(network.n_parameters))


@given(ARCHITECTURES, st.booleans())
def test_a_description_survives_json(network: Network, bound: bool) -> None:
    network = network.bind(3, 2, "sigmoid") if bound else network
    assert Network.from_description(json.loads(json.dumps(network.describe()))) == network


def test_summary_counts_parameters() -> None:
    text = mlp([4], "tanh", dropout=0.2).bind(2, 3, "softmax").summary()
    lines = [line.split() for line in text.splitlines()]
    assert lines[2] == ["input", "(n,", "2)", "0"]
    assert lines[3] == ["dense", "(n,", "4)", "tanh", "12", "(W", "2", "x", "4", "+", "b", "4)"]
    assert lines[4] == ["dropout", "(n,", "4)", "0"]
    assert lines[5][:5] == ["dense", "(n,", "3)", "softmax", "15"]
    assert lines[-1] == ["total", "27"]
    assert len({line.index("output") for line in text.splitlines()[:1]}) == 1


def test_equal_seeds_give_equal_weights() -> None:
    network = mlp([4, 3]).bind(2, 1, "sigmoid")
    first, second = network.pack(network.init(stream(1, "init"))), network.pack(network.init(stream(1, "init")))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((5, 3)), r"samples of shape \(n, 2\), got \(5, 3\)"),
        (np.ones(2), r"samples of shape \(n, 2\), got \(2,\)"),
        (np.ones((1, 1, 5, 2)), r"samples of shape \(n, 2\), got \(1, 1, 5, 2\)"),
        (np.ones((4, 5, 2)), r"samples of shape \(4, 5, 2\) do not fit weights with member axis \(3,\)"),
    ],
)
def test_samples_that_do_not_fit_are_named(X: np.ndarray, message: str) -> None:
    network = mlp([4]).bind(2, 1, "sigmoid")
    params = network.unpack(np.zeros((3, network.n_parameters)))
    with pytest.raises(ShapeError, match=message):
        network.forward(params, X)


def test_weights_that_do_not_fit_are_named() -> None:
    network, other = mlp([4]).bind(2, 1, "sigmoid"), mlp([5, 5]).bind(2, 1, "sigmoid")
    with pytest.raises(ShapeError, match="parameters of shape \\(3,\\) do not fit a network of 17 weights"):
        network.unpack(np.zeros(3))
    with pytest.raises(ShapeError, match="weights for 3 layers do not fit a network of 2 layers"):
        network.forward(other.init(stream(0, "init")), np.ones((1, 2)))
    with pytest.raises(ShapeError, match=r"W of layer 0 has shape \(2, 5\), expected \(2, 4\)"):
        network.pack(other.init(stream(0, "init")))
    with pytest.raises(ShapeError, match="no b for layer 0"):
        network.pack(mlp([4], bias=False).bind(2, 1, "sigmoid").init(stream(0, "init")))


def test_dropout_generators_must_match_the_member_axis() -> None:
    network = mlp([4], dropout=0.5).bind(2, 1, "sigmoid")
    theta = np.zeros((3, network.n_parameters))
    with pytest.raises(ShapeError, match=r"member axis \(\) do not fit weights with member axis \(3,\)"):
        network.forward(network.unpack(theta), np.ones((5, 2)), stream(0, "dropout"))
    with pytest.raises(ShapeError, match=r"member axis \(1,\) do not fit weights with member axis \(\)"):
        network.forward(network.unpack(theta[0]), np.ones((5, 2)), [stream(0, "dropout")])


WRONG: Any = "of another type"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network(()), "at least one layer"),
        (lambda: Network((Dense(2), Dropout(0.5))), "dropout cannot be the last layer"),
        (lambda: Network((Dense(None), Dense(2))), "only the last layer may leave"),
        (lambda: Network((WRONG,)), "made of layers, got 'of another type'"),
        (lambda: Network((Dense(2),), (0,)), "a feature axis must be a whole number"),
        (lambda: mlp(WRONG), "hidden must be a list"),
        (lambda: mlp([4, 0]), "units must be a whole number of at least 1, got 0"),
        (lambda: mlp([4], "sigmoyd"), "did you mean 'sigmoid'"),
        (lambda: mlp([4], dropout=1.5), "rate must lie in"),
        (lambda: mlp([4]).bind(2, 1, "softmax"), "softmax over 1 unit"),
        (lambda: Network.from_description({"layers": [{"layer": "dence"}]}), "did you mean 'dense'"),
        (lambda: Network.from_description({"layers": [{"layer": "dense", "unit": 3}]}), "did you mean 'units'"),
        (lambda: Network.from_description({"layers": [{"units": 3}]}), "needs 'layer'"),
        (lambda: Network.from_description({"layers": {}}), "needs a list of layers"),
        (lambda: Network.from_description({"layers": [], "shape": 3}), "has no 'shape'"),
        (lambda: Network.from_description({"layers": [], "input_shape": 3}), "input_shape must be a list"),
        (lambda: Network.from_description(WRONG), "a table of input_shape and layers"),
    ],
)
def test_impossible_networks_say_why(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_layer_contract_takes_features_with_several_axes() -> None:
    """A layer over images: shapes are tuples, the sample axis comes first, all is ready for convolution."""

    class Brighten(Layer):
        name = "brighten"

        def forward(
            self, params: dict[str, np.ndarray], A_in: np.ndarray, dropout: object = None, training: bool = False
        ) -> LayerRecord:
            return LayerRecord(A_in, 2 * A_in, 2 * A_in)

        def input_gradient(self, params: dict[str, np.ndarray], record: LayerRecord, delta: np.ndarray) -> np.ndarray:
            return 2 * delta

    network = Network((Brighten(),), (4, 4, 1))
    X = np.ones((3, 4, 4, 1))
    forward = network.forward(({},), X)
    assert network.output_shape == (4, 4, 1)
    np.testing.assert_array_equal(forward.A, 2 * X)
    np.testing.assert_array_equal(network.input_gradient(({},), forward, X), 2 * X)
    assert network.n_parameters == 0
    assert network.pack(({},)).shape == (0,)
    with pytest.raises(ShapeError, match=r"samples of shape \(n, 4, 4, 1\) or \(n, 16\), got \(3, 4, 4\)"):
        network.forward(({},), np.ones((3, 4, 4)))
