"""Normalisation of pre-activations over the batch, without learned parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.nn._base import DropoutStream, Layer, LayerRecord
from chainrule.nn._types import Array
from chainrule.nn.activations import Activation, activation
from chainrule.spec import require, spec_of


@dataclass(frozen=True)
class Standardize(Layer):
    """Give each feature mean 0 and variance 1 over the batch at hand, then apply the activation.

    Batch normalisation (Ioffe and Szegedy, 2015) without its learned scale and shift, and without running
    averages: the statistics are those of the batch in training and in prediction, so a prediction depends on
    which samples are predicted together. A batch of one sample has no spread: it becomes 0, and its derivative
    is 0, through `eps`.

    Parameters
    ----------
    activation : str
        Spec of the activation that follows.
    eps : float
        Added to the variance; positive.
    """

    name: ClassVar[str] = "standardize"
    activation: str = "identity"
    eps: float = 1e-5

    def __post_init__(self) -> None:
        good = isinstance(self.eps, int | float) and not isinstance(self.eps, bool) and 0 < self.eps < math.inf
        require(good, f"standardize: eps must be positive and finite, got {self.eps!r}")
        object.__setattr__(self, "activation", spec_of(activation(self.activation)))

    @property
    def act(self) -> Activation:
        """The activation."""
        return activation(self.activation)

    def forward(self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None) -> LayerRecord:
        """Z = (A_in - mean) / s, s = sqrt(variance + eps), over the sample axis; A = f(Z)."""
        centred = A_in - np.mean(A_in, axis=-2, keepdims=True)
        scale = np.sqrt(np.mean(centred * centred, axis=-2, keepdims=True) + self.eps)
        Z = centred / scale
        return LayerRecord(A_in, Z, self.act.forward(Z), scale=scale)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Back through z_i = (x_i - mu) / s, where mu and s depend on every sample of the batch.

        With c_i = x_i - mu: dz_i/dx_j = (1[i = j] - 1/n) / s - c_i / s^2 ds/dx_j, and
        ds/dx_j = c_j / (n s) because the c_i sum to 0. So
        dL/dx_j = (delta_j - mean_i delta_i - z_j mean_i(delta_i z_i)) / s.
        """
        assert record.scale is not None
        mean_delta = np.mean(delta, axis=-2, keepdims=True)
        mean_product = np.mean(delta * record.Z, axis=-2, keepdims=True)
        result: Array = (delta - mean_delta - record.Z * mean_product) / record.scale
        return result
