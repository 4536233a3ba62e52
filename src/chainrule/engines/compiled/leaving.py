"""How members leave training: with which weights, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.engines._divergence import finite_members
from chainrule.engines.compiled.block import Block
from chainrule.engines.compiled.codes import DIVERGED, STOPPED, TRAINING
from chainrule.nn import Array
from chainrule.optim import stopping_rule


@dataclass(frozen=True)
class Leaving:
    """A member at its end.

    Attributes
    ----------
    reason : str
        As in `Run.stop_reason`.
    converged : bool
        Whether a rule that means success ended it.
    epochs : int
        Epochs it had completed.
    theta : ndarray (P,)
        Its final weights.
    rate : float
        Its learning rate at the end.
    judged : ndarray (4,) or None
        Losses and metrics of the final weights, if the kernel has measured them.
    row : ndarray (columns,) or None
        The history row at which a rule ended it.
    """

    reason: str
    converged: bool
    epochs: int
    theta: Array
    rate: float
    judged: Array | None = None
    row: Array | None = None


def ended(block: Block, lane: int, stopping: tuple[str, ...], rate: float) -> Leaving:
    """Return a member that diverged, or that a rule ended; `rate` is its learning rate in that epoch."""
    t = block.tracking
    status, epochs = int(t.status[lane]), int(t.ended[lane])
    if status == DIVERGED:
        return Leaving("diverged", False, epochs, block.theta(lane), rate)
    rule = stopping_rule(stopping[status - STOPPED])
    row = t.last_row[:, lane].copy()
    # A member that met success keeps the weights that met it.
    if block.plans[lane].keeps_best and not rule.converged:
        return Leaving(rule.reason, False, epochs, block.best(lane), rate, None, row)
    return Leaving(rule.reason, rule.converged, epochs, block.theta(lane), rate, row[:4], row)


def finished(block: Block, lane: int) -> Leaving:
    """Return a member that went on to the last epoch."""
    t, epochs = block.tracking, block.course.epochs
    rate = float(t.rate[lane])
    if block.plans[lane].keeps_best:
        return Leaving("epochs", False, epochs, block.best(lane), rate)
    return Leaving("epochs", False, epochs, block.theta(lane), rate, t.values[:, lane].copy())


def interrupted(block: Block, lane: int) -> Leaving:
    """Return a member that Ctrl-C found in training; its loss or its weights may have broken in this very epoch."""
    t = block.tracking
    assert t.status[lane] == TRAINING, "the others have left already"
    rate, theta = float(t.rate[lane]), block.theta(lane)
    if not (t.sound[lane] and finite_members(theta[None])[0]):
        return Leaving("diverged", False, block.epoch, theta, rate)
    if block.plans[lane].keeps_best:
        theta = block.best(lane)
    return Leaving("interrupted", False, block.epoch, theta, rate)
