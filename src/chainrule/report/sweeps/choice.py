"""The cells by merit with the best set marked, and the winner's two scores."""

from __future__ import annotations

import math

from chainrule.experiments.sweep_metrics import Middle
from chainrule.experiments.sweep_summary import CellSummary, SweepSummary
from chainrule.experiments.words import axis_word
from chainrule.report.records import EstimateRow, EstimatesFigure
from chainrule.report.sweeps.sentences import winner_of
from chainrule.report.sweeps.words import count, level_text, middle_text, place_values, place_words
from chainrule.stats import RateInterval

MOST_ROWS = 24
"""Cells drawn with their intervals: the best."""


def best_figure(summary: SweepSummary) -> EstimatesFigure | None:
    """Return the best cells with their intervals, those that cannot be told from the best marked; None without runs."""
    cells = [cell for cell in summary.ranked() if cell.n]
    if not cells:
        return None
    drawn = cells[:MOST_ROWS]
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
        plain_label="shown to be worse" if members and len(cells) > 1 else "",
        percent=by_success,
        log=not by_success and _all_positive(rows),
        caption=(f"Rows: {names}. " if names else "") + f"{level_text(summary.level)} intervals of single cells.{more}"
        + (corrected if compared > 1 else ""),
    )  # fmt: skip


def _row(cell: CellSummary, summary: SweepSummary, marked: bool) -> EstimateRow:
    """Draw one cell."""
    name = place_values(cell.place, summary.axes)
    if cell.pruned_after is not None:
        name += " (given up)"
    if cell.merit is not None:
        one = cell.merit
        return EstimateRow(name=name, value=one.median, low=_end(one.low), high=_end(one.high),
                           told=middle_text(one).split(" (")[0], marked=marked)  # fmt: skip
    assert cell.success is not None, "only cells with runs are drawn"
    rate = cell.success
    return EstimateRow(name=name, value=rate.rate, low=rate.low, high=rate.high,
                       told=f"{rate.successes:,} of {rate.n:,}", marked=marked)  # fmt: skip


def _end(value: float) -> float:
    """An end that is not known is none."""
    return value if math.isfinite(value) else math.nan


def _all_positive(rows: tuple[EstimateRow, ...]) -> bool:
    values = [row.value for row in rows if math.isfinite(row.value)]
    return bool(values) and min(values) > 0


def winner_figure(summary: SweepSummary) -> EstimatesFigure | None:
    """Return the winner on the seeds that chose it and on fresh ones; None unless it was scored again."""
    winner, scores = winner_of(summary), summary.winner
    if winner is None or scores is None or scores.fresh is None:
        return None
    rows = (
        _score_row("seeds that chose it", scores.choosing, False),
        _score_row("fresh seeds", scores.fresh, True),
    )
    by_success = summary.criterion.is_success
    return EstimatesFigure(
        id="winner",
        title="The best cell, scored again",
        rows=rows,
        value_label="success rate" if by_success else f"median {summary.criterion.words}",
        percent=by_success,
        log=not by_success and _all_positive(rows),
        caption=f"{place_words(winner.place, summary.axes)}. It was the best of {len(summary.cells):,} on the seeds "
        "that chose it, partly by luck; fresh seeds had no part in that.",
    )


def _score_row(name: str, score: RateInterval | Middle, marked: bool) -> EstimateRow:
    """Draw one score."""
    if isinstance(score, RateInterval):
        told = f"{score.successes:,} of {score.n:,}"
        return EstimateRow(name=name, value=score.rate, low=score.low, high=score.high, told=told, marked=marked)
    told, low, high = middle_text(score).split(" (")[0], _end(score.low), _end(score.high)
    return EstimateRow(name=name, value=score.median, low=low, high=high, told=told, marked=marked)
