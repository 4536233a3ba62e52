"""Where everything stands when the lanes are samples (see `narrow_kernel`), and when that pays."""

from __future__ import annotations

import numpy as np

from chainrule.engines.compiled.codes import ARRAY_NORMALIZED
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.gemm.layout import Index, Room, Whole
from chainrule.engines.gemm.records import (
    BIASED,
    CHUNK,
    FAN_IN,
    FOUR,
    HERE,
    N_SIZES,
    STRIDE,
    TURNED,
    UNITS,
    Data,
    Layers,
)
from chainrule.engines.lanes.block import aligned
from chainrule.nn import Array

ACTIVATION_COST, ROW_COST, TURN_COST = 12, 16, 1
"""What takes as long as how many multiplications of vectors: an activation of a vector, a sample's row of units besides
its products, and to turn one activation of a sample."""
MARGIN = 1.2
"""How many times faster samples in the lanes must seem; the estimate is as rough as that."""


def can_be_narrow(plan: Plan) -> bool:
    """Whether samples can be the lanes: what sums over the weights of a layer finds them in other places only."""
    return not (plan.spatial or any(plan.l1) or any(plan.l2) or plan.clip_norm or plan.optimizer == ARRAY_NORMALIZED)


def narrow_pays(plan: Plan, lanes: int, samples: int) -> bool:
    """Whether samples in the lanes take clearly less time than units there, by counting multiplications of vectors.

    Parameters
    ----------
    plan : Plan
        The setting.
    lanes, samples : int
        Floats of a vector; samples that pass through the layers at a time.
    """
    fan_in, units = np.array(plan.sizes[:-1]), np.array(plan.sizes[1:])
    per_unit = 2 * fan_in + ACTIVATION_COST
    wide = samples * (-(-units // lanes) * (per_unit + fan_in) + ROW_COST)
    narrow = units * (-(-samples // lanes) * per_unit + samples * -(-(fan_in + 1) // lanes))
    turned = TURN_COST * samples * units[:-1].sum()
    return bool(MARGIN * (narrow.sum() + turned) < wide.sum())


def make_narrow_layers(plan: Plan, lanes: int) -> Layers:
    """Return shapes and places; `lanes` are the floats of a vector."""
    fan_in, units = np.array(plan.sizes[:-1]), np.array(plan.sizes[1:])
    biases = np.array(plan.biases, dtype=np.int64)
    strides, rows = _strides(plan, lanes), _rows(plan)
    here, turned = (_starts(rows) + 1) * CHUNK, _starts(np.array([0, *strides[1:]])) * CHUNK
    sizes = [fan_in, units, strides, biases, np.array(plan.activations), here, turned]
    return Layers(
        sizes=np.stack(sizes, axis=1).astype(np.int64).reshape(-1, N_SIZES),
        numbers=np.stack([plan.numbers, plan.l1, plan.l2], axis=1).astype(np.float64),
        bounds=np.stack([0 * strides, strides], axis=1).astype(np.int64),
        panels=_starts(units * strides)[:, None].astype(np.int64),
        shares=np.array([0, (units * strides).sum()], dtype=np.int64),
    )


def _strides(plan: Plan, lanes: int) -> Whole:
    """Return the floats in a row of each layer's weights: a unit's bias and weights, padded to whole vectors.

    Fours of activations must fit behind the 1 for the bias.
    """
    inputs = np.array([plan.sizes[0], *(-(-np.array(plan.sizes[1:-1]) // FOUR) * FOUR)])
    strides: Whole = -(-(inputs + np.array(plan.biases, dtype=np.int64)) // lanes) * lanes
    return strides


def _rows(plan: Plan) -> Whole:
    """Return the rows of each layer's activations: one of ones, for biases, and its units, rounded up to fours."""
    rows: Whole = 1 + -(-np.array(plan.sizes[1:]) // FOUR) * FOUR
    return rows


def _starts(lengths: Whole) -> Whole:
    """Return where parts of these lengths start, one after the other."""
    starts: Whole = np.cumsum(lengths) - lengths
    return starts


def narrow_room(plan: Plan, lanes: int) -> Room:
    """Return how many floats a member's buffers hold; see `make_narrow_layers` for the arguments."""
    turned = CHUNK * int(_strides(plan, lanes)[1:].sum())
    return Room(CHUNK * int(_rows(plan).sum()), turned, plan.sizes[-1] * CHUNK, lanes)


def narrow_places_of(layers: Layers) -> Index:
    """Return where each flat weight stands in theta, (P,)."""
    parts = []
    for sizes, panel in zip(layers.sizes, layers.panels[:, 0], strict=True):
        inputs, units = np.arange(sizes[FAN_IN]), np.arange(sizes[UNITS])
        rows = [*(inputs + sizes[BIASED]), 0] if sizes[BIASED] else inputs
        parts.append((panel + units * sizes[STRIDE] + np.array(rows)[:, None]).ravel())
    return np.concatenate(parts).astype(np.intp)


def put_ones(layers: Layers, A: Array, turned: Array) -> None:
    """Write the ones by which biases are multiplied, before the activations of the layer below; kernels leave them."""
    for below, sizes in zip(layers.sizes[:-1], layers.sizes[1:], strict=True):
        if sizes[BIASED]:
            A[below[HERE] - CHUNK : below[HERE]] = 1.0
            turned[sizes[TURNED] : sizes[TURNED] + CHUNK * sizes[STRIDE] : sizes[STRIDE]] = 1.0


def narrow_data(data: Data, lanes: int, biased: bool) -> Data:
    """Return samples with one in each lane; see `records.Data`.

    Parameters
    ----------
    data : Data
        Samples as they are otherwise, not sparse.
    lanes : int
        Floats of a vector.
    biased : bool
        Whether the first layer has a bias.
    """
    (n, d), k, dtype = data.X.shape, data.Y.shape[1], data.X.dtype
    vectors, inputs = -(-n // lanes), biased + d

    def padded(row: int) -> Array:
        return aligned(vectors * lanes * row, dtype).reshape(-1, row)

    rows, targets, w = padded(-(-inputs // lanes) * lanes), padded(k), padded(1)
    rows[:n, :biased], rows[:n, biased:inputs], targets[:n] = 1.0, data.X, data.Y
    if data.weighted:
        w[:n, 0] = data.w
    X, Y = padded(inputs), padded(k)
    for start in range(0, n, CHUNK):
        chunk = slice(start, start + CHUNK)
        X[chunk].reshape(inputs, -1)[:] = rows[chunk, :inputs].T
    Y.reshape(-1, k, lanes)[:] = targets.reshape(-1, lanes, k).transpose(0, 2, 1)
    return data._replace(X=X, Y=Y, w=w, rows=rows)
