"""Optimizers exactly as the lab reports wrote them, named for what they do.

They are no recommendations. The replication runs each beside the correct rule to show what the
difference costs (or, by luck, gains).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.errors import ShapeError
from chainrule.optim._base import Array, Optimizer, State, rate
from chainrule.spec import require


@dataclass(frozen=True)
class ArrayNormalizedGradient(Optimizer):
    """Report A's "Adagrad": ``step = -lr g / sqrt(sum(g^2) + eps)``, the sum over one whole parameter array.

    It accumulates nothing, so it is not Adagrad: each array's step has length lr (nearly), however small its
    gradient. Every weight matrix and every bias vector (a slot) is normalised on its own.
    """

    name: ClassVar[str] = "array_normalized_gradient"
    eps: float = 1e-8

    def __post_init__(self) -> None:
        require(0.0 < self.eps <= 1.0, f"{self.name}: eps must be above 0 and at most 1, got {self.eps}")

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return where each array begins and ends, (m, n_slots, 2); without slots all parameters are one array.

        Raises
        ------
        ShapeError
            If the slots do not cover the P parameters one after another.
        """
        m, P = theta.shape
        bounds = [s.indices(P)[:2] for s in slots] or [(0, P)]
        edges = [0, *(stop for _, stop in bounds)]
        if edges[-1] != P or any(start != edge for (start, _), edge in zip(bounds, edges, strict=False)):
            raise ShapeError(f"{self.name}: slots {list(slots)} do not cover the {P} parameters one after another")
        return {"bounds": np.broadcast_to(np.array(bounds, dtype=np.int64), (m, len(bounds), 2)).copy()}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Divide each array's gradient by its own length."""
        step = np.empty_like(grad)
        for start, stop in state["bounds"][0] if len(grad) else ():
            g = grad[:, start:stop]
            length = np.sqrt(np.sum(g * g, axis=1, keepdims=True) + self.eps)  # (m, 1)
            step[:, start:stop] = -rate(lr, grad) * (g / length)
        return step, state


@dataclass(frozen=True)
class AdamOverwritingMoments(Optimizer):
    """Report B's Adam: the bias-corrected moments overwrite the stored ones.

    ``m <- (beta1 m + (1 - beta1) g) / (1 - beta1^t)`` and likewise v, so the correction compounds from step to
    step in the early phase. Its beta2 is 0.95.
    """

    name: ClassVar[str] = "adam_overwriting_moments"
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8

    def __post_init__(self) -> None:
        for key, value in (("beta1", self.beta1), ("beta2", self.beta2)):
            require(0.0 <= value < 1.0, f"{self.name}: {key} must be at least 0 and below 1, got {value}")
        require(0.0 < self.eps <= 1.0, f"{self.name}: eps must be above 0 and at most 1, got {self.eps}")

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return moments of zero and the powers beta^0 = 1 (float64, as in `Adam`)."""
        ones = np.ones((len(theta), 1))
        return {"m": np.zeros_like(theta), "v": np.zeros_like(theta), "beta1_power": ones, "beta2_power": ones}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Update and correct both moments, and store the corrected ones."""
        power1 = self.beta1 * state["beta1_power"]
        power2 = self.beta2 * state["beta2_power"]
        correction1 = (1.0 - power1).astype(grad.dtype)  # (m, 1)
        correction2 = (1.0 - power2).astype(grad.dtype)
        m = (self.beta1 * state["m"] + (1.0 - self.beta1) * grad) / correction1
        v = (self.beta2 * state["v"] + (1.0 - self.beta2) * (grad * grad)) / correction2
        step = -rate(lr, grad) * (m / (np.sqrt(v) + self.eps))
        return step, {"m": m, "v": v, "beta1_power": power1, "beta2_power": power2}


@dataclass(frozen=True)
class MomentumAscent(Optimizer):
    """Report C's momentum: ``v <- beta v + lr g;  step = v``. The sign is wrong, so it climbs the loss."""

    name: ClassVar[str] = "momentum_ascent"
    beta: float = 0.9

    def __post_init__(self) -> None:
        require(0.0 <= self.beta < 1.0, f"{self.name}: beta must be at least 0 and below 1, got {self.beta}")

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return a velocity of zero."""
        return {"velocity": np.zeros_like(theta)}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Return the new velocity, which points uphill."""
        velocity = self.beta * state["velocity"] + rate(lr, grad) * grad
        return velocity, {"velocity": velocity}
