"""Section 6: every figure that the five reports state, placed in the distribution that we measured."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from chainrule.experiments import Cell, find_cell, parse_quantity
from chainrule.experiments.recipes.grid import expand
from chainrule.lab.context import LabContext
from chainrule.lab.replication import (
    ReplicationRow,
    replicate,
    replication_recipes,
    replication_work,
    verdict_counts,
)
from chainrule.lab.replication_audit import audit_section, audit_work
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
from chainrule.report.sweeps.curves import fan_series

TRACED = ("A1", "A2", "A3", "D1", "E1", "E2")
"""Experiments of which the report prints a loss at several epochs: drawn over our runs."""

MEANING = (
    "*typical*: inside the middle 90 % of our seeds (below 20 seeds: inside their range), to the rounding of its last "
    "digit; for a claim, our 90 % interval lies inside the range it claims",
    "*typical, fitted*: the same, but a value that the report does not state was chosen because it brings this about",
    "*exact*: an identity of the worked example, which no seed enters",
    "*lucky*, *unlucky*: outside it, on the better or the worse side; below 20 seeds only if further outside than the "
    "range of our seeds is wide",
    "*cannot occur*: no run of this setting can give it, for the reason stated",
    "*explained by a defect*: outside for the correct method, inside for the method as the report wrote it",
    "*no verdict*: our seeds cannot say (fewer than 6 for a comparison, an interval that is only partly inside the "
    "claimed range), or the report defines the quantity otherwise",
    "*not run*: left out of this run, for the reason stated",
)


def work(context: LabContext) -> list[tuple[Cell, tuple[int, ...]]]:
    """Return what the replication trains, and the audit beside it."""
    replicated = replication_work(None, context.quick, context.seeds, context.data_dir)
    return [*replicated, *audit_work(context.quick, context.seeds)]


def replication(context: LabContext) -> SectionRecord:
    """Place every reported figure and claim, count the verdicts, and draw the printed losses over our runs."""
    rows = replicate(context.results, None, context.quick, context.seeds, context.data_dir)
    context.replication = rows
    for why in dict.fromkeys(row.why for row in rows if row.verdict == "not run"):
        count = sum(row.verdict == "not run" and row.why == why for row in rows)
        context.notes.append(f"{count} replication row{'' if count == 1 else 's'}: {why}.")
    figures = to_records(rows)
    items: list[Item] = [
        TextRecord(paragraphs=("What the verdicts mean:",), points=MEANING),
        *_traces(context),
        _counts_table(rows),
        _summary(rows),
    ]
    audited = audit_section(context.results, context.quick, context.seeds)
    if audited is not None:
        items.append(audited)
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
    """List what had to be assumed about a report's settings; experiments with the same text share a line."""
    texts: dict[str, list[str]] = {}
    for one in replication_recipes():
        if one.report == report and one.about.strip():
            texts.setdefault(one.about.strip(), []).append(one.id)
    points = tuple(f"{spanned(ids)}: {text}" for text, ids in texts.items())
    if not points:
        return ()
    return (TextRecord(title="What had to be assumed", paragraphs=(), points=points),)


def spanned(ids: Sequence[str]) -> str:
    """Write ids shortly: ``B1 to B5, B7`` for five that follow each other and another one."""
    numbers = [re.fullmatch(r"([A-Z])(\d+)", one) for one in ids]
    parts: list[list[str]] = []
    for k, one in enumerate(ids):
        here, before = numbers[k], numbers[k - 1] if k else None
        follows = here and before and here[1] == before[1] and int(here[2]) == int(before[2]) + 1
        if follows:
            parts[-1].append(one)
        else:
            parts.append([one])
    shown = [[f"{part[0]} to {part[-1]}"] if len(part) > 2 else part for part in parts]
    return ", ".join(one for part in shown for one in part)


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
    """Say how many of the figures and claims that our seeds could judge are typical, by rows and by experiments."""
    judged = [row for row in rows if row.judged]
    if not judged:
        return VerdictRecord(sentence="No replication row could be judged in this run.", kind="question")
    counts = verdict_counts(judged)
    experiments: dict[str, list[ReplicationRow]] = {}
    for row in judged:
        experiments.setdefault(row.id.partition(".")[0], []).append(row)
    whole = sum(all(row.verdict == "typical" for row in ours) for ours in experiments.values())
    fitted = counts.get("typical, fitted", 0)
    usual, n_usual = Counter(row.n_seeds for row in judged).most_common(1)[0]
    rest = "".join(f", {counts[verdict]} {verdict}" for verdict in counts if not verdict.startswith("typical"))
    open_rows = sum(row.verdict == "no verdict" for row in rows)
    return VerdictRecord(
        sentence=f"Of {len(judged)} reported figures and claims that could be judged, {counts.get('typical', 0)} are "
        f"typical of their settings, {fitted} typical only after fitting a value that the report does not state{rest}. "
        f"They come from {len(experiments)} experiments, of which {whole} had nothing but typical rows, fitted "
        f"or not; rows of one experiment stand or fall together, so no interval is put on these counts. "
        f"{n_usual} of the rows rest on {usual} seeds{_other_seeds(judged, usual)}. "
        f"Not counted: {open_rows} without a verdict, the exact worked example, and what did not run.",
        n_seeds=usual,
        evidence=verdict_counts(rows) | {"judged": len(judged), "experiments": len(experiments), "whole": whole},
    )


def _other_seeds(rows: Sequence[ReplicationRow], usual: int) -> str:
    """Say on how many seeds the rest of the rows rests."""
    others = sorted({row.n_seeds for row in rows} - {usual})
    if not others:
        return ""
    return f", the others on {others[0]}" + (f" to {others[-1]}" if len(others) > 1 else "")
