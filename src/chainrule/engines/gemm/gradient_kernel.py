"""What is done to the gradient before it is used: penalties, clipping, normalising; and whether weights are finite.

Sums over weights go down the columns first, inputs ascending and the bias last, and then along the units; layer follows
layer. Only numbers that exist count, never the padding. The first thread makes these sums, every thread changes its own
panels.
"""

from __future__ import annotations

import math

from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.codes import ARRAY_NORMALIZED, EPS
from chainrule.engines.compiled.simd import (
    Pointer,
    absolute,
    at_least,
    copysign,
    fma,
    greater,
    lane,
    lanes_of,
    load,
    maximum,
    minimum,
    offset,
    select,
    splat,
    sqrt,
    store,
)
from chainrule.engines.gemm.moves import all_lanes, single
from chainrule.engines.gemm.records import (
    BIASED,
    FAN_IN,
    L1,
    L2,
    N_NUMBERS,
    N_SIZES,
    SHORTENED,
    STRIDE,
    UNITS,
    Buffers,
    Layers,
    Setting,
)
from chainrule.engines.gemm.threads import meet

SIZES, SQUARES, RELATIVE_SQUARES, LARGEST, SOUND = range(5)
"""What `_down_columns` sums up: |v|, v^2, (v / scale)^2; or the largest |v|; or 0, but NaN where not all are finite."""
SCALE, FACTOR, LENGTHS = 0, 1, 2
"""Vectors of `Buffers.scales`; from `LENGTHS` on, two for each layer: lengths of the gradients of W and b."""


@called
def _down_columns(what: int, P: Pointer, rows: int, row: int, scale: Pointer, out: Pointer) -> None:
    """Reduce a vector of columns over `rows` rows."""
    zero = splat(P, 0.0)
    held = zero
    if what == SIZES:
        for i in range(rows):
            held = held + absolute(load(P, i * row))
    elif what == SQUARES:
        for i in range(rows):
            v = load(P, i * row)
            held = fma(v, v, held)
    elif what == RELATIVE_SQUARES:
        for i in range(rows):
            v = load(P, i * row) / load(scale, 0)
            held = fma(v, v, held)
    elif what == LARGEST:
        for i in range(rows):
            held = maximum(held, absolute(load(P, i * row)))
    else:
        for i in range(rows):
            held = fma(load(P, i * row), zero, held)
    store(out, 0, held)


@called
def reduce_layer(
    what: int, setting: Setting, layers: Layers, b: Buffers, values: Pointer, layer: int, first: int, rows: int,
    total: float,
) -> float:  # fmt: skip
    """Add to `total` what the rows of a layer's panels from `first` on amount to; for LARGEST take the larger one."""
    L = lanes_of(values)
    units, threads = layers.sizes[layer * N_SIZES + UNITS], setting.threads
    for thread in range(threads):
        low = layers.bounds[layer * (threads + 1) + thread]
        floats = layers.bounds[layer * (threads + 1) + thread + 1] - low
        panel = offset(values, layers.panels[layer * threads + thread] + first * floats)
        for c in range(0, floats, L):
            _down_columns(what, offset(panel, c), rows, floats, b.scales, b.spare)
            for j in range(min(L, units - low - c)):
                value = b.spare[j]
                if what != LARGEST:
                    total = total + value
                elif value > total or value != value:
                    total = value
    return total


@called
def reduce_all(what: int, setting: Setting, layers: Layers, b: Buffers, values: Pointer) -> float:
    """Reduce weights or gradients of all layers."""
    total: float = b.zeros[0]
    for layer in range(setting.layers):
        sizes = offset(layers.sizes, layer * N_SIZES)
        total = reduce_layer(what, setting, layers, b, values, layer, 0, sizes[FAN_IN] + sizes[BIASED], total)
    return total


@called
def is_finite(setting: Setting, layers: Layers, b: Buffers) -> bool:
    """Whether all weights are finite."""
    n, L, zero = layers.shares[setting.threads], lanes_of(b.theta), splat(b.theta, 0.0)
    even, odd = zero, zero
    for p in range(0, n - L, 2 * L):
        even, odd = fma(load(b.theta, p), zero, even), fma(load(b.theta, p + L), zero, odd)
    held = fma(load(b.theta, n - L), zero, even) + odd
    if all_lanes(at_least(held, held)):
        return True
    # something is not, but it may be padding: a step rule may divide 0 by 0 there
    if setting.narrow:
        return _rows_are_finite(setting, layers, b)
    return not math.isnan(reduce_all(SOUND, setting, layers, b, b.theta))


@merged
def _rows_are_finite(setting: Setting, layers: Layers, b: Buffers) -> bool:
    """Whether all weights are finite where those of a unit stand in a row."""
    sick = False
    for layer in range(setting.layers):
        sizes, W = offset(layers.sizes, layer * N_SIZES), offset(b.theta, layers.panels[layer])
        for j in range(sizes[UNITS]):
            for i in range(sizes[FAN_IN] + sizes[BIASED]):
                sick = sick or not math.isfinite(W[j * sizes[STRIDE] + i])
    return not sick


@called
def with_penalties(loss: float, setting: Setting, layers: Layers, b: Buffers) -> float:
    """Return the loss plus l1 sum |w| + l2 / 2 sum w^2 of each weight matrix."""
    one = single(b.spare)
    for layer in range(setting.layers):
        numbers, fan_in = offset(layers.numbers, layer * N_NUMBERS), layers.sizes[layer * N_SIZES + FAN_IN]
        l1, l2 = splat(one, numbers[L1]), splat(one, numbers[L2])
        sizes = reduce_layer(SIZES, setting, layers, b, b.theta, layer, 0, fan_in, b.zeros[0])
        squares = reduce_layer(SQUARES, setting, layers, b, b.theta, layer, 0, fan_in, b.zeros[0])
        total = l1 * splat(one, sizes) + splat(one, 0.5) * l2 * splat(one, squares)
        loss += lane(total, 0)
    return loss


@merged
def _add_penalty_gradient(setting: Setting, layers: Layers, b: Buffers, panel: int) -> None:
    """Add l1 sign(w) + l2 w to the gradient of a panel's weight matrices."""
    for layer in range(setting.layers):
        numbers, bounds = offset(layers.numbers, layer * N_NUMBERS), layer * (setting.threads + 1) + panel
        first = layers.panels[layer * setting.threads + panel]
        count = layers.sizes[layer * N_SIZES + FAN_IN] * (layers.bounds[bounds + 1] - layers.bounds[bounds])
        l1, l2 = splat(b.theta, numbers[L1]), splat(b.theta, numbers[L2])
        zero, one = splat(b.theta, 0.0), splat(b.theta, 1.0)
        for p in range(first, first + count, lanes_of(b.theta)):
            w = load(b.theta, p)
            sign = select(greater(absolute(w), zero), copysign(one, w), w)
            store(b.grad, p, load(b.grad, p) + fma(l1, sign, l2 * w))


@merged
def _clip_values(bound: float, b: Buffers, first: int, last: int) -> None:
    """Cut components of the gradient; infinities and NaN stay, for the divergence guard to find."""
    most, zero, one = splat(b.grad, bound), splat(b.grad, 0.0), splat(b.grad, 1.0)
    for p in range(first, last, lanes_of(b.grad)):
        g = load(b.grad, p)
        held = maximum(minimum(g, most), zero - most)
        store(b.grad, p, select(greater(one, absolute(g * zero)), held, g))


@merged
def _measure_norm(setting: Setting, layers: Layers, b: Buffers) -> None:
    """Find out whether the gradient is too long, and how it is shortened; see `chainrule.optim.clip_by_norm`."""
    L = lanes_of(b.scales)
    largest = reduce_all(LARGEST, setting, layers, b, b.grad)
    b.decisions[SHORTENED] = 0
    if not math.isfinite(largest) or not largest > 0.0:
        return
    store(b.scales, SCALE * L, splat(b.scales, largest))
    bound, scale = splat(single(b.scales), setting.clip_norm), load(single(b.scales), SCALE * L)
    relative = sqrt(splat(bound, reduce_all(RELATIVE_SQUARES, setting, layers, b, b.grad)))
    store(b.scales, FACTOR * L, splat(b.scales, lane(bound / relative, 0)))
    if lane(relative, 0) > lane(bound / scale, 0):
        b.decisions[SHORTENED] = 1


@merged
def _shorten(b: Buffers, first: int, last: int) -> None:
    L = lanes_of(b.grad)
    scale, factor = load(b.scales, SCALE * L), load(b.scales, FACTOR * L)
    for p in range(first, last, L):
        store(b.grad, p, (load(b.grad, p) / scale) * factor)


@merged
def _measure_arrays(setting: Setting, layers: Layers, b: Buffers) -> None:
    """Set the lengths of the gradients of each weight matrix and each bias vector, sqrt(sum of squares + eps)."""
    L = lanes_of(b.scales)
    eps = splat(single(b.hyper), b.hyper[EPS * L])
    for layer in range(setting.layers):
        fan_in = layers.sizes[layer * N_SIZES + FAN_IN]
        for array in range(1 + layers.sizes[layer * N_SIZES + BIASED]):
            rows = fan_in if array == 0 else 1
            total = reduce_layer(SQUARES, setting, layers, b, b.grad, layer, array * fan_in, rows, b.zeros[0])
            length = sqrt(splat(eps, total) + eps)
            store(b.scales, (LENGTHS + 2 * layer + array) * L, splat(b.scales, lane(length, 0)))


@merged
def _normalise_arrays(setting: Setting, layers: Layers, b: Buffers, panel: int) -> None:
    L = lanes_of(b.grad)
    for layer in range(setting.layers):
        bounds = layer * (setting.threads + 1) + panel
        floats = layers.bounds[bounds + 1] - layers.bounds[bounds]
        first = layers.panels[layer * setting.threads + panel]
        for array in range(1 + layers.sizes[layer * N_SIZES + BIASED]):
            rows = layers.sizes[layer * N_SIZES + FAN_IN] if array == 0 else 1
            length = load(b.scales, (LENGTHS + 2 * layer + array) * L)
            for p in range(first, first + rows * floats, L):
                store(b.grad, p, load(b.grad, p) / length)
            first += rows * floats


@called
def ready_gradient(setting: Setting, layers: Layers, b: Buffers, mine: int, upto: int) -> None:
    """Penalties, clipping and normalising of the thread's own gradient, where the setting has them."""
    first, last = layers.shares[mine], layers.shares[upto]
    if setting.penalised:
        for panel in range(mine, upto):
            _add_penalty_gradient(setting, layers, b, panel)
    if setting.clip_value > 0.0:
        _clip_values(setting.clip_value, b, first, last)
    if setting.clip_norm > 0.0:
        meet(b.gate, setting.threads, mine, upto)
        if mine == 0:
            _measure_norm(setting, layers, b)
        meet(b.gate, setting.threads, mine, upto)
        if b.decisions[SHORTENED]:
            _shorten(b, first, last)
    if setting.optimizer == ARRAY_NORMALIZED:
        meet(b.gate, setting.threads, mine, upto)
        if mine == 0:
            _measure_arrays(setting, layers, b)
        meet(b.gate, setting.threads, mine, upto)
        for panel in range(mine, upto):
            _normalise_arrays(setting, layers, b, panel)
