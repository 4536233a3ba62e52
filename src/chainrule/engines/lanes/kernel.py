"""The lanes kernel: a block of members through a stretch of epochs.

Epoch numbers count completed epochs, as in the reference engine's session: the weights after e epochs are judged, then
epoch e is trained. In full batch the forward pass of a step is also the evaluation that is judged, so it is made once.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule.engines.compiled.cache import called, kernel, merged
from chainrule.engines.compiled.codes import ACCURACY, TRAINING
from chainrule.engines.compiled.optimizer_kernel import apply_step, prepare_step
from chainrule.engines.compiled.simd import greater, lanes_of, load, pointer, select, splat, store
from chainrule.engines.compiled.tracking import (
    Tracking,
    Watch,
    after_step,
    begin_epoch,
    count_step,
    end_epoch,
    judge,
    watch,
)
from chainrule.engines.lanes.records import Buffers, Data, Setting, Shape
from chainrule.engines.lanes.step_kernel import (
    backward,
    clear,
    fill,
    forward,
    losses_of,
    metric_of,
    ready_gradient,
    set_losses,
    set_rates,
    sum_weights,
)


@merged
def point_at_shape(shape: Shape, width: tuple[int, ...]) -> Shape:
    """Return the shape with pointers for arrays: they are passed on without counting references."""
    return Shape(
        pointer(shape.sizes, width), pointer(shape.narrow, width), pointer(shape.weights, width),
        pointer(shape.biases, width), pointer(shape.inputs, width), pointer(shape.deltas, width),
        pointer(shape.rows, width), pointer(shape.columns, width), shape.n_theta, shape.chunk,
    )  # fmt: skip


@merged
def point_at_setting(s: Setting, width: tuple[int, ...]) -> Setting:
    """Return the setting with pointers for arrays."""
    return Setting(
        pointer(s.activations, width), pointer(s.numbers, width), s.layers, s.members, s.loss, s.loss_number,
        s.averaged, s.metric, s.optimizer, s.penalised, s.clips_value, s.clips_norm, s.keeps_best, s.epochs,
        s.log_every, s.batch, s.full,
    )  # fmt: skip


@merged
def point_at(b: Buffers, width: tuple[int, ...]) -> Buffers:
    """Return pointers to the buffers."""
    return Buffers(
        pointer(b.theta, width), pointer(b.grad, width), pointer(b.one, width), pointer(b.two, width),
        pointer(b.best, width), pointer(b.A, width), pointer(b.D, width), pointer(b.Y, width), pointer(b.w, width),
        pointer(b.hyper, width), pointer(b.base, width), pointer(b.powers, width), pointer(b.penalty, width),
        pointer(b.clip, width), pointer(b.valid, width), pointer(b.mask, width), pointer(b.check, width),
        pointer(b.share, width), pointer(b.sums, width), pointer(b.counts, width), pointer(b.losses, width),
        pointer(b.finite, width), pointer(b.spare, width),
    )  # fmt: skip


@kernel
def train_block(
    sizes: Shape, numbers: Setting, arrays: Buffers, train: Data, validation: Data, tracking: Tracking, rates: Any,
    orders: Any, none: Any, inputs: Any, own: Any, table: Any, first: int, stop: int, cancel: Any,
    width: tuple[int, ...],
) -> int:  # fmt: skip
    """Train from epoch `first` up to `stop` and return the number of completed epochs.

    `rates` is (E or 1, V), `orders` (E, 1 or V, n) or (0, 0, 0), `none` a (0, 0) array of the orders' type; `inputs`
    are those of the steps, (E, sets, n, d), with the set of each member in `own` (V,), or (0, 0, 0, 0) if they are
    always the same; `table` is None or the numbers of each layer (see `spatial_kernel`), and `width` the tag of the
    vectors (see `simd.width_tag`). Networks without and with geometries have machine code of their own.
    """
    t = watch(tracking, width)
    shape, setting, buffers = point_at_shape(sizes, width), point_at_setting(numbers, width), point_at(arrays, width)
    # Numba compiles a function anew for each literal argument; these have a type, not a value.
    zero = first - first
    one = zero + 1
    alike = True
    for m in range(own.size):
        alike = alike and own[m] == own[0]
    epoch = first
    while epoch < stop:
        last = epoch == setting.epochs
        kept = last or epoch % setting.log_every == 0
        judged = kept or t.rules > 0
        parts = 1 + (validation.n > 0) if judged else 0  # parts to evaluate
        if setting.full:
            parts = max(parts, 1)
        # First the validation part, so that the gradient of a full batch is left for the step below.
        for part in range(parts - 1, -1, -1):
            data = validation if part == 1 else train
            trained = one if setting.full and part == 0 and not last else zero
            _batch(shape, setting, buffers, table, data, none, zero, data.n, zero + judged, trained)
            if judged:
                _set_values(setting, buffers, t, 2 * part, data.n, shape.sizes[setting.layers])
        if judged:
            going = judge(t, epoch, kept, last)
            if setting.keeps_best:
                _keep_best(shape, buffers, t)
            if going == 0 or last:
                return epoch
        begin_epoch(t, pointer(rates, width), epoch - first if rates.shape[0] > 1 else zero)
        set_rates(setting, buffers, t.rate)
        order = orders[epoch - first] if orders.shape[0] > 0 else none
        seen = train
        if inputs.shape[0] > 0:
            seen = Data(inputs[epoch - first], train.Y, train.w, own, alike, train.n, train.resident)
        begin = zero
        while begin < train.n:
            count = min(setting.batch, train.n - begin)
            if not setting.full:
                _batch(shape, setting, buffers, table, seen, order, begin, count, zero, one)
            ready_gradient(shape, setting, buffers)
            for m in range(t.members):
                count_step(t, m, buffers.losses[m])
                buffers.mask[m] = 1.0 if t.status[m] == TRAINING and t.sound[m] == 1 else 0.0
            prepare_step(setting.optimizer, setting.members, buffers.hyper, buffers.powers, buffers.base)
            apply_step(
                setting.optimizer, buffers.theta, buffers.grad, buffers.one, buffers.two, buffers.hyper, buffers.mask,
                buffers.check, shape.n_theta * lanes_of(buffers.theta),
            )  # fmt: skip
            after_step(t, buffers.losses)
            if t.ratio[0] > 0:
                set_rates(setting, buffers, t.rate)
            begin += count
            if cancel[0] and begin < train.n:
                return epoch
        for m in range(t.members):
            buffers.finite[m] = 0 if math.isnan(buffers.check[m]) else 1
        epoch += 1
        if end_epoch(t, epoch - 1, buffers.finite) == 0 or cancel[0]:
            return epoch
    return epoch


@called
def _batch(
    shape: Shape, setting: Setting, buffers: Buffers, table: Any, data: Data, order: Any, begin: int, count: int,
    measured: int, trained: int,
) -> None:  # fmt: skip
    """Pass samples through the network by chunks: losses, the metric if `measured`, the gradient if `trained`."""
    sum_weights(buffers, setting, data, order, begin, count)
    clear(buffers)
    done = 0
    while done < count:
        samples = min(shape.chunk, count - done)
        if not data.resident:
            fill(setting, buffers, data, order, begin + done, samples)
        forward(shape, setting, buffers, table, samples)
        losses_of(setting, shape, buffers, data.w.shape[1] > 0, samples)
        if measured == 1:
            metric_of(setting, shape, buffers, samples)
        if trained == 1:
            backward(shape, setting, buffers, table, samples, done == 0)
        done += samples
    set_losses(setting, buffers)


@merged
def _set_values(setting: Setting, buffers: Buffers, t: Watch, column: int, n: int, k: int) -> None:
    """Put losses and metrics where the rules look for them: `column` is LOSS or VALIDATION_LOSS, the metric follows."""
    outputs = n if setting.metric == ACCURACY else n * k
    for m in range(t.members):
        t.values[column * t.members + m] = buffers.losses[m]
        t.values[(column + 1) * t.members + m] = buffers.counts[m] / outputs


@called
def _keep_best(shape: Shape, buffers: Buffers, t: Watch) -> None:
    """Copy the weights of members whose epoch is their best so far."""
    L, any_better = lanes_of(buffers.theta), False
    for m in range(t.members):
        buffers.mask[m] = t.improved[m]
        any_better = any_better or t.improved[m] == 1
    if not any_better:
        return
    better = greater(load(buffers.mask, 0), splat(buffers.mask, 0.0))
    for p in range(shape.n_theta):
        store(buffers.best, p * L, select(better, load(buffers.theta, p * L), load(buffers.best, p * L)))
