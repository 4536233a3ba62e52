"""How often the other intervals hold the truth: importance, variance components, small studies, wins.

python -m studies.coverage [--rounds 500] [PART ...]
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from chainrule.stats import axis_importance, crossed_components, order_chance, prob_better
from chainrule.stats.drawn_importance import drawn_importance
from studies._table import Table, share, write

Array = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, int]], Array]

GRID = [{"rate": r, "hidden": h} for r in (0.1, 1.0, 10.0) for h in (2, 4)]
CELLS: Array = np.array([r + h for r in (-3.0, 0.0, 3.0) for h in (-1.0, 1.0)])


def importance(rounds: int) -> None:
    """Print how often the shares 6/7 and 1/7 of an additive table are covered, and 0 for an axis without effect."""
    title = "Importance: an additive 3 x 2 grid, true shares 6/7 (rate) and 1/7 (hidden); without effect 1 and 0"
    table = Table(
        title, ["noise", "sd", "seeds", "rate covered", "hidden covered", "hidden, mean", "no effect covered"]
    )
    kinds: dict[str, Noise] = {
        "normal": lambda rng, shape: rng.normal(size=shape),
        "lognormal": lambda rng, shape: rng.lognormal(0, 1, shape) / 2.16,
        "normal, seeds alike": lambda rng, shape: rng.normal(size=shape) + 3 * rng.normal(size=(shape[0], 1)),
    }
    for (name, noise), sd, n in itertools.product(kinds.items(), (2.0, 6.0), (10, 30, 100)):
        hits, values = np.zeros(3, dtype=int), []
        for j in range(rounds):
            rng = np.random.default_rng([j, n, int(sd)])
            found = axis_importance(GRID, CELLS + sd * noise(rng, (n, 6)), n_resamples=399)
            flat = axis_importance(GRID, np.repeat(CELLS[::2], 2) + sd * noise(rng, (n, 6)), n_resamples=399)
            hits += [
                found["rate"].low <= 6 / 7 <= found["rate"].high,
                found["hidden"].low <= 1 / 7 <= found["hidden"].high,
                flat["hidden"].low <= 1e-9,
            ]
            values.append(found["hidden"].share)
        shown = [share(int(hit), rounds) for hit in hits]
        table.row(name, sd, n, *shown[:2], f"{np.mean(values):.3f}", shown[2])
    table.end()


RATES: dict[str, Array] = {
    "one axis matters": np.array([[0.02, 0.02], [0.5, 0.5], [0.98, 0.98]]),
    "both matter": np.array([[0.02, 0.1], [0.5, 0.9], [0.95, 0.99]]),
    "both matter together": np.array([[0.05, 0.97], [0.99, 0.85]]),
    "nearly sure": np.array([[0.01, 0.01], [0.01, 0.99], [0.99, 0.99]]),
    "nearly all succeed": np.array([[0.9, 0.97, 0.99], [0.98, 0.99, 0.99], [0.99, 0.99, 0.995]]),
    "nearly all fail": np.array([[0.3, 0.03, 0.01], [0.02, 0.01, 0.01], [0.01, 0.01, 0.005]]),
    "a steep slope": 1 / (1 + np.exp(-np.add.outer([-6.0, -3.0, 0.0, 3.0, 6.0], [-2.0, 0.0, 2.0]))),
}


def successes(rounds: int) -> None:
    """Print how often shares of the variance between success rates near 0 and 1 are covered."""
    title = "Importance of two axes for success, at rates near 0 and 1"
    table = Table(title, ["rates", "cells of a seed", "seeds", "first covered", "second covered", "mean widths"])
    for (name, rates), alike, n in itertools.product(RATES.items(), (False, True), (6, 20, 100)):
        centred = rates - rates.mean()
        truth = [rates.shape[1 - axis] * np.sum(centred.mean(axis=1 - axis) ** 2) for axis in (0, 1)]
        truth = [float(part / np.sum(centred**2)) for part in truth]
        places = [{"first": i, "second": j} for i, j in np.ndindex(*rates.shape)]
        hits, widths = np.zeros(2, dtype=int), np.zeros(2)
        for k in range(rounds):
            rng = np.random.default_rng([k, n])
            luck = rng.normal(size=(n, rates.size))
            if alike:
                luck = math.sqrt(0.4) * luck + math.sqrt(0.6) * rng.normal(size=(n, 1))
            outcomes = luck < norm.ppf(rates.ravel())
            found = axis_importance(places, outcomes, better="higher", n_resamples=399).values()
            hits += [one.low - 1e-9 <= true <= one.high + 1e-9 for one, true in zip(found, truth, strict=True)]
            widths += [one.high - one.low for one in found]
        shown = (share(int(hit), rounds) for hit in hits)
        told = ", ".join(f"{width:.2f}" for width in widths / rounds)
        table.row(name, "alike" if alike else "independent", n, *shown, told)
    table.end()


DRAWN: dict[str, Callable[[Array], Array]] = {
    "additive, 3 a + b": lambda x: 3 * x[:, 0] + x[:, 1],
    "a and b together": lambda x: 4 * (x[:, 0] - 0.5) * (x[:, 1] - 0.5) + x[:, 0],
    "a valley in a": lambda x: 6 * (x[:, 0] - 0.4) ** 2 + 0.3 * x[:, 1],
    "a cliff in a": lambda x: 3.0 * (x[:, 0] > 0.8) + x[:, 1],
    "success, a boundary": lambda x: 1 / (1 + np.exp(-12 * (x[:, 0] - 0.5) - 4 * (x[:, 1] - 0.5))),
    "success, a corner": lambda x: 1 / (1 + np.exp(-14 * (np.minimum(x[:, 0], x[:, 1]) - 0.6))),
}


def drawn(rounds: int) -> None:
    """Print how often shares of axes are covered where places are drawn at random; c has no effect."""
    title = "Importance of three axes, places drawn at random, four ranges an axis; c has no effect"
    columns = ["function", "places", "seeds", "a covered", "b covered", "c covered", "true shares", "mean shares"]
    table = Table(title, columns)
    space = np.random.default_rng(0).random((400_000, 3))
    for (name, function), k, n in itertools.product(DRAWN.items(), (12, 20, 50, 200), (5, 20)):
        everywhere, truth = function(space), []
        for axis in range(3):
            ranges = (4 * space[:, axis]).astype(int)
            means = np.bincount(ranges, everywhere) / np.bincount(ranges)
            truth.append(float(np.var(means[ranges]) / np.var(everywhere)))
        hits, shares = np.zeros(3, dtype=int), np.zeros(3)
        for j in range(rounds):
            rng = np.random.default_rng([j, k, n])
            x = rng.random((k, 3))
            y, size = function(x), (n, k)
            seen = rng.random(size) < y if name.startswith("success") else y + 0.5 * rng.normal(size=size)
            places = [dict(zip("abc", row.tolist(), strict=True)) for row in x]
            found = drawn_importance(places, seen, better="higher", n_resamples=399)[0].values()
            hits += [one.low - 1e-3 <= true <= one.high + 1e-3 for one, true in zip(found, truth, strict=True)]
            shares += [one.share for one in found]
        shown = (share(int(hit), rounds) for hit in hits)
        told = [", ".join(f"{value:.2f}" for value in values) for values in (truth, shares / rounds)]
        table.row(name, k, n, *shown, *told)
    table.end()


def components(rounds: int) -> None:
    """Print how often variance components are covered."""
    title = "Variance components 1, 0.25 and 0 of three crossed factors, and a remainder of 1"
    table = Table(
        title, ["levels", "runs kept", "effects", "first", "second", "third (0)", "remainder", "mean estimates"]
    )
    truth = np.array([1.0, 0.25, 0.0, 1.0])
    for levels, keep, effects in itertools.product(
        ((4, 4, 4), (8, 8, 8)), (1.0, 0.4), ("normal", "exponential", "lognormal")
    ):
        hits, estimates = np.zeros(4, dtype=int), []
        for j in range(rounds):
            found, values = _components(levels, keep, effects, np.random.default_rng([j, levels[0]]))
            hits += [low <= true <= high for (low, high), true in zip(found, truth, strict=True)]
            estimates.append(values)
        means = ", ".join(f"{mean:.2f}" for mean in np.mean(estimates, axis=0))
        name = " x ".join(map(str, levels))
        table.row(name, f"{100 * keep:.0f} %", effects, *(share(int(hit), rounds) for hit in hits), means)
    table.end()


def _components(
    levels: tuple[int, ...], keep: float, effects: str, rng: np.random.Generator
) -> tuple[list[tuple[float, float]], list[float]]:
    """Return intervals and estimates for one drawn design."""
    rows = np.array(list(itertools.product(*(range(n) for n in levels))))
    rows = rows[rng.random(len(rows)) < keep]

    def draw(n: int) -> Array:
        if effects == "normal":
            return rng.normal(size=n)
        if effects == "exponential":
            return rng.exponential(size=n) - 1.0
        return np.asarray((rng.lognormal(0, 1, n) - math.exp(0.5)) / 2.161)

    y = draw(len(rows)) + draw(levels[0])[rows[:, 0]] + 0.5 * draw(levels[1])[rows[:, 1]]
    found = crossed_components({name: rows[:, i].tolist() for i, name in enumerate("abc")}, y, n_draws=2000)
    parts = [*found.factors, found.remainder]
    return [(part.low, part.high) for part in parts], [part.estimate for part in parts]


def small_studies(rounds: int) -> None:
    """Print how often the chance of what a study of 5 runs shows is covered."""
    title = "The chance that a study of 5 runs shows the better one ahead"
    table = Table(title, ["data", "truth", "seeds", "covered", "mean width"])
    normal = 0.5 * (1 + math.erf(0.5 * math.sqrt(5 / 2) / math.sqrt(2)))
    win, tie = 0.35, 0.5  # of 50 % and 70 %, independent: only a 0.35, only b 0.15
    paths = [(w, t, 5 - w - t) for w in range(6) for t in range(6 - w)]
    rate = sum(
        math.factorial(5) / math.prod(map(math.factorial, path)) * win ** path[0] * tie ** path[1] * 0.15 ** path[2]
        for path in paths
        if path[0] > path[2]
    )
    for name, truth in (("normal, 0.5 sd, unpaired", normal), ("success 70 % and 50 %, paired", rate)):
        for n in (20, 100, 500):
            hits, widths = 0, []
            for j in range(rounds):
                rng = np.random.default_rng([j, n])
                if name.startswith("normal"):
                    a, b = rng.normal(size=n), rng.normal(0.5, 1, size=n)
                    found = order_chance(a, b, 5, paired=False, seed=j, n_studies=2000)
                else:
                    found = order_chance(rng.random(n) < 0.7, rng.random(n) < 0.5, 5, "higher", "rate", seed=j)
                hits += found.interval.low <= truth <= found.interval.high
                widths.append(found.interval.high - found.interval.low)
            table.row(name, f"{truth:.3f}", n, share(hits, rounds), f"{np.mean(widths):.2f}")
    table.end()


def wins(rounds: int) -> None:
    """Print how often the probability of being better is covered."""
    table = Table("The probability that a beats b, ties half", ["wins, ties, losses", "seeds", "covered"])
    for shares, n in itertools.product(((0.5, 0.0, 0.5), (0.3, 0.5, 0.2), (0.9, 0.08, 0.02)), (6, 20, 100)):
        rng, truth = np.random.default_rng(n), shares[0] + shares[1] / 2
        drawn = (prob_better(rng.choice(3, n, p=shares), np.ones(n)) for _ in range(10 * rounds))
        table.row(shares, n, share(sum(w.low <= truth <= w.high for w in drawn), 10 * rounds))
    table.end()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parts = {part.__name__: part for part in (importance, successes, drawn, components, small_studies, wins)}
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(parts)}; all, if none is named")
    args = parser.parse_args()
    write(f"{args.rounds} rounds of each kind, level 95 %")
    if unknown := sorted(set(args.parts) - set(parts)):
        parser.error(f"there is no part {', '.join(unknown)}")
    for part in [parts[name] for name in args.parts] or parts.values():
        part(args.rounds)


if __name__ == "__main__":
    main()
