"""Pooling, flattening and dropout of channels: by hand, against loops, and what they conserve."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn import (
    Array,
    AvgPool1D,
    AvgPool2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool1D,
    MaxPool2D,
    Network,
)
from chainrule.random import stream
from tests.nn.windows_by_loops import Way, integers, pool, ways

IMAGE = np.array([[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 8.0, 7.0], [0.0, 0.0, 6.0, 6.0], [9.0, 0.0, 6.0, 6.0]])
IMAGE = IMAGE.reshape(1, 4, 4, 1)


def back(layer: Layer, A: Array, delta: Array) -> Array:
    return layer.input_gradient({}, layer.forward({}, A), delta)


def plane(A: Array) -> Any:
    """Return the one image's one channel as rows."""
    return A[0, :, :, 0].tolist()


# -- by hand ---------------------------------------------------------------------------------------------


def test_the_largest_of_each_window() -> None:
    layer, delta = MaxPool2D(2), np.array([[10.0, 20.0], [30.0, 40.0]]).reshape(1, 2, 2, 1)
    assert plane(layer.forward({}, IMAGE).A) == [[5, 8], [9, 6]]
    # of four sixes the first one counts
    assert plane(back(layer, IMAGE, delta)) == [[0, 10, 0, 0], [0, 0, 20, 0], [0, 0, 40, 0], [30, 0, 0, 0]]


def test_the_mean_of_each_window() -> None:
    layer, delta = AvgPool2D(2), np.array([[4.0, 8.0], [-4.0, 0.0]]).reshape(1, 2, 2, 1)
    assert plane(layer.forward({}, IMAGE).A) == [[13 / 4, 17 / 4], [9 / 4, 6]]
    assert plane(back(layer, IMAGE, delta)) == [[1, 1, 2, 2], [1, 1, 2, 2], [-1, -1, 0, 0], [-1, -1, 0, 0]]


def test_overlapping_windows_add_up() -> None:
    A = np.array([1.0, 3.0, 2.0]).reshape(1, 3, 1)
    largest, mean = MaxPool1D(2, 1), AvgPool1D(2, 1)
    delta = np.array([5.0, 7.0]).reshape(1, 2, 1)
    assert largest.forward({}, A).A.ravel().tolist() == [3, 3]
    assert back(largest, A, delta).ravel().tolist() == [0, 12, 0]
    assert mean.forward({}, A).A.ravel().tolist() == [2, 2.5]
    assert back(mean, A, delta).ravel().tolist() == [2.5, 6, 3.5]


def test_what_is_padded_is_neither_largest_nor_counted() -> None:
    A = np.array([-4.0, -2.0, -6.0]).reshape(1, 3, 1)
    assert MaxPool1D(2, 2, padding=1).forward({}, A).A.ravel().tolist() == [-4, -2]
    assert AvgPool1D(2, 2, padding=1).forward({}, A).A.ravel().tolist() == [-4, -4]
    assert AvgPool1D(2, padding="same").forward({}, A).A.ravel().tolist() == [-3, -6]
    delta = np.array([1.0, 1.0]).reshape(1, 2, 1)
    assert back(AvgPool1D(2, padding="same"), A, delta).ravel().tolist() == [0.5, 0.5, 1.0]


def test_over_all_places() -> None:
    A = np.concatenate([IMAGE, -IMAGE], axis=-1)
    mean, largest = GlobalAvgPool(2), GlobalMaxPool(2)
    assert mean.forward({}, A).A.tolist() == [[63 / 16, -63 / 16]]
    assert largest.forward({}, A).A.tolist() == [[9, 0]]
    delta = np.array([[16.0, 32.0]])
    np.testing.assert_array_equal(back(mean, A, delta)[0, :, :, 1], np.full((4, 4), 2.0))
    given = back(largest, A, delta)[0]
    assert given[3, 0, 0] == 16
    assert given[0, 3, 1] == 32  # the first of the zeros
    assert np.count_nonzero(given) == 2


def test_flatten_keeps_the_order_of_rows_columns_channels() -> None:
    A = np.arange(24.0).reshape(2, 2, 3, 2)
    layer = Flatten(2)
    np.testing.assert_array_equal(layer.forward({}, A).A, np.arange(24.0).reshape(2, 12))
    np.testing.assert_array_equal(back(layer, A, A.reshape(2, 12)), A)
    np.testing.assert_array_equal(Flatten(0).forward({}, A.reshape(2, 12)).A, A.reshape(2, 12))


# -- loops, the independent truth ------------------------------------------------------------------------


@given(ways(dilated=False, pooling=True), st.integers(1, 3), st.booleans(), st.booleans())
def test_outputs_are_those_of_the_loops(way: Way, channels: int, largest: bool, population: bool) -> None:
    A = integers(np.random.default_rng(0), *((2,) if population else ()), 2, *way.image, channels)
    layer = (MaxPool2D if largest else AvgPool2D)(way.kernel, way.stride, way.padding)
    Z = layer.forward({}, A).Z
    wanted = [pool(way, a, largest) for a in (A if population else A[None])]
    np.testing.assert_array_equal(Z if population else Z[None], wanted)


@given(ways(dilated=False, pooling=True), st.integers(1, 3), st.booleans(), st.integers(0, 10**6))
def test_gradients_are_those_of_differences(way: Way, channels: int, largest: bool, seed: int) -> None:
    """Entries are whole numbers, all different: half a step changes no maximum, and the pieces between are linear."""
    rng = np.random.default_rng(seed)
    A = rng.permutation(2 * way.image[0] * way.image[1] * channels).reshape(2, *way.image, channels).astype(float)
    layer = (MaxPool2D if largest else AvgPool2D)(way.kernel, way.stride, way.padding)
    delta = integers(rng, *layer.forward({}, A).Z.shape)
    numeric = np.zeros_like(A)
    for place in np.ndindex(*A.shape):
        step = np.zeros_like(A)
        step[place] = 0.25
        around = layer.forward({}, A + step).Z - layer.forward({}, A - step).Z
        numeric[place] = np.sum(around * delta) / 0.5
    np.testing.assert_allclose(back(layer, A, delta), numeric, rtol=1e-12, atol=1e-11)


@given(ways(dilated=False, pooling=True), st.integers(1, 3))
def test_a_sequence_is_an_image_of_height_1(way: Way, channels: int) -> None:
    (_, length), (_, k), (_, s) = way.image, way.kernel, way.stride
    line = way.padding if isinstance(way.padding, str) else (way.padding[1],)
    flat = way.padding if isinstance(way.padding, str) else ((0, 0), way.padding[1])
    A = np.random.default_rng(0).normal(size=(2, length, channels))
    pairs = [
        (MaxPool1D(k, s, line), MaxPool2D((1, k), (1, s), flat)),
        (AvgPool1D(k, s, line), AvgPool2D((1, k), (1, s), flat)),
    ]
    for narrow, wide in pairs:
        Z = narrow.forward({}, A).Z
        np.testing.assert_array_equal(Z, wide.forward({}, A[:, None]).Z[:, 0])
        np.testing.assert_array_equal(back(narrow, A, Z), back(wide, A[:, None], Z[:, None])[:, 0])


# -- what is conserved -----------------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_means_without_overlap_keep_the_mean(rows: int, columns: int, height: int, width: int) -> None:
    A = np.random.default_rng(0).normal(size=(2, rows * height, columns * width, 2))
    Z = AvgPool2D((height, width)).forward({}, A).Z
    np.testing.assert_allclose(Z.mean(axis=(1, 2)), A.mean(axis=(1, 2)), rtol=1e-12, atol=1e-14)


@given(ways(dilated=False, pooling=True), st.booleans())
def test_the_derivative_that_comes_is_given_away_in_full(way: Way, largest: bool) -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(2, *way.image, 2))
    layer = (MaxPool2D if largest else AvgPool2D)(way.kernel, way.stride, way.padding)
    delta = rng.normal(size=layer.forward({}, A).Z.shape)
    np.testing.assert_allclose(back(layer, A, delta).sum(axis=(1, 2)), delta.sum(axis=(1, 2)), rtol=1e-12, atol=1e-12)


@given(ways(dilated=False, pooling=True))
def test_the_mean_of_a_constant_is_the_constant(way: Way) -> None:
    layer = AvgPool2D(way.kernel, way.stride, way.padding)
    assert set(layer.forward({}, np.full((1, *way.image, 1), 3.0)).Z.ravel()) == {3.0}


def test_pooling_over_one_window_is_global_pooling() -> None:
    A = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    np.testing.assert_array_equal(MaxPool2D((4, 5)).forward({}, A).Z[:, 0, 0], GlobalMaxPool(2).forward({}, A).Z)
    np.testing.assert_allclose(
        AvgPool2D((4, 5)).forward({}, A).Z[:, 0, 0], GlobalAvgPool(2).forward({}, A).Z, rtol=1e-13
    )


# -- NaN, float types, members ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer", [MaxPool2D(2), AvgPool2D(2), MaxPool2D(3, 1, "same"), GlobalMaxPool(2), GlobalAvgPool(2)]
)
def test_nan_comes_through_so_that_divergence_is_seen(layer: Layer) -> None:
    A = IMAGE.copy()
    A[0, 1, 1, 0] = np.nan
    Z = layer.forward({}, A).Z
    assert np.isnan(Z).any()
    dA = back(layer, A, np.full_like(Z, np.nan))
    assert np.isnan(dA[0, 1, 1, 0])


@pytest.mark.parametrize(
    "layer",
    [
        MaxPool2D(2),
        AvgPool2D(3, 1, "same"),
        GlobalMaxPool(2),
        GlobalAvgPool(2),
        Flatten(2),
        Dropout(np.float64(0.5), True, 2),
    ],
)
def test_float32_stays_float32(layer: Layer) -> None:
    record = layer.forward({}, IMAGE.astype(np.float32), stream(0, "dropout"), training=True)
    assert record.Z.dtype == record.A.dtype == layer.input_gradient({}, record, record.Z).dtype == np.float32


@pytest.mark.parametrize(
    "layer",
    [MaxPool2D(2, 1, 1), AvgPool2D((2, 3), 1, "same"), GlobalMaxPool(2), GlobalAvgPool(2), Flatten(2)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_member_alone_and_in_company(layer: Layer, dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(3, 4, 5, 6, 2)).astype(dtype)
    record = layer.forward({}, A)
    delta = rng.normal(size=record.Z.shape).astype(dtype)
    dA = layer.input_gradient({}, record, delta)
    shared = layer.input_gradient({}, layer.forward({}, A[0]), delta)
    for k in range(3):
        alone = layer.forward({}, A[k])
        np.testing.assert_array_equal(record.Z[k], alone.Z)
        np.testing.assert_array_equal(dA[k], layer.input_gradient({}, alone, delta[k]))
        own = layer.forward({}, A[0])
        np.testing.assert_array_equal(shared[k], layer.input_gradient({}, own, delta[k]))


# -- dropout of channels ---------------------------------------------------------------------------------


def test_whole_channels_are_dropped() -> None:
    A = np.ones((200, 3, 4, 5))
    mask = Dropout(0.3, channels=True, axes=2).forward({}, A, stream(0, "dropout")).A
    kept = mask[:, 0, 0, :] > 0
    np.testing.assert_array_equal(mask, np.broadcast_to(kept[:, None, None, :] / 0.7, A.shape))
    # 1,000 channels: the share kept is within 5 standard errors of 0.7
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.7 * 0.3 / kept.size)
    assert kept.sum(axis=1).std() > 0  # each sample its own


def test_a_member_drops_the_same_channels_alone_and_in_company() -> None:
    layer, A = Dropout(0.5, channels=True, axes=1), np.random.default_rng(0).normal(size=(3, 4, 6, 5))
    together = layer.forward({}, A, [stream(s, "dropout") for s in range(3)])
    dA = layer.input_gradient({}, together, A)
    np.testing.assert_array_equal(dA, together.A)
    for k in range(3):
        alone = layer.forward({}, A[k].astype(np.float32), stream(k, "dropout"))
        np.testing.assert_array_equal(together.A[k] == 0, alone.A == 0)


def test_single_units_are_dropped_without_channels() -> None:
    mask = Dropout(0.5).forward({}, np.ones((2, 6, 6, 3)), stream(0, "dropout")).mask
    assert mask is not None
    assert mask.shape == (2, 6, 6, 3)


# -- descriptions and wrong input ------------------------------------------------------------------------

POOLS: list[Layer] = [MaxPool2D((2, 3), 1), AvgPool2D(3, padding=((1, 0), (0, 1))), MaxPool2D(2, padding="same")]


@pytest.mark.parametrize("end", [Flatten(), GlobalAvgPool(), GlobalMaxPool()])
@pytest.mark.parametrize("layer", [*POOLS, Dropout(0.5, channels=True)])
def test_descriptions_bring_the_layers_back(layer: Layer, end: Layer) -> None:
    network = Network((Conv2D(2, 2), layer, end, Dense(2)), (9, 8, 1))
    assert Network.from_description(json.loads(json.dumps(network.describe()))) == network
    open_network = Network((Conv2D(2, 2), layer, end, Dense(None, None)))
    bound = Network.from_description(json.loads(json.dumps(open_network.describe()))).bind((9, 8, 1), 2, "softmax")
    assert bound == open_network.bind((9, 8, 1), 2, "softmax")


def test_a_bound_network_knows_its_axes_and_an_open_one_asks() -> None:
    network = Network((Conv2D(2, 2), GlobalMaxPool(), Dense(2)), (9, 8, 1))
    assert network.layers[1] == GlobalMaxPool(2)
    for layer in (Flatten(), GlobalAvgPool(), Dropout(0.5, channels=True)):
        with pytest.raises(ConfigError, match=r"the input's axes are still open: call network\.bind"):
            layer.forward({}, np.zeros((1, 2, 2, 1)), stream(0, "dropout"))


def test_summary() -> None:
    network = Network((MaxPool2D(2), Dropout(0.5, channels=True), GlobalAvgPool(), Dense(2)), (9, 8, 3))
    lines = network.summary().splitlines()
    assert [line.split("  ")[0] for line in lines[2:7]] == [
        "input", "max_pool2d", "dropout", "global_avg_pool", "dense"
    ]  # fmt: skip
    assert "(n, 4, 4, 3)" in lines[3]
    assert "(n, 3)" in lines[5]
    assert lines[-1].split() == ["total", "8"]


WRONG: Any = "of another type"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPool2D(0), "max_pool2d: size must be a whole number of at least 1, got 0"),
        (lambda: MaxPool2D(-2), "max_pool2d: size must be a whole number of at least 1, got -2"),
        (lambda: MaxPool1D(True), "max_pool1d: size must be a whole number of at least 1, got True"),
        (
            lambda: AvgPool2D((2, 2, 2)),
            r"avg_pool2d: size must be a whole number or a list of 2 numbers, got \(2, 2, 2\)",
        ),
        (lambda: AvgPool1D(WRONG), "avg_pool1d: size must be a whole number of at least 1, got 'of another type'"),
        (lambda: MaxPool2D(2, 0), "max_pool2d: stride must be a whole number of at least 1, got 0"),
        (lambda: MaxPool2D(2, 1.5), "max_pool2d: stride must be a whole number of at least 1, got 1.5"),  # type: ignore[arg-type]
        (lambda: MaxPool2D(2, padding="full"), "max_pool2d: padding must be 'valid', 'same' or numbers, got 'full'"),
        (lambda: MaxPool2D(2, padding=2), r"max_pool2d: padding must be at most half the size \(2, 2\), got"),
        (lambda: MaxPool2D(3, padding=((0, 2), (0, 0))), r"padding must be at most half the size \(3, 3\), got"),
        (lambda: Flatten(-1), "flatten: axes must be a whole number of at least 1, got -1"),
        (lambda: GlobalAvgPool(True), "global_avg_pool: axes must be a whole number of at least 1, got True"),
        (lambda: GlobalMaxPool(False), "global_max_pool: axes must be a whole number of at least 1, got False"),
        (lambda: Dropout(0.5, channels=WRONG), "dropout: channels must be true or false, got 'of another type'"),
        (lambda: Dropout(0.5, axes=2), "dropout: axes are only for whole channels: set channels=True"),
        (lambda: Dropout(0.5, True, 0), "dropout: axes must be a whole number of at least 1, got 0"),
    ],
)
def test_impossible_numbers(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((MaxPool2D(9),), "max_pool2d: a window of 9 x 9 does not fit into inputs of 8 x 8: use a smaller window"),
        ((Conv2D(1, 2, stride=4), MaxPool2D(3)), "window of 3 x 3 does not fit into inputs of 2 x 2"),
        ((MaxPool2D(2),) * 4, "max_pool2d: a window of 2 x 2 does not fit into inputs of 1 x 1"),
        ((AvgPool1D(2),), r"avg_pool1d takes inputs of shape \(n, length, channels\), got features \(8, 8, 1\)"),
        (
            (Flatten(), GlobalAvgPool()),
            r"global_avg_pool takes inputs with at least one spatial axis and channels, got",
        ),
        ((Flatten(1),), r"flatten takes inputs with spatial axes = 1 and channels, got features \(8, 8, 1\)"),
        ((Flatten(), Dropout(0.5, True)), r"dropout of channels takes inputs with at least one spatial axis, got"),
        ((Dropout(0.5, True, 1),), r"dropout of channels takes inputs with spatial axes = 1, got features \(8, 8, 1\)"),
        ((Flatten(), MaxPool2D(2)), r"max_pool2d takes inputs of shape \(n, height, width, channels\), got features"),
    ],
)
def test_images_that_do_not_fit(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        Network((*layers, Flatten(), Dense(2)), (8, 8, 1))
    assert "\n" not in str(caught.value)
