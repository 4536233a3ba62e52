"""One record of every kind, small and hand-checkable, and a report that holds them all."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.report.records import (
    Badge,
    Bar,
    BarFigure,
    BoundaryFigure,
    BoundaryGrid,
    BoundaryPanel,
    Curve,
    CurveFigure,
    CurvePanel,
    DerivationRecord,
    DerivationStep,
    DistributionFigure,
    EstimateRow,
    EstimatesFigure,
    FanFigure,
    FanPanel,
    FanSeries,
    FigureRecord,
    GraphFigure,
    GraphLayer,
    Group,
    HeatmapFigure,
    ImagesFigure,
    Mark,
    MatrixRecord,
    NetworkFigure,
    ParallelAxis,
    ParallelFigure,
    PointsFigure,
    PointsPanel,
    RateMapFigure,
    RateRow,
    RatesFigure,
    ReplicationFigure,
    ReplicationRow,
    ReportRecord,
    SectionRecord,
    TableRecord,
    TextRecord,
    TileRow,
    TilesFigure,
    TruthFigure,
    VerdictRecord,
    WindowFigure,
    WindowSeries,
)

POINTS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
LABELS = np.array([0, 0, 1, 1])


def boundary_grid() -> BoundaryGrid:
    """A grid of 7 x 5 places over the unit square."""
    x, y = np.linspace(0, 1, 7), np.linspace(0, 1, 5)
    values = x[None, :] * y[:, None]
    return BoundaryGrid(x=x, y=y, values=values, members=np.stack([values * 0.9, values * 0.8]))


def figure_list() -> list[FigureRecord]:
    """One figure of every kind."""
    rng = np.random.default_rng(5)
    grid = boundary_grid()
    runs = rng.random((7, 40)) + 0.1
    runs[2, 20:] = np.nan
    z = np.linspace(-3, 3, 31)
    classes = ("zero", "one")
    return [
        PointsFigure(id="points", title="Points", panels=(PointsPanel(points=POINTS, labels=LABELS, classes=classes),)),
        ImagesFigure(
            id="images",
            title="Images",
            images=rng.random((3, 4, 4)),
            labels=("1", "2", "3"),
            predictions=("1", "7", "3"),
        ),
        ImagesFigure(id="colours", title="Colours", images=rng.random((2, 4, 5, 3)), labels=("red", "green")),
        TilesFigure(
            id="tiles",
            title="Tiles",
            rows=(
                TileRow(name="maps", images=rng.random((3, 4, 5)), note="3 of 4 x 5"),
                TileRow(name="units", images=np.zeros((1, 1, 10))),
            ),
        ),
        TruthFigure(
            id="truth", title="Truth", points=POINTS, truth=LABELS, prediction=np.array([0, 1, 1, 1]), grid=grid
        ),
        BoundaryFigure(
            id="boundary", title="Boundary", panels=(BoundaryPanel(grid=grid, points=POINTS, labels=LABELS),)
        ),
        CurveFigure(
            id="curve",
            title="Curve",
            panels=(CurvePanel(curves=(Curve("tanh", z, np.tanh(z)), Curve("z", z, z)), marks=(Mark(1.0, "bound"),)),),
        ),
        FanFigure(
            id="fan",
            title="Fan",
            panels=(FanPanel(series=(FanSeries(name="loss", x=np.arange(40.0), runs=runs),), reported=((3.0, 0.5),)),),
        ),
        WindowFigure(
            id="window",
            title="Window",
            series=(WindowSeries(name="100", x=np.arange(5.0), mean=np.arange(5.0), spread=np.ones(5)),),
        ),
        DistributionFigure(
            id="strip",
            title="Strip",
            groups=(Group(name="a", values=np.arange(1.0, 10.0)), Group(name="none", values=np.zeros(0), n=9)),
            value_label="epochs",
            marks=(Mark(4.0, "reported", "x"),),
        ),
        DistributionFigure(
            id="ecdf",
            title="Share",
            groups=(Group(name="a", values=np.array([3.0, 1.0]), n=4),),
            value_label="epochs",
            style="ecdf",
        ),
        RatesFigure(
            id="rates",
            title="Rates",
            rows=(
                RateRow(name="lr 0.1", successes=27, n=30, low=0.735, high=0.979, group="linear"),
                RateRow(name="lr 10", successes=0, n=0, low=0.0, high=1.0, group="linear"),
            ),
        ),
        BarFigure(
            id="bars",
            title="Bars",
            bars=(Bar(name="a", value=2.0, low=1.5, high=2.5), Bar(name="b", value=4.0)),
            value_label="s",
        ),
        HeatmapFigure(
            id="heat",
            title="Heat",
            values=np.array([[1.0, -2.0], [np.nan, 0.5]]),
            rows=("r1", "r2"),
            columns=("c1", "c2"),
            value_label="v",
            scale="diverging",
        ),
        GraphFigure(
            id="graph",
            title="Graph",
            input_shape=("n", 2),
            layers=(
                GraphLayer(weight_shape=(2, 3), bias_shape=(3,), output_shape=("n", 3), activation="leaky_relu(0.1)"),
                GraphLayer(weight_shape=(3, 1), bias_shape=None, output_shape=("n", 1), activation="sigmoid"),
            ),
            loss="mse",
        ),
        NetworkFigure(
            id="network",
            title="Network",
            weights=(np.array([[1.0, -2.0]]), np.array([[0.5], [0.25]])),
            biases=(np.array([0.1, -0.2]), np.array([0.3])),
        ),
        EstimatesFigure(
            id="estimates",
            title="Estimates",
            rows=(EstimateRow(name="a", value=0.5, low=0.2, high=0.8, told="5 of 10", marked=True),),
            value_label="share",
            marked_label="best",
            percent=True,
        ),
        RateMapFigure(
            id="rate-map",
            title="Rate map",
            rates=np.array([[0.5, np.nan]]),
            low=np.array([[0.2, np.nan]]),
            high=np.array([[0.8, np.nan]]),
            rows=("adam",),
            columns=("0.1", "1"),
            notes=(("5 of 10 & more", "no runs"),),
            marked=np.array([[True, False]]),
        ),
        ParallelFigure(
            id="parallel",
            title="Parallel",
            axes=(
                ParallelAxis(name="rate", values=np.array([0.1, 1.0, 10.0]), log=True),
                ParallelAxis(name="optimizer", values=np.array([0, 1, np.nan]), labels=("sgd", "adam")),
            ),
            merit=np.array([0.0, 0.5, 1.0]),
            marked=np.array([False, False, True]),
            names=("one", "two", "three"),
        ),
        ReplicationFigure(
            id="replication",
            title="Replication",
            rows=(
                ReplicationRow(
                    id="A1.1",
                    label="loss",
                    reported=2.0,
                    median=1.0,
                    low=0.5,
                    high=1.5,
                    percentile=97.0,
                    n=30,
                    verdict="unlucky",
                ),
                ReplicationRow(
                    id="E2",
                    label="MNIST",
                    reported=0.64,
                    median=None,
                    low=None,
                    high=None,
                    percentile=None,
                    n=0,
                    verdict="no verdict",
                ),
            ),
        ),
    ]


@pytest.fixture(scope="session")
def figures() -> list[FigureRecord]:
    """One figure of every kind."""
    return figure_list()


@pytest.fixture(scope="session")
def report(figures: list[FigureRecord]) -> ReportRecord:
    """A report with every kind of item, and text that would break careless HTML."""
    table = TableRecord(
        id="table",
        title="Table <1>",
        columns=("name", "value", "right", "verdict"),
        rows=(("a & b", 0.123456, True, Badge("typical", "good")), ("<i>", None, False, Badge("lucky", "notice"))),
        formats=("", ".3f", "", ""),
    )
    steps = (
        DerivationStep(
            label="Map", formula="Z_{1} = X W_{1}", matrices=(MatrixRecord("W₁", np.array([[1.0, 2.0], [3.0, 4.5]])),)
        ),
    )
    inner = SectionRecord(
        id="inner",
        title="Inner",
        items=(
            table,
            TextRecord(title="Why", paragraphs=("<script>alert('x')</script> *so* `code` 5 %",), points=("one",)),
            DerivationRecord(id="derivation", title="Steps", steps=steps),
            VerdictRecord(sentence="It <works>.", n_seeds=30, interval=(0.735, 0.979, 0.95), evidence={"p": 0.01}),
            VerdictRecord(sentence="Unclear.", kind="question"),
        ),
    )
    return ReportRecord(
        title='A "report" & more',
        subtitle="sub",
        created="1 May",
        machine={"Python": "3.11", "CPU": "<fast>"},
        sections=(SectionRecord(id="first", title="First", lead="Lead.", items=(*figures, inner)),),
        missing=("MNIST was not at hand.",),
    )
