"""The picture of a data set, by its kind: points, images, a curve, or the spread of every input."""

from __future__ import annotations

import re

import numpy as np

from chainrule.data import Dataset
from chainrule.data.images import visible
from chainrule.report.records import (
    Curve,
    CurveFigure,
    CurvePanel,
    DistributionFigure,
    FigureRecord,
    Group,
    HeatmapFigure,
    ImagesFigure,
    PointsFigure,
    PointsPanel,
)

IMAGES = 30
INPUTS = 12
CELLS = 32  # samples that fit beside each other as cells with their numbers


def data_figure(dataset: Dataset) -> FigureRecord:
    """Return the picture's record."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", dataset.name).strip("-._")[:60] or "data"
    title = f"{dataset.name}: {dataset.n:,} samples"
    if dataset.image_shape is not None and dataset.task != "regression":
        return ImagesFigure(
            id=name,
            title=title,
            images=visible(dataset, slice(IMAGES)),
            labels=tuple(dataset.classes[k] for k in dataset.y[:IMAGES]),
            caption=dataset.provenance,
        )
    if dataset.n_features == 2 and dataset.task != "regression":
        panel = PointsPanel(points=dataset.X, labels=dataset.y, classes=dataset.classes)
        x, y = dataset.feature_names
        return PointsFigure(id=name, title=title, panels=(panel,), x_label=x, y_label=y, caption=dataset.provenance)
    if dataset.n_features == 1 and dataset.task == "regression" and dataset.n_outputs == 1:
        order = np.argsort(dataset.X[:, 0])
        curve = Curve("samples", dataset.X[order, 0], np.ravel(dataset.y)[order])
        return CurveFigure(
            id=name,
            title=title,
            panels=(CurvePanel(curves=(curve,)),),
            x_label=dataset.feature_names[0],
            y_label="y",
            caption=dataset.provenance,
        )
    if dataset.n <= CELLS and dataset.n_features <= INPUTS and dataset.y.ndim == 1:
        return _cells(dataset, name, title)
    groups = tuple(
        Group(name=feature, values=dataset.X[:, j]) for j, feature in enumerate(dataset.feature_names[:INPUTS])
    )
    more = f", the first {INPUTS} of {dataset.n_features} inputs" if dataset.n_features > INPUTS else ""
    return DistributionFigure(
        id=name, title=title + more, groups=groups, value_label="value", caption=dataset.provenance
    )


def _cells(dataset: Dataset, name: str, title: str) -> FigureRecord:
    """Return a small table as cells: a column a sample, a row an input, the label below."""
    return HeatmapFigure(
        id=name,
        title=title,
        values=np.vstack([dataset.X.T, dataset.y]),
        rows=(*dataset.feature_names, "label"),
        columns=tuple(str(k) for k in range(dataset.n)),
        value_label="value",
        x_label="sample",
        caption=dataset.provenance,
    )
