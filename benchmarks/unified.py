"""Five optimizers as one formula, so that arrays over mixed members need no branches.

    M <- a M + c g;   S <- p S + q g^2;   theta <- theta - lr (M / r1) / (sqrt(S / r2) + eps   or   1)

with a, c, p, q, eps of the member's optimizer, and Adam's bias corrections r1 = 1 - beta1^t, r2 = 1 - beta2^t
(1 for the others). Momentum is PyTorch's form, equal to chainrule's at a constant rate.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks.work import Array, Work

# a, c, p, q, eps, adaptive
TABLE: dict[str, tuple[float, float, float, float, float, bool]] = {
    "sgd": (0.0, 1.0, 0.0, 0.0, 0.0, False),
    "momentum": (0.9, 1.0, 0.0, 0.0, 0.0, False),
    "adagrad": (0.0, 1.0, 1.0, 1.0, 1e-10, True),
    "rmsprop": (0.0, 1.0, 0.99, 0.01, 1e-8, True),
    "adam": (0.9, 0.1, 0.999, 0.001, 1e-8, True),
}
BETAS = (0.9, 0.999)


class Rule(NamedTuple):
    """The coefficients of every member, each (m,): NumPy's arrays, or a framework's."""

    a: Any
    c: Any
    p: Any
    q: Any
    eps: Any
    adaptive: Any
    corrected: Any
    rate: Any

    def take(self, places: Any) -> Rule:
        """Return the coefficients of some members."""
        return Rule(*(values[places] for values in self))


def rule_of(work: Work) -> Rule:
    """Return the coefficients of a work's members, whose optimizers have their default values."""
    names = [member.config.optimizer for member in work.members]
    a, c, p, q, eps, adaptive = np.array([TABLE[name] for name in names], dtype=np.float32).T.copy()
    adam = np.array([name == "adam" for name in names])
    return Rule(a, c, p, q, eps, adaptive.astype(bool), adam, work.rates)


def corrections(steps: int) -> Array:
    """Return Adam's 1 - beta1^t and 1 - beta2^t for t = 1 to `steps`, (steps, 2), computed in float64."""
    t = np.arange(1, steps + 1, dtype=np.float64)[:, None]
    return (1.0 - np.array(BETAS) ** t).astype(np.float32)
