"""The contract of every loss: what it means per sample, how samples are reduced, and where overflow ends.

A sample's loss l_i is the mean over its k outputs (regression and binary cross-entropy) or the sum over
its classes (softmax cross-entropy). Over the batch, with optional sample weights w_i:

    reduction "mean":  L = sum_i w_i l_i / sum_i w_i        (w_i = 1: the plain mean)
    reduction "sum":   L = sum_i w_i l_i

Samples are the axis before the last, so leading member axes stay: A (..., n, k) gives L (...).
The sum over samples never mixes members, so a member's loss does not depend on its neighbours.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, ShapeError, one_line
from chainrule.nn._types import Array
from chainrule.nn.activations import Activation
from chainrule.spec import require


class Loss(ABC):
    """The contract (frozen dataclass with a field `reduction`, "mean" or "sum").

    Every loss but `mse`, `half_mse` and `bce_eps_in_divisions` is finite and free of warnings for all finite
    inputs; where the exact value lies beyond the largest float, the largest float is returned. Non-finite
    inputs are passed on as they come, so that a divergence shows.

    Attributes
    ----------
    name : str
        The registry name.
    pairs_with : str or None
        The output activation for which the loss has a form in the logits Z.
    outputs : tuple of str
        The output activations after which the loss makes sense; empty for any.
    """

    name: ClassVar[str]
    pairs_with: ClassVar[str | None] = None
    outputs: ClassVar[tuple[str, ...]] = ()
    _saturates: ClassVar[bool] = True
    reduction: str

    def __post_init__(self) -> None:
        require(
            self.reduction in ("mean", "sum"),
            f"{self.name}: reduction must be 'mean' or 'sum', got '{one_line(self.reduction)}'",
        )

    def value(self, A: Array, Y: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Array:
        """Return the loss of the outputs.

        Parameters
        ----------
        A : array (..., n, k)
            Activations of the output layer.
        Y : array (n, k) or (..., n, k)
            Targets; softmax cross-entropy also takes classes.
        weight : array (n,) or (..., n), optional
            Sample weights.

        Returns
        -------
        array (...)
            One loss for each member; of shape () without member axis.

        Raises
        ------
        ShapeError
            If the targets or weights do not fit the outputs.
        """
        return self._reduced(self._of_outputs, A, Y, weight)

    def gradient(self, A: Array, Y: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Array:
        """Return dL/dA, of the shape of `A`, with the factor of the reduction in it."""
        with np.errstate(over="ignore", under="ignore"):
            slope = self._scaled(self._slope(A, self.targets(A, Y)), weight)
            if self._saturates:  # probabilities next to 0 divide: stop at the largest float
                largest = np.finfo(slope.dtype).max
                slope = np.clip(slope, -largest, largest)
            return slope

    def logits_value(self, Z: Array, Y: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Array:
        """Return the loss from the pre-activations Z of the activation it pairs with."""
        return self._reduced(self._of_logits, Z, Y, weight)

    def logits_gradient(self, Z: Array, Y: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Array:
        """Return dL/dZ, the output delta, from the pre-activations of the activation it pairs with."""
        with np.errstate(over="ignore", under="ignore"):
            return self._scaled(self._logits_slope(Z, self.targets(Z, Y)), weight)

    def check_output(self, activation: Activation) -> None:
        """Raise `ConfigError` when the loss cannot work after this output activation."""
        if self.outputs and activation.name not in self.outputs:
            raise ConfigError(
                f"loss '{self.name}' needs probabilities, which output activation '{activation.name}' does not give: "
                f"use output '{self.outputs[0]}'" + (f" (or '{self.outputs[1]}')" if len(self.outputs) > 1 else "")
            )

    def targets(self, A: Array, Y: npt.ArrayLike) -> Array:
        """Return the targets in the float type of `A`, after checking that they fit without broadcasting outputs."""
        targets: Array = np.asarray(Y, dtype=A.dtype)
        fits = targets.ndim >= 2 and targets.shape[-2:] == A.shape[-2:]
        if not fits or (targets.ndim > 2 and targets.shape != A.shape):
            raise ShapeError(f"targets of shape {np.shape(Y)} do not fit outputs of shape {A.shape}")
        return targets

    @property
    def kinks(self) -> tuple[float, ...]:
        """The residuals a - y at which the derivative jumps; gradient checks stay away from them."""
        return ()

    @abstractmethod
    def _of_outputs(self, A: Array, Y: Array) -> Array:
        """Return the loss of each sample, (..., n)."""

    @abstractmethod
    def _slope(self, A: Array, Y: Array) -> Array:
        """Return the derivative of each sample's loss by its outputs, (..., n, k)."""

    def _of_logits(self, Z: Array, Y: Array) -> Array:
        raise ConfigError(f"loss '{self.name}' has no form in logits")

    def _logits_slope(self, Z: Array, Y: Array) -> Array:
        raise ConfigError(f"loss '{self.name}' has no form in logits")

    def _reduced(
        self, per_sample: Callable[[Array, Array], Array], A: Array, Y: npt.ArrayLike, weight: npt.ArrayLike | None
    ) -> Array:
        """Reduce the samples' losses; see the module's first lines."""
        with np.errstate(over="ignore", under="ignore"):
            losses = per_sample(A, self.targets(A, Y))
            w = None if weight is None else _fitting_weight(weight, losses)
            parts = losses if w is None else losses * w
            divisor = self._divisor(losses, w)
            total: Array = np.sum(parts, axis=-1) / divisor
            if self._saturates and np.isinf(total).any():
                total = _saturated(total, parts, divisor, A)
        return total

    def _scaled(self, slope: Array, weight: npt.ArrayLike | None) -> Array:
        """Multiply each sample's slope (..., n, k) by its share in the reduction."""
        if weight is None:
            return slope / self._divisor(slope[..., 0], None)
        w = _fitting_weight(weight, slope[..., 0])
        share: Array = w / np.expand_dims(self._divisor(slope[..., 0], w), -1)
        return slope * share[..., None]

    def _divisor(self, losses: Array, w: Array | None) -> Array:
        """Return what the sum over samples is divided by, () or (...); losses are (..., n).

        A batch whose weights are all zero is divided by 1: its loss is 0, not 0/0.
        """
        one = np.ones((), dtype=losses.dtype)
        if self.reduction == "sum":
            return one
        if w is None:
            return one * int(losses.shape[-1])
        total = np.sum(w, axis=-1)
        return np.where(total == 0, one, total)


def _saturated(total: Array, parts: Array, divisor: Array, A: Array) -> Array:
    """Replace an overflow that finite outputs led to: divide before summing, then stop at the largest float."""
    largest = np.finfo(total.dtype).max
    shares = np.minimum(parts / np.expand_dims(divisor, -1), largest)
    again = np.minimum(np.sum(shares, axis=-1), largest)
    return np.where(np.isinf(total) & np.isfinite(A).all(axis=(-2, -1)), again, total)


def _fitting_weight(weight: npt.ArrayLike, losses: Array) -> Array:
    """Return sample weights (n,) or (..., n) in the float type of the losses (..., n)."""
    w: Array = np.asarray(weight, dtype=losses.dtype)
    if w.shape not in (losses.shape, losses.shape[-1:]):
        raise ShapeError(f"sample weights of shape {w.shape} do not fit the losses of shape {losses.shape}")
    return w


def mean_of_outputs(losses: Array) -> Array:
    """Average (..., n, k) over the outputs."""
    result: Array = np.mean(losses, axis=-1)
    return result


def n_outputs(A: Array) -> int:
    """Return k for outputs (..., n, k)."""
    return int(A.shape[-1])


def positive(name: str, key: str, number: float) -> None:
    """Check a loss's scale-like number."""
    require(0 < number < math.inf, f"{name}: {key} must be positive and finite, got {number}")
