"""One step of a member: forward, loss, backward; every thread does the columns that it owns.

The threads' meetings: behind every layer on the way forward, behind the loss, between two layers on the way back, and
at the end, before activations are overwritten.
"""

from __future__ import annotations

from chainrule.engines.compiled.activation_kernel import activate
from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.simd import Pointer, offset, splat, store
from chainrule.engines.gemm.product_kernel import copy_rows, product, transpose
from chainrule.engines.gemm.records import (
    ACTIVATION,
    BIASED,
    FAN_IN,
    HERE,
    N_NUMBERS,
    N_SIZES,
    SLOPE,
    STRIDE,
    TURNED,
    UNITS,
    Buffers,
    Data,
    Layers,
    Setting,
)
from chainrule.engines.gemm.sparse_kernel import (
    BLOCK_INPUTS,
    fetch_lists,
    list_inputs,
    sparse_descent,
    sparse_gradient,
    sparse_product,
)
from chainrule.engines.gemm.threads import meet
from chainrule.engines.gemm.tiles import DESCEND, STORE, TIMES


@merged
def blocks_of(layers: Layers) -> int:
    """Return into how many blocks the inputs are cut."""
    blocks: int = (layers.sizes[FAN_IN] + BLOCK_INPUTS - 1) // BLOCK_INPUTS
    return blocks


@merged
def gather_inputs(
    setting: Setting, layers: Layers, b: Buffers, data: Data, inputs: Pointer, order: Pointer, count: int, mine: int,
    upto: int,
) -> None:  # fmt: skip
    """Bring a chunk's inputs together, unless they are read from lists; each thread brings some of the samples."""
    if data.sparse:
        return
    d = layers.sizes[FAN_IN]
    first, last = count * mine // setting.threads, count * upto // setting.threads
    copy_rows(inputs, offset(order, first), last - first, d, offset(b.X, first * d))
    meet(b.gate, setting.threads, mine, upto)


@merged
def inputs_of(layers: Layers, b: Buffers, inputs: Pointer, begin: int, in_order: bool) -> Pointer:
    """Return a pointer to a chunk's inputs, row by row."""
    if in_order:
        return offset(inputs, begin * layers.sizes[FAN_IN])
    return b.X


@called
def forward(
    setting: Setting, layers: Layers, b: Buffers, data: Data, X: Pointer, order: Pointer, count: int, turned: bool,
    mine: int, upto: int,
) -> None:  # fmt: skip
    """Z and A of every layer, with slopes beside them; logits stay where loss and activation pair.

    `turned` says that the way back follows, which needs the transposed weights.
    """
    for layer in range(setting.layers):
        sizes, bounds = offset(layers.sizes, layer * N_SIZES), offset(layers.bounds, layer * (setting.threads + 1))
        for panel in range(mine, upto):
            low, floats = bounds[panel], bounds[panel + 1] - bounds[panel]
            if floats == 0:
                continue
            W = offset(b.theta, layers.panels[layer * setting.threads + panel])
            start = offset(W, sizes[FAN_IN] * floats) if sizes[BIASED] else b.zeros
            stride, here = sizes[STRIDE], sizes[HERE] + low
            Z = offset(b.A, here)
            if layer == 0 and data.sparse:
                sparse_product(count, order, data, blocks_of(layers), W, floats, floats, start, Z, stride)
            else:
                below = X if layer == 0 else offset(b.A, layers.sizes[(layer - 1) * N_SIZES + HERE])
                row = sizes[FAN_IN] if layer == 0 else layers.sizes[(layer - 1) * N_SIZES + STRIDE]
                product(count, floats, below, row, 1, sizes[FAN_IN], W, floats, start, 0, Z, stride, STORE, b.down)
            if turned and layer > 0:
                T_row = layers.sizes[(layer - 1) * N_SIZES + STRIDE]
                columns = min(low + floats, sizes[UNITS]) - low
                transpose(W, floats, sizes[FAN_IN], columns, offset(b.turned, sizes[TURNED] + low * T_row), T_row)
        if layer < setting.layers - 1 or not setting.paired:
            _activate(layers, b, layer, count, bounds[mine], bounds[upto])
        meet(b.gate, setting.threads, mine, upto)


@merged
def _activate(layers: Layers, b: Buffers, layer: int, count: int, low: int, high: int) -> None:
    """Turn the thread's own columns of a layer's Z into A, and set the slopes."""
    sizes, number = offset(layers.sizes, layer * N_SIZES), layers.numbers[layer * N_NUMBERS + SLOPE]
    stride, rows, floats = sizes[STRIDE], count, high - low
    if floats == stride:
        rows, floats = 1, count * stride  # all in one go
    for s in range(rows):
        here = sizes[HERE] + s * stride + low
        activate(sizes[ACTIVATION], number, offset(b.A, here), offset(b.S, here), 0, floats)


@called
def backward(
    setting: Setting, layers: Layers, b: Buffers, data: Data, X: Pointer, order: Pointer, count: int, fresh: bool,
    mine: int, upto: int,
) -> None:  # fmt: skip
    """Deltas of every layer and the gradient, started anew if `fresh`, or the step itself where it is fused."""
    for back in range(setting.layers):
        layer = setting.layers - 1 - back
        if layer > 0:
            _back_through(setting, layers, b, layer, count, mine, upto)
        for panel in range(mine, upto):
            _weight_gradient(setting, layers, b, data, X, order, layer, count, fresh, panel)
        if layer > 1:
            meet(b.gate, setting.threads, mine, upto)


@merged
def _back_through(setting: Setting, layers: Layers, b: Buffers, layer: int, count: int, mine: int, upto: int) -> None:
    """Turn the slopes of the layer below into its deltas, own columns only: D_below = S_below * (D W')."""
    sizes, below = offset(layers.sizes, layer * N_SIZES), offset(layers.sizes, (layer - 1) * N_SIZES)
    bounds = offset(layers.bounds, (layer - 1) * (setting.threads + 1))
    low, floats = bounds[mine], bounds[upto] - bounds[mine]
    if floats > 0:
        D, stride = offset(b.S, sizes[HERE]), sizes[STRIDE]
        T, T_row = offset(b.turned, sizes[TURNED] + low), below[STRIDE]
        out = offset(b.S, below[HERE] + low)
        product(count, floats, D, stride, 1, sizes[UNITS], T, T_row, b.zeros, 0, out, T_row, TIMES, b.down)


@merged
def _weight_gradient(
    setting: Setting, layers: Layers, b: Buffers, data: Data, X: Pointer, order: Pointer, layer: int, count: int,
    fresh: bool, panel: int,
) -> None:  # fmt: skip
    """Compute dW and db of a layer's columns in a panel: written to the gradient, or taken off the weights at once."""
    sizes, bounds = offset(layers.sizes, layer * N_SIZES), offset(layers.bounds, layer * (setting.threads + 1))
    low, floats = bounds[panel], bounds[panel + 1] - bounds[panel]
    if floats == 0:
        return
    fan_in, stride = sizes[FAN_IN], sizes[STRIDE]
    D, place = offset(b.S, sizes[HERE] + low), layers.panels[layer * setting.threads + panel]
    how, out = STORE, offset(b.grad, place)
    if setting.fused:
        how, out = DESCEND, offset(b.theta, place)
    begun, begun_row = b.zeros, 0
    if not fresh:
        begun, begun_row = out, floats
    if layer == 0 and data.sparse:
        if setting.fused and count == 1:
            sparse_descent(order[0], data, blocks_of(layers), D, floats, out, floats, b.down)
        else:
            sparse_gradient(
                count, fan_in, b.listed, b.listed_samples, b.listed_values, D, stride, floats, b.zeros, fresh, out,
                floats, how, b.down,
            )  # fmt: skip
    else:
        A = X if layer == 0 else offset(b.A, layers.sizes[(layer - 1) * N_SIZES + HERE])
        A_row = fan_in if layer == 0 else layers.sizes[(layer - 1) * N_SIZES + STRIDE]
        product(fan_in, floats, A, 1, A_row, count, D, stride, begun, begun_row, out, floats, how, b.down)
    if sizes[BIASED]:
        product(
            1, floats, b.ones, 0, 0, count, D, stride, offset(begun, fan_in * begun_row), begun_row,
            offset(out, fan_in * floats), floats, how, b.down,
        )  # fmt: skip


@merged
def list_chunk(setting: Setting, layers: Layers, b: Buffers, data: Data, order: Pointer, count: int) -> None:
    """List the nonzero inputs of a chunk for `backward`, where it needs them."""
    if data.sparse and not (setting.fused and count == 1):
        list_inputs(
            count, order, data, blocks_of(layers), layers.sizes[FAN_IN], b.listed, b.listed_samples, b.listed_values
        )


@merged
def fetch_next(setting: Setting, layers: Layers, data: Data, order: Pointer, begin: int, in_order: bool) -> None:
    """Ask for the inputs of the next step while this one is busy with its gradient."""
    if data.sparse and not in_order:
        fetch_lists(min(setting.batch, data.n - begin), offset(order, begin), data, blocks_of(layers))


@called
def set_rate(b: Buffers, rate: float) -> None:
    """Put the learning rate where the step rule and the fused step look for it."""
    held = splat(b.hyper, rate)
    store(b.hyper, 0, held)
    store(b.down, 0, splat(held, 0.0) - held)
