"""What is worth knowing about a data set before training, and the weights that even out its classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset
from chainrule.errors import ConfigError, unknown_name

MAX_NAMES = 8


def facts(dataset: Dataset) -> dict[str, str | int | float]:
    """Return a data set's facts in the order in which they are read: sizes, classes, ranges, origin, fingerprint."""
    told: dict[str, str | int | float] = {
        "data set": dataset.name,
        "task": dataset.task,
        "samples": dataset.n,
        "features": dataset.n_features,
        "outputs": dataset.n_outputs,
        "feature names": _listed(dataset.feature_names),
        "inputs from": float(dataset.X.min()),
        "inputs to": float(dataset.X.max()),
    }
    if dataset.task == "regression":
        told |= {"targets from": float(dataset.y.min()), "targets to": float(dataset.y.max())}
    else:
        counts = np.bincount(dataset.y, minlength=len(dataset.classes))
        told["classes"] = len(dataset.classes)
        told |= {f"class {label}": int(count) for label, count in zip(dataset.classes, counts, strict=True)}
    if dataset.image_shape is not None:
        told["image"] = "{} x {} pixels".format(*dataset.image_shape)
    if dataset.raw is not None and dataset.preprocess is not None:
        told["missing values"] = int(np.isnan(dataset.raw).sum())
        told["table columns"] = len(dataset.preprocess.schema.columns)
    told["held-out samples"] = 0 if dataset.held_out is None else dataset.held_out.n
    told |= {"number type": str(dataset.X.dtype), "provenance": dataset.provenance, "fingerprint": dataset.fingerprint}
    return told


def _listed(names: tuple[str, ...]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def class_weights(dataset: Dataset, mode: str | None) -> npt.NDArray[np.floating[Any]]:
    """Return a weight for every sample, (n,), in X's dtype.

    Parameters
    ----------
    dataset : Dataset
        The training set.
    mode : str or None
        None: all weights are 1. ``"balanced"``: all classes that are there weigh the same in sum, and
        the weights add up to n: n / (number of classes x the class's count), as scikit-learn defines it.

    Raises
    ------
    ConfigError
        For another mode, or for regression.
    """
    if mode is None:
        return np.ones(dataset.n, dtype=dataset.X.dtype)
    if mode != "balanced":
        raise ConfigError(unknown_name("class weight", str(mode), ["balanced"]))
    if dataset.task == "regression":
        raise ConfigError(f"data set '{dataset.name}': class weights need classes, but the task is regression")
    counts = np.bincount(dataset.y)
    weights: npt.NDArray[np.float64] = dataset.n / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray(weights[dataset.y], dtype=dataset.X.dtype)
