"""The tables of a sweep, as text: the page and the terminal show the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.experiments.recipes.words import axis_word, metric_word
from chainrule.experiments.sweeps.summary import CellSummary, GroupSummary, SweepSummary
from chainrule.report.records import Badge, Cell, TableRecord
from chainrule.report.sweeps.levels import groups_of
from chainrule.report.sweeps.words import count, level_text, level_word, middle_text, rate_text, share_text

MOST_CELLS = 500
"""Rows of the page's table of cells; the best are shown, the export has all."""

MOST_DETAILED = 100
"""Cells in the table of every metric."""


@dataclass(frozen=True)
class PlainTable:
    """A table as text.

    Attributes
    ----------
    title : str
        What it shows.
    columns : tuple of str
        Headings.
    rows : tuple of tuple of str
        As many cells as columns.
    marked : tuple of bool
        Rows that stand out: cells that cannot be told from the best.
    numeric : tuple of bool
        Columns that hold numbers, to be aligned at the right.
    note : str
        What a reader must know.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: tuple[bool, ...]
    numeric: tuple[bool, ...]
    note: str = ""


def plain_tables(summary: SweepSummary, most: int | None = None) -> list[PlainTable]:
    """Return the tables for a terminal: the cells by merit (at most `most`), and the groups by each axis."""
    tables = [cell_table(summary, most)]
    if len(summary.axes) > 1:
        tables.append(group_table(summary))
    return tables


def has_rule(summary: SweepSummary) -> bool:
    """Whether success means anything in this sweep."""
    return (
        summary.criterion.is_success
        or summary.result.recipe.success is not None
        or any(cell.success is not None and cell.success.successes for cell in summary.cells)
    )


def shown_metrics(summary: SweepSummary) -> list[str]:
    """Return the metrics of the main table: a loss and a score, of the held-out part where there is one."""
    keys = list(dict.fromkeys(key for cell in summary.cells for key in cell.metrics))
    plain = list(dict.fromkeys(key.removeprefix("validation_") for key in keys if not key.startswith("test_")))
    rule = summary.result.recipe.success
    wanted = [rule.metric.removeprefix("validation_")] if rule is not None else []
    scores = [key for key in (*wanted, "accuracy", *plain) if key in plain and key != "loss"][:1]
    chosen = [key for key in ["loss", *scores] if key in plain]
    return [f"validation_{key}" if f"validation_{key}" in keys else key for key in chosen]


def cell_table(summary: SweepSummary, most: int | None = None) -> PlainTable:
    """Return a row per cell, by merit, the best set marked."""
    ranked = summary.ranked()
    cells = ranked if most is None else ranked[:most]
    metrics, rule = shown_metrics(summary), has_rule(summary)
    diverged, status = summary.diverged > 0, any(status_of(cell) for cell in summary.cells)
    columns = [axis_word(axis) for axis in summary.axes] or ["cell"]
    named = len(columns)
    columns += ["runs", *(["succeeded"] if rule else []), *(f"final {metric_word(key)}" for key in metrics)]
    columns += [*(["diverged"] if diverged else []), *(["remark"] if status else [])]
    rows = [_cell_row(cell, summary, metrics, rule, diverged, status) for cell in cells]
    members = set(summary.choice.members) if len(summary.cells) > 1 and summary.choice.decided else set()
    numeric = [False] * named + [True] * (len(columns) - named)
    if status:
        numeric[-1] = False
    left = len(ranked) - len(cells)
    note = f"Shares and medians with {level_text(summary.level)} intervals, at the end of training."
    note += f" {count(left, 'more cell')} did worse and are not shown." if left else ""
    return PlainTable(
        "Cells, the best first",
        tuple(columns),
        tuple(rows),
        tuple(cell.number in members for cell in cells),
        tuple(numeric),
        note,
    )


def _cell_row(
    cell: CellSummary, summary: SweepSummary, metrics: Sequence[str], rule: bool, diverged: bool, status: bool
) -> tuple[str, ...]:
    """Write one cell."""
    row = [level_word(cell.place.get(axis)) for axis in summary.axes] or [cell.label]
    row.append(f"{cell.n:,}")
    if rule:
        row.append(rate_text(cell.success))
    row += [middle_text(cell.metrics[key].last) if key in cell.metrics else "–" for key in metrics]
    if diverged:
        row.append(f"{cell.diverged:,}")
    if status:
        row.append(status_of(cell))
    return tuple(row)


def status_of(cell: CellSummary) -> str:
    """Say why a cell is not like the others."""
    if cell.pruned_after is not None:
        return f"given up after {count(cell.pruned_after, 'epoch')}"
    return cell.missing if cell.missing else "" if cell.n else "no runs"


def group_table(summary: SweepSummary) -> PlainTable:
    """Return a row per value of each axis, whatever the others, the most important axis first."""
    rows: list[tuple[str, ...]] = []
    by_success = summary.criterion.is_success
    for axis in summary.by_importance():
        rows += [_group_row(axis, name, group, by_success) for name, group in groups_of(summary, axis)]
    what = "success rate" if by_success else summary.criterion.words
    without = f" Without {count(len(summary.pruned), 'cell')} that halving gave up." if summary.pruned else ""
    return PlainTable(
        "By each axis, whatever the others",
        ("axis", "value", "cells", "runs", what),
        tuple(rows),
        (False,) * len(rows),
        (False, False, True, True, True),
        f"Each seed counts once, with its mean over the cells (median for losses); {level_text(summary.level)} "
        f"intervals over seeds.{without}",
    )


def _group_row(axis: str, name: str, group: GroupSummary, by_success: bool) -> tuple[str, ...]:
    """Write one value of one axis."""
    score = middle_text(group.merit)
    if by_success:
        score = share_text(group.rate, group.success.low, group.success.high)
    return axis_word(axis), name, f"{group.cells:,}", f"{group.n:,}", score


def table_record(ident: str, plain: PlainTable, marked_word: str = "", open_rows: int = 60) -> TableRecord:
    """Return a plain table for the page, folded if it is long.

    With `marked_word`, a last column names the rows that stand out.
    """
    with_marks = bool(marked_word) and any(plain.marked)
    rows: list[tuple[Cell, ...]] = []
    for row, marked in zip(plain.rows, plain.marked, strict=True):
        badge: tuple[Cell, ...] = (Badge(marked_word, "good") if marked else "",) if with_marks else ()
        rows.append((*row, *badge))
    align = tuple("right" if numeric else "left" for numeric in plain.numeric) + (("left",) if with_marks else ())
    return TableRecord(
        id=ident,
        title=plain.title,
        columns=plain.columns + (("",) if with_marks else ()),
        rows=tuple(rows),
        align=align,
        caption=plain.note,
        collapsed=len(rows) > open_rows,
    )


def metric_record(summary: SweepSummary) -> TableRecord | None:
    """Return the table of every metric: last, best and best-validation values apart; None without metrics."""
    cells = [cell for cell in summary.ranked() if cell.metrics]
    rows: list[tuple[Cell, ...]] = []
    for cell in cells[:MOST_DETAILED]:
        name = [level_word(cell.place.get(axis)) for axis in summary.axes]
        for key, one in cell.metrics.items():
            values = (middle_text(one.last), middle_text(one.best), middle_text(one.best_validation))
            rows.append((*name, metric_word(key), *values))
    if not rows:
        return None
    columns = (*(axis_word(axis) for axis in summary.axes), "metric", "last", "best", "at best held-out loss")
    keep = range(len(columns)) if any(row[-1] != "–" for row in rows) else range(len(columns) - 1)
    left = len(cells) - MOST_DETAILED
    caption = (
        f"Medians over runs with {level_text(summary.level)} intervals. *Last*: with the weights at the end of "
        "training. *Best*: the best row that each run kept, which flatters a noisy curve. *At best held-out loss*: in "
        "the row where the held-out loss was lowest, which is what early stopping would have kept."
    )
    return TableRecord(
        id="metrics",
        title="Every metric: last, best and best-validation values",
        columns=tuple(columns[k] for k in keep),
        rows=tuple(tuple(row[k] for k in keep) for row in rows),
        align=tuple("left" if k <= len(summary.axes) else "right" for k in keep),
        caption=caption + (f" The {MOST_DETAILED} best of {len(cells):,} cells." if left > 0 else ""),
        collapsed=True,
    )
