"""The replication's rows as records of a report: a picture and a table for each of the five reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from chainrule.lab.replication import ReplicationRow
from chainrule.lab.replication_judging import MIN_FOR_QUANTILES
from chainrule.report.records import Badge, Cell, ReplicationFigure, TableRecord
from chainrule.report.records import ReplicationRow as DrawnRow

TONES = {
    "exact": "good",
    "typical": "good",
    "typical, fitted": "plain",
    "lucky": "notice",
    "unlucky": "notice",
    "cannot occur": "bad",
    "explained by a defect": "notice",
}
REPORTS = {
    "A": "Report A: cross-entropy, early stopping, momentum, “Adagrad”",
    "B": "Report B: squared error, no bias, minibatches, Adam",
    "C": "Report C: squared error shown, cross-entropy gradient used",
    "D": "Report D: two hidden layers of four, Adam",
    "E": "Report E: softmax, from scalars to minibatches, MNIST",
}
COLUMNS = ("", "what is reported", "reported", "our median", "our middle 90 %", "pct.", "seeds", "verdict", "why")
FITTED = "fitted: a value that the report does not state was chosen because it brings this about"
ROWS_PER_FIGURE = 30


def to_records(rows: Sequence[ReplicationRow]) -> list[ReplicationFigure | TableRecord]:
    """Turn rows into records: for each report its pictures (numbers only) and its table (numbers and claims)."""
    records: list[ReplicationFigure | TableRecord] = []
    for report in dict.fromkeys(row.report for row in rows):
        ours = [row for row in rows if row.report == report]
        records += _figures(report, ours)
        records.append(_table(report, ours))
    return records


def _figures(report: str, rows: Iterable[ReplicationRow]) -> list[ReplicationFigure]:
    """Draw the reported numbers that have an interval of ours; long reports take more than one picture."""
    drawn = [drawn_row(row) for row in rows if is_drawn(row)]
    parts = -(-len(drawn) // ROWS_PER_FIGURE)
    size = -(-len(drawn) // parts) if parts else 1
    title = REPORTS.get(report, f"Report {report}")
    return [
        ReplicationFigure(
            id=f"replication-{report.lower()}" + (f"-{number + 1}" if parts > 1 else ""),
            title=title + (f" ({number + 1} of {parts})" if parts > 1 else ""),
            rows=tuple(drawn[number * size : (number + 1) * size]),
            caption="Every reported number on an axis of our own middle 90 % for the same setting "
            f"(below {MIN_FOR_QUANTILES} seeds: on the range of our seeds).",
        )
        for number in range(parts)
    ]


def is_drawn(row: ReplicationRow) -> bool:
    """Return whether a row is a number with an interval in its own unit: a share of seeds is told by the table."""
    ran = row.verdict != "not run" and row.n_seeds > 0 and row.low is not None
    return ran and not row.is_claim and row.unit != "% of seeds"


def drawn_row(row: ReplicationRow) -> DrawnRow:
    """Return the row as the picture draws it; an interval without an end is drawn to ten times the median."""
    median, low, high = row.median, row.low, row.high
    if median is None or not math.isfinite(median):
        low = high = None
    elif low is not None and high is not None:
        reach = 10.0 * max(abs(median), 1e-12)
        low, high = (low if math.isfinite(low) else -reach), (high if math.isfinite(high) else reach)
    return DrawnRow(
        id=row.id,
        label=f"{row.label} (fitted)" if "fitted" in row.told else row.label,
        reported=row.value,
        median=median,
        low=low,
        high=high,
        percentile=row.percentile,
        n=row.n_seeds,
        verdict=row.verdict,
        log=row.log,
    )


def _table(report: str, rows: Sequence[ReplicationRow]) -> TableRecord:
    """Return the table of one report; a comparison as written or read otherwise follows its row."""
    lines: list[tuple[Cell, ...]] = []
    for row in rows:
        lines.append(_line(row))
        if row.as_written is not None:
            beside = replace(row.as_written, id="", label=f"{row.label}, as written", reported="", note="")
            lines.append(_line(beside))
        for other in row.readings:
            words = other.setting.rpartition(", another reading: ")[2]
            lines.append(_line(replace(other, id="", label=f"another reading: {words}", reported="", note="")))
    return TableRecord(
        id=f"replication-table-{report.lower()}",
        title=REPORTS.get(report, f"Report {report}"),
        columns=COLUMNS,
        rows=tuple(lines),
        align=("left", "left", "right", "right", "right", "right", "right", "left", "left"),
        formats=("", "", "", "", "", ".0f", "", "", ""),
    )


def _line(row: ReplicationRow) -> tuple[Cell, ...]:
    """Return one line of the table."""
    interval = "" if row.low is None or row.high is None else f"{shown(row.low)} to {shown(row.high)}"
    if interval and 0 < row.n_seeds < MIN_FOR_QUANTILES and not row.is_claim and row.unit != "% of seeds":
        interval += " (range)"
    unit = " %" if row.unit == "%" else ""
    ours = "" if row.median is None else shown(row.median) + (" % of seeds" if row.unit == "% of seeds" else unit)
    badge = Badge(row.told, TONES.get(row.told, "plain"))
    label = f"{row.setting}: {row.label}" if row.id else row.label
    why = "; ".join(part for part in (row.why, FITTED if "fitted" in row.told else "", row.note) if part)
    printed = "NaN" if row.reported.lower() == "nan" else row.reported
    reported = f"{printed}{unit}" if printed and printed != "NaN" else printed
    return (row.id, label, reported, ours, interval, row.percentile, row.n_seeds or None, badge, why)


def shown(value: float) -> str:
    """Write a number with four significant digits."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "NaN" if math.isnan(value) else "−∞"
    return f"{value:.4g}".replace("-", "−")
