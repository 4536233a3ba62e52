"""Figures drawn from records: `draw` picks the function by the record's type.

Drawing is object-oriented throughout: no pyplot, no global figure, no window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl

from chainrule.errors import ConfigError
from chainrule.report.figures._layout import Picture
from chainrule.report.figures._style import settings
from chainrule.report.figures.curves import draw_curves, draw_fan, draw_windows
from chainrule.report.figures.estimates import draw_estimates
from chainrule.report.figures.graph import draw_graph, draw_network
from chainrule.report.figures.images import draw_heatmap, draw_images
from chainrule.report.figures.parallel import draw_parallel
from chainrule.report.figures.points import draw_boundaries, draw_points, draw_truth
from chainrule.report.figures.rate_map import draw_rate_map
from chainrule.report.figures.replication import draw_replication
from chainrule.report.figures.tiles import draw_tiles
from chainrule.report.figures.values import draw_bars, draw_distribution, draw_rates
from chainrule.report.records import FigureRecord

DRAWERS: dict[str, Callable[[Any], Picture]] = {
    "PointsFigure": draw_points,
    "TruthFigure": draw_truth,
    "BoundaryFigure": draw_boundaries,
    "ImagesFigure": draw_images,
    "TilesFigure": draw_tiles,
    "HeatmapFigure": draw_heatmap,
    "CurveFigure": draw_curves,
    "FanFigure": draw_fan,
    "WindowFigure": draw_windows,
    "DistributionFigure": draw_distribution,
    "RatesFigure": draw_rates,
    "BarFigure": draw_bars,
    "GraphFigure": draw_graph,
    "NetworkFigure": draw_network,
    "ReplicationFigure": draw_replication,
    "EstimatesFigure": draw_estimates,
    "RateMapFigure": draw_rate_map,
    "ParallelFigure": draw_parallel,
}
"""How each record is drawn, by the name of its type."""


def draw(record: FigureRecord) -> Picture:
    """Draw a figure's record.

    Returns
    -------
    Picture
        A `matplotlib.figure.Figure` with an Agg canvas.

    Raises
    ------
    ConfigError
        For a record that is no figure.
    """
    drawer = DRAWERS.get(type(record).__name__)
    if drawer is None:
        raise ConfigError(f"{type(record).__name__} is not a figure (known: {', '.join(sorted(DRAWERS))})")
    with mpl.rc_context(settings(record.id)):
        return drawer(record)
