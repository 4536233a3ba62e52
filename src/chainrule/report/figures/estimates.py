"""Pictures of estimates with intervals: a row each, those that stand out filled, the others hollow."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from chainrule.report.figures._axes import as_percent, drawable, label_axes, limits, scale
from chainrule.report.figures._layout import Entries, Picture, footnote, legend, legend_height
from chainrule.report.figures._style import LINE, PAPER, SERIES
from chainrule.report.figures.values import block_frame
from chainrule.report.records import EstimateRow, EstimatesFigure

MARKED: dict[str, Any] = {"marker": "D", "markersize": 6.2, "markerfacecolor": SERIES[1], "markeredgecolor": PAPER,
                          "markeredgewidth": 0.8, "linestyle": "none"}  # fmt: skip
PLAIN: dict[str, Any] = {"marker": "o", "markersize": 6.0, "markerfacecolor": PAPER, "markeredgecolor": SERIES[0],
                         "markeredgewidth": 1.4, "linestyle": "none"}  # fmt: skip


def draw_estimates(record: EstimatesFigure) -> Picture:
    """Draw a dot with its interval for each row; marked rows differ in shape, filling and colour."""
    entries = _key(record)
    used = legend_height(entries)
    rows = [(row.group, row.name, row.told) for row in record.rows]
    picture, axes, places = block_frame(record.title, rows, foot=0.7 if record.note else 0.52, above=used)
    legend(picture, entries)
    _scale(axes, record)
    for row, y in zip(record.rows, places, strict=True):
        _row(axes, row, y, record.log)
    label_axes(axes, record.value_label)
    if record.note:
        footnote(picture, record.note)
    return picture


def _key(record: EstimatesFigure) -> Entries:
    """Explain the two kinds of rows where there are both, or where the marked ones have a meaning."""
    entries = []
    if record.marked_label and any(row.marked for row in record.rows):
        entries.append((record.marked_label, MARKED))
    if record.plain_label and not all(row.marked for row in record.rows):
        entries.append((record.plain_label, PLAIN))
    return entries


def _scale(axes: Axes, record: EstimatesFigure) -> None:
    """Set the axis so that every estimate and every finite end is on it."""
    if record.percent:
        as_percent(axes, "x")
        axes.set_xlim(-0.015, 1.015)
        return
    ends = [np.array([row.value, row.low, row.high], dtype=float) for row in record.rows]
    scale(axes, "x", limits(ends, record.log), record.log)


def _row(axes: Axes, row: EstimateRow, y: float, log: bool) -> None:
    """Draw one estimate; an end that cannot be shown reaches the edge."""
    value = float(drawable(np.array(row.value), log))
    if not np.isfinite(value):
        return
    left, right = axes.get_xlim()
    low, high = (float(v) for v in drawable(np.array([row.low, row.high]), log))
    low, high = left if np.isnan(low) else low, right if np.isnan(high) else high
    bar: dict[str, Any] = {"color": SERIES[1] if row.marked else SERIES[0], "alpha": 0.5 if row.marked else 0.3}
    known = not (np.isnan(row.low) or np.isnan(row.high))
    if known:
        axes.plot([low, high], [y, y], linewidth=4.5, solid_capstyle="butt", gid="interval", clip_on=False, **bar)
    elif np.isnan(row.low) and np.isnan(row.high):
        axes.plot([left, right], [y, y], linewidth=0.8, color=LINE, linestyle=(0, (1, 3)), gid="no-interval")
    axes.plot([value], [y], gid="estimate", clip_on=False, zorder=5, **(MARKED if row.marked else PLAIN))
