"""Convolutions in populations and networks: company, pieces and float types change nothing; weights, descriptions."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.nn import Array, Conv1D, Conv2D, Dense, Flatten, Layer, MaxPool2D, Network
from chainrule.nn import conv as conv_module
from chainrule.random import stream
from tests.nn.conv_layers import backward, conv2d, lenet
from tests.nn.windows_by_loops import Way, integers, ways

# -- members, pieces, float types ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("piece", [None, 700])
def test_a_member_computes_the_same_alone_and_in_company(
    dtype: type[np.floating], shared: bool, n: int, piece: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if piece:
        monkeypatch.setattr(conv_module, "PIECE", piece)
    network = lenet(stride=(1, 2), padding="same")
    theta = np.stack([network.pack(network.init(stream(s, "init"))) for s in range(4)]).astype(dtype)
    rng = np.random.default_rng(5)
    X = rng.normal(size=(*(() if shared else (4,)), n, 8, 9, 2)).astype(dtype)
    Y = np.eye(3, dtype=dtype)[rng.integers(0, 3, X.shape[:-3])]
    loss = "softmax_cross_entropy"
    value, grads, forward = network.loss_and_gradients(network.unpack(theta), X, Y, loss)
    flat = network.pack(grads)
    assert value.dtype == flat.dtype == forward.A.dtype == dtype
    for k in range(4):
        x, y = (X, Y) if shared else (X[k], Y[k])
        alone, grads_alone, forward_alone = network.loss_and_gradients(network.unpack(theta[k].copy()), x, y, loss)
        np.testing.assert_array_equal(value[k], alone)
        np.testing.assert_array_equal(flat[k], network.pack(grads_alone))
        np.testing.assert_array_equal(forward.A[k], forward_alone.A)


@given(ways(), st.integers(1, 400), st.booleans(), st.booleans())
def test_pieces_change_nothing(way: Way, piece: int, population: bool, shared: bool) -> None:
    rng = np.random.default_rng(6)
    lead = (3,) if population else ()
    A = integers(rng, *(() if shared else lead), 5, *way.image, 2)
    layer = conv2d(way, 2, 2)
    params: dict[str, Array] = {"W": integers(rng, *lead, *way.kernel, 1, 2), "b": integers(rng, *lead, 2)}
    results = []
    for size in (conv_module.PIECE, piece):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conv_module, "PIECE", size)
            Z = layer.forward(params, A).Z
            dA, grads = backward(layer, params, A, np.sign(Z))
            results.append((Z, dA, grads["W"], grads["b"]))
    assert results[0][1].shape == (*lead, 5, *way.image, 2)
    for whole, pieces in zip(*results, strict=True):
        np.testing.assert_array_equal(whole, pieces)


def test_members_may_share_their_weights() -> None:
    rng = np.random.default_rng(7)
    layer, A = Conv2D(2, 3), rng.normal(size=(3, 4, 6, 6, 1))
    params: dict[str, Array] = {"W": rng.normal(size=(3, 3, 1, 2)), "b": rng.normal(size=2)}
    record = layer.forward(params, A)
    dA = layer.input_gradient(params, record, record.Z)
    for k in range(3):
        alone = layer.forward(params, A[k])
        np.testing.assert_array_equal(record.Z[k], alone.Z)
        np.testing.assert_array_equal(dA[k], layer.input_gradient(params, alone, alone.Z))


def test_memory_does_not_grow_with_the_patches() -> None:
    """2,000 images of 28 x 28 have patches of 230 MB for a kernel of 5 x 5; the outputs alone need 18 MB."""
    A = np.zeros((2000, 28, 28, 1), np.float32)
    layer = Conv2D(4, 5)
    params: dict[str, Array] = {"W": np.zeros((5, 5, 1, 4), np.float32), "b": np.zeros(4, np.float32)}
    tracemalloc.start()
    try:
        record = layer.forward(params, A)
        forward = tracemalloc.get_traced_memory()[1]
        layer.backward(params, record, record.Z)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert record.Z.nbytes == 2000 * 24 * 24 * 4 * 4
    assert forward < 60e6
    assert peak < 90e6


@pytest.mark.parametrize("layer", [Conv2D(4, 3, "gelu", padding="same", l1=0.1, l2=0.1), Conv2D(4, 2, groups=2)])
def test_float32_stays_float32(layer: Conv2D) -> None:
    params = {key: value.astype(np.float32) for key, value in layer.init(stream(0, "init"), (5, 5, 2)).items()}
    record = layer.forward(params, np.random.default_rng(0).normal(size=(3, 5, 5, 2)).astype(np.float32))
    delta = layer.delta(record, np.ones_like(record.A))
    dA, grads = layer.backward(params, record, delta)
    arrays = [record.Z, record.A, delta, dA, *grads.values(), *layer.penalty_gradient(params).values()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    if layer.penalised:
        assert np.asarray(layer.penalty(params)).dtype == np.float32


# -- weights, descriptions -------------------------------------------------------------------------------


def test_initial_weights_have_the_variance_of_their_fans() -> None:
    relu = Conv2D(64, 5, "relu").init(stream(0, "init"), (28, 28, 32))["W"]
    assert relu.shape == (5, 5, 32, 64)
    assert relu.var() == pytest.approx(2 / (25 * 32), rel=0.02)  # He: 2 / fan_in
    grouped = Conv2D(64, 5, "tanh", groups=4).init(stream(1, "init"), (28, 28, 32))["W"]
    assert grouped.shape == (5, 5, 8, 64)
    assert grouped.var() == pytest.approx(2 / (25 * 8 + 25 * 16), rel=0.05)  # Glorot: 2 / (fan_in + fan_out)


def test_penalties_are_one_number_a_member() -> None:
    layer = Conv1D(2, 2, l1=0.1, l2=0.4)
    W = np.array([[[1.0, -2.0]], [[0.0, 3.0]]])
    assert layer.penalty({"W": W}) == pytest.approx(0.1 * 6 + 0.2 * 14)
    np.testing.assert_allclose(layer.penalty({"W": np.stack([W, 2 * W])}), [0.6 + 2.8, 1.2 + 11.2])
    np.testing.assert_allclose(layer.penalty_gradient({"W": W})["W"], [[[0.5, -0.9]], [[0.0, 1.3]]])


@pytest.mark.parametrize(
    "layer",
    [
        Conv1D(4, 3, "relu", 2, "same", 2, 2, False, "he_normal", "zeros", 0.1, 0.2),
        Conv2D(4, (3, 2), "elu(alpha=0.5)", stride=(2, 1), padding=((1, 0), (2, 3)), dilation=(1, 2)),
        Conv2D(4, 3, padding=1),
    ],
)
def test_descriptions_bring_the_layer_back(layer: Layer) -> None:
    import json

    shape = (9, 4) if isinstance(layer, Conv1D) else (9, 8, 4)
    network = Network((layer, Flatten(), Dense(2)), shape)
    text = json.dumps(network.describe())
    assert Network.from_description(json.loads(text)) == network


def test_summary() -> None:
    lines = lenet().summary().splitlines()
    assert lines[2].split() == ["input", "(n,", "8,", "9,", "2)", "0"]
    assert lines[3] == "conv2d      (n, 6, 7, 3)  relu        57  (W 3 x 3 x 2 x 3 + b 3)"
    assert lines[4] == "max_pool2d  (n, 3, 3, 3)              0"
    assert lines[-1].split() == ["total", str(57 + 52 + 16 * 3 + 3)]


def test_a_trace_words_windows_as_windows() -> None:
    network = lenet()
    params = network.init(stream(0, "init"))
    X, Y = np.random.default_rng(0).normal(size=(2, 8, 9, 2)), np.eye(3)[:2]
    trace = network.trace(params, X, Y, "softmax_cross_entropy")
    formulas = {step.name: step.formula for step in trace.steps()}
    assert formulas["Z1"] == "patches(X) W1 + b1"
    assert formulas["Z2"] == "patches(A1_max_pool2d) W2 + b2"
    assert formulas["dW2"] == "patches(A1_max_pool2d)' delta2"
    assert formulas["db2"] == "sum of delta2 over the samples and places"
    assert formulas["dA1_max_pool2d"] == "delta2 W2', summed over the windows that share an input"
    assert formulas["dW3"] == "A2_flatten' delta3"
    assert formulas["dW1"].endswith(" + penalty")
    _, grads, _ = network.loss_and_gradients(params, X, Y, "softmax_cross_entropy")
    np.testing.assert_array_equal(trace["dW1"], grads[0]["W"])


def test_images_and_rows_of_pixels_are_the_same_samples() -> None:
    network = lenet()
    params = network.init(stream(0, "init"))
    X = np.random.default_rng(0).normal(size=(5, 8, 9, 2))
    np.testing.assert_array_equal(network.predict(params, X), network.predict(params, X.reshape(5, -1)))
    theta = np.stack([network.pack(params)] * 2)
    both = network.predict(network.unpack(theta), np.stack([X, X]).reshape(2, 5, -1))
    np.testing.assert_array_equal(both[1], network.predict(params, X))
    forward = network.forward(params, X.reshape(5, -1))
    assert network.input_gradient(params, forward, np.ones((5, 3))).shape == (5, 8, 9, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pixels", [np.uint8, np.int64, np.bool_])
def test_whole_numbers_take_the_float_type_of_the_weights(dtype: type[np.floating], pixels: type[np.generic]) -> None:
    network = Network((MaxPool2D(2, padding=1), Conv2D(2, 2), Flatten(), Dense(2)), (6, 6, 1))
    params = network.unpack(network.pack(network.init(stream(0, "init"))).astype(dtype))
    X = (np.random.default_rng(0).random((3, 6, 6, 1)) > 0.5).astype(pixels)
    outputs = network.predict(params, X)
    assert outputs.dtype == dtype
    np.testing.assert_array_equal(outputs, network.predict(params, X.astype(dtype)))


@pytest.mark.parametrize("members", [None, 2])
def test_a_trace_of_members_has_the_values_of_the_step(members: int | None) -> None:
    network = lenet()
    theta = network.pack(network.init(stream(0, "init")))
    params = network.unpack(theta if members is None else np.stack([theta, 2 * theta]))
    X, Y = np.random.default_rng(0).normal(size=(2, 8, 9, 2)), np.eye(3)[:2]
    value, grads, _ = network.loss_and_gradients(params, X, Y, "softmax_cross_entropy")
    trace = network.trace(params, X, Y, "softmax_cross_entropy")
    np.testing.assert_array_equal(trace["loss"], value)
    for number, i in ((1, 0), (2, 2), (3, 4)):
        for key in ("W", "b"):
            np.testing.assert_array_equal(trace[f"d{key}{number}"], grads[i][key])


def test_orthogonal_kernels_have_orthogonal_filters() -> None:
    W = Conv2D(8, 3, weight_init="orthogonal").init(stream(0, "init"), (8, 8, 2))["W"].reshape(-1, 8)
    gram = W.T @ W
    np.testing.assert_allclose(gram, gram[0, 0] * np.eye(8), atol=1e-13)


def test_a_sequence_of_one_place_is_not_taken_for_a_population() -> None:
    network = Network((Conv1D(2, 1), Flatten(), Dense(2)), (1, 3))
    params = network.init(stream(0, "init"))
    X = np.random.default_rng(0).normal(size=(4, 1, 3))
    assert network.predict(params, X).shape == (4, 2)
    np.testing.assert_array_equal(network.predict(params, X), network.predict(params, X[:, 0]))


def test_a_number_of_features_is_a_sequence_of_one_channel() -> None:
    network = Network((Conv1D(4, 2, "tanh"), Flatten(), Dense(None, None))).bind(5, 1, "sigmoid")
    assert network.shapes == ((5, 1), (4, 4), (16,), (1,))
    assert network.predict(network.init(stream(0, "init")), np.zeros((3, 5))).shape == (3, 1)


def test_nan_in_one_image_stays_there() -> None:
    A = np.zeros((2, 6, 6, 1))
    A[1, 2, 2] = np.nan
    layer = Conv2D(1, 3)
    Z = layer.forward({"W": np.ones((3, 3, 1, 1)), "b": np.zeros(1)}, A).Z[..., 0]
    assert not np.isnan(Z[0]).any()
    assert np.isnan(Z[1]).sum() == 9
