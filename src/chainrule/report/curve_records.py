"""The records behind curves: functions, fans over seeds, windowed means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.report._base import (
    Array,
    FigureRecord,
    Mark,
    Record,
    jsonable,
    require_same_length,
    set_array,
    set_filled_tuple,
    set_tuple,
)

MAX_POINTS = 300
"""Points kept of a history: more cannot be told apart at a figure's width."""

MAX_STORED_RUNS = 200
"""Single runs of a series that `results.json` holds."""

FAN_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of a fan: the 90 % band, the 50 % band and the median."""


def thin_index(x: Array, limit: int = MAX_POINTS, log: bool = False) -> Array:
    """Return indices of at most `limit` entries of the ascending `x`, evenly spaced along the (log) axis.

    The first and the last entry are always kept.
    """
    if len(x) <= limit:
        return np.arange(len(x))
    place = np.log(np.maximum(x - x[0] + 1.0, 1.0)) if log else x - x[0]
    wanted = np.linspace(0.0, place[-1], limit)
    return np.unique(np.clip(np.searchsorted(place, wanted), 0, len(x) - 1))


@dataclass(frozen=True, eq=False)
class Curve(Record):
    """A named function: x (n,) and y (n,)."""

    name: str
    x: Array
    y: Array

    def __post_init__(self) -> None:
        set_array(self, "x", 1)
        set_array(self, "y", 1)
        require_same_length(self, "x", "y")


@dataclass(frozen=True, kw_only=True, eq=False)
class CurvePanel(Record):
    """Curves that share a pair of axes."""

    curves: tuple[Curve, ...]
    title: str = ""
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        set_filled_tuple(self, "curves")
        set_tuple(self, "marks")


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveFigure(FigureRecord):
    """Functions drawn as lines, one panel or several."""

    panels: tuple[CurvePanel, ...]
    x_label: str = ""
    y_label: str = ""
    log_x: bool = False
    log_y: bool = False
    share_y: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "panels")


@dataclass(frozen=True, kw_only=True, eq=False)
class FanSeries(Record):
    """Many runs of one setting: x (T,) ascending, runs (n_runs, T), NaN after a run stopped.

    A run that stopped keeps its weights and so its last value: `held` carries it on, and the bands always
    describe all runs. Runs listed in `diverged` have no value to keep; they drop out where they diverged.
    """

    name: str
    x: Array
    runs: Array
    diverged: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        x, runs = set_array(self, "x", 1), set_array(self, "runs", 2)
        set_tuple(self, "diverged")
        if runs.shape[1] != len(x) or 0 in runs.shape:
            raise ShapeError(f"fan series '{self.name}': runs has the shape {runs.shape} for {len(x)} values of x")
        if any(not 0 <= k < len(runs) for k in self.diverged):
            raise ShapeError(f"fan series '{self.name}': diverged names a run outside 0..{len(runs) - 1}")

    def to_json(self) -> dict[str, Any]:
        """Return the series with its number of runs, but of many runs an even selection: `bands` tell of them all."""
        keep = np.unique(np.linspace(0, self.n - 1, min(self.n, MAX_STORED_RUNS)).astype(int))
        place = {int(k): number for number, k in enumerate(keep)}
        diverged = tuple(place[k] for k in self.diverged if k in place)
        table = FanSeries(name=self.name, x=self.x, runs=self.runs[keep], diverged=diverged)
        return super(FanSeries, table).to_json() | {"n": self.n}

    @property
    def n(self) -> int:
        """Number of runs."""
        return int(self.runs.shape[0])

    @cached_property
    def held(self) -> Array:
        """Runs (n_runs, T) with every gap filled by the value before it, except after a divergence."""
        finite = np.isfinite(self.runs)
        columns = np.where(finite, np.arange(self.runs.shape[1]), 0)
        last = np.maximum.accumulate(columns, axis=1)
        filled = np.where(np.isfinite(self.runs), self.runs, np.nan)
        filled = np.take_along_axis(filled, last, axis=1)
        if self.diverged:
            lost = list(self.diverged)
            filled[lost] = np.where(finite[lost], filled[lost], np.nan)
        return filled

    @cached_property
    def bands(self) -> Array:
        """Quantiles (5, T) of the held runs at `FAN_LEVELS`; NaN where no run has a value."""
        there = np.isfinite(self.held)
        full, some = there.all(axis=0), there.any(axis=0)
        out = np.full((len(FAN_LEVELS), there.shape[1]), np.nan)
        out[:, full] = np.quantile(self.held[:, full], FAN_LEVELS, axis=0)
        if (some & ~full).any():  # the NaN-aware function is far slower, so it gets only what needs it
            out[:, some & ~full] = np.nanquantile(self.held[:, some & ~full], FAN_LEVELS, axis=0)
        return out

    def thinned(self, log: bool = False, limit: int = MAX_POINTS) -> FanSeries:
        """Return the series at no more than `limit` places, evenly spaced along the (log) axis.

        Gaps are filled first, so that no stopping value is lost between two places.
        """
        keep = thin_index(self.x, limit, log)
        if len(keep) == len(self.x):
            return self
        runs = self.held[:, keep]
        return FanSeries(name=self.name, x=self.x[keep], runs=runs, diverged=self.diverged)


@dataclass(frozen=True, kw_only=True, eq=False)
class FanPanel(Record):
    """Series that share a pair of axes.

    `reported` holds (x, y) points that others have reported, drawn as markers and named `reported_label`.
    """

    series: tuple[FanSeries, ...]
    title: str = ""
    marks: tuple[Mark, ...] = ()
    reported: tuple[tuple[float, float], ...] = ()
    reported_label: str = "reported"

    def __post_init__(self) -> None:
        set_filled_tuple(self, "series")
        set_tuple(self, "marks", "reported")


@dataclass(frozen=True, kw_only=True, eq=False)
class FanFigure(FigureRecord):
    """Histories over seeds: median, 50 % and 90 % bands, single runs faint; `unit` is what the runs are counted in."""

    panels: tuple[FanPanel, ...]
    x_label: str = "epoch"
    y_label: str = "loss"
    log_x: bool = False
    log_y: bool = False
    share_y: bool = True
    show_runs: bool = True
    unit: str = "seeds"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "panels")

    def thinned(self, limit: int = MAX_POINTS) -> FanFigure:
        """Return the figure with its histories at no more than `limit` places: what is drawn and stored."""
        panels = tuple(replace(p, series=tuple(s.thinned(self.log_x, limit) for s in p.series)) for p in self.panels)
        return replace(self, panels=panels)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers that are drawn (see `thinned`), with the quantiles of every series."""
        if any(len(s.x) > MAX_POINTS for p in self.panels for s in p.series):
            return self.thinned().to_json()
        out = super().to_json()
        for panel, told in zip(self.panels, out["panels"], strict=True):
            for series, entry in zip(panel.series, told["series"], strict=True):
                entry |= {"levels": list(FAN_LEVELS), "bands": jsonable(series.bands)}
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowSeries(Record):
    """Mean (T,) and spread (T,) of a quantity per window, at x (T,)."""

    name: str
    x: Array
    mean: Array
    spread: Array

    def __post_init__(self) -> None:
        for name in ("x", "mean", "spread"):
            set_array(self, name, 1)
        require_same_length(self, "x", "mean", "spread")


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowFigure(FigureRecord):
    """Windowed mean ± spread above, the spread itself below."""

    series: tuple[WindowSeries, ...]
    x_label: str = "iteration"
    y_label: str = "loss"
    log_y: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "series")
