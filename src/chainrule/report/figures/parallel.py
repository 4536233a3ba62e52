"""Parallel coordinates: a line a cell, drawn the stronger the better the cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from chainrule.report._base import Array
from chainrule.report.figures._layout import WIDTH, Picture, footnote, legend, legend_height, shorten, text_width, wrap
from chainrule.report.figures._style import INK, LINE, MUTED, PAPER, SERIES, SMALL
from chainrule.report.numbers import number
from chainrule.report.records import ParallelAxis, ParallelFigure

HEIGHT = 3.1
MOST_TICKS = 12
"""Labels along one axis."""


def draw_parallel(record: ParallelFigure) -> Picture:
    """Draw the lines, worst first, so that good ones lie on top; marked ones in a second colour, with points."""
    strong: dict[str, Any] = {"color": SERIES[0], "linewidth": 2.0}
    weak: dict[str, Any] = {"color": SERIES[0], "linewidth": 0.8, "alpha": 0.3}
    entries: list[tuple[str, dict[str, Any]]] = [
        (f"best {record.merit_label}", strong),
        (f"worst {record.merit_label}", weak),
    ]
    if record.marked.any() and record.marked_label:
        entries.insert(0, (record.marked_label, _marked_style()))
    used = legend_height(entries)
    left, right = _margins(record)
    room = (WIDTH - left - right) / max(len(record.axes) - 1, 1)
    told = [axis.name + (" (log)" if axis.log else "") for axis in record.axes]
    names = [wrap(name, max(room - 0.08, 0.5), SMALL, "bold", most=2) for name in told]
    head, foot = 0.2 + 0.17 * max(len(lines) for lines in names), 0.3
    picture = Picture(record.title, used + head + HEIGHT + foot)
    legend(picture, entries)
    axes = picture.panel(left, used + head, WIDTH - left - right, HEIGHT)
    _frame(axes, len(record.axes))
    heights = np.stack([_heights(axis, record.merit) for axis in record.axes], axis=1)  # (lines, axes)
    _lines(picture, axes, record, heights)
    for k, axis in enumerate(record.axes):
        _axis(axes, axis, k, room, names[k], last=k == len(record.axes) - 1)
    footnote(picture, f"{len(record.merit)} lines; stronger and wider lines did better")
    return picture


def _marked_style() -> dict[str, Any]:
    return {"color": SERIES[1], "linewidth": 1.8, "marker": "D", "markersize": 4.2, "markeredgecolor": PAPER,
            "markeredgewidth": 0.5}  # fmt: skip


def _margins(record: ParallelFigure) -> tuple[float, float]:
    """Room at the left for half of the first name, at the right for the last axis's labels."""
    first, last = record.axes[0], record.axes[-1]
    labels = [text for _, text in ticks(last)]
    longest = max((text_width(shorten(text, 0.9, SMALL), SMALL) for text in labels), default=0.0)
    return max(0.2, min(text_width(first.name, SMALL), 1.2) / 2 + 0.05), max(
        longest + 0.22, text_width(last.name, SMALL) / 2 + 0.05
    )


def _frame(axes: Axes, count: int) -> None:
    """Prepare the plane: axes stand at 0, 1, 2, ...; heights run from 0 to 1."""
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlim(0, max(count - 1, 1))
    axes.set_ylim(-0.04, 1.04)


def _span(axis: ParallelAxis) -> tuple[float, float]:
    """Return the ends of a numeric axis, of logarithms on a logarithmic one."""
    values = axis.values[np.isfinite(axis.values)]
    if axis.labels:
        return -0.5, len(axis.labels) - 0.5
    if values.size == 0 or axis.percent:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if axis.log and low > 0:
        low, high = math.log10(low), math.log10(high)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def place_on(axis: ParallelAxis, values: Array) -> Array:
    """Return how high values stand on an axis, 0 to 1; NaN below it, where lines without a value pass."""
    low, high = _span(axis)
    with np.errstate(all="ignore"):
        numbers = np.log10(values) if axis.log and not axis.labels and low == low else values
        return np.asarray((numbers - low) / (high - low), dtype=float)


def _heights(axis: ParallelAxis, merit: Array) -> Array:
    """Return where each line crosses an axis; lines at one category are spread a little, the better the higher."""
    heights = place_on(axis, axis.values)
    if axis.labels:
        spread = 0.55 / len(axis.labels)
        heights = heights + spread * (np.nan_to_num(merit, nan=0.0) - 0.5)
    return heights


def _lines(picture: Picture, axes: Axes, record: ParallelFigure, heights: Array) -> None:
    """Draw all lines; one that has no value on an axis is broken there."""
    merit = np.nan_to_num(record.merit, nan=0.0)
    x = np.arange(len(record.axes))
    for k in np.lexsort((merit, record.marked)):
        if record.marked[k]:
            style = _marked_style() | {"alpha": 0.9, "zorder": 3}
        else:
            share = float(merit[k])
            style = {
                "color": SERIES[0],
                "linewidth": 0.7 + 1.3 * share**2,
                "alpha": 0.22 + 0.6 * share**2,
                "zorder": 2,
            }
        drawn = axes.plot(x, heights[k], gid="line", clip_on=False, solid_joinstyle="round", **style)[0]
        if record.names[k]:
            picture.hover(drawn, record.names[k])


def ticks(axis: ParallelAxis) -> list[tuple[float, str]]:
    """Return values and labels to write along an axis: every category, or the numbers that occur if they are few."""
    if axis.labels:
        every = -(-len(axis.labels) // MOST_TICKS)
        return [(float(k), text) for k, text in enumerate(axis.labels) if k % every == 0]
    if axis.percent:
        return [(share, f"{100 * share:.0f} %") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    values = np.unique(axis.values[np.isfinite(axis.values)])
    if values.size <= 6:
        return [(float(v), number(float(v))) for v in values]
    low, high = _span(axis)
    at = np.linspace(low, high, 5)
    shown = 10.0**at if axis.log else at
    return [(float(v), number(float(f"{v:.2g}"))) for v in shown]


def _axis(axes: Axes, axis: ParallelAxis, place: int, room: float, name: Sequence[str], last: bool) -> None:
    """Draw an upright axis with its name above and its labels beside it, to the right."""
    axes.axvline(place, color=LINE, linewidth=1.0, zorder=1)
    for k, line in enumerate(reversed(name)):
        axes.annotate(line, (place, 1), (0, 6 + 12 * k), ("data", "axes fraction"), "offset points", fontsize=SMALL,
                      fontweight="bold", annotation_clip=False, va="bottom", ha="center")  # fmt: skip
    box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for value, text in ticks(axis):
        height = float(place_on(axis, np.array(value)))
        text = shorten(text, 0.9 if last else max(room - 0.15, 0.25), SMALL)
        colour = INK if last else MUTED
        axes.annotate(text, (place, height), (4, 0), "data", "offset points", fontsize=SMALL, color=colour,
                      va="center", annotation_clip=False, zorder=5, bbox=box)  # fmt: skip
