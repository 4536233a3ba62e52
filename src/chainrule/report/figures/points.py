"""Pictures of labelled points in the plane: data, truth beside prediction, decision boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from chainrule.report._base import Array
from chainrule.report.figures._axes import label_axes, scale
from chainrule.report.figures._layout import WIDTH, Picture, footnote, legend, legend_height
from chainrule.report.figures._style import INK, LINE, MARKERS, MUTED, PAPER, SERIES, SMALL
from chainrule.report.records import BoundaryFigure, BoundaryGrid, PointsFigure, TruthFigure

MAX_DRAWN = 900
"""Points drawn per panel; of more, an even selection."""

LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Probability steps of the filled decision boundary, mirrored about one half."""
SHADES = (0.42, 0.26, 0.12)
"""How strongly the outer, middle and inner steps are tinted with their class's colour."""

Limits = tuple[tuple[float, float], ...]
"""Limits of the x and of the y axis."""


@dataclass(frozen=True)
class _Plane:
    """One panel: points by class, the grid to shade (or None), and the limits of its axes."""

    title: str
    xy: Array
    labels: Array
    grid: BoundaryGrid | None
    view: Limits


def draw_points(record: PointsFigure) -> Picture:
    """Draw one scatter of labelled points per panel."""
    planes = [_Plane(p.title, p.points, p.labels, None, _around(p.points)) for p in record.panels]
    return _panels(record, planes, record.panels[0].classes)


def draw_boundaries(record: BoundaryFigure) -> Picture:
    """Draw decision boundaries side by side, with their points."""
    planes = [_Plane(p.title, p.points, p.labels, p.grid, _extent(p.grid)) for p in record.panels]
    classes = record.panels[0].classes
    picture = _panels(record, planes, classes)
    footnote(picture, _boundary_note([p.grid for p in record.panels], len(classes)))
    return picture


def draw_truth(record: TruthFigure) -> Picture:
    """Draw ground truth beside prediction, wrong points ringed; below them the decision boundary, if there is one."""
    wrong = record.truth != record.prediction
    view = _around(record.points) if record.grid is None else _extent(record.grid)
    told = f"prediction: {int(wrong.sum())} of {len(wrong)} wrong"
    planes = [
        _Plane("ground truth", record.points, record.truth, None, view),
        _Plane(told, record.points, record.prediction, None, view),
    ]
    if record.grid is not None:
        planes.append(_Plane("truth over the decision boundary", record.points, record.truth, record.grid, view))
    picture = _panels(record, planes, record.classes, [("wrongly predicted", RING)] if wrong.any() else [])
    for axes in picture.axes[1:]:
        axes.plot(*record.points[wrong][:MAX_DRAWN].T, zorder=5, gid="wrong", **RING)
    if record.grid is not None:
        footnote(picture, _boundary_note([record.grid], len(record.classes)))
    return picture


def class_style(index: int, n_classes: int) -> dict[str, Any]:
    """Marker style of a class: hollow for the first, filled after it, so that grey prints keep them apart."""
    size = 4.6 if n_classes <= 2 else 4.2
    colour = SERIES[index % len(SERIES)]
    face = PAPER if index == 0 else colour
    return {
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": size,
        "markerfacecolor": face,
        "markeredgecolor": colour,
        "markeredgewidth": 1.1 if index == 0 else 0.5,
        "linestyle": "none",
    }


def _panels(
    record: PointsFigure | BoundaryFigure | TruthFigure,
    planes: Sequence[_Plane],
    classes: Sequence[str],
    more: Sequence[tuple[str, dict[str, Any]]] = (),
) -> Picture:
    """Lay out square panels, two in a row (an odd one last, larger and centred), under a common key."""
    entries = [(name, class_style(k, len(classes))) for k, name in enumerate(classes)] + list(more)
    key = legend_height(entries)
    left, gap = 0.5, 0.56
    pair, alone = (WIDTH - left - gap - 0.12) / 2, 3.3
    heading = 0.24
    last = len(planes) - 1 if len(planes) % 2 else -1
    tops, sides, top = [], [], key + 0.04
    for k in range(len(planes)):
        tops.append(top)
        sides.append(alone if k == last else pair)
        if k % 2 or k == last:
            top += heading + sides[-1] + 0.46
    shaded = any(plane.grid is not None for plane in planes)
    picture = Picture(record.title, top + (0.22 if shaded else 0.0))
    legend(picture, entries)
    for k, (plane, side) in enumerate(zip(planes, sides, strict=True)):
        x = (WIDTH - side) / 2 if k == last else left + (k % 2) * (side + gap)
        axes = picture.panel(x, tops[k] + heading, side, side)
        _square(axes, plane.view)
        if plane.grid is not None:
            shade(axes, plane.grid, len(classes))
        scatter(axes, plane.xy, plane.labels, len(classes))
        label_axes(axes, record.x_label, "", plane.title)
        axes.annotate(record.y_label, (0, 1), (-5, 4), "axes fraction", "offset points", ha="right",
                      fontsize=SMALL, color=MUTED, annotation_clip=False)  # fmt: skip
    return picture


def _around(xy: Array) -> Limits:
    """Limits around points."""
    air = [(float(v.min()), float(v.max())) if len(v) else (0.0, 1.0) for v in xy.T]
    pads = [0.05 * (high - low) or 0.5 for low, high in air]
    return tuple((low - pad, high + pad) for (low, high), pad in zip(air, pads, strict=True))


def _extent(grid: BoundaryGrid) -> Limits:
    """Limits of a grid."""
    return (float(grid.x[0]), float(grid.x[-1])), (float(grid.y[0]), float(grid.y[-1]))


def _square(axes: Axes, view: Limits) -> None:
    """Frame a panel of points: all four sides, few ticks, no grid."""
    axes.grid(False)
    axes.spines[["top", "right", "left"]].set_visible(True)
    scale(axes, "x", view[0], False, 4)
    scale(axes, "y", view[1], False, 4)


def scatter(axes: Axes, xy: Array, labels: Array, n_classes: int) -> None:
    """Draw the points of every class, an even selection where there are too many to see."""
    step = max(1, -(-len(xy) // MAX_DRAWN))
    dense = len(xy) // step > 250
    for k in range(n_classes):
        chosen = (labels == k) & (np.arange(len(xy)) % step == 0)
        style = class_style(k, n_classes)
        if dense:
            style |= {"markersize": style["markersize"] * 0.6, "markeredgewidth": 0.6, "alpha": 0.8}
        axes.plot(xy[chosen, 0], xy[chosen, 1], zorder=3 + k * 0.1, gid=f"class-{k}", **style)


RING: dict[str, Any] = {
    "marker": "o",
    "markersize": 9.5,
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "markeredgewidth": 1.2,
    "linestyle": "none",
}
"""The ring around a wrongly predicted point."""


def shade(axes: Axes, grid: BoundaryGrid, n_classes: int) -> None:
    """Fill the plane by predicted class, stronger where surer, and draw the boundary; members' boundaries thin."""
    if n_classes > 2:
        for k in range(n_classes):
            axes.contourf(grid.x, grid.y, (grid.values == k) * 1.0, levels=[0.5, 1.5], colors=[SERIES[k]], alpha=0.25)
        return
    values = np.clip(grid.values, 0.0, 1.0)
    tints = [(SERIES[0], a) for a in SHADES] + [(SERIES[1], a) for a in reversed(SHADES)]
    axes.contourf(grid.x, grid.y, values, levels=LEVELS, colors=tints, antialiased=True, zorder=0.5)
    for member in () if grid.members is None else grid.members:
        _line(axes, grid, member, LINE, 0.8)
    _line(axes, grid, values, INK, 1.5)


def _line(axes: Axes, grid: BoundaryGrid, values: Array, colour: str, width: float) -> None:
    """Draw where a network's output crosses one half; nothing where it never does."""
    if np.nanmin(values) < 0.5 < np.nanmax(values):
        axes.contour(grid.x, grid.y, values, levels=[0.5], colors=[colour], linewidths=width, zorder=2)


def _boundary_note(grids: Sequence[BoundaryGrid], n_classes: int) -> str:
    """Explain the shading."""
    if n_classes > 2:
        return "shaded: predicted class"
    members = max((0 if g.members is None else len(g.members) for g in grids), default=0)
    others = f"; thin: {members} other seeds" if members else ""
    return "line: output 0.5; shades end at 0.05, 0.25, 0.75, 0.95" + others
