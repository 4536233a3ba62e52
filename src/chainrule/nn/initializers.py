"""Initial weights: each initializer draws one matrix of fan_in rows.

The variance-scaling rules keep the size of the signal (LeCun, He: fan_in) or of signal and gradient
together (Glorot: fan_in + fan_out) from layer to layer. A uniform distribution on [-a, a] has the
variance a^2 / 3, hence the 3 and the 6 below.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.nn._types import Array
from chainrule.nn.activations import Activation, activation
from chainrule.spec import build, require


class Initializer(ABC):
    """The contract: draw a weight matrix from a generator (frozen dataclass, no state)."""

    name: ClassVar[str]

    @abstractmethod
    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Return a float64 matrix of shape (fan_in, columns), drawn from `rng` only.

        Parameters
        ----------
        rng : numpy.random.Generator
            Where it draws from.
        fan_in, fan_out : int
            Inputs that a unit sees, and units that an input reaches.
        columns : int, optional
            Units; `fan_out` if left out. They differ in a convolution, where an input meets each filter once for
            every entry of the kernel.
        """


@dataclass(frozen=True)
class Normal(Initializer):
    """Independent normal weights with mean 0 and standard deviation `std`."""

    name: ClassVar[str] = "normal"
    std: float = 1.0

    def __post_init__(self) -> None:
        require(0 <= self.std < math.inf, f"normal: std must be at least 0 and finite, got {self.std}")

    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Draw from N(0, std^2)."""
        return self.std * rng.standard_normal((fan_in, columns or fan_out))


@dataclass(frozen=True)
class Uniform(Initializer):
    """Independent uniform weights on [low, high)."""

    name: ClassVar[str] = "uniform"
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        require(
            -math.inf < self.low <= self.high < math.inf and math.isfinite(self.high - self.low),
            f"uniform: low and high must be finite with low <= high, got {self.low} and {self.high}",
        )

    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Draw from U[low, high)."""
        return rng.uniform(self.low, self.high, (fan_in, columns or fan_out))


class _ScaledUniform(Initializer):
    """Uniform weights whose variance is `_variance(fan_in, fan_out)`."""

    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Draw from U[-a, a) with a = sqrt(3 variance)."""
        limit = math.sqrt(3 * self._variance(fan_in, fan_out))
        return rng.uniform(-limit, limit, (fan_in, columns or fan_out))

    @staticmethod
    @abstractmethod
    def _variance(fan_in: int, fan_out: int) -> float: ...


class _ScaledNormal(Initializer):
    """Normal weights whose variance is `_variance(fan_in, fan_out)`."""

    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Draw from N(0, variance)."""
        return math.sqrt(self._variance(fan_in, fan_out)) * rng.standard_normal((fan_in, columns or fan_out))

    @staticmethod
    @abstractmethod
    def _variance(fan_in: int, fan_out: int) -> float: ...


def _glorot(fan_in: int, fan_out: int) -> float:
    """Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010."""
    return 2 / (fan_in + fan_out)


def _he(fan_in: int, fan_out: int) -> float:
    """He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015."""
    return 2 / fan_in


def _lecun(fan_in: int, fan_out: int) -> float:
    """LeCun, Bottou, Orr and Mueller, "Efficient BackProp", 1998."""
    return 1 / fan_in


@dataclass(frozen=True)
class GlorotUniform(_ScaledUniform):
    """Uniform with variance 2 / (fan_in + fan_out); also known as Xavier."""

    name: ClassVar[str] = "glorot_uniform"
    _variance = staticmethod(_glorot)


@dataclass(frozen=True)
class GlorotNormal(_ScaledNormal):
    """Normal with variance 2 / (fan_in + fan_out); also known as Xavier."""

    name: ClassVar[str] = "glorot_normal"
    _variance = staticmethod(_glorot)


@dataclass(frozen=True)
class HeUniform(_ScaledUniform):
    """Uniform with variance 2 / fan_in, for the relu family."""

    name: ClassVar[str] = "he_uniform"
    _variance = staticmethod(_he)


@dataclass(frozen=True)
class HeNormal(_ScaledNormal):
    """Normal with variance 2 / fan_in, for the relu family."""

    name: ClassVar[str] = "he_normal"
    _variance = staticmethod(_he)


@dataclass(frozen=True)
class LeCunUniform(_ScaledUniform):
    """Uniform with variance 1 / fan_in."""

    name: ClassVar[str] = "lecun_uniform"
    _variance = staticmethod(_lecun)


@dataclass(frozen=True)
class LeCunNormal(_ScaledNormal):
    """Normal with variance 1 / fan_in."""

    name: ClassVar[str] = "lecun_normal"
    _variance = staticmethod(_lecun)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """Gain times a random matrix with orthonormal rows or columns (Saxe, McClelland and Ganguli, 2014)."""

    name: ClassVar[str] = "orthogonal"
    gain: float = 1.0

    def __post_init__(self) -> None:
        require(math.isfinite(self.gain), f"orthogonal: gain must be finite, got {self.gain}")

    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Take Q of the QR decomposition of a normal matrix, the wider side orthonormal."""
        rows, columns = fan_in, columns or fan_out
        tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
        Q, R = np.linalg.qr(tall)
        # QR leaves each column's sign to the algorithm; fixing it by R's diagonal makes Q uniformly distributed.
        Q = Q * np.where(np.diag(R) < 0, -1.0, 1.0)
        result: Array = self.gain * (Q if rows >= columns else Q.T)
        return result


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zeros: right for biases; hidden weights that start equal stay equal."""

    name: ClassVar[str] = "zeros"

    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Return zeros; draws nothing."""
        return np.zeros((fan_in, columns or fan_out))


@dataclass(frozen=True)
class Constant(Initializer):
    """Every weight the same value."""

    name: ClassVar[str] = "constant"
    value: float

    def __post_init__(self) -> None:
        require(math.isfinite(self.value), f"constant: value must be finite, got {self.value}")

    def sample(self, rng: np.random.Generator, fan_in: int, fan_out: int, columns: int | None = None) -> Array:
        """Return the constant; draws nothing."""
        return np.full((fan_in, columns or fan_out), float(self.value))


_CLASSES: tuple[type[Initializer], ...] = (
    Normal, Uniform, GlorotUniform, GlorotNormal, HeNormal, HeUniform,
    LeCunNormal, LeCunUniform, Orthogonal, Zeros, Constant,
)  # fmt: skip
INITIALIZERS: dict[str, type[Initializer]] = {cls.name: cls for cls in _CLASSES} | {
    "xavier_uniform": GlorotUniform,
    "xavier_normal": GlorotNormal,
}
_RELU_FAMILY = frozenset({"relu", "leaky_relu", "elu", "silu", "gelu", "softplus"})


def initializer(spec: str | Initializer) -> Initializer:
    """Return the initializer that a spec such as ``"normal(0.5)"`` describes; an initializer is returned as is.

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one) or a value out of range.
    """
    return spec if isinstance(spec, Initializer) else build(INITIALIZERS, spec, "initializer")


def default_initializer(spec: str | Activation) -> Initializer:
    """Return the weight initializer that suits a layer's activation.

    He (normal) for relu and its relatives, which pass about half of the variance on; Glorot (uniform) for
    sigmoid, tanh, softmax and identity.
    """
    return HeNormal() if activation(spec).name in _RELU_FAMILY else GlorotUniform()
