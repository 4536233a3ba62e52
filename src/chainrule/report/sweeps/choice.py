"""The cells by merit with the best set marked, and the winner's two scores."""

from __future__ import annotations

import math
from dataclasses import replace

from chainrule.experiments.recipes.words import axis_word
from chainrule.experiments.sweeps.choice import winner_score
from chainrule.experiments.sweeps.metrics import Middle
from chainrule.experiments.sweeps.summary import CellSummary, SweepSummary
from chainrule.report.records import EstimateRow, EstimatesFigure
from chainrule.report.sweeps.levels import rising
from chainrule.report.sweeps.sentences import winner_of
from chainrule.report.sweeps.words import count, level_text, middle_text, place_values
from chainrule.stats import RateInterval

MOST_ROWS = 24
"""Cells drawn with their intervals: the best."""


def best_figure(summary: SweepSummary) -> EstimatesFigure | None:
    """Return the best cells with their intervals, those that cannot be told from the best marked; None without runs."""
    cells = [cell for cell in summary.ranked() if cell.n]
    if not any(math.isfinite(cell.merit.median if cell.merit else 0.0) for cell in cells):
        return None
    drawn = cells[:MOST_ROWS]
    if len(summary.axes) == 1 and len(cells) <= MOST_ROWS:
        cells.sort(key=lambda cell: cell.number)
        (axis,) = summary.axes
        drawn = [cells[k] for k in rising([cell.place.get(axis) for cell in cells])]  # one axis is read along it
    members = set(summary.choice.members) if summary.choice.decided else set()
    rows = tuple(_row(cell, summary, cell.number in members) for cell in drawn)
    names = ", ".join(axis_word(axis) for axis in summary.axes)
    by_success = summary.criterion.is_success
    what = "Success rate" if by_success else f"Median {summary.criterion.words}"
    more = f" The {len(drawn)} best of {count(len(cells), 'cell')}." if len(drawn) < len(cells) else ""
    compared = len(summary.choice.p_adjusted)
    corrected = (
        f" The best set is corrected for {compared} cells on {len(summary.choice.seeds)} shared seeds. Seeds are "
        "paired, so cells whose intervals overlap can still be told apart."
    )
    return EstimatesFigure(
        id="best",
        title=f"{what}: the best set" if members else what,
        rows=rows,
        value_label=what.lower(),
        marked_label="cannot be told from the best" if len(cells) > 1 else "",
        plain_label=_plain_label(summary) if members and len(cells) > 1 else "",
        percent=by_success,
        log=not by_success and _all_positive(rows),
        caption=(f"Rows: {names}. " if names else "") + f"{level_text(summary.level)} intervals of single cells.{more}"
        + (corrected if compared > 1 else ""),
    )  # fmt: skip


def _plain_label(summary: SweepSummary) -> str:
    """Say what it means that a cell is not marked."""
    return "worse, or not compared" if summary.choice.left_out else "shown to be worse"


def _row(cell: CellSummary, summary: SweepSummary, marked: bool) -> EstimateRow:
    """Draw one cell."""
    name = place_values(cell.place, summary.axes)
    if cell.pruned_after is not None:
        name += " (given up)"
    score = cell.merit or cell.success
    assert score is not None, "only cells with runs are drawn"
    return score_row(name, score, marked)


def told_apart(summary: SweepSummary) -> set[int]:
    """Return the best set where it tells cells apart; nothing where it holds them all, or nothing was decided."""
    members = set(summary.choice.members) if summary.choice.decided else set()
    return members if len(members) < len(summary.choice.p_adjusted) else set()


def score_row(name: str, score: RateInterval | Middle, marked: bool, group: str = "") -> EstimateRow:
    """Draw one score: a success rate, or a median whose interval may reach to infinity or not be known."""
    if isinstance(score, RateInterval):
        told, value, low, high = f"{score.successes:,} of {score.n:,}", score.rate, score.low, score.high
    else:
        told, value = middle_text(score).split(" (")[0], score.median
        low, high = (score.low, score.high) if score.bounded else (math.nan, math.nan)
    return EstimateRow(name=name, value=value, low=low, high=high, told=told, marked=marked, group=group)


def _all_positive(rows: tuple[EstimateRow, ...]) -> bool:
    values = [row.value for row in rows if math.isfinite(row.value)]
    return bool(values) and min(values) > 0


def winner_figure(summary: SweepSummary) -> EstimatesFigure | None:
    """Return the best cells on the seeds that chose them and on fresh ones; None if none was scored again."""
    winner = winner_of(summary)
    scores = {k: winner_score(summary.result, replace(summary.choice, winner=k), summary.criterion, summary.level)
              for k in _rescored(summary)}  # fmt: skip
    rows: list[EstimateRow] = []
    for k, one in scores.items():
        if one is None or one.fresh is None:
            continue
        group = place_values(summary.cells[k].place, summary.axes)
        rows.append(score_row("seeds that chose it", one.choosing, False, group))
        rows.append(score_row("fresh seeds", one.fresh, True, group))
    if winner is None or not rows:
        return None
    by_success = summary.criterion.is_success
    return EstimatesFigure(
        id="winner",
        title="The best, scored again on fresh seeds",
        rows=tuple(rows),
        value_label="success rate" if by_success else f"median {summary.criterion.words}",
        percent=by_success,
        log=not by_success and _all_positive(tuple(rows)),
        caption=f"The best of {len(summary.cells):,} cells is so partly by luck, on the seeds that chose it. Fresh "
        f"seeds had no part in that. {level_text(summary.level)} intervals. Blocks: "
        + ", ".join(axis_word(axis) for axis in summary.axes)
        + ".",
    )


def _rescored(summary: SweepSummary) -> list[int]:
    """Return the cells that have fresh runs, the best first."""
    cells = summary.result.cells
    return [one.number for one in summary.ranked() if cells[one.number].cell.setting.key in summary.result.fresh]
