"""The page of a sweep: what was asked and what may be said, the cells, the axes, the curves, what was trained."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.experiments.sweeps.result import SweepResult
from chainrule.experiments.sweeps.summary import SweepSummary, summarise
from chainrule.report.records import Item, ReportRecord, SectionRecord, TextRecord, VerdictRecord
from chainrule.report.sweeps.axes import groups_figure, importance_figure, parallel_figure
from chainrule.report.sweeps.choice import best_figure, winner_figure
from chainrule.report.sweeps.curves import curve_figures
from chainrule.report.sweeps.maps import map_figures, maps_left_out
from chainrule.report.sweeps.sentences import (
    best_set_verdict,
    curse_verdict,
    importance_sentence,
    lead,
    lost_lines,
    remarks,
)
from chainrule.report.sweeps.settings import setting_record
from chainrule.report.sweeps.tables import MOST_CELLS, cell_table, group_table, metric_record, table_record
from chainrule.report.verdict_figure import verdict_figure, verdict_record
from chainrule.stats import MIN_PAIRS

if TYPE_CHECKING:
    from chainrule.experiments.verdicts.verdict import Verdict


def sweep_report(
    result: SweepResult, summary: SweepSummary | None = None, verdicts: Sequence[Verdict] = ()
) -> ReportRecord:
    """Build the report of a sweep.

    Parameters
    ----------
    result : SweepResult
        Finished or interrupted, of any size; what is drawn is limited, and the page says so.
    summary : SweepSummary, optional
        Of that result; made here if it is not given.
    verdicts : sequence of Verdict
        Answers to the recipe's questions.

    Returns
    -------
    ReportRecord
        For `chainrule.report.write_report`.
    """
    from chainrule.machine import this_machine

    summary = summary or summarise(result)
    sections = [_answer(summary, verdicts), _cells(summary), _axes(summary), _curves(summary), _trained(summary)]
    return ReportRecord(
        title=result.recipe.title,
        subtitle=lead(summary),
        sections=tuple(section for section in sections if section is not None),
        created=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        machine=this_machine().facts(),
        missing=tuple(lost_lines(summary)),
    )


def write_sweep(
    result: SweepResult,
    folder: str | os.PathLike[str],
    summary: SweepSummary | None = None,
    verdicts: Sequence[Verdict] = (),
) -> Path:
    """Write the report of a sweep into a folder and return the path of its page.

    Raises
    ------
    RunError
        If the folder cannot be made or written.
    """
    from chainrule.report.write import write_report

    return write_report(sweep_report(result, summary, verdicts), folder)


def _answer(summary: SweepSummary, verdicts: Sequence[Verdict]) -> SectionRecord:
    """The answer first: the best set, the winner's two scores, the recipe's questions."""
    items: list[Item] = []
    pictures = [best_figure(summary), parallel_figure(summary), winner_figure(summary)]
    items += [picture for picture in pictures if picture is not None]
    if len(summary.cells) > 1:
        items.append(best_set_verdict(summary))
    curse = curse_verdict(summary)
    items += [curse] if curse is not None else []
    for number, verdict in enumerate(verdicts, start=1):
        figure = verdict_figure(verdict, f"question-{number}")
        items += [figure] if figure is not None else []
        items.append(verdict_record(verdict))
    told = remarks(summary)
    if told:
        items.append(TextRecord(title="What to know", paragraphs=(), points=tuple(told)))
    return SectionRecord(id="answer", title="What may be said", items=tuple(items))


def _cells(summary: SweepSummary) -> SectionRecord:
    """Every cell: the maps over pairs of axes, and the tables."""
    maps = map_figures(summary)
    left = maps_left_out(summary) if maps else ""
    items: list[Item] = [*maps]
    if left:
        items.append(TextRecord(paragraphs=(left,)))
    items.append(table_record("cells-table", cell_table(summary, MOST_CELLS), "best set"))
    metrics = metric_record(summary)
    items += [metrics] if metrics is not None else []
    return SectionRecord(id="cells", title="Every cell", items=tuple(items))


def _axes(summary: SweepSummary) -> SectionRecord | None:
    """Which axis matters, and each by itself; nothing where none varies, or one with few values."""
    if not summary.axes or not summary.runs:
        return None
    figures = [importance_figure(summary), groups_figure(summary)]
    items: list[Item] = [figure for figure in figures if figure is not None]
    if summary.importance and len(summary.axes) > 1:
        n = len(summary.choice.seeds)
        kind = "finding" if n >= MIN_PAIRS else "question"
        items.append(VerdictRecord(sentence=importance_sentence(summary), n_seeds=n, kind=kind))
    if len(summary.axes) < 2 and not items:
        return None
    items.append(table_record("groups-table", group_table(summary), open_rows=12))
    title = "Which axis matters" if len(summary.axes) > 1 else "Along the axis"
    return SectionRecord(id="axes", title=title, items=tuple(items))


def _curves(summary: SweepSummary) -> SectionRecord | None:
    """The curves; nothing where no history is at hand."""
    figures = curve_figures(summary)
    return SectionRecord(id="curves", title="Curves", items=tuple(figures)) if figures else None


def _trained(summary: SweepSummary) -> SectionRecord:
    """What was trained, and how it went."""
    return SectionRecord(id="trained", title="What was trained", items=(setting_record(summary),))
