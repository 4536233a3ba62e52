"""Convolution: by hand, against loops over the index formula, and against the dense layer that it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.nn import Array, Conv1D, Conv2D, Dense, Layer
from tests.nn.conv_layers import backward, conv2d
from tests.nn.windows_by_loops import Way, convolve, convolve_back, integers, ways

IMAGE = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)  # 1 2 3 / 4 5 6 / 7 8 9
KERNEL = np.array([[1.0, 2.0], [3.0, -4.0]]).reshape(2, 2, 1, 1)


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
