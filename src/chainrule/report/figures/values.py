"""Pictures of values by group: distributions, success rates, bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from chainrule.report._base import Array
from chainrule.report.figures._axes import as_percent, drawable, label_axes, limits, reference_lines, scale
from chainrule.report.figures._layout import WIDTH, Picture, footnote, legend, legend_height, widest, wrap
from chainrule.report.figures._style import GRID, INK, MUTED, PAPER, SERIES, SMALL, TEXT, series_style
from chainrule.report.numbers import number
from chainrule.report.records import BarFigure, DistributionFigure, Group, RatesFigure

MAX_DOTS = 120
"""Single values drawn per group; of more, evenly chosen quantiles."""

NAME_WIDTH = 1.95
"""Room for a row's name in inches; longer names take two lines."""


def draw_distribution(record: DistributionFigure) -> Picture:
    """Draw the values of every group, as dots over quartiles or as the share of all runs at or below a value."""
    return _ecdf(record) if record.style == "ecdf" else _strips(record)


def _strips(record: DistributionFigure) -> Picture:
    """Draw a strip per group: dots, the middle 90 % thin, the quartiles thick, the median as a tick."""
    told = [f"{len(g.values)} of {g.total}" if len(g.values) < g.total else f"n = {g.total}" for g in record.groups]
    above = 0.18 if record.marks else 0.0
    picture, axes, centres = row_frame(record.title, [g.name for g in record.groups], told, 0.42, foot=0.7, above=above)
    extra = [np.array([m.value]) for m in record.marks if m.axis == "x"]
    scale(axes, "x", limits([*(g.values for g in record.groups), *extra], record.log, pad=0.04), record.log)
    reference_lines(axes, record.marks, above=True)
    for group, y in zip(record.groups, centres, strict=True):
        _strip(axes, group, y, record.log)
    label_axes(axes, record.value_label)
    footnote(picture, "dots: runs; thick bar: middle 50 %; thin: middle 90 %; tick: median")
    return picture


def _strip(axes: Axes, group: Group, y: float, log: bool) -> None:
    """Draw one group's values around the height `y`, dots above the line and the summary below it."""
    values = drawable(group.values, log)
    values = np.sort(values[np.isfinite(values)])
    if values.size == 0:
        axes.annotate("none", (0, y), (4, 0), ("axes fraction", "data"), "offset points", va="center", color=MUTED)
        return
    low, q1, median, q3, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    dots = values if values.size <= MAX_DOTS else np.quantile(values, np.linspace(0, 1, MAX_DOTS))
    # The golden ratio spreads consecutive dots evenly over the strip without chance.
    jitter = (np.arange(len(dots)) * 0.6180339887 % 1.0 - 0.5) * 0.34
    axes.plot(
        dots,
        y - 0.14 + jitter,
        linestyle="none",
        marker="o",
        markersize=3.4,
        markerfacecolor=SERIES[0],
        markeredgecolor=PAPER,
        markeredgewidth=0.4,
        alpha=0.75,
        gid="dots",
    )
    axes.plot([low, high], [y + 0.22] * 2, color=INK, linewidth=1.0, solid_capstyle="butt", gid="middle90")
    axes.plot([q1, q3], [y + 0.22] * 2, color=INK, linewidth=4.2, solid_capstyle="butt", gid="middle50")
    axes.plot([median], [y + 0.22], marker="|", markersize=13, markeredgewidth=2.2, color=SERIES[1], gid="median")


def _ecdf(record: DistributionFigure) -> Picture:
    """Draw the share of all runs at or below each value as steps; the steps end below 100 % where runs have none."""
    names = [f"{g.name} ({len(g.values)} of {g.total})" for g in record.groups]
    styles = [series_style(k) | {"linewidth": 2.0, "marker": ""} for k in range(len(names))]
    entries = list(zip(names, styles, strict=True))
    used = legend_height(entries)
    picture = Picture(record.title, used + 0.3 + 2.4 + 0.56)
    legend(picture, entries)
    axes = picture.panel(0.62, used + 0.3, WIDTH - 0.62 - 0.22, 2.4)
    span = limits([g.values for g in record.groups], record.log, pad=0.03)
    scale(axes, "x", span, record.log)
    reference_lines(axes, record.marks)
    for k, group in enumerate(record.groups):
        x, share = steps(group, record.log)
        axes.plot([span[0], *x, span[1]], [0.0, *share, share[-1] if len(share) else 0.0],
                  drawstyle="steps-post", gid=f"ecdf-{k}", **styles[k])  # fmt: skip
    as_percent(axes, "y", 1.02)
    label_axes(axes, record.value_label, "share of all runs")
    return picture


def steps(group: Group, log: bool = False) -> tuple[Array, Array]:
    """Return the sorted values and the share of all the group's runs at or below each, at most 400 steps."""
    values = drawable(group.values, log)
    values = np.sort(values[np.isfinite(values)])
    share = np.arange(1, len(values) + 1) / max(group.total, 1)
    keep = np.unique(np.linspace(0, max(len(values) - 1, 0), min(len(values), 400)).astype(int))
    return (values[keep], share[keep]) if len(values) else (values, share)


def draw_rates(record: RatesFigure) -> Picture:
    """Draw success rates as dots with their exact intervals, a row each, blocks under their group's name."""
    rows = [(row.group, row.name, f"{row.successes} of {row.n}" if row.n else "no seeds") for row in record.rows]
    picture, axes, places = block_frame(record.title, rows, foot=0.7)
    as_percent(axes, "x")
    axes.set_xlim(-0.015, 1.015)
    for row, y in zip(record.rows, places, strict=True):
        if row.n:
            axes.plot([row.low, row.high], [y, y], color=SERIES[0], linewidth=4.5, alpha=0.35,
                      solid_capstyle="butt", gid="interval", clip_on=False)  # fmt: skip
            axes.plot([row.rate], [y], marker="o", markersize=6.5, color=SERIES[0], markeredgecolor=PAPER,
                      markeredgewidth=0.8, linestyle="none", gid="rate", clip_on=False)  # fmt: skip
    label_axes(axes, record.value_label)
    footnote(picture, f"dot: share of seeds; bar: exact {100 * record.level:g} % interval")
    return picture


def draw_bars(record: BarFigure) -> Picture:
    """Draw values as bars from zero, or as dots on a log axis, with their intervals and their numbers."""
    told = [number(b.value) for b in record.bars]
    picture, axes, centres = row_frame(record.title, [b.name for b in record.bars], told, 0.3, foot=0.5)
    ends = [np.array([v for v in (b.value, b.low, b.high) if v is not None], dtype=float) for b in record.bars]
    low, high = limits(ends if record.log else [*ends, np.zeros(1)], record.log)
    scale(axes, "x", (low, high) if record.log else (min(low, 0.0) if low < 0 else 0.0, max(high, 0.0)), record.log)
    for bar, y in zip(record.bars, centres, strict=True):
        value = float(drawable(np.array(bar.value), record.log))
        if not np.isfinite(value):
            continue
        if record.log:
            axes.plot([value], [y], marker="o", markersize=6.5, color=SERIES[0], linestyle="none", gid="bar")
        else:
            axes.barh([y], [value], height=0.62, color=SERIES[0], alpha=0.55, gid="bar")
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [y, y], color=INK, linewidth=1.5, marker="|", markersize=6, gid="interval")
    if not record.log and low < 0:
        axes.axvline(0.0, color=MUTED, linewidth=0.8)
    label_axes(axes, record.value_label)
    return picture


def block_frame(
    title: str, rows: Iterable[tuple[str, str, str]], foot: float, above: float = 0.0
) -> tuple[Picture, Axes, list[float]]:
    """Lay out rows (group, name, remark), blocks under their group's name; return the height of each row's centre."""
    names: list[str] = []
    told: list[str] = []
    heads: list[int] = []
    last = ""
    for group, name, remark in rows:
        if group and group != last:
            heads.append(len(names))
            names.append(group)
            told.append("")
        last = group
        names.append(name)
        told.append(remark)
    picture, axes, centres = row_frame(title, names, told, 0.3, foot, heads, above)
    return picture, axes, [y for k, y in enumerate(centres) if k not in heads]


def row_frame(
    title: str,
    names: Sequence[str],
    told: Sequence[str],
    pitch: float,
    foot: float,
    heads: Sequence[int] = (),
    above: float = 0.0,
) -> tuple[Picture, Axes, list[float]]:
    """Lay out named rows with a remark at the right; return the axes and the height of each row's centre.

    Rows have height 1 on the axis and run downward; names of two lines make their row taller.
    """
    lines = [wrap(name, NAME_WIDTH if k not in heads else WIDTH - 0.2, TEXT, most=2) for k, name in enumerate(names)]
    sizes = [1.0 if len(block) < 2 else max(1.0, 0.36 / pitch) for block in lines]
    top_edge = 0.1 + above
    left = 0.22 + max((widest(block) for k, block in enumerate(lines) if k not in heads), default=0.0)
    right = 0.22 + widest(told, SMALL)
    picture = Picture(title, top_edge + pitch * sum(sizes) + foot)
    axes = picture.panel(left, top_edge, WIDTH - left - right, pitch * sum(sizes))
    axes.grid(False)
    axes.grid(True, axis="x")
    axes.set_ylim(sum(sizes), 0)
    axes.set_yticks([])
    centres, top = [], 0.0
    for k, (block, size) in enumerate(zip(lines, sizes, strict=True)):
        centre = top + size / 2
        style: dict[str, Any] = {"weight": "bold"} if k in heads else {}
        for number_, line in enumerate(block):
            y = top_edge + pitch * centre + (number_ - (len(block) - 1) / 2) * 0.165
            if k in heads:
                picture.write(0.1, y, line, size=SMALL, **style)
            else:
                picture.write(left - 0.1, y, line, ha="right", **style)
        picture.write(WIDTH - right + 0.12, top_edge + pitch * centre, told[k], size=SMALL, color=MUTED)
        if k not in heads:
            axes.axhline(top + size, color=GRID, linewidth=0.5, zorder=0.4)
        centres.append(centre)
        top += size
    return picture, axes, centres
