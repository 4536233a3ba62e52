"""A group of samples through the network and back, by one thread: every number is that of each sample by itself."""

from __future__ import annotations

from chainrule.engines.compiled.activation_kernel import activate
from chainrule.engines.compiled.cache import called, merged
from chainrule.engines.compiled.codes import RELU
from chainrule.engines.compiled.simd import Pointer, greater, lanes_of, load, offset, select, splat, store
from chainrule.engines.gemm.moves import column_in_order, copy_floats, transpose_square
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
    Data,
    Layers,
    Setting,
)
from chainrule.engines.images.pool_kernel import pool, pool_back
from chainrule.engines.images.records import (
    BELOW,
    BELOW_FLOATS,
    COLUMNS,
    DELTAS,
    DELTAS_END,
    DENSE,
    DEPTH,
    FORWARD,
    FORWARD_END,
    FROM_OUTPUT,
    GOES_ON,
    GRADIENT,
    GRADIENT_END,
    HERE_FLOATS,
    IN_PLACES,
    IN_SHIFT,
    KIND,
    LANES_AT,
    LEFT,
    LONE,
    MEANS,
    N_JOB,
    N_PLACES,
    N_SHAPE,
    N_STEPS,
    OF_ONES,
    OUT_PLACES,
    OUT_SHIFT,
    POOL,
    RIGHT,
    RIGHT_SHIFT,
    ROWS_A,
    ROWS_A_ROW,
    ROWS_D,
    SLOPES,
    STORED,
    WEIGHTS_AT,
    WINDOW_ROWS,
    WINDOW_ROWS_END,
    WINDOWS,
    Buffers,
    Nets,
)
from chainrule.engines.images.tile import FEWER, MOST_COLUMNS, place_tile
from chainrule.engines.lanes.loss_kernel import count_metric, loss_and_delta

TOGETHER = 24
"""Places whose columns are all computed before the next ones: their inputs stay in the nearest cache."""


@called
def run_jobs(
    net: Nets, spread: bool, first: int, last: int, together: int, left: Pointer, right: Pointer, start: Pointer,
    start_steps: int, out: Pointer, ones: Pointer, positive: bool,
) -> None:  # fmt: skip
    """Compute the sums of some jobs, tile by tile; `start_steps` is 1 where each column starts from its own number.

    Sums over places are those of a group, sums of places those of all groups that go side by side.
    """
    L = lanes_of(out)
    floats = 1 if spread else L
    for number in range(first, last):
        job = offset(net.jobs, number * N_JOB)
        places, columns = job[N_PLACES] * together, job[COLUMNS]
        a, w, to = left, offset(right, job[RIGHT_SHIFT]), offset(out, job[OUT_SHIFT])
        if job[OF_ONES]:
            a = ones
        a = offset(a, job[IN_SHIFT])
        begun = offset(start, start_steps * (job[OUT_SHIFT] // L))
        left_steps, right_steps = offset(net.places, job[LEFT]), offset(net.places, job[RIGHT])
        p = 0
        while p < places:
            c = 0
            while c < columns:
                wide = MOST_COLUMNS
                while wide > columns - c:
                    wide = wide // 2
                q, end = p, min(p + TOGETHER, places)
                while q < end:
                    n = net.choices[wide * FEWER + min(end - q, FEWER - 1)]
                    place_tile(
                        spread, n, wide, a, offset(net.places, job[IN_PLACES] + q), left_steps, offset(w, c * floats),
                        right_steps, job[N_STEPS], offset(begun, start_steps * c), job[GOES_ON] != 0, offset(to, c * L),
                        offset(net.places, job[OUT_PLACES] + q), positive,
                    )  # fmt: skip
                    q += n
                c += wide
            p += TOGETHER


@called
def take_samples(net: Nets, b: Buffers, inputs: Pointer, order: Pointer, count: int, thread: int, slot: int) -> None:
    """Bring a group's inputs to level 0: feature by feature, a sample in each lane; the last one fills idle lanes."""
    L, d, rows = lanes_of(b.A), net.features, offset(b.fresh, thread * net.inputs * lanes_of(b.A))
    for s in range(L):
        copy_floats(offset(inputs, order[min(s, count - 1)] * d), offset(rows, s * net.inputs), d)
    A = offset(b.A, (thread * net.together + slot) * net.floats)
    for i in range(0, d, L):
        transpose_square(offset(rows, i), net.inputs, offset(A, i * L), L)


@called
def forward_groups(setting: Setting, layers: Layers, net: Nets, b: Buffers, together: int, thread: int) -> None:
    """Z and A of every layer, slopes where A does not tell them; paired logits stay, and the last slopes are in D."""
    first = thread * net.together
    for layer in range(setting.layers):
        sizes, shape = offset(layers.sizes, layer * N_SIZES), offset(net.shapes, layer * N_SHAPE)
        here, code, number = sizes[HERE], sizes[ACTIVATION], layers.numbers[layer * N_NUMBERS + SLOPE]
        last = layer == setting.layers - 1
        if shape[KIND] != POOL:
            A, W = offset(b.A, first * net.floats), offset(b.theta, shape[WEIGHTS_AT])
            start = b.zeros
            if sizes[BIASED]:
                start = offset(W, sizes[FAN_IN] * sizes[STRIDE])
            run_jobs(
                net, True, shape[FORWARD], shape[FORWARD_END], together, offset(A, shape[BELOW]), W, start,
                sizes[BIASED], offset(A, here), b.ones, code == RELU and not last,
            )  # fmt: skip
        for slot in range(first, first + together):
            A, S, D = offset(b.A, slot * net.floats), offset(b.S, slot * net.stored), offset(b.D, slot * net.floats)
            if shape[KIND] == POOL:
                pool(
                    net, shape[WINDOW_ROWS], shape[WINDOW_ROWS_END], shape[DEPTH], shape[MEANS] != 0,
                    offset(A, shape[BELOW]), offset(A, here),
                )  # fmt: skip
            if last and not setting.paired:
                activate(code, number, offset(A, here), offset(D, here), 0, net.outputs * lanes_of(A))
            elif not last and shape[SLOPES] == STORED:
                activate(code, number, offset(A, here), offset(S, here), 0, shape[HERE_FLOATS])


@called
def group_losses(
    setting: Setting, layers: Layers, net: Nets, b: Buffers, data: Data, order: Pointer, count: int, place: int,
    measured: bool, thread: int, slot: int,
) -> None:  # fmt: skip
    """Write the samples' losses, and their metrics if measured, to `apart`; the last level's D becomes its delta."""
    sizes = offset(layers.sizes, (setting.layers - 1) * N_SIZES)
    shape = offset(net.shapes, (setting.layers - 1) * N_SHAPE)
    k, L = net.outputs, lanes_of(b.A)
    level = (thread * net.together + slot) * net.floats + sizes[HERE]
    A, D = offset(b.A, level), offset(b.D, level)
    Y, w = offset(b.side_y, thread * shape[HERE_FLOATS]), offset(b.side_w, thread * L)
    for j in range(k):
        store(Y, j * L, column_in_order(offset(data.Y, j), k, order, count))
    if data.weighted:
        store(w, 0, column_in_order(data.w, 1, order, count))
    losses, counts = offset(b.apart, place), offset(b.apart, net.chunk + place)
    for s in range(L):
        losses[s], counts[s] = 0.0, 0.0
    loss_and_delta(setting.loss, setting.loss_number, A, D, Y, w, data.weighted, b.share, losses, 0, k, 1)
    if measured:
        count_metric(setting.metric, A, Y, counts, 0, k, 1)


@merged
def _times_slopes(kind: int, A: Pointer, S: Pointer, D: Pointer, floats: int) -> None:
    """Turn dL/dA into dL/dZ."""
    if kind == FROM_OUTPUT:
        zero, one = splat(D, 0.0), splat(D, 1.0)
        for p in range(0, floats, lanes_of(D)):
            store(D, p, load(D, p) * select(greater(load(A, p), zero), one, zero))
    elif kind == STORED:
        for p in range(0, floats, lanes_of(D)):
            store(D, p, load(D, p) * load(S, p))


@called
def backward_groups(
    setting: Setting, layers: Layers, net: Nets, b: Buffers, group: int, together: int, thread: int
) -> None:
    """Deltas of every level above the lowest weights, and what the gradient needs of these groups."""
    first = thread * net.together
    for back in range(setting.layers - net.lowest):
        layer = setting.layers - 1 - back
        sizes, shape = offset(layers.sizes, layer * N_SIZES), offset(net.shapes, layer * N_SHAPE)
        here, under, kind = sizes[HERE], shape[BELOW], shape[KIND]
        for k in range(together):
            A, D = offset(b.A, (first + k) * net.floats), offset(b.D, (first + k) * net.floats)
            if kind == DENSE:
                _keep_rows(offset(A, under), shape[ROWS_A_ROW], b.rows_a, shape[ROWS_A], group + k)
                _keep_rows(offset(D, here), sizes[STRIDE], b.rows_d, shape[ROWS_D], group + k)
            elif kind == WINDOWS:
                run_jobs(
                    net, False, shape[GRADIENT], shape[GRADIENT_END], 1, offset(A, under), offset(D, here), b.zeros, 0,
                    offset(b.lanes, (group + k) * net.lane_floats + shape[LANES_AT]), b.ones, False,
                )  # fmt: skip
        if layer == net.lowest:
            return
        if kind != POOL:
            D = offset(b.D, first * net.floats)
            run_jobs(
                net, True, shape[DELTAS], shape[DELTAS_END], together, offset(D, here),
                offset(b.turned, sizes[TURNED]), b.zeros, 0, offset(D, under), b.ones, False,
            )  # fmt: skip
        for slot in range(first, first + together):
            A, S, D = offset(b.A, slot * net.floats), offset(b.S, slot * net.stored), offset(b.D, slot * net.floats)
            slopes = net.shapes[(layer - 1) * N_SHAPE + SLOPES]
            with_slopes = kind == POOL and slopes == FROM_OUTPUT and shape[LONE] != 0 and shape[MEANS] == 0
            if kind == POOL:
                pool_back(
                    net, shape[WINDOW_ROWS], shape[WINDOW_ROWS_END], shape[DEPTH], shape[MEANS] != 0, shape[LONE],
                    with_slopes, offset(A, under), offset(A, here), offset(D, here), offset(D, under),
                    shape[BELOW_FLOATS],
                )  # fmt: skip
            if not with_slopes:
                _times_slopes(slopes, offset(A, under), offset(S, under), offset(D, under), shape[BELOW_FLOATS])


@merged
def _keep_rows(level: Pointer, row: int, rows: Pointer, start: int, group: int) -> None:
    """Write a level of a group sample by sample."""
    L = lanes_of(level)
    to = offset(rows, start + group * L * row)
    for i in range(0, row, L):
        transpose_square(offset(level, i * L), L, offset(to, i), row)
