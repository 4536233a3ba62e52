"""Customary toy problems: circles, moons, spirals, gaussians, parity and noisy regression curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset, DataSource
from chainrule.data._checking import Task
from chainrule.data.points import check_size
from chainrule.errors import unknown_name
from chainrule.random import stream
from chainrule.spec import require

Array = npt.NDArray[np.floating[Any]]


def _task(classes: int) -> Task:
    return "binary" if classes == 2 else "multiclass"


def _check_noise(name: str, value: float, what: str = "noise") -> None:
    require(np.isfinite(value) and value >= 0, f"{name}: {what} must be at least 0 and finite, got {value}")


def _sklearn_seed(seed: int) -> int:
    """Derive scikit-learn's ``random_state`` from the seed's data stream."""
    return int(stream(seed, "data").integers(2**32))


@dataclass(frozen=True)
class Circles(DataSource):
    """A circle inside a circle (scikit-learn's ``make_circles``); a fresh draw per seed.

    `noise` is the standard deviation of the points around the circles, `factor` the inner radius; the outer is 1.
    """

    n: int = 200
    noise: float = 0.05
    factor: float = 0.5
    name: ClassVar[str] = "circles"
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size("circles", self.n, least=2)
        _check_noise("circles", self.noise)
        require(0 <= self.factor < 1, f"circles: factor must be in [0, 1), got {self.factor}")

    def draw(self, seed: int) -> Dataset:
        """Draw n points, X (n, 2)."""
        from sklearn.datasets import make_circles

        X, y = make_circles(self.n, noise=self.noise, factor=self.factor, random_state=_sklearn_seed(seed))
        told = f"two circles of radius 1 (label 0) and {self.factor:g} (label 1) with noise {self.noise:g}; seed {seed}"
        return Dataset(self.spec, X, y, "binary", provenance=told)


@dataclass(frozen=True)
class Moons(DataSource):
    """Two interleaving half circles (scikit-learn's ``make_moons``); a fresh draw per seed."""

    n: int = 200
    noise: float = 0.1
    name: ClassVar[str] = "moons"
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size("moons", self.n, least=2)
        _check_noise("moons", self.noise)

    def draw(self, seed: int) -> Dataset:
        """Draw n points, X (n, 2)."""
        from sklearn.datasets import make_moons

        X, y = make_moons(self.n, noise=self.noise, random_state=_sklearn_seed(seed))
        told = f"two interleaving half circles with noise {self.noise:g}; seed {seed}"
        return Dataset(self.spec, X, y, "binary", provenance=told)


@dataclass(frozen=True)
class Spirals(DataSource):
    """Interleaved spiral arms, one a class; a fresh draw per seed.

    A point of arm c at radius r in (0, 1] has the angle 2 pi (turns r + c / classes); normal noise of standard
    deviation `noise` is added to both coordinates. After the two-spirals problem of K. Lang and M. Witbrock,
    "Learning to tell two spirals apart" (1988).
    """

    n: int = 300
    turns: float = 1.5
    noise: float = 0.02
    classes: int = 2
    name: ClassVar[str] = "spirals"
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(2 <= self.classes <= 1000, f"spirals: classes must be from 2 to 1000, got {self.classes}")
        check_size("spirals", self.n, least=self.classes)
        _check_noise("spirals", self.noise)
        _check_noise("spirals", self.turns, "turns")

    def draw(self, seed: int) -> Dataset:
        """Draw n points, X (n, 2); the classes take turns in the rows."""
        rng = stream(seed, "data")
        y = np.arange(self.n) % self.classes
        r = np.sqrt(1 - rng.uniform(size=self.n))  # uniform in the square: the outer windings are longer
        angle = 2 * np.pi * (self.turns * r + y / self.classes)
        X = np.column_stack((r * np.cos(angle), r * np.sin(angle))) + self.noise * rng.standard_normal((self.n, 2))
        told = f"{self.classes} spiral arms of {self.turns:g} turns with noise {self.noise:g}; seed {seed}"
        names = tuple(str(c) for c in range(self.classes))
        return Dataset(self.spec, X, y, _task(self.classes), classes=names, provenance=told)


@dataclass(frozen=True)
class Gaussians(DataSource):
    """Normal clouds with equal spread, one a class; a fresh draw per seed.

    The centres are fixed: equally spaced on the circle of radius 2 in the first two dimensions, or for d = 1 equally
    spaced on [-2, 2]. Further dimensions carry no information.
    """

    n: int = 300
    classes: int = 3
    std: float = 1.0
    d: int = 2
    name: ClassVar[str] = "gaussians"
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(2 <= self.classes <= 1000, f"gaussians: classes must be from 2 to 1000, got {self.classes}")
        check_size("gaussians", self.n, self.d, least=self.classes)
        _check_noise("gaussians", self.std, "std")

    def centres(self) -> Array:
        """Return the centres of the clouds, (classes, d)."""
        centres = np.zeros((self.classes, self.d))
        if self.d == 1:
            centres[:, 0] = np.linspace(-2, 2, self.classes)
        else:
            angle = 2 * np.pi * np.arange(self.classes) / self.classes
            centres[:, 0], centres[:, 1] = 2 * np.cos(angle), 2 * np.sin(angle)
        return centres

    def draw(self, seed: int) -> Dataset:
        """Draw n points, X (n, d); the classes take turns in the rows."""
        y = np.arange(self.n) % self.classes
        X = self.centres()[y] + self.std * stream(seed, "data").standard_normal((self.n, self.d))
        told = f"{self.classes} normal clouds with standard deviation {self.std:g}; seed {seed}"
        names = tuple(str(c) for c in range(self.classes))
        return Dataset(self.spec, X, y, _task(self.classes), classes=names, provenance=told)


@dataclass(frozen=True)
class Parity(DataSource):
    """All 2^bits rows of zeros and ones; label 1 where the number of ones is odd. The same for every seed.

    Bits of 2 are the four-point exclusive or. Rows count upward in binary, the first column is the highest bit.
    """

    bits: int = 3
    name: ClassVar[str] = "parity"

    def __post_init__(self) -> None:
        require(1 <= self.bits <= 16, f"parity: bits must be from 1 to 16, got {self.bits}")

    def draw(self, seed: int) -> Dataset:
        """Return the 2^bits rows, X (2^bits, bits)."""
        shifts = np.arange(self.bits)[::-1]
        X = ((np.arange(2**self.bits)[:, None] >> shifts) & 1).astype(np.float64)
        told = f"all {2**self.bits} rows of {self.bits} bits, label 1 where the number of ones is odd"
        names = tuple(f"bit{j + 1}" for j in range(self.bits))
        return Dataset(self.spec, X, X.sum(axis=1) % 2, "binary", feature_names=names, provenance=told)


CURVES: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "sine": ("sin(2 pi x)", lambda x: np.sin(2 * np.pi * x)),
    "step": ("0 for x < 0, else 1", lambda x: np.where(x < 0, 0.0, 1.0)),
    "poly": ("4 x^3 - 3 x", lambda x: 4 * x**3 - 3 * x),
    "abs": ("|x|", lambda x: np.abs(x)),
    "bump": ("exp(-(4 x)^2)", lambda x: np.exp(-((4 * x) ** 2))),
}


@dataclass(frozen=True)
class Curve(DataSource):
    """Regression of y = f(x) + noise with x uniform on [-1, 1]; a fresh draw per seed.

    `kind` is ``sine``, ``step``, ``poly`` (the Chebyshev polynomial of degree 3), ``abs`` or ``bump``.
    """

    kind: str = "sine"
    n: int = 200
    noise: float = 0.1
    name: ClassVar[str] = "curve"
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(self.kind in CURVES, unknown_name("curve", str(self.kind), CURVES))
        check_size("curve", self.n)
        _check_noise("curve", self.noise)

    def truth(self, x: Array) -> Array:
        """Return f(x) without noise, in the shape of x."""
        return CURVES[self.kind][1](x)

    def draw(self, seed: int) -> Dataset:
        """Draw n points, X (n, 1) and y (n,)."""
        X = stream(seed, "data").uniform(-1, 1, size=(self.n, 1))
        y = self.truth(X[:, 0]) + self.noise * stream(seed, "noise").standard_normal(self.n)
        told = f"y = {CURVES[self.kind][0]} with noise {self.noise:g}, x uniform on [-1, 1]; seed {seed}"
        return Dataset(self.spec, X, y, "regression", feature_names=("x",), provenance=told)
