"""Convolutions that cannot be, and images that do not fit: one line with the shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ChainruleError, ConfigError, ShapeError
from chainrule.nn import Conv1D, Conv2D, Dense, Flatten, Layer, Network
from chainrule.random import stream
from tests.nn.conv_layers import lenet

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
