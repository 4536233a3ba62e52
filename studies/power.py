"""What safe peeking costs: how soon known effects are seen, next to a test whose size was fixed beforehand.

python -m studies.power [--comparisons 1000] [--seeds 5000]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, ttest_1samp

from studies._sequences import JUDGES, NEVER, Times
from studies._table import Table, write
from studies.false_verdicts import accuracy, success

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]


def normal(shift: float) -> Draw:
    """Draw normal differences whose mean is `shift` standard deviations."""
    return lambda rng, shape: rng.normal(shift, 1.0, shape)


def lognormal(factor: float) -> Draw:
    """Draw differences of lognormal losses (sigma 1), one `factor` times the other."""
    return lambda rng, shape: factor * rng.lognormal(0, 1, shape) - rng.lognormal(0, 1, shape)


def narrow(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences of accuracies that are 0.005 on average with a standard deviation of 0.01."""
    return np.clip(rng.normal(0.005, 0.01, shape), -1, 1)


def stepped(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw the same in steps of 1/150: a quarter are ties."""
    return np.round(narrow(rng, shape) * 150) / 150


def moved(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draw differences of accuracies of 150 samples, one in ten stuck at a third, and add 0.02."""
    return np.clip(accuracy(rng, shape) + 0.02, -1, 1)


EFFECTS: dict[str, tuple[str, Draw]] = {
    "success 50 % and 80 %": ("mean", success(0.8, 0.5)),
    "success 50 % and 70 %": ("mean", success(0.7, 0.5)),
    "success 50 % and 60 %": ("mean", success(0.6, 0.5)),
    "success 50 % and 55 %": ("mean", success(0.55, 0.5)),
    "success 90 % and 100 %": ("mean", success(1.0, 0.9)),
    "success 90 % and 95 %": ("mean", success(0.95, 0.9)),
    "success 97 % and 99 %": ("mean", success(0.99, 0.97)),
    "accuracy, 0.02 apart, some stuck, mean": ("mean", moved),
    "accuracy, 0.02 apart, some stuck, signs": ("paired", moved),
    "accuracy, 0.005 apart (sd 0.01), mean": ("mean", narrow),
    "accuracy, 0.005 apart (sd 0.01), signs": ("paired", narrow),
    "the same in steps of 1/150, mean": ("mean", stepped),
    "the same in steps of 1/150, median": ("median", stepped),
    "the same in steps of 1/150, signs": ("paired", stepped),
    "normal, 1 sd": ("paired", normal(1.0)),
    "normal, 0.5 sd": ("paired", normal(0.5)),
    "normal, 0.2 sd": ("paired", normal(0.2)),
    "lognormal losses, 1.5 times": ("paired", lognormal(1.5)),
    "lognormal losses, 1.1 times": ("paired", lognormal(1.1)),
}

NO_EFFECT: dict[str, tuple[str, float, Draw]] = {
    "success, both 50 %": ("mean", 0.1, success(0.5)),
    "success, both 50 %, closer": ("mean", 0.05, success(0.5)),
    "success, both 95 %": ("mean", 0.05, success(0.95)),
    "success, both 100 %": ("mean", 0.01, success(1.0)),
    "accuracy of 150 samples, some stuck, mean": ("mean", 0.02, accuracy),
    "accuracy of 150 samples, some stuck, median": ("paired", 0.02, accuracy),
    "normal": ("paired", 0.2, normal(0.0)),
}

SIZES = (20, 50, 100, 200, 500, 1000, 2000, 5000)


def fixed_test(differences: Array, kind: str, success_like: bool) -> float:
    """Return how often the usual two-sided 5 % test of the first n (all columns) finds the effect.

    McNemar's exact test for successes, the t test for other means, the exact sign test for medians.
    """
    if kind == "mean" and not success_like:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # six equal differences have no t statistic: no finding
            p = np.asarray(ttest_1samp(differences, 0.0, axis=1).pvalue)
        return float(np.mean((p <= 0.05) & (differences.mean(axis=1) > 0)))
    wins, losses = np.sum(differences > 0, axis=1), np.sum(differences < 0, axis=1)
    p = 2 * binom.cdf(np.minimum(wins, losses), wins + losses, 0.5)
    return float(np.mean((p <= 0.05) & (wins > losses)))


def fixed_size(differences: Array, kind: str, success_like: bool, power: float) -> int | None:
    """Return the smallest n, on a grid with steps of a twentieth, at which the fixed test has this power."""
    sizes = np.unique(np.geomspace(6, differences.shape[1], 140).astype(int))
    found = [n for n in sizes if fixed_test(differences[:, :n], kind, success_like) >= power]
    return int(found[0]) if found else None


def quantile(times: Times, share: float) -> str:
    """Write by when this share of the sequences had a verdict."""
    at = np.sort(times)[int(np.ceil(share * len(times))) - 1]
    return "-" if at == NEVER else f"{at:,}"


def plug_in_times(differences: Array, level: float = 0.95) -> Times:
    """Return when the predictable plug-in bettor of Waudby-Smith and Ramdas (their theorem 3) gives up 0: the rival."""
    units = (differences + 1.0) / 2.0
    n = np.arange(1, units.shape[1] + 1)
    centre = (0.5 + np.cumsum(units, axis=1)) / (n + 1)
    spread = (0.25 + np.cumsum((units - centre) ** 2, axis=1)) / (n + 1)
    before = np.concatenate([np.full((len(units), 1), 0.25), spread[:, :-1]], axis=1)
    bets = np.minimum(np.sqrt(2 * np.log(2 / (1 - level)) / (before * n * np.log1p(n))), 1.0)  # 1/2 of 1/m at m = 1/2
    rich = [np.cumsum(np.log1p(side * bets * (units - 0.5)), axis=1) >= np.log(2 / (1 - level)) for side in (1, -1)]
    holds = rich[0] | rich[1]
    return np.where(holds.any(axis=1), holds.argmax(axis=1) + 1, NEVER)


def power_table(comparisons: int, seeds: int) -> None:
    """Print how many seeds known effects need."""
    columns = ["effect", "sequence", *(f"{n:,}" for n in SIZES if n <= seeds), "half by", "80 % by", "wrong"]
    table = Table(
        "Share of comparisons decided by so many seeds; when half and 80 % were; the same for a fixed test",
        [*columns, "fixed: 50 %", "fixed: 80 %", "plug-in: half by"],
    )
    for i, (name, (kind, draw)) in enumerate(EFFECTS.items()):
        differences = draw(np.random.default_rng(3000 + i), (comparisons, seeds))
        verdicts = JUDGES[kind](differences)
        by = [f"{100 * np.mean(verdicts.first <= n):.0f} %" for n in SIZES if n <= seeds]
        wrong = verdicts.count("below")
        fixed = [fixed_size(differences, kind, "success" in name, power) for power in (0.5, 0.8)]
        shown = ["-" if n is None else f"{n:,}" for n in fixed]
        rival = quantile(plug_in_times(differences), 0.5) if kind == "mean" else ""
        half, most = quantile(verdicts.first, 0.5), quantile(verdicts.first, 0.8)
        table.row(name, kind, *by, half, most, wrong, *shown, rival)
    table.end()


def equality_table(comparisons: int, seeds: int) -> None:
    """Print how many seeds it takes to show that there is no difference that matters."""
    columns = ["data", "sequence", "margin", "equal", "half by", "80 % by", "better or worse"]
    table = Table("No effect: verdicts of practical equality", columns)
    for i, (name, (kind, margin, draw)) in enumerate(NO_EFFECT.items()):
        verdicts = JUDGES[kind](draw(np.random.default_rng(4000 + i), (comparisons, seeds)), margin)
        equal = f"{100 * verdicts.count('equal') / comparisons:.0f} %"
        half, most = quantile(verdicts.equal, 0.5), quantile(verdicts.equal, 0.8)
        table.row(name, kind, margin, equal, half, most, verdicts.count("above", "below"))
    table.end()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5000)
    args = parser.parse_args()
    write(f"{args.comparisons} comparisons of each kind, looked at after every seed, level 95 %")
    power_table(args.comparisons, args.seeds)
    equality_table(args.comparisons, args.seeds)


if __name__ == "__main__":
    main()
