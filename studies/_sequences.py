"""When sequences come to which verdict, for thousands of them at once.

The classes of `chainrule.stats.sequential` find intervals; a verdict only asks whether certain points have been given
up. So each sequence is judged by the bettors against those points, after every single observation. That the classes
say the same is a test (tests/stats/test_studies.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.stats.betting import critical_wins, log_capital

Array = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Verdicts:
    """After how many observations each sequence said what, `NEVER` if it did not; only the first verdict counts.

    Attributes
    ----------
    above, below, equal : array (n_sequences,)
        That the centre is above 0, below 0, or within the margin.
    """

    above: Times
    below: Times
    equal: Times

    @property
    def first(self) -> Times:
        """After how many observations there was a verdict."""
        return np.minimum(np.minimum(self.above, self.below), self.equal)

    def count(self, *names: str) -> int:
        """Return how many sequences first said one of these; "equal" goes before the others."""
        said = np.where(self.equal == self.first, "equal", np.where(self.above <= self.below, "above", "below"))
        return int(np.sum(np.isin(said, names) & (self.first < NEVER)))


def mean_verdicts(differences: Array, margin: float = 0.0, level: float = 0.95, low: float = -1.0) -> Verdicts:
    """Return the verdicts of a `MeanSequence(low, -low)` with margin on each row of differences (m, n)."""
    parts = [
        _mean_verdicts(rows, margin, level, low) for rows in np.array_split(differences, -(-len(differences) // 200))
    ]
    return Verdicts(*(np.concatenate(times) for times in zip(*parts, strict=True)))


def _mean_verdicts(differences: Array, margin: float, level: float, low: float) -> tuple[Times, Times, Times]:
    """Return the verdicts of some rows."""
    units = (differences - low) / (-2.0 * low)
    limit = np.log(2.0 / (1.0 - level))

    def exceeds(values: Array, point: float) -> Times:
        return _first(log_capital(values, (point - low) / (-2.0 * low)) >= limit)

    above, below = exceeds(units, 0.0), exceeds(1.0 - units, 0.0)
    if margin == 0.0:
        return above, below, np.full(len(units), NEVER)
    return above, below, np.maximum(exceeds(units, -margin), exceeds(1.0 - units, -margin))


def median_verdicts(differences: Array, margin: float = 0.0, level: float = 0.95) -> Verdicts:
    """Return the verdicts of a `MedianSequence` with margin on each row of differences (m, n)."""
    needed = np.array([critical_wins(n, level) for n in range(1, differences.shape[1] + 1)])

    def exceeds(wins: npt.NDArray[np.bool_]) -> Times:
        return _first(np.cumsum(wins, axis=1) >= needed)

    above, below = exceeds(differences > 0), exceeds(differences < 0)
    if margin == 0.0:
        return Verdicts(above, below, np.full(len(differences), NEVER))
    return Verdicts(above, below, np.maximum(exceeds(differences >= -margin), exceeds(differences <= margin)))


def paired_verdicts(differences: Array, margin: float = 0.0, level: float = 0.95) -> Verdicts:
    """Return the verdicts of a `PairedSequence` with margin on each row of differences (m, n)."""
    signs = mean_verdicts(np.sign(differences), 0.0, level)
    return Verdicts(signs.above, signs.below, median_verdicts(differences, margin, level).equal)


JUDGES = {"mean": mean_verdicts, "median": median_verdicts, "paired": paired_verdicts}
"""By name of the sequence: what judges the rows of an array of differences, with a margin."""


def naive_verdicts(differences: Array, at_least: int = 6) -> Verdicts:
    """Return the verdicts of the usual 95 % interval (normal, of the mean), looked at after every observation."""
    n = np.arange(1, differences.shape[1] + 1)
    centre = np.cumsum(differences, axis=1) / n
    spread = np.maximum(np.cumsum(differences**2, axis=1) / n - centre**2, 0.0)
    half = 1.96 * np.sqrt(spread / np.maximum(n - 1, 1))
    seen = n >= at_least
    never = np.full(len(differences), NEVER)
    return Verdicts(_first((centre > half) & seen), _first((centre < -half) & seen), never)


def _first(holds: npt.NDArray[np.bool_]) -> Times:
    """Return after how many observations a row first holds."""
    return np.where(holds.any(axis=1), holds.argmax(axis=1) + 1, NEVER)
