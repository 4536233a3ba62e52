"""The divergence guard: where a non-finite value first stood, and what most likely put it there."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines._cohort_data import Samples, gather
from chainrule.nn import Array, Forward, Network, loss, loss_value
from chainrule.optim import optimizer
from chainrule.random import stream
from chainrule.runs import Divergence

UNBOUNDED = ("identity", "relu", "leaky_relu", "elu", "softplus", "silu", "gelu")


def finite_members(theta: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which members (m,) have only finite weights.

    A sum is one cheap pass and is finite only if all its terms are; only members whose sum is not are
    looked at entry by entry, because large finite weights may overflow the sum.
    """
    finite: np.ndarray[Any, np.dtype[np.bool_]] = np.isfinite(theta.sum(axis=1))
    if not finite.all():
        finite[~finite] = np.isfinite(theta[~finite]).all(axis=1)
    return finite


def diagnose(member: Cohort, theta: Array, epoch: int, rate: float) -> Divergence:
    """Name the first layer of a member with a non-finite value and the likely cause.

    Parameters
    ----------
    member : Cohort
        The cohort of this one member.
    theta : ndarray (P,)
        Its weights when the non-finite value was seen.
    epoch : int
        The epoch in which that was.
    rate : float
        The learning rate in that epoch.

    Notes
    -----
    The forward pass is made again, for this member alone: it happens once in a run, and so the training
    loop need not keep or search the passes of all the others.
    """
    network = member.network
    samples = gather(member, "train")
    assert samples is not None, "every split has a training part"
    forward = network.forward(network.unpack(theta), samples.X)
    layer, quantity = _first_broken(network, theta, forward)
    initial = network.pack(network.init(stream(member.seeds[0], "init"))).astype(theta.dtype)
    if quantity == "loss" and member.config.loss.startswith("bce_eps_in_divisions"):
        cause = (
            "the loss takes the logarithm of an output that is exactly 0 or 1 or outside [0, 1]; the weights are "
            "finite, and binary_cross_entropy, computed from logits, stays finite here"
        )
    elif np.array_equal(theta, initial, equal_nan=True):
        cause = (
            f"no step has been made yet: inputs of up to {_largest(samples.X):g} and initial weights of up to "
            f"{_largest(initial):g} are too large together; standardise the inputs, or start with smaller weights"
        )
    elif quantity == "loss" and np.isfinite(_data_loss(member, forward, samples)):
        cause = f"the penalty on the weights overflows before their outputs do; {_growth(member, rate)}"
    elif quantity == "loss":
        cause = f"outputs are so large that the loss overflows before they do; {_growth(member, rate)}"
    else:
        cause = _growth(member, rate)
    return Divergence(epoch, layer, quantity, cause)


def _first_broken(network: Network, theta: Array, forward: Forward) -> tuple[str, str]:
    """Return the first layer with a non-finite value and what that is; the loss, if all layers are sound."""
    bad_weights = {slot.layer for slot in network.slots if not np.isfinite(theta[slot.slice]).all()}
    for number, (layer, record) in enumerate(zip(network.layers, forward.records, strict=True)):
        where = f"layer {number + 1} ({type(layer).__name__})"
        if number in bad_weights:
            return where, "weights"
        for quantity in ("Z", "A"):
            if not np.isfinite(getattr(record, quantity)).all():
                return where, quantity
    return "loss", "loss"


def _data_loss(member: Cohort, forward: Forward, samples: Samples) -> float:
    """Return the loss on the training part, without the penalties."""
    act = member.network.output_activation
    return float(loss_value(loss(member.config.loss), act, forward.Z, forward.A, samples.Y, samples.weight))


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array)))


def _growth(member: Cohort, rate: float) -> str:
    """Explain numbers that grew without bound."""
    if "ascent" in optimizer(member.config.optimizer).name:
        return "the optimizer climbs the loss, so the weights grow without bound"
    unbounded = [layer.act.name for layer in member.network.layers if layer.affine and layer.act.name in UNBOUNDED]
    if unbounded:
        return (
            f"{unbounded[0]} does not bound its output, so a step at learning rate {rate:g} larger than the "
            "curvature allows makes the next gradient larger still, until the numbers overflow"
        )
    return f"steps at learning rate {rate:g} grow instead of shrink, until the weights overflow"
