"""From runs to the records that the report draws: fans, rates, distributions, truth beside prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.experiments.sweeps.metrics import middle
from chainrule.lab.context import Level, Values
from chainrule.report.records import (
    BoundaryGrid,
    Cell,
    FanFigure,
    FanPanel,
    Group,
    RateRow,
    TableRecord,
    TruthFigure,
)
from chainrule.report.sweeps.curves import fan_series
from chainrule.report.sweeps.words import middle_text
from chainrule.runs import Run, Runs

GRID_POINTS = 61
"""Points per side of a decision boundary's grid."""

MOST_TABLE_ROWS = 100


def fan(
    ident: str, title: str, panels: Sequence[tuple[str, Sequence[Level]]], key: str, caption: str = "", **more: Any
) -> FanFigure:
    """Return a fan figure: one panel per (title, levels), one series per level."""
    drawn = [
        FanPanel(title=name, series=tuple(fan_series(level.name, level.runs, key) for level in levels))
        for name, levels in panels
        if levels
    ]
    label = key.replace("_", " ")
    options: dict[str, Any] = {"y_label": label, "log_y": "loss" in key, **more}
    return FanFigure(id=ident, title=title, caption=caption, panels=tuple(drawn), **options)


def rate_row(level: Level, group: str = "") -> RateRow:
    """Return a level's success rate with its interval."""
    rate = level.rate
    return RateRow(name=level.name, successes=rate.successes, n=rate.n, low=rate.low, high=rate.high, group=group)


def group(level: Level, quantity: str, prefix: str = "") -> Group:
    """Return a level's finite values of a quantity; runs without one still count in `n`."""
    values = level.values(quantity)
    return Group(name=prefix + level.name, values=values[np.isfinite(values)], n=len(values))


def interval_text(values: Values, digits: int = 3) -> str:
    """Write the median of all values with its distribution-free 95 % interval; never-reached is ∞."""
    return middle_text(middle(np.asarray(values, dtype=np.float64)), digits)


def truth_figure(ident: str, title: str, run: Run, dataset: Dataset, runs: Runs, caption: str = "") -> TruthFigure:
    """Return ground truth beside a run's prediction, with its boundary and those of some other seeds."""
    others = [one for one in runs if one.seed != run.seed and one.stop_reason != "diverged"][:8]
    prediction = (run.predict(dataset.X)[:, 0] >= 0.5).astype(int)
    return TruthFigure(
        id=ident,
        title=title,
        caption=caption,
        points=dataset.X,
        truth=dataset.y.astype(int),
        prediction=prediction,
        classes=dataset.classes,
        grid=boundary_grid(run, dataset, others),
    )


def boundary_grid(run: Run, dataset: Dataset, others: Sequence[Run] = (), points: int = GRID_POINTS) -> BoundaryGrid:
    """Evaluate a run (and others, for thin lines) over the rectangle around two-dimensional data.

    Parameters
    ----------
    points : int
        Grid points per side.

    Returns
    -------
    BoundaryGrid
        The probability of class 1 for two classes, the class number for more (then without the others).
    """
    low, high = dataset.X.min(axis=0), dataset.X.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    x, y = (np.linspace(low[j] - margin[j], high[j] + margin[j], points) for j in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    members = [_surface(other, grid) for other in others] if len(dataset.classes) == 2 else []
    return BoundaryGrid(x=x, y=y, values=_surface(run, grid), members=np.stack(members) if members else None)


def _surface(run: Run, grid: Values) -> Values:
    """Return what a run says at every place of a grid (rows, columns, 2)."""
    outputs = run.predict(grid.reshape(-1, 2)).astype(np.float64)
    values = outputs[:, -1] if outputs.shape[1] <= 2 else outputs.argmax(axis=1).astype(np.float64)
    surface: Values = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0).reshape(grid.shape[:2])
    return surface


def prediction_table(ident: str, title: str, run: Run, dataset: Dataset, most: int = MOST_TABLE_ROWS) -> TableRecord:
    """Return the reports' table: input, truth, prediction, rounded, and whether they agree."""
    outputs = run.predict(dataset.X)[:, 0]
    rows: list[tuple[Cell, ...]] = []
    for x, truth, output in list(zip(dataset.X, dataset.y, outputs, strict=True))[:most]:
        rounded = int(output >= 0.5)
        rows.append((*(float(value) for value in x), int(truth), float(output), rounded, rounded == int(truth)))
    names = tuple(dataset.feature_names)
    left = dataset.n - len(rows)
    return TableRecord(
        id=ident,
        title=title,
        columns=(*names, "truth", "prediction", "rounded", "right"),
        rows=tuple(rows),
        formats=(*("" for _ in names), "", ".5f", "", ""),
        caption=f"Seed {run.seed}." + (f" {left} more samples are not shown." if left else ""),
        collapsed=True,
    )


def typical_run(level: Level, key: str = "loss") -> Run:
    """Return the run whose final value is the (lower) median: neither the luckiest nor the unluckiest seed."""
    values = np.array([run.final.get(key, np.inf) for run in level.runs])
    order = np.argsort(np.where(np.isfinite(values), values, np.inf), kind="stable")
    return level.runs[int(order[(len(order) - 1) // 2])]
