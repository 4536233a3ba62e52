"""Sets that cannot be told from the best, and rankings: how often they keep their promise, and how small they get.

python -m studies.best_sets [--tables 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from chainrule.stats import best_set, rank_groups, winner_scores
from chainrule.stats.flips import Centre
from studies._table import Table, share, write

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]


def successes(*rates: float) -> Draw:
    """Draw failures (so that lower is better) of cells with these success rates; seeds hang together."""

    def draw(rng: np.random.Generator, n: int) -> Array:
        alike = np.where(rng.random((n, len(rates))) < 0.3, rng.random((n, 1)), rng.random((n, len(rates))))
        return np.asarray(alike >= np.array(rates), dtype=np.float64)

    return draw


def losses(*centres: float) -> Draw:
    """Draw lognormal losses with these medians; seeds hang together, and one run in fifty diverges."""

    def draw(rng: np.random.Generator, n: int) -> Array:
        shape = (n, len(centres))
        values = np.array(centres) * np.exp(0.5 * rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=shape))
        return np.where(rng.random(shape) < 0.02, np.nan, values)

    return draw


def normals(*means: float) -> Draw:
    """Draw normal values with these means and unequal spreads."""
    spread = np.linspace(0.5, 2.0, len(means))
    return lambda rng, n: np.array(means) + spread * rng.normal(size=(n, len(means)))


WORLDS: dict[str, tuple[Centre, set[int], Draw]] = {
    "success, 2 cells at 50 %": ("mean", {0, 1}, successes(0.5, 0.5)),
    "success, 20 cells at 50 %": ("mean", set(range(20)), successes(*[0.5] * 20)),
    "success, 20 cells at 97 %": ("mean", set(range(20)), successes(*[0.97] * 20)),
    "success, 5 at 90 %, 15 below": ("mean", set(range(5)), successes(*[0.9] * 5, *np.linspace(0.85, 0.1, 15))),
    "success, one at 95 %, 9 at 90 %": ("mean", {0}, successes(0.95, *[0.9] * 9)),
    "success, one at 100 %, 9 from 90 % down": ("mean", {0}, successes(1.0, *np.linspace(0.9, 0.1, 9))),
    "normal, 10 equal, unequal spread": ("mean", set(range(10)), normals(*[0.0] * 10)),
    "normal, 10 in steps of 0.3": ("mean", {0}, normals(*np.arange(10) * 0.3)),
    "loss, 10 equal (median)": ("median", set(range(10)), losses(*[1.0] * 10)),
    "loss, 3 equal, 7 worse by 1.2 to 3 (median)": ("median", {0, 1, 2}, losses(*[1.0] * 3, *np.linspace(1.2, 3, 7))),
}

SIZES = (6, 10, 30, 100, 300)


def promise(tables: int) -> None:
    """Print how often all best cells stayed in the set, and its mean size."""
    columns = ["cells", "seeds", "all best kept", "mean size", "of", "rankings with a false separation"]
    table = Table("Sets that cannot be told from the best, level 95 %", columns)
    for i, (name, (statistic, truth, draw)) in enumerate(WORLDS.items()):
        for n in SIZES:
            kept = size = wrong = 0
            k = 0
            for j in range(tables):
                values = draw(np.random.default_rng([i, n, j]), n)
                k = values.shape[1]
                found = best_set(values, statistic=statistic, n_resamples=499, seed=j)
                kept += truth <= set(found.members)
                size += len(found.members)
                wrong += _false_separation(values, statistic, truth, j) if len(truth) > 1 else 0
            false = share(wrong, tables) if len(truth) > 1 else ""
            table.row(name, n, share(kept, tables), f"{size / tables:.1f}", k, false)
    table.end()


def _false_separation(values: Array, statistic: Centre, equal: set[int], seed: int) -> bool:
    """Return whether a ranking tells two cells apart that are equal."""
    ranking = rank_groups(values, statistic=statistic, n_resamples=499, seed=seed)
    places = [place for place, cell in enumerate(ranking.order) if cell in equal]
    return bool((ranking.p_adjusted[np.ix_(places, places)] <= 0.05).any())


def curse(tables: int) -> None:
    """Print what the winner of equal cells scores on the seeds that chose it, and on fresh ones."""
    table = Table(
        "The winner's curse: cells that are all right in 70 % of their seeds", ["cells", "seeds", "chosen", "fresh"]
    )
    for k in (2, 10, 50):
        for n in (10, 30, 100):
            scores = []
            for j in range(tables):
                rng = np.random.default_rng([k, n, j])
                scores.append(winner_scores(rng.random((n, k)) < 0.7, rng.random(n) < 0.7, "higher"))
            chosen, fresh = (np.mean([getattr(s, name).value for s in scores]) for name in ("chosen", "fresh"))
            table.row(k, n, f"{100 * chosen:.1f} %", f"{100 * fresh:.1f} %")
    table.end()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    args = parser.parse_args()
    write(f"{args.tables} tables of each kind, level 95 %")
    promise(args.tables)
    curse(args.tables)


if __name__ == "__main__":
    main()
