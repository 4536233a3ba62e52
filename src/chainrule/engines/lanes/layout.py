"""Where everything stands in a block: sizes of the widest member, and how a member's flat weights fit in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.engines.compiled.plan import Plan
from chainrule.engines.lanes.records import Shape

Index = np.ndarray[Any, np.dtype[np.intp]]
CHUNK_BYTES = 24 * 1024
"""Activations and deltas of a chunk of samples: beside weights and gradient they stay in a first-level cache."""
RESIDENT_BYTES = 80 * 1024
"""A batch whose activations and deltas take no more passes in one chunk: then the samples are brought in only once."""
LEAST_CHUNK = 8
"""Samples in a chunk at least: fewer would load the gradient from memory too often."""


def make_shape(plans: Sequence[Plan], lanes: int, itemsize: int, samples: int) -> Shape:
    """Return the shape of a block for members of equal depth.

    Parameters
    ----------
    plans : sequence of Plan
        One per member.
    lanes, itemsize : int
        Lanes of a vector, bytes of a float.
    samples : int
        The most samples that pass at a time: those of a batch, or of a whole part.
    """
    sizes = np.max([plan.sizes for plan in plans], axis=0).astype(np.int64)
    narrow = np.min([plan.sizes for plan in plans], axis=0).astype(np.int64)
    weights, biases, place = [], [], 0
    for n_in, n_out, biased in zip(sizes[:-1], sizes[1:], plans[0].biases, strict=True):
        weights.append(place)
        place += int(n_in * n_out)
        biases.append(place if biased else -1)
        place += int(n_out) if biased else 0
    per_sample = int(sizes.sum() + sizes[1:].sum() + sizes[-1] + 1) * lanes * itemsize
    chunk = max(CHUNK_BYTES // per_sample, LEAST_CHUNK) // 4 * 4
    chunk = samples if samples * per_sample <= RESIDENT_BYTES else min(chunk, samples)
    starts = np.cumsum(sizes) - sizes
    return Shape(
        sizes=sizes,
        narrow=narrow,
        weights=np.array(weights, dtype=np.int64),
        biases=np.array(biases, dtype=np.int64),
        inputs=starts * chunk,
        deltas=(starts[1:] - sizes[0]) * chunk,
        n_theta=place,
        chunk=chunk,
    )


def places_of(plan: Plan, shape: Shape) -> Index:
    """Return where each of a member's flat weights stands among the vectors of the block, (P,)."""
    parts = []
    for layer, (n_in, n_out, biased) in enumerate(zip(plan.sizes[:-1], plan.sizes[1:], plan.biases, strict=True)):
        row = np.arange(n_in)[:, None] * shape.sizes[layer + 1]
        parts.append((shape.weights[layer] + row + np.arange(n_out)).ravel())
        if biased:
            parts.append(shape.biases[layer] + np.arange(n_out))
    return np.concatenate(parts).astype(np.intp)


def valid_units(plans: Sequence[Plan], shape: Shape, lanes: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return 1 where a unit of a lane's member exists, else 0, flat: a vector for each unit of each layer."""
    valid = np.zeros((int(shape.sizes[1:].sum()), lanes), dtype=dtype)
    for lane, plan in enumerate(plans):
        start = 0
        for own, most in zip(plan.sizes[1:], shape.sizes[1:], strict=True):
            valid[start : start + own, lane] = 1
            start += int(most)
    return valid.ravel()
