"""Which axis matters, where the cells of a sweep are places drawn at random instead of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.random import stream
from chainrule.stats.flips import Table
from chainrule.stats.importance import Codes, Importance, axis_codes, cell_scores, expanded_tail
from chainrule.stats.sequential import Better

RANGES = 4
"""Ranges into which the values of an axis are put together, if there are more."""
LEAST_CELLS = 3
"""Cells per range or value, on average; an axis that has fewer is left out."""
DRAWN = "Places were drawn at random: what the luck of that draw adds is taken off, and the intervals are over places"


def drawn_importance(
    places: Sequence[Mapping[str, object]],
    table: npt.ArrayLike,
    level: float = 0.95,
    better: Better = "lower",
    seed: int = 0,
    n_resamples: int = 999,
) -> tuple[dict[str, Importance], dict[str, str]]:
    """Return what part of the variance between places drawn at random each axis explains by itself.

    Nearly every place has values of its own, and its values on all other axes are drawn as well. Numbers are therefore
    put together in four ranges with as many places each, and what luck puts between b ranges of k places is taken off:
    (SSB - (b - 1) MSW) / SST of the one-way analysis of variance of the places' means (Kelley 1935), where SST is
    without the luck of the seeds. The intervals are expanded percentiles (Hesterberg 2015) over resampled places, cut
    into ranges anew, with the correction made once more for the resampling.

    Parameters
    ----------
    places : sequence of mapping of str to object
        Axis and value of each place, k of them.
    table : array (n_seeds, k)
        A row a seed, a column a place. NaN and infinities count as the worst finite value in the table.
    level : float
        Confidence of the intervals.
    better : "lower" or "higher"
        Which values are better; it only says what the worst is.
    seed, n_resamples : int
        Of the resampling of places.

    Returns
    -------
    dict of str to Importance
        By axis; without total shares, which places that differ in everything cannot show.
    dict of str to str
        The axes that were left out, with the reason.
    """
    scores = cell_scores(places, table, level, better)
    k = scores.shape[1]
    draws = stream(seed, "bootstrap").integers(0, k, size=(n_resamples, k))
    found, left = {}, {}
    for axis, codes in axis_codes(places).items():
        n_values = int(codes.max()) + 1
        if n_values == 1:
            continue
        numbers = _numbers([place.get(axis) for place in places]) if n_values > RANGES else None
        groups = n_values if numbers is None else RANGES
        if k < LEAST_CELLS * groups:
            what = f"{n_values} values" if numbers is None else f"{RANGES} ranges of its {n_values} values"
            left[axis] = f"{k} places drawn at random are too few for {what}"
            continue
        share, low, high = _interval(scores, codes if numbers is None else numbers, numbers is not None, draws, level)
        nan = float("nan")
        ranges = 0 if numbers is None else RANGES
        found[axis] = Importance(share, low, high, nan, nan, nan, level, n_values, DRAWN, ranges)
    return found, left


def _numbers(values: Sequence[object]) -> npt.NDArray[np.float64] | None:
    """Return the values of an axis as numbers; None if some are none, or a place lacks the axis."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return np.array(numbers, dtype=np.float64) if len(numbers) == len(values) else None


def _interval(
    scores: Table, values: Codes | npt.NDArray[np.float64], cut: bool, draws: Codes, level: float
) -> tuple[float, float, float]:
    """Return the share of an axis and its interval; `cut` puts its values together in ranges."""
    n, k = scores.shape
    means = scores.mean(axis=0)
    residuals = scores - scores.mean(axis=1, keepdims=True) - means + means.mean()
    luck = np.sum(residuals**2, axis=0) / (n * (n - 1))  # of the seeds, in each place's mean

    def parts(chosen: Codes, corrections: int) -> Table:
        if cut:
            chosen = np.take_along_axis(chosen, np.argsort(values[chosen], axis=1, kind="stable"), axis=1)
            groups = np.broadcast_to(np.arange(k) * RANGES // k, chosen.shape)
        else:
            groups = values[chosen].astype(np.int64)
        return _parts(means[chosen], luck[chosen], groups, corrections)

    share = float(parts(np.arange(k)[None, :], 1)[0])
    if np.isnan(share):
        return 0.0, 0.0, 1.0  # no difference between places was seen, so nothing is known of what makes it
    spread = np.nan_to_num(parts(draws, 2), nan=0.0)
    tail = expanded_tail(k, level)
    low, high = np.quantile(spread, [tail, 1.0 - tail])
    share, low, high = np.clip([share, min(low, share), max(high, share)], 0.0, 1.0)
    return float(share), float(low), float(high)


def _parts(means: Table, luck: Table, groups: Codes, corrections: int) -> Table:
    """Return the share of the variance of means (m, k) that goes with their groups (m, k); NaN where there is none."""
    centred = means - means.mean(axis=1, keepdims=True)
    whole = np.sum(centred**2, axis=1)
    between, n_groups = np.zeros(len(means)), np.zeros(len(means))
    for group in range(int(groups.max()) + 1):
        inside = groups == group
        sizes = inside.sum(axis=1)
        n_groups += sizes > 0
        between += np.sum(centred * inside, axis=1) ** 2 / np.maximum(sizes, 1)
    within = (whole - between) / np.maximum(means.shape[1] - n_groups, 1)
    true = whole - luck.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (between - corrections * (n_groups - 1) * within) / true
    return np.where(true > 1e-12 * whole, part, np.nan)
