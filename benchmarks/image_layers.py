"""What a convolutional network is made of, in the words that every contestant understands."""

from __future__ import annotations

import math
from typing import NamedTuple

from chainrule import Network
from chainrule.nn import Conv2D, Dense, Flatten, MaxPool2D

Pair = tuple[int, int]


class Convolution(NamedTuple):
    """Stride 1, no padding; W (ky, kx, channels, filters)."""

    kernel: Pair
    channels: int
    filters: int
    places: Pair
    activation: str

    @property
    def weights(self) -> tuple[int, ...]:
        """The shape of W."""
        return (*self.kernel, self.channels, self.filters)

    @property
    def products(self) -> int:
        """Multiplications of one sample: each weight meets every place."""
        return math.prod(self.places) * math.prod(self.weights)


class Pooling(NamedTuple):
    """The largest of each window; windows lie side by side."""

    size: Pair


class Product(NamedTuple):
    """A dense layer; W (fan_in, fan_out). The first one takes (height, width, channels) as one row."""

    fan_in: int
    fan_out: int
    activation: str

    @property
    def weights(self) -> tuple[int, ...]:
        """The shape of W."""
        return self.fan_in, self.fan_out

    @property
    def products(self) -> int:
        """Multiplications of one sample."""
        return self.fan_in * self.fan_out


ImageLayer = Convolution | Pooling | Product


def image_layers(network: Network) -> tuple[ImageLayer, ...]:
    """Return the layers of a bound network of convolutions, largest-of-window poolings and dense layers.

    Raises
    ------
    ValueError
        For a layer that the contestants do not know.
    """
    found: list[ImageLayer] = []
    for layer, before, after in zip(network.layers, network.shapes[:-1], network.shapes[1:], strict=True):
        if isinstance(layer, Flatten):
            continue
        made = _layer(layer, before, after)
        if made is None:
            raise ValueError(f"the benchmarks have no such layer: {layer}")
        found.append(made)
    return tuple(found)


def _layer(layer: object, before: tuple[int, ...], after: tuple[int, ...]) -> ImageLayer | None:
    if isinstance(layer, Conv2D):
        plain = layer.bias and layer.groups == 1 and (layer.stride, layer.dilation) == ((1, 1), (1, 1))
        kernel, places = layer.windows.kernel, after[:2]
        if plain and layer.windows.places(before[:2]) == tuple(n - k + 1 for n, k in zip(before, kernel, strict=False)):
            return Convolution((kernel[0], kernel[1]), before[2], layer.filters, (places[0], places[1]), layer.act.name)
    elif isinstance(layer, MaxPool2D):
        if layer.stride == layer.size and layer.padding == "valid":
            size = layer.windows.kernel
            return Pooling((size[0], size[1]))
    elif isinstance(layer, Dense) and layer.bias:
        return Product(before[0], after[0], layer.act.name)
    return None
