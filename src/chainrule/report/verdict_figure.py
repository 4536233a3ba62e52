"""The picture of a verdict, and the verdict as a report shows it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from chainrule.experiments.verdicts.verdict import Picture, Verdict
from chainrule.report.records import (
    Bar,
    BarFigure,
    Curve,
    CurveFigure,
    CurvePanel,
    DistributionFigure,
    FigureRecord,
    Group,
    Mark,
    RateRow,
    RatesFigure,
    VerdictRecord,
)

LOG_SPAN = 100.0
"""Positive values that reach further than this factor are drawn on a logarithmic axis."""


def verdict_record(verdict: Verdict) -> VerdictRecord:
    """Return the sentence of a verdict with its interval and its number of seeds."""
    interval = verdict.interval
    return VerdictRecord(
        sentence=verdict.sentence,
        n_seeds=verdict.n_seeds or None,
        interval=None if interval is None else (interval.low, interval.high, interval.level),
        kind="finding" if verdict.decided else "question",
        evidence={"decision": verdict.decision, "quantity": verdict.quantity, "names": verdict.names},
        interval_of=verdict.interval_of,
    )


def verdict_figure(verdict: Verdict, ident: str = "verdict", title: str = "") -> FigureRecord | None:
    """Return the record of a verdict's picture; None if it has none.

    Parameters
    ----------
    verdict : Verdict
        What was found.
    ident : str
        The figure's id, which is also its file's name.
    title : str
        Its heading; by default what was compared.
    """
    picture = verdict.picture
    if picture is None or not picture.rows:
        return None
    heading = title or _title(verdict)
    draw = {"rates": _rates, "samples": _samples, "path": _path, "bars": _bars, "chances": _bars}[picture.kind]
    return draw(picture, ident, heading, verdict)


def _title(verdict: Verdict) -> str:
    names = " and ".join(verdict.names) if len(verdict.names) == 2 else ""
    words = (verdict.picture.label if verdict.picture is not None else verdict.quantity) or verdict.kind
    named = f": {names}" if names and not (verdict.picture is not None and verdict.picture.kind == "path") else ""
    return f"{words[:1].upper()}{words[1:]}{named}"


def _rates(picture: Picture, ident: str, title: str, verdict: Verdict) -> FigureRecord:
    rows = [RateRow(name=name, successes=k, n=n, low=low, high=high) for name, k, n, low, high in picture.rows]
    return RatesFigure(
        id=ident,
        title=title,
        caption=verdict.sentence,
        rows=tuple(rows),
        value_label=picture.label,
        level=verdict.level,
    )


def _samples(picture: Picture, ident: str, title: str, verdict: Verdict) -> FigureRecord:
    groups = []
    for name, values in picture.rows:
        finite = np.array([value for value in values if math.isfinite(value)])
        groups.append(Group(name=name, values=finite, n=len(values)))
    everything = np.concatenate([np.asarray(group.values) for group in groups])
    log = bool(len(everything) and everything.min() > 0 and everything.max() > LOG_SPAN * everything.min())
    return DistributionFigure(
        id=ident, title=title, caption=verdict.sentence, groups=tuple(groups), value_label=picture.label, log=log
    )


def _path(picture: Picture, ident: str, title: str, verdict: Verdict) -> FigureRecord:
    """The interval as it narrowed while seeds were added."""
    if len(picture.rows) == 1:  # decided at the first look: there is no path yet
        return _bars(replace(picture, rows=(("difference", *_middle_first(picture.rows[0])),)), ident, title, verdict)
    n, low, middle, high = (np.array(column, dtype=float) for column in zip(*picture.rows, strict=True))
    finite = np.isfinite(low) & np.isfinite(high) & np.isfinite(middle)
    if not finite.any():  # too few seeds for an interval of the median: only the differences can be drawn
        finite, low, high = np.isfinite(middle), middle, middle
    if not finite.any():
        finite, low, middle, high = np.ones(len(n), dtype=bool), 0 * n, 0 * n, 0 * n
    curves = (
        Curve("difference", n[finite], middle[finite]),
        Curve("upper end", n[finite], high[finite]),
        Curve("lower end", n[finite], low[finite]),
    )
    marks = [Mark(0.0, "no difference")]
    if picture.margin > 0:
        marks += [Mark(picture.margin, "margin"), Mark(-picture.margin, "")]
    return CurveFigure(
        id=ident,
        title=title,
        caption=verdict.sentence,
        panels=(CurvePanel(curves=curves, marks=tuple(marks)),),
        x_label="seeds",
        y_label="difference with its interval",
        log_x=len(n) > 3,
    )


def _middle_first(row: tuple[float, ...]) -> tuple[float, float, float]:
    _, low, middle, high = row
    return middle, low, high


def _bars(picture: Picture, ident: str, title: str, verdict: Verdict) -> FigureRecord:
    """Values with their intervals; an end that is not finite is not drawn, a value that is not becomes 0."""
    bars = []
    for name, value, low, high in picture.rows:
        bounded = math.isfinite(low) and math.isfinite(high)
        shown = value if math.isfinite(value) else 0.0
        bars.append(Bar(name=name, value=shown, low=low if bounded else None, high=high if bounded else None))
    return BarFigure(id=ident, title=title, caption=verdict.sentence, bars=tuple(bars), value_label=picture.label)
