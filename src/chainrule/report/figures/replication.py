"""Reported figures placed in our distributions, a row each, on an axis normalised by our own middle 90 %."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes

from chainrule.report.figures._layout import (
    WIDTH,
    Picture,
    footnote,
    legend,
    legend_height,
    shorten,
    text_width,
    widest,
)
from chainrule.report.figures._style import BAD, GOOD, GRID, INK, MUTED, NOTICE, PAPER, SERIES, SMALL
from chainrule.report.numbers import number
from chainrule.report.records import ReplicationFigure, ReplicationRow

EDGE = 3.0
"""Half the axis, in halves of our middle 90 %; a figure further out is drawn as an arrow at the edge."""

STYLES: dict[str, dict[str, Any]] = {
    "typical": {"marker": "o", "color": GOOD},
    "lucky": {"marker": "^", "color": NOTICE},
    "unlucky": {"marker": "v", "color": NOTICE},
    "cannot occur": {"marker": "X", "color": BAD},
    "explained by a defect": {"marker": "D", "color": SERIES[3]},
    "no verdict": {"marker": "o", "color": MUTED, "markerfacecolor": "none"},
}
PITCH = 0.42


def draw_replication(record: ReplicationFigure) -> Picture:
    """Draw a row per reported figure: our middle 90 % as a bar, our median as a tick, the reported figure marked."""
    used = [v for v in STYLES if any(row.verdict == v for row in record.rows)]
    entries = [(v, _marker(v) | {"linestyle": "none"}) for v in used]
    key = legend_height(entries)
    head = key + 0.26
    picture = Picture(record.title, head + PITCH * len(record.rows) + 0.26)
    legend(picture, entries)
    left, width = 0.12, 2.5
    axes = picture.panel(left, head, width, PITCH * len(record.rows))
    _frame(axes, len(record.rows))
    picture.write(left + width / 2, head - 0.1, "our middle 90 %", size=SMALL, color=MUTED, ha="center")
    columns = _columns(picture, record, left + width, head)
    for k, row in enumerate(record.rows):
        picture.line([0.1, WIDTH - 0.1], [head + PITCH * k] * 2, color=GRID, linewidth=0.8)
        _row(axes, row, k)
        _numbers(picture, row, columns, head + PITCH * k)
    footnote(picture, "bar: our middle 90 %; tick: our median; arrow: further out")
    return picture


def position(row: ReplicationRow, value: float) -> float:
    """Return where a value lies in units of half our middle 90 %: −1 and 1 are the ends of that interval.

    With `log` the units are ratios. Where all our seeds agree, an equal value is 0 and any other is beyond the edge.
    """
    if row.low is None or row.high is None or not math.isfinite(value):
        return math.nan
    low, high = row.low, row.high
    if row.log and min(low, high, value) > 0:
        low, high, value = math.log(low), math.log(high), math.log(value)
    middle, half = (low + high) / 2, (high - low) / 2
    if half <= 1e-12 * max(abs(middle), 1e-300):
        return (
            0.0 if math.isclose(value, middle, rel_tol=1e-9, abs_tol=1e-12) else math.copysign(math.inf, value - middle)
        )
    return (value - middle) / half


def _marker(verdict: str) -> dict[str, Any]:
    """Marker of a verdict: its shape and its colour both say it."""
    return (
        {"markersize": 7.2, "markeredgecolor": PAPER, "markeredgewidth": 0.7}
        | STYLES[verdict]
        | ({"markeredgecolor": MUTED, "markeredgewidth": 1.2} if verdict == "no verdict" else {})
    )


def _frame(axes: Axes, rows: int) -> None:
    """Prepare the shared axis: our interval as a band down the picture, no numbers."""
    axes.set_xlim(-EDGE - 0.15, EDGE + 0.15)
    axes.set_ylim(rows, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.axvspan(-1, 1, color=GRID, alpha=0.45, linewidth=0)


def _row(axes: Axes, row: ReplicationRow, k: int) -> None:
    """Draw a row's interval, median and reported figure."""
    y = k + 0.71
    if row.low is None or row.high is None or row.n == 0:
        return
    tight = position(row, row.low) == 0.0
    if tight:
        axes.plot([0], [y], marker="|", markersize=9, markeredgewidth=4, color=SERIES[0], gid="interval")
    else:
        axes.plot([-1, 1], [y, y], color=SERIES[0], alpha=0.45, linewidth=5, solid_capstyle="butt", gid="interval")
    if row.median is not None and not tight:
        place = [position(row, row.median)]
        axes.plot(place, [y], marker="|", markersize=9, markeredgewidth=2, color=SERIES[0], gid="median")
    if row.reported is None:
        return
    place_reported = position(row, row.reported)
    if math.isnan(place_reported):
        place_reported = math.inf  # a reported NaN lies beyond every number
    drawn = min(max(place_reported, -EDGE), EDGE)
    if drawn != place_reported:
        side = math.copysign(1.0, drawn)
        axes.annotate("", (drawn + 0.15 * side, y), (drawn - 0.75 * side, y),
                      arrowprops={"arrowstyle": "->", "color": MUTED, "lw": 1.1})  # fmt: skip
        drawn -= 0.35 * side
    axes.plot([drawn], [y], zorder=5, linestyle="none", gid="reported", **_marker(row.verdict))


def _columns(picture: Picture, record: ReplicationFigure, start: float, head: float) -> tuple[float, float, float]:
    """Head the columns of numbers and return their right edges: reported, median with interval, percentile."""
    right = WIDTH - 0.1
    ours = right - 0.42
    reported = start + 0.12 + max(widest([_show(row, row.reported) for row in record.rows], SMALL, "bold"), 0.55)
    for x, text in ((reported, "reported"), (ours, "our median"), (right, "pct.")):
        picture.write(x, head - 0.1, text, size=SMALL, color=MUTED, ha="right")
    return reported, ours, right


def _numbers(picture: Picture, row: ReplicationRow, columns: tuple[float, float, float], y: float) -> None:
    """Write a row's name above its bar and its numbers beside it."""
    verdict_width = text_width(row.verdict, SMALL)
    picture.write(0.12, y + 0.12, row.id, size=SMALL, weight="bold")
    offset = 0.12 + text_width(row.id, SMALL, "bold") + 0.08
    label = shorten(row.label, WIDTH - offset - verdict_width - 0.25, SMALL)
    picture.write(offset, y + 0.12, label, size=SMALL, color=INK)
    picture.write(columns[2], y + 0.12, row.verdict, size=SMALL, color=STYLES[row.verdict]["color"], ha="right")
    height = y + 0.3
    picture.write(columns[0], height, _show(row, row.reported), size=SMALL, weight="bold", ha="right")
    if row.n == 0 or row.median is None:
        picture.write(columns[2], height, "not run", size=SMALL, color=MUTED, ha="right")
        return
    picture.write(columns[1], height, _show(row, row.median), size=SMALL, ha="right")
    told = "–" if row.percentile is None else f"{row.percentile:.0f}"
    picture.write(columns[2], height, told, size=SMALL, ha="right")


def _show(row: ReplicationRow, value: float | None) -> str:
    """Write a row's number in its own format."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return number(value)
    return format(value, row.number_format).replace("-", "−")
