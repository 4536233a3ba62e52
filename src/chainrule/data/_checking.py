"""What samples, targets and weights must be like: each check returns them ready for use, or says what is wrong."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError, one_line

Array = npt.NDArray[np.floating[Any]]
Task = Literal["binary", "multiclass", "regression"]


def of_one_shape(X: Any, name: str) -> npt.NDArray[Any]:
    """Return the samples as an array, or say that they differ in shape, as images of mixed sizes do."""
    try:
        return np.asarray(X)
    except ValueError as error:
        try:
            shapes = sorted({np.shape(sample) for sample in X})
        except ValueError:  # ragged within a sample
            raise ShapeError(f"data set '{name}': X is no array: {one_line(error)}") from None
        raise ShapeError(
            f"data set '{name}': samples differ in shape, such as {shapes[0]} and {shapes[-1]}: bring them to one size"
        ) from None


def holds_images(shape: tuple[int, ...], pixels: int) -> bool:
    """Whether rows of so many pixels are images of rows x columns, with one or more channels."""
    try:
        rows, columns = (operator.index(size) for size in shape[:2])
    except (TypeError, ValueError):
        return False
    return rows > 0 and columns > 0 and pixels % (rows * columns) == 0


def checked_weights(weight: npt.ArrayLike, X: Array, name: str) -> Array:
    """Return sample weights as a read-only float array (n,) of X's dtype."""
    try:
        array: Array = np.array(weight, dtype=X.dtype)
    except (TypeError, ValueError) as error:
        raise DataError(f"data set '{name}': sample_weight must be numbers: {one_line(error)}") from None
    if array.shape != X.shape[:1]:
        raise ShapeError(f"data set '{name}': sample_weight of shape {array.shape} for X of shape {X.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise DataError(f"data set '{name}': sample_weight must be finite, at least 0 and not all 0")
    return read_only(array)


def nothing_to_learn(name: str, n: int, label: str) -> str:
    """Return what to say of labels that are all the same."""
    return f"data set '{name}': all {n} labels are {label}: nothing to learn; use more or other samples"


def is_one_hot(y: npt.NDArray[Any]) -> bool:
    """Whether every row holds a single 1 among zeros, in at least two columns."""
    if y.ndim != 2 or y.shape[1] < 2 or not len(y) or y.dtype.kind not in "biuf":
        return False
    return bool(((y == 0) | (y == 1)).all() and (np.count_nonzero(y, axis=1) == 1).all())


def infer_task(y: npt.NDArray[Any]) -> Task:
    """Guess the task of targets.

    Two distinct values are binary; words, at most 20 whole numbers, or one-hot rows (n, k) are classes.
    """
    if y.ndim != 1:
        return "multiclass" if is_one_hot(y) else "regression"
    values = np.unique(y)
    if len(values) == 2:
        return "binary"
    numeric = np.issubdtype(y.dtype, np.number)
    whole = numeric and bool(np.all(np.isfinite(values))) and bool(np.all(values == np.round(values)))
    return "multiclass" if not numeric or (whole and len(values) <= 20) else "regression"


def label_text(value: Any) -> str:
    """Write a label as people do: whole numbers without a decimal point."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view that refuses to be written to: data sets are shared between members and cached."""
    view = array.view()
    view.setflags(write=False)
    return view


def _numbers(values: Any, what: str, name: str) -> npt.NDArray[Any]:
    """Return `values` as an array of plain numbers, or say that they are none."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            array = array.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"data set '{name}': {what} must be numbers, got {one_line(repr(values))}") from None
    return array


def _finite(array: npt.NDArray[Any], what: str, name: str) -> None:
    good = np.isfinite(array)
    if not good.all():
        where = tuple(int(i) for i in np.argwhere(~good)[0])
        raise DataError(
            f"data set '{name}': {what}[{', '.join(map(str, where))}] is {array[where]}, not a finite number"
        )


def checked_inputs(values: Any, name: str) -> Array:
    """Return samples as a read-only float array (n, d), or say what is wrong with them."""
    X = _numbers(values, "X", name)
    if X.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        X = X.astype(np.float64)
    if X.ndim != 2:
        raise ShapeError(f"data set '{name}': X must have shape (samples, features), got {X.shape}")
    if 0 in X.shape:
        raise DataError(f"data set '{name}': at least one sample and one feature are needed, got X of shape {X.shape}")
    _finite(X, "X", name)
    return read_only(np.ascontiguousarray(X))


def checked_targets(values: Any, X: Array, task: str, name: str) -> npt.NDArray[Any]:
    """Return targets as a read-only array: class numbers (n,), or numbers (n,) or (n, k) of a regression."""
    y = _numbers(values, "y", name)
    fits = y.ndim == 1 or (y.ndim == 2 and task == "regression" and y.shape[1] > 0)
    if not fits or y.shape[0] != X.shape[0]:
        raise ShapeError(f"data set '{name}': y of shape {y.shape} does not fit X of shape {X.shape} ({task})")
    _finite(y, "y", name)
    if task == "regression":
        return read_only(np.ascontiguousarray(y, dtype=np.float64))
    whole = y.astype(np.int64)
    bad = (whole != y) | (whole < 0) | ((whole > 1) if task == "binary" else np.False_)
    if bad.any():
        allowed = "0 or 1" if task == "binary" else "whole numbers from 0"
        raise DataError(f"data set '{name}': {task} labels must be {allowed}, got {y[bad][0]} in row {np.argmax(bad)}")
    return read_only(whole)


def checked_classes(classes: tuple[str, ...], y: npt.NDArray[Any], task: str, name: str) -> tuple[str, ...]:
    """Return the names of all classes; none for a regression."""
    if task == "regression":
        return ()
    n_classes = max(2, int(y.max()) + 1)
    if not classes and n_classes > max(1000, y.size):
        raise DataError(f"data set '{name}': class number {y.max()} among {y.size} labels; number the classes from 0")
    named = tuple(str(c) for c in classes) or tuple(str(c) for c in range(n_classes))
    if len(named) < n_classes or (task == "binary" and len(named) != 2):
        raise ShapeError(f"data set '{name}': {len(named)} class names {one_line(named)} for labels 0 to {y.max()}")
    return named
