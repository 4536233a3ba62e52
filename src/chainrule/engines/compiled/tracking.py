"""What is kept about members while a kernel trains them: losses, stopping rules, history rows, and how each one ended.

One `Tracking` belongs to one block, the members that a kernel call trains together (a single one in the gemm engine).
Everything here is plain scalar code over the members; the semantics are those of the reference engine's session.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from chainrule.engines.compiled.cache import inlined
from chainrule.engines.compiled.codes import DIVERGED, LEARNING_RATE, LOSS, PATIENCE, RUNNING_LOSS, STOPPED, TRAINING

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


@inlined
def judge(t: Tracking, epoch: int, kept: bool, last: bool) -> int:
    """Keep a row and let the rules see `values`, the losses and metrics of the weights after `epoch` epochs.

    Returns how many members go on. A member whose loss is not finite cannot be stopped by a rule; at the last epoch it
    has diverged.
    """
    if kept:
        _keep_row(t, epoch)
    going = 0
    for k in range(t.status.size):
        if t.status[k] != TRAINING:
            continue
        stop = _ask_rules(t, k)
        sound = math.isfinite(t.values[LOSS, k])
        if stop >= 0 and sound:
            t.status[k], t.ended[k] = STOPPED + stop, epoch
            for c in range(4):
                t.last_row[c, k] = t.values[c, k]
            t.last_row[LEARNING_RATE, k], t.last_row[RUNNING_LOSS, k] = t.rate[k], t.running[k]
        elif last and not sound:
            t.status[k], t.ended[k] = DIVERGED, epoch
        else:
            going += 1
    return going


@inlined
def _keep_row(t: Tracking, epoch: int) -> None:
    place = t.n_rows[0]
    t.row_epochs[place] = epoch
    for c in range(4):
        for k in range(t.status.size):
            t.rows[place, c, k] = t.values[c, k]
    for k in range(t.status.size):
        t.rows[place, LEARNING_RATE, k], t.rows[place, RUNNING_LOSS, k] = t.rate[k], t.running[k]
    t.n_rows[0] = place + 1


@inlined
def _ask_rules(t: Tracking, k: int) -> int:
    """Let every rule see member k's values; return the first that ends it, or -1."""
    stop = -1
    t.improved[k] = 0
    for r in range(t.kind.size):
        value, threshold = t.values[t.column[r], k], t.threshold[r, k]
        if t.kind[r] == PATIENCE:
            best = t.best[r, k]
            better = value > best + threshold if t.higher[r] else value < best - threshold
            if better:
                t.best[r, k], t.hits[r, k], t.improved[k] = value, 0, 1
            else:
                t.hits[r, k] += 1
        elif t.strict[r]:
            t.hits[r, k] += 1 if value < threshold else 0
        elif t.higher[r]:
            t.hits[r, k] += 1 if value >= threshold else 0
        else:
            t.hits[r, k] += 1 if value <= threshold else 0
        if stop < 0 and t.hits[r, k] >= t.times[r, k]:
            stop = r
    return stop


@inlined
def begin_epoch(t: Tracking, rates: Floats, column: int) -> None:
    """Start counting an epoch's steps, with learning rates `rates[column]`; the loss_ratio schedule keeps its own."""
    t.steps[0] = 0
    for k in range(t.status.size):
        t.total[k], t.sound[k] = 0.0, 1
        if t.ratio[0] == 0:
            t.rate[k] = rates[column, k]


@inlined
def count_step(t: Tracking, k: int, loss: float) -> None:
    """Count member k's step loss; a loss that is not finite freezes the weights until the epoch's end."""
    t.total[k] += loss
    if not math.isfinite(loss):
        t.sound[k] = 0


@inlined
def after_step(t: Tracking, losses: Floats) -> None:
    """Count the step in windows and in the loss_ratio schedule; `losses` (V,) are its losses."""
    t.steps[0] += 1
    if t.window[0] > 0:
        _count_in_window(t, losses)
    if t.ratio[0] > 0:
        _count_in_ratio(t, losses)


@inlined
def _count_in_ratio(t: Tracking, losses: Floats) -> None:
    """Multiply the rate by mean loss of this window / mean loss of the previous one (`chainrule.optim.LossRatio`)."""
    t.ratio[1] += 1
    full = t.ratio[1] >= t.ratio[0]
    for k in range(t.status.size):
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
def _count_in_window(t: Tracking, losses: Floats) -> None:
    t.window[1] += 1
    full = t.window[1] >= t.window[0]
    place = t.n_windows[0]
    for k in range(t.status.size):
        t.window_sum[k] += losses[k]
        if full:
            t.window_rows[place, 0, k], t.window_rows[place, 1, k] = t.window_sum[k] / t.window[1], t.rate[k]
            t.window_sum[k] = 0.0
    if full:
        t.window[1], t.n_windows[0] = 0, place + 1


@inlined
def end_epoch(t: Tracking, epoch: int, finite: Integers) -> int:
    """Finish an epoch: the mean step loss, and who diverged in it; `finite` (V,) says whose weights are all finite."""
    going = 0
    for k in range(t.status.size):
        t.running[k] = t.total[k] / t.steps[0]
        if t.status[k] == TRAINING:
            if t.sound[k] == 0 or not finite[k]:
                t.status[k], t.ended[k] = DIVERGED, epoch
            else:
                going += 1
    return going
