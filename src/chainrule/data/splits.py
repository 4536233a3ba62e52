"""Training, validation and test parts, drawn from the seed and nothing else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset
from chainrule.errors import ConfigError, DataError
from chainrule.random import stream
from chainrule.spec import require

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of a data set.

    The ``*_rows`` are the row numbers in the data set that was split, in rising order; None for a part that does not
    exist or is the data set's given held-out set.
    """

    train: Dataset
    validation: Dataset | None = None
    test: Dataset | None = None
    train_rows: Rows | None = None
    validation_rows: Rows | None = None
    test_rows: Rows | None = None


def split(dataset: Dataset, seed: int, validation: float = 0.0, test: float = 0.0, stratify: bool = False) -> Split:
    """Divide a data set at random; equal seeds give equal parts whatever the network.

    A given held-out set is the validation set if `validation` is 0; otherwise it is the test set, and validation rows
    are taken from the data set. A table's preprocessing is fitted again, on the training rows only.

    Parameters
    ----------
    dataset : Dataset
        What to divide.
    seed : int
        Draws from ``stream(seed, "split")``.
    validation, test : float
        Shares of the rows, in [0, 1); numbers of rows are rounded half up. 0 takes none.
    stratify : bool
        Keep the class proportions in every part (classification only).

    Raises
    ------
    ConfigError
        For impossible shares, for `stratify` with regression, or if `test` and a held-out test set compete.
    DataError
        If a part would be empty, or the training part would hold only one label.
    """
    _check(dataset, validation, test, stratify)
    sizes = _sizes(dataset, validation, test)
    if not sizes[0] + sizes[1]:
        rows = np.arange(dataset.n)
        return Split(dataset, validation=dataset.held_out, train_rows=rows)
    test_rows, validation_rows, train_rows = _draw(dataset, seed, sizes, stratify)
    y = dataset.y[train_rows]
    if bool((y == y[:1]).all()):
        raise DataError(
            f"data set '{dataset.name}': the {len(y)} training rows of seed {seed} all have the same label; "
            "make validation and test smaller, or stratify"
        )
    source = _refit(dataset, train_rows)
    held_validation = source.held_out if not len(validation_rows) else None
    held_test = source.held_out if len(validation_rows) else None
    return Split(
        train=source.take(train_rows),
        validation=source.take(validation_rows) if len(validation_rows) else held_validation,
        test=source.take(test_rows) if len(test_rows) else held_test,
        train_rows=train_rows,
        validation_rows=validation_rows if len(validation_rows) else None,
        test_rows=test_rows if len(test_rows) else None,
    )


def _check(dataset: Dataset, validation: float, test: float, stratify: bool) -> None:
    for name, share in {"validation": validation, "test": test}.items():
        ok = isinstance(share, float | int) and not isinstance(share, bool) and 0 <= share < 1
        require(ok, f"{name} must be a share of the rows in [0, 1), got {share!r}")
    require(validation + test < 1, f"validation + test must stay below 1, got {validation} + {test}")
    if stratify and dataset.task == "regression":
        raise ConfigError(f"data set '{dataset.name}': stratify needs classes, but the task is regression")
    if validation and test and dataset.held_out is not None:
        raise ConfigError(
            f"data set '{dataset.name}' brings its own test set of {dataset.held_out.n} rows: set test to 0"
        )


def _sizes(dataset: Dataset, validation: float, test: float) -> tuple[int, int]:
    """Return the numbers of test and validation rows, rounded half up from the shares as they are written."""

    def rows(share: float) -> int:
        # Decimal of the shortest text: 0.29 of 50 rows is 14.5 and gives 15, although 0.29 * 50 < 14.5 in floats.
        return int((Decimal(repr(float(share))) * dataset.n).quantize(Decimal(1), ROUND_HALF_UP))

    n_test, n_validation = rows(test), rows(validation)
    n_train = dataset.n - n_test - n_validation
    if n_train < 1 or (test and not n_test) or (validation and not n_validation):
        raise DataError(
            f"data set '{dataset.name}': {dataset.n} rows give parts of {n_train} training, {n_validation} validation "
            f"and {n_test} test rows; none may be empty, so change the shares {validation:g} and {test:g}"
        )
    return n_test, n_validation


def _draw(dataset: Dataset, seed: int, sizes: tuple[int, int], stratify: bool) -> tuple[Rows, Rows, Rows]:
    """Return the rows of test, validation and training part, each in rising order."""
    rng = stream(seed, "split")
    n_test, n_validation = sizes
    if not stratify:
        order = rng.permutation(dataset.n)
        ends = (n_test, n_test + n_validation)
        groups = [(order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :])]
    else:
        counts = np.bincount(dataset.y, minlength=len(dataset.classes))
        in_test = _allocate(counts, n_test, dataset)
        in_validation = _allocate(counts - in_test, n_validation, dataset)
        groups = []
        for c, (a, b) in enumerate(zip(in_test, in_test + in_validation, strict=True)):
            order = rng.permutation(np.flatnonzero(dataset.y == c))
            groups.append((order[:a], order[a:b], order[b:]))
    test_rows, validation_rows, train_rows = (np.sort(np.concatenate(part)) for part in zip(*groups, strict=True))
    return test_rows, validation_rows, train_rows


def _allocate(counts: npt.NDArray[Any], size: int, dataset: Dataset) -> npt.NDArray[Any]:
    """Share `size` rows among classes by the method of largest remainders, leaving each class at least one row."""
    room = np.maximum(counts - 1, 0)
    if size > room.sum():
        raise DataError(
            f"data set '{dataset.name}': stratified parts leave no row to train on for some class; "
            f"the rarest of its {len(counts)} classes has {counts.min()} rows left"
        )
    quota = size * counts / counts.sum()
    taken: npt.NDArray[Any] = np.minimum(np.floor(quota).astype(np.int64), room)
    while taken.sum() < size:
        need = np.where(taken < room, quota - taken, -np.inf)
        taken[np.argmax(need)] += 1
    return taken


def _refit(dataset: Dataset, train_rows: Rows) -> Dataset:
    """Return the data set encoded anew with statistics of its training rows alone, so that nothing leaks."""
    if dataset.preprocess is None or dataset.raw is None:
        return dataset
    fitted = dataset.preprocess.refit(dataset.raw[train_rows])
    held_out = dataset.held_out
    if held_out is not None and held_out.raw is not None:
        held_out = dataclasses.replace(held_out, X=fitted.transform(held_out.raw), preprocess=fitted)
    return dataclasses.replace(dataset, X=fitted.transform(dataset.raw), preprocess=fitted, held_out=held_out)
