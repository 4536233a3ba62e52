"""From groups to the gradient of a batch, and the transposed weights; each thread does some of the rows."""

from __future__ import annotations

from chainrule.engines.compiled.cache import called
from chainrule.engines.compiled.simd import lanes_of, load, offset, splat, store
from chainrule.engines.gemm.moves import add_columns, store_rows, transpose_square
from chainrule.engines.gemm.product_kernel import product, transpose
from chainrule.engines.gemm.records import BIASED, FAN_IN, N_SIZES, STRIDE, TURNED, UNITS, Layers, Setting
from chainrule.engines.gemm.tiles import STORE
from chainrule.engines.images.records import (
    DENSE,
    DEPTH,
    KIND,
    LANES_AT,
    N_SHAPE,
    PARTS,
    PITCH,
    ROWS_A,
    ROWS_A_ROW,
    ROWS_D,
    WEIGHTS_AT,
    WINDOWS,
    Buffers,
    Nets,
)


@called
def gradient(
    setting: Setting, layers: Layers, net: Nets, b: Buffers, count: int, fresh: bool, mine: int, upto: int
) -> None:
    """Add a chunk's `count` samples to the gradient, one after the other; start it anew if `fresh`."""
    for layer in range(net.lowest, setting.layers):
        kind, rows = net.shapes[layer * N_SHAPE + KIND], layers.sizes[layer * N_SIZES + FAN_IN]
        if kind == DENSE:
            _dense(layers, net, b, layer, count, fresh, rows * mine // setting.threads, rows * upto // setting.threads)
        elif kind == WINDOWS:
            rows += layers.sizes[layer * N_SIZES + BIASED]
            _add_lanes(setting, net, b, layer, rows, count, fresh, mine, upto)


@called
def _dense(layers: Layers, net: Nets, b: Buffers, layer: int, count: int, fresh: bool, first: int, last: int) -> None:
    """Compute dW_ij = sum_s a_si d_sj, and db with the last rows: one chain of multiply-adds over all samples."""
    sizes, shape = offset(layers.sizes, layer * N_SIZES), offset(net.shapes, layer * N_SHAPE)
    stride, A, D = sizes[STRIDE], offset(b.rows_a, shape[ROWS_A] + first), offset(b.rows_d, shape[ROWS_D])
    out = offset(b.grad, shape[WEIGHTS_AT] + first * stride)
    begun, row = b.zeros, 0
    if not fresh:
        begun, row = out, stride
    A_row = shape[ROWS_A_ROW]
    product(last - first, stride, A, 1, A_row, count, D, stride, begun, row, out, stride, STORE, b.down)
    if last == sizes[FAN_IN] and sizes[BIASED]:
        bias = offset(out, (last - first) * stride)
        if not fresh:
            begun = bias
        product(1, stride, b.ones, 0, 0, count, D, stride, begun, row, bias, stride, STORE, b.down)


@called
def _add_lanes(
    setting: Setting, net: Nets, b: Buffers, layer: int, rows: int, count: int, fresh: bool, mine: int, upto: int
) -> None:
    """Add the groups' sums to the gradient, lane by lane: as many weights at a time as a vector has lanes."""
    L, shape = lanes_of(b.grad), offset(net.shapes, layer * N_SHAPE)
    pitch, threads = shape[PITCH], setting.threads
    squares = (rows * pitch + L - 1) // L
    full, square = count // L * L, offset(b.square, mine * L * L)
    for number in range(squares * mine // threads, squares * upto // threads):
        place = shape[LANES_AT] + number * L * L
        packed = place // L
        held = splat(b.grad, 0.0)
        if not fresh:
            held = load(b.packed, packed)
        for _ in range(0, full, L):
            held = add_columns(held, offset(b.lanes, place))
            place += net.lane_floats
        if full < count:
            transpose_square(offset(b.lanes, place), L, square, L)
            for s in range(count - full):
                held = held + load(square, s * L)
        store(b.packed, packed, held)
        if pitch < L:
            row = number * (L // pitch)
            store_rows(held, pitch, offset(b.grad, shape[WEIGHTS_AT] + row * L), rows - row)
        else:
            store(b.grad, shape[WEIGHTS_AT] + number * L, held)


@called
def turn_weights(setting: Setting, layers: Layers, net: Nets, b: Buffers, mine: int, upto: int) -> None:
    """Write the transposed weights of some of the layers above the lowest; rows (i, j, unit) of inputs."""
    for layer in range(net.lowest + 1, setting.layers):
        sizes, shape = offset(layers.sizes, layer * N_SIZES), offset(net.shapes, layer * N_SHAPE)
        owner = layer % setting.threads
        if sizes[UNITS] == 0 or owner < mine or owner >= upto:
            continue
        W, T = offset(b.theta, shape[WEIGHTS_AT]), offset(b.turned, sizes[TURNED])
        depth, stride, units = shape[DEPTH], sizes[STRIDE], sizes[UNITS]
        for part in range(shape[PARTS]):
            transpose(offset(W, part * depth * stride), stride, depth, units, offset(T, part * units * depth), depth)
