"""Losses, deltas and metrics of a chunk's outputs, for four samples at a time.

Elsewhere in this engine the lanes of a vector are units; outputs are few, so here they are samples: squares of outputs
are transposed, and the loss is that of the lanes engine, with samples where that has members. Each sample's loss comes
out in its own lane; they are added in the order of the samples. More than four would seldom be filled.
"""

from __future__ import annotations

from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.simd import Pointer, lanes_of, offset, splat, store
from chainrule.engines.gemm.moves import column, column_in_order, first_lanes, in_fours, transpose_square
from chainrule.engines.gemm.records import (
    COUNTS,
    DIVISOR,
    FOUR,
    HERE,
    LOSSES,
    N_SIZES,
    STRIDE,
    UNITS,
    Buffers,
    Data,
    Layers,
    Setting,
)
from chainrule.engines.lanes.loss_kernel import count_metric, loss_and_delta

FEW_OUTPUTS = 3
"""So few outputs are moved one by one: it takes less time than to transpose a square."""


@merged
def set_divisor(setting: Setting, b: Buffers, data: Data, order: Pointer, begin: int, count: int) -> None:
    """Set what the sum of the samples' losses is divided by, and `share` to 1 over it."""
    divisor = float(count)
    if not setting.averaged:
        divisor = 1.0
    elif data.weighted:
        divisor = 0.0
        for s in range(begin, begin + count):
            divisor += data.w[order[s]]
        if divisor == 0.0:
            divisor = 1.0
    b.sums[LOSSES], b.sums[COUNTS], b.sums[DIVISOR] = 0.0, 0.0, divisor
    store(b.share, 0, splat(b.share, 1.0 / divisor))


@called
def chunk_losses(
    setting: Setting, layers: Layers, b: Buffers, data: Data, order: Pointer, count: int, measured: bool
) -> None:
    """Add the samples' losses, and the metric if it is measured, to the sums; turn the last slopes into the delta."""
    sizes = offset(layers.sizes, (setting.layers - 1) * N_SIZES)
    k, stride, here = sizes[UNITS], sizes[STRIDE], sizes[HERE]
    A, D, Y, w = in_fours(b.side_a), in_fours(b.side_d), in_fours(b.side_y), in_fours(b.side_w)
    share, apart = in_fours(b.share), in_fours(b.apart)
    for begin in range(0, count, FOUR):
        samples, start = min(FOUR, count - begin), here + begin * stride
        _bring(offset(b.A, start), A, k, stride)
        if not setting.paired:
            _bring(offset(b.S, start), D, k, stride)
        for j in range(k):
            store(Y, j * FOUR, column_in_order(in_fours(offset(data.Y, j)), k, offset(order, begin), samples))
        if data.weighted:
            store(w, 0, column_in_order(in_fours(data.w), 1, offset(order, begin), samples))
        store(apart, 0, splat(apart, 0.0))
        loss_and_delta(setting.loss, setting.loss_number, A, D, Y, w, data.weighted, share, apart, 0, k, 1)
        b.sums[LOSSES] = _total(b.sums[LOSSES], b.apart, samples)
        if measured:
            store(apart, 0, splat(apart, 0.0))
            count_metric(setting.metric, A, Y, apart, 0, k, 1)
            b.sums[COUNTS] = _total(b.sums[COUNTS], b.apart, samples)
        _take_back(D, offset(b.S, start), k, stride, samples)


@merged
def _total(start: float, apart: Pointer, samples: int) -> float:
    """Add the samples' numbers to a sum, one after the other."""
    total = start
    for s in range(samples):
        total += apart[s]
    return total


@merged
def _bring(rows: Pointer, side: Pointer, k: int, stride: int) -> None:
    """Put four rows of outputs side by side: (k, 4)."""
    if k <= FEW_OUTPUTS:
        for j in range(k):
            store(side, j * FOUR, column(in_fours(offset(rows, j)), stride))
    else:
        for j in range(0, k, FOUR):
            transpose_square(in_fours(offset(rows, j)), stride, offset(side, j * FOUR), FOUR)


@merged
def _take_back(side: Pointer, rows: Pointer, k: int, stride: int, samples: int) -> None:
    """Write the deltas (k, 4) to the rows of their samples; padding has none."""
    L, zero = lanes_of(rows), splat(rows, 0.0)
    if k <= FEW_OUTPUTS:
        for s in range(samples):
            store(rows, s * stride, first_lanes(rows, offset(side, s), FOUR, k))
        return
    for s in range(FOUR):
        store(rows, (s + 1) * stride - L, zero)
    for j in range(k, (k + FOUR - 1) // FOUR * FOUR):
        store(side, j * FOUR, splat(side, 0.0))
    for j in range(0, k, FOUR):
        transpose_square(offset(side, j * FOUR), FOUR, in_fours(offset(rows, j)), stride)
