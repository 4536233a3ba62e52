"""One step of a block: samples into lanes, forward, loss, backward, and what is done to the gradient before use."""

from __future__ import annotations

from typing import Any

from chainrule.engines.compiled.activation_kernel import activate
from chainrule.engines.compiled.cache import called, inlined, merged
from chainrule.engines.compiled.codes import ARRAY_NORMALIZED, BCE_LOGITS, SOFTMAX_CE
from chainrule.engines.compiled.simd import (
    Pointer,
    Vector,
    absolute,
    copysign,
    fma,
    greater,
    lanes_of,
    load,
    load_scalar,
    maximum,
    minimum,
    offset,
    select,
    splat,
    sqrt,
    store,
    store_scalar,
)
from chainrule.engines.lanes.dense_kernel import affine, back_through, weight_gradient
from chainrule.engines.lanes.loss_kernel import count_metric, loss_and_delta
from chainrule.engines.lanes.records import Buffers, Data, Setting, Shape
from chainrule.engines.lanes.spatial_kernel import place_back, place_forward, place_gradient


@called
def fill(setting: Setting, buffers: Buffers, data: Data, order: Any, begin: int, count: int) -> None:
    """Bring the samples order[begin:begin + count] into the lanes; `order` is (1 or V, n), or (0, 0) for none."""
    A, Y, w = buffers.A, buffers.Y, buffers.w
    d, k = data.X.shape[2], data.Y.shape[2]
    weighted, members, L = data.w.shape[1] > 0, setting.members, lanes_of(buffers.theta)
    if data.alike and data.Y.shape[0] == 1 and order.shape[0] <= 1:
        inputs = data.own[0]
        for s in range(count):
            row = order[0, begin + s] if order.shape[0] else begin + s
            for i in range(d):
                store(A, (s * d + i) * L, splat(A, data.X[inputs, row, i]))
            for j in range(k):
                store(Y, (s * k + j) * L, splat(Y, data.Y[0, row, j]))
            if weighted:
                store(w, s * L, splat(w, data.w[0, row]))
        return
    for m in range(members):
        inputs, own, column = data.own[m], m if data.Y.shape[0] > 1 else 0, m if order.shape[0] > 1 else 0
        for s in range(count):
            row = order[column, begin + s] if order.shape[0] else begin + s
            for i in range(d):
                store_scalar(A, (s * d + i) * L + m, data.X[inputs, row, i])
            for j in range(k):
                store_scalar(Y, (s * k + j) * L + m, data.Y[own, row, j])
            if weighted:
                store_scalar(w, s * L + m, data.w[own, row])


@called
def sum_weights(buffers: Buffers, setting: Setting, data: Data, order: Any, begin: int, count: int) -> None:
    """Set `share` to 1 over what the sum of the samples' losses is divided by, and that divisor into `losses`."""
    share = buffers.share
    if not (setting.averaged and data.w.shape[1] > 0):
        alike = float(count) if setting.averaged else 1.0
        store(share, 0, splat(share, 1.0 / alike))
        for m in range(setting.members):
            buffers.losses[m] = alike
        return
    for m in range(setting.members):
        own, column = m if data.w.shape[0] > 1 else 0, m if order.shape[0] > 1 else 0
        divisor = 0.0
        for s in range(begin, begin + count):
            row = order[column, s] if order.shape[0] else s
            divisor += data.w[own, row]
        if divisor == 0.0:
            divisor = 1.0
        buffers.losses[m] = divisor
        store_scalar(share, m, 1.0 / divisor)


@merged
def forward(shape: Shape, setting: Setting, buffers: Buffers, table: Any, samples: int) -> None:
    """Z and A of every layer, with slopes in the deltas' place; logits stay where loss and activation pair.

    `table` is None for networks of dense layers, see `spatial_kernel`.
    """
    L = lanes_of(buffers.theta)
    theta, A, D = buffers.theta, buffers.A, buffers.D
    valid = buffers.valid
    layers = setting.layers
    for layer in range(layers):
        n_in, n_out = shape.sizes[layer], shape.sizes[layer + 1]
        X = offset(A, shape.inputs[layer] * L)
        Z, S = offset(A, shape.inputs[layer + 1] * L), offset(D, shape.deltas[layer] * L)
        biased = shape.biases[layer] >= 0
        b = offset(theta, (shape.biases[layer] if biased else 0) * L)
        W = offset(theta, shape.weights[layer] * L)
        if table is None:
            affine(W, b, biased, X, Z, n_in, n_out, samples)
        else:
            place_forward(table, layer, W, b, biased, X, Z, n_in, n_out, samples)
        if layer < layers - 1 or not (setting.loss == BCE_LOGITS or setting.loss == SOFTMAX_CE):
            activate(setting.activations[layer], setting.numbers[layer], Z, S, 0, samples * n_out * L)
        for j in range(shape.narrow[layer + 1], n_out):  # padding puts out nothing, so its weights stay 0
            exists = load(valid, (shape.deltas[layer] // shape.chunk + j) * L)
            for s in range(samples):
                store(Z, (s * n_out + j) * L, load(Z, (s * n_out + j) * L) * exists)


@merged
def losses_of(setting: Setting, shape: Shape, buffers: Buffers, weighted: bool, samples: int) -> None:
    """Add the samples' losses to `sums`, and turn the output layer's slopes into its delta."""
    L, last = lanes_of(buffers.theta), setting.layers - 1
    A, D = buffers.A, buffers.D
    loss_and_delta(
        setting.loss, setting.loss_number, offset(A, shape.inputs[last + 1] * L), offset(D, shape.deltas[last] * L),
        buffers.Y, buffers.w, weighted, buffers.share,
        buffers.sums, 0, shape.sizes[last + 1], samples,
    )  # fmt: skip


@called
def metric_of(setting: Setting, shape: Shape, buffers: Buffers, samples: int) -> None:
    """Add the samples' metric to `counts`."""
    last = setting.layers
    outputs = offset(buffers.A, shape.inputs[last] * lanes_of(buffers.theta))
    count_metric(setting.metric, outputs, buffers.Y, buffers.counts, 0, shape.sizes[last], samples)


@merged
def backward(shape: Shape, setting: Setting, buffers: Buffers, table: Any, samples: int, fresh: bool) -> None:
    """Deltas of every layer and the gradient, started anew if `fresh`, else added to."""
    L = lanes_of(buffers.theta)
    theta, grad = buffers.theta, buffers.grad
    A, D = buffers.A, buffers.D
    for back in range(setting.layers):
        layer = setting.layers - 1 - back
        n_in, n_out = shape.sizes[layer], shape.sizes[layer + 1]
        delta = offset(D, shape.deltas[layer] * L)
        biased = shape.biases[layer] >= 0
        g = offset(grad, (shape.biases[layer] if biased else 0) * L)
        X, G = offset(A, shape.inputs[layer] * L), offset(grad, shape.weights[layer] * L)
        W = offset(theta, shape.weights[layer] * L)
        below = offset(D, shape.deltas[max(layer - 1, 0)] * L)
        if table is None:
            weight_gradient(X, delta, G, g, biased, n_in, n_out, samples, fresh)
            if layer > 0:
                back_through(W, delta, below, n_in, n_out, samples)
        else:
            place_gradient(table, layer, X, delta, G, g, biased, n_in, n_out, samples, fresh)
            if layer > 0:
                above = offset(A, shape.inputs[layer + 1] * L)
                place_back(table, layer, W, X, above, delta, below, buffers.spare, n_in, n_out, samples)


@called
def add_penalties(shape: Shape, setting: Setting, buffers: Buffers) -> None:
    """Add l1 sign(w) + l2 w to the gradient, and l1 sum |w| + l2 / 2 sum w^2 to the step losses."""
    L = lanes_of(buffers.theta)
    theta, grad, penalty = buffers.theta, buffers.grad, buffers.penalty
    for layer in range(setting.layers):
        l1, l2 = load(penalty, 2 * layer * L), load(penalty, (2 * layer + 1) * L)
        sizes, squares, zero, one = splat(l1, 0.0), splat(l1, 0.0), splat(l1, 0.0), splat(l1, 1.0)
        n_in, n_out = shape.rows[layer], shape.columns[layer]
        for j in range(n_out):
            column, column_squares = zero, zero
            for i in range(n_in):
                p = shape.weights[layer] + i * n_out + j
                w = load(theta, p * L)
                column, column_squares = column + absolute(w), fma(w, w, column_squares)
                sign = select(greater(absolute(w), zero), copysign(one, w), w)
                store(grad, p * L, load(grad, p * L) + fma(l1, sign, l2 * w))
            sizes, squares = sizes + column, squares + column_squares
        total = l1 * sizes + splat(l2, 0.5) * l2 * squares
        spare = buffers.check
        store(spare, 0, total)
        for m in range(setting.members):
            buffers.losses[m] += load_scalar(spare, m)


@called
def clip_values(shape: Shape, buffers: Buffers) -> None:
    """Cut every component of the gradient; infinities and NaN stay, for the divergence guard to find."""
    L = lanes_of(buffers.theta)
    grad, bound = buffers.grad, load(buffers.clip, 0)
    zero = splat(bound, 0.0)
    for p in range(shape.n_theta):
        g = load(grad, p * L)
        held = maximum(minimum(g, bound), zero - bound)
        finite = g * zero  # 0, or NaN for infinities and NaN
        store(grad, p * L, select(greater(splat(g, 1.0), absolute(finite)), held, g))


@inlined
def _sum_squares(values: Pointer, scale: Vector, first: int, rows: int, columns: int, total: Vector) -> Vector:
    """Add the squares of values / scale, first down each column and then along them, as the gemm engine does."""
    L = lanes_of(values)
    for j in range(columns):
        column = splat(values, 0.0)
        for i in range(rows):
            v = load(values, (first + i * columns + j) * L) / scale
            column = fma(v, v, column)
        total = total + column
    return total


@called
def clip_norms(shape: Shape, setting: Setting, buffers: Buffers) -> None:
    """Shorten a gradient that is longer than the bound; see `chainrule.optim.clip_by_norm`, also for the scaling."""
    L = lanes_of(buffers.theta)
    grad, bound = buffers.grad, load(offset(buffers.clip, L), 0)
    zero, one = splat(bound, 0.0), splat(bound, 1.0)
    largest = zero
    for p in range(shape.n_theta):
        largest = maximum(largest, absolute(load(grad, p * L)))
    usable = select(greater(one, absolute(largest * zero)), select(greater(largest, zero), one, zero), zero)
    scale = select(greater(usable, zero), largest, one)
    squares = zero
    for layer in range(setting.layers):
        rows = shape.rows[layer] + (1 if shape.biases[layer] >= 0 else 0)  # the bias follows the weights
        squares = _sum_squares(grad, scale, shape.weights[layer], rows, shape.columns[layer], squares)
    relative = sqrt(squares)
    long = select(greater(relative, bound / scale), usable, zero)
    factor = bound / relative
    for p in range(shape.n_theta):
        g = load(grad, p * L)
        store(grad, p * L, select(greater(long, zero), (g / scale) * factor, g))


@called
def normalise_arrays(shape: Shape, setting: Setting, buffers: Buffers) -> None:
    """Divide the gradient of each weight matrix and each bias vector by sqrt(sum of squares + eps)."""
    for layer in range(setting.layers):
        _normalise(buffers, shape.weights[layer], shape.rows[layer], shape.columns[layer])
        if shape.biases[layer] >= 0:
            _normalise(buffers, shape.biases[layer], 1, shape.columns[layer])


@called
def _normalise(buffers: Buffers, first: int, rows: int, columns: int) -> None:
    L = lanes_of(buffers.theta)
    grad, zero = buffers.grad, splat(buffers.grad, 0.0)
    squares = _sum_squares(grad, splat(zero, 1.0), first, rows, columns, zero)
    eps = load(buffers.hyper, 5 * L)
    length = sqrt(squares + eps)
    for p in range(first, first + rows * columns):
        store(grad, p * L, load(grad, p * L) / length)


@merged
def ready_gradient(shape: Shape, setting: Setting, buffers: Buffers) -> None:
    """Penalties, clipping and normalising, where the setting has them."""
    if setting.penalised:
        add_penalties(shape, setting, buffers)
    if setting.clips_value:
        clip_values(shape, buffers)
    if setting.clips_norm:
        clip_norms(shape, setting, buffers)
    if setting.optimizer == ARRAY_NORMALIZED:
        normalise_arrays(shape, setting, buffers)


@merged
def set_losses(setting: Setting, buffers: Buffers) -> None:
    """Turn `losses`, which holds the divisors, into the losses of the samples in `sums`."""
    for m in range(setting.members):
        buffers.losses[m] = buffers.sums[m] / buffers.losses[m]


@merged
def clear(buffers: Buffers) -> None:
    """Start new sums."""
    for m in range(lanes_of(buffers.theta)):
        buffers.sums[m], buffers.counts[m] = 0.0, 0.0


@inlined
def set_rates(setting: Setting, buffers: Buffers, rates: Any) -> None:
    """Put the members' learning rates where the step rule looks for them."""
    hyper: Pointer = buffers.hyper
    for m in range(setting.members):
        store_scalar(hyper, m, rates[m])
        buffers.base[3 * setting.members + m] = rates[m]
