"""The pictures of a run as report records: curves over seeds, truth beside prediction, decision boundaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.cli._console import count
from chainrule.cli._image_pictures import NAMES as IMAGE_NAMES
from chainrule.cli._predictions import Predictions, outputs_of
from chainrule.data import Dataset
from chainrule.data.images import visible
from chainrule.lab.pictures import boundary_grid
from chainrule.report.records import (
    BoundaryFigure,
    BoundaryPanel,
    Curve,
    CurveFigure,
    CurvePanel,
    FanFigure,
    FanPanel,
    FanSeries,
    FigureRecord,
    ImagesFigure,
    TruthFigure,
    WindowFigure,
    WindowSeries,
)
from chainrule.report.sweeps.curves import fan_series
from chainrule.runs import Run, Runs

NAMES = ("curves", "accuracy", "mae", "truth", "boundary", "windows", *IMAGE_NAMES)
"""Every picture that a run's folder may hold."""

GRID = 120
OTHERS = 12
IMAGES = 30
PANELS = 4
LOG_SPAN = 30.0  # a loss that falls further than this is drawn on a logarithmic axis


def write_pictures(records: list[FigureRecord], folder: Path) -> list[Path]:
    """Write every picture as SVG and PNG; returns the paths."""
    from chainrule.report import write_figure

    return [write_figure(record, folder / f"{record.id}.{suffix}") for record in records for suffix in ("svg", "png")]


def curve_figures(by_rate: list[Runs], source: str, metric: str) -> list[FigureRecord]:
    """Return the loss and a metric over the epochs, as fans over seeds.

    Parameters
    ----------
    by_rate : list of Runs
        The runs of each learning rate. One rate shows training beside validation; several show each other.
    source : str
        What the data are.
    metric : str
        The metric beside the loss.
    """
    figures: list[FigureRecord] = []
    for name, key in (("curves", "loss"), (metric, metric)):
        series = _series(by_rate, key)
        if series:
            drawn = np.concatenate([s.held[np.isfinite(s.held)] for s in series])
            log = bool(key == "loss" and len(drawn) and drawn.min() > 0 and drawn.max() > LOG_SPAN * drawn.min())
            figures.append(
                FanFigure(
                    id=name,
                    title=f"{_words(key).capitalize()} on {source}, {count(len(by_rate[0]), 'seed')}",
                    panels=(FanPanel(series=tuple(series)),),
                    y_label=_words(key),
                    log_y=log,
                )
            )
    return figures


def _series(by_rate: list[Runs], key: str) -> list[FanSeries]:
    """Return the fans of one quantity; rates of which no run has it are left out."""
    series = []
    for runs in by_rate:
        names = {name for run in runs for name in run.history}
        keys = [key] if len(by_rate) > 1 else [key, f"validation_{key}"]
        for one in keys:
            if one in names:
                rate = f"rate {runs[0].member.config.learning_rate:g}"
                part = "validation" if one != key else "training"
                if any(len(run.history["epoch"]) for run in runs):
                    series.append(fan_series(rate if len(by_rate) > 1 else part, runs, one))
    return series


def window_figure(by_rate: list[Runs], source: str) -> FigureRecord | None:
    """Return the windowed means of the step loss, mean and spread over seeds; None if no windows were kept."""
    series = []
    for runs in by_rate:
        rows = [run.windows["loss"] for run in runs if len(run.windows.get("loss", ())) and not run.divergence]
        if rows:
            length = min(map(len, rows))
            stacked = np.stack([row[:length] for row in rows])
            steps = (np.arange(length) + 1.0) * runs[0].member.config.window
            name = f"rate {runs[0].member.config.learning_rate:g}"
            series.append(WindowSeries(name=name, x=steps, mean=stacked.mean(axis=0), spread=stacked.std(axis=0)))
    if not series:
        return None
    title = f"Windowed loss on {source}, {count(len(by_rate[0]), 'seed')}"
    return WindowFigure(id="windows", title=title, series=tuple(series), x_label="step")


def truth_figure(run: Run, others: Runs, dataset: Dataset, part: str) -> FigureRecord | None:
    """Return ground truth beside prediction: points in the plane, a curve, or images; None for other data."""
    title = f"{dataset.name}: seed {run.seed}, {part} samples"
    if dataset.task != "regression" and dataset.image_shape is not None:
        return _images(Predictions.of(dataset, outputs_of(run, dataset.X[:IMAGES])), dataset, title)
    predictions = Predictions.of(dataset, outputs_of(run, dataset.X))
    if predictions.is_class and dataset.n_features == 2:
        peers = [other for other in others if other.seed != run.seed and not other.divergence][:OTHERS]
        return TruthFigure(
            id="truth",
            title=title,
            points=dataset.X,
            truth=dataset.y,
            prediction=np.maximum(predictions.rounded, 0),
            classes=dataset.classes,
            grid=boundary_grid(run, dataset, peers, GRID),
            x_label=dataset.feature_names[0],
            y_label=dataset.feature_names[1],
        )
    if not predictions.is_class and dataset.n_features == 1 and dataset.n_outputs == 1:
        order = np.argsort(dataset.X[:, 0])
        x = dataset.X[order, 0]
        curves = (
            Curve("samples", x, np.ravel(dataset.y)[order]),
            Curve("prediction", x, predictions.outputs[order, 0]),
        )
        name = dataset.feature_names[0]
        return CurveFigure(id="truth", title=title, panels=(CurvePanel(curves=curves),), x_label=name, y_label="y")
    return None


def _images(predictions: Predictions, dataset: Dataset, title: str) -> FigureRecord:
    """Return the first images with their labels, wrong ones marked."""
    assert dataset.image_shape is not None, "only image data come here"
    some = slice(0, IMAGES)
    return ImagesFigure(
        id="truth",
        title=title,
        images=visible(dataset, some),
        labels=tuple(dataset.classes[k] for k in dataset.y[some]),
        predictions=tuple(predictions.label(int(k)) for k in predictions.rounded[some]),
    )


def boundary_figure(runs: Runs, dataset: Dataset) -> FigureRecord | None:
    """Return the decision boundaries of the first few seeds side by side; None unless the data are in the plane."""
    sound = [run for run in runs if not run.divergence][:PANELS]
    if dataset.n_features != 2 or dataset.task == "regression" or not sound:
        return None
    panels = tuple(
        BoundaryPanel(
            grid=boundary_grid(run, dataset, (), GRID),
            points=dataset.X,
            labels=dataset.y,
            classes=dataset.classes,
            title=f"seed {run.seed}",
        )
        for run in sound
    )
    return BoundaryFigure(
        id="boundary",
        title=f"{dataset.name}: decision boundaries",
        panels=panels,
        x_label=dataset.feature_names[0],
        y_label=dataset.feature_names[1],
    )


def _words(key: str) -> str:
    return key.replace("_", " ")
