"""Where everything stands: padded rows, the columns that each thread owns, and how flat weights fit in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.engines.compiled.plan import Plan
from chainrule.engines.gemm.records import FOUR, N_SIZES, Layers

Index = np.ndarray[Any, np.dtype[np.intp]]
Whole = np.ndarray[Any, np.dtype[np.int64]]
LEAST_VECTORS = 4
"""A layer of fewer vectors is not divided among threads: the first one does it alone."""
LEAST_PRODUCTS = 2000
"""With fewer products of vectors in a forward pass threads would wait longer for each other than they save."""


class Room(NamedTuple):
    """Floats of buffers.

    Attributes
    ----------
    activations, turned, outputs : int
        All activations; what `Buffers.turned` holds; the outputs whose losses are computed at a time.
    widest : int
        The longest row that a product writes.
    """

    activations: int
    turned: int
    outputs: int
    widest: int


def room_for(plan: Plan, lanes: int, rows: int) -> Room:
    """Return how many floats a member's buffers hold; see `make_layers` for the arguments."""
    strides = -(-np.array(plan.sizes[1:]) // lanes) * lanes
    turned = int((strides[1:] * strides[:-1]).sum())
    return Room(rows * int(strides.sum()), turned, int(strides[-1]) * FOUR, int(strides.max()))


def useful_threads(plan: Plan, lanes: int, threads: int, batch: int, inputs: int) -> int:
    """Return how many threads a member is worth, at most `threads`.

    Parameters
    ----------
    plan : Plan
        The setting.
    lanes, threads : int
        Floats of a vector; threads there are.
    batch, inputs : int
        Samples of a step; inputs of a sample that are not zero.
    """
    vectors = [-(-units // lanes) for units in plan.sizes[1:]]
    products = sum(rows * width for rows, width in zip((inputs, *plan.sizes[1:-1]), vectors, strict=True))
    if batch * products < LEAST_PRODUCTS:
        return 1
    return max(min(threads, max(vectors) // 2), 1)


def make_layers(plan: Plan, lanes: int, threads: int, rows: int) -> Layers:
    """Return shapes and ownership.

    Parameters
    ----------
    plan : Plan
        The setting.
    lanes : int
        Floats of a vector.
    threads : int
        How many threads train the member.
    rows : int
        Rows of activations: samples that pass through the layers at a time, rounded up to fours.
    """
    fan_in, units = np.array(plan.sizes[:-1]), np.array(plan.sizes[1:])
    strides = -(-units // lanes) * lanes
    biases = np.array(plan.biases, dtype=np.int64)
    here = np.cumsum(strides) - strides
    turned = np.array([0, *(strides[1:] * strides[:-1])])
    sizes = [fan_in, units, strides, biases, np.array(plan.activations), here * rows, np.cumsum(turned) - turned]
    bounds = np.stack([_bounds(int(stride) // lanes, threads) * lanes for stride in strides])
    panels = (fan_in + biases)[:, None] * np.diff(bounds, axis=1)  # (layers, threads): floats of each
    flat = panels.T.ravel()
    starts = (np.cumsum(flat) - flat).reshape(threads, -1).T
    return Layers(
        sizes=np.stack(sizes, axis=1).astype(np.int64).reshape(-1, N_SIZES),
        numbers=np.stack([plan.numbers, plan.l1, plan.l2], axis=1).astype(np.float64),
        bounds=bounds.astype(np.int64),
        panels=np.ascontiguousarray(starts, dtype=np.int64),
        shares=np.concatenate([[0], np.cumsum(panels.sum(axis=0))]).astype(np.int64),
    )


def _bounds(vectors: int, threads: int) -> Whole:
    """Cut a row of vectors into equal parts, the last ones longer by one; or leave it to the first thread."""
    if vectors < max(LEAST_VECTORS, threads):
        return np.array([0] + [vectors] * threads, dtype=np.int64)
    return np.arange(threads + 1, dtype=np.int64) * vectors // threads


def places_of(plan: Plan, layers: Layers) -> Index:
    """Return where each flat weight stands in theta, (P,)."""
    parts = []
    for layer, (fan_in, units, biased) in enumerate(zip(plan.sizes[:-1], plan.sizes[1:], plan.biases, strict=True)):
        columns = np.arange(units)
        owner = np.searchsorted(layers.bounds[layer], columns, side="right") - 1
        low, width = layers.bounds[layer][owner], np.diff(layers.bounds[layer])[owner]
        rows = np.arange(fan_in + biased)[:, None]
        parts.append((layers.panels[layer][owner] + rows * width + columns - low).ravel())
    return np.concatenate(parts).astype(np.intp)
