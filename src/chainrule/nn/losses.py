"""Losses: the regression losses, the registry of all losses, and how a loss meets the output activation.

`loss_value` and `output_delta` are what a network calls: they take the form in the logits where loss and
output activation pair (sigmoid with binary cross-entropy, softmax with cross-entropy), and the chain rule
through the activation elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.nn._loss_base import Loss, mean_of_outputs, n_outputs, positive
from chainrule.nn._types import Array
from chainrule.nn.activations import Activation
from chainrule.nn.cross_entropy import BCEEpsInDivisions, BinaryCrossEntropy, SoftmaxCrossEntropy
from chainrule.spec import build

__all__ = [
    "LOSSES",
    "BCEEpsInDivisions",
    "BinaryCrossEntropy",
    "HalfMeanSquaredError",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SoftmaxCrossEntropy",
    "loss",
    "loss_value",
    "output_delta",
]


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """(a - y)^2, the mean over the outputs.

    The square of a residual above about 1e154 (1e19 in float32) is beyond the largest float: the value is
    then inf, as a diverging run should show; the gradient stays finite.
    """

    name: ClassVar[str] = "mse"
    _saturates: ClassVar[bool] = False
    reduction: str = "mean"

    def _of_outputs(self, A: Array, Y: Array) -> Array:
        R = A - Y
        return mean_of_outputs(R * R)

    def _slope(self, A: Array, Y: Array) -> Array:
        # d/da (a - y)^2 / k = 2 (a - y) / k
        return (A - Y) * (2.0 / n_outputs(A))


@dataclass(frozen=True)
class HalfMeanSquaredError(Loss):
    """(a - y)^2 / 2, the mean over the outputs: its derivative is the residual itself.

    The value overflows to inf where `mse` does.
    """

    name: ClassVar[str] = "half_mse"
    _saturates: ClassVar[bool] = False
    reduction: str = "mean"

    def _of_outputs(self, A: Array, Y: Array) -> Array:
        R = A - Y
        return mean_of_outputs(0.5 * (R * R))

    def _slope(self, A: Array, Y: Array) -> Array:
        # d/da (a - y)^2 / 2k = (a - y) / k
        return (A - Y) / n_outputs(A)


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """|a - y|, the mean over the outputs; the derivative at a = y is taken as 0."""

    name: ClassVar[str] = "mae"
    reduction: str = "mean"

    @property
    def kinks(self) -> tuple[float, ...]:
        """|r| turns at 0."""
        return (0.0,)

    def _of_outputs(self, A: Array, Y: Array) -> Array:
        return mean_of_outputs(np.abs(A - Y))

    def _slope(self, A: Array, Y: Array) -> Array:
        # d/da |a - y| / k = sign(a - y) / k
        result: Array = np.sign(A - Y) / n_outputs(A)
        return result


@dataclass(frozen=True)
class Huber(Loss):
    """r^2 / 2 where |r| <= delta, delta (|r| - delta / 2) beyond, r = a - y; the mean over the outputs.

    Huber, "Robust estimation of a location parameter", 1964.
    """

    name: ClassVar[str] = "huber"
    delta: float = 1.0
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.name, "delta", self.delta)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The slope stops growing at |r| = delta."""
        return (-self.delta, self.delta)

    def _of_outputs(self, A: Array, Y: Array) -> Array:
        R = np.abs(A - Y)
        near = np.minimum(R, self.delta)  # squares only what is small
        return mean_of_outputs(near * (R - 0.5 * near))

    def _slope(self, A: Array, Y: Array) -> Array:
        # r inside, delta sign(r) outside: r clipped to [-delta, delta]
        return np.clip(A - Y, -self.delta, self.delta) / n_outputs(A)


_CLASSES: tuple[type[Loss], ...] = (
    MeanSquaredError, HalfMeanSquaredError, MeanAbsoluteError, Huber,
    BinaryCrossEntropy, SoftmaxCrossEntropy, BCEEpsInDivisions,
)  # fmt: skip
LOSSES: dict[str, type[Loss]] = {cls.name: cls for cls in _CLASSES}


def loss(spec: str | Loss) -> Loss:
    """Return the loss that a spec such as ``"mse"`` or ``"huber(0.5, reduction=sum)"`` describes.

    Parameters
    ----------
    spec : str or Loss
        The spec, or a loss, which is returned as it is.

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one) or a value out of range.
    """
    if isinstance(spec, Loss):
        return spec
    return _build(spec) if isinstance(spec, str) else build(LOSSES, spec, "loss")


@lru_cache(maxsize=256)
def _build(text: str) -> Loss:
    """Build once per text."""
    return build(LOSSES, text, "loss")


def loss_value(
    loss: Loss, act: Activation, Z: Array, A: Array, Y: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> Array:
    """Return the loss of an output layer with pre-activations Z and activations A = act(Z).

    Parameters
    ----------
    loss, act : Loss, Activation
        The loss and the output activation.
    Z, A : array (..., n, k)
        The output layer.
    Y, weight : array
        Targets and optional sample weights, as `Loss.value` takes them.

    Returns
    -------
    array (...)
        One loss for each member, through the logits where loss and activation pair.
    """
    if act.name == loss.pairs_with:
        return loss.logits_value(Z, Y, weight)
    return loss.value(A, Y, weight)


def output_delta(
    loss: Loss, act: Activation, Z: Array, A: Array, Y: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> Array:
    """Return dL/dZ of the output layer, (..., n, k); the arguments are those of `loss_value`.

    Through the logits where loss and activation pair, else dL/dA and then the activation's backward.
    """
    if act.name == loss.pairs_with:
        return loss.logits_gradient(Z, Y, weight)
    return act.backward(loss.gradient(A, Y, weight), Z, A)
