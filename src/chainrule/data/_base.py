"""The data contract: `Dataset`, a checked table of samples, and `DataSource`, which gives one per seed."""

from __future__ import annotations

import dataclasses
import hashlib
import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, DataError, ShapeError, one_line, unknown_name
from chainrule.spec import spec_of

if TYPE_CHECKING:
    from chainrule.data.preprocess import FittedPreprocessing

Array = npt.NDArray[np.floating[Any]]
Task = Literal["binary", "multiclass", "regression"]
OUTPUT_ACTIVATIONS: dict[str, str] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with their targets, checked on construction; the arrays are read-only.

    Parameters
    ----------
    name : str
        What it is called in tables and messages, e.g. ``"xor"``.
    X : array (n, d)
        Inputs, float64 or float32 (anything else becomes float64), all finite.
    y : array (n,) or (n, k)
        Targets: class numbers 0, 1, ... (n,) for classification, any finite numbers for regression.
    task : str
        ``"binary"`` (one sigmoid output), ``"multiclass"`` (one softmax output a class) or ``"regression"``.
    feature_names : sequence of str
        One a column of X; ``x1, x2, ...`` when left empty.
    classes : sequence of str
        The label that each class number stands for; the numbers themselves when left empty.
    held_out : Dataset, optional
        A test set given with the data; `chainrule.data.split` says what becomes of it.
    provenance : str
        One sentence: where the data come from or how they are drawn.
    image_shape : (int, int), optional
        Rows and columns if each sample is an image: its pixels row by row, the channels of each side by side.
    preprocess : FittedPreprocessing, optional
        For a table: the encoding that made X from `raw`. Fitted on the rows of X if no split was made, and on the
        training part only once `split` was called.
    raw : array (n, columns), optional
        For a table: its columns as numbers, before imputation, encoding and scaling; NaN where a value is missing.
    is_part : bool
        True for a part of a larger set: a validation part may hold one class only.
    sample_weight : array (n,), optional
        How much each sample counts in the loss; at least 0, not all 0.

    Raises
    ------
    ShapeError
        If the arrays do not fit together.
    DataError
        If a value is not finite, a class number is impossible, there is no sample or all labels are equal.
    """

    name: str
    X: Array
    y: npt.NDArray[Any]
    task: Task
    feature_names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    held_out: Dataset | None = None
    provenance: str = ""
    image_shape: tuple[int, int] | None = None
    preprocess: FittedPreprocessing | None = None
    raw: Array | None = None
    is_part: bool = False
    sample_weight: Array | None = None

    def __post_init__(self) -> None:
        X = _inputs(self.X, self.name)
        if self.task not in get_args(Task):
            raise ConfigError(unknown_name("task", str(self.task), get_args(Task)))
        y = _targets(self.y, X, self.task, self.name)
        names = tuple(self.feature_names) or tuple(f"x{j + 1}" for j in range(X.shape[1]))
        if len(names) != X.shape[1]:
            raise ShapeError(f"data set '{self.name}': {len(names)} feature names for X of shape {X.shape}")
        if self.image_shape is not None and not _holds_images(self.image_shape, X.shape[1]):
            raise ShapeError(
                f"data set '{self.name}': rows of {X.shape[1]} pixels are no images of shape "
                f"{one_line(repr(self.image_shape))}: bring all images to one size, and one row each"
            )
        classes = _classes(self.classes, y, self.task, self.name)
        weight = None if self.sample_weight is None else _weights(self.sample_weight, X, self.name)
        fields = {"X": X, "y": y, "feature_names": names, "classes": classes, "sample_weight": weight}
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        if not self.is_part and bool((y == y[:1]).all()):
            label = f"'{classes[int(y[0])]}'" if classes else f"{np.ravel(y)[0]:g}"
            raise DataError(_nothing_to_learn(self.name, self.n, label))
        if self.held_out is not None:
            self._check_held_out(self.held_out)

    def _check_held_out(self, other: Dataset) -> None:
        if other.n_features != self.n_features or other.n_outputs != self.n_outputs or other.task != self.task:
            raise ShapeError(
                f"data set '{self.name}': X {self.X.shape} and held-out X {other.X.shape} need the same features, "
                f"task ({self.task}, {other.task}) and outputs ({self.n_outputs}, {other.n_outputs})"
            )

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        """Number of inputs of a network for these data."""
        return int(self.X.shape[1])

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Axes of one sample: (height, width, channels) of an image, else (features,)."""
        if self.image_shape is None:
            return (self.n_features,)
        rows, columns = self.image_shape
        return rows, columns, self.n_features // (rows * columns)

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a network for these data: 1 for binary, one a class, or one a regression target."""
        if self.task == "multiclass":
            return len(self.classes)
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    @property
    def output_activation(self) -> str:
        """The output activation that suits the task: sigmoid, softmax or identity."""
        return OUTPUT_ACTIVATIONS[self.task]

    @cached_property
    def Y(self) -> Array:
        """Targets as a network's outputs, (n, n_outputs), in X's dtype; multiclass labels are one-hot."""
        if self.task == "multiclass":
            Y = np.zeros((self.n, self.n_outputs), dtype=self.X.dtype)
            Y[np.arange(self.n), self.y] = 1
        else:
            Y = self.y.reshape(self.n, -1).astype(self.X.dtype)
        return _read_only(Y)

    @cached_property
    def fingerprint(self) -> str:
        """Hash (32 hex digits) of every number in the set: task, shapes, dtypes, X, y, raw and the held-out set."""
        digest = hashlib.blake2b(self.task.encode(), digest_size=16)
        for array in (self.X, self.y, self.raw, self.sample_weight):
            if array is not None:
                little = array.astype(array.dtype.newbyteorder("<"), copy=False)
                digest.update(f"{little.shape}{little.dtype.str}".encode())
                digest.update(np.ascontiguousarray(little).data)
        if self.held_out is not None:
            digest.update(self.held_out.fingerprint.encode())
        return digest.hexdigest()

    def take(self, index: npt.ArrayLike) -> Dataset:
        """Return the part with the rows of `index` (numbers or a mask), without the held-out set."""
        try:
            rows = np.arange(self.n)[np.asarray(index)]
        except IndexError as error:
            raise ShapeError(f"data set '{self.name}' has {self.n} rows: {one_line(error)}") from None
        raw = None if self.raw is None else _read_only(self.raw[rows])
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        part = {"X": self.X[rows], "y": self.y[rows], "raw": raw, "sample_weight": weight}
        return dataclasses.replace(self, **part, held_out=None, is_part=True)

    @classmethod
    def from_arrays(
        cls, X: npt.ArrayLike, y: npt.ArrayLike, task: Task | None = None, name: str = "arrays", **more: Any
    ) -> Dataset:
        """Make a data set of plain arrays, with labels of any kind.

        Parameters
        ----------
        X : array (n, d)
            Inputs; (n,) is taken as one feature.
        y : array (n,) or (n, k)
            Targets: numbers, words or truth values.
        task : str, optional
            Found by `infer_task` when left out: rows of 0 and a single 1 (one-hot) are classes, by their columns.
        name : str
            The data set's name.
        **more
            Further fields of `Dataset`.
        """
        X, targets = _of_one_shape(X, name), np.asarray(y)
        X = X[:, None] if X.ndim == 1 else X
        targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
        chosen = infer_task(targets) if task is None else task
        if chosen == "multiclass" and _is_one_hot(targets):
            more.setdefault("classes", tuple(str(k) for k in range(targets.shape[1])))
            targets = np.argmax(targets, axis=1)
        elif chosen != "regression" and targets.ndim == 1 and targets.size:
            labels = np.unique(targets)
            if len(labels) == 1 and "classes" not in more:
                raise DataError(_nothing_to_learn(name, len(targets), f"'{one_line(label_text(labels[0]))}'"))
            more.setdefault("classes", tuple(label_text(v) for v in labels))
            targets = np.unique(targets, return_inverse=True)[1]
        return cls(name, X, targets, chosen, **more)


def _of_one_shape(X: Any, name: str) -> npt.NDArray[Any]:
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


def _holds_images(shape: tuple[int, ...], pixels: int) -> bool:
    """Whether rows of so many pixels are images of rows x columns, with one or more channels."""
    try:
        rows, columns = (operator.index(size) for size in shape[:2])
    except (TypeError, ValueError):
        return False
    return rows > 0 and columns > 0 and pixels % (rows * columns) == 0


def _weights(weight: npt.ArrayLike, X: Array, name: str) -> Array:
    """Return sample weights as a read-only float array (n,) of X's dtype."""
    try:
        array: Array = np.array(weight, dtype=X.dtype)
    except (TypeError, ValueError) as error:
        raise DataError(f"data set '{name}': sample_weight must be numbers: {one_line(error)}") from None
    if array.shape != X.shape[:1]:
        raise ShapeError(f"data set '{name}': sample_weight of shape {array.shape} for X of shape {X.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise DataError(f"data set '{name}': sample_weight must be finite, at least 0 and not all 0")
    return _read_only(array)


def _nothing_to_learn(name: str, n: int, label: str) -> str:
    return f"data set '{name}': all {n} labels are {label}: nothing to learn; use more or other samples"


def _is_one_hot(y: npt.NDArray[Any]) -> bool:
    """Whether every row holds a single 1 among zeros, in at least two columns."""
    if y.ndim != 2 or y.shape[1] < 2 or not len(y) or y.dtype.kind not in "biuf":
        return False
    return bool(((y == 0) | (y == 1)).all() and (np.count_nonzero(y, axis=1) == 1).all())


def infer_task(y: npt.NDArray[Any]) -> Task:
    """Guess the task of targets.

    Two distinct values are binary; words, at most 20 whole numbers, or one-hot rows (n, k) are classes.
    """
    if y.ndim != 1:
        return "multiclass" if _is_one_hot(y) else "regression"
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


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
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


def _inputs(values: Any, name: str) -> Array:
    X = _numbers(values, "X", name)
    if X.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        X = X.astype(np.float64)
    if X.ndim != 2:
        raise ShapeError(f"data set '{name}': X must have shape (samples, features), got {X.shape}")
    if 0 in X.shape:
        raise DataError(f"data set '{name}': at least one sample and one feature are needed, got X of shape {X.shape}")
    _finite(X, "X", name)
    return _read_only(np.ascontiguousarray(X))


def _targets(values: Any, X: Array, task: str, name: str) -> npt.NDArray[Any]:
    y = _numbers(values, "y", name)
    fits = y.ndim == 1 or (y.ndim == 2 and task == "regression" and y.shape[1] > 0)
    if not fits or y.shape[0] != X.shape[0]:
        raise ShapeError(f"data set '{name}': y of shape {y.shape} does not fit X of shape {X.shape} ({task})")
    _finite(y, "y", name)
    if task == "regression":
        return _read_only(np.ascontiguousarray(y, dtype=np.float64))
    whole = y.astype(np.int64)
    bad = (whole != y) | (whole < 0) | ((whole > 1) if task == "binary" else np.False_)
    if bad.any():
        allowed = "0 or 1" if task == "binary" else "whole numbers from 0"
        raise DataError(f"data set '{name}': {task} labels must be {allowed}, got {y[bad][0]} in row {np.argmax(bad)}")
    return _read_only(whole)


def _classes(classes: tuple[str, ...], y: npt.NDArray[Any], task: str, name: str) -> tuple[str, ...]:
    if task == "regression":
        return ()
    n_classes = max(2, int(y.max()) + 1)
    if not classes and n_classes > max(1000, y.size):
        raise DataError(f"data set '{name}': class number {y.max()} among {y.size} labels; number the classes from 0")
    named = tuple(str(c) for c in classes) or tuple(str(c) for c in range(n_classes))
    if len(named) < n_classes or (task == "binary" and len(named) != 2):
        raise ShapeError(f"data set '{name}': {len(named)} class names {one_line(named)} for labels 0 to {y.max()}")
    return named


class DataSource(ABC):
    """Gives a `Dataset` for every seed.

    Obligations: `draw` is a pure function of the source and the seed (equal seeds give equal numbers on every
    machine), and if `varies` is False it ignores the seed. A source can be pickled, and for a source that is not an
    in-memory set ``load(source.spec)`` makes an equal one.
    """

    varies: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """What the source is called."""

    @abstractmethod
    def draw(self, seed: int) -> Dataset:
        """Return the data set of one seed."""

    @property
    def spec(self) -> str:
        """The text from which `load` makes this source again."""
        return spec_of(self)


@dataclass(frozen=True, eq=False)
class FixedSource(DataSource):
    """A source that gives the same data set for every seed.

    Parameters
    ----------
    dataset : Dataset
        The data.
    text : str, optional
        The spec that loads it; the data set's name for data that exist in memory only.
    """

    dataset: Dataset
    text: str = ""

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.dataset.name

    @property
    def spec(self) -> str:
        """The text from which `load` makes this source again, or just the name of in-memory data."""
        return self.text or self.dataset.name

    def draw(self, seed: int) -> Dataset:
        """Return the data set, whatever the seed."""
        return self.dataset
