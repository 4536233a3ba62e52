"""Optimizers: SGD, momentum, Nesterov, Adagrad, RMSprop, Adam and AdamW.

The formulas follow the papers and, where papers leave a choice (where eps is added, how a moment
starts), the conventions of PyTorch, so both give the same 50 steps at equal hyper-parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.optim._base import Array, Optimizer, State, rate
from chainrule.optim.as_written import AdamOverwritingMoments, ArrayNormalizedGradient, MomentumAscent
from chainrule.spec import build, require


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, ``step = -lr g`` (Robbins and Monro 1951 when g comes from a minibatch)."""

    name: ClassVar[str] = "sgd"

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return an empty state: nothing is remembered."""
        return {}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Return ``-lr g``."""
        return -rate(lr, grad) * grad, {}


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Heavy-ball momentum (Polyak 1964; Sutskever, Martens, Dahl and Hinton 2013).

    ``v <- beta v - lr g;  step = v``. The velocity remembers steps, so each past gradient keeps the learning
    rate of its own time. PyTorch remembers gradients (``v <- beta v + g;  step = -lr v``) and scales all of
    them with today's rate. At a constant learning rate the two are equal.
    """

    name: ClassVar[str] = "momentum"
    beta: float = 0.9

    def __post_init__(self) -> None:
        _check_beta("momentum", beta=self.beta)

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return a velocity of zero."""
        return {"velocity": np.zeros_like(theta)}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Return the new velocity as the step."""
        velocity = self.beta * state["velocity"] - rate(lr, grad) * grad
        return velocity, {"velocity": velocity}


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """Nesterov's accelerated gradient, in the look-ahead variables (Sutskever et al. 2013; Bengio et al. 2013).

    ``v <- beta v - lr g;  step = beta v - lr g``: the parameters kept are those at which the next gradient is
    wanted. Equal to PyTorch's ``nesterov=True`` at a constant learning rate (see `Momentum`).
    """

    name: ClassVar[str] = "nesterov"
    beta: float = 0.9

    def __post_init__(self) -> None:
        _check_beta("nesterov", beta=self.beta)

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return a velocity of zero."""
        return {"velocity": np.zeros_like(theta)}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Return ``beta v - lr g`` with the new velocity v."""
        downhill = rate(lr, grad) * grad
        velocity = self.beta * state["velocity"] - downhill
        return self.beta * velocity - downhill, {"velocity": velocity}


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Adagrad: a learning rate per weight that shrinks with all gradients so far (Duchi, Hazan and Singer 2011).

    ``s <- s + g^2;  step = -lr g / (sqrt(s) + eps)``.
    """

    name: ClassVar[str] = "adagrad"
    eps: float = 1e-10

    def __post_init__(self) -> None:
        _check_eps("adagrad", self.eps)

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return a sum of squares of zero."""
        return {"sum_of_squares": np.zeros_like(theta)}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Add the squared gradient and divide by the root of the sum."""
        total = state["sum_of_squares"] + grad * grad
        return -rate(lr, grad) * (grad / (np.sqrt(total) + self.eps)), {"sum_of_squares": total}


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop: Adagrad with a fading memory (Tieleman and Hinton 2012, lecture 6.5).

    ``s <- rho s + (1 - rho) g^2;  step = -lr g / (sqrt(s) + eps)``; rho is PyTorch's ``alpha``.
    """

    name: ClassVar[str] = "rmsprop"
    rho: float = 0.99
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _check_beta("rmsprop", rho=self.rho)
        _check_eps("rmsprop", self.eps)

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return a mean square of zero."""
        return {"mean_square": np.zeros_like(theta)}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Fade the mean square towards the squared gradient and divide by its root."""
        mean_square = self.rho * state["mean_square"] + (1.0 - self.rho) * (grad * grad)
        return -rate(lr, grad) * (grad / (np.sqrt(mean_square) + self.eps)), {"mean_square": mean_square}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: fading means of gradient and squared gradient, corrected for their start at zero (Kingma and Ba 2015).

    ``m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2``;
    ``step = -lr m^ / (sqrt(v^) + eps)`` with ``m^ = m / (1 - beta1^t)`` and ``v^ = v / (1 - beta2^t)``, t = 1, 2, ...
    """

    name: ClassVar[str] = "adam"
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _check_beta(self.name, beta1=self.beta1, beta2=self.beta2)
        _check_eps(self.name, self.eps)

    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return moments of zero and the powers beta^0 = 1 of each member's own clock.

        The powers stay float64 and grow by one product a step: 1 - beta^t is accurate in float32 too, and no
        call of `pow` can round differently for another number of members.
        """
        ones = np.ones((len(theta), 1))
        return {"m": np.zeros_like(theta), "v": np.zeros_like(theta), "beta1_power": ones, "beta2_power": ones}

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Update both moments and return their bias-corrected ratio, scaled by -lr."""
        m = self.beta1 * state["m"] + (1.0 - self.beta1) * grad
        v = self.beta2 * state["v"] + (1.0 - self.beta2) * (grad * grad)
        power1 = self.beta1 * state["beta1_power"]
        power2 = self.beta2 * state["beta2_power"]
        scale = (lr / (1.0 - power1)).astype(grad.dtype)  # (m, 1)
        root = np.sqrt(1.0 - power2).astype(grad.dtype)  # (m, 1)
        step = -scale * (m / (np.sqrt(v) / root + self.eps))  # (m, P)
        return step, {"m": m, "v": v, "beta1_power": power1, "beta2_power": power2}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): ``step = Adam's step - lr weight_decay theta``.

    As in PyTorch the decay is multiplied by the learning rate, and it acts on every parameter, biases too.
    """

    name: ClassVar[str] = "adamw"
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0.0 <= self.weight_decay <= 1e6, f"adamw: weight_decay must be at least 0, got {self.weight_decay}")

    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Return Adam's step plus the decay of `theta`."""
        step, state = super().update(grad, state, lr, theta)
        return step - (rate(lr, grad) * self.weight_decay) * theta, state


def _check_beta(name: str, **betas: float) -> None:
    """Refuse a memory that never fades or is negative."""
    for key, value in betas.items():
        require(0.0 <= value < 1.0, f"{name}: {key} must be at least 0 and below 1, got {value}")


def _check_eps(name: str, eps: float) -> None:
    """Refuse an eps that allows 0/0 or swamps every gradient."""
    require(0.0 < eps <= 1.0, f"{name}: eps must be above 0 and at most 1, got {eps}")


OPTIMIZERS: dict[str, type[Optimizer]] = {
    cls.name: cls
    for cls in (
        SGD,
        Momentum,
        Nesterov,
        Adagrad,
        RMSprop,
        Adam,
        AdamW,
        ArrayNormalizedGradient,
        AdamOverwritingMoments,
        MomentumAscent,
    )
}


def optimizer(spec: str | Optimizer) -> Optimizer:
    """Return the optimizer that a spec such as ``"adam(beta2=0.95)"`` names; a built optimizer passes through.

    Raises
    ------
    ConfigError
        For an unknown name or values out of range.
    """
    return spec if isinstance(spec, Optimizer) else build(OPTIMIZERS, spec, "optimizer")
