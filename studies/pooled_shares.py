"""Intervals of a success rate that pools several settings: how often they cover the truth.

python -m studies.pooled_shares [--studies 2000]
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from chainrule.stats.intervals import share_interval
from studies._table import Table

FAMILIES = (
    (0.5,) * 3,
    (0.02, 0.02, 0.98),
    (0.9, 0.95, 0.99),
    (0.0, 0.0, 0.3),
    (0.01,) * 4,
    (0.1, 0.5, 0.9, 0.95, 0.99),
    (0.7,) * 8,
    (0.03,) * 8,
)
"""Success rates of the settings that are pooled."""

SEEDS = (6, 12, 20, 60)


def shares(
    rng: np.random.Generator, rates: tuple[float, ...], shape: tuple[int, int], together: bool
) -> npt.NDArray[np.float64]:
    """Draw each seed's share of settings that succeed (studies, seeds); `together`: a lucky seed is lucky for all."""
    tries = rng.random((*shape, 1 if together else len(rates)))
    return np.asarray((tries < np.array(rates)).mean(axis=2), dtype=np.float64)


def student(x: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of Student's interval of the mean."""
    reach = float(t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return float(x.mean()) - reach, float(x.mean()) + reach


def coverage(rng: np.random.Generator, rates: tuple[float, ...], n: int, together: bool, n_studies: int) -> str:
    """Return how often our interval covers the truth, and in brackets how often Student's does."""
    truth = float(np.mean(rates))
    drawn = shares(rng, rates, (n_studies, n), together)
    ours = [share_interval(x) for x in drawn]
    held = np.mean([one.low <= truth <= one.high for one in ours])
    plain = np.mean([low <= truth <= high for low, high in map(student, drawn)])
    return f"{100 * held:.1f} % ({100 * plain:.1f} %)"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    n_studies, rng = parser.parse_args().studies, np.random.default_rng(7)
    heads = ("success rates", "seeds succeed", *(f"{n} seeds (Student's)" for n in SEEDS))
    table = Table("Coverage of 95 % intervals of a pooled success rate", heads)
    for rates in FAMILIES:
        told = ", ".join(f"{rate:g}" for rate in dict.fromkeys(rates)) + f" ({len(rates)} settings)"
        for together in (False, True):
            cells = [coverage(rng, rates, n, together, n_studies) for n in SEEDS]
            table.row(told, "together" if together else "apart", *cells)
    table.end()


if __name__ == "__main__":
    main()
