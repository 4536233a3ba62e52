"""Prediction in pieces: the maps that a convolution makes of many images would fill the memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from chainrule.nn._types import Array

PIECE = 2**23
"""About so many numbers of the largest layer are made at a time: 64 MiB in float64."""


def in_pieces(outputs: Callable[[Array], Array], A: Array, shapes: Sequence[tuple[int, ...]]) -> Array:
    """Return the outputs of all samples, computed for some of them at a time.

    Parameters
    ----------
    outputs : callable
        From samples (..., n, *shape) to (..., n, k), each sample for itself.
    A : array (..., n, *shape)
        The samples.
    shapes : sequence of tuple
        The feature axes before the first layer and after each one.
    """
    axis = A.ndim - len(shapes[0]) - 1
    step = max(PIECE // max(map(math.prod, shapes)), 1)
    if A.shape[axis] <= step:
        return outputs(A)
    cuts = range(step, A.shape[axis], step)
    return np.concatenate([outputs(part) for part in np.split(A, cuts, axis=axis)], axis=-2)
