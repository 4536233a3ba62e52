"""What is kept about members while a kernel trains them: losses, stopping rules, history rows, and how each one ended.

One `Tracking` belongs to one block, the members that a kernel call trains together (a single one in the gemm engine).
Everything here is plain scalar code over the members; the semantics are those of the reference engine's session.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from chainrule.engines.compiled.cache import inlined
from chainrule.engines.compiled.codes import (
    DIVERGED,
    LEARNING_RATE,
    LOSS,
    N_COLUMNS,
    PATIENCE,
    RUNNING_LOSS,
    STOPPED,
    TRAINING,
)
from chainrule.engines.compiled.simd import Pointer, pointer

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]


class Tracking(NamedTuple):
    """Arrays of one block of V members.

    Attributes
    ----------
    status, ended : (V,)
        How the member ended, and the epochs it had completed then.
    values : (4, V)
        Training loss, training metric and the same of the validation part, of the weights after `epoch` epochs.
    rate, running : (V,)
        Learning rate, and mean step loss of the epoch just trained (NaN before).
    total, sound, steps : (V,), (V,), (1,)
        Sum of step losses in this epoch, whether all were finite, and their number.
    improved : (V,)
        Set by `judge` where the weights are the best so far; the kernel then keeps them.
    kind, column, higher : (R,)
        The rules: their kind, the row of `values` they watch, and whether more is better there.
    threshold, times, hits, best : (R, V)
        Value to reach (`patience`: least improvement), how often (`patience`: epochs to wait), and the memory.
    strict : (R,)
        Whether the value must be better than the threshold, not just as good (`loss_below`).
    rows, row_epochs, n_rows : (K, 6, V), (K,), (1,)
        History rows kept since the host last fetched them.
    last_row : (6, V)
        The row at which a rule ended the member.
    window : (2,)
        Steps in a window of losses (0 keeps none), and steps counted in the current one.
    window_sum, window_rows, n_windows : (V,), (K, 2, V), (1,)
        Sum of losses in the window; mean and learning rate of full windows.
    ratio : (2,)
        Window of the `loss_ratio` schedule (0: another schedule), and steps counted in it.
    ratio_sum, ratio_previous : (V,)
        Its sum and the mean of its previous window.
    """

    status: Integers
    ended: Integers
    values: Floats
    rate: Floats
    running: Floats
    total: Floats
    sound: Integers
    steps: Integers
    improved: Integers
    kind: Integers
    column: Integers
    higher: Integers
    strict: Integers
    threshold: Floats
    times: Integers
    hits: Integers
    best: Floats
    rows: Floats
    row_epochs: Integers
    n_rows: Integers
    last_row: Floats
    window: Integers
    window_sum: Floats
    window_rows: Floats
    n_windows: Integers
    ratio: Integers
    ratio_sum: Floats
    ratio_previous: Floats


class Watch(NamedTuple):
    """A `Tracking` as kernels see it: pointers, because every use of an array would count references.

    Tables are flat: entry (c, k) of `values` stands at ``c * members + k``.
    """

    status: Pointer
    ended: Pointer
    values: Pointer
    rate: Pointer
    running: Pointer
    total: Pointer
    sound: Pointer
    steps: Pointer
    improved: Pointer
    kind: Pointer
    column: Pointer
    higher: Pointer
    strict: Pointer
    threshold: Pointer
    times: Pointer
    hits: Pointer
    best: Pointer
    rows: Pointer
    row_epochs: Pointer
    n_rows: Pointer
    last_row: Pointer
    window: Pointer
    window_sum: Pointer
    window_rows: Pointer
    n_windows: Pointer
    ratio: Pointer
    ratio_sum: Pointer
    ratio_previous: Pointer
    members: int
    rules: int


@inlined
def watch(t: Tracking, width: tuple[int, ...]) -> Watch:
    """Return pointers to a tracking's arrays; call it once, where a kernel begins."""
    return Watch(
        pointer(t.status, width), pointer(t.ended, width), pointer(t.values, width), pointer(t.rate, width),
        pointer(t.running, width), pointer(t.total, width), pointer(t.sound, width), pointer(t.steps, width),
        pointer(t.improved, width), pointer(t.kind, width), pointer(t.column, width), pointer(t.higher, width),
        pointer(t.strict, width), pointer(t.threshold, width), pointer(t.times, width), pointer(t.hits, width),
        pointer(t.best, width), pointer(t.rows, width), pointer(t.row_epochs, width), pointer(t.n_rows, width),
        pointer(t.last_row, width), pointer(t.window, width), pointer(t.window_sum, width),
        pointer(t.window_rows, width), pointer(t.n_windows, width), pointer(t.ratio, width),
        pointer(t.ratio_sum, width), pointer(t.ratio_previous, width), t.status.size, t.kind.size,
    )  # fmt: skip


@inlined
def judge(t: Watch, epoch: int, kept: bool, last: bool) -> int:
    """Keep a row and let the rules see `values`, the losses and metrics of the weights after `epoch` epochs.

    Returns how many members go on. A member whose loss is not finite cannot be stopped by a rule; at the last epoch it
    has diverged.
    """
    if kept:
        _keep_row(t, epoch)
    going = 0
    for k in range(t.members):
        if t.status[k] != TRAINING:
            continue
        stop = _ask_rules(t, k)
        sound = math.isfinite(t.values[LOSS * t.members + k])
        if stop >= 0 and sound:
            t.status[k], t.ended[k] = STOPPED + stop, epoch
            for c in range(4):
                t.last_row[c * t.members + k] = t.values[c * t.members + k]
            t.last_row[LEARNING_RATE * t.members + k] = t.rate[k]
            t.last_row[RUNNING_LOSS * t.members + k] = t.running[k]
        elif last and not sound:
            t.status[k], t.ended[k] = DIVERGED, epoch
        else:
            going += 1
    return going


@inlined
def _keep_row(t: Watch, epoch: int) -> None:
    place = t.n_rows[0]
    t.row_epochs[place] = epoch
    for c in range(4):
        for k in range(t.members):
            t.rows[(place * N_COLUMNS + c) * t.members + k] = t.values[c * t.members + k]
    for k in range(t.members):
        t.rows[(place * N_COLUMNS + LEARNING_RATE) * t.members + k] = t.rate[k]
        t.rows[(place * N_COLUMNS + RUNNING_LOSS) * t.members + k] = t.running[k]
    t.n_rows[0] = place + 1


@inlined
def _ask_rules(t: Watch, k: int) -> int:
    """Let every rule see member k's values; return the first that ends it, or -1."""
    stop = -1
    t.improved[k] = 0
    for r in range(t.rules):
        value, threshold = t.values[t.column[r] * t.members + k], t.threshold[r * t.members + k]
        if t.kind[r] == PATIENCE:
            best = t.best[r * t.members + k]
            better = value > best + threshold if t.higher[r] else value < best - threshold
            if better:
                t.best[r * t.members + k], t.hits[r * t.members + k], t.improved[k] = value, 0, 1
            else:
                t.hits[r * t.members + k] += 1
        elif t.strict[r]:
            t.hits[r * t.members + k] += 1 if value < threshold else 0
        elif t.higher[r]:
            t.hits[r * t.members + k] += 1 if value >= threshold else 0
        else:
            t.hits[r * t.members + k] += 1 if value <= threshold else 0
        if stop < 0 and t.hits[r * t.members + k] >= t.times[r * t.members + k]:
            stop = r
    return stop


@inlined
def begin_epoch(t: Watch, rates: Pointer, epoch: int) -> None:
    """Start counting an epoch's steps, `rates` (E, V) are those of a stretch; the loss_ratio schedule leads its own."""
    t.steps[0] = 0
    for k in range(t.members):
        t.total[k], t.sound[k] = 0.0, 1
        if t.ratio[0] == 0:
            t.rate[k] = rates[epoch * t.members + k]


@inlined
def count_step(t: Watch, k: int, loss: float) -> None:
    """Count member k's step loss; a loss that is not finite freezes the weights until the epoch's end."""
    t.total[k] += loss
    if not math.isfinite(loss):
        t.sound[k] = 0


@inlined
def after_step(t: Watch, losses: Floats) -> None:
    """Count the step in windows and in the loss_ratio schedule; `losses` (V,) are its losses."""
    t.steps[0] += 1
    if t.ratio[0] > 0:
        _count_in_ratio(t, losses)
    if t.window[0] > 0:
        _count_in_window(t, losses)


@inlined
def _count_in_ratio(t: Watch, losses: Floats) -> None:
    """Multiply the rate by mean loss of this window / mean loss of the previous one (`chainrule.optim.LossRatio`)."""
    t.ratio[1] += 1
    full = t.ratio[1] >= t.ratio[0]
    for k in range(t.members):
        if t.status[k] != TRAINING:  # its rate stays what it was at its end
            continue
        t.ratio_sum[k] += losses[k]
        if full:
            mean = t.ratio_sum[k] / t.ratio[0]
            change = mean / t.ratio_previous[k]
            if change > 0.0 and math.isfinite(change):
                t.rate[k] *= change
            t.ratio_previous[k], t.ratio_sum[k] = mean, 0.0
    if full:
        t.ratio[1] = 0


@inlined
def _count_in_window(t: Watch, losses: Floats) -> None:
    t.window[1] += 1
    full = t.window[1] >= t.window[0]
    place = t.n_windows[0]
    for k in range(t.members):
        t.window_sum[k] += losses[k]
        if full:
            t.window_rows[2 * place * t.members + k] = t.window_sum[k] / t.window[1]
            t.window_rows[(2 * place + 1) * t.members + k] = t.rate[k]
            t.window_sum[k] = 0.0
    if full:
        t.window[1], t.n_windows[0] = 0, place + 1


@inlined
def end_epoch(t: Watch, epoch: int, finite: Integers) -> int:
    """Finish an epoch: the mean step loss, and who diverged in it; `finite` (V,) says whose weights are all finite."""
    going = 0
    for k in range(t.members):
        t.running[k] = t.total[k] / t.steps[0]
        if t.status[k] == TRAINING:
            if t.sound[k] == 0 or not finite[k]:
                t.status[k], t.ended[k] = DIVERGED, epoch
            else:
                going += 1
    return going
