"""The first layer on inputs that are mostly zeros: their products are left out.

That changes no bit: fma(0, w, sum) is the sum, for finite weights. The inputs that are not zero stand in lists, sample
by sample; for the gradient of a chunk of samples they are listed anew, input by input, so that each row of weights is
read and written once. Columns are taken a few vectors at a time, so that sums stay in registers, and rows block by
block, so that weights stay in a first-level cache while all samples of a chunk pass.
"""

from __future__ import annotations

from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.simd import Pointer, lanes_of, offset
from chainrule.engines.gemm.moves import fetch_ahead
from chainrule.engines.gemm.records import Data
from chainrule.engines.gemm.tiles import DESCEND, MOST_GATHERED, STORE, descend_rows, gathered_row

BLOCK_INPUTS = 112
"""Rows of weights in a block; a chunk needs some of them: `MOST_GATHERED` vectors of all of them are 70 KiB."""
ENTRIES_OF_A_LINE = 16
"""Inputs in a cache line; as many values of float32, and half as many of float64."""
MOST_DELTA_VECTORS = 560
"""Vectors of deltas, of all samples of a chunk, that stay in a first-level cache beside the row in work."""


@called
def sparse_product(
    count: int, order: Pointer, data: Data, blocks: int, W: Pointer, W_row: int, floats: int, start: Pointer,
    out: Pointer, out_row: int,
) -> None:  # fmt: skip
    """Z = X W + start for the samples order[0], order[1], ... and `floats` columns (whole vectors)."""
    L = lanes_of(W)
    c = 0
    while c < floats:
        vectors = _next_width((floats - c) // L, MOST_GATHERED)
        for block in range(blocks):
            for s in range(count):
                place = order[s] * (blocks + 1) + block
                first, last = data.starts[place], data.starts[place + 1]
                z = offset(out, s * out_row + c)
                if block == 0:
                    begun = offset(start, c)
                elif first == last:
                    continue
                else:
                    begun = z
                gathered_row(vectors, data.values, data.inputs, first, last, offset(W, c), W_row, begun, z, STORE, W)
        c += vectors * L


@merged
def _next_width(left: int, most: int) -> int:
    """Return how many vectors to take next, so that all parts are about equally wide."""
    parts = (left + most - 1) // most
    return (left + parts - 1) // parts


@called
def fetch_lists(count: int, order: Pointer, data: Data, blocks: int) -> None:
    """Ask for the lists of the samples that come next: they lie scattered in memory, far away."""
    for s in range(count):
        place = order[s] * (blocks + 1)
        first, last = data.starts[place], data.starts[place + blocks]
        for p in range(first, last, ENTRIES_OF_A_LINE):
            fetch_ahead(data.inputs, p)
            fetch_ahead(data.values, p)


@called
def list_inputs(
    count: int,
    order: Pointer,
    data: Data,
    blocks: int,
    features: int,
    listed: Pointer,
    samples: Pointer,
    values: Pointer,
) -> None:
    """List a chunk's nonzero inputs input by input: those of input i from listed[i] up to listed[i + 1]."""
    for i in range(features + 2):
        listed[i] = 0
    for s in range(count):
        place = order[s] * (blocks + 1)
        for p in range(data.starts[place], data.starts[place + blocks]):
            i = data.inputs[p] + 2
            listed[i] = listed[i] + 1
    for i in range(2, features + 2):
        listed[i] = listed[i] + listed[i - 1]
    for s in range(count):
        place = order[s] * (blocks + 1)
        for p in range(data.starts[place], data.starts[place + blocks]):
            i = data.inputs[p] + 1
            to = listed[i]
            samples[to], values[to] = s, data.values[p]
            listed[i] = to + 1


@called
def sparse_gradient(
    count: int, features: int, listed: Pointer, samples: Pointer, values: Pointer, D: Pointer, D_row: int, floats: int,
    zeros: Pointer, fresh: bool, out: Pointer, out_row: int, how: int, down: Pointer,
) -> None:  # fmt: skip
    """Compute dW = X' D over a chunk, started anew if `fresh`; stored, or used at once (`tiles.DESCEND`)."""
    L = lanes_of(D)
    most = min(max(MOST_DELTA_VECTORS // count, 1), MOST_GATHERED)
    c = 0
    while c < floats:
        vectors = _next_width((floats - c) // L, most)
        for i in range(features):
            first, last = listed[i], listed[i + 1]
            if first == last and (how == DESCEND or not fresh):
                continue
            row = offset(out, i * out_row + c)
            begun = zeros if fresh else row
            gathered_row(vectors, values, samples, first, last, offset(D, c), D_row, begun, row, how, down)
        c += vectors * L


@called
def sparse_descent(
    sample: int, data: Data, blocks: int, delta: Pointer, floats: int, out: Pointer, out_row: int, down: Pointer
) -> None:
    """Move the weights of the inputs of one sample against its gradient."""
    L = lanes_of(delta)
    first, last = data.starts[sample * (blocks + 1)], data.starts[sample * (blocks + 1) + blocks]
    c = 0
    while c < floats:
        vectors = _next_width((floats - c) // L, MOST_GATHERED)
        descend_rows(vectors, data.values, data.inputs, first, last, offset(delta, c), offset(out, c), out_row, down)
        c += vectors * L
