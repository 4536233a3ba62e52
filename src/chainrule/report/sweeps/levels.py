"""The values of an axis as figures need them: their names, on a scale where they are numbers, in ranges where many."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.experiments.recipes.words import axis_word
from chainrule.experiments.sweeps.summary import GroupSummary, SweepSummary, summarise_group
from chainrule.report.sweeps.words import level_word

MOST_LEVELS = 24
"""Values of an axis that are shown one by one; numbers beyond that are put together in ranges."""

RANGES = 8
LOG_RATIO = 20.0
"""Ratio of the largest to the smallest of few values from which on a scale is logarithmic."""


@dataclass(frozen=True)
class Levels:
    """An axis cut into levels.

    Attributes
    ----------
    axis, name : str
        Its dotted key and its word.
    labels : tuple of str
        A name per level.
    codes : ndarray (cells,)
        Each cell's level; -1 for cells that are in none (many values that are no numbers).
    ranges : bool
        Whether levels are ranges of values.
    """

    axis: str
    name: str
    labels: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    ranges: bool = False


def levels_of(summary: SweepSummary, axis: str, most: int = MOST_LEVELS) -> Levels:
    """Return an axis's values as levels, in the order of the grid, or in rising ranges where they are many numbers."""
    values = [cell.place.get(axis) for cell in summary.cells]
    distinct = list(dict.fromkeys(values))
    if len(distinct) > most and (numbers := numbers_of(values)) is not None:
        return _ranges(axis, numbers)
    distinct = [distinct[k] for k in rising(distinct)]
    place = {value: k for k, value in enumerate(distinct[:most])}
    codes = np.array([place.get(value, -1) for value in values], dtype=np.int64)
    return Levels(axis, axis_word(axis), tuple(level_word(value) for value in place), codes)


def rising(values: list[Any]) -> list[int]:
    """Return the places of values in rising order if all are numbers, else as they are: samplers try in any order."""
    numbers = numbers_of(values)
    if numbers is None or np.isnan(numbers).any():
        return list(range(len(values)))
    return [int(k) for k in np.argsort(numbers, kind="stable")]


def groups_of(summary: SweepSummary, axis: str) -> list[tuple[str, GroupSummary]]:
    """Return the groups by an axis with their names: a group a value, or a range where values are many."""
    groups = summary.group_by(axis)
    if len(groups) <= MOST_LEVELS:
        return [(level_word(groups[k].value), groups[k]) for k in rising([group.value for group in groups])]
    levels = levels_of(summary, axis)
    found = []
    for place, label in enumerate(levels.labels):
        cells = [int(k) for k in np.flatnonzero(levels.codes == place) if summary.cells[k].pruned_after is None]
        if cells:
            found.append((label, summarise_group(summary, label, cells)))
    return found


def numbers_of(values: list[Any]) -> npt.NDArray[np.float64] | None:
    """Return values as numbers (single widths too), NaN for cells without the axis; None if one is no number."""
    out = []
    for value in values:
        plain = value[0] if isinstance(value, tuple) and len(value) == 1 else value
        if plain is None:
            out.append(math.nan)
        elif isinstance(plain, int | float) and not isinstance(plain, bool):
            out.append(float(plain))
        else:
            return None
    return np.array(out, dtype=np.float64)


def is_log(values: npt.NDArray[np.float64]) -> bool:
    """Whether numbers are spread as on a logarithmic scale: far apart, and more evenly in ratios than in steps."""
    there = np.unique(values[np.isfinite(values)])
    if len(there) < 2 or there[0] <= 0 or there[-1] / there[0] < LOG_RATIO:
        return False
    if len(there) == 2:
        return True
    steps, ratios = np.diff(there), np.diff(np.log(there))
    return bool(ratios.std() / ratios.mean() < steps.std() / steps.mean())


def _ranges(axis: str, numbers: npt.NDArray[np.float64]) -> Levels:
    """Cut numbers into ranges of equal width, of equal ratio where they are spread so."""
    there = numbers[np.isfinite(numbers)]
    low, high = float(there.min()), float(there.max())
    log = is_log(numbers)
    edges = np.geomspace(low, high, RANGES + 1) if log else np.linspace(low, high, RANGES + 1)
    codes = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, RANGES - 1)
    codes = np.where(np.isfinite(numbers), codes, -1)
    labels = tuple(f"{a:.2g}–{b:.2g}" for a, b in itertools.pairwise(edges))
    return Levels(axis, axis_word(axis), labels, codes.astype(np.int64), ranges=True)
