"""Curves of a sweep as fans over seeds: a series a cell where cells are few, else small multiples over two axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.experiments.recipes.words import axis_word, metric_word
from chainrule.experiments.sweeps.metrics import better_of
from chainrule.experiments.sweeps.summary import SweepSummary
from chainrule.report.records import FanFigure, FanPanel, FanSeries
from chainrule.report.sweeps.levels import Levels, levels_of
from chainrule.report.sweeps.tables import shown_metrics
from chainrule.report.sweeps.words import listed, place_values, spread_choice
from chainrule.runs import Run, Runs

MOST_SERIES, MOST_PANELS = 4, 6
"""More series cannot be told apart; more panels are not looked at."""

LONG_TITLE = 22
"""Letters that fit above a panel."""

MOST_RUNS = 1_000
"""Runs behind one fan, an even selection of all."""


@dataclass(frozen=True)
class _Plan:
    """Which cells stand in which series of which panel, and what was left out."""

    panels: tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...]
    caption: str

    @property
    def pooled(self) -> bool:
        """Whether a series holds runs of several cells."""
        return any(len(cells) > 1 for _, series in self.panels for _, cells in series)


def fan_series(name: str, runs: Runs, key: str) -> FanSeries:
    """Return the history of one quantity over the runs."""
    epochs, table = runs.history(key)
    diverged = tuple(k for k, run in enumerate(runs) if run.stop_reason == "diverged")
    return FanSeries(name=name, x=epochs, runs=table, diverged=diverged)


def curve_figures(summary: SweepSummary) -> list[FanFigure]:
    """Return fans of the loss and of a score; none where no history is at hand."""
    keys = _drawn_keys(summary)
    plan = _plan(summary)
    figures = []
    for key in keys:
        figure = _fan(summary, plan, key)
        figures += [figure] if figure is not None else []
    return figures


def _drawn_keys(summary: SweepSummary) -> list[str]:
    """Return a loss and a score that the histories hold, of the held-out part where there is one."""
    runs = [run for one in summary.result for run in one.runs if len(run.history.get("epoch", ()))]
    there = {key for run in runs for key in run.history}
    wanted = [key if key in there else key.removeprefix("validation_") for key in shown_metrics(summary)]
    return [key for key in dict.fromkeys(wanted) if key in there]


def _fan(summary: SweepSummary, plan: _Plan, key: str) -> FanFigure | None:
    """Draw one quantity by the plan."""
    panels = []
    for title, series in plan.panels:
        drawn = [_series(summary, name, cells, key) for name, cells in series]
        kept = tuple(one for one in drawn if one is not None)
        if kept:
            panels.append(FanPanel(title=title, series=kept))
    if not panels:
        return None
    last = max(float(s.x[-1]) for panel in panels for s in panel.series)
    few = any(s.n == MOST_RUNS for panel in panels for s in panel.series)
    more = f" Of many runs, {MOST_RUNS:,} are drawn, evenly chosen." if few else ""
    return FanFigure(
        id=f"curves-{key.replace('_', '-').split('(')[0]}",
        title=f"{metric_word(key).capitalize()} during training",
        panels=tuple(panels),
        y_label=metric_word(key),
        log_x=last >= 100,
        log_y=better_of(key) == "lower" and _positive(panels),
        show_runs=False,
        unit="runs" if plan.pooled else "seeds",
        caption=(plan.caption + more).strip(),
    )


def _positive(panels: Sequence[FanPanel]) -> bool:
    """Whether a logarithmic axis can show the medians."""
    medians = np.concatenate([s.bands[2] for panel in panels for s in panel.series])
    finite = medians[np.isfinite(medians)]
    return bool(finite.size) and float(finite.min()) > 0


def _series(summary: SweepSummary, name: str, cells: Sequence[int], key: str) -> FanSeries | None:
    """Pool the histories of some cells; None if none of their runs has one."""
    runs = [run for k in cells for run in summary.result.cells[k].runs if _has_row(run, key)]
    if not runs:
        return None
    if len(runs) > MOST_RUNS:
        runs = [runs[k] for k in np.linspace(0, len(runs) - 1, MOST_RUNS).astype(int)]
    series = fan_series(name, Runs(tuple(runs)), key)
    return series if np.isfinite(series.bands[2]).any() else None


def _has_row(run: Run, key: str) -> bool:
    column = run.history.get(key)
    return column is not None and bool(np.isfinite(column).any())


def _plan(summary: SweepSummary) -> _Plan:
    """Decide what is drawn: single cells if they are few, else the two most important axes."""
    cells = [cell for cell in summary.cells if cell.n]
    if len(cells) <= MOST_SERIES or not summary.axes:
        lines: list[tuple[str, tuple[int, ...]]] = []
        lines += [(place_values(cell.place, summary.axes), (cell.number,)) for cell in cells[:MOST_SERIES]]
        return _Plan((("", tuple(lines)),) if lines else (), "")
    order = summary.by_importance()
    across = levels_of(summary, order[0])
    if len(order) == 1:
        return _one_axis(summary, across)
    within = levels_of(summary, order[1])
    best = summary.choice.winner
    panels = []
    for place in _chosen(across, MOST_PANELS, best):
        there = [k for k, code in enumerate(across.codes) if code == place]
        series = tuple(
            (within.labels[value], tuple(k for k in there if within.codes[k] == value))
            for value in _chosen(within, MOST_SERIES, best)
        )
        kept = tuple((name, members) for name, members in series if members)
        panels.append((_title(across, place), kept))
    caption = f"A panel for each value of {across.name}, a line for each value of {within.name}." + _left_out(
        across, within
    )
    rest = [axis_word(axis) for axis in order[2:]]
    caption += f" Runs of all values of {listed(rest)} are put together." if rest else ""
    return _Plan(tuple(panels), caption)


def _one_axis(summary: SweepSummary, axis: Levels) -> _Plan:
    """Draw one axis: a line each if they are few, else a panel each."""
    chosen = _chosen(axis, MOST_PANELS, summary.choice.winner)
    groups = [(axis.labels[v], tuple(k for k, code in enumerate(axis.codes) if code == v)) for v in chosen]
    left = f" {len(chosen)} of {len(axis.labels)} values are drawn." if len(chosen) < len(axis.labels) else ""
    if len(groups) <= MOST_SERIES:
        return _Plan((("", tuple(groups)),), f"A line for each value of {axis.name}.{left}")
    panels = tuple((_title(axis, place), (("", members),)) for place, (_, members) in zip(chosen, groups, strict=True))
    return _Plan(panels, f"A panel for each value of {axis.name}.{left}")


def _title(axis: Levels, place: int) -> str:
    """Name a panel: the value, after the axis's name where both fit."""
    title = f"{axis.name} {axis.labels[place]}"
    return title if len(title) <= LONG_TITLE else axis.labels[place]


def _chosen(axis: Levels, most: int, winner: int | None) -> list[int]:
    """Choose values of an axis to draw, that of the best cell among them."""
    best = None if winner is None else int(axis.codes[winner])
    return spread_choice(len(axis.labels), most, best if best is None or best >= 0 else None)


def _left_out(across: Levels, within: Levels) -> str:
    """Say which values are not drawn."""
    left = [
        f"{most} of {len(axis.labels)} values of {axis.name}"
        for axis, most in ((across, MOST_PANELS), (within, MOST_SERIES))
        if len(axis.labels) > most
    ]
    return f" Drawn are {' and '.join(left)}, the best cell's among them." if left else ""
