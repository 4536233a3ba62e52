"""Section 6: every figure that the five reports state, placed in the distribution that we measured."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.experiments import Cell, find_cell, parse_quantity
from chainrule.experiments.grid import expand
from chainrule.lab.context import LabContext
from chainrule.lab.pictures import fan_series
from chainrule.lab.replication import (
    ReplicationRow,
    replicate,
    replication_recipes,
    replication_work,
    verdict_counts,
)
from chainrule.lab.replication_records import REPORTS, to_records
from chainrule.report.records import Cell as TableCell
from chainrule.report.records import (
    FanFigure,
    FanPanel,
    Item,
    SectionRecord,
    TableRecord,
    TextRecord,
    VerdictRecord,
)
from chainrule.stats import success_rate

TRACED = ("A1", "A2", "A3", "D1", "E1", "E2")
"""Experiments of which the report prints a loss at several epochs: drawn over our runs."""

MEANING = (
    "*typical*: inside the middle 90 % of our seeds, to the rounding of its last digit",
    "*lucky*, *unlucky*: outside it, on the better or the worse side",
    "*cannot occur*: no run of this setting can give it, for the reason stated",
    "*explained by a defect*: outside for the correct method, inside for the method as the report wrote it",
    "*not run*: left out of this run, for the reason stated",
)


def work(context: LabContext) -> list[tuple[Cell, tuple[int, ...]]]:
    """Return what the replication trains."""
    return replication_work(None, context.quick, context.seeds, context.data_dir)


def replication(context: LabContext) -> SectionRecord:
    """Place every reported figure and claim, count the verdicts, and draw the printed losses over our runs."""
    rows = replicate(context.results, None, context.quick, context.seeds, context.data_dir)
    context.replication = rows
    for why in dict.fromkeys(row.why for row in rows if row.verdict == "not run"):
        count = sum(row.verdict == "not run" and row.why == why for row in rows)
        context.notes.append(f"{count} replication rows: {why}.")
    figures = to_records(rows)
    items: list[Item] = [
        TextRecord(paragraphs=("What the verdicts mean:",), points=MEANING),
        *_traces(context),
        _counts_table(rows),
        _summary(rows),
    ]
    for report, title in REPORTS.items():
        ours = [item for item in figures if item.id.split("-")[1 + isinstance(item, TableRecord)] == report.lower()]
        if ours:
            items.append(
                SectionRecord(id=f"report-{report.lower()}", title=title, items=(*ours, *_assumptions(report)))
            )
    return SectionRecord(
        id="replication",
        title="Replication of the five reports",
        lead="Each report trained once per setting. Here each of its figures stands among those of our seeds: "
        "was it typical, luck, impossible, or the work of a defect?",
        items=tuple(items),
    )


def _assumptions(report: str) -> tuple[Item, ...]:
    """List what had to be assumed about a report's settings, recipe by recipe."""
    points = tuple(
        f"{one.id}: {one.about.strip()}" for one in replication_recipes() if one.report == report and one.about
    )
    if not points:
        return ()
    return (TextRecord(title="What had to be assumed", paragraphs=(), points=points),)


def _traces(context: LabContext) -> list[Item]:
    """Draw the fans of the experiments whose losses are printed along the way, with the printed points."""
    items: list[Item] = []
    for recipe in replication_recipes():
        if recipe.id not in TRACED:
            continue
        quantities = [(figure, parse_quantity(figure.quantity)) for figure in recipe.figures]
        printed = [(figure, quantity) for figure, quantity in quantities if quantity.kind == "at"]
        printed = [(figure, quantity) for figure, quantity in printed if "loss" in quantity.key]
        if not printed:
            continue
        figure, quantity = printed[0]
        cell = find_cell(expand(recipe, context.quick), figure.cell, figure.variant)
        runs = context.results.of(cell)
        if runs is None or quantity.key not in runs[0].history:
            continue
        points = tuple((float(one.low), float(row.value)) for row, one in printed if one.key == quantity.key)
        series = fan_series("our seeds", runs, quantity.key)
        items.append(
            FanFigure(
                id=f"replication-trace-{recipe.id.lower()}",
                title=f"{recipe.id}: {recipe.title}",
                panels=(FanPanel(series=(series,), reported=points, reported_label=f"report {recipe.report}"),),
                y_label=quantity.key.replace("_", " "),
                log_y=True,
                log_x=series.x[-1] > 100,
                caption=f"Median, 50 % and 90 % of {len(runs)} seeds, and the losses that the report printed.",
            )
        )
    return items


def _counts_table(rows: Sequence[ReplicationRow]) -> TableRecord:
    """Count the verdicts of each report."""
    verdicts = list(verdict_counts(rows))
    lines: list[tuple[TableCell, ...]] = []
    for report in dict.fromkeys(row.report for row in rows):
        counts = verdict_counts(row for row in rows if row.report == report)
        lines.append((report, *(counts.get(verdict, 0) for verdict in verdicts), sum(counts.values())))
    total = verdict_counts(rows)
    lines.append(("all", *(total.get(verdict, 0) for verdict in verdicts), len(rows)))
    return TableRecord(
        id="replication-counts",
        title="Verdicts by report",
        columns=("report", *verdicts, "rows"),
        rows=tuple(lines),
        align=("left", *("right" for _ in verdicts), "right"),
    )


def _summary(rows: Sequence[ReplicationRow]) -> VerdictRecord:
    """Say what share of the figures that could be judged is typical."""
    judged = [row for row in rows if row.verdict != "not run"]
    n_seeds = min((row.n_seeds for row in judged if row.n_seeds), default=0)
    if not judged:
        return VerdictRecord(sentence="No replication row could be judged in this run.", kind="question")
    rate = success_rate(sum(row.verdict == "typical" for row in judged), len(judged))
    return VerdictRecord(
        sentence=f"{rate.successes} of {rate.n} reported figures and claims ({100 * rate.rate:.0f} %) are typical of "
        f"their settings; every row rests on at least {n_seeds} seeds.",
        n_seeds=n_seeds,
        interval=(rate.low, rate.high, rate.level),
        evidence=dict(verdict_counts(rows)),
    )
