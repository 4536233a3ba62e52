"""The records behind pictures of a sweep: estimates with intervals, maps of probabilities, parallel coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainrule.errors import ShapeError
from chainrule.report._base import (
    Array,
    FigureRecord,
    Record,
    require_same_length,
    set_array,
    set_filled_tuple,
    set_tuple,
)


@dataclass(frozen=True, kw_only=True)
class EstimateRow(Record):
    """An estimate with its interval (low, high); `told` is written beside it, `marked` rows stand out.

    A value that is no number is not drawn; `told` says why. Infinite ends reach the edge of the picture.
    """

    name: str
    value: float
    low: float
    high: float
    told: str = ""
    marked: bool = False
    group: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimatesFigure(FigureRecord):
    """Estimates with their intervals, a row each; blocks of rows under their group's name.

    `percent` draws shares from 0 to 100 %, `log` a logarithmic axis. `marked_label` and `plain_label` say what it
    means that a row stands out or does not.
    """

    rows: tuple[EstimateRow, ...]
    value_label: str
    marked_label: str = ""
    plain_label: str = ""
    note: str = ""
    percent: bool = False
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "rows")


@dataclass(frozen=True, kw_only=True, eq=False)
class RateMapFigure(FigureRecord):
    """Probabilities over two axes: `rates`, `low`, `high` (rows, columns), NaN where nothing ran.

    `notes` (rows, columns) are shown when a reader points at a cell; `marked` cells are framed, and `marked_label`
    says what that means.
    """

    rates: Array
    low: Array
    high: Array
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    notes: tuple[tuple[str, ...], ...]
    marked: Array
    x_label: str = ""
    y_label: str = ""
    value_label: str = "probability of success"
    marked_label: str = "cannot be told from the best"
    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rates", "low", "high"):
            set_array(self, name, 2)
        set_array(self, "marked", 2, bool)
        set_filled_tuple(self, "rows")
        set_filled_tuple(self, "columns")
        object.__setattr__(self, "notes", tuple(tuple(row) for row in self.notes))
        shape = (len(self.rows), len(self.columns))
        shapes: dict[str, object] = {n: getattr(self, n).shape for n in ("rates", "low", "high", "marked")}
        widths = sorted({len(row) for row in self.notes})
        shapes["notes"] = (len(self.notes), *widths)
        for name, found in shapes.items():
            if found != shape:
                raise ShapeError(f"figure '{self.id}': {name} has the shape {found}, rows and columns are {shape}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ParallelAxis(Record):
    """One upright axis: `values` (k,), one a line; NaN where a line has no place on it.

    With `labels` the values are their numbers (0, 1, ...); otherwise they are numbers, `log` on a logarithmic scale,
    or shares from 0 to 100 % with `percent`.
    """

    name: str
    values: Array
    labels: tuple[str, ...] = ()
    log: bool = False
    percent: bool = False

    def __post_init__(self) -> None:
        set_array(self, "values", 1)
        set_tuple(self, "labels")


@dataclass(frozen=True, kw_only=True, eq=False)
class ParallelFigure(FigureRecord):
    """Parallel coordinates (Inselberg 1985): a line a cell, through its value on every axis.

    `merit` (k,) from 0 (worst) to 1 (best) sets how strongly a line is drawn; `marked` (k,) lines stand out, and
    `marked_label` says why; `names` (k,) are shown when a reader points at a line.
    """

    axes: tuple[ParallelAxis, ...]
    merit: Array
    marked: Array
    names: tuple[str, ...]
    merit_label: str = "merit"
    marked_label: str = "cannot be told from the best"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "axes")
        set_array(self, "merit", 1)
        set_array(self, "marked", 1, bool)
        set_tuple(self, "names")
        require_same_length(self, "merit", "marked", "names")
        for axis in self.axes:
            if len(axis.values) != len(self.merit):
                raise ShapeError(
                    f"figure '{self.id}': axis '{axis.name}' has {len(axis.values)} values for {len(self.merit)} lines"
                )


def is_drawn(row: EstimateRow) -> bool:
    """Whether a row has an estimate to draw."""
    return math.isfinite(row.value)
