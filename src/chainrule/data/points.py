"""Points in the plane (and on the cube): small problems whose truth is known.

`Linear`, `Xor` and `Ellipse` are the data of the five lab reports; the others are the customary shapes.
Every drawing source takes its numbers from ``stream(seed, "data")``, so that one seed is one data set whatever
the network; regression noise comes from ``stream(seed, "noise")``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.data._base import Dataset, DataSource
from chainrule.random import stream
from chainrule.spec import require

MAX_VALUES = 100_000_000  # 800 MB of float64: beyond that a typing error is likelier than an intention


def check_size(name: str, n: int, d: int = 1, least: int = 1) -> None:
    """Raise `ConfigError` unless n samples of d values are a sensible size."""
    require(n >= least and d >= 1, f"{name}: n must be at least {least} and d at least 1, got n={n}, d={d}")
    require(n * d <= MAX_VALUES, f"{name}: n * d must be at most {MAX_VALUES:,}, got {n * d:,}")


@dataclass(frozen=True)
class Linear(DataSource):
    """Points uniform on the unit square; label 0 where x1 > x2 + offset, else 1. A fresh draw per seed.

    With an offset the boundary misses the origin.
    """

    n: int = 100
    offset: float = 0.0
    name: ClassVar[str] = "linear"
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size("linear", self.n)
        require(-1 < self.offset < 1, f"linear: offset must be between -1 and 1, got {self.offset}")

    def draw(self, seed: int) -> Dataset:
        """Draw n points, X (n, 2)."""
        X = stream(seed, "data").uniform(size=(self.n, 2))
        y = np.where(X[:, 0] > X[:, 1] + self.offset, 0, 1)
        bound = f"x2 + {self.offset:g}" if self.offset else "x2"
        told = f"{self.n} points uniform on the unit square, label 0 where x1 > {bound}, else 1; seed {seed}"
        return Dataset(self.spec, X, y, "binary", provenance=told)


@dataclass(frozen=True)
class Xor(DataSource):
    """The reports' 21 points on the two diagonals of the unit square; the same for every seed."""

    name: ClassVar[str] = "xor"

    def draw(self, seed: int) -> Dataset:
        """Return the 21 points in the reports' order, X (21, 2)."""
        rows = []
        for i in range(11):
            rows.append((0.1 * i, 0.1 * i, 0))
            if i != 5:  # the diagonals cross in (0.5, 0.5), which keeps label 0
                rows.append((0.1 * i, 1 - 0.1 * i, 1))
        table = np.array(rows)
        told = "21 points: (0.1 i, 0.1 i) has label 0, (0.1 i, 1 - 0.1 i) has label 1, i = 0..10"
        return Dataset("xor", table[:, :2], table[:, 2], "binary", provenance=told)


@dataclass(frozen=True)
class Ellipse(DataSource):
    """Two classes cut by a quadratic form (report E); a fresh draw per seed, with a held-out set.

    x ~ N(0, I2); label 1 where x' Q x > 0.6 with Q = [[1, 0.5], [1, 0.2]]. The report's network has one softmax
    output a class, so the task is ``multiclass`` with two classes.
    """

    n: int = 60_000
    held_out: int = 10_000
    name: ClassVar[str] = "ellipse"
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size("ellipse", self.n)
        require(self.held_out >= 0, f"ellipse: held_out must be at least 0, got {self.held_out}")
        check_size("ellipse", self.n + self.held_out)

    def draw(self, seed: int) -> Dataset:
        """Draw n + held_out points, X (n, 2)."""
        X = stream(seed, "data").standard_normal((self.n + self.held_out, 2))
        y = np.where(np.einsum("ni,ij,nj->n", X, [[1, 0.5], [1, 0.2]], X) > 0.6, 1, 0)
        told = f"x ~ N(0, I2), label 1 where x'Qx > 0.6 with Q = [[1, 0.5], [1, 0.2]]; seed {seed}"
        given = None
        if self.held_out:
            X_out, y_out = X[self.n :], y[self.n :]
            given = Dataset(f"{self.spec} held out", X_out, y_out, "multiclass", provenance=told, is_part=True)
        return Dataset(self.spec, X[: self.n], y[: self.n], "multiclass", held_out=given, provenance=told)
