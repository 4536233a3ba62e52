"""Dropout: noise that switches units off during training (Srivastava et al., 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn._base import DropoutStream, Layer, LayerRecord, whole_number
from chainrule.nn._types import Array
from chainrule.spec import require


@dataclass(frozen=True)
class Dropout(Layer):
    """Inverted dropout: each activation becomes 0 with probability `rate`, else it is divided by 1 - rate.

    The division keeps the expected activation, so that inference needs no change at all.

    Parameters
    ----------
    rate : float
        Probability of dropping, in [0, 1).
    channels : bool
        Drop whole channels of a sequence or an image: neighbouring places are so alike that dropping single ones hides
        nothing (Tompson, Goroshin, Jain, LeCun and Bregler, CVPR 2015).
    axes : int or None
        Spatial axes of the input, which only whole channels need to know; None leaves it to `Network.bind`.
    """

    name: ClassVar[str] = "dropout"
    rate: float = 0.5
    channels: bool = False
    axes: int | None = None

    def __post_init__(self) -> None:
        good = isinstance(self.rate, int | float) and not isinstance(self.rate, bool) and 0 <= self.rate < 1
        require(good, f"dropout: rate must lie in [0, 1), got {self.rate!r}")
        object.__setattr__(self, "rate", float(self.rate))  # a NumPy float64 would turn float32 arrays into float64
        require(isinstance(self.channels, bool), f"dropout: channels must be true or false, got {self.channels!r}")
        require(self.axes is None or self.channels, "dropout: axes are only for whole channels: set channels=True")
        if self.axes is not None:
            object.__setattr__(self, "axes", whole_number(self.axes, "dropout: axes"))

    def fitted(self, input_shape: tuple[int, ...]) -> Dropout:
        """Return the layer for inputs of a shape; raises `ShapeError` for channels without a spatial axis."""
        if not self.channels:
            return self
        axes = len(input_shape) - 1
        if axes < 1 or self.axes not in (None, axes):
            wanted = "at least one spatial axis" if self.axes is None else f"spatial axes = {self.axes}"
            raise ShapeError(f"dropout of channels takes inputs with {wanted}, got features {input_shape}")
        return replace(self, axes=axes)

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = A = mask * A_in; at inference (`dropout` None) or with rate 0, A_in itself.

        Each member draws from its own generator, in float64 whatever the activations' type, so that a member
        drops the same units alone and in company.
        """
        if dropout is None or self.rate == 0:
            return LayerRecord(A_in, A_in, A_in)
        mask = self._mask(dropout, A_in)
        A = A_in * mask
        return LayerRecord(A_in, A, A, mask=mask)

    def _mask(self, dropout: DropoutStream, A_in: Array) -> Array:
        """Draw the factors, 0 or 1 / (1 - rate): (n, ...) from one generator, (m, n, ...) from m of them."""
        shape = A_in.shape
        if self.channels:
            if self.axes is None:
                raise ConfigError("dropout: the input's axes are still open: call network.bind(...) first")
            shape = (*shape[: -self.axes - 1], *(1,) * self.axes, shape[-1])
        if isinstance(dropout, Sequence):
            if A_in.shape[0] != len(dropout):
                raise ShapeError(f"{len(dropout)} dropout generators do not fit activations of shape {A_in.shape}")
            draws = np.stack([rng.random(shape[1:]) for rng in dropout])
        else:
            draws = dropout.random(shape)
        return (draws >= self.rate).astype(A_in.dtype) / (1.0 - self.rate)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """dz/da = mask."""
        return delta if record.mask is None else delta * record.mask
