"""The replication's rows as records of a report: a picture and a table for each of the five reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from chainrule.lab.replication import ReplicationRow
from chainrule.report.records import Badge, Cell, ReplicationFigure, TableRecord
from chainrule.report.records import ReplicationRow as DrawnRow

TONES = {
    "typical": "good",
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
    drawn = [drawn_row(row) for row in rows if not row.is_claim and row.n_seeds and row.low is not None]
    parts = -(-len(drawn) // ROWS_PER_FIGURE)
    size = -(-len(drawn) // parts) if parts else 1
    title = REPORTS.get(report, f"Report {report}")
    return [
        ReplicationFigure(
            id=f"replication-{report.lower()}" + (f"-{number + 1}" if parts > 1 else ""),
            title=title + (f" ({number + 1} of {parts})" if parts > 1 else ""),
            rows=tuple(drawn[number * size : (number + 1) * size]),
            caption="Every reported number on an axis of our own middle 90 % for the same setting.",
        )
        for number in range(parts)
    ]


def drawn_row(row: ReplicationRow) -> DrawnRow:
    """Return the row as the picture draws it; an interval without an end is drawn to ten times the median."""
    median, low, high = row.median, row.low, row.high
    if row.unit == "% of seeds" or median is None or not math.isfinite(median):
        low = high = None  # a share of seeds is no interval of the reported quantity
    elif low is not None and high is not None:
        reach = 10.0 * max(abs(median), 1e-12)
        low, high = (low if math.isfinite(low) else -reach), (high if math.isfinite(high) else reach)
    return DrawnRow(
        id=row.id,
        label=row.label,
        reported=row.value,
        median=median,
        low=low,
        high=high,
        percentile=row.percentile,
        n=row.n_seeds,
        verdict="no verdict" if row.verdict == "not run" else row.verdict,
        log=row.log,
    )


def _table(report: str, rows: Sequence[ReplicationRow]) -> TableRecord:
    """Return the table of one report; an as-written comparison follows its row."""
    lines: list[tuple[Cell, ...]] = []
    for row in rows:
        lines.append(_line(row))
        if row.as_written is not None:
            beside = replace(row.as_written, id="", label=f"{row.label}, as written", reported="", note="")
            lines.append(_line(beside))
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
    unit = " %" if row.unit == "%" else ""
    ours = "" if row.median is None else shown(row.median) + (" % of seeds" if row.unit == "% of seeds" else unit)
    badge = Badge(row.verdict, TONES.get(row.verdict, "plain"))
    label = f"{row.setting}: {row.label}" if row.id else row.label
    why = f"{row.why}; {row.note}" if row.note and row.why else row.why or row.note
    reported = f"{row.reported}{unit}" if row.reported else ""
    return (row.id, label, reported, ours, interval, row.percentile, row.n_seeds or None, badge, why)


def shown(value: float) -> str:
    """Write a number with four significant digits."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "NaN" if math.isnan(value) else "−∞"
    return f"{value:.4g}".replace("-", "−")
