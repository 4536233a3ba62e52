"""The divergence guard: where a non-finite value first stood, and what most likely put it there."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engines._cohort_data import gather
from chainrule.nn import Array, Network
from chainrule.optim import optimizer
from chainrule.population import Cohort, TrainingConfig
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


def diagnose(member: Cohort, theta: Array, epoch: int) -> Divergence:
    """Name the first layer of a member with a non-finite value and the likely cause.

    Parameters
    ----------
    member : Cohort
        The cohort of this one member.
    theta : ndarray (P,)
        Its weights when the non-finite value was seen.
    epoch : int
        The epoch in which that was.

    Notes
    -----
    The forward pass is made again, for this member alone: it happens once in a run, and so the training
    loop need not keep or search the passes of all the others.
    """
    network, rate = member.network, float(member.learning_rates[0])
    samples = gather(member, "train")
    assert samples is not None, "every split has a training part"
    forward = network.forward(network.unpack(theta), samples.X)
    bad_weights = {slot.layer for slot in network.slots if not np.isfinite(theta[slot.slice]).all()}
    for number, (layer, record) in enumerate(zip(network.layers, forward.records, strict=True)):
        where = f"layer {number + 1} ({type(layer).__name__})"
        if number in bad_weights:
            return Divergence(epoch, where, "weights", _growth(network, member.config, rate))
        for quantity in ("Z", "A"):
            if not np.isfinite(getattr(record, quantity)).all():
                return Divergence(epoch, where, quantity, _growth(network, member.config, rate))
    return Divergence(epoch, "loss", "loss", _loss_cause(network, member.config, rate))


def _growth(network: Network, config: TrainingConfig, rate: float) -> str:
    """Explain weights that grew without bound."""
    unbounded = [layer.act.name for layer in network.layers if layer.affine and layer.act.name in UNBOUNDED]
    if "ascent" in optimizer(config.optimizer).name:
        return "the optimizer climbs the loss, so the weights grow without bound"
    if unbounded:
        return (
            f"{unbounded[0]} does not bound its output, so a step at learning rate {rate:g} larger than the "
            "curvature allows makes the next gradient larger still, until the weights overflow"
        )
    return f"the weights overflow: learning rate {rate:g} makes steps that grow instead of shrink"


def _loss_cause(network: Network, config: TrainingConfig, rate: float) -> str:
    """Explain a loss that is not finite although all layers are."""
    if config.loss.startswith("bce_eps_in_divisions"):
        return (
            "the loss takes the logarithm of an output that is exactly 0 or 1 or outside [0, 1]; the weights are "
            "finite, and binary_cross_entropy, computed from logits, stays finite here"
        )
    return f"outputs are so large that the loss overflows before they do; {_growth(network, config, rate)}"
