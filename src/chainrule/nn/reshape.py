"""Layers that end the part of a network that knows places: flatten, and pooling over all places.

They take sequences and images alike. How many spatial axes there are cannot be seen from an array that may have a
member axis before its samples, so binding the network to data writes it down.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn._base import DropoutStream, Layer, LayerRecord, whole_number
from chainrule.nn._types import Array


@dataclass(frozen=True)
class _Places(Layer):
    """A layer whose input has `axes` spatial axes and channels.

    Parameters
    ----------
    axes : int or None
        Spatial axes of the input, 1 for sequences and 2 for images; None leaves it to `Network.bind`.
    """

    least_axes: ClassVar[int] = 1
    axes: int | None = None

    def __post_init__(self) -> None:
        if self.axes is not None and (self.axes != 0 or isinstance(self.axes, bool)):
            object.__setattr__(self, "axes", whole_number(self.axes, f"{self.name}: axes"))

    def fitted(self, input_shape: tuple[int, ...]) -> Self:
        """Return the layer for inputs of a shape.

        Raises
        ------
        ShapeError
            If it was written for another number of axes.
        """
        axes = len(input_shape) - 1
        if self.axes not in (None, axes) or axes < self.least_axes:
            wanted = "at least one spatial axis" if self.axes is None else f"spatial axes = {self.axes}"
            raise ShapeError(f"{self.name} takes inputs with {wanted} and channels, got features {input_shape}")
        return replace(self, axes=axes)

    @property
    def known_axes(self) -> int:
        """The number of spatial axes; raises `ConfigError` while it is open."""
        if self.axes is None:
            raise ConfigError(f"{self.name}: the input's axes are still open: call network.bind(...) first")
        return self.axes

    def _merged(self, A: Array) -> Array:
        """Return (..., n, *axes, c) as (..., n, places, c)."""
        lead = A.shape[: -self.known_axes - 1]
        return A.reshape(*lead, -1, A.shape[-1])


@dataclass(frozen=True)
class Flatten(_Places):
    """All features in a row, in the order in which they lie: rows, columns, channels; features in a row stay."""

    name: ClassVar[str] = "flatten"
    least_axes: ClassVar[int] = 0

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (features,)."""
        self.fitted(input_shape)
        return (math.prod(input_shape),)

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = A = the same numbers; A_in (..., n, *axes, c), Z (..., n, features)."""
        Z = A_in.reshape(*A_in.shape[: -self.known_axes - 1], -1)
        return LayerRecord(A_in, Z, Z)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Put each derivative back where its number came from."""
        features = record.A_in.shape[-self.known_axes - 1 :]
        return delta.reshape(*delta.shape[:-1], *features)


@dataclass(frozen=True)
class _GlobalPool(_Places):
    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (channels,)."""
        self.fitted(input_shape)
        return (input_shape[-1],)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Share delta (..., n, c) among the places."""
        A = self._merged(record.A_in)
        dA = self._shares(A) * delta[..., None, :]
        return dA.reshape(*dA.shape[:-2], *record.A_in.shape[-self.known_axes - 1 :])

    @abstractmethod
    def _shares(self, A: Array) -> Array:
        """Return dz/da of the places (..., n, places, c)."""


@dataclass(frozen=True)
class GlobalAvgPool(_GlobalPool):
    """The mean of each channel over all places."""

    name: ClassVar[str] = "global_avg_pool"

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = A = mean over the places; A_in (..., n, *axes, c), Z (..., n, c)."""
        Z = np.mean(self._merged(A_in), axis=-2)
        return LayerRecord(A_in, Z, Z)

    def _shares(self, A: Array) -> Array:
        """dz/da = 1 / places."""
        return np.full(A.shape[-3:], 1.0 / A.shape[-2], dtype=A.dtype)


@dataclass(frozen=True)
class GlobalMaxPool(_GlobalPool):
    """The largest of each channel over all places."""

    name: ClassVar[str] = "global_max_pool"

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = A = largest over the places; A_in (..., n, *axes, c), Z (..., n, c)."""
        Z = np.max(self._merged(A_in), axis=-2)
        return LayerRecord(A_in, Z, Z)

    def _shares(self, A: Array) -> Array:
        """dz/da = 1 for the first largest, 0 for the others."""
        first = np.argmax(A, axis=-2)[..., None, :]
        shares: Array = (np.arange(A.shape[-2])[:, None] == first).astype(A.dtype)
        return shares
