"""Rows of small grey images: the filters of a network, and what its layers make of an image."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from chainrule.report._base import Array
from chainrule.report.figures._layout import WIDTH, Picture, footnote, shorten, text_width, widest
from chainrule.report.figures._style import LINE, MUTED, SMALL
from chainrule.report.numbers import number
from chainrule.report.records import TilesFigure

GAP, LARGEST, LOWEST = 0.05, 0.62, 0.16
"""Inches between tiles, of a tile's longer side at most, and of a tile's height at least (a layer's units in a row)."""

LONGEST_NAME = 1.5


def draw_tiles(record: TilesFigure) -> Picture:
    """Draw each row's images side by side, dark where the numbers are large, its name before them."""
    names = [shorten(text, LONGEST_NAME, SMALL) for row in record.rows for text in (row.name, row.note)]
    left = 0.1 + widest(names, SMALL) + 0.12
    room = WIDTH - left - 0.1
    tiles = [_tile_size(row.images, room) for row in record.rows]
    noted = any(row.note for row in record.rows)
    heights = [max(height, 0.36 if noted else 0.2) for _, height in tiles]
    picture = Picture(record.title, sum(heights) + 0.1 * len(heights) + 0.3)
    spans = _spans(record)
    top = 0.04
    for row, (width, height), line, span in zip(record.rows, tiles, heights, spans, strict=True):
        middle = top + line / 2
        picture.write(0.1, middle - (0.09 if row.note else 0.0), shorten(row.name, LONGEST_NAME, SMALL), size=SMALL)
        if row.note:
            note = shorten(row.note, LONGEST_NAME, SMALL)
            picture.write(0.1, middle + 0.09, note, size=SMALL, color=MUTED)
        axes = picture.panel(left, middle - height / 2, room, height)
        _row(axes, row.images, width, span, (room, height))
        top += line + 0.1
    footnote(picture, _scale_note(record, spans))
    return picture


def _tile_size(images: Array, room: float) -> tuple[float, float]:
    """Return a tile's width and height in inches: square numbers, unless a single line of them would be too low."""
    count, rows, columns = images.shape
    most = LARGEST / 2 if rows == 1 else LARGEST / max(rows, columns)  # a line of units may be as long as the room
    side = min((room - GAP * (count - 1)) / (count * columns), most)
    return side * columns, max(side * rows, LOWEST)


def _spans(record: TilesFigure) -> list[tuple[float, float]]:
    """Return what is white and what is black in each row."""
    if record.scale == "diverging":
        reach = max(_largest(row.images) for row in record.rows) or 1.0
        return [(-reach, reach)] * len(record.rows)
    spans = []
    for row in record.rows:
        finite = row.images[np.isfinite(row.images)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        spans.append((low, high if high > low else low + 1.0))
    return spans


def _largest(images: Array) -> float:
    """Return the largest finite number, whatever its sign."""
    finite = np.abs(images[np.isfinite(images)])
    return float(finite.max()) if finite.size else 0.0


def _row(axes: Axes, images: Array, width: float, span: tuple[float, float], size: tuple[float, float]) -> None:
    """Draw one row: the axes are as large as the row, in inches."""
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    room, height = size
    for k, image in enumerate(images):
        x = k * (width + GAP)
        extent = (x, x + width, height, 0.0)
        axes.imshow(
            image, cmap="gray_r", vmin=span[0], vmax=span[1], extent=extent, interpolation="none", aspect="auto"
        )
        frame = Rectangle((x, 0), width, height, facecolor="none", edgecolor=LINE, linewidth=0.6, clip_on=False)
        axes.add_patch(frame)
    axes.set_xlim(0, room)
    axes.set_ylim(height, 0)


def _scale_note(record: TilesFigure, spans: list[tuple[float, float]]) -> str:
    """Say what white and black mean."""
    if record.scale == "rows":
        return "in each row white is the smallest number, black the largest"
    reach = number(float(f"{spans[0][1]:.2g}"))
    told = f"white −{reach}, middle grey 0, black {reach}; one scale for all rows"
    return told if text_width(told, SMALL) < WIDTH - 0.2 else f"white −{reach}, grey 0, black {reach}"
