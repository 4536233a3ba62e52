"""What a chunk goes through where the lanes are samples, written down tile by tile; see `narrow_kernel`.

A small network trains for an epoch in less than a microsecond; to find out which tile comes next and where everything
stands would take as long again. It is the same in every epoch: so it is found out once, here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.engines.gemm.narrow_tiles import (
    BACK,
    DESCENT,
    FORWARD,
    GRADIENT,
    MOST_ACROSS,
    ROW_CHOICES,
    TURN,
    tile_number,
)
from chainrule.engines.gemm.records import (
    ACTIVATE,
    CHUNK,
    FOUR,
    HERE,
    N_NUMBERS,
    SLOPE,
    UNITS,
    Buffers,
    Data,
    Layers,
    Setting,
)
from chainrule.nn import Array

Step = tuple[int, ...]


def with_steps(data: Data, setting: Setting, layers: Layers, b: Buffers) -> Data:
    """Return samples with what is to be done for their chunks; from now on all arrays must stay where they are."""
    if data.n == 0:
        return data
    whole, rest = divmod(data.n, CHUNK)
    ways: list[list[Step]] = []
    for count in (CHUNK if whole else 0, rest):
        chunk = _Chunk(data, setting, layers, b, count)
        ways += [chunk.forward(), chunk.back()] if count else [[], []]
    return data._replace(
        steps=np.array([step for way in ways for step in way], dtype=np.int64),
        ways=np.cumsum([0, *map(len, ways)]).astype(np.int64),
    )


class _Chunk:
    """Writes down what is done for a chunk of `count` samples; steps are rows as `records.TILE` has them."""

    def __init__(self, data: Data, setting: Setting, layers: Layers, b: Buffers, count: int) -> None:
        self.data, self.setting, self.layers, self.b, self.count = data, setting, layers, b, count
        self.lanes = len(b.down)
        self.row = -(-count // self.lanes) * self.lanes  # floats of a row of activations

    def forward(self) -> list[Step]:
        """Return what leads to the outputs."""
        steps: list[Step] = []
        for layer in range(self.setting.layers):
            steps += self._product(layer)
            last = layer == self.setting.layers - 1
            if not (last and self.setting.paired):
                steps.append(self._activation(layer))
            if not last:
                steps += self._turning(layer)
        return steps

    def back(self) -> list[Step]:
        """Return what leads to the gradient, or to the step itself where it is fused."""
        below = [step for layer in range(self.setting.layers - 1, 0, -1) for step in self._way_back(layer)]
        return below + [step for layer in range(self.setting.layers) for step in self._gradient(layer)]

    def _product(self, layer: int) -> Iterator[Step]:
        """Yield Z = b + W A. The first product is 1 b, if there is a bias: -0 + 1 b is b for every b, even for -0."""
        fan_in, units, stride, biased, _, here, _ = self.layers.sizes[layer].tolist()
        start = _address(self.b.minus_zeros if biased else self.b.zeros)
        A, further = self.data.X, fan_in + biased
        place = 0
        if layer > 0:
            A, further, place = self.b.A, 0, self._here(layer - 1) - biased * self.row
        for s, across in _cut(self.row // self.lanes, MOST_ACROSS):
            for j, rows in _cut(units, ROW_CHOICES[0]):
                W, column = self._weights(self.b.theta, layer, j * stride), s * self.lanes
                Z = _address(self.b.A, here + j * self.row + column)
                tile = tile_number(FORWARD, rows, across)
                below = _address(A, place + column)
                yield tile, W, stride, fan_in + biased, below, self.row, further, start, Z, self.row

    def _activation(self, layer: int) -> Step:
        _, units, _, _, code, here, _ = self.layers.sizes[layer].tolist()
        number = layer * N_NUMBERS + SLOPE
        Z, S = _address(self.b.A, here), _address(self.b.S, here)
        return ACTIVATE, Z, code, units * self.row, number, 0, 0, 0, S, 0

    def _turning(self, layer: int) -> Iterator[Step]:
        """Yield how the activations become rows for the layer above, behind the 1 for its bias."""
        units, here = self.layers.sizes[layer, UNITS], self._here(layer)
        _, _, stride, biased, _, _, turned = self.layers.sizes[layer + 1].tolist()
        for j in range(0, int(units), FOUR):
            A, rows = _address(self.b.A, here + j * self.row), _address(self.b.turned, turned + biased + j)
            yield tile_number(TURN, FOUR, 1), A, self.row, self.count, 0, 0, 0, 0, rows, stride

    def _way_back(self, layer: int) -> Iterator[Step]:
        """Yield D below = S below * (W' D)."""
        fan_in, units, stride, biased, _, here, _ = self.layers.sizes[layer].tolist()
        start = _address(self.b.zeros)
        for s, across in _cut(self.row // self.lanes, MOST_ACROSS):
            for i, rows in _cut(fan_in, ROW_CHOICES[0]):
                W, D = self._weights(self.b.theta, layer, biased + i), _address(self.b.S, here + s * self.lanes)
                S = _address(self.b.S, self._here(layer - 1) + i * self.row + s * self.lanes)
                yield tile_number(BACK, rows, across), W, stride, units, D, self.row, 0, start, S, self.row

    def _gradient(self, layer: int) -> Iterator[Step]:
        """Yield dW = D A', sample after sample."""
        _, units, stride, _, _, here, turned = self.layers.sizes[layer].tolist()
        kind, into = (DESCENT, self.b.theta) if self.setting.fused else (GRADIENT, self.b.grad)
        A, further, place = (self.data.rows, stride, 0) if layer == 0 else (self.b.turned, 0, turned)
        start = _address(self.b.zeros)
        for i in range(0, stride, self.lanes):
            for j, rows in _cut(units, ROW_CHOICES[0]):
                D, out = _address(self.b.S, here + j * self.row), self._weights(into, layer, j * stride + i)
                tile, right = tile_number(kind, rows, 1), _address(A, place + i)
                yield tile, D, self.row, self.count, right, stride, further, start, out, stride

    def _here(self, layer: int) -> int:
        return int(self.layers.sizes[layer, HERE])

    def _weights(self, of: Array, layer: int, place: int) -> int:
        return _address(of, int(self.layers.panels[layer, 0]) + place)


def _address(array: Array, place: int = 0) -> int:
    """Return the address of a float."""
    return int(array.ctypes.data) + place * array.itemsize


def _cut(total: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut into parts of `most` and of ever smaller powers of two; yield where each starts, and its length."""
    start = 0
    while start < total:
        part = most
        while part > total - start:
            part //= 2
        yield start, part
        start += part
