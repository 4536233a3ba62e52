"""Batch normalisation (Ioffe and Szegedy, "Batch Normalization", ICML 2015), with a learned scale and shift.

While training, each feature (each channel, over samples and places alike) is brought to mean 0 and variance 1 over the
batch, then scaled by gamma and shifted by beta:

    x^ = (x - mu) / s,   s = sqrt(var + eps),   z = gamma x^ + beta.

For prediction mu and var must not depend on which samples are asked about together. The layer keeps running averages of
both among its weights, ``mean`` and ``variance``: each member its own, moved after every step by

    mean <- (1 - momentum) mean + momentum mu,   variance <- (1 - momentum) variance + momentum var n / (n - 1).

No derivative reaches them: what the optimizer does to them is overwritten.

Backward, with delta = dL/dz, means taken over the batch and dx^ = gamma delta (compare `Standardize`):

    dL/dgamma = sum of delta x^,   dL/dbeta = sum of delta,
    dL/dx     = (dx^ - mean(dx^) - x^ mean(dx^ x^)) / s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn._base import DropoutStream, Layer, LayerRecord, whole_number
from chainrule.nn._types import Array
from chainrule.nn.activations import Activation, activation
from chainrule.spec import require, spec_of

RUNNING = ("mean", "variance")


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Normalise every feature over the batch; then scale, shift and activate it.

    Parameters
    ----------
    activation : str
        Spec of the activation that follows.
    momentum : float
        Share of the batch at hand in the running averages, in (0, 1].
    eps : float
        Added to the variance; positive.
    axes : int or None
        Spatial axes of the input; None leaves it to `Network.bind`.
    """

    name: ClassVar[str] = "batch_norm"
    activation: str = "identity"
    momentum: float = 0.1
    eps: float = 1e-5
    axes: int | None = None

    def __post_init__(self) -> None:
        good = _is_number(self.momentum) and 0 < self.momentum <= 1
        require(good, f"batch_norm: momentum must lie in (0, 1], got {self.momentum!r}")
        good = _is_number(self.eps) and 0 < self.eps < math.inf
        require(good, f"batch_norm: eps must be positive and finite, got {self.eps!r}")
        for key in ("momentum", "eps"):  # a NumPy float64 would turn float32 arrays into float64
            object.__setattr__(self, key, float(getattr(self, key)))
        if self.axes is not None and (self.axes != 0 or isinstance(self.axes, bool)):
            object.__setattr__(self, "axes", whole_number(self.axes, "batch_norm: axes"))
        object.__setattr__(self, "activation", spec_of(activation(self.activation)))

    @property
    def act(self) -> Activation:
        """The activation."""
        return activation(self.activation)

    def fitted(self, input_shape: tuple[int, ...]) -> BatchNorm:
        """Return the layer for inputs of a shape; raises `ShapeError` if it was written for other axes."""
        axes = len(input_shape) - 1
        if self.axes not in (None, axes):
            raise ShapeError(
                f"batch_norm was made for inputs with spatial axes = {self.axes}, got features {input_shape}: leave "
                "its axes open"
            )
        return replace(self, axes=axes)

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return gamma, beta and the running mean and variance, (features,) each."""
        return dict.fromkeys(("gamma", "beta", *RUNNING), input_shape[-1:])

    def init(self, rng: np.random.Generator, input_shape: tuple[int, ...]) -> dict[str, Array]:
        """Begin with the plain normalisation; draws nothing."""
        one, zero = np.ones(input_shape[-1:]), np.zeros(input_shape[-1:])
        return {"gamma": one, "beta": zero, "mean": zero.copy(), "variance": one.copy()}

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Z = gamma x^ + beta with the batch's statistics in training, else the running ones; A = f(Z)."""
        rows = self._rows(A_in)
        if training:
            mean, variance = _statistics(rows)
        else:
            mean, variance = (params[key][..., None, :] for key in RUNNING)
        scale = np.sqrt(variance + self.eps)
        normal = (rows - mean) / scale
        Z = params["gamma"][..., None, :] * normal + params["beta"][..., None, :]
        Z = Z.reshape(*Z.shape[:-2], *A_in.shape[-self._known_axes - 2 :])
        return LayerRecord(A_in, Z, self.act.forward(Z), scale=scale if training else None)

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Back through the statistics in training; with the running ones dz/dx = gamma / s."""
        flat = params["gamma"][..., None, :] * self._rows(delta)  # dL/dx^
        if record.scale is None:
            dA = flat / np.sqrt(params["variance"][..., None, :] + self.eps)
        else:
            normal = self._normal(record)
            mean_product = np.mean(flat * normal, axis=-2, keepdims=True)
            dA = (flat - np.mean(flat, axis=-2, keepdims=True) - normal * mean_product) / record.scale
        result: Array = dA.reshape(delta.shape)
        return result

    def parameter_gradients(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> dict[str, Array]:
        """dL/dgamma = sum of delta x^ and dL/dbeta = sum of delta, over samples and places; none for the averages."""
        flat = self._rows(delta)
        if record.scale is None:
            mean, variance = (params[key][..., None, :] for key in RUNNING)
            normal = (self._rows(record.A_in) - mean) / np.sqrt(variance + self.eps)
        else:
            normal = self._normal(record)
        grads = {"gamma": np.sum(flat * normal, axis=-2), "beta": np.sum(flat, axis=-2)}
        return grads | {key: np.zeros_like(grads["beta"]) for key in RUNNING}

    def running(self, params: dict[str, Array], record: LayerRecord) -> dict[str, Array]:
        """Return the running averages after a training step whose forward pass is `record`."""
        rows = self._rows(record.A_in)
        mean, variance = _statistics(rows)
        n = rows.shape[-2]
        seen = {"mean": mean[..., 0, :], "variance": variance[..., 0, :] * (n / max(n - 1, 1))}
        return {key: (1 - self.momentum) * params[key] + self.momentum * seen[key] for key in RUNNING}

    def _normal(self, record: LayerRecord) -> Array:
        """Return x^ of a training pass."""
        assert record.scale is not None, "only a training pass has the batch's statistics"
        rows = self._rows(record.A_in)
        normal: Array = (rows - _mean(rows)) / record.scale
        return normal

    def _rows(self, A: Array) -> Array:
        """Return (..., n, *axes, c) as (..., n places, c)."""
        return A.reshape(*A.shape[: -self._known_axes - 2], -1, A.shape[-1])

    @property
    def _known_axes(self) -> int:
        if self.axes is None:
            raise ConfigError("batch_norm: the input's axes are still open: call network.bind(...) first")
        return self.axes


def _statistics(rows: Array) -> tuple[Array, Array]:
    """Return mean and variance over the rows, (..., 1, c)."""
    mean = _mean(rows)
    centred = rows - mean
    return mean, _mean(centred * centred)


def _mean(rows: Array) -> Array:
    """Return the mean over the rows, (..., 1, c), added up in float64.

    All places of all samples are one sum: in float32 a batch of 64 images of 24 x 24 would lose two digits of it.
    """
    mean: Array = np.mean(rows.astype(np.float64, copy=False), axis=-2, keepdims=True).astype(rows.dtype, copy=False)
    return mean


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
