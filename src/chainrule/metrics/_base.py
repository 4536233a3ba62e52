"""The metric contract, and how predictions and targets of any leading axes are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError

Array = npt.NDArray[np.floating[Any]]
AnyArray = npt.NDArray[Any]


@dataclass(frozen=True)
class Metric(ABC):
    """A number that says how good predictions are.

    `tasks` lists the tasks ("binary", "multiclass", "regression") that the metric makes sense for, `bounds` the
    smallest and the largest value it can have.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool]
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass")
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def value(self, A: Array, Y: AnyArray) -> Array:
        """Return the metric over the sample axis.

        Parameters
        ----------
        A : (..., n, k) array
            Predictions: outputs of the network.
        Y : (..., n, k) or (..., n) array
            Targets.

        Returns
        -------
        (...) array
            float64, one value for each leading index.

        Raises
        ------
        ShapeError
            If Y does not fit A, or there are no samples.
        DataError
            If class numbers lie outside 0 to k - 1.
        """
        A = np.asarray(A)
        Y = fit(A, np.asarray(Y))
        with np.errstate(all="ignore"):
            return np.asarray(self._value(A, Y), dtype=np.float64)

    @abstractmethod
    def _value(self, A: Array, Y: AnyArray) -> Any:
        """Compute the metric; Y is (..., n, k), or (..., n) class numbers when k > 1."""


def fit(A: Array, Y: AnyArray) -> AnyArray:
    """Return Y as (..., n, k), or as (..., n) class numbers if k > 1; refuse what does not fit A."""
    if A.ndim < 2 or A.shape[-2] == 0 or A.shape[-1] == 0:
        raise ShapeError(f"predictions must be (..., n, k) with at least one sample, got shape {A.shape}")
    n, k = A.shape[-2:]
    by_column = Y.shape[-2:] == (n, k)
    if not by_column and Y.shape[-1:] != (n,):
        raise ShapeError(f"targets of shape {Y.shape} do not fit predictions of shape {A.shape}")
    try:
        np.broadcast_shapes(A.shape[:-2], Y.shape[: -2 if by_column else -1])
    except ValueError:
        raise ShapeError(f"targets of shape {Y.shape} do not fit predictions of shape {A.shape}") from None
    if by_column or k == 1:
        return Y if by_column else Y[..., None]
    if not np.isin(Y, np.arange(k)).all():
        raise DataError(f"class numbers must be from 0 to {k - 1} for {k} outputs, got {Y.min()} to {Y.max()}")
    return Y


def is_labels(A: Array, Y: AnyArray) -> bool:
    """Whether Y (as `_fit` returns it) holds class numbers instead of columns."""
    return Y.shape[-2:] != A.shape[-2:]


def leading(A: Array, Y: AnyArray) -> tuple[int, ...]:
    """Return the leading axes of the result."""
    return np.broadcast_shapes(A.shape[:-2], Y.shape[: -1 if is_labels(A, Y) else -2])


def classes(A: Array, Y: AnyArray) -> AnyArray:
    """Return the true classes (..., n) as integers."""
    if is_labels(A, Y):
        return Y.astype(np.int64)
    return (Y[..., 0] >= 0.5).astype(np.int64) if A.shape[-1] == 1 else np.argmax(Y, axis=-1)


def predicted(A: Array) -> AnyArray:
    """Return the predicted classes (..., n) as integers; -1, which is no class, where an output is NaN."""
    guess = (A[..., 0] >= 0.5).astype(np.int64) if A.shape[-1] == 1 else np.argmax(A, axis=-1)
    return np.where(np.isnan(A).any(axis=-1), -1, guess)


def columns(A: Array, Y: AnyArray) -> AnyArray:
    """Return targets as (..., n, k) in A's dtype: class numbers become one-hot."""
    target: AnyArray = Y[..., None] == np.arange(A.shape[-1]) if is_labels(A, Y) else Y
    return target.astype(A.dtype if A.dtype.kind == "f" else np.float64)


def squeeze(a: AnyArray) -> AnyArray:
    """Return (n,) probabilities of class 1 for one output, else the rows."""
    return a[:, 0] if a.shape[1] == 1 else a


def are_probabilities(A: Array) -> npt.NDArray[np.bool_]:
    """Return (...) bool: all outputs in [0, 1] and, for k > 1, every row summing to 1 within rounding."""
    inside = ((A >= 0) & (A <= 1)).all(axis=(-2, -1))
    if A.shape[-1] == 1:
        return np.asarray(inside)
    slack = np.sqrt(np.finfo(A.dtype if A.dtype.kind == "f" else np.float64).eps)
    return np.asarray(inside & (np.abs(A.sum(axis=-1) - 1.0) <= slack).all(axis=-1))


def each(
    A: Array,
    Y: AnyArray,
    score: Callable[[AnyArray, AnyArray], float],
    y_axes: int = 1,
    probabilities: bool = False,
) -> AnyArray:
    """Apply a scikit-learn score to every member; NaN where predictions are not finite (or no probabilities).

    `y_axes` says what Y holds for one member: 1 for (..., n) classes, 2 for (..., n, k) columns.
    """
    tail = Y.shape[-y_axes:]
    shape = np.broadcast_shapes(A.shape[:-2], Y.shape[:-y_axes])
    predictions = np.broadcast_to(A, (*shape, *A.shape[-2:])).reshape(-1, *A.shape[-2:])
    targets = np.broadcast_to(Y, (*shape, *tail)).reshape(-1, *tail)
    usable = np.asarray(np.isfinite(predictions).all(axis=(-2, -1)))
    if probabilities:
        usable &= are_probabilities(predictions)
    values = [score(a, y) if ok else np.nan for a, y, ok in zip(predictions, targets, usable, strict=True)]
    return np.array(values, dtype=np.float64).reshape(shape)
