"""Accuracy against the distance by which held-out images are moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from chainrule.data import Dataset
from chainrule.data.augment import shifted
from chainrule.lab.context import Values
from chainrule.lab.pictures import interval_text
from chainrule.nn import Array
from chainrule.report.records import Cell, FanFigure, FanPanel, FanSeries, TableRecord
from chainrule.stats import MetricComparison, compare_metric, holm

DISTANCES = (0, 1, 2, 3)
"""Pixels that images are moved by."""

DIRECTIONS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
"""The moves for one pixel, as (down, right)."""


def moved(images: Dataset, direction: str, pixels: int) -> Array:
    """Return all images moved one way, as rows; what comes in is 0."""
    move = np.array(DIRECTIONS[direction]) * pixels
    height, width, channels = images.feature_shape
    return shifted(images.X, (height, width, channels), np.tile(move, (images.n, 1)))


def shift_accuracy(predict: Callable[[Array], Array], images: Dataset) -> Values:
    """Return the accuracy on images moved each way (4,) by each distance (4,): an array (4, 4).

    Parameters
    ----------
    predict : callable
        From samples (n, d) to outputs (n, classes).
    images : Dataset
        Samples with an image shape.
    """
    still = _accuracy(predict(images.X), images)
    return np.array(
        [
            [still, *(_accuracy(predict(moved(images, way, pixels)), images) for pixels in DISTANCES[1:])]
            for way in DIRECTIONS
        ]
    )


def _accuracy(outputs: Array, images: Dataset) -> float:
    return float((outputs.argmax(axis=1) == images.y).mean())


def ink_left(images: Dataset) -> Values:
    """Return which share of all brightness is still in the picture after a move by each distance, over all ways."""
    whole = float(images.X.sum())
    return np.array([np.mean([moved(images, way, pixels).sum() / whole for way in DIRECTIONS]) for pixels in DISTANCES])


@dataclass(frozen=True)
class ShiftTable:
    """Two networks' accuracies on moved images.

    Attributes
    ----------
    names : (str, str)
        What they are called.
    first, second : ndarray (n_seeds, 4, 4)
        Accuracy by seed, direction and distance; the same seeds in both.
    ink : ndarray (4,)
        Share of the brightness that stays in the picture.
    """

    names: tuple[str, str]
    first: Values
    second: Values
    ink: Values

    @property
    def tables(self) -> Mapping[str, Values]:
        """The accuracies by name."""
        return dict(zip(self.names, (self.first, self.second), strict=True))

    def compared(self) -> list[MetricComparison]:
        """Compare the two at each distance, over all directions, paired by seed; corrected for all distances."""
        pairs = zip(self.first.mean(axis=1).T, self.second.mean(axis=1).T, strict=True)
        found = [
            compare_metric(a, b, self.names, f"accuracy on images {_moved_words(pixels)}", "higher", "mean")
            for pixels, (a, b) in zip(DISTANCES, pairs, strict=True)
        ]
        if any(one.p_value is None for one in found):
            return found
        adjusted = holm([one.p_value for one in found if one.p_value is not None])
        return [replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)]


def _moved_words(pixels: int) -> str:
    return "as they are" if pixels == 0 else f"moved by {pixels} pixel{'s' if pixels > 1 else ''}"


def shift_figure(ident: str, title: str, table: ShiftTable, caption: str) -> FanFigure:
    """Draw accuracy by distance, over all directions."""
    x = np.array(DISTANCES, dtype=float)
    series = [FanSeries(name=name, x=x, runs=values.mean(axis=1)) for name, values in table.tables.items()]
    return _fan(ident, title, [("", series)], "pixels moved", caption)


def direction_figure(ident: str, title: str, table: ShiftTable, caption: str) -> FanFigure:
    """Draw accuracy by signed distance, sideways in one panel and up and down in the other."""
    ways = list(DIRECTIONS)
    x = np.array([*(-pixels for pixels in DISTANCES[:0:-1]), *DISTANCES], dtype=float)
    panels = []
    for title_of, back, forth in (("left (−) and right (+)", "left", "right"), ("up (−) and down (+)", "up", "down")):
        lines = []
        for name, values in table.tables.items():
            runs = np.concatenate([values[:, ways.index(back), :0:-1], values[:, ways.index(forth)]], axis=1)
            lines.append(FanSeries(name=name, x=x, runs=runs))
        panels.append((title_of, lines))
    return _fan(ident, title, panels, "pixels moved", caption)


def _fan(ident: str, title: str, panels: list[tuple[str, list[FanSeries]]], x_label: str, caption: str) -> FanFigure:
    """Put panels of series over pixels together."""
    drawn = tuple(FanPanel(title=name, series=tuple(series)) for name, series in panels)
    return FanFigure(
        id=ident, title=title, panels=drawn, x_label=x_label, y_label="accuracy", show_runs=False, caption=caption
    )


def shift_table(ident: str, title: str, table: ShiftTable, caption: str) -> TableRecord:
    """Return a row per distance: what is left of the picture, both accuracies, their difference."""
    rows: list[tuple[Cell, ...]] = []
    for k, compared in enumerate(table.compared()):
        medians = [interval_text(values.mean(axis=1)[:, k]) for values in table.tables.values()]
        p = "–" if compared.p_adjusted is None else f"{compared.p_adjusted:.2g}"
        rows.append((DISTANCES[k], float(table.ink[k]), *medians, _difference_text(compared), p))
    first, second = table.names
    columns = ("pixels moved", "ink left", first, second, f"{first} minus {second}", "p, corrected")
    return TableRecord(
        id=ident,
        title=title,
        columns=columns,
        rows=tuple(rows),
        formats=("", ".1%", *("" for _ in columns[2:])),
        align=("right",) * len(columns),
        caption=caption,
    )


def _difference_text(compared: MetricComparison) -> str:
    """Write a mean difference with its interval."""
    if compared.difference is None:
        return "–"
    told = f"{compared.difference:+.3f}".replace("-", "−")
    if compared.interval is None:
        return told
    low, high = (f"{end:+.3f}".replace("-", "−") for end in (compared.interval.low, compared.interval.high))
    return f"{told} ({low} to {high})"
