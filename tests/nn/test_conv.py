"""Convolution: by hand, against loops over the index formula, and against the dense layer that it is."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ChainruleError, ConfigError, ShapeError
from chainrule.nn import Array, Conv1D, Conv2D, Dense, Flatten, Layer, MaxPool2D, Network
from chainrule.nn import conv as conv_module
from chainrule.random import stream
from tests.nn.windows_by_loops import Way, convolve, convolve_back, integers, ways

IMAGE = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)  # 1 2 3 / 4 5 6 / 7 8 9
KERNEL = np.array([[1.0, 2.0], [3.0, -4.0]]).reshape(2, 2, 1, 1)


def backward(layer: Layer, params: dict[str, Array], A: Array, delta: Array) -> tuple[Array, dict[str, Array]]:
    return layer.backward(params, layer.forward(params, A), delta)


def conv2d(way: Way, filters: int, groups: int = 1, **more: Any) -> Conv2D:
    return Conv2D(filters, way.kernel, "identity", way.stride, way.padding, way.dilation, groups, **more)


# -- by hand ---------------------------------------------------------------------------------------------


def test_a_3_by_3_image_and_a_2_by_2_kernel() -> None:
    layer = Conv2D(1, 2)
    params: dict[str, Array] = {"W": KERNEL, "b": np.array([10.0])}
    Z = layer.forward(params, IMAGE).Z[0, :, :, 0]
    # 1*1 + 2*2 + 3*4 - 4*5 = -3 for the first window; one step to the right adds 1+2+3-4 = 2, one down 3 * 2
    np.testing.assert_array_equal(Z, [[-3 + 10, -1 + 10], [3 + 10, 5 + 10]])


def test_its_gradients() -> None:
    layer = Conv2D(1, 2)
    params: dict[str, Array] = {"W": KERNEL, "b": np.array([10.0])}
    delta = np.array([[1.0, 0.0], [-1.0, 2.0]]).reshape(1, 2, 2, 1)
    dA, grads = backward(layer, params, IMAGE, delta)
    # entry (0, 0) meets 1 2 / 4 5, entry (0, 1) meets 2 3 / 5 6, entry (1, 0) meets 4 5 / 7 8, entry (1, 1) 5 6 / 8 9
    wanted = [[1 - 4 + 2 * 5, 2 - 5 + 2 * 6], [4 - 7 + 2 * 8, 5 - 8 + 2 * 9]]
    np.testing.assert_array_equal(grads["W"][:, :, 0, 0], wanted)
    np.testing.assert_array_equal(grads["b"], [1 + 0 - 1 + 2])
    # the kernel laid over the input once for each place, times its delta: 1 at (0, 0), -1 at (1, 0), 2 at (1, 1)
    at_00 = np.array([[1, 2, 0], [3, -4, 0], [0, 0, 0]])
    at_10 = np.array([[0, 0, 0], [1, 2, 0], [3, -4, 0]])
    at_11 = np.array([[0, 0, 0], [0, 1, 2], [0, 3, -4]])
    np.testing.assert_array_equal(dA[0, :, :, 0], at_00 - at_10 + 2 * at_11)


def test_a_sequence_with_stride_padding_and_dilation() -> None:
    A = np.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(1, 5, 1)
    W = np.array([1.0, 10.0]).reshape(2, 1, 1)

    def outputs(**options: Any) -> list[float]:
        layer = Conv1D(1, 2, bias=False, **options)
        values: list[float] = layer.forward({"W": W}, A).Z.ravel().tolist()
        return values

    assert outputs() == [21, 32, 43, 54]
    assert outputs(stride=2) == [21, 43]
    assert outputs(padding="same") == [21, 32, 43, 54, 5]  # the zero is after
    assert outputs(padding=((1, 0),)) == [10, 21, 32, 43, 54]
    assert outputs(dilation=3) == [41, 52]
    assert outputs(padding=1, stride=3, dilation=2) == [20, 53]


def test_two_channels_two_filters_and_groups() -> None:
    A = np.array([[1.0, 10.0], [2.0, 20.0]]).reshape(1, 2, 2)  # two places of two channels
    whole = np.array([[[1.0, 0.0], [1.0, 2.0]]])  # filter 0 adds the channels, filter 1 doubles channel 1
    np.testing.assert_array_equal(Conv1D(2, 1, bias=False).forward({"W": whole}, A).Z[0], [[11, 20], [22, 40]])
    own = np.array([[[3.0, 5.0]]])  # depthwise: filter f sees channel f
    np.testing.assert_array_equal(Conv1D(2, 1, groups=2, bias=False).forward({"W": own}, A).Z[0], [[3, 50], [6, 100]])


def test_the_activation_follows() -> None:
    layer = Conv2D(1, 2, "relu")
    params: dict[str, Array] = {"W": KERNEL, "b": np.zeros(1)}
    record = layer.forward(params, IMAGE)
    np.testing.assert_array_equal(record.A[0, :, :, 0], [[0, 0], [3, 5]])
    np.testing.assert_array_equal(layer.delta(record, np.ones_like(record.A))[0, :, :, 0], [[0, 0], [1, 1]])


# -- loops, the independent truth ------------------------------------------------------------------------


@given(ways(), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["one", "two", "depthwise"]), st.booleans())
def test_forward_and_gradients_are_those_of_the_loops(way: Way, c: int, f: int, cut: str, bias: bool) -> None:
    groups = {"one": 1, "two": 2, "depthwise": 2 * c}[cut]
    channels, filters = (c, f) if cut == "one" else (2 * c, 2 * f if cut == "two" else 2 * c * f)
    rng = np.random.default_rng(channels * 100 + filters)
    A, W = integers(rng, 2, *way.image, channels), integers(rng, *way.kernel, channels // groups, filters)
    b = integers(rng, filters) if bias else np.zeros(filters)
    layer = conv2d(way, filters, groups, bias=bias)
    params: dict[str, Array] = {"W": W} | ({"b": b} if bias else {})
    Z = layer.forward(params, A).Z
    np.testing.assert_array_equal(Z, convolve(way, A, W, b, groups))
    delta = integers(rng, *Z.shape)
    dA, grads = backward(layer, params, A, delta)
    wanted = convolve_back(way, A, W, delta, groups)
    np.testing.assert_array_equal(dA, wanted[0])
    np.testing.assert_array_equal(grads["W"], wanted[1])
    assert list(grads) == ["W"] + ["b"] * bias
    if bias:
        np.testing.assert_array_equal(grads["b"], wanted[2])


def draw_like(rng: np.random.Generator, shapes: dict[str, tuple[int, ...]], lead: tuple[int, ...]) -> dict[str, Array]:
    return {key: rng.normal(0, 0.4, lead + shape) for key, shape in shapes.items()}


@given(ways(), st.integers(1, 2), st.integers(1, 2), st.booleans(), st.integers(0, 10**6))
def test_gradients_are_those_of_central_differences(way: Way, c: int, g: int, population: bool, seed: int) -> None:
    """Directional derivatives along random directions, of the weights and of the input."""
    rng, lead = np.random.default_rng(seed), (2,) if population else ()
    layer = Conv2D(2 * g, way.kernel, "tanh", way.stride, way.padding, way.dilation, g)
    shapes = layer.parameter_shapes((*way.image, c * g))
    params, step = (draw_like(rng, shapes, lead) for _ in range(2))
    A, dA_step = rng.normal(size=(2, *lead, 2, *way.image, c * g))
    record = layer.forward(params, A)
    weight = rng.normal(size=record.A.shape)
    dA, grads = layer.backward(params, record, layer.delta(record, weight))
    exact = np.vdot(dA, dA_step) + sum(np.vdot(grads[key], step[key]) for key in grads)

    def along(t: float) -> float:
        moved = {key: params[key] + t * step[key] for key in params}
        return float(np.sum(layer.forward(moved, A + t * dA_step).A * weight))

    h = 1e-3  # the fourth-order difference
    numeric = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    assert exact == pytest.approx(numeric, rel=1e-6, abs=1e-6)


@given(ways(), st.integers(1, 3), st.integers(1, 2))
def test_a_sequence_is_an_image_of_height_1(way: Way, c: int, f: int) -> None:
    (_, length), (_, k), (_, s), (_, d) = way.image, way.kernel, way.stride, way.dilation
    padding = way.padding if isinstance(way.padding, str) else (way.padding[1],)
    flat = way.padding if isinstance(way.padding, str) else ((0, 0), way.padding[1])
    line = Conv1D(f, k, stride=s, padding=padding, dilation=d)
    image = Conv2D(f, (1, k), stride=(1, s), padding=flat, dilation=(1, d))
    rng = np.random.default_rng(0)
    A, W, b = rng.normal(size=(3, length, c)), rng.normal(size=(k, c, f)), rng.normal(size=f)
    narrow: dict[str, Array] = {"W": W, "b": b}
    wide: dict[str, Array] = {"W": W[None], "b": b}
    Z = line.forward(narrow, A).Z
    np.testing.assert_array_equal(Z, image.forward(wide, A[:, None]).Z[:, 0])
    dA, grads = backward(line, narrow, A, np.sin(Z))
    dA2, grads2 = backward(image, wide, A[:, None], np.sin(Z)[:, None])
    np.testing.assert_array_equal(dA, dA2[:, 0])
    np.testing.assert_array_equal(grads["W"], grads2["W"][0])


# -- the dense layer that it is --------------------------------------------------------------------------


def assert_same_layer(conv: Layer, dense: Layer, params: dict[str, Array], A: Array, rows: int) -> None:
    """Compare forward, dA, dW and db with a dense layer over the same numbers in rows."""
    flat = {"W": params["W"].reshape(-1, params["W"].shape[-1]), "b": params["b"]}
    Z, z = conv.forward(params, A).Z, dense.forward(flat, A.reshape(rows, -1)).Z
    np.testing.assert_allclose(Z.reshape(z.shape), z, rtol=1e-13, atol=1e-13)
    delta = np.cos(z)
    (dA, grads), (da, wanted) = (
        backward(conv, params, A, delta.reshape(Z.shape)),
        backward(dense, flat, A.reshape(rows, -1), delta),
    )
    np.testing.assert_allclose(dA.reshape(da.shape), da, rtol=1e-13, atol=1e-13)
    for key in ("W", "b"):
        np.testing.assert_allclose(grads[key].reshape(wanted[key].shape), wanted[key], rtol=1e-13, atol=1e-13)


def test_a_kernel_of_one_pixel_is_a_dense_layer_for_each_pixel() -> None:
    rng = np.random.default_rng(1)
    params: dict[str, Array] = {"W": rng.normal(size=(1, 1, 3, 4)), "b": rng.normal(size=4)}
    assert_same_layer(Conv2D(4, 1), Dense(4), params, rng.normal(size=(2, 5, 6, 3)), 2 * 5 * 6)


def test_a_kernel_as_large_as_the_image_is_a_dense_layer() -> None:
    rng = np.random.default_rng(2)
    params: dict[str, Array] = {"W": rng.normal(size=(5, 6, 3, 4)), "b": rng.normal(size=4)}
    assert_same_layer(Conv2D(4, (5, 6)), Dense(4), params, rng.normal(size=(7, 5, 6, 3)), 7)


def test_a_shifted_image_gives_shifted_outputs() -> None:
    rng = np.random.default_rng(3)
    image = np.zeros((1, 12, 12, 2))
    image[:, 3:7, 3:7] = rng.normal(size=(1, 4, 4, 2))
    params: dict[str, Array] = {"W": rng.normal(size=(3, 3, 2, 4)), "b": rng.normal(size=4)}
    layer = Conv2D(4, 3, "relu", padding="same")
    there = layer.forward(params, np.roll(image, (2, 3), axis=(1, 2))).A
    np.testing.assert_allclose(there, np.roll(layer.forward(params, image).A, (2, 3), axis=(1, 2)), rtol=1e-12)


def test_groups_are_as_many_convolutions_side_by_side() -> None:
    rng = np.random.default_rng(4)
    A, W, b = rng.normal(size=(2, 5, 5, 6)), rng.normal(size=(3, 3, 2, 9)), rng.normal(size=9)
    whole = Conv2D(9, 3, groups=3).forward({"W": W, "b": b}, A).Z
    parts = [
        Conv2D(3, 3).forward({"W": W[..., 3 * g : 3 * g + 3], "b": b[3 * g : 3 * g + 3]}, A[..., 2 * g : 2 * g + 2]).Z
        for g in range(3)
    ]
    np.testing.assert_allclose(whole, np.concatenate(parts, axis=-1), rtol=1e-13, atol=1e-13)


# -- members, pieces, float types ------------------------------------------------------------------------


def lenet(**more: Any) -> Network:
    layers = (Conv2D(3, 3, "relu", l2=0.01, **more), MaxPool2D(2), Conv2D(4, 2, "tanh"), Flatten(), Dense(3, "softmax"))
    return Network(layers, (8, 9, 2))


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


# -- wrong input -----------------------------------------------------------------------------------------

WRONG: Any = "of another type"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(0, 3), "conv2d: filters must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(True, 3), "filters must be a whole number of at least 1, got True"),
        (lambda: Conv1D(-2, 3), "conv1d: filters must be a whole number of at least 1, got -2"),
        (lambda: Conv2D(2, 0), "kernel must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(2, WRONG), "kernel must be a whole number of at least 1, got 'of another type'"),
        (lambda: Conv2D(2, (3,)), r"kernel must be a whole number or a list of 2 numbers, got \(3,\)"),
        (lambda: Conv1D(2, (3, 3)), r"kernel must be a whole number or a list of 1 number, got \(3, 3\)"),
        (lambda: Conv2D(2, 3, stride=0), "stride must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(2, 3, stride=-1), "stride must be a whole number of at least 1, got -1"),
        (lambda: Conv2D(2, 3, dilation=0), "dilation must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(2, 3, padding="full"), "padding must be 'valid', 'same' or numbers, got 'full'"),
        (lambda: Conv2D(2, 3, padding=-1), "conv2d: padding must be 'valid', 'same', a whole number of at least 0"),
        (lambda: Conv2D(2, 3, padding=True), "conv2d: padding must be 'valid', 'same', a whole number of at least 0"),
        (lambda: Conv2D(3, 3, groups=2), "3 filters cannot be cut into 2 equal groups"),
        (lambda: Conv2D(3, 3, groups=0), "groups must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(3, 3, "softmax"), "'softmax' is for the output"),
        (lambda: Conv2D(3, 3, "rely"), "did you mean 'relu'"),
        (lambda: Conv2D(3, 3, bias=WRONG), "bias must be true or false"),
        (lambda: Conv2D(3, 3, l2=-1), "conv2d: l2 must be a finite number of at least 0"),
        (lambda: Network.from_description({"layers": [{"layer": "conv2d", "filters": 2}]}), "'conv2d' needs 'kernel'"),
        (lambda: Network.from_description({"layers": [{"layer": "conv2"}]}), "did you mean 'conv2d'"),
        (
            lambda: Network.from_description(
                {"layers": [{"layer": "conv2d", "filters": 2, "kernel": 3, "strides": 2}]}
            ),
            "did you mean 'stride'",
        ),
    ],
)
def test_impossible_numbers(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


FLAT = (Flatten(), Dense(None, None))


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ((Conv2D(2, 9), *FLAT), (8, 8, 1), "conv2d: a kernel of 9 x 9 does not fit into inputs of 8 x 8"),
        ((Conv2D(2, 3, dilation=4), *FLAT), (8, 8, 1), "reaches over 9 x 9 with dilation 4 x 4"),
        ((Conv2D(2, 2, stride=8), Conv2D(2, 2), *FLAT), (8, 8, 1), "kernel of 2 x 2 does not fit into inputs of 1 x 1"),
        ((Conv1D(2, 4), *FLAT), 3, "conv1d: a kernel of 4 does not fit into inputs of 3"),
        (
            (Conv2D(4, 3, groups=2), *FLAT),
            (8, 8, 3),
            r"inputs of shape \(8, 8, 3\), their channels, cannot be cut into 2",
        ),
        ((Conv2D(2, 3), *FLAT), 64, r"takes images \(height, width, channels\), the data have features \(64,\)"),
        ((Conv1D(2, 3), *FLAT), (8, 8, 1), r"takes sequences \(length, channels\), the data have features \(8, 8, 1\)"),
        ((Conv2D(2, 3), Conv1D(2, 2), *FLAT), (8, 8, 1), r"conv1d takes inputs of shape \(n, length, channels\), got"),
        ((Conv2D(2, 3), Dense(10)), (8, 8, 1), r"got features \(6, 6, 2\): put Flatten, or a global pooling, below"),
        (
            (Conv2D(10, 3),),
            (8, 8, 1),
            r"gives outputs of shape \(6, 6, 10\), the targets have \(10,\): end with Flatten",
        ),
        ((Dense(4), Conv2D(2, 3), *FLAT), (8, 8, 1), r"conv2d takes inputs of shape .* got features \(4,\)"),
    ],
)
def test_images_that_do_not_fit(layers: tuple[Layer, ...], shape: int | tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        Network(layers).bind(shape, 10, "softmax")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(2, 8, 9), (2, 9, 8, 2), (2, 8, 9, 3), (2, 143), (8, 9, 2)])
def test_samples_of_another_shape(shape: tuple[int, ...]) -> None:
    network = lenet()
    with pytest.raises(ShapeError, match=r"takes samples of shape \(n, 8, 9, 2\) or \(n, 144\), got"):
        network.predict(network.init(stream(0, "init")), np.zeros(shape))


def test_a_loss_needs_outputs_in_a_row() -> None:
    network = Network((Conv2D(2, 3),), (8, 8, 1))
    params = network.init(stream(0, "init"))
    with pytest.raises(ChainruleError, match=r"the network gives \(6, 6, 2\): end with Flatten"):
        network.loss_and_gradients(params, np.zeros((3, 8, 8, 1)), np.zeros((3, 6, 6, 2)), "mse")
