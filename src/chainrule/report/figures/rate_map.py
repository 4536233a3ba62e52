"""Pictures of probabilities over two axes: tinted from 0 to 100 %, each with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from chainrule.report.figures._layout import WIDTH, Picture, widest, wrap
from chainrule.report.figures._style import INK, LINE, MUTED, PAPER, SERIES, SMALL
from chainrule.report.figures.images import hover_cell, matrix_frame
from chainrule.report.records import RateMapFigure

TINY = 7.4
"""Size of the intervals under the rates."""


def draw_rate_map(record: RateMapFigure) -> Picture:
    """Draw a cell per place: tint and number say the rate, small numbers its interval; marked cells are framed."""
    picture, axes, width, height = matrix_frame(record, record.rates.shape, foot=0.42, tallest=0.5)
    spanned = _cells(picture, axes, record, width, height)
    note = f"tint: {record.value_label}, 0 to 100 %"
    note += f"; small: {100 * record.level:g} % interval" if spanned else ""
    if record.marked.any() and record.marked_label:
        note += f"; framed: {record.marked_label}"
    if np.isnan(record.rates).any():
        note += "; struck: no runs, or given up"
    lines = wrap(note, WIDTH - 0.2, SMALL, most=2)
    for k, line in enumerate(lines):
        below = picture.body - 0.04 - 0.18 * (len(lines) - 1 - k)
        picture.write(0.1, below, line, size=SMALL, color=MUTED, va="bottom")
    return picture


def _cells(picture: Picture, axes: Axes, record: RateMapFigure, width: float, height: float) -> bool:
    """Draw every cell with what fits into it: the rate, and under it the interval; return whether that fits too."""
    shares = [[_percent(v) for v in row] for row in record.rates]
    spans = [[f"{_percent(a)}–{_percent(b)}" for a, b in zip(*rows, strict=True)]
             for rows in zip(record.low, record.high, strict=True)]  # fmt: skip
    written = widest([t for row in shares for t in row], SMALL) < width - 0.04 and height >= 0.19
    spanned = written and widest([t for row in spans for t in row], TINY) < width - 0.03 and height >= 0.33
    strongest = 0.55 if written else 1.0  # written numbers stay readable on every tint, on light and dark paper
    for (row, column), rate in np.ndenumerate(record.rates):
        note = record.notes[row][column]
        if np.isnan(rate):
            axes.plot([column + 0.3, column + 0.7], [row + 0.7, row + 0.3], color=LINE, linewidth=1.0, gid="no-runs")
            hover_cell(picture, axes, row, column, note)
            continue
        tint = (SERIES[0], strongest * (0.03 + 0.97 * float(rate)))
        cell = Rectangle((column, row), 1, 1, facecolor=tint, edgecolor=PAPER, linewidth=1.0)
        axes.add_patch(cell)
        if record.marked[row, column]:
            inset = 0.03
            frame: dict[str, Any] = {"fill": False, "edgecolor": SERIES[1], "linewidth": 2.0, "zorder": 3}
            axes.add_patch(
                Rectangle((column + inset, row + inset), 1 - 2 * inset, 1 - 2 * inset, gid="marked", **frame)
            )
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": INK, "zorder": 4}
        if written:
            shift = 0.16 if spanned else 0.0
            axes.text(column + 0.5, row + 0.5 - shift, shares[row][column], fontsize=SMALL, **style)
        if spanned:
            axes.text(column + 0.5, row + 0.5 + 0.24, spans[row][column], fontsize=TINY, **style)
        hover_cell(picture, axes, row, column, note)
    return spanned


def _percent(share: float) -> str:
    """Write a share as per cent without the sign; only all is 100 and only none is 0."""
    if np.isnan(share):
        return "–"
    rounded = round(100 * float(share))
    if rounded == 100 and share < 1:
        return ">99"
    return "<1" if rounded == 0 and share > 0 else str(rounded)
