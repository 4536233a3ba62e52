"""Pooling: each window of each channel becomes one number, its largest or its mean.

Back through the maximum: z = max over the window of a, so dz/da is 1 for the entry that is the largest and 0 for the
others; where several are equally large the first one counts, in the order of the kernel. Back through the mean of the
k entries that are inputs (padding is none): dz/da = 1/k. An input that lies in several windows adds up what they ask
for, which is `Windows.fold`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import repeat
from typing import Any, ClassVar

import numpy as np

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn._base import DropoutStream, Layer, LayerRecord
from chainrule.nn._types import Array
from chainrule.nn.windows import Numbers, Padding, Windows, as_padding, per_axis


@dataclass(frozen=True)
class _Pool(Layer):
    """What the poolings over windows share.

    Parameters
    ----------
    size : int or tuple of int
        Entries of a window along each axis.
    stride : int, tuple of int or None
        Steps between windows; None takes the size, so that windows do not overlap.
    padding : str, int or tuple
        As a convolution takes it; what is padded is never the largest and never counted.

    Raises
    ------
    ConfigError
        For impossible numbers, or a padding of half a window and more: a window could then hold no input at all.
    """

    axes: ClassVar[int]
    size: int | Numbers = 2
    stride: int | Numbers | None = None
    padding: Padding | int = "valid"

    def __post_init__(self) -> None:
        """Check every value and write it in its canonical form."""
        size = per_axis(self.size, self.axes, f"{self.name}: size")
        values: dict[str, Any] = {
            "size": size,
            "stride": size if self.stride is None else per_axis(self.stride, self.axes, f"{self.name}: stride"),
            "padding": as_padding(self.padding, self.axes, self.name),
        }
        pads = () if isinstance(values["padding"], str) else values["padding"]
        if any(2 * max(pair) > k for pair, k in zip(pads, size, strict=False)):
            raise ConfigError(f"{self.name}: padding must be at most half the size {size}, got {values['padding']}")
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def windows(self) -> Windows:
        """Which inputs belong to which window."""
        size, stride, padding = self.size, self.stride, self.padding
        assert isinstance(size, tuple), "written in its canonical form"
        assert isinstance(stride, tuple), "written in its canonical form"
        assert not isinstance(padding, int), "written in its canonical form"
        return Windows(size, stride, (1,) * self.axes, padding, self.name)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (*places, channels) for inputs of (*axes, channels)."""
        return (*self.windows.places(_axes_of(self, input_shape, self.axes)), input_shape[-1])


@dataclass(frozen=True)
class _MaxPool(_Pool):
    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = A = the largest entry of each window; A_in (..., n, *axes, c), Z (..., n, *places, c).

        NaN counts as the largest, so that a training that diverges is seen to.
        """
        Z = reduce(np.maximum, self.windows.views(A_in, -math.inf))
        return LayerRecord(A_in, Z, Z)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Give delta to the first largest entry of its window."""
        return self.windows.fold_views(self._shares(record, delta), record.A_in.shape[-1 - self.axes : -1])

    def _shares(self, record: LayerRecord, delta: Array) -> Iterator[Array]:
        """Yield what each entry gets: delta where it is the first that is the largest, else 0."""
        zero = np.zeros((), delta.dtype)
        missing = np.ones(record.Z.shape, dtype=np.bool_)
        for inputs in self.windows.views(record.A_in, -math.inf):
            found = missing & ((inputs == record.Z) | np.isnan(inputs))
            missing &= ~found
            yield np.where(found, delta, zero)


@dataclass(frozen=True)
class _AvgPool(_Pool):
    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = A = the mean of each window's inputs; A_in (..., n, *axes, c), Z (..., n, *places, c)."""
        Z = reduce(np.add, self.windows.views(A_in)) / self._counts(A_in)
        return LayerRecord(A_in, Z, Z)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Give every entry of a window its share of delta."""
        share = delta / self._counts(record.A_in)
        shares = repeat(share, math.prod(self.windows.kernel))
        return self.windows.fold_views(shares, record.A_in.shape[-1 - self.axes : -1])

    def _counts(self, A: Array) -> Array:
        """Return how many inputs each window holds, (*places, 1)."""
        ones = np.ones((*A.shape[-1 - self.axes : -1], 1), dtype=A.dtype)
        counts: Array = reduce(np.add, self.windows.views(ones))
        return counts


@dataclass(frozen=True)
class MaxPool1D(_MaxPool):
    """The largest of each window of a sequence."""

    name: ClassVar[str] = "max_pool1d"
    axes: ClassVar[int] = 1
    input_axes: ClassVar[int | None] = 2


@dataclass(frozen=True)
class MaxPool2D(_MaxPool):
    """The largest of each window of an image."""

    name: ClassVar[str] = "max_pool2d"
    axes: ClassVar[int] = 2
    input_axes: ClassVar[int | None] = 3


@dataclass(frozen=True)
class AvgPool1D(_AvgPool):
    """The mean of each window of a sequence."""

    name: ClassVar[str] = "avg_pool1d"
    axes: ClassVar[int] = 1
    input_axes: ClassVar[int | None] = 2


@dataclass(frozen=True)
class AvgPool2D(_AvgPool):
    """The mean of each window of an image."""

    name: ClassVar[str] = "avg_pool2d"
    axes: ClassVar[int] = 2
    input_axes: ClassVar[int | None] = 3


def _axes_of(layer: Layer, input_shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """Return the axes that windows move over; raises `ShapeError` for inputs of another number of axes."""
    if len(input_shape) != axes + 1:
        wanted = "(n, length, channels)" if axes == 1 else "(n, height, width, channels)"
        raise ShapeError(f"{layer.name} takes inputs of shape {wanted}, got features {input_shape}")
    return input_shape[:-1]
