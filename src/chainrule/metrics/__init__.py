"""Metrics: how good predictions are, under names that say their definition.

Predictions ``A (..., n, k)`` may have any leading axes (the members of a population); the result has those axes.
Targets ``Y`` are ``(..., n, k)`` when their last two axes equal those of A, and ``(..., n)`` labels or values
otherwise; leading axes broadcast, so members can share one Y. With one output (k = 1) classes are 0 and 1, with
more outputs classes are columns: Y is one-hot or holds class numbers.

A diverged member predicts NaN. NaN predicts nothing right: the accuracies count such a sample as wrong. All
other metrics are NaN where a prediction is NaN. No metric warns.
"""

from chainrule.metrics._base import Metric, predicted
from chainrule.metrics.confusion import classification_report, confusion_matrix
from chainrule.metrics.scores import (
    F1,
    MAE,
    METRICS,
    MSE,
    R2,
    Accuracy,
    Brier,
    LogLoss,
    MedianThresholdAccuracy,
    Precision,
    Recall,
    ToleranceAccuracy,
    for_task,
    higher_is_better,
    metric,
    record_key,
)

__all__ = [
    "F1",
    "MAE",
    "METRICS",
    "MSE",
    "R2",
    "Accuracy",
    "Brier",
    "LogLoss",
    "MedianThresholdAccuracy",
    "Metric",
    "Precision",
    "Recall",
    "ToleranceAccuracy",
    "classification_report",
    "confusion_matrix",
    "for_task",
    "higher_is_better",
    "metric",
    "predicted",
    "record_key",
]
