"""The index formulas of docs/convolution.md as plain loops: slow, and nothing else in common with the library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from chainrule.nn import Array

Pair = tuple[int, int]


@dataclass(frozen=True)
class Way:
    """A kernel's way over an image of height x width."""

    image: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: Any = "valid"

    @property
    def pads(self) -> tuple[Pair, Pair]:
        if self.padding == "valid":
            return (0, 0), (0, 0)
        if self.padding != "same":
            return self.padding  # type: ignore[no-any-return]
        pads = []
        for n, k, s, d in zip(self.image, self.kernel, self.stride, self.dilation, strict=True):
            places = -(-n // s)
            missing = 0  # counted, not computed: how many more entries the last window needs
            while (places - 1) * s + d * (k - 1) + 1 > n + missing:
                missing += 1
            pads.append((missing // 2, missing - missing // 2))
        return pads[0], pads[1]

    @property
    def places(self) -> Pair:
        counts = []
        for n, k, s, d, (before, after) in zip(
            self.image, self.kernel, self.stride, self.dilation, self.pads, strict=True
        ):
            starts = range(-before, n + after, s)
            counts.append(sum(start + d * (k - 1) < n + after for start in starts))
        return counts[0], counts[1]

    def meetings(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield (y, x, i, j, y', x') for every place, entry and the input that they meet, padding left out."""
        (height, width), ((top, _), (left, _)) = self.image, self.pads
        for y, x in product(*map(range, self.places)):
            for i, j in product(*map(range, self.kernel)):
                row = y * self.stride[0] + i * self.dilation[0] - top
                column = x * self.stride[1] + j * self.dilation[1] - left
                if 0 <= row < height and 0 <= column < width:
                    yield y, x, i, j, row, column


def convolve(way: Way, A: Array, W: Array, b: Array, groups: int = 1) -> Array:
    """Return z[n, y, x, f] for A (n, height, width, c) and W (k, k, c / groups, f)."""
    filters, own = W.shape[-1], W.shape[-2]
    Z = np.zeros((len(A), *way.places, filters)) + b
    for y, x, i, j, row, column in way.meetings():
        for f, c in product(range(filters), range(own)):
            channel = f // (filters // groups) * own + c
            Z[:, y, x, f] += A[:, row, column, channel] * W[i, j, c, f]
    return Z


def convolve_back(way: Way, A: Array, W: Array, delta: Array, groups: int = 1) -> tuple[Array, Array, Array]:
    """Return dL/dA, dL/dW and dL/db from delta = dL/dz."""
    filters, own = W.shape[-1], W.shape[-2]
    dA, dW = np.zeros_like(A), np.zeros_like(W)
    for y, x, i, j, row, column in way.meetings():
        for f, c in product(range(filters), range(own)):
            channel = f // (filters // groups) * own + c
            dA[:, row, column, channel] += delta[:, y, x, f] * W[i, j, c, f]
            dW[i, j, c, f] += A[:, row, column, channel] @ delta[:, y, x, f]
    return dA, dW, delta.sum(axis=(0, 1, 2))


def pool(way: Way, A: Array, largest: bool) -> Array:
    """Return the largest, or the mean, of each window's inputs."""
    held: dict[Pair, list[Array]] = {}
    for y, x, _, _, row, column in way.meetings():
        held.setdefault((y, x), []).append(A[:, row, column])
    Z = np.zeros((len(A), *way.places, A.shape[-1]))
    for (y, x), inputs in held.items():
        Z[:, y, x] = np.max(inputs, axis=0) if largest else np.sum(inputs, axis=0) / len(inputs)
    return Z


def integers(rng: np.random.Generator, *shape: int) -> Array:
    """Draw small whole numbers as floats: their sums and products are exact, in whatever order they are added."""
    return rng.integers(-9, 10, shape).astype(np.float64)


@st.composite
def ways(draw: st.DrawFn, dilated: bool = True, pooling: bool = False) -> Way:
    """Ways with every option whose kernel fits into the padded image."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 2))) if dilated else (1, 1)
    most = min(kernel) // 2 if pooling else 3
    pads = st.tuples(st.integers(0, most), st.integers(0, most))
    padding = draw(st.one_of(st.sampled_from(["valid", "same"]), st.tuples(pads, pads)))
    image = []
    for axis in (0, 1):
        span = dilation[axis] * (kernel[axis] - 1) + 1
        padded = sum(padding[axis]) if isinstance(padding, tuple) else 0
        least = 1 if padding == "same" else max(span - padded, 1)
        image.append(draw(st.integers(least, least + 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return Way((image[0], image[1]), kernel, stride, dilation, padding)
