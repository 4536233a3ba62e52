"""Figures: what the artists hold equals the numbers computed here; odd records draw without a warning."""

from __future__ import annotations

import math
from typing import Any, cast

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.lines import Line2D
from matplotlib.text import Text

from chainrule.errors import ConfigError
from chainrule.report.figures import DRAWERS, draw
from chainrule.report.figures._layout import WIDTH, Picture
from chainrule.report.figures.replication import position
from chainrule.report.figures.values import steps
from chainrule.report.records import (
    Bar,
    BarFigure,
    BoundaryFigure,
    BoundaryGrid,
    BoundaryPanel,
    Curve,
    CurveFigure,
    CurvePanel,
    DistributionFigure,
    FanFigure,
    FanPanel,
    FanSeries,
    FigureRecord,
    Group,
    HeatmapFigure,
    ImagesFigure,
    Mark,
    NetworkFigure,
    PointsFigure,
    PointsPanel,
    RateRow,
    RatesFigure,
    ReplicationFigure,
    ReplicationRow,
    TileRow,
    TilesFigure,
    TruthFigure,
    WindowFigure,
    WindowSeries,
)


def lines(axes: Axes, gid: str) -> list[Line2D]:
    """The lines of an axes with this id."""
    return [line for line in axes.lines if line.get_gid() == gid]


def xy(line: Line2D) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A line's data as arrays."""
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def texts(picture: Picture) -> list[str]:
    """Every text in a picture."""
    return [text.get_text() for text in picture.findobj(Text)]


def test_there_is_a_drawing_for_every_figure(figures: list[FigureRecord]) -> None:
    assert {type(figure).__name__ for figure in figures} == set(DRAWERS)
    for figure in figures:
        picture = draw(figure)
        assert picture.width == WIDTH
        assert figure.title in texts(picture)


def test_drawing_leaves_no_global_figure_or_setting_behind(figures: list[FigureRecord]) -> None:
    import matplotlib as mpl
    from matplotlib import _pylab_helpers

    before = dict(mpl.rcParams)
    for figure in figures:
        draw(figure)
    assert dict(mpl.rcParams) == before
    assert not _pylab_helpers.Gcf.get_all_fig_managers()


def test_what_is_no_figure_is_refused() -> None:
    with pytest.raises(ConfigError, match="Mark is not a figure"):
        draw(cast(FigureRecord, Mark(1.0, "m")))


def test_a_fan_draws_numpys_median_and_quantiles() -> None:
    runs = np.random.default_rng(1).random((25, 60))
    x = np.arange(60.0)
    axes = draw(FanFigure(id="f", title="", panels=(FanPanel(series=(FanSeries(name="s", x=x, runs=runs),)),))).axes[0]
    drawn_x, drawn_y = xy(lines(axes, "median-0")[0])
    np.testing.assert_array_equal(drawn_x, x)
    np.testing.assert_allclose(drawn_y, np.median(runs, axis=0))
    for gid, share in (("band50-0", 0.5), ("band90-0", 0.9)):
        band = next(c for c in axes.collections if c.get_gid() == gid)
        assert isinstance(band, FillBetweenPolyCollection)
        corners = band.get_paths()[0].vertices
        low = np.quantile(runs, (1 - share) / 2, axis=0)
        high = np.quantile(runs, (1 + share) / 2, axis=0)
        # The outline runs along one edge and back along the other, with a corner repeated at each end.
        assert set(np.round(np.concatenate([low, high]), 9)) == set(np.round(np.asarray(corners)[:, 1], 9))
    assert 1 <= len(lines(axes, "run-0")) <= 15


def test_a_fan_on_a_log_axis_leaves_out_what_cannot_be_drawn() -> None:
    runs = np.array([[1.0, 0.1, 0.0], [1.0, 0.1, 0.0]])
    figure = FanFigure(
        id="f", title="", panels=(FanPanel(series=(FanSeries(name="s", x=np.arange(3.0), runs=runs),)),), log_y=True
    )
    axes = draw(figure).axes[0]
    np.testing.assert_array_equal(xy(lines(axes, "median-0")[0])[1], [1.0, 0.1, np.nan])
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[0] > 0


def test_a_fan_names_its_series_its_seeds_and_the_diverged() -> None:
    x = np.arange(5.0)
    series = [FanSeries(name=n, x=x, runs=np.ones((6, 5)), diverged=d) for n, d in (("sgd", ()), ("adam", (1, 2)))]
    told = texts(draw(FanFigure(id="f", title="", panels=(FanPanel(series=tuple(series)),))))
    assert "adam (2 of 6 diverged)" in told
    assert "sgd" in told
    assert any("of 6 seeds" in t for t in told)


def test_series_differ_in_more_than_colour() -> None:
    x = np.arange(30.0)
    series = tuple(FanSeries(name=str(k), x=x, runs=np.full((3, 30), float(k))) for k in range(6))
    axes = draw(FanFigure(id="f", title="", panels=(FanPanel(series=series),))).axes[0]
    medians = [lines(axes, f"median-{k}")[0] for k in range(6)]
    assert len({line.get_marker() for line in medians}) == 6
    assert len({str(line._dash_pattern) for line in medians}) == 6  # type: ignore[attr-defined]


def test_curves_hold_their_values_and_long_ones_are_thinned() -> None:
    x = np.linspace(0, 1, 5000)
    figure = CurveFigure(id="c", title="", panels=(CurvePanel(curves=(Curve("square", x, x**2),)),))
    drawn_x, drawn_y = xy(lines(draw(figure).axes[0], "curve-square")[0])
    assert len(drawn_x) <= 400
    np.testing.assert_allclose(drawn_y, drawn_x**2, atol=1e-12)


def test_a_strip_marks_median_quartiles_and_the_middle_90_percent() -> None:
    values = np.arange(1.0, 102.0)
    figure = DistributionFigure(id="d", title="", groups=(Group(name="g", values=values, n=110),), value_label="v")
    picture = draw(figure)
    axes = picture.axes[0]
    assert xy(lines(axes, "median")[0])[0] == pytest.approx([51.0])
    assert xy(lines(axes, "middle50")[0])[0] == pytest.approx([26.0, 76.0])
    assert xy(lines(axes, "middle90")[0])[0] == pytest.approx([6.0, 96.0])
    np.testing.assert_array_equal(np.sort(xy(lines(axes, "dots")[0])[0]), values)
    assert "101 of 110" in texts(picture)


def test_an_ecdf_counts_runs_without_a_value() -> None:
    x, share = steps(Group(name="g", values=np.array([30.0, 10.0, 20.0]), n=4))
    np.testing.assert_array_equal(x, [10, 20, 30])
    np.testing.assert_allclose(share, [0.25, 0.5, 0.75])


def test_rates_stand_at_their_share_with_their_interval() -> None:
    rows = (
        RateRow(name="a", successes=27, n=30, low=0.735, high=0.979),
        RateRow(name="b", successes=0, n=0, low=0, high=1),
    )
    picture = draw(RatesFigure(id="r", title="", rows=rows))
    axes = picture.axes[0]
    assert xy(lines(axes, "rate")[0])[0] == pytest.approx([0.9])
    assert xy(lines(axes, "interval")[0])[0] == pytest.approx([0.735, 0.979])
    assert len(lines(axes, "rate")) == 1
    assert {"27 of 30", "no seeds"} <= set(texts(picture))


def test_bars_have_their_lengths() -> None:
    figure = BarFigure(
        id="b", title="", bars=(Bar(name="a", value=2.0, low=1.5, high=2.5), Bar(name="b", value=-1.0)), value_label=""
    )
    axes = draw(figure).axes[0]
    assert [patch.get_width() for patch in axes.patches] == [2.0, -1.0]  # type: ignore[attr-defined]
    assert xy(lines(axes, "interval")[0])[0] == pytest.approx([1.5, 2.5])


def test_windows_draw_mean_and_spread() -> None:
    series = WindowSeries(
        name="w", x=np.arange(4.0), mean=np.array([4.0, 3, 2, 1]), spread=np.array([1.0, 0.5, 0.4, 0.2])
    )
    upper, lower = draw(WindowFigure(id="w", title="", series=(series,))).axes
    np.testing.assert_array_equal(xy(lines(upper, "mean-0")[0])[1], [4, 3, 2, 1])
    np.testing.assert_array_equal(xy(lines(lower, "spread-0")[0])[1], [1.0, 0.5, 0.4, 0.2])


def test_points_stand_in_their_class_and_wrong_ones_are_ringed() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    record = TruthFigure(id="t", title="", points=points, truth=np.array([0, 0, 1]), prediction=np.array([0, 1, 1]))
    picture = draw(record)
    left, right = picture.axes
    np.testing.assert_array_equal(np.transpose(xy(lines(left, "class-0")[0])), points[:2])
    np.testing.assert_array_equal(np.transpose(xy(lines(right, "class-0")[0])), points[:1])
    np.testing.assert_array_equal(np.transpose(xy(lines(right, "wrong")[0])), points[1:2])
    assert "prediction: 1 of 3 wrong" in texts(picture)


def test_the_boundary_runs_where_the_output_is_one_half() -> None:
    x = np.linspace(0, 1, 41)
    grid = BoundaryGrid(x=x, y=x, values=np.tile(x, (41, 1)))  # output = x1, so the boundary is x1 = 1/2
    panel = BoundaryPanel(grid=grid, points=np.zeros((0, 2)), labels=np.zeros(0))
    axes = draw(BoundaryFigure(id="b", title="", panels=(panel,))).axes[0]
    contour = axes.collections[-1]
    corners = np.concatenate([np.asarray(path.vertices) for path in contour.get_paths()])
    np.testing.assert_allclose(corners[:, 0], 0.5, atol=1e-9)


def test_a_networks_lines_show_size_and_sign() -> None:
    picture = draw(NetworkFigure(id="n", title="", weights=(np.array([[2.0], [-1.0]]),)))
    drawn = {line.get_gid(): line for line in picture.findobj(Line2D)}
    assert drawn["weight-0-0-0"].get_linewidth() > drawn["weight-0-1-0"].get_linewidth()
    assert drawn["weight-0-0-0"].get_linestyle() == "-"
    assert drawn["weight-0-1-0"].get_linestyle() == "--"


def row(**changes: Any) -> ReplicationRow:
    """A row of the replication figure with some fields replaced."""
    fields: dict[str, Any] = {
        "id": "A1", "label": "loss", "reported": 1.0, "median": 1.0, "low": 0.5, "high": 1.5, "percentile": 50.0,
        "n": 30, "verdict": "typical",
    }  # fmt: skip
    return ReplicationRow(**(fields | changes))


def test_replication_measures_in_halves_of_our_interval() -> None:
    assert position(row(low=2.0, high=4.0), 3.0) == 0.0
    assert position(row(low=2.0, high=4.0), 5.0) == 2.0
    assert position(row(low=0.01, high=1.0, log=True), 0.1) == pytest.approx(0.0)
    assert position(row(low=0.01, high=1.0, log=True), 10.0) == pytest.approx(2.0)
    assert position(row(low=1.0, high=1.0), 1.0) == 0.0
    assert position(row(low=1.0, high=1.0), 0.98) == -math.inf
    assert math.isnan(position(row(low=1.0, high=2.0), math.nan))


def test_replication_draws_interval_median_and_reported() -> None:
    rows = (row(low=2.0, high=4.0, median=3.5, reported=1.0), row(id="A2", n=0, median=None, low=None, high=None))
    picture = draw(ReplicationFigure(id="r", title="", rows=rows))
    axes = picture.axes[0]
    assert xy(lines(axes, "interval")[0])[0] == pytest.approx([-1, 1])
    assert xy(lines(axes, "median")[0])[0] == pytest.approx([0.5])
    assert xy(lines(axes, "reported")[0])[0] == pytest.approx([-2.0])
    assert "not run" in texts(picture)
    assert len(lines(axes, "reported")) == 1


EMPTY = PointsPanel(points=np.zeros((0, 2)), labels=np.zeros(0))
NAN = np.nan
ODD: list[FigureRecord] = [
    PointsFigure(id="empty", title="", panels=(EMPTY,)),
    PointsFigure(id="five", title="T " * 80, panels=(EMPTY,) * 5),
    ImagesFigure(id="flat", title="", images=np.zeros((1, 2, 3)), labels=("a label far too long for its tile",)),
    FanFigure(id="nan", title="", panels=(FanPanel(series=(FanSeries(name="s", x=[0.0], runs=[[NAN]]),)),)),  # type: ignore[arg-type]
    FanFigure(
        id="explode",
        title="",
        panels=(
            FanPanel(series=(FanSeries(name="s", x=np.arange(4.0), runs=np.array([[1.0, 1e10, 1e300, np.inf]])),)),
        ),
    ),
    FanFigure(
        id="explode-log",
        title="",
        log_y=True,
        log_x=True,
        panels=(
            FanPanel(series=(FanSeries(name="s", x=np.arange(4.0), runs=np.array([[1.0, 1e10, 1e300, np.inf]])),)),
        ),
    ),
    FanFigure(
        id="zero-log",
        title="",
        log_y=True,
        panels=(FanPanel(series=(FanSeries(name="s", x=np.arange(4.0), runs=np.zeros((3, 4))),)),),
    ),
    CurveFigure(id="flat-curve", title="", panels=(CurvePanel(curves=(Curve("c", np.zeros(1), np.zeros(1)),)),)),
    DistributionFigure(id="none", title="", groups=(Group(name="g", values=np.zeros(0), n=3),), value_label=""),
    DistributionFigure(
        id="none-ecdf", title="", groups=(Group(name="g", values=np.zeros(0)),), value_label="", style="ecdf", log=True
    ),
    DistributionFigure(
        id="same", title="", groups=(Group(name="g" * 90, values=np.ones(500)),), value_label="", log=True
    ),
    BarFigure(id="zero", title="", bars=(Bar(name="a", value=0.0), Bar(name="b", value=NAN)), value_label=""),
    BarFigure(id="zero-bars-log", title="", bars=(Bar(name="a", value=0.0),), value_label="", log=True),
    TilesFigure(
        id="odd-tiles",
        title="",
        scale="diverging",
        rows=(
            TileRow(name="a name far too long to stand before its tiles", images=np.full((40, 3, 3), NAN)),
            TileRow(name="", images=np.zeros((1, 1, 1)), note="one"),
        ),
    ),
    HeatmapFigure(id="no-values", title="", values=[[NAN]], rows=("r",), columns=("c",), value_label="v"),  # type: ignore[arg-type]
    HeatmapFigure(
        id="large",
        title="",
        values=np.arange(3000.0).reshape(60, 50),
        rows=tuple("r" * 60),
        columns=tuple("c" * 50),
        value_label="v",
    ),
    NetworkFigure(id="no-weights", title="", weights=(np.zeros((20, 30)),), biases=(np.zeros(30),)),
    ReplicationFigure(
        id="odd-rows",
        title="",
        rows=(
            row(reported=NAN, verdict="explained by a defect"),
            row(id="B", reported=None),
            row(id="C", low=1.0, high=1.0, reported=0.5, verdict="cannot occur", label="long " * 30),
            row(id="D", low=0.0, high=1.0, log=True, reported=-1.0, number_format=".1%"),
            row(id="E", low=NAN, high=NAN, median=NAN),
        ),
    ),
    WindowFigure(
        id="flat-window",
        title="",
        log_y=True,
        series=(WindowSeries(name="w", x=np.zeros(1), mean=np.zeros(1), spread=np.zeros(1)),),
    ),
]


@pytest.mark.parametrize("record", ODD, ids=lambda record: record.id)
def test_odd_records_are_drawn_without_a_warning(record: FigureRecord) -> None:
    from chainrule.report.svg import render

    assert render(record).png.startswith(b"\x89PNG")


@settings(max_examples=25)
@given(
    values=st.lists(st.floats(width=64), min_size=1, max_size=12),
    log=st.booleans(),
)
def test_any_numbers_can_be_drawn(values: list[float], log: bool) -> None:
    x = np.arange(float(len(values)))
    series = FanSeries(name="s", x=x, runs=np.array([values, values[::-1]]))
    picture = draw(FanFigure(id="f", title="t", panels=(FanPanel(series=(series,)),), log_y=log, log_x=log))
    picture.draw_without_rendering()
    low, high = picture.axes[0].get_ylim()
    assert low < high
