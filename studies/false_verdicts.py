"""Peeking is safe: comparisons of equally good settings, looked at after every seed.

python -m studies.false_verdicts [--comparisons 2000] [--seeds 5000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from studies._sequences import JUDGES, naive_verdicts
from studies._table import Table, share, write

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]


def success(rate: float, other: float | None = None, shared: float = 0.0) -> Draw:
    """Draw differences of successes; a `shared` part of the seeds comes out the same for both, good or bad."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        a, b = rng.random(shape), rng.random(shape)
        b = np.where(rng.random(shape) < shared, a, b)
        return np.subtract(a < rate, b < (rate if other is None else other), dtype=np.float64)

    return draw


def accuracy(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences of accuracies on 150 samples, where a setting is mostly good and sometimes stuck at a third."""

    def one() -> Array:
        share = np.where(rng.random(shape) < 0.1, 1 / 3, rng.beta(60, 3, shape))
        return np.asarray(rng.binomial(150, share) / 150)

    return np.asarray(one() - one(), dtype=np.float64)


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences with mean 0 that are nearly always slightly negative: -0.02, and one in 46 is 0.9."""
    return np.where(rng.random(shape) < 1 / 46, 0.9, -0.02)


def lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences of losses that spread over many orders of magnitude."""
    return rng.lognormal(0, 3, shape) - rng.lognormal(0, 3, shape)


def cauchy(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences without a mean."""
    return rng.standard_cauchy(shape)


def epochs(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences of epochs to success, where a quarter of the seeds never succeed: infinities and ties."""
    a, b = (np.where(rng.random(shape) < 0.25, np.inf, rng.geometric(0.01, shape)) for _ in range(2))
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)


def rounded(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences of losses that take three values only."""
    return np.round(rng.normal(0, 0.6, shape)) - np.round(rng.normal(0, 0.6, shape))


def one_sided(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences with median 0 whose upper half is large and whose lower half is small."""
    d = rng.exponential(1.0, shape)
    return np.where(rng.random(shape) < 0.5, 1000 * d, -d)


SAME: dict[str, tuple[str, Draw]] = {
    "success, both 0 %": ("mean", success(0.0)),
    "success, both 2 %": ("mean", success(0.02)),
    "success, both 10 %": ("mean", success(0.1)),
    "success, both 50 %": ("mean", success(0.5)),
    "success, both 50 %, 80 % of the seeds alike": ("mean", success(0.5, shared=0.8)),
    "success, both 90 %": ("mean", success(0.9)),
    "success, both 100 %": ("mean", success(1.0)),
    "accuracy of 150 samples": ("mean", accuracy),
    "bounded, mean 0, skewed": ("mean", skewed),
    "loss, lognormal (sigma 3)": ("paired", lognormal),
    "loss, Cauchy": ("paired", cauchy),
    "loss, three values, ties": ("paired", rounded),
    "loss, three values, ties, by the median": ("median", rounded),
    "epochs to success, a quarter never": ("paired", epochs),
    "epochs to success, by the median": ("median", epochs),
    "median 0, one side 1,000 times the other": ("paired", one_sided),
}

OUTSIDE: dict[str, tuple[str, float, Draw]] = {
    "success 50 % and 55.1 %": ("mean", 0.05, success(0.551, 0.5)),
    "success 90 % and 95.1 %": ("mean", 0.05, success(0.951, 0.9)),
    "success 30 % and 50.1 %": ("mean", 0.2, success(0.501, 0.3)),
    "accuracy 0.0201 apart": ("mean", 0.02, lambda rng, shape: np.clip(rng.normal(0.0201, 0.05, shape), -0.16, 0.2)),
    "loss, Cauchy moved by 0.101": ("paired", 0.1, lambda rng, shape: cauchy(rng, shape) + 0.101),
    "loss, three values, moved by 1": ("paired", 0.999, lambda rng, shape: rounded(rng, shape) + 1.0),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5000)
    args = parser.parse_args()
    shape, m = (args.comparisons, args.seeds), args.comparisons
    write(f"{m} comparisons of each kind, looked at after every one of up to {args.seeds} seeds, level 95 %")
    table = Table("Equally good settings", ["data", "sequence", "false better or worse", "naive 95 % interval"])
    for i, (name, (kind, draw)) in enumerate(SAME.items()):
        differences = draw(np.random.default_rng(1000 + i), shape)
        false = JUDGES[kind](differences).count("above", "below")
        naive = naive_verdicts(differences if kind == "mean" else np.sign(differences)).count("above", "below")
        table.row(name, kind, share(false, m), f"{100 * naive / m:.0f} %")
    table.end()
    table = Table(
        "Just outside the margin", ["data", "sequence", "margin", "false equal", "false worse", "right", "none"]
    )
    for i, (name, (kind, margin, draw)) in enumerate(OUTSIDE.items()):
        verdicts = JUDGES[kind](draw(np.random.default_rng(2000 + i), shape), margin)
        equal, worse, right = (verdicts.count(said) for said in ("equal", "below", "above"))
        table.row(name, kind, margin, share(equal, m), worse, right, m - equal - worse - right)
    table.end()


if __name__ == "__main__":
    main()
