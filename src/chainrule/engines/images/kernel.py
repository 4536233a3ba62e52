"""The images kernel: one member through a stretch of epochs, by one thread or by several that run this side by side.

It goes the way of `chainrule.engines.gemm.kernel`, which says what is judged when. A chunk of samples is cut into
groups; each thread passes groups of its own through the whole network and back. Only then do the threads meet, and each
adds all groups to some rows of the gradient, sample after sample.
"""

from __future__ import annotations

from typing import Any

from chainrule.engines.compiled.cache import kernel, merged
from chainrule.engines.compiled.codes import LOSS, VALIDATION_LOSS
from chainrule.engines.compiled.optimizer_kernel import apply_step
from chainrule.engines.compiled.simd import Pointer, lanes_of, offset, pointer
from chainrule.engines.compiled.tracking import Watch, begin_epoch, end_epoch, judge
from chainrule.engines.gemm.fields import fields_at
from chainrule.engines.gemm.gradient_kernel import is_finite, ready_gradient
from chainrule.engines.gemm.kernel import decide_step, keep_best, set_values
from chainrule.engines.gemm.outputs_kernel import set_divisor
from chainrule.engines.gemm.records import (
    ALONE,
    CANCELLED,
    COUNTS,
    GOES_ON,
    LOSSES,
    MOVES,
    Data,
    Layers,
    Setting,
    Stage,
    Watched,
)
from chainrule.engines.gemm.step_kernel import set_rate
from chainrule.engines.gemm.threads import meet
from chainrule.engines.images.gradient_kernel import gradient, turn_weights
from chainrule.engines.images.group_kernel import backward_groups, forward_groups, group_losses, take_samples
from chainrule.engines.images.records import Buffers, Nets

LAYERS = len(Setting._fields)
NETS = LAYERS + len(Layers._fields)
BUFFERS = NETS + len(Nets._fields)
TRAIN = BUFFERS + len(Buffers._fields)
VALIDATION = TRAIN + len(Data._fields)
WATCHED = VALIDATION + len(Data._fields)
STAGE = WATCHED + len(Watched._fields)
"""Where the tuples start in the kernel's table; the first is the setting."""


@kernel
def train_images(table: Any, floats: Any, first: int, stop: int, thread: int, width: tuple[int, ...]) -> int:
    """Train from epoch `first` up to `stop`, as `gemm.kernel.train_member` does, and return the completed epochs."""
    like = pointer(floats, width)
    setting, layers = fields_at(table, 0, Setting, like), fields_at(table, LAYERS, Layers, like)
    net, b = fields_at(table, NETS, Nets, like), fields_at(table, BUFFERS, Buffers, like)
    t, stage = fields_at(table, WATCHED, Watched, like), fields_at(table, STAGE, Stage, like)
    samples, held_out = fields_at(table, TRAIN, Data, like), fields_at(table, VALIDATION, Data, like)
    threads, lead, ascending = setting.threads, thread == 0, stage.ascending
    mine, upto = thread, thread + 1
    if b.decisions[ALONE]:
        upto = threads
    epoch = first
    while epoch < stop:
        last = epoch == setting.epochs
        kept = last or epoch % setting.log_every == 0
        judged = kept or t.rules > 0
        if judged or setting.full:
            for part in range(0 if judged and held_out.n > 0 else 1, 2):  # what a full step needs is computed last
                data = samples if part == 1 else held_out
                trained = part == 1 and setting.full and not last
                _batch(setting, layers, net, b, data, data.X, ascending, 0, data.n, judged, trained, mine, upto)
                if lead and judged:
                    set_values(setting, net.outputs, b, t, LOSS if part == 1 else VALIDATION_LOSS, data.n)
        if judged:
            if lead:
                b.decisions[GOES_ON] = judge(t, epoch, kept, last)
                if setting.keeps_best and t.improved[0]:
                    keep_best(layers, b, threads)
            meet(b.gate, threads, mine, upto)
            if last or b.decisions[GOES_ON] == 0:
                return epoch
        if lead:
            begin_epoch(t, stage.rates, epoch - first if stage.n_rates > 1 else 0)
            set_rate(b, t.rate[0])
        in_order = setting.full or stage.in_order
        order, begin = ascending if in_order else offset(stage.orders, (epoch - first) * samples.n), 0
        inputs = offset(stage.inputs, (epoch - first) * stage.floats)
        while begin < samples.n:
            count = min(setting.batch, samples.n - begin)
            if not setting.full:
                _batch(setting, layers, net, b, samples, inputs, order, begin, count, False, True, mine, upto)
            _step(setting, layers, net, b, t, stage.cancel, mine, upto)
            begin += count
            if b.decisions[ALONE]:  # the first thread goes on with everything
                if not lead:
                    return epoch
                upto = threads
            if b.decisions[CANCELLED] and begin < samples.n:
                return epoch
        if lead:
            b.finite[0] = is_finite(setting, layers, b)
            b.decisions[GOES_ON] = end_epoch(t, epoch, b.finite)
        epoch += 1
        meet(b.gate, threads, mine, upto)
        if b.decisions[GOES_ON] == 0 or b.decisions[CANCELLED]:
            return epoch
    return epoch


@merged
def _batch(
    setting: Setting, layers: Layers, net: Nets, b: Any, data: Data, inputs: Pointer, order: Pointer, begin: int,
    count: int, measured: bool, trained: bool, mine: int, upto: int,
) -> None:  # fmt: skip
    """Pass samples through the network, chunk by chunk: losses, the metric if `measured`, the gradient if `trained`.

    Their inputs stand at `inputs`.
    """
    lead, done, threads, L = mine == 0, 0, setting.threads, lanes_of(b.A)
    if lead:
        set_divisor(setting, b, data, order, begin, count)
    if trained:
        turn_weights(setting, layers, net, b, mine, upto)
    meet(b.gate, threads, mine, upto)
    while done < count:
        samples, own = min(net.chunk, count - done), offset(order, begin + done)
        groups = (samples + L - 1) // L
        group, end = groups * mine // threads, groups * upto // threads
        while group < end:
            together = min(net.together, end - group)
            for slot in range(together):
                place = (group + slot) * L
                take_samples(net, b, inputs, offset(own, place), min(L, samples - place), mine, slot)
            forward_groups(setting, layers, net, b, together, mine)
            for slot in range(together):
                place = (group + slot) * L
                here, left = offset(own, place), min(L, samples - place)
                group_losses(setting, layers, net, b, data, here, left, place, measured, mine, slot)
            if trained:
                backward_groups(setting, layers, net, b, group, together, mine)
            group += together
        meet(b.gate, threads, mine, upto)
        if lead:
            b.sums[LOSSES] = _sum(b.sums[LOSSES], b.apart, samples)
            if measured:
                b.sums[COUNTS] = _sum(b.sums[COUNTS], offset(b.apart, net.chunk), samples)
        if trained:
            gradient(setting, layers, net, b, samples, done == 0, mine, upto)
        done += samples
        meet(b.gate, threads, mine, upto)


@merged
def _sum(start: float, numbers: Pointer, count: int) -> float:
    """Add numbers to a sum, one after the other."""
    total = start
    for s in range(count):
        total += numbers[s]
    return total


@merged
def _step(setting: Setting, layers: Layers, net: Nets, b: Any, t: Watch, cancel: Pointer, mine: int, upto: int) -> None:
    """Count the step, and move the weights if its loss is finite."""
    threads = setting.threads
    decide_step(setting, layers, b, t, cancel, mine, upto)
    if b.decisions[MOVES]:
        if not net.plain:
            ready_gradient(setting, layers, b, mine, upto)
            meet(b.gate, threads, mine, upto)  # the first thread has done it all
        _apply(setting, layers, b, mine, upto)
    meet(b.gate, threads, mine, upto)


@merged
def _apply(setting: Setting, layers: Layers, b: Any, mine: int, upto: int) -> None:
    """Take the step rule's step with some of the weights."""
    L, threads = lanes_of(b.theta), setting.threads
    vectors = layers.shares[threads] // L
    first, last = vectors * mine // threads * L, vectors * upto // threads * L
    memory, other = offset(b.one, first), offset(b.two, first)
    apply_step(
        setting.optimizer, offset(b.theta, first), offset(b.grad, first), memory, other, b.hyper, b.ones,
        offset(b.spare, (1 + mine) * L), last - first,
    )  # fmt: skip
