"""Pictures of curves: functions, fans over seeds, windowed means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from chainrule.report._base import Array
from chainrule.report.figures._axes import drawable, label_axes, limits, reference_lines, scale
from chainrule.report.figures._layout import (
    WIDTH,
    Picture,
    footnote,
    legend,
    legend_height,
    shorten,
    spread_out,
    widest,
)
from chainrule.report.figures._style import INK, LINE, PAPER, SMALL, series_style
from chainrule.report.records import (
    MAX_POINTS,
    CurveFigure,
    CurvePanel,
    FanFigure,
    FanPanel,
    FanSeries,
    WindowFigure,
    thin_index,
)

MAX_RUNS = 15
"""Single runs drawn per panel, an even selection of all."""

REPORTED: dict[str, Any] = {
    "marker": "X",
    "markersize": 7.0,
    "markerfacecolor": INK,
    "markeredgecolor": PAPER,
    "markeredgewidth": 0.8,
    "linestyle": "none",
}
"""How a figure that others reported is marked."""

Span = tuple[float, float]


def draw_curves(record: CurveFigure) -> Picture:
    """Draw named functions as lines, told apart by colour and dashes."""
    names = list(dict.fromkeys(c.name for p in record.panels for c in p.curves))
    direct = _fits_beside(names, len(record.panels))
    picture, frames = _frames(record, [p.title for p in record.panels], [] if direct else names, direct)
    everything = [c.y for p in record.panels for c in p.curves]
    for panel, axes in zip(record.panels, frames, strict=True):
        shown = everything if record.share_y else [c.y for c in panel.curves]
        extra = [np.array([m.value]) for m in panel.marks if m.axis == "y"]
        scale(axes, "y", limits([*shown, *extra], record.log_y), record.log_y)
        scale(axes, "x", _x_span([c.x for c in panel.curves], record.log_x), record.log_x)
        reference_lines(axes, panel.marks)
        _curves(axes, panel, names, record.log_y)
        label_axes(axes, record.x_label, record.y_label, panel.title)
        if direct:
            _end_labels(axes, [(c.name, c.x, drawable(c.y, record.log_y)) for c in panel.curves], names)
    return picture


def _curves(axes: Axes, panel: CurvePanel, names: Sequence[str], log_y: bool) -> None:
    """Draw the lines of one panel."""
    for curve in panel.curves:
        keep = thin_index(curve.x, 400)
        style = series_style(names.index(curve.name)) | {"marker": ""}
        axes.plot(curve.x[keep], drawable(curve.y[keep], log_y), linewidth=2.0, gid=f"curve-{curve.name}", **style)


def draw_fan(record: FanFigure) -> Picture:
    """Draw histories over seeds: median, middle 50 % and 90 %, a few single runs, reported points."""
    record = record.thinned(MAX_POINTS if len(record.panels) == 1 else MAX_POINTS // 2)
    names = list(dict.fromkeys(s.name for p in record.panels for s in p.series))
    told = _told_names(record, names)
    direct = len(names) > 1 and _fits_beside(list(told.values()), len(record.panels))
    reported = next((p.reported_label for p in record.panels if p.reported), "")
    key = [] if direct or len(names) == 1 else names
    picture, frames = _frames(record, [p.title for p in record.panels], key, direct, told, reported)
    spans = [_fan_span(p, record.log_y) for p in record.panels]
    if record.share_y:
        spans = [(min(low for low, _ in spans), max(high for _, high in spans))] * len(spans)
    for panel, axes, span in zip(record.panels, frames, spans, strict=True):
        scale(axes, "y", span, record.log_y)
        scale(axes, "x", _x_span([s.x for s in panel.series], record.log_x), record.log_x)
        reference_lines(axes, panel.marks)
        for series in panel.series:
            _fan_series(axes, series, names, record, MAX_RUNS // len(panel.series))
        if panel.reported:
            xy = np.array(panel.reported, dtype=float)
            axes.plot(xy[:, 0], xy[:, 1], zorder=6, gid="reported", clip_on=False, **REPORTED)
        room = axes.get_position().width * picture.width + 0.35
        label_axes(axes, record.x_label, record.y_label, shorten(panel.title, room, SMALL, "bold"))
        if direct:
            ends = [(s.name, s.x, drawable(s.bands[2], record.log_y)) for s in panel.series]
            _end_labels(axes, ends, names, told)
    footnote(picture, _fan_note(record))
    return picture


def _fan_series(axes: Axes, series: FanSeries, names: Sequence[str], record: FanFigure, most: int) -> None:
    """Draw one setting's bands, its single runs, and its median."""
    index = names.index(series.name)
    style = series_style(index)
    colour = style["color"]
    bands = drawable(series.bands, record.log_y)
    x = series.x
    crowded = len(names) > 2
    for low, high, alpha, name in ((0, 4, 0.09 if crowded else 0.15, "90"), (1, 3, 0.2 if crowded else 0.26, "50")):
        axes.fill_between(x, bands[low], bands[high], color=colour, alpha=alpha, linewidth=0, gid=f"band{name}-{index}")
    if record.show_runs:
        runs = drawable(series.held, record.log_y)
        for k in np.unique(np.linspace(0, series.n - 1, min(series.n, max(most, 3))).astype(int)):
            axes.plot(x, runs[k], color=colour, linewidth=0.5, alpha=0.35, zorder=1.8, gid=f"run-{index}")
    every = max(1, len(x) // 7)
    axes.plot(
        x,
        bands[2],
        linewidth=2.0,
        zorder=4,
        markersize=5,
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
        markevery=(min(index * max(1, every // 4), len(x) - 1), every) if len(x) > 12 else None,
        gid=f"median-{index}",
        **style,
    )


def _told_names(record: FanFigure, names: Sequence[str]) -> dict[str, str]:
    """Names for the key, with the number of diverged runs where there are any."""
    told = {}
    for name in names:
        same = [s for p in record.panels for s in p.series if s.name == name]
        lost, total = sum(len(s.diverged) for s in same), sum(s.n for s in same)
        told[name] = f"{name} ({lost} of {total} diverged)" if lost else name
    return told


def _fan_note(record: FanFigure) -> str:
    """Say what the bands are and how many seeds stand behind them."""
    counts = sorted({s.n for p in record.panels for s in p.series})
    seeds = f"{counts[0]:,} {record.unit}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} {record.unit}"
    return f"median, middle 50 % and 90 % of {seeds}" + (", single runs" if record.show_runs else "")


def _fan_span(panel: FanPanel, log: bool) -> Span:
    """Limits of a fan: its bands, marks and reported points. A few wild single runs may leave the picture."""
    shown = [s.bands for s in panel.series]
    extra = [np.array([m.value]) for m in panel.marks if m.axis == "y"]
    extra += [np.array([y for _, y in panel.reported])] if panel.reported else []
    return limits([*shown, *extra], log)


def _x_span(xs: Sequence[Array], log: bool) -> Span:
    """Limits of the x axis: exactly the data, or with zero kept for a log axis from epoch 0."""
    low, high = min(float(x[0]) for x in xs), max(float(x[-1]) for x in xs)
    if high <= low:
        return low - 0.5, high + 0.5
    # A round number just beyond the last epoch (2,000 after 1,999) becomes the end of the axis.
    unit = 10.0 ** math.floor(math.log10(high)) if high > 0 else 1.0
    rounded = math.ceil(high / unit * 10) / 10 * unit
    high = rounded if rounded - high <= 0.01 * (high - low) else high
    return (low, high) if low > 0 or not log else (0.0, high)


def _fits_beside(names: Sequence[str], panels: int) -> bool:
    """Whether names can stand at the ends of their lines."""
    return panels == 1 and 1 < len(names) <= 8 and widest(names, SMALL) <= 1.15


def _frames(
    record: CurveFigure | FanFigure,
    titles: Sequence[str],
    key: Sequence[str],
    direct: bool,
    told: dict[str, str] | None = None,
    reported: str = "",
) -> tuple[Picture, list[Axes]]:
    """Lay out the panels, two in a row, under the key; leave room at the right for direct labels."""
    n, across = len(titles), 1 if len(titles) == 1 else 2
    rows = -(-n // across)
    heading = 0.1 + (0.17 if record.y_label else 0.0) + (0.17 if any(titles) else 0.0)
    height = 2.5 if across == 1 else 1.55
    foot = 0.48 if record.x_label else 0.32
    note = 0.2 if isinstance(record, FanFigure) else 0.0
    entries: list[tuple[str, dict[str, Any]]] = [
        ((told or {}).get(name, name), _sample(k, record)) for k, name in enumerate(key)
    ]
    if reported:
        entries.append((reported, REPORTED))
    used = legend_height(entries)
    picture = Picture(record.title, used + rows * (heading + height + foot) + note)
    legend(picture, entries)
    left, gap = 0.62, 0.62
    names = list((told or {}).values()) or [
        c.name for p in getattr(record, "panels", ()) for c in getattr(p, "curves", ())
    ]
    right = 0.28 + (widest(names, SMALL) if direct else 0.0)
    width = (WIDTH - left - right - gap * (across - 1)) / across
    frames = []
    for place in range(n):
        row, column = divmod(place, across)
        top = used + heading + row * (heading + height + foot)
        frames.append(picture.panel(left + column * (width + gap), top, width, height))
    return picture, frames


def _sample(index: int, record: CurveFigure | FanFigure) -> dict[str, Any]:
    """Style of a series' sample in the key."""
    style = series_style(index) | {"linewidth": 2.0, "markersize": 5, "markeredgecolor": PAPER, "markeredgewidth": 0.6}
    return style | ({"marker": ""} if isinstance(record, CurveFigure) else {})


def _end_labels(
    axes: Axes, ends: Sequence[tuple[str, Array, Array]], names: Sequence[str], told: dict[str, str] | None = None
) -> None:
    """Write each name where its line ends, moved apart where they would touch, tied to the line by a hair."""
    height = axes.get_window_extent().height / axes.figure.dpi
    places, shown = [], []
    for name, x, y in ends:
        there = np.flatnonzero(np.isfinite(y))
        if there.size:
            last = there[-1]
            point = axes.transAxes.inverted().transform(axes.transData.transform((x[last], y[last])))
            places.append(float(np.clip(point[1], 0, 1)) * height)
            shown.append((name, float(point[0]), places[-1]))
    moved = spread_out(places, 0.165, 0.0, height)
    for (name, x_end, y_end), y_label in zip(shown, moved, strict=True):
        style = series_style(names.index(name)) | {"linestyle": "none", "markersize": 4.0}
        start, end = (x_end, y_end / height), (1.028, y_label / height)
        axes.plot(
            *zip(start, end, strict=True), transform=axes.transAxes, color=LINE, linewidth=0.7, clip_on=False, zorder=1
        )
        axes.plot(*end, transform=axes.transAxes, clip_on=False, **style)
        text = (told or {}).get(name, name)
        axes.annotate(
            text,
            end,
            (5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            annotation_clip=False,
        )


def draw_windows(record: WindowFigure) -> Picture:
    """Draw the windowed mean with its spread above, and the spread alone below."""
    names = [s.name for s in record.series]
    entries = [(name, series_style(k) | {"linewidth": 2.0, "marker": ""}) for k, name in enumerate(names)]
    used = legend_height(entries) if len(entries) > 1 else 0.0
    picture = Picture(record.title, used + 0.3 + 1.9 + 0.62 + 1.0 + 0.5)
    if len(entries) > 1:
        legend(picture, entries)
    width = WIDTH - 0.62 - 0.28
    upper = picture.panel(0.62, used + 0.3, width, 1.9)
    lower = picture.panel(0.62, used + 0.3 + 1.9 + 0.62, width, 1.0)
    low = [s.mean - s.spread if not record.log_y else s.mean for s in record.series]
    scale(upper, "y", limits([*low, *(s.mean + s.spread for s in record.series)], record.log_y), record.log_y)
    scale(lower, "y", limits([s.spread for s in record.series], record.log_y), record.log_y, ticks=3)
    for axes in (upper, lower):
        scale(axes, "x", _x_span([s.x for s in record.series], False), False)
    floor = upper.get_ylim()[0]
    for k, series in enumerate(record.series):
        keep = thin_index(series.x)
        x, mean, spread = series.x[keep], series.mean[keep], series.spread[keep]
        style = series_style(k) | {"marker": ""}
        bottom = np.maximum(mean - spread, floor) if record.log_y else mean - spread
        upper.fill_between(x, bottom, mean + spread, color=style["color"], alpha=0.2, linewidth=0, gid=f"band-{k}")
        upper.plot(x, drawable(mean, record.log_y), linewidth=1.8, gid=f"mean-{k}", **style)
        lower.plot(x, drawable(spread, record.log_y), linewidth=1.6, gid=f"spread-{k}", **style)
    label_axes(upper, "", f"{record.y_label}: windowed mean ± spread")
    label_axes(lower, record.x_label, "spread (standard deviation)")
    return picture
