"""Pictures of matrices: small grey images with their labels, and heat maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from chainrule.report._base import Array
from chainrule.report.figures._layout import WIDTH, Picture, footnote, shorten, text_width, widest
from chainrule.report.figures._style import BAD, INK, LINE, MUTED, PAPER, SERIES, SMALL
from chainrule.report.numbers import number
from chainrule.report.records import HeatmapFigure, ImagesFigure, RateMapFigure

MAX_CELLS = 1200
"""Cells drawn as shapes that follow light and dark; larger matrices become one image."""


def draw_images(record: ImagesFigure) -> Picture:
    """Draw a grid of grey images, dark strokes on light tiles, each with its label; mark wrong predictions."""
    columns = min(record.columns, len(record.images))
    rows = -(-len(record.images) // columns)
    gap = 0.08
    side = min((WIDTH - 0.2 - gap * (columns - 1)) / columns, 1.1)
    caption = 0.22
    picture = Picture(record.title, rows * (side + caption) + 0.08 + (0.24 if record.predictions else 0.0))
    left = (WIDTH - columns * side - (columns - 1) * gap) / 2
    low, high = float(np.nanmin(record.images)), float(np.nanmax(record.images))
    for k, image in enumerate(record.images):
        row, column = divmod(k, columns)
        x, y = left + column * (side + gap), 0.04 + row * (side + caption)
        axes = picture.panel(x, y, side, side * min(image.shape[0] / image.shape[1], 1.0))
        wrong = record.predictions is not None and record.predictions[k] != record.labels[k]
        _tile(axes, image, low, high, wrong)
        told = f"{record.labels[k]} → {record.predictions[k]}" if wrong and record.predictions else record.labels[k]
        size = SMALL if text_width(told, SMALL) < side + gap else SMALL * (side + gap) / text_width(told, SMALL)
        weight, colour = ("bold", BAD) if wrong else ("normal", MUTED)
        picture.write(x + side / 2, y + side + 0.1, told, size=size, ha="center", color=colour, weight=weight)
    if record.predictions is not None:
        n_wrong = sum(a != b for a, b in zip(record.labels, record.predictions, strict=True))
        footnote(picture, f"label below; label → prediction where they differ ({n_wrong} of {len(record.labels)})")
    return picture


def _tile(axes: Axes, image: Array, low: float, high: float, wrong: bool) -> None:
    """Draw one image as dark on light, whatever the page's colours."""
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set(edgecolor=BAD if wrong else LINE, linewidth=1.6 if wrong else 0.6)
    axes.imshow(
        image, cmap="gray_r", vmin=low, vmax=high if high > low else low + 1, interpolation="none", aspect="auto"
    )


def draw_heatmap(record: HeatmapFigure) -> Picture:
    """Draw a matrix as cells tinted by value, with its numbers; missing values are crossed out."""
    picture, axes, width, _ = matrix_frame(record, record.values.shape)
    strength = _strength(record)
    if record.values.size > MAX_CELLS:
        _raster(axes, strength)
    else:
        _cells(axes, record, strength, width)
    for row, notes in enumerate(record.notes):
        for column, note in enumerate(notes):
            hover_cell(picture, axes, row, column, note)
    footnote(picture, _range_note(record), axes.get_position().x0 * picture.width)
    return picture


def matrix_frame(
    record: HeatmapFigure | RateMapFigure, shape: tuple[int, ...], foot: float = 0.4, tallest: float = 0.5
) -> tuple[Picture, Axes, float, float]:
    """Lay out a matrix with names above its columns and beside its rows; return a cell's width and height too."""
    n_rows, n_columns = shape
    names = [shorten(name, 1.6, SMALL) for name in record.rows]
    left = 0.2 + widest(names, SMALL) + (0.0 if not record.y_label else 0.02)
    width = WIDTH - left - 0.1
    every = _stride(record.columns, width / n_columns)
    staggered = every == 2  # all names fit on two lines
    top = 0.32 + (0.2 if record.x_label or record.y_label else 0.0) + (0.17 if staggered else 0.0)
    height = min(max(0.3, width / max(n_columns, 1) * 0.6), tallest) if n_rows <= 40 else 6.0 / n_rows
    picture = Picture(record.title, top + height * n_rows + foot)
    axes = picture.panel(left, top, width, height * n_rows)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xlim(0, n_columns)
    axes.set_ylim(n_rows, 0)
    shown = list(record.columns) if staggered else list(record.columns)[::every]
    lifted = [name + "\n" if staggered and k % 2 else name for k, name in enumerate(shown)]
    axes.set_xticks([(k if staggered else k * every) + 0.5 for k in range(len(shown))], lifted)
    axes.xaxis.tick_top()
    row_stride = max(1, -(-n_rows // 40))
    axes.set_yticks([k + 0.5 for k in range(0, n_rows, row_stride)], names[::row_stride])
    if record.x_label:
        picture.write(left + width / 2, 0.08, record.x_label, size=SMALL, color=MUTED, ha="center")
    if record.y_label:
        first = text_width(record.columns[0], SMALL) / 2 - width / n_columns / 2  # reaches so far to the left
        beside = text_width(record.y_label, SMALL) < left - 0.14 - max(first, 0.0) and not staggered
        picture.write(0.1, top - 0.12 if beside else 0.08, record.y_label, size=SMALL, color=MUTED)
    return picture, axes, width / n_columns, height


def _strength(record: HeatmapFigure) -> Array:
    """Signed tint of every cell in -1..1: sequential scales from 0.04 to 1, diverging ones about zero."""
    finite = record.values[np.isfinite(record.values)]
    if finite.size == 0:
        return np.full(record.values.shape, np.nan)
    if record.scale == "diverging":
        return np.asarray(record.values / max(float(np.abs(finite).max()), 1e-300))
    values = record.values
    if record.log and float(finite.min()) > 0:
        values, finite = np.log(np.where(np.isfinite(values), values, np.nan)), np.log(finite)
    low, high = float(finite.min()), float(finite.max())
    share = (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)
    return np.asarray(-(0.04 + 0.96 * share))


def _cells(axes: Axes, record: HeatmapFigure, strength: Array, cell_width: float) -> None:
    """Draw the cells as shapes in two colours of varying opacity, which suits light and dark paper alike."""
    written = [[format(v, record.number_format).replace("-", "−") for v in row] for row in record.values]
    annotate = record.annotate and widest([t for row in written for t in row], SMALL) < cell_width - 0.04
    strongest = 0.5 if annotate else 1.0  # written numbers stay readable on every tint, on light and dark paper
    for (row, column), tint in np.ndenumerate(strength):
        if not np.isfinite(tint):
            axes.plot([column + 0.3, column + 0.7], [row + 0.7, row + 0.3], color=LINE, linewidth=1.0)
            continue
        colour = SERIES[0] if tint < 0 else SERIES[1]
        axes.add_patch(
            Rectangle(
                (column, row), 1, 1, facecolor=(colour, strongest * abs(float(tint))), edgecolor=PAPER, linewidth=1.0
            )
        )
        if annotate:
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": SMALL, "color": INK}
            axes.text(column + 0.5, row + 0.5, written[row][column], **style)


def _raster(axes: Axes, strength: Array) -> None:
    """Draw a large matrix as one image, clear where the tint is weak, in the light paper's colours."""
    low, high = np.array(to_rgb(SERIES[0])), np.array(to_rgb(SERIES[1]))
    tint = np.nan_to_num(np.abs(strength))[..., None]
    colour = np.where((strength < 0)[..., None], low, high)
    rows, columns = strength.shape
    image = np.concatenate([colour, tint], axis=-1)
    axes.imshow(image, extent=(0, columns, rows, 0), interpolation="none", aspect="auto")


def hover_cell(picture: Picture, axes: Axes, row: int, column: int, note: str) -> None:
    """Lay a clear sheet over a cell that tells its numbers to whoever points at it."""
    if note:
        sheet = Rectangle((column, row), 1, 1, facecolor=PAPER, alpha=0.002, linewidth=0, zorder=9)
        picture.hover(axes.add_patch(sheet), note)


def _range_note(record: HeatmapFigure) -> str:
    """Say what the tint means."""
    finite = record.values[np.isfinite(record.values)]
    if finite.size == 0:
        return f"{record.value_label}: no values"
    ends = (float(finite.min()), float(finite.max()))
    low, high = (number(v if v.is_integer() and abs(v) < 1e6 else float(f"{v:.3g}")) for v in ends)
    kind = "orange above zero, blue below" if record.scale == "diverging" else "the stronger, the larger"
    return f"{record.value_label}: {low} to {high}; {kind}"


def _stride(names: tuple[str, ...], room: float) -> int:
    """How many columns to skip so that their names do not touch."""
    return max(1, int(-(-(widest(names, SMALL) + 0.08) // room)))
