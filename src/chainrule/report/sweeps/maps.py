"""Maps over two axes: the probability of success with its interval, or the median of a metric."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.experiments.recipes.words import axis_word
from chainrule.experiments.sweeps.summary import GroupSummary, SweepSummary, summarise_group
from chainrule.report.records import HeatmapFigure, RateMapFigure
from chainrule.report.sweeps.choice import told_apart
from chainrule.report.sweeps.levels import Levels, levels_of
from chainrule.report.sweeps.tables import status_of
from chainrule.report.sweeps.words import count, level_text, listed, middle_text, place_words

MOST_MAPS = 6
"""Pairs of axes that are drawn, those of the most important axes first."""

FULL = 0.2
"""Share of a map's places that must hold cells: maps of scattered trials would be mostly holes."""


@dataclass(frozen=True)
class _Place:
    """The cells at one place of a map, and what they showed together."""

    cells: tuple[int, ...]
    told: GroupSummary | None


def map_figures(summary: SweepSummary) -> list[RateMapFigure | HeatmapFigure]:
    """Return maps for pairs of axes, at most `MOST_MAPS`; none where fewer than two axes vary.

    Where more than two vary, the first map holds the others fixed at the best cell's values.
    """
    order = summary.by_importance()
    figures = [_map(summary, order[0], order[1], at_best=True)] if len(order) > 2 else []
    pairs = sorted(itertools.combinations(range(len(order)), 2), key=lambda pair: (pair[1], pair[0]))
    for a, b in pairs[:MOST_MAPS]:
        figures.append(_map(summary, order[a], order[b]))
    return [figure for figure in figures if figure is not None]


def maps_left_out(summary: SweepSummary) -> str:
    """Say how many pairs of axes have no map; empty if all have."""
    pairs = len(summary.axes) * (len(summary.axes) - 1) // 2
    left = pairs - MOST_MAPS
    return f"{count(left, 'pair')} of {pairs} pairs of axes are not drawn: the less important ones." if left > 0 else ""


def _map(summary: SweepSummary, first: str, second: str, at_best: bool = False) -> RateMapFigure | HeatmapFigure | None:
    """Draw one pair of axes: the one with more values across; None for a map that would be mostly holes.

    With `at_best`, of the cells that agree with the best one in all other axes.
    """
    chosen = _like_the_best(summary, {first, second}) if at_best else np.ones(len(summary.cells), dtype=bool)
    one, two = levels_of(summary, first), levels_of(summary, second)
    across, down = (one, two) if len(one.labels) >= len(two.labels) else (two, one)
    with_runs = np.array([cell.n > 0 for cell in summary.cells])
    places: list[list[_Place]] = []
    for row in range(len(down.labels)):
        line = []
        for column in range(len(across.labels)):
            there = np.flatnonzero((down.codes == row) & (across.codes == column) & chosen)
            alive = [int(k) for k in there if with_runs[k]]
            alive = [] if len(there) == 1 and summary.cells[there[0]].pruned_after is not None else alive
            line.append(_Place(tuple(int(k) for k in there), summarise_group(summary, None, alive) if alive else None))
        places.append(line)
    filled = np.mean([[with_runs[list(place.cells)].any() for place in line] for line in places])
    if filled < FULL:
        return None
    pooled = any(len(place.cells) > 1 for line in places for place in line)
    caption = _caption(summary, across, down, pooled, at_best)
    draw = _rates if summary.criterion.is_success else _medians
    return draw(summary, across, down, places, caption, at_best)


def _like_the_best(summary: SweepSummary, free: set[str]) -> npt.NDArray[np.bool_]:
    """Return which cells agree with the best one in all axes but two."""
    if summary.choice.winner is None:
        return np.zeros(len(summary.cells), dtype=bool)
    best = summary.cells[summary.choice.winner].place
    fixed = [axis for axis in summary.axes if axis not in free]
    return np.array([all(cell.place.get(axis) == best.get(axis) for axis in fixed) for cell in summary.cells])


def _caption(summary: SweepSummary, across: Levels, down: Levels, pooled: bool, at_best: bool) -> str:
    """Say what a place of the map holds."""
    others = [axis for axis in summary.axes if axis not in (across.axis, down.axis)]
    rest = [axis_word(axis) for axis in others]
    if at_best and summary.choice.winner is not None:
        fixed = place_words(summary.cells[summary.choice.winner].place, others)
        return f"The best cell's values elsewhere: {fixed}. {level_text(summary.level)} intervals."
    if not pooled:
        return f"One cell a place; {level_text(summary.level)} intervals."
    if not rest:
        return f"Places hold all cells in their ranges; {level_text(summary.level)} intervals over seeds."
    return (
        f"Marginal: each place puts all values of {listed(rest)} together, seed by seed. {level_text(summary.level)} "
        "intervals over seeds."
    )


def _rates(
    summary: SweepSummary, across: Levels, down: Levels, places: list[list[_Place]], caption: str, at_best: bool
) -> RateMapFigure:
    """Return the map of probabilities of success."""
    told = [[place.told for place in line] for line in places]
    nan = float("nan")
    pooled = any(len(place.cells) > 1 for line in places for place in line)
    members = {summary.choice.winner} if pooled else told_apart(summary)
    return RateMapFigure(
        id=f"map-{_slug(down)}-{_slug(across)}" + ("-at-best" if at_best else ""),
        title=f"Probability of success by {down.name} and {across.name}" + (", at the best" if at_best else ""),
        rates=np.array([[nan if one is None else one.rate for one in line] for line in told]),
        low=np.array([[nan if one is None else one.success.low for one in line] for line in told]),
        high=np.array([[nan if one is None else one.success.high for one in line] for line in told]),
        rows=down.labels,
        columns=across.labels,
        notes=tuple(
            tuple(_note(summary, across, down, row, column, place) for column, place in enumerate(line))
            for row, line in enumerate(places)
        ),
        marked=np.array([[bool(members & set(place.cells)) for place in line] for line in places]),
        x_label=across.name,
        y_label=down.name,
        marked_label="holds the best cell" if pooled else "cannot be told from the best",
        level=summary.level,
        caption=f"{caption} Point at a place for its numbers.",
    )


def _note(summary: SweepSummary, across: Levels, down: Levels, row: int, column: int, place: _Place) -> str:
    """Say what happened at a place, for whoever points at it."""
    where = f"{down.name} {down.labels[row]}, {across.name} {across.labels[column]}"
    if place.told is None:
        why = "; ".join(dict.fromkeys(status_of(summary.cells[k]) for k in place.cells))
        return f"{where}: {why or 'no runs'}"
    one = place.told
    share = f"{100 * one.rate:.3g} %, {level_text(summary.level)} interval {100 * one.success.low:.3g} to "
    share += f"{100 * one.success.high:.3g} %"
    if len(place.cells) == 1:
        cell = summary.cells[place.cells[0]]
        wins = cell.success.successes if cell.success else 0

        return f"{place_words(cell.place, summary.axes)}: {wins} of {cell.n} succeeded ({share})"
    return f"{where}: {count(one.cells, 'cell')}, {count(one.n, 'run')} succeeded at a rate of {share}"


def _medians(
    summary: SweepSummary, across: Levels, down: Levels, places: list[list[_Place]], caption: str, at_best: bool
) -> HeatmapFigure:
    """Return the map of medians of what cells are compared by, tinted by their logarithms where all are positive."""
    values = np.full((len(down.labels), len(across.labels)), np.nan)
    for (row, column), _ in np.ndenumerate(values):
        told = places[row][column].told
        if told is not None and told.merit is not None:
            values[row, column] = told.merit.median
    finite = values[np.isfinite(values)]
    log = bool(finite.size) and float(finite.min()) > 0 and float(finite.max()) > 10 * float(finite.min())
    return HeatmapFigure(
        id=f"map-{_slug(down)}-{_slug(across)}" + ("-at-best" if at_best else ""),
        title=f"{summary.criterion.words.capitalize()} by {down.name} and {across.name}"
        + (", at the best" if at_best else ""),
        values=values,
        rows=down.labels,
        columns=across.labels,
        value_label=f"median {summary.criterion.words}",
        x_label=across.name,
        y_label=down.name,
        log=log,
        caption=f"{caption.replace(f'{level_text(summary.level)} intervals', 'Intervals')} "
        "Struck: no runs, given up, or most of them diverged. The table has the intervals.",
        notes=tuple(
            tuple(_median_note(down, across, row, column, place) for column, place in enumerate(line))
            for row, line in enumerate(places)
        ),
    )


def _median_note(down: Levels, across: Levels, row: int, column: int, place: _Place) -> str:
    """Say the median at a place, for whoever points at it."""
    where = f"{down.name} {down.labels[row]}, {across.name} {across.labels[column]}"
    if place.told is None or place.told.merit is None:
        return f"{where}: no runs"
    merit = place.told.merit
    lost = f", {merit.lost} without a value" if merit.lost else ""
    return f"{where}: median {middle_text(merit)}, {count(merit.n, 'seed')}{lost}"


def _slug(axis: Levels) -> str:
    """Make a part of a figure's name of an axis."""
    return "".join(c if c.isalnum() else "-" for c in axis.name).strip("-").lower() or "axis"
