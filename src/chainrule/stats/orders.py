"""The chance that a small study shows several settings in a claimed order, whatever the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import ConfigError, ShapeError
from chainrule.random import stream
from chainrule.stats.audit import Chance, Shown, order_chance
from chainrule.stats.intervals import Interval, Sample, Values, check_level
from chainrule.stats.sequential import Better, as_worst

STUDIES, RESAMPLES, STUDIES_EACH = 20_000, 400, 1000


def chain_chance(
    samples: Sequence[Values],
    runs: int,
    better: Better = "lower",
    statistic: Shown = "mean",
    paired: bool = True,
    level: float = 0.95,
    seed: int = 0,
) -> Chance:
    """Return the chance that a study of `runs` seeds shows the first better than the second, that than the third, ...

    For two settings this is `chainrule.stats.audit.order_chance`; for more, studies are drawn as there, `reversed` is
    the chance of the order the other way round, and `ties` that of everything else.

    Parameters
    ----------
    samples : sequence of sequences of float
        The quantity of each setting for seed 1, 2, ..., claimed best first; equal lengths where `paired`.
    runs, better, statistic, paired, level, seed
        As for `order_chance`.
    """
    check_level(level)
    if len(samples) < 2:
        raise ConfigError("an order needs at least two settings")
    if len(samples) == 2:
        return order_chance(samples[0], samples[1], runs, better, statistic, paired, level, seed)
    for one in samples[1:]:  # the checks of two, for each pair with the first
        order_chance(samples[0], one, runs, better, statistic, paired, level, seed, n_studies=1)
    sign = 1.0 if better == "higher" else -1.0
    columns = [sign * as_worst(one, better) for one in samples]
    if paired and len({len(column) for column in columns}) > 1:
        raise ShapeError("a paired study needs lists of equal length")
    rng = stream(seed, "bootstrap")
    point = _drawn(columns, runs, statistic, paired, rng, STUDIES)
    spread = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(columns[0]), len(columns[0]))
        again = [c[rows if paired else rng.integers(0, len(c), len(c))] for c in columns]
        spread.append(_drawn(again, runs, statistic, paired, rng, STUDIES_EACH)[0])
    low, high = np.quantile(spread, [0.5 - level / 2, 0.5 + level / 2])
    n = min(map(len, columns))
    seen = ((0.5 - level / 2) ** (1.0 / n)) ** (runs if paired else runs * len(columns))
    interval = Interval(min(float(low), point[0] * seen), max(float(high), 1.0 - (1.0 - point[0]) * seen), level)
    return Chance(point[0], point[1], 1.0 - point[0] - point[1], interval, runs, n, paired, False, statistic)


def _drawn(
    columns: Sequence[Sample], runs: int, statistic: str, paired: bool, rng: np.random.Generator, number: int
) -> tuple[float, float]:
    """Return the shares of drawn studies that show the order, and the order reversed."""
    compute = np.median if statistic == "median" else np.mean
    rows = rng.integers(0, len(columns[0]), size=(number, runs))
    with np.errstate(invalid="ignore"):
        centres = np.column_stack(
            [
                compute(column[rows if paired else rng.integers(0, len(column), size=(number, runs))], axis=1)
                for column in columns
            ]
        )
        steps = centres[:, :-1] - centres[:, 1:]
        slack = 1e-12 * np.maximum(np.abs(centres[:, :-1]), np.abs(centres[:, 1:]))
        slack = np.where(np.isfinite(slack), slack, 0.0)
        return float(np.mean((steps > slack).all(axis=1))), float(np.mean((steps < -slack).all(axis=1)))
