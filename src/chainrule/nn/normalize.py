"""Normalisation of pre-activations: over the batch in training, with fixed statistics in prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.errors import ShapeError
from chainrule.nn._base import DropoutStream, Forward, Layer, LayerRecord
from chainrule.nn._types import Array, Params
from chainrule.nn.activations import Activation, activation
from chainrule.spec import require, spec_of


@dataclass(frozen=True)
class Standardize(Layer):
    """Give each feature mean 0 and variance 1 over the batch at hand, then apply the activation.

    Batch normalisation (Ioffe and Szegedy, 2015) without its learned scale and shift, and without running
    averages. While it is trained the statistics are those of the batch at hand; a batch of one sample has no
    spread: it becomes 0, and its derivative is 0, through `eps`. To predict, the statistics must not depend on
    which samples are asked about together: `fix_statistics` puts those of the whole training set among the
    layer's parameters, as ``mean`` and ``scale`` (..., features), and then they are used.

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
        object.__setattr__(self, "eps", float(self.eps))  # a NumPy float64 would turn float32 arrays into float64
        object.__setattr__(self, "activation", spec_of(activation(self.activation)))

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the features as they come in: one axis of them."""
        if len(input_shape) != 1:
            raise ShapeError(
                f"standardize takes inputs of shape (n, features), got features {input_shape}: use batch_norm for "
                "sequences and images"
            )
        return input_shape

    @property
    def act(self) -> Activation:
        """The activation."""
        return activation(self.activation)

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = (A_in - mean) / s, s = sqrt(variance + eps), over the sample axis or as fixed; A = f(Z)."""
        if "mean" in params:
            Z = (A_in - params["mean"][..., None, :]) / params["scale"][..., None, :]
            return LayerRecord(A_in, Z, self.act.forward(Z))
        centred = A_in - np.mean(A_in, axis=-2, keepdims=True)
        scale = np.sqrt(np.mean(centred * centred, axis=-2, keepdims=True) + self.eps)
        Z = centred / scale
        return LayerRecord(A_in, Z, self.act.forward(Z), scale=scale)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Back through z_i = (x_i - mu) / s, where mu and s depend on every sample of the batch.

        With c_i = x_i - mu: dz_i/dx_j = (1[i = j] - 1/n) / s - c_i / s^2 ds/dx_j, and
        ds/dx_j = c_j / (n s) because the c_i sum to 0. So
        dL/dx_j = (delta_j - mean_i delta_i - z_j mean_i(delta_i z_i)) / s.

        With fixed statistics dz_i/dx_j = 1[i = j] / s, and so dL/dx_j = delta_j / s.
        """
        if record.scale is None:
            fixed: Array = delta / params["scale"][..., None, :]
            return fixed
        mean_delta = np.mean(delta, axis=-2, keepdims=True)
        mean_product = np.mean(delta * record.Z, axis=-2, keepdims=True)
        result: Array = (delta - mean_delta - record.Z * mean_product) / record.scale
        return result


def fix_statistics(params: Params, forward: Forward) -> Params:
    """Return parameters whose normalising layers use the statistics of a forward pass from now on.

    Parameters
    ----------
    params : Params
        The weights, with or without member axis.
    forward : Forward
        Their pass over the samples whose statistics are to be used: the whole training set.

    Returns
    -------
    Params
        The same weights; a `Standardize` layer that normalised over the samples also has ``mean`` and ``scale``,
        (..., features). `BatchNorm` has running averages of its own and keeps them.
    """
    return tuple(
        weights
        if record.scale is None or weights
        else {**weights, "mean": np.mean(record.A_in, axis=-2), "scale": record.scale[..., 0, :]}
        for weights, record in zip(params, forward.records, strict=True)
    )
