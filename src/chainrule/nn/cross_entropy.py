"""Cross-entropies, computed from logits: forward beside backward.

With the activation they pair with, the derivative by the logits is the difference between what the
network says and what is true: dl/dz = a - y. The division by a (1 - a) in dl/da and the product with
a (1 - a) in da/dz cancel on paper; computing them one after the other divides by zero as soon as an
output saturates. So the pair is computed as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError
from chainrule.nn._loss_base import Loss, mean_of_outputs, n_outputs, positive
from chainrule.nn._types import Array
from chainrule.nn.activations import shifted_exp, stable_sigmoid
from chainrule.spec import require


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """-(y log a + (1 - y) log(1 - a)), the mean over the outputs, times `scale`.

    Given probabilities instead of logits, `value` and `gradient` hold a between the smallest normal
    float and the last float below 1, where the logarithms are still finite.

    Parameters
    ----------
    scale : float
        A factor on the loss. Scale 2 with sigmoid gives the output delta 2 (a - y) / n.
    reduction : str
        "mean" or "sum" over the batch.
    """

    name: ClassVar[str] = "binary_cross_entropy"
    pairs_with: ClassVar[str | None] = "sigmoid"
    outputs: ClassVar[tuple[str, ...]] = ("sigmoid", "softmax")
    scale: float = 1.0
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.name, "scale", self.scale)

    def _of_logits(self, Z: Array, Y: Array) -> Array:
        # -log sigmoid(z) = log(1 + e^-z) and -log(1 - sigmoid(z)) = z + log(1 + e^-z), so
        # l = (1 - y) z + log(1 + e^-z) = max(z, 0) - z y + log(1 + e^-|z|):
        # log(1 + e^-z) = max(-z, 0) + log(1 + e^-|z|), and z + max(-z, 0) = max(z, 0). Nothing here can
        # overflow in exp (the same form as in TensorFlow's sigmoid_cross_entropy_with_logits).
        losses = np.maximum(Z, 0.0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))
        return self.scale * mean_of_outputs(losses)

    def _logits_slope(self, Z: Array, Y: Array) -> Array:
        # dl/dz = (1 - y) - e^-z / (1 + e^-z) = sigmoid(z) - y
        return (stable_sigmoid(Z) - Y) * (self.scale / n_outputs(Z))

    def _of_outputs(self, A: Array, Y: Array) -> Array:
        A = _open_interval(A)
        return self.scale * mean_of_outputs(-(Y * np.log(A) + (1.0 - Y) * np.log1p(-A)))

    def _slope(self, A: Array, Y: Array) -> Array:
        # dl/da = -y/a + (1 - y)/(1 - a) = (a - y) / (a (1 - a))
        A = _open_interval(A)
        return (A - Y) / (A * (1.0 - A)) * (self.scale / n_outputs(A))


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """-sum_j q_j log a_j over the classes, after softmax.

    Targets are one-hot rows (n, k), or class numbers 0..k-1 as an integer array (n,) or (m, n). Integer
    targets of shape (m, n) are always read as classes; write one-hot rows as floats.

    Parameters
    ----------
    label_smoothing : float
        s in [0, 1): the targets become q = (1 - s) y + s / k (Szegedy et al., 2016).
    reduction : str
        "mean" or "sum" over the batch.
    """

    name: ClassVar[str] = "softmax_cross_entropy"
    pairs_with: ClassVar[str | None] = "softmax"
    outputs: ClassVar[tuple[str, ...]] = ("softmax",)
    label_smoothing: float = 0.0
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        s = self.label_smoothing
        require(0 <= s < 1, f"{self.name}: label_smoothing must lie in [0, 1), got {s}")

    def targets(self, A: Array, Y: npt.ArrayLike) -> Array:
        """Return the smoothed target distribution q, one row a sample, from one-hot rows or classes."""
        given = np.asarray(Y)
        classes = np.issubdtype(given.dtype, np.integer) and given.shape in (A.shape[:-1], A.shape[-2:-1])
        q = _one_hot(given, A) if classes else super().targets(A, Y)
        s = self.label_smoothing
        return q if s == 0 else (1.0 - s) * q + s / n_outputs(A)

    def _of_logits(self, Z: Array, Y: Array) -> Array:
        # log a_j = (z_j - max z) - log sum_i exp(z_i - max z)
        shifted, _, total = shifted_exp(Z)
        losses: Array = -np.sum(Y * (shifted - np.log(total)), axis=-1)
        return losses

    def _logits_slope(self, Z: Array, Y: Array) -> Array:
        # l = Q log sum_i e^(z_i) - sum_j q_j z_j with Q = sum_j q_j, so dl/dz_j = Q a_j - q_j; Q is 1 for
        # every target distribution, and then dl/dz = a - q.
        _, e, total = shifted_exp(Z)
        result: Array = np.sum(Y, axis=-1, keepdims=True) * (e / total) - Y
        return result

    def _of_outputs(self, A: Array, Y: Array) -> Array:
        losses: Array = -np.sum(Y * np.log(_above_zero(A)), axis=-1)
        return losses

    def _slope(self, A: Array, Y: Array) -> Array:
        return -Y / _above_zero(A)


@dataclass(frozen=True)
class BCEEpsInDivisions(Loss):
    """Textbook binary cross-entropy, as often written: logarithms bare, an eps only inside the divisions.

    The value is -(y log a + (1 - y) log(1 - a)), which is inf or NaN once an output reaches 0 or 1; the
    gradient is -(y / (a + eps) - (1 - y) / (1 - a + eps)), then times the activation's own derivative.
    The two differ by O(eps) away from 0 and 1 and entirely at 0 and 1. It is kept to reproduce results
    obtained with it, and works after any output activation; `binary_cross_entropy` is the loss to use.
    """

    name: ClassVar[str] = "bce_eps_in_divisions"
    _saturates: ClassVar[bool] = False
    eps: float = 1e-8
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.eps < 1, f"{self.name}: eps must lie in [0, 1), got {self.eps}")

    def _of_outputs(self, A: Array, Y: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return mean_of_outputs(-(Y * np.log(A) + (1.0 - Y) * np.log(1.0 - A)))

    def _slope(self, A: Array, Y: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = -(Y / (A + self.eps) - (1.0 - Y) / (1.0 - A + self.eps))
            return slope / n_outputs(A)


def _open_interval(A: Array) -> Array:
    """Hold probabilities where log(a) and log(1 - a) are finite; NaN stays NaN."""
    info = np.finfo(A.dtype)
    return np.clip(A, info.tiny, 1.0 - info.epsneg)


def _above_zero(A: Array) -> Array:
    """Hold probabilities where log(a) is finite; NaN stays NaN."""
    result: Array = np.maximum(A, np.finfo(A.dtype).tiny)
    return result


def _one_hot(classes: npt.NDArray[np.integer], A: Array) -> Array:
    """Turn class numbers (n,) or (..., n) into rows of zeros with a one, in the float type of A (..., n, k)."""
    k = A.shape[-1]
    if classes.size == 0:
        raise ShapeError(f"targets of shape {classes.shape} do not fit outputs of shape {A.shape}")
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= k:
        raise DataError(f"class {low if low < 0 else high} in the targets, but {k} outputs know classes 0 to {k - 1}")
    rows: Array = np.eye(k, dtype=A.dtype)
    result: Array = rows[classes]
    return result
