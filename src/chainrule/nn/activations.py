"""Activation functions: each forward beside its backward.

`forward` maps pre-activations Z to activations A = f(Z); `backward` is the vector-Jacobian product,
dL/dZ from dL/dA. Both keep the shape and the float type of their input, take any number of leading
axes, and are finite and free of warnings for every finite input: an `exp` that underflows to zero is
the right answer, so underflow is silenced where it is expected, and nothing else is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from chainrule.nn._types import Array
from chainrule.spec import build, require


class Activation(ABC):
    """The contract: a differentiable function of the pre-activations (frozen dataclass, no state).

    Attributes
    ----------
    name : str
        The registry name.
    elementwise : bool
        False when an output depends on its neighbours along the last axis (softmax).
    kinks : tuple of float
        Where the first or second derivative jumps; gradient checks stay away from these.
    """

    name: ClassVar[str]
    elementwise: ClassVar[bool] = True
    kinks: ClassVar[tuple[float, ...]] = ()

    @abstractmethod
    def forward(self, Z: Array) -> Array:
        """Return A = f(Z)."""

    @abstractmethod
    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Return dL/dZ from dL/dA, given Z and A = f(Z), all of one shape."""


def stable_sigmoid(Z: Array) -> Array:
    """Return 1 / (1 + exp(-z)) without overflow.

    With e = exp(-|z|) <= 1: the value is 1/(1 + e) for z >= 0 and e/(1 + e) below.
    """
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(Z))
        result: Array = np.where(Z >= 0, 1.0, e) / (1.0 + e)
        return result


def log1p_exp(Z: Array) -> Array:
    """Return log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)): no overflow, full precision below zero."""
    with np.errstate(under="ignore"):
        result: Array = np.maximum(Z, 0.0) + np.log1p(np.exp(-np.abs(Z)))
        return result


def shifted_exp(Z: Array) -> tuple[Array, Array, Array]:
    """Return s = z - max(z), exp(s) and the sum of exp(s), all along the last axis.

    Subtracting the maximum leaves softmax and log-sum-exp unchanged in exact arithmetic and keeps every
    exponent at or below zero (Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and
    softmax functions", 2021). A difference beyond the largest float is held at minus the largest float,
    so that 0 * s stays 0.
    """
    with np.errstate(over="ignore", under="ignore"):
        shifted = np.maximum(Z - np.max(Z, axis=-1, keepdims=True), -np.finfo(Z.dtype).max)
        e = np.exp(shifted)
        return shifted, e, np.sum(e, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Identity(Activation):
    """A = Z: no activation."""

    name: ClassVar[str] = "identity"

    def forward(self, Z: Array) -> Array:
        """Return Z itself."""
        return Z

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = 1."""
        return dA


@dataclass(frozen=True)
class Sigmoid(Activation):
    """The logistic function, 1 / (1 + exp(-z))."""

    name: ClassVar[str] = "sigmoid"

    def forward(self, Z: Array) -> Array:
        """Return values in [0, 1]; stable for any float."""
        return stable_sigmoid(Z)

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = a (1 - a)."""
        with np.errstate(under="ignore"):
            return dA * (A * (1.0 - A))


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent."""

    name: ClassVar[str] = "tanh"

    def forward(self, Z: Array) -> Array:
        """Return values in [-1, 1]."""
        with np.errstate(under="ignore"):
            result: Array = np.tanh(Z)
            return result

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = 1 - a^2."""
        with np.errstate(under="ignore"):
            return dA * (1.0 - A * A)


@dataclass(frozen=True)
class ReLU(Activation):
    """max(z, 0); the derivative at 0 is taken as 0 (Glorot, Bordes and Bengio, 2011)."""

    name: ClassVar[str] = "relu"
    kinks: ClassVar[tuple[float, ...]] = (0.0,)

    def forward(self, Z: Array) -> Array:
        """Return max(z, 0)."""
        result: Array = np.maximum(Z, 0.0)
        return result

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = 1 where z > 0, else 0."""
        return np.where(Z > 0, dA, 0.0)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """z above zero, slope * z below (Maas, Hannun and Ng, 2013)."""

    name: ClassVar[str] = "leaky_relu"
    kinks: ClassVar[tuple[float, ...]] = (0.0,)
    slope: float = 0.01

    def __post_init__(self) -> None:
        require(0 <= self.slope <= 1, f"leaky_relu: slope must lie in [0, 1], got {self.slope}")

    def forward(self, Z: Array) -> Array:
        """Return max(z, slope * z)."""
        with np.errstate(under="ignore"):
            return np.where(Z > 0, Z, Z * self.slope)

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = 1 where z > 0, else the slope."""
        with np.errstate(under="ignore"):
            return np.where(Z > 0, dA, dA * self.slope)


@dataclass(frozen=True)
class ELU(Activation):
    """z above zero, alpha (exp(z) - 1) below (Clevert, Unterthiner and Hochreiter, 2016)."""

    name: ClassVar[str] = "elu"
    kinks: ClassVar[tuple[float, ...]] = (0.0,)
    alpha: float = 1.0

    def __post_init__(self) -> None:
        require(0 < self.alpha < math.inf, f"elu: alpha must be positive and finite, got {self.alpha}")

    def forward(self, Z: Array) -> Array:
        """Return the activations; expm1 keeps the small ones exact."""
        with np.errstate(under="ignore"):
            return np.where(Z > 0, Z, np.expm1(np.minimum(Z, 0.0)) * self.alpha)

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = 1 where z > 0, else alpha exp(z)."""
        with np.errstate(under="ignore"):
            return np.where(Z > 0, dA, dA * (np.exp(np.minimum(Z, 0.0)) * self.alpha))


@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp(z)), a smooth relu (Dugas et al., 2001)."""

    name: ClassVar[str] = "softplus"

    def forward(self, Z: Array) -> Array:
        """Return the activations through the overflow-free form."""
        return log1p_exp(Z)

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = sigmoid(z)."""
        with np.errstate(under="ignore"):
            return dA * stable_sigmoid(Z)


@dataclass(frozen=True)
class SiLU(Activation):
    """z * sigmoid(z), also called swish (Elfwing, Uchibe and Doya, 2018)."""

    name: ClassVar[str] = "silu"

    def forward(self, Z: Array) -> Array:
        """Return the activations."""
        with np.errstate(under="ignore"):
            return Z * stable_sigmoid(Z)

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = s + z s (1 - s) with s = sigmoid(z)."""
        with np.errstate(under="ignore"):
            s = stable_sigmoid(Z)
            # z s first: it is bounded below, where z (1 - s) is not
            return dA * (s + (Z * s) * (1.0 - s))


@dataclass(frozen=True)
class GELU(Activation):
    """z * Phi(z), Phi the normal distribution function: the exact form (Hendrycks and Gimpel, 2016).

    Phi(z) = (1 + erf(z / sqrt 2)) / 2, taken from SciPy's `ndtr`, which keeps its precision in the lower tail.
    """

    name: ClassVar[str] = "gelu"

    def forward(self, Z: Array) -> Array:
        """Return the activations."""
        from scipy.special import ndtr

        with np.errstate(under="ignore"):
            result: Array = Z * ndtr(Z)
            return result

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """Multiply by f' = Phi(z) + z phi(z), phi the normal density."""
        from scipy.special import ndtr

        with np.errstate(over="ignore", under="ignore"):
            density = np.exp(-0.5 * (Z * Z)) * (1 / math.sqrt(2 * math.pi))
            result: Array = dA * (ndtr(Z) + Z * density)
            return result


@dataclass(frozen=True)
class Softmax(Activation):
    """exp(z_j) / sum_i exp(z_i) along the last axis."""

    name: ClassVar[str] = "softmax"
    elementwise: ClassVar[bool] = False

    def forward(self, Z: Array) -> Array:
        """Return probabilities that sum to 1 along the last axis."""
        _, e, total = shifted_exp(Z)
        with np.errstate(under="ignore"):
            return e / total

    def backward(self, dA: Array, Z: Array, A: Array) -> Array:
        """da_i/dz_j = a_i (1[i = j] - a_j), so dz = a * (dA - sum_i dA_i a_i)."""
        with np.errstate(under="ignore"):
            inner: Array = np.sum(dA * A, axis=-1, keepdims=True)
            return A * (dA - inner)


ACTIVATIONS: dict[str, type[Activation]] = {
    cls.name: cls for cls in (Sigmoid, Tanh, ReLU, LeakyReLU, ELU, Softplus, SiLU, GELU, Identity, Softmax)
}


def activation(spec: str | Activation) -> Activation:
    """Return the activation that a spec such as ``"sigmoid"`` or ``"leaky_relu(0.2)"`` describes.

    Parameters
    ----------
    spec : str or Activation
        The spec, or an activation, which is returned as it is.

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one) or a value out of range.
    """
    if isinstance(spec, Activation):
        return spec
    return _build(spec) if isinstance(spec, str) else build(ACTIVATIONS, spec, "activation")


@lru_cache(maxsize=256)
def _build(text: str) -> Activation:
    """Build once per text: layers look their activation up at every step."""
    return build(ACTIVATIONS, text, "activation")
