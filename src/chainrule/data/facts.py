"""What is worth knowing about a data set before training, and the weights that even out its classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset
from chainrule.data._checking import label_text
from chainrule.errors import ConfigError, one_line, unknown_name

MAX_NAMES = 8
BALANCED = "balanced"
LARGEST_WEIGHT = 1e30  # finite in float32, also when summed


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
        height, width, channels = dataset.feature_shape
        told["image"] = f"{height} x {width} pixels" + (f", {channels} channels" if channels > 1 else "")
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
        ``"0=1,1=3"``: these weights by class label, and 1 for a class that is not named.

    Raises
    ------
    ConfigError
        For another mode, a label that is no class, or for regression.
    """
    if mode is None:
        return np.ones(dataset.n, dtype=dataset.X.dtype)
    given = None if mode == BALANCED else parse_class_weights(mode)
    if dataset.task == "regression":
        raise ConfigError(f"data set '{dataset.name}': class weights need classes, but the task is regression")
    if given is not None:
        for label in given:
            if label not in dataset.classes:
                raise ConfigError(f"class_weight: {unknown_name('class', label, dataset.classes)}")
        own = np.array([given.get(label, 1.0) for label in dataset.classes])
        return np.asarray(own[dataset.y], dtype=dataset.X.dtype)
    counts = np.bincount(dataset.y)
    weights: npt.NDArray[np.float64] = dataset.n / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray(weights[dataset.y], dtype=dataset.X.dtype)


def parse_class_weights(text: str) -> dict[str, float]:
    """Read weights by class label, ``0=1,1=3``; a label with one of ``% , =`` is percent-encoded.

    Raises
    ------
    ConfigError
        If the text has another form, names a class twice, or a weight is not a positive number.
    """
    if "=" not in text:
        raise ConfigError(f"{unknown_name('class weight', text, [BALANCED])}, or weights by class label as '0=1,1=3'")
    weights: dict[str, float] = {}
    for pair in text.split(","):
        coded, equals, word = pair.rpartition("=")
        label = unquote(coded.strip())
        if not equals or not label:
            raise ConfigError(f"class_weight: write a weight for each class as '0=1,1=3', got '{one_line(text)}'")
        if label in weights:
            raise ConfigError(f"class_weight: class '{one_line(label)}' has two weights in '{one_line(text)}'")
        try:
            weights[label] = float(word)
        except ValueError:
            weights[label] = math.nan
        if not 0 < weights[label] <= LARGEST_WEIGHT:
            raise ConfigError(
                f"class_weight: the weight of class '{one_line(label)}' must be a number in (0, {LARGEST_WEIGHT:g}], "
                f"got '{one_line(word)}'"
            )
    return weights


def class_weight_text(weights: Mapping[Any, float]) -> str:
    """Write weights by class label as `parse_class_weights` reads them."""
    pairs = ((label_text(label), str(weight).removesuffix(".0")) for label, weight in weights.items())
    return ",".join(f"{quote(label, safe=' ')}={weight}" for label, weight in pairs)
