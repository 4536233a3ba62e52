"""Classification in full: the confusion matrix and a report of everything per class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import ShapeError
from chainrule.metrics._base import AnyArray, Array, classes, fit, leading, predicted


def confusion_matrix(A: Array, Y: AnyArray) -> npt.NDArray[np.int64]:
    """Count true class (row) against predicted class (column).

    Parameters
    ----------
    A : (..., n, k) array
        Predictions.
    Y : (..., n, k) or (..., n) array
        Targets.

    Returns
    -------
    (..., c, c) array of int
        c = 2 for k = 1, else k. Samples with a NaN prediction are in no cell.
    """
    from sklearn.metrics import confusion_matrix as count

    A = np.asarray(A)
    Y = fit(A, np.asarray(Y))
    labels = list(range(max(A.shape[-1], 2)))
    truth = classes(A, Y)
    shape = leading(A, Y)
    guess = np.broadcast_to(predicted(A), (*shape, A.shape[-2])).reshape(-1, A.shape[-2])
    truth = np.broadcast_to(truth, (*shape, A.shape[-2])).reshape(-1, A.shape[-2])
    cells = []
    for g, t in zip(guess, truth, strict=True):
        seen = g >= 0
        cells.append(count(t[seen], g[seen], labels=labels) if seen.any() else np.zeros((len(labels),) * 2, dtype=int))
    return np.array(cells, dtype=np.int64).reshape(*shape, len(labels), len(labels))


def classification_report(A: Array, Y: AnyArray) -> dict[str, Any]:
    """Return everything about one member's classification, ready for JSON.

    Parameters
    ----------
    A : (n, k) array
        Predictions of one member.
    Y : (n, k) or (n,) array
        Targets.

    Returns
    -------
    dict
        ``n``, ``undefined`` (samples with a NaN prediction, counted as wrong), ``accuracy``, ``confusion_matrix``
        (lists; rows are the truth), ``classes`` (a dict for each class: class, precision, recall, f1, support) and
        ``macro`` (precision, recall, f1: means over all classes).
    """
    from sklearn.metrics import precision_recall_fscore_support

    A = np.asarray(A)
    if A.ndim != 2:
        raise ShapeError(f"classification_report takes one member's predictions (n, k), got shape {A.shape}")
    truth = classes(A, fit(A, np.asarray(Y)))
    guess = predicted(A)
    labels = list(range(max(A.shape[-1], 2)))
    columns = precision_recall_fscore_support(truth, guess, labels=labels, zero_division=0.0)
    names = ("precision", "recall", "f1")
    rows = [
        {"class": c, **{name: float(columns[i][c]) for i, name in enumerate(names)}, "support": int(columns[3][c])}
        for c in labels
    ]
    return {
        "n": len(truth),
        "undefined": int(np.sum(guess < 0)),
        "accuracy": float(np.mean(guess == truth)),
        "confusion_matrix": confusion_matrix(A, Y).tolist(),
        "classes": rows,
        "macro": {name: float(np.mean(columns[i])) for i, name in enumerate(names)},
    }
