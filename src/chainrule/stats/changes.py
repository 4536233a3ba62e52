"""How much of the variance one source brings when nothing else changes: pairs of runs that differ in it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError
from chainrule.random import stream
from chainrule.stats.intervals import Values, check_level, sample

MIN_PAIRS = 10


@dataclass(frozen=True)
class ChangedShare:
    """The share of the variance that is left when everything but one source is held, with its interval."""

    share: float
    low: float
    high: float
    n: int
    level: float = 0.95


def changed_share(a: Values, b: Values, level: float = 0.95, seed: int = 0, n_resamples: int = 4999) -> ChangedShare:
    """Return the total effect of a source: half the mean squared difference of pairs, as a share of the variance.

    Two runs that share all other sources differ by what this one does, alone and together with them (the total Sobol
    index in the form of Jansen 1999): 0 if it does not matter, 1 if nothing else does.

    Parameters
    ----------
    a, b : sequence of float
        The quantity of each run and of its partner in which only the source has another value; finite.
    level : float
        Confidence of the interval: percentiles of the share over resampled pairs.
    seed, n_resamples : int
        Of the resampling.

    Raises
    ------
    DataError
        If there are fewer than 10 pairs, or values that are not finite.
    """
    check_level(level)
    x, y = sample(a), sample(b)
    if x.shape != y.shape:
        raise ShapeError(f"pairs are lists of equal length, got shapes {x.shape} and {y.shape}")
    if len(x) < MIN_PAIRS or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError(f"a share of the variance needs at least {MIN_PAIRS} pairs of finite values")
    rows = stream(seed, "bootstrap").integers(0, len(x), size=(n_resamples, len(x)))
    low, high = np.quantile(_share(x[rows], y[rows]), [0.5 - level / 2, 0.5 + level / 2])
    return ChangedShare(float(_share(x, y)), float(low), float(high), len(x), level)


def _share(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the share over the last axis; 0 where nothing varies at all."""
    half = np.mean((x - y) ** 2, axis=-1) / 2
    both = np.concatenate([x, y], axis=-1)
    variance = np.var(both, axis=-1)
    return np.asarray(np.where(variance > 0, half / np.where(variance > 0, variance, 1.0), 0.0), dtype=np.float64)
