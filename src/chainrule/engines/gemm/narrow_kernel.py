"""A narrow network in full batch: the lanes of a vector are samples, so that few units leave no lane idle.

Elsewhere in this engine lanes are units, and a layer of four of them fills a quarter of a vector. Here activations and
deltas stand unit by unit, (units, samples), and the weights of a unit in a row, its bias first. For samples s, inputs i
and units j the products are those of `product_kernel`, with a colon for what is in the lanes:

    z_j: = b_j + sum_i w_ji a_i:          dA_i: = sum_j w_ji d_j:          dW_j: = sum_s d_js a_:s

In the first two a lane is a sample. In the last one it is an input, because the sum runs over the samples; so the
inputs of a layer are needed sample by sample too, behind a 1 for the bias. Each sum is the same chain of fused
multiply-adds as everywhere: where a number stands changes no bit of it.

Samples that only fill up the last vector pass through the layers with the others; no sum takes them in.
"""

from __future__ import annotations

from chainrule.engines.compiled.activation_kernel import activate
from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.simd import Pointer, lanes_of, load, offset, splat, store
from chainrule.engines.gemm.narrow_tiles import floats_at, narrow_tile
from chainrule.engines.gemm.records import (
    ACTIVATE,
    CHUNK,
    COUNTS,
    HERE,
    LEFT,
    LEFT_ROW,
    LOSSES,
    N_FIELDS,
    N_SIZES,
    OUT,
    RIGHT,
    STEPS,
    TILE,
    UNITS,
    Buffers,
    Data,
    Layers,
    Setting,
)
from chainrule.engines.lanes.loss_kernel import count_metric, loss_and_delta


@called
def narrow_pass(b: Buffers, layers: Layers, data: Data, begin: int, count: int, back: bool, fresh: bool) -> None:
    """Do what the host has written down for a chunk: the way forward, or the way back with the gradient or the step."""
    way = 1 if back else 0
    if count < CHUNK:
        way += 2
    op = offset(data.steps, data.ways[way] * N_FIELDS)
    for _ in range(data.ways[way], data.ways[way + 1]):
        if op[TILE] == ACTIVATE:
            A, S = floats_at(op, LEFT, b.A), floats_at(op, OUT, b.A)
            activate(op[LEFT_ROW], layers.numbers[op[RIGHT]], A, S, 0, op[STEPS])
        else:
            narrow_tile(op, begin, fresh, b.down)
        op = offset(op, N_FIELDS)


@called
def narrow_losses(
    setting: Setting, layers: Layers, b: Buffers, data: Data, begin: int, count: int, measured: bool
) -> None:
    """Add the samples' losses, and the metric if it is measured, to the sums; turn the last slopes into the delta."""
    L, last = lanes_of(b.A), offset(layers.sizes, (setting.layers - 1) * N_SIZES)
    k, A, D, vectors = last[UNITS], offset(b.A, last[HERE]), offset(b.S, last[HERE]), (count + L - 1) // L
    row = vectors * L
    a, d, Y, w = A, D, offset(data.Y, begin * k), offset(data.w, begin)
    if k > 1:  # the outputs of a sample are to stand side by side
        a, d = b.side_a, b.side_d
        for j in range(k):
            for v in range(vectors):
                store(a, (v * k + j) * L, load(A, j * row + v * L))
                store(d, (v * k + j) * L, load(D, j * row + v * L))
    _clear(b, vectors)
    loss_and_delta(setting.loss, setting.loss_number, a, d, Y, w, data.weighted, b.share, b.apart, L, k, vectors)
    b.sums[LOSSES] = _total(b.sums[LOSSES], b.apart, count)
    if measured:
        _clear(b, vectors)
        count_metric(setting.metric, a, Y, b.apart, L, k, vectors)
        b.sums[COUNTS] = _total(b.sums[COUNTS], b.apart, count)
    if k > 1:
        for j in range(k):
            for v in range(vectors):
                store(D, j * row + v * L, load(d, (v * k + j) * L))


@merged
def _clear(b: Buffers, vectors: int) -> None:
    for v in range(vectors):
        store(b.apart, v * lanes_of(b.apart), splat(b.apart, float(b.zeros[0])))  # a plain 0 would call the C library


@merged
def _total(start: float, apart: Pointer, samples: int) -> float:
    """Add the samples' numbers to a sum, one after the other."""
    total = start
    for s in range(samples):
        total += apart[s]
    return total
