"""The data contract: `Dataset`, a checked table of samples, and `DataSource`, which gives one per seed."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
import numpy.typing as npt

from chainrule.data._checking import (
    Array,
    Task,
    checked_classes,
    checked_inputs,
    checked_targets,
    checked_weights,
    holds_images,
    infer_task,
    is_one_hot,
    label_text,
    nothing_to_learn,
    of_one_shape,
    read_only,
)
from chainrule.errors import ConfigError, DataError, ShapeError, one_line, unknown_name
from chainrule.spec import spec_of

if TYPE_CHECKING:
    from chainrule.data.preprocess import FittedPreprocessing

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
        X = checked_inputs(self.X, self.name)
        if self.task not in get_args(Task):
            raise ConfigError(unknown_name("task", str(self.task), get_args(Task)))
        y = checked_targets(self.y, X, self.task, self.name)
        names = tuple(self.feature_names) or tuple(f"x{j + 1}" for j in range(X.shape[1]))
        if len(names) != X.shape[1]:
            raise ShapeError(f"data set '{self.name}': {len(names)} feature names for X of shape {X.shape}")
        if self.image_shape is not None and not holds_images(self.image_shape, X.shape[1]):
            raise ShapeError(
                f"data set '{self.name}': rows of {X.shape[1]} pixels are no images of shape "
                f"{one_line(repr(self.image_shape))}: bring all images to one size, and one row each"
            )
        classes = checked_classes(self.classes, y, self.task, self.name)
        weight = None if self.sample_weight is None else checked_weights(self.sample_weight, X, self.name)
        fields = {"X": X, "y": y, "feature_names": names, "classes": classes, "sample_weight": weight}
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        if not self.is_part and bool((y == y[:1]).all()):
            label = f"'{classes[int(y[0])]}'" if classes else f"{np.ravel(y)[0]:g}"
            raise DataError(nothing_to_learn(self.name, self.n, label))
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
        return read_only(Y)

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
        raw = None if self.raw is None else read_only(self.raw[rows])
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
        X, targets = of_one_shape(X, name), np.asarray(y)
        X = X[:, None] if X.ndim == 1 else X
        targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
        chosen = infer_task(targets) if task is None else task
        if chosen == "multiclass" and is_one_hot(targets):
            more.setdefault("classes", tuple(str(k) for k in range(targets.shape[1])))
            targets = np.argmax(targets, axis=1)
        elif chosen != "regression" and targets.ndim == 1 and targets.size:
            labels = np.unique(targets)
            if len(labels) == 1 and "classes" not in more:
                raise DataError(nothing_to_learn(name, len(targets), f"'{one_line(label_text(labels[0]))}'"))
            more.setdefault("classes", tuple(label_text(v) for v in labels))
            targets = np.unique(targets, return_inverse=True)[1]
        return cls(name, X, targets, chosen, **more)


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
