"""Axes: scales, limits and tick labels written as plain text (1,000 · 0.01 · 10⁻⁴), and reference lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from chainrule.report._base import Array
from chainrule.report.figures._style import MUTED, PAPER, SMALL
from chainrule.report.numbers import number
from chainrule.report.records import Mark

LARGEST = 1e120
"""Beyond this a value is drawn as missing: squares of it would overflow inside the drawing library."""


def drawable(values: Array, log: bool) -> Array:
    """Replace by NaN what an axis cannot show: infinities, astronomic values, and values ≤ 0 on a log axis."""
    values = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        keep = np.isfinite(values) & (np.abs(values) < LARGEST) & ((values > 0) | (not log))
    return np.where(keep, values, np.nan)


def limits(values: Sequence[Array], log: bool, pad: float = 0.05) -> tuple[float, float]:
    """Return axis limits that hold all drawable values with some air; never an empty range."""
    finite = [v[np.isfinite(v)] for v in (drawable(np.ravel(a), log) for a in values)]
    pool = np.concatenate(finite) if finite else np.zeros(0)
    if pool.size == 0:
        return (0.1, 10.0) if log else (0.0, 1.0)
    low, high = float(pool.min()), float(pool.max())
    if log:
        low, high = math.log10(low), math.log10(high)
        air = max((high - low) * pad, 0.15)
        return 10 ** (low - air), 10 ** (high + air)
    air = (high - low) * pad if high > low else max(abs(high) * 0.1, 0.5)
    floor = 0.0 if low >= 0 and low < 0.3 * high else low - air
    return floor, high + air


def scale(axes: Axes, which: str, span: tuple[float, float], log: bool, ticks: int = 5) -> None:
    """Set the limits, scale and tick labels of the "x" or "y" axis.

    A log axis whose limits include zero (epoch 0) becomes linear below 1.
    """
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    set_scale = axes.set_xscale if which == "x" else axes.set_yscale
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    if log and span[0] <= 0:
        set_scale("symlog", linthresh=1.0, linscale=0.35)
        decades = [10.0**k for k in range(math.ceil(math.log10(max(span[1], 1.0))) + 1)]
        axis.set_major_locator(FixedLocator([0.0, *(d for d in decades if d <= span[1] * 1.001)]))
    elif log:
        set_scale("log")
        axis.set_major_locator(_log_locator(span, ticks))
    else:
        axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(round(value, 12) if not log else value)))
    set_limits(*span)


def _log_locator(span: tuple[float, float], ticks: int) -> LogLocator:
    """Choose decades, or 1-2-5 within them where the axis spans little."""
    decades = math.log10(span[1] / span[0])
    subs: tuple[float, ...] = (1.0, 2.0, 5.0) if decades < 2.2 else (1.0,)
    if decades < 0.7:
        subs = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    return LogLocator(subs=subs, numticks=ticks + 2)


def as_percent(axes: Axes, which: str, top: float = 1.0) -> None:
    """Label an axis of shares in percent, from 0 to `top`."""
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1.0]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    (axes.set_xlim if which == "x" else axes.set_ylim)(0.0, top)


def label_axes(axes: Axes, x_label: str = "", y_label: str = "", title: str = "") -> None:
    """Write the x label below, the y label flat above the axis, and the panel's title above that."""
    if x_label:
        axes.set_xlabel(x_label, fontsize=SMALL, labelpad=4)
    offset = 5.0
    for text, weight, colour in ((y_label, "normal", MUTED), (title, "bold", None)):
        if text:
            options: dict[str, Any] = {"color": colour} if colour else {}
            axes.annotate(
                text,
                (0, 1),
                (0, offset),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="left",
                va="bottom",
                fontsize=SMALL,
                fontweight=weight,
                annotation_clip=False,
                **options,
            )
            offset += SMALL * 1.35


def reference_lines(axes: Axes, marks: Sequence[Mark], above: bool = False) -> None:
    """Draw labelled reference lines, thin and dash-dotted; labels of upright ones may stand above the frame."""
    for mark in marks:
        style: dict[str, Any] = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 2, 1, 2)), "zorder": 1.5}
        text: dict[str, Any] = {"textcoords": "offset points", "fontsize": SMALL, "color": MUTED, "zorder": 6}
        box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
        if mark.axis == "y":
            axes.axhline(mark.value, **style)
            place = axes.get_yaxis_transform()
            axes.annotate(mark.label, (1, mark.value), (-1, 3.5), xycoords=place, ha="right", bbox=box, **text)
        else:
            axes.axvline(mark.value, **style)
            place = axes.get_xaxis_transform()
            options: dict[str, Any] = {"xytext": (0, 2), "ha": "center"} if above else {"xytext": (3, -2), "va": "top"}
            options |= {} if above else {"bbox": box}
            axes.annotate(mark.label, (mark.value, 1), xycoords=place, annotation_clip=False, **options, **text)
