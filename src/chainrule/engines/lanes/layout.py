"""Where everything stands in a block: sizes of the widest member, and how a member's flat weights fit in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.engines.compiled.codes import CONV, DENSE
from chainrule.engines.compiled.geometry import N_GEOMETRY
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.lanes.records import Shape

Index = np.ndarray[Any, np.dtype[np.intp]]
Table = np.ndarray[Any, np.dtype[np.int64]]
CHUNK_BYTES = 24 * 1024
"""Activations and deltas of a chunk of samples: beside weights and gradient they stay in a first-level cache."""
SPATIAL_CHUNK_BYTES = 384 * 1024
"""The same for networks that know places: beside their weights it stays in a second-level cache."""
RESIDENT_BYTES = 80 * 1024
"""A batch whose activations and deltas take no more passes in one chunk: then the samples are brought in only once."""
LEAST_CHUNK, LEAST_SPATIAL_CHUNK = 8, 4
"""Samples in a chunk at least: fewer would load the gradient from memory too often, or leave tiles of places empty."""


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
    matrices = _matrices(plans[0], sizes.tolist())
    weights, biases, place = [], [], 0
    for (rows, columns), biased in zip(matrices, plans[0].biases, strict=True):
        weights.append(place)
        place += rows * columns
        biases.append(place if biased else -1)
        place += columns if biased else 0
    per_sample = int(sizes.sum() + sizes[1:].sum() + sizes[-1] + 1) * lanes * itemsize
    wanted = (SPATIAL_CHUNK_BYTES if plans[0].spatial else CHUNK_BYTES) // per_sample
    chunk = max(wanted, LEAST_SPATIAL_CHUNK if plans[0].spatial else LEAST_CHUNK) // 4 * 4
    chunk = samples if samples * per_sample <= RESIDENT_BYTES else min(chunk, samples)
    starts = np.cumsum(sizes) - sizes
    return Shape(
        sizes=sizes,
        narrow=narrow,
        weights=np.array(weights, dtype=np.int64),
        biases=np.array(biases, dtype=np.int64),
        inputs=starts * chunk,
        deltas=(starts[1:] - sizes[0]) * chunk,
        rows=np.array([rows for rows, _ in matrices], dtype=np.int64),
        columns=np.array([columns for _, columns in matrices], dtype=np.int64),
        n_theta=place,
        chunk=chunk,
    )


def _matrices(plan: Plan, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return rows and columns of each layer's weights, for dense layers of these sizes."""
    layers = zip(sizes[:-1], sizes[1:], plan.geometries, strict=True)
    return [
        (n_in, n_out) if one is None else (one.entries, one.filters) if one.n_weights else (0, 0)
        for n_in, n_out, one in layers
    ]


def make_table(plan: Plan) -> Table | None:
    """Return a row of numbers for each layer, for networks that know places (see `spatial_kernel`)."""
    if not plan.spatial:
        return None
    rows = [(DENSE,) * N_GEOMETRY if one is None else tuple(one) for one in plan.geometries]
    return np.array(rows, dtype=np.int64)


def spare_vectors(plan: Plan) -> int:
    """Return the vectors that poolings need beside the buffers: an image, where windows overlap."""
    images = [
        one.height * one.width * one.channels
        for one in plan.geometries
        if one is not None and one.kind != CONV and (one.kernel_y > one.stride_y or one.kernel_x > one.stride_x)
    ]
    return max(images, default=1)


def places_of(plan: Plan, shape: Shape) -> Index:
    """Return where each of a member's flat weights stands among the vectors of the block, (P,)."""
    parts = []
    for layer, ((rows, columns), biased) in enumerate(zip(_matrices(plan, plan.sizes), plan.biases, strict=True)):
        row = np.arange(rows)[:, None] * shape.columns[layer]
        parts.append((shape.weights[layer] + row + np.arange(columns)).ravel())
        if biased:
            parts.append(shape.biases[layer] + np.arange(columns))
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
