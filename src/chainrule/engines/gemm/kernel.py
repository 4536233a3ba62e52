"""The gemm kernel: one member through a stretch of epochs, by one thread or by several that run this side by side.

Epoch numbers count completed epochs, as in the reference engine's session: the weights after e epochs are judged, then
epoch e is trained. In full batch the forward pass of a step is also the evaluation that is judged, so it is made once.

The first thread leads: it computes losses and decides; the others read its decisions behind the next meeting.
"""

from __future__ import annotations

from typing import Any

from chainrule.engines.compiled.cache import kernel, merged
from chainrule.engines.compiled.codes import ACCURACY, LOSS, METRIC, VALIDATION_LOSS
from chainrule.engines.compiled.optimizer_kernel import apply_step, prepare_step
from chainrule.engines.compiled.simd import Pointer, lanes_of, load, offset, pointer, store
from chainrule.engines.compiled.tracking import Watch, after_step, begin_epoch, count_step, end_epoch, judge
from chainrule.engines.gemm.fields import fields_at
from chainrule.engines.gemm.gradient_kernel import is_finite, ready_gradient, with_penalties
from chainrule.engines.gemm.narrow_kernel import narrow_losses, narrow_pass
from chainrule.engines.gemm.outputs_kernel import chunk_losses, set_divisor
from chainrule.engines.gemm.records import (
    ALONE,
    CANCELLED,
    COUNTS,
    DIVISOR,
    GOES_ON,
    LOSSES,
    MOVES,
    N_SIZES,
    UNITS,
    Buffers,
    Data,
    Layers,
    Setting,
    Stage,
    Watched,
)
from chainrule.engines.gemm.step_kernel import (
    backward,
    fetch_next,
    forward,
    gather_inputs,
    inputs_of,
    list_chunk,
    set_rate,
)
from chainrule.engines.gemm.threads import is_held_up, meet

LAYERS = len(Setting._fields)
BUFFERS = LAYERS + len(Layers._fields)
TRAIN = BUFFERS + len(Buffers._fields)
VALIDATION = TRAIN + len(Data._fields)
WATCHED = VALIDATION + len(Data._fields)
STAGE = WATCHED + len(Watched._fields)
"""Where the tuples start in the kernel's table; the first is the setting."""


@kernel
def train_member(table: Any, floats: Any, first: int, stop: int, thread: int, width: tuple[int, ...]) -> int:
    """Train from epoch `first` up to `stop` and return the number of completed epochs.

    `table` holds the tuples above (see `fields.make_table`), `floats` is any array of the training dtype, and `width`
    the tag of the vectors (see `simd.width_tag`).
    """
    like = pointer(floats, width)
    setting, layers = fields_at(table, 0, Setting, like), fields_at(table, LAYERS, Layers, like)
    b, t, stage = (
        fields_at(table, BUFFERS, Buffers, like),
        fields_at(table, WATCHED, Watched, like),
        fields_at(table, STAGE, Stage, like),
    )
    samples, held_out = fields_at(table, TRAIN, Data, like), fields_at(table, VALIDATION, Data, like)
    threads, lead, ascending = setting.threads, thread == 0, stage.ascending
    units = layers.sizes[(setting.layers - 1) * N_SIZES + UNITS]
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
                batch(setting, layers, b, data, data.X, ascending, 0, data.n, True, judged, trained, mine, upto)
                if lead and judged:
                    set_values(setting, units, b, t, LOSS if part == 1 else VALIDATION_LOSS, data.n)
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
                batch(setting, layers, b, samples, inputs, order, begin, count, in_order, False, True, mine, upto)
            _step(setting, layers, b, samples, inputs, order, begin, count, in_order, t, stage.cancel, mine, upto)
            begin += count
            if b.decisions[ALONE]:  # the first thread goes on with all panels
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
def batch(
    setting: Setting, layers: Layers, b: Buffers, data: Data, inputs: Pointer, order: Pointer, begin: int, count: int,
    in_order: bool, measured: bool, trained: bool, mine: int, upto: int,
) -> None:  # fmt: skip
    """Pass samples through the network, chunk by chunk: losses, the metric if `measured`, the gradient if `trained`.

    Their inputs stand at `inputs`, unless they are read from lists.

    A batch of a single chunk is left without its gradient: `_step` computes that, if the weights are to move at all.
    """
    lead, done = mine == 0, 0
    if lead:
        set_divisor(setting, b, data, order, begin, count)
    while done < count:
        samples, own = min(setting.chunk, count - done), offset(order, begin + done)
        if setting.narrow:
            narrow_pass(b, layers, data, begin + done, samples, False, True)
            narrow_losses(setting, layers, b, data, begin + done, samples, measured)
        else:
            if not in_order:
                gather_inputs(setting, layers, b, data, inputs, own, samples, mine, upto)
            X = inputs_of(layers, b, inputs, begin + done, in_order)
            forward(setting, layers, b, data, X, own, samples, trained and done == 0, mine, upto)
            if lead:
                chunk_losses(setting, layers, b, data, own, samples, measured)
            if trained and upto == setting.threads:
                list_chunk(setting, layers, b, data, own, samples)
        if count > setting.chunk:
            meet(b.gate, setting.threads, mine, upto)
            if trained:
                _back(setting, layers, b, data, inputs, order, begin + done, samples, in_order, done == 0, mine, upto)
                meet(b.gate, setting.threads, mine, upto)
        done += samples
    if not trained:
        meet(b.gate, setting.threads, mine, upto)


@merged
def _back(
    setting: Setting, layers: Layers, b: Buffers, data: Data, inputs: Pointer, order: Pointer, begin: int, count: int,
    in_order: bool, fresh: bool, mine: int, upto: int,
) -> None:  # fmt: skip
    """Make the gradient of a chunk that has just passed through the layers, started anew if `fresh`."""
    if setting.narrow:
        narrow_pass(b, layers, data, begin, count, True, fresh)
    else:
        X = inputs_of(layers, b, inputs, begin, in_order)
        backward(setting, layers, b, data, X, offset(order, begin), count, fresh, mine, upto)


@merged
def _step(
    setting: Setting, layers: Layers, b: Buffers, data: Data, inputs: Pointer, order: Pointer, begin: int, count: int,
    in_order: bool, t: Watch, cancel: Pointer, mine: int, upto: int,
) -> None:  # fmt: skip
    """Count the step, and move the weights if its loss is finite."""
    decide_step(setting, layers, b, t, cancel, mine, upto)
    fetch_next(setting, layers, data, order, begin + count, in_order)
    if b.decisions[MOVES]:
        if count <= setting.chunk:  # what `batch` passed through the layers is still there
            _back(setting, layers, b, data, inputs, order, begin, count, in_order, True, mine, upto)
        if not setting.fused:
            ready_gradient(setting, layers, b, mine, upto)
            _apply(setting, layers, b, mine, upto)
    meet(b.gate, setting.threads, mine, upto)


@merged
def decide_step(setting: Setting, layers: Layers, b: Any, t: Watch, cancel: Pointer, mine: int, upto: int) -> None:
    """Judge the batch's loss: whether the weights move and by which rate, and whether training goes on."""
    if mine == 0:
        loss = b.sums[LOSSES] / b.sums[DIVISOR]
        if setting.penalised:
            loss = with_penalties(loss, setting, layers, b)
        count_step(t, 0, loss)
        if t.ratio[0] > 0:
            set_rate(b, t.rate[0])
        b.base[3] = t.rate[0]
        prepare_step(setting.optimizer, 1, b.hyper, b.powers, b.base)
        b.losses[0] = loss
        after_step(t, b.losses)
        b.decisions[MOVES], b.decisions[CANCELLED] = t.sound[0], cancel[0]
        if upto < setting.threads and is_held_up(b.gate):
            b.decisions[ALONE] = 1
    meet(b.gate, setting.threads, mine, upto)


@merged
def _apply(setting: Setting, layers: Layers, b: Buffers, mine: int, upto: int) -> None:
    """Take the step rule's step with the thread's own weights."""
    first, last = layers.shares[mine], layers.shares[upto]
    memory, other = offset(b.one, first), offset(b.two, first)
    apply_step(
        setting.optimizer, offset(b.theta, first), offset(b.grad, first), memory, other, b.hyper, b.ones,
        offset(b.spare, (1 + mine) * lanes_of(b.spare)), last - first,
    )  # fmt: skip


@merged
def set_values(setting: Setting, units: int, b: Buffers, t: Watch, column: int, n: int) -> None:
    """Put loss and metric of n samples of `units` outputs where the rules look: `column` is LOSS or VALIDATION_LOSS."""
    outputs = n if setting.metric == ACCURACY else n * units
    t.values[column] = b.sums[LOSSES] / b.sums[DIVISOR]
    t.values[column + METRIC - LOSS] = b.sums[COUNTS] / outputs


@merged
def keep_best(layers: Layers, b: Buffers, threads: int) -> None:
    """Keep the weights."""
    for p in range(0, layers.shares[threads], lanes_of(b.theta)):
        store(b.best, p, load(b.theta, p))
