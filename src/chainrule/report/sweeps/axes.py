"""Which axis matters: importance with intervals, every axis by itself, and parallel coordinates."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from chainrule.experiments.recipes.words import axis_word
from chainrule.experiments.sweeps.choice import is_loss
from chainrule.experiments.sweeps.summary import CellSummary, GroupSummary, SweepSummary
from chainrule.report.records import EstimateRow, EstimatesFigure, ParallelAxis, ParallelFigure
from chainrule.report.sweeps.choice import score_row, told_apart
from chainrule.report.sweeps.levels import MOST_LEVELS, groups_of, is_log, levels_of, numbers_of
from chainrule.report.sweeps.words import count, level_text, middle_text, percent, place_words, share_text

MOST_LINES = 300
"""Lines in parallel coordinates: the best set, and an even selection of the others by merit."""

MOST_AXES = 8
MOST_ROWS = 40


def importance_figure(summary: SweepSummary) -> EstimatesFigure | None:
    """Return the importance of each axis, by itself and with all it does together with others; None if unknown."""
    if len(summary.axes) < 2 or not summary.importance:
        return None
    order = [axis for axis in summary.by_importance() if axis in summary.importance]
    alone, whole = "by itself", "with all it does together with other axes"
    rows = []
    drawn = any(math.isnan(one.total) for one in summary.importance.values())
    both = len(order) > 1 and not drawn
    for axis in order:
        one = summary.importance[axis]
        rows.append(_share_row(one.named(axis_word(axis)), one.share, one.low, one.high, alone if both else ""))
    if both:
        for axis in order:
            one = summary.importance[axis]
            rows.append(_share_row(axis_word(axis), one.total, one.total_low, one.total_high, whole))
    limits = sorted({one.why for one in summary.importance.values()} - {""})
    what = "success rate" if summary.criterion.is_success else summary.criterion.words
    scale = " (its logarithm)" if is_loss(summary.criterion.quantity) else ""
    return EstimatesFigure(
        id="importance",
        title="Importance of each axis",
        rows=tuple(rows),
        value_label="share of the variance between cells",
        percent=True,
        caption=f"How much of the variance of the cells' {what}{scale} goes with each axis; what the luck of the seeds "
        f"adds is taken off. {level_text(summary.level)} intervals{'' if drawn else ' over seeds'}."
        + "".join(f" {one[:1].upper()}{one[1:]}." for one in limits),
    )


def _share_row(name: str, share: float, low: float, high: float, group: str) -> EstimateRow:
    share, low, high = (min(max(v, 0.0), 1.0) for v in (share, low, high))
    return EstimateRow(name=name, value=share, low=low, high=high, told=f"{percent(share)} %", group=group)


def groups_figure(summary: SweepSummary) -> EstimatesFigure | None:
    """Return every axis by itself, whatever the others; None where one varies and its few cells are drawn already."""
    if len(summary.axes) < 2 and len(summary.cells) <= MOST_LEVELS:
        return None
    rows: list[EstimateRow] = []
    left = []
    for axis in summary.by_importance():
        groups = groups_of(summary, axis)
        if len(rows) + len(groups) > MOST_ROWS:
            left.append(axis_word(axis))
            continue
        rows += [_group_row(axis, name, group, summary.criterion.is_success) for name, group in groups]
    if not rows:
        return None
    what = "Probability of success" if summary.criterion.is_success else f"Median {summary.criterion.words}"
    return EstimatesFigure(
        id="groups",
        title=f"{what} by each axis, whatever the others",
        rows=tuple(rows),
        value_label=what.lower(),
        percent=summary.criterion.is_success,
        log=not summary.criterion.is_success and _all_positive([row.value for row in rows]),
        caption="Each seed counts once, with all cells of the group; "
        f"{level_text(summary.level)} intervals over seeds."
        + (f" Axes with too many values are left out: {', '.join(left)}." if left else ""),
    )


def _group_row(axis: str, name: str, group: GroupSummary, by_success: bool) -> EstimateRow:
    """Draw one value of one axis."""
    block = axis_word(axis)
    if not by_success and group.merit is not None:
        return score_row(name, group.merit, False, block)
    low, high, told = group.success.low, group.success.high, f"{percent(group.rate)} %"
    return EstimateRow(name=name, value=group.rate, low=low, high=high, told=told, group=block)


def _all_positive(values: list[float]) -> bool:
    finite = [value for value in values if np.isfinite(value)]
    return bool(finite) and min(finite) > 0


def parallel_figure(summary: SweepSummary) -> ParallelFigure | None:
    """Return parallel coordinates; None where fewer than two axes vary or fewer than two cells have runs."""
    cells = [cell for cell in summary.cells if cell.n]
    if len(summary.axes) < 2 or len(cells) < 2:
        return None
    merit = _merit(summary, cells)
    members = told_apart(summary)
    chosen = _chosen(cells, merit, members)
    drawn = [cells[k] for k in chosen]
    axes = list(summary.axes)
    if len(axes) > MOST_AXES - 1:
        kept = set(summary.by_importance()[: MOST_AXES - 1])
        axes = [axis for axis in axes if axis in kept]
    left = len(summary.axes) - len(axes)
    caption = "A line for each cell, through its value on each axis; what is constant is not shown."
    caption += f" {len(chosen)} of {count(len(cells), 'cell')} are drawn." if len(chosen) < len(cells) else ""
    caption += f" {count(left, 'less important axis')} left out." if left else ""
    return ParallelFigure(
        id="parallel",
        title="All cells at a glance",
        axes=(*(_axis(summary, axis, drawn) for axis in axes), _merit_axis(summary, drawn)),
        merit=merit[chosen],
        marked=np.array([cell.number in members for cell in drawn]),
        names=tuple(f"{place_words(cell.place, summary.axes)}: {_told(cell)}" for cell in drawn),
        merit_label="success rate" if summary.criterion.is_success else summary.criterion.words,
        caption=caption,
    )


def _merit(summary: SweepSummary, cells: list[CellSummary]) -> npt.NDArray[np.float64]:
    """Return each cell's merit from 0 to 1: its success rate, or its rank by the median."""
    if summary.criterion.is_success:
        return np.array([cell.success.rate if cell.success else 0.0 for cell in cells])
    medians = np.array([cell.merit.median if cell.merit else np.inf for cell in cells])
    ranks = np.argsort(np.argsort(medians if summary.criterion.better == "higher" else -medians, kind="stable"))
    return ranks / max(len(cells) - 1, 1)


def _chosen(cells: list[CellSummary], merit: npt.NDArray[np.float64], members: set[int]) -> list[int]:
    """Choose which cells are drawn."""
    if len(cells) <= MOST_LINES:
        return list(range(len(cells)))
    best = [k for k, cell in enumerate(cells) if cell.number in members]
    best = [best[k] for k in np.unique(np.linspace(0, len(best) - 1, MOST_LINES // 3).astype(int))] if best else []
    others = [int(k) for k in np.argsort(merit, kind="stable") if cells[k].number not in members]
    room = MOST_LINES - len(best)
    spread = [others[k] for k in np.unique(np.linspace(0, len(others) - 1, room).astype(int))] if others else []
    return sorted({*best, *spread})


def _axis(summary: SweepSummary, axis: str, cells: list[CellSummary]) -> ParallelAxis:
    """Return one axis: numbers on their scale, everything else by name."""
    values = [cell.place.get(axis) for cell in cells]
    numbers = numbers_of(values)
    if numbers is not None and len(set(values)) > 1:
        return ParallelAxis(name=axis_word(axis), values=numbers, log=is_log(numbers))
    levels = levels_of(summary, axis)
    codes = np.array([levels.codes[cell.number] for cell in cells], dtype=np.float64)
    return ParallelAxis(name=levels.name, values=np.where(codes < 0, np.nan, codes), labels=levels.labels)


def _merit_axis(summary: SweepSummary, cells: list[CellSummary]) -> ParallelAxis:
    """Return the last axis: what cells are compared by."""
    if summary.criterion.is_success:
        rates = np.array([cell.success.rate if cell.success else np.nan for cell in cells])
        return ParallelAxis(name="success", values=rates, percent=True)
    medians = np.array([cell.merit.median if cell.merit else np.nan for cell in cells])
    finite = medians[np.isfinite(medians)]
    log = bool(finite.size) and float(finite.min()) > 0 and float(finite.max()) > 10 * float(finite.min())
    return ParallelAxis(name=summary.criterion.words.removeprefix("final "), values=medians, log=log)


def _told(cell: CellSummary) -> str:
    """Say a cell's score."""
    if cell.merit is not None:
        return f"median {middle_text(cell.merit)}"
    if cell.success is None:
        return "no runs"
    return share_text(cell.success.rate, cell.success.low, cell.success.high)
