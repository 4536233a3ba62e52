"""Convolutional layers and networks that several tests train."""

from __future__ import annotations

from typing import Any

from chainrule.nn import Array, Conv2D, Dense, Flatten, Layer, MaxPool2D, Network
from tests.nn.windows_by_loops import Way


def backward(layer: Layer, params: dict[str, Array], A: Array, delta: Array) -> tuple[Array, dict[str, Array]]:
    return layer.backward(params, layer.forward(params, A), delta)


def conv2d(way: Way, filters: int, groups: int = 1, **more: Any) -> Conv2D:
    return Conv2D(filters, way.kernel, "identity", way.stride, way.padding, way.dilation, groups, **more)


def lenet(**more: Any) -> Network:
    layers = (Conv2D(3, 3, "relu", l2=0.01, **more), MaxPool2D(2), Conv2D(4, 2, "tanh"), Flatten(), Dense(3, "softmax"))
    return Network(layers, (8, 9, 2))
