"""The metrics, each under a name that says its definition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.errors import ShapeError
from chainrule.metrics._base import (
    AnyArray,
    Array,
    Metric,
    are_probabilities,
    classes,
    columns,
    each,
    leading,
    predicted,
    squeeze,
)
from chainrule.spec import build, require, spec_of


@dataclass(frozen=True)
class Accuracy(Metric):
    """Share of samples whose class is predicted: class 1 if the output is at least 0.5 (k = 1), else the largest."""

    name: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    def _value(self, A: Array, Y: AnyArray) -> Any:
        return np.mean(predicted(A) == classes(A, Y), axis=-1)


@dataclass(frozen=True)
class ToleranceAccuracy(Metric):
    """Report B's accuracy: share of samples with |y - t| <= `tol` (in every output, if there are several)."""

    name: ClassVar[str] = "tolerance_accuracy"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")
    tol: float = 0.1

    def __post_init__(self) -> None:
        require(0.0 <= self.tol <= 1e300, f"tolerance_accuracy: tol must be at least 0, got {self.tol}")

    def _value(self, A: Array, Y: AnyArray) -> Any:
        return np.mean(np.all(np.abs(A - columns(A, Y)) <= self.tol, axis=-1), axis=-1)


@dataclass(frozen=True)
class MedianThresholdAccuracy(Metric):
    """Report C's accuracy for ReLU outputs: class 1 if the output exceeds the median of the member's own outputs.

    For one output only. A member with a NaN output has no median and scores 0.
    """

    name: ClassVar[str] = "median_threshold_accuracy"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("binary",)

    def _value(self, A: Array, Y: AnyArray) -> Any:
        if A.shape[-1] != 1:
            raise ShapeError(f"{self.name} needs one output, got predictions of shape {A.shape}; use accuracy")
        outputs = A[..., 0]
        usable = np.asarray(~np.isnan(outputs).any(axis=-1))
        threshold = np.median(np.where(usable[..., None], outputs, 0.0), axis=-1, keepdims=True)
        right = (outputs > threshold) == (classes(A, Y) == 1)
        return np.where(usable, np.mean(right, axis=-1), 0.0)


@dataclass(frozen=True)
class MSE(Metric):
    """Mean squared error over samples and outputs."""

    name: ClassVar[str] = "mse"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, math.inf)
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")

    def _value(self, A: Array, Y: AnyArray) -> Any:
        return np.mean(np.square(A - columns(A, Y)), axis=(-2, -1))


@dataclass(frozen=True)
class MAE(Metric):
    """Mean absolute error over samples and outputs."""

    name: ClassVar[str] = "mae"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, math.inf)
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")

    def _value(self, A: Array, Y: AnyArray) -> Any:
        return np.mean(np.abs(A - columns(A, Y)), axis=(-2, -1))


@dataclass(frozen=True)
class R2(Metric):
    """Coefficient of determination, 1 - residual / total sum of squares, mean over the outputs.

    NaN for fewer than 2 samples or non-finite predictions; for constant targets scikit-learn's convention holds
    (1 if every prediction is exact, else 0).
    """

    name: ClassVar[str] = "r2"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (-math.inf, 1.0)
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")

    def _value(self, A: Array, Y: AnyArray) -> Any:
        from sklearn.metrics import r2_score

        if A.shape[-2] < 2:
            return np.full(leading(A, Y), np.nan)
        return each(A, columns(A, Y), lambda a, y: r2_score(y, a), y_axes=2)


@dataclass(frozen=True)
class LogLoss(Metric):
    """Mean negative log-likelihood of the true class, probabilities clipped as scikit-learn clips them.

    NaN where the outputs are no probabilities: outside [0, 1], or (k > 1) rows that do not sum to 1.
    """

    name: ClassVar[str] = "log_loss"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def _value(self, A: Array, Y: AnyArray) -> Any:
        from sklearn.metrics import log_loss

        labels = list(range(max(A.shape[-1], 2)))
        return each(A, classes(A, Y), lambda a, y: log_loss(y, squeeze(a), labels=labels), probabilities=True)


@dataclass(frozen=True)
class Brier(Metric):
    """Brier score: mean squared distance between probabilities and truth (Brier 1950).

    With one output mean (p - y)^2, from 0 to 1; with k > 1 the squares of all classes are summed, from 0 to 2. NaN
    where the outputs are no probabilities (as in `LogLoss`).
    """

    name: ClassVar[str] = "brier"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, 2.0)

    def _value(self, A: Array, Y: AnyArray) -> Any:
        from sklearn.metrics import brier_score_loss

        if A.shape[-1] == 1:
            return each(A, classes(A, Y), lambda p, y: brier_score_loss(y, p[:, 0], pos_label=1), probabilities=True)
        distance = np.mean(np.sum(np.square(A - columns(A, Y)), axis=-1), axis=-1)
        return np.where(are_probabilities(A), distance, np.nan)


@dataclass(frozen=True)
class _PerClass(Metric):
    """Shared by precision, recall and F1: scikit-learn's binary score for k = 1, macro mean for k > 1.

    Class 1 is the positive class when k = 1. The macro mean is over the classes that occur in truth or
    prediction. A score without any case (0/0) is 0.
    """

    higher_is_better: ClassVar[bool] = True

    def _value(self, A: Array, Y: AnyArray) -> Any:
        import sklearn.metrics

        score = getattr(sklearn.metrics, f"{self.name}_score")
        average = "binary" if A.shape[-1] == 1 else "macro"
        return each(A, classes(A, Y), lambda a, y: score(y, predicted(a), average=average, zero_division=0.0))


@dataclass(frozen=True)
class Precision(_PerClass):
    """Share of the samples predicted to be of a class that are of it; macro mean for k > 1."""

    name: ClassVar[str] = "precision"


@dataclass(frozen=True)
class Recall(_PerClass):
    """Share of a class's samples that are predicted to be of it; macro mean for k > 1."""

    name: ClassVar[str] = "recall"


@dataclass(frozen=True)
class F1(_PerClass):
    """Harmonic mean of precision and recall; macro mean for k > 1."""

    name: ClassVar[str] = "f1"


METRICS: dict[str, type[Metric]] = {
    cls.name: cls
    for cls in (
        Accuracy,
        ToleranceAccuracy,
        MedianThresholdAccuracy,
        MSE,
        MAE,
        R2,
        LogLoss,
        Brier,
        Precision,
        Recall,
        F1,
    )
}


def metric(spec: str | Metric) -> Metric:
    """Return the metric that a spec such as ``"tolerance_accuracy(0.1)"`` names; a built metric passes through.

    Raises
    ------
    ConfigError
        For an unknown name or values out of range.
    """
    return spec if isinstance(spec, Metric) else build(METRICS, spec, "metric")


def for_task(task: str) -> tuple[str, ...]:
    """Return the metrics recorded by default for a task: accuracy for classes, the mean absolute error else."""
    return ("mae",) if task == "regression" else ("accuracy",)


def record_key(spec: str) -> str:
    """Return the canonical name under which a record holds a quantity.

    ``loss``, a metric's canonical spec, or either with ``validation_`` before it:
    ``record_key("validation_tolerance_accuracy(0.1)") == "validation_tolerance_accuracy"``.

    Raises
    ------
    ConfigError
        If it names neither the loss nor a metric.
    """
    part = str(spec).strip().removeprefix("validation_")
    prefix = "validation_" if part != str(spec).strip() else ""
    return prefix + (part if part == "loss" else spec_of(metric(part)))


def higher_is_better(spec: str) -> bool:
    """Return whether larger values of a recorded quantity (see `record_key`) are better."""
    part = record_key(spec).removeprefix("validation_")
    return part != "loss" and metric(part).higher_is_better
