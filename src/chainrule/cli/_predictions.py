"""A table of predictions: truth beside output, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.cli._console import Cell, Output, count, mark, table
from chainrule.data import Dataset, Split
from chainrule.metrics import classification_report, predicted
from chainrule.nn import Array
from chainrule.runs import Run

MAX_ROWS = 25
MAX_INPUTS = 4
MAX_CLASSES = 10
PARTS = ("test", "validation", "train")
PART_NAMES = {"test": "test", "validation": "validation", "train": "training"}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Outputs of a network (or the mean of several) for some samples.

    Attributes
    ----------
    X : ndarray (n, d)
        Inputs.
    outputs : ndarray (n, k)
        What the network gives.
    task : str
        ``binary``, ``multiclass`` or ``regression``.
    classes : tuple of str
        What the class numbers stand for.
    truth : ndarray (n,) or (n, k), optional
        Class numbers, or values for regression.
    low, high : ndarray (n, k), optional
        Smallest and largest output over the networks of an ensemble.
    notes : tuple of str
        What is odd about the inputs.
    """

    X: Array
    outputs: Array
    task: str
    classes: tuple[str, ...] = ()
    truth: npt.NDArray[Any] | None = None
    low: Array | None = None
    high: Array | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, outputs: Array) -> Predictions:
        """Put outputs beside the truth of a data set."""
        return cls(dataset.X, outputs, dataset.task, dataset.classes, dataset.y)

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.outputs)

    @property
    def is_class(self) -> bool:
        """Whether outputs are rounded to classes."""
        return self.task != "regression"

    @property
    def rounded(self) -> npt.NDArray[Any]:
        """The predicted class numbers (n,); -1 where an output is no number."""
        return np.asarray(predicted(self.outputs))

    @property
    def right(self) -> npt.NDArray[np.bool_] | None:
        """Which classes are right (n,), where there is a truth."""
        return None if self.truth is None or not self.is_class else np.asarray(self.rounded == self.truth)

    @property
    def report(self) -> dict[str, Any] | None:
        """Confusion matrix and precision, recall and F1 by class; None without a truth or with many classes."""
        if self.truth is None or not self.is_class or max(self.outputs.shape[1], 2) > MAX_CLASSES:
            return None
        told = classification_report(self.outputs, self.truth)
        for row in told["classes"]:
            row["label"] = self.label(row["class"])
        return told

    def label(self, index: int) -> str:
        """What a class number stands for."""
        return "?" if index < 0 else self.classes[index] if index < len(self.classes) else str(index)

    def shown(self, row: int) -> float:
        """The output that a table shows: that of the predicted class, where there is one output a class."""
        outputs = self.outputs[row]
        return float(outputs[0] if len(outputs) == 1 else outputs[max(int(self.rounded[row]), 0)])

    def to_rows(self) -> list[dict[str, Any]]:
        """Return every sample as a dict: inputs (of few features), truth, outputs, class and whether it is right."""
        rounded, right = self.rounded, self.right
        rows: list[dict[str, Any]] = []
        for k in range(self.n):
            row: dict[str, Any] = {"row": k}
            if self.X.shape[1] <= MAX_INPUTS:
                row["input"] = self.X[k].tolist()
            if self.truth is not None:
                row["truth"] = self.label(int(self.truth[k])) if self.is_class else self.truth[k].tolist()
            row["outputs"] = self.outputs[k].tolist()
            if self.low is not None and self.high is not None:
                row |= {"lowest": self.low[k].tolist(), "highest": self.high[k].tolist()}
            if self.is_class:
                row["predicted"] = self.label(int(rounded[k]))
            if right is not None:
                row["right"] = bool(right[k])
            rows.append(row)
        return rows


def outputs_of(run: Run, X: Array) -> Array:
    """Return a network's outputs (n, k); one that diverged overflows in silence, as it did in training."""
    with np.errstate(all="ignore"):
        return run.predict(X)


def chosen_part(parts: Split) -> tuple[str, Dataset]:
    """Return the part whose predictions say most: test before validation before training samples."""
    for name in PARTS:
        if (dataset := getattr(parts, name)) is not None:
            return PART_NAMES[name], dataset
    raise AssertionError("every split has a training part")


def show_predictions(output: Output, predictions: Predictions, title: str) -> None:
    """Print at most `MAX_ROWS` samples, and how many are not shown and how many were right."""
    columns = ["#"]
    columns += ["input"] if predictions.X.shape[1] <= MAX_INPUTS else []
    columns += ["truth"] if predictions.truth is not None else []
    columns += ["prediction"]
    columns += ["from", "to"] if predictions.low is not None else []
    columns += ["rounded" if predictions.outputs.shape[1] == 1 else "class"] if predictions.is_class else []
    columns += [""] if predictions.right is not None else []
    columns += ["error"] if predictions.truth is not None and not predictions.is_class else []
    shown = min(predictions.n, MAX_ROWS)
    output.heading(title)
    output.detail(table(columns, [_cells(predictions, k) for k in range(shown)]))
    if summary := _summary(predictions, shown):
        output.detail(summary)


def _cells(predictions: Predictions, k: int) -> list[Cell]:
    """Return one sample's cells."""
    cells: list[Cell] = [str(k)]
    if predictions.X.shape[1] <= MAX_INPUTS:
        cells.append(", ".join(f"{value:.4g}" for value in predictions.X[k]))
    truth, is_class = predictions.truth, predictions.is_class
    if truth is not None:
        cells.append(predictions.label(int(truth[k])) if is_class else fixed(float(np.ravel(truth[k])[0])))
    cells.append(fixed(predictions.shown(k)))
    if predictions.low is not None and predictions.high is not None:
        place = 0 if predictions.outputs.shape[1] == 1 else max(int(predictions.rounded[k]), 0)
        cells += [fixed(float(predictions.low[k][place])), fixed(float(predictions.high[k][place]))]
    if is_class:
        cells.append(predictions.label(int(predictions.rounded[k])))
    if (right := predictions.right) is not None:
        cells.append(mark(bool(right[k])))
    elif truth is not None:
        cells.append(fixed(float(predictions.outputs[k][0] - np.ravel(truth[k])[0]), "+"))
    return cells


def fixed(value: float, sign: str = "") -> str:
    """Write a value with 5 decimals, or in powers of ten where that would fill the line."""
    return f"{value:{sign}.5f}" if abs(value) < 1e5 else f"{value:{sign}.2e}"


def _summary(predictions: Predictions, shown: int) -> str:
    """Say how many samples are not shown, and how many are right."""
    hidden = predictions.n - shown
    right = predictions.right
    parts = []
    if hidden:
        wrong = "" if right is None else f" ({int((~right[shown:]).sum())} of them wrong)"
        parts.append(f"{count(hidden, 'more sample')} not shown{wrong}")
    if right is not None:
        parts.append(f"{int(right.sum())} of {predictions.n} right ({100 * float(right.mean()):.2f} %)")
    return "; ".join(parts)


def show_report(output: Output, predictions: Predictions) -> None:
    """Print the confusion matrix with precision, recall and F1 of every class; nothing where there is none."""
    told = predictions.report
    if told is None:
        return
    labels = [row["label"] for row in told["classes"]]
    columns = ["truth", *labels, "precision", "recall", "F1"]
    rows: list[list[Cell]] = [
        [row["label"], *map(str, counts), *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))]
        for row, counts in zip(told["classes"], told["confusion_matrix"], strict=True)
    ]
    macro = [f"{told['macro'][name]:.3f}" for name in ("precision", "recall", "f1")]
    rows.append(["mean", *([""] * len(labels)), *macro])
    output.heading("Confusion matrix (a row is the truth, a column what was predicted)")
    output.detail(table(columns, rows, "lr", tight=len(columns) > 6))
    if told["undefined"]:
        output.detail(f"{count(told['undefined'], 'sample')} without a prediction, as the output is not a number")
